"""A clock time that is read as UTC only because no time zone is set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from emulator_harness import EmulatorHarness, environment_variables

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def utc_harness(harness: EmulatorHarness) -> Iterator[EmulatorHarness]:
    """Return an emulator, and a session on a machine without a time zone."""
    with environment_variables({}):
        os.environ.pop("TZ", None)
        harness.environ["MODELARTS_TIMEZONE"] = ""
        harness._session.settings = harness.settings()
        if not harness.settings().is_utc_by_default:
            pytest.skip("this machine has a time zone")
        yield harness


def test_time_read_as_utc_is_announced(utc_harness: EmulatorHarness) -> None:
    """The notice names the setting."""
    utc_harness.run_magic("auto-stop at 12:00")
    (notice,) = utc_harness.notices
    assert "“12:00” is read as UTC" in notice
    assert "MODELARTS_TIMEZONE" in notice


@pytest.mark.parametrize(
    "line", ["auto-stop at 12:00Z", "auto-stop at 20:00+08:00", "auto-stop 3h"]
)
def test_time_with_an_offset_is_not_announced(utc_harness: EmulatorHarness, line: str) -> None:
    """Nor is a duration."""
    utc_harness.run_magic(line)
    assert not [each for each in utc_harness.notices if "UTC" in each]


@pytest.mark.parametrize("name", ["MODELARTS_TIMEZONE", "TZ"])
def test_chosen_time_zone_is_not_announced(utc_harness: EmulatorHarness, name: str) -> None:
    """Also if it is UTC."""
    utc_harness.environ["MODELARTS_TIMEZONE"] = "UTC" if name != "TZ" else ""
    os.environ[name] = "UTC"
    utc_harness._session.settings = utc_harness.settings()
    utc_harness.run_magic("auto-stop at 12:00")
    assert utc_harness.notices == []
