"""Credentials that expire while a session is open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.config.credentials import FoundCredential, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.findings import Level
from modelarts_magics.doctor.report import run_checks
from modelarts_magics.domain.models import Effect
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import AuthenticationError, ConfigurationError
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.session.session import Session


@pytest.fixture
def emulator() -> Iterator[LocalEmulator]:
    """Return an emulator whose token has expired."""
    with LocalEmulator(token_hours=0.5) as local:
        local.set_instance(stops_on_time=False)
        local.advance(timedelta(minutes=35))
        local.set_instance(minutes_left=60)
        yield local


@pytest.fixture
def environ(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return an environment with the expired token, and a file with a good key."""
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text(f"[basic]\nak = {emulator.ak}\nsk = {emulator.sk}\n")
    file.chmod(0o600)
    state = str(tmp_path / "state")
    return {**emulator.environment(), "HOME": str(tmp_path), "MODELARTS_STATE_DIR": state}


@pytest.fixture
def open_one(environ: dict[str, str]) -> Iterator[Callable[..., Session]]:
    """Open sessions, and close them after the test."""
    opened: list[Session] = []

    def make(interactive: FoundCredential | None = None) -> Session:
        settings = Settings.load(environ=environ)
        opened.append(open_session(settings, environ=environ, interactive=interactive))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def test_next_source_is_used_for_reads_and_changes(
    open_one: Callable[..., Session], environ: dict[str, str]
) -> None:
    """A notice names both sources, once."""
    session, notices = open_one(), []
    session.on_notice = lambda notice: notices.append(str(notice))
    assert session.refresh().running
    assert session.extend("1h").effect is Effect.NOW
    (notice,) = [each for each in notices if "Later starts" not in each]
    assert "MODELARTS_AUTH_TOKEN" in notice
    assert f"{environ['HOME']}/.huaweicloud/credentials" in notice


def test_expired_login_is_not_replaced_for_a_change(
    open_one: Callable[..., Session], emulator: LocalEmulator, environ: dict[str, str]
) -> None:
    """The state is still shown; a change needs consent."""
    session, notices = open_one(FoundCredential(Token(emulator.auth_token), "login")), []
    del environ["MODELARTS_AUTH_TOKEN"]
    session.on_notice = lambda notice: notices.append(str(notice))
    assert session.refresh().running
    assert "login" in notices[0]
    with pytest.raises(ConfigurationError) as caught:
        session.extend("1h")
    assert caught.value.code == "credentials.login_replaced"
    assert {each["method"] for each in emulator.requests} == {"GET"}
    # Consent: the login is cleared.
    assert open_one().extend("1h").effect is Effect.NOW


def test_expired_credential_without_another_is_reported(
    open_one: Callable[..., Session], environ: dict[str, str]
) -> None:
    """The error says that it has expired."""
    environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = "/nowhere"
    with pytest.raises(AuthenticationError, match="expired"):
        open_one().refresh()


def test_doctor_names_the_expired_credential(environ: dict[str, str]) -> None:
    """And the one that is used instead."""
    report = run_checks(Settings.load(environ=environ), environ=environ)
    (problem,) = (each for each in report.problems if each.subject == "credentials")
    assert "MODELARTS_AUTH_TOKEN" in problem.message
    used = [each for each in report.findings if each.subject == "credentials"]
    assert [each.level for each in used if "credentials" in each.message] == [Level.OK]
