"""Opening a session from settings and credentials."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics import messages
from modelarts_magics.config.credentials import FoundCredential, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    ModelArtsError,
    NoCredentialsError,
    NoSuchInstanceError,
    UnreachableError,
)
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import InstantSleepClock

    from modelarts_magics.session.session import Session

    Open = Callable[..., Session]


@pytest.fixture
def variables(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return an environment for the emulator."""
    return {
        **emulator.environment(),
        "HOME": str(tmp_path),
        "MODELARTS_STATE_DIR": str(tmp_path / "state"),
    }


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open sessions with an environment, and close them after the test."""
    made: list[Session] = []

    def make(environ: dict[str, str], clock: Clock = SYSTEM_CLOCK, **arguments: str) -> Session:
        settings = Settings.load(arguments, environ=environ)
        made.append(open_session(settings, environ=environ, clock=clock))
        return made[-1]

    yield make
    for session in made:
        session.close()


def test_opening_sends_no_request(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator, tmp_path: Path
) -> None:
    """It neither sends a request nor writes a file."""
    opened(variables)
    assert not emulator.requests
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("clock", [SYSTEM_CLOCK, Clock()], ids=["default", "of the server"])
def test_scaled_session_takes_time_of_emulator(
    clock: Clock, opened: Open, variables: dict[str, str]
) -> None:
    """A fast clock differs by more than the clock of a real API, which would be ignored."""
    with LocalEmulator() as fast:
        fast.advance(timedelta(days=2))
        scaled = {**variables, **fast.environment(), "MODELARTS_TIME_SCALE": "60"}
        session = opened(scaled, clock=clock)
        session.refresh()
        assert session.skew > timedelta(days=1)


@pytest.mark.parametrize("auth", ["token", "keys", "temporary"])
def test_each_kind_of_credential_is_accepted(
    auth: str, opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """The emulator checks it."""
    del variables["MODELARTS_AUTH_TOKEN"]
    assert opened({**variables, **emulator.environment(auth=auth)}).refresh().demo
    assert emulator.requests[0]["auth"] == ("token" if auth == "token" else "signature")


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("MODELARTS_ENDPOINT", "MODELARTS_ENDPOINT"),
        ("MODELARTS_PROJECT_ID", "MODELARTS_PROJECT_ID"),
    ],
)
def test_missing_setting_is_named(
    missing: str, named: str, opened: Open, variables: dict[str, str]
) -> None:
    """With the variable to set."""
    del variables[missing]
    with pytest.raises(ConfigurationError) as caught:
        opened(variables)
    assert named in str(caught.value)


def test_credentials_are_looked_up_for_each_request(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """A token that is set later counts; without one nothing is sent."""
    token = variables.pop("MODELARTS_AUTH_TOKEN")
    session = opened(variables)
    with pytest.raises(NoCredentialsError):
        session.refresh()
    with pytest.raises(NoCredentialsError):
        session.describe("new")
    assert not emulator.requests
    variables["MODELARTS_AUTH_TOKEN"] = "OLD"
    with pytest.raises(AuthenticationError):
        session.refresh()
    variables["MODELARTS_AUTH_TOKEN"] = token
    assert session.refresh().id == emulator.instance_id


def test_project_is_read_from_the_credentials_file(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator, tmp_path: Path
) -> None:
    """It is stored beside the key."""
    del variables["MODELARTS_AUTH_TOKEN"]
    del variables["MODELARTS_PROJECT_ID"]
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    lines = [f"ak = {emulator.ak}", f"sk = {emulator.sk}", f"project_id = {emulator.project_id}"]
    file.write_text("\n".join(["[basic]", *lines]))
    file.chmod(0o600)
    assert opened(variables).refresh().id == emulator.instance_id


def test_argument_comes_before_the_environment(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """Here the ID of the other instance of the project."""
    other = emulator.add_instance(name="other")
    assert opened(variables, instance_id=other).refresh().name == "other"
    with pytest.raises(NoSuchInstanceError):
        opened(variables, instance_id="none-of-that-name").refresh()
    with pytest.raises(ForbiddenError):
        opened(variables, project_id="0" * 32).refresh()


def test_each_instance_has_its_own_state_file(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """Two sessions of one instance share a file."""
    other = emulator.add_instance(name="other")
    opened(variables).refresh()
    assert opened(variables, instance_id=other).last_known() is None
    assert opened(variables).last_known() is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [("total_timeout", "0"), ("connect_timeout", "x"), ("read_timeout", "601"), ("timezone", "+9")],
)
def test_invalid_setting_is_named(
    name: str, value: str, opened: Open, variables: dict[str, str]
) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError) as caught:
        opened(variables, **{name: value})
    assert value in caught.value.message


def test_language_and_timezone_are_applied(opened: Open, variables: dict[str, str]) -> None:
    """For all later messages."""
    opened(variables, language="en", timezone="+08:00")
    assert messages.language() == "en"
    assert messages._timezone is not None
    assert messages._timezone.utcoffset(None) is not None


def test_session_recovers_after_a_lost_connection(
    opened: Open,
    variables: dict[str, str],
    emulator: LocalEmulator,
    instant_clock: InstantSleepClock,
) -> None:
    """The same session works again."""
    session = opened(variables, clock=instant_clock.clock)
    session.refresh()
    emulator.stop()
    with pytest.raises(UnreachableError):
        session.refresh()
    emulator.start()
    assert session.refresh().status.running


def test_refused_login_gives_way_to_the_environment(
    variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """The entered credential is used until the API refuses it."""
    entered = FoundCredential(Token("expired"), "login")
    settings = Settings.load(environ=variables)
    session = open_session(settings, environ=variables, interactive=entered)
    assert session.refresh().id == emulator.instance_id
    session.close()


def test_readable_credentials_file_gives_one_notice(
    variables: dict[str, str], emulator: LocalEmulator, tmp_path: Path
) -> None:
    """The first command shows it."""
    path = tmp_path / "credentials"
    path.write_text(f"[basic]\nak = {emulator.ak}\nsk = {emulator.sk}\n")
    path.chmod(0o644)
    del variables["MODELARTS_AUTH_TOKEN"]
    environ = {**variables, "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}
    session = open_session(Settings.load(environ=environ), environ=environ)
    received: list[str] = []
    session.on_notice = lambda notice: received.append(str(notice))
    session.refresh()
    session.refresh()
    session.close()
    assert received == [f"{path} is readable by other users; run: chmod 600 {path}"]


CONNECT = """
from modelarts_magics.session.connect import connect
session = connect(timezone="+08:00")
print(session.refresh().id)
session.close()
"""


@pytest.mark.process
def test_connect_uses_the_process_environment(
    variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """One line is enough for a script, and it causes no warning."""
    done = subprocess.run(  # noqa: S603 - a fixed script
        [sys.executable, "-W", "error", "-X", "dev", "-c", CONNECT],
        env={"PATH": os.environ.get("PATH", ""), **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (emulator.instance_id, "")


def test_unknown_argument_is_refused(variables: dict[str, str]) -> None:
    """A misspelt name is an error."""
    with pytest.raises(ModelArtsError) as caught:
        Settings.load({"projekt_id": "x"}, environ=variables)
    assert "projekt_id" in caught.value.message


def session_threads() -> set[threading.Thread]:
    """Return the running threads of sessions."""
    return {each for each in threading.enumerate() if each.name == "modelarts-http"}


def join_new_threads(before: set[threading.Thread]) -> None:
    """Wait for the end of the threads that were started since; fail if one does not end."""
    for each in session_threads() - before:
        each.join(10)
    assert session_threads() <= before


@pytest.mark.parametrize("ending", ["dropped", "closed", "with", "error in with"])
def test_session_leaves_no_thread(variables: dict[str, str], ending: str) -> None:
    """It need not be closed: dropping the last reference is enough, without garbage collection."""
    before = session_threads()
    gc.disable()
    try:
        session = open_session(Settings.load(environ=variables), environ=variables)
        session.refresh()
        assert len(session_threads() - before) == 1
        if ending == "closed":
            session.close()
        elif ending == "with":
            with session as entered:
                assert entered is session
        elif ending == "error in with":
            with pytest.raises(ZeroDivisionError), session:
                _ = 1 / 0
        else:
            del session
        join_new_threads(before)
    finally:
        gc.enable()


def test_session_can_be_used_after_it_was_closed(variables: dict[str, str]) -> None:
    """The next call opens a connection."""
    with open_session(Settings.load(environ=variables), environ=variables) as session:
        session.refresh()
    with session:
        assert session.refresh().running
