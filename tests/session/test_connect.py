"""From settings and credentials to a session that asks nobody before it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics import messages
from modelarts_magics.config.credentials import FoundCredential, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
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

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Open = Callable[..., Session]


@pytest.fixture
def variables(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """An environment that points to the emulator."""
    return {
        **emulator.environment(),
        "HOME": str(tmp_path),
        "MODELARTS_STATE_DIR": str(tmp_path / "state"),
    }


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open sessions by an environment alone, and close them afterwards."""
    made: list[Session] = []

    def make(environ: dict[str, str], clock: Clock = SYSTEM_CLOCK, **arguments: str) -> Session:
        settings = Settings.load(arguments, environ=environ)
        made.append(open_session(settings, environ=environ, clock=clock))
        return made[-1]

    yield make
    for session in made:
        session.close()


def test_opening_asks_nobody(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator, tmp_path: Path
) -> None:
    """Neither the cloud nor the disk."""
    opened(variables)
    assert not emulator.requests
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("auth", ["token", "keys", "temporary"])
def test_each_kind_of_credential_is_accepted(
    auth: str, opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """By a server that checks it."""
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
def test_a_missing_setting_is_named(
    missing: str, named: str, opened: Open, variables: dict[str, str]
) -> None:
    """With the variable to set."""
    del variables[missing]
    with pytest.raises(ConfigurationError) as caught:
        opened(variables)
    assert named in str(caught.value)


def test_credentials_are_looked_for_when_they_are_needed(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """A token that is set, or renewed, later counts; without one nothing is sent."""
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


def test_the_project_may_stand_beside_the_keys(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator, tmp_path: Path
) -> None:
    """In the vendor's credentials file."""
    del variables["MODELARTS_AUTH_TOKEN"]
    del variables["MODELARTS_PROJECT_ID"]
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    lines = [f"ak = {emulator.ak}", f"sk = {emulator.sk}", f"project_id = {emulator.project_id}"]
    file.write_text("\n".join(["[basic]", *lines]))
    file.chmod(0o600)
    assert opened(variables).refresh().id == emulator.instance_id


def test_an_argument_counts_more_than_the_environment(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """Here the instance; the other one of the same project."""
    other = emulator.add_instance(name="other")
    assert opened(variables, instance_id=other).refresh().name == "other"
    with pytest.raises(NoSuchInstanceError):
        opened(variables, instance_id="none-of-that-name").refresh()
    with pytest.raises(ForbiddenError):
        opened(variables, project_id="0" * 32).refresh()


def test_instances_do_not_share_what_is_known(
    opened: Open, variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """Two instances, two files; two sessions of one, one file."""
    other = emulator.add_instance(name="other")
    opened(variables).refresh()
    assert opened(variables, instance_id=other).last_known() is None
    assert opened(variables).last_known() is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [("total_timeout", "0"), ("connect_timeout", "x"), ("read_timeout", "601"), ("timezone", "+9")],
)
def test_a_senseless_setting_is_named(
    name: str, value: str, opened: Open, variables: dict[str, str]
) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError) as caught:
        opened(variables, **{name: value})
    assert value in caught.value.message


def test_language_and_zone_are_set(opened: Open, variables: dict[str, str]) -> None:
    """For every sentence from there on."""
    opened(variables, language="en", timezone="+08:00")
    assert messages.language() == "en"
    assert messages._timezone is not None
    assert messages._timezone.utcoffset(None) is not None


def test_a_cloud_that_comes_back_is_reached(
    opened: Open,
    variables: dict[str, str],
    emulator: LocalEmulator,
    instant_clock: InstantSleepClock,
) -> None:
    """The same session, after the connection was lost."""
    session = opened(variables, clock=instant_clock.clock)
    session.refresh()
    emulator.stop()
    with pytest.raises(UnreachableError):
        session.refresh()
    emulator.start()
    assert session.refresh().status.running


def test_a_refused_login_does_not_shadow_the_environment(
    variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """What is entered wins until the cloud refuses it."""
    entered = FoundCredential(Token("expired"), "login")
    settings = Settings.load(environ=variables)
    session = open_session(settings, environ=variables, interactive=entered)
    assert session.refresh().id == emulator.instance_id
    session.close()


def test_a_credentials_file_that_others_can_read_is_said_at_the_first_use(
    variables: dict[str, str], emulator: LocalEmulator, tmp_path: Path
) -> None:
    """Once, as a notice of the first command."""
    path = tmp_path / "credentials"
    path.write_text(f"[basic]\nak = {emulator.ak}\nsk = {emulator.sk}\n")
    path.chmod(0o644)
    del variables["MODELARTS_AUTH_TOKEN"]
    environ = {**variables, "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}
    session = open_session(Settings.load(environ=environ), environ=environ)
    told: list[str] = []
    session.on_notice = lambda notice: told.append(str(notice))
    session.refresh()
    session.refresh()
    session.close()
    assert told == [f"{path} is readable by other users; run: chmod 600 {path}"]


CONNECT = """
from modelarts_magics.session.connect import connect
session = connect(timezone="+08:00")
print(session.refresh().id)
session.close()
"""


@pytest.mark.process
def test_connect_takes_the_process_environment(
    variables: dict[str, str], emulator: LocalEmulator
) -> None:
    """The one line that a script needs; and it leaves no warning behind."""
    done = subprocess.run(  # noqa: S603 - a script of ours
        [sys.executable, "-W", "error", "-X", "dev", "-c", CONNECT],
        env={"PATH": os.environ.get("PATH", ""), **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (emulator.instance_id, "")


def test_an_unknown_argument_is_refused(variables: dict[str, str]) -> None:
    """A slip of the pen is not taken for a default."""
    with pytest.raises(ModelArtsError) as caught:
        Settings.load({"projekt_id": "x"}, environ=variables)
    assert "projekt_id" in caught.value.message
