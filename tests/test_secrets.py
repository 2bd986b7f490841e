"""Secrets stay put: pushed through every failing path, and searched for in all that comes out."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest
from api_versions import API_VERSIONS
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
"""What each of them begins with, so that a part of one is found too."""

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
"""Where no emulator answers there are no editions."""
ARGUMENTS = {"drip": "0.05", "delay": "0.5", "late-apply": "0.1", "oversized": str(2 << 20)}


def verbose(error: BaseException) -> str:
    """The traceback with all variables, as IPython shows it after ``%xmode Verbose``."""
    painter = VerboseTB(include_vars=True)
    return painter.text(type(error), error, error.__traceback__)


def spoken(error: BaseException) -> str:
    """Everything that an error could say."""
    values = getattr(error, "values", {})
    plain = traceback.format_exception(type(error), error, error.__traceback__)
    parts = [str(error), repr(error), repr(error.args), repr(values), *plain]
    parts.extend(getattr(error, "_render_traceback_", list)())
    cause = getattr(error, "cause", None)
    return "\n".join(parts) + (spoken(cause) if cause else "")


def said_by(errors: list[ModelArtsError]) -> str:
    """Everything that these could say; in full detail one of each sort, since that takes long."""
    sorts = {(each.code, type(getattr(each, "cause", None))): each for each in errors}
    return "\n".join([*map(spoken, errors), *map(verbose, sorts.values())])


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that was logged, by anybody."""
    return "\n".join(f"{each.getMessage()} {each.args!r} {vars(each)!r}" for each in caplog.records)


def stored(folder: Path) -> str:
    """Everything on disk."""
    return "\n".join(each.read_text() for each in folder.rglob("*") if each.is_file())


@pytest.fixture(autouse=True)
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)


@pytest.fixture
def opened(tmp_path: Path, instant_clock: Any) -> Iterator[Callable[..., Session]]:  # noqa: ANN401 - conftest's
    """Open sessions by an environment, and close them afterwards."""
    made: list[Session] = []

    def make(environ: dict[str, str], *, http: Any = None, **arguments: str) -> Session:  # noqa: ANN401
        variables = {"HOME": str(tmp_path), **environ}
        settings = Settings.load(
            {"state_dir": str(tmp_path / "state"), **arguments}, environ=variables
        )
        made.append(
            open_session(settings, environ=variables, clock=instant_clock.clock, transport=http)
        )
        return made[-1]

    yield make
    for session in made:
        session.close()


def try_all(session: Session) -> list[ModelArtsError]:
    """Do a bit of everything; return what failed."""
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


def test_the_search_would_find_one() -> None:
    """A secret in a message, in a variable, in the values: each is found."""

    def careless(secret: str) -> None:
        raise KeyError(len(secret))

    with pytest.raises(KeyError) as caught:
        careless(TOKEN)
    assert MARK not in str(caught.value)
    assert MARK in verbose(caught.value)
    assert MARK in spoken(ModelArtsError("api.400.6309", detail=SECRET_KEY))


@pytest.mark.parametrize(("name", "api_version"), all_pairs(list(FAULT_KINDS), API_VERSIONS))
def test_no_fault_brings_one_out(  # noqa: PLR0913 - two dimensions and four fixtures
    name: str,
    api_version: ApiVersion,
    emulator: LocalEmulator,
    opened: Callable[..., Session],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The credentials are those that the emulator takes, so each fault is really met."""
    auth = "token" if api_version is API_VERSIONS[0] else "temporary"
    secrets = (emulator.auth_token, emulator.temporary_sk, emulator.security_token, JUPYTER_TOKEN)
    opened(emulator.environment(auth=auth)).refresh()
    session = opened(emulator.environment(auth=auth), total_timeout="0.2")
    emulator.add_fault(name, arg=ARGUMENTS.get(name), skip=1)
    said = said_by(try_all(session))
    session.close()
    everything = said + logged(caplog) + stored(tmp_path)
    assert all(secret not in everything for secret in secrets)


@pytest.mark.parametrize(("api", "auth"), [("demanager", "keys"), ("notebooks", "token")])
@pytest.mark.parametrize("number", [200, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503])
def test_an_echo_is_muffled(  # noqa: PLR0913 - three dimensions and three fixtures
    api: str,
    number: int,
    auth: str,
    opened: Callable[..., Session],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A cloud, or a gateway, that repeats what it was sent: in the code, the words, the request id."""
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
    everything = said_by(failed) + logged(caplog) + stored(tmp_path)
    assert MARK not in everything
    if number != 200 and auth == "token":
        assert all(each not in everything for each in signatures)


@every_api
def test_the_clouds_own_secrets_are_dropped_at_the_door(
    api: str, opened: Callable[..., Session], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The token of the instance's Jupyter: not in the instance, nor in the snapshot."""
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
    assert MARK not in stored(tmp_path) + logged(caplog)
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
def test_a_credential_that_cannot_be_sent_is_not_shown(
    api: str,
    environ: dict[str, str],
    opened: Callable[..., Session],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in the message nor among the variables of the traceback."""
    http = httpx.MockTransport(lambda _: httpx.Response(200))
    with pytest.raises(ConfigurationError) as caught:
        opened({**ELSEWHERE, **environ, "MODELARTS_API": api}, http=http).refresh()
    error = caught.value.with_traceback(_inside(caught.value))
    assert MARK not in spoken(error) + verbose(error) + logged(caplog)


def _inside(error: BaseException) -> Any:  # noqa: ANN401 - a traceback
    """The part of the traceback behind this file, whose own variables are the secrets."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    assert frames is not None
    assert "modelarts_magics" in sys.modules
    return frames
