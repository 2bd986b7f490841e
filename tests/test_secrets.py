"""Secrets do not appear in errors, logs, tracebacks or files."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest
from api_versions import API_VERSIONS
from httpx_transport import HttpxTransport
from IPython.core.ultratb import VerboseTB
from matrix import all_pairs

from modelarts_magics.config.credentials import AccessKey, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.emulator.faults import FAULT_KINDS
from modelarts_magics.emulator.notebooks_responses import JUPYTER_TOKEN
from modelarts_magics.errors import ConfigurationError, ModelArtsError
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api_versions import ApiVersion

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

TOKEN = "MARKED-TOKEN-" + "t0k3n" * 800
SECRET_KEY = "MARKED-SECRET-KEY-5k"
SECURITY_TOKEN = "MARKED-SECURITY-TOKEN-" + "5t" * 900
MARK = "MARKED-"
"""The beginning of each secret, so that a part of one is found, too."""

CREDENTIALS = {
    "token": {"MODELARTS_AUTH_TOKEN": TOKEN},
    "keys": {
        "HUAWEICLOUD_SDK_AK": "ACCESSKEY00000000001",
        "HUAWEICLOUD_SDK_SK": SECRET_KEY,
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": SECURITY_TOKEN,
    },
}
ELSEWHERE = {
    "MODELARTS_ENDPOINT": "https://modelarts.invalid",
    "MODELARTS_PROJECT_ID": "p",
    "MODELARTS_INSTANCE_ID": "i",
}
every_api = pytest.mark.parametrize("api", sorted({each.api for each in API_VERSIONS}))
"""Tests without an emulator do not depend on the edition."""
ARGUMENTS = {"drip": "0.05", "delay": "0.5", "late-apply": "0.1", "oversized": str(2 << 20)}


def verbose_traceback(error: BaseException) -> str:
    """Return the traceback with all variables, as IPython shows it after ``%xmode Verbose``."""
    painter = VerboseTB(include_vars=True)
    return painter.text(type(error), error, error.__traceback__)


def error_texts(error: BaseException) -> str:
    """Return everything that an error can show."""
    values = getattr(error, "values", {})
    plain = traceback.format_exception(type(error), error, error.__traceback__)
    parts = [str(error), repr(error), repr(error.args), repr(values), *plain]
    parts.extend(getattr(error, "_render_traceback_", list)())
    cause = getattr(error, "cause", None)
    return "\n".join(parts) + (error_texts(cause) if cause else "")


def all_error_texts(errors: list[ModelArtsError]) -> str:
    """Return everything that these errors can show; the verbose_traceback form for one of each kind."""
    sorts = {(each.code, type(getattr(each, "cause", None))): each for each in errors}
    return "\n".join([*map(error_texts, errors), *map(verbose_traceback, sorts.values())])


def log_text(caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that was log_text."""
    return "\n".join(f"{each.getMessage()} {each.args!r} {vars(each)!r}" for each in caplog.records)


def file_text(folder: Path) -> str:
    """Return the content of all files."""
    return "\n".join(each.read_text() for each in folder.rglob("*") if each.is_file())


@pytest.fixture(autouse=True)
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)


@pytest.fixture
def opened(tmp_path: Path, instant_clock: Any) -> Iterator[Callable[..., Session]]:  # noqa: ANN401 - conftest's
    """Open sessions with an environment, and close them after the test."""
    made: list[Session] = []

    def make(environ: dict[str, str], *, http: Any = None, **arguments: str) -> Session:  # noqa: ANN401
        variables = {"HOME": str(tmp_path), **environ}
        settings = Settings.load(
            {"state_dir": str(tmp_path / "state"), **arguments}, environ=variables
        )
        made.append(
            open_session(
                settings,
                environ=variables,
                clock=instant_clock.clock,
                transport=HttpxTransport(http) if http else None,
            )
        )
        return made[-1]

    yield make
    for session in made:
        session.close()


def try_all(session: Session) -> list[ModelArtsError]:
    """Run several commands; return the errors."""
    failed: list[ModelArtsError] = []
    acts = (session.refresh, lambda: session.describe("new"), session.extend, session.stop)
    for act in acts:
        try:
            change = act()
            problem = getattr(change, "problem", None)
            assert MARK not in repr(change)
            failed += [problem] if problem else []
        except ModelArtsError as error:
            failed.append(error)
    return failed


def test_search_finds_a_secret() -> None:
    """In a message, a variable and the values of an error."""

    def careless(secret: str) -> None:
        raise KeyError(len(secret))

    with pytest.raises(KeyError) as caught:
        careless(TOKEN)
    assert MARK not in str(caught.value)
    assert MARK in verbose_traceback(caught.value)
    assert MARK in error_texts(ModelArtsError("api.400.6309", detail=SECRET_KEY))


@pytest.mark.parametrize(("name", "api_version"), all_pairs(list(FAULT_KINDS), API_VERSIONS))
def test_no_fault_reveals_a_secret(  # noqa: PLR0913 - two dimensions and four fixtures
    name: str,
    api_version: ApiVersion,
    emulator: LocalEmulator,
    opened: Callable[..., Session],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The emulator accepts the credentials, so each fault occurs."""
    auth = "token" if api_version is API_VERSIONS[0] else "temporary"
    secrets = (emulator.auth_token, emulator.temporary_sk, emulator.security_token, JUPYTER_TOKEN)
    opened(emulator.environment(auth=auth)).refresh()
    session = opened(emulator.environment(auth=auth), total_timeout="0.2")
    emulator.add_fault(name, arg=ARGUMENTS.get(name), skip=1)
    said = all_error_texts(try_all(session))
    session.close()
    everything = said + log_text(caplog) + file_text(tmp_path)
    assert all(secret not in everything for secret in secrets)


@pytest.mark.parametrize(("api", "auth"), [("demanager", "keys"), ("notebooks", "token")])
@pytest.mark.parametrize("number", [200, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503])
def test_repeated_secret_is_masked(  # noqa: PLR0913 - three dimensions and three fixtures
    api: str,
    number: int,
    auth: str,
    opened: Callable[..., Session],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An API that repeats the request in the code, the detail and the request ID."""
    echo = " ".join(CREDENTIALS[auth].values())
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        authorization = request.headers.get("Authorization", "")
        words = [
            {"error_code": f"ModelArts.6334 {echo}", "error_msg": f"not {echo} {authorization}"},
            {"error_code": "X", "error_message": f"{'x' * 195}{echo}"},
            {"error_msg": {"deep": echo}, "id": [echo], "status": echo, "description": {"x": echo}},
        ][len(asked) % 3]
        headers = {"X-Request-Id": echo, "Location": "https://x.invalid/?" + echo}
        return httpx.Response(number, json=words, headers=headers)

    environ = {**ELSEWHERE, **CREDENTIALS[auth], "MODELARTS_API": api}
    session = opened(environ, http=httpx.MockTransport(answer))
    failed = try_all(session) + try_all(session) + try_all(session)
    assert len(failed) == 12
    signatures = [each.headers.get("Authorization", MARK)[-64:] for each in asked]
    everything = all_error_texts(failed) + log_text(caplog) + file_text(tmp_path)
    assert MARK not in everything
    if number != 200 and auth == "token":
        assert all(each not in everything for each in signatures)


@every_api
def test_secrets_of_the_api_are_removed(
    api: str, opened: Callable[..., Session], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The Jupyter token of the instance is neither in the instance nor in the state file."""
    url = f"https://host/hub/user/x?token={SECRET_KEY}"
    raw = {
        "id": "i",
        "status": "RUNNING",
        "token": TOKEN,
        "spec": {"annotations": {"url": url, "auth_token": TOKEN}, "auto_stop": {"enable": False}},
        "profile": {"labels": {"token": TOKEN}, "provision": {"annotations": {"password": TOKEN}}},
        "lease": {"duration": 3600000, "token": TOKEN, "url": url},
        "later": [{"token": TOKEN}],
    }
    environ = {**ELSEWHERE, **CREDENTIALS["token"], "MODELARTS_API": api}
    http = httpx.MockTransport(lambda _: httpx.Response(200, json=raw))
    instance = opened(environ, http=http).refresh()
    assert MARK not in repr(instance) + repr(instance.raw) + repr(vars(instance))
    assert MARK not in file_text(tmp_path) + log_text(caplog)
    assert MARK not in repr(Token(TOKEN)) + repr(AccessKey("ACCESS", SECRET_KEY, SECURITY_TOKEN))


@every_api
@pytest.mark.parametrize(
    "environ",
    [
        {"MODELARTS_AUTH_TOKEN": TOKEN + " x"},
        {"MODELARTS_AUTH_TOKEN": TOKEN + "\nx"},
        {"HUAWEICLOUD_SDK_AK": "A", "HUAWEICLOUD_SDK_SK": SECRET_KEY + " x"},
        {"HUAWEICLOUD_SDK_SK": SECRET_KEY},
        {**CREDENTIALS["keys"], "HUAWEICLOUD_SDK_SECURITY_TOKEN": SECURITY_TOKEN + "é"},
    ],
)
def test_invalid_credential_is_not_shown(
    api: str,
    environ: dict[str, str],
    opened: Callable[..., Session],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in the message nor in the variables of the traceback."""
    http = httpx.MockTransport(lambda _: httpx.Response(200))
    with pytest.raises(ConfigurationError) as caught:
        opened({**ELSEWHERE, **environ, "MODELARTS_API": api}, http=http).refresh()
    error = caught.value.with_traceback(_package_frames(caught.value))
    assert MARK not in error_texts(error) + verbose_traceback(error) + log_text(caplog)


def _package_frames(error: BaseException) -> Any:  # noqa: ANN401 - a traceback
    """Return the traceback without the frames of this file, whose variables are the secrets."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    assert frames is not None
    assert "modelarts_magics" in sys.modules
    return frames
