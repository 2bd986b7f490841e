"""Output of commands while the API does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelarts_magics.errors import ModelArtsError

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

LAST_KNOWN = "Last known: Stops at 2026-11-23 16:40 +08:00 · 40 min left (as of 16:00)"


@pytest.mark.parametrize("line", ["", "status", "status --json", "describe", "auto-stop"])
@pytest.mark.parametrize("fault", ["503", "401", "429", "html", "reset"])
def test_last_known_stop_time_is_named(harness: EmulatorHarness, line: str, fault: str) -> None:
    """With the time at which it was known; the command fails nevertheless."""
    harness.run_magic("status")
    harness.emulator.add_fault(fault)
    with pytest.raises(ModelArtsError) as caught:
        harness.run_magic(line)
    assert LAST_KNOWN in str(caught.value).splitlines()
    assert caught.value.message in str(caught.value)


def test_nothing_is_said_before_the_first_response(harness: EmulatorHarness) -> None:
    """Nothing is known then."""
    harness.emulator.add_fault("503")
    with pytest.raises(ModelArtsError) as caught:
        harness.run_magic("status")
    assert "Last known" not in str(caught.value)


def test_retry_after_is_the_hint(harness: EmulatorHarness) -> None:
    """It is the time that the API asked for."""
    harness.emulator.add_fault("429", arg="3600")
    with pytest.raises(ModelArtsError) as caught:
        harness.run_magic("status")
    assert caught.value.hint == "Try again in 1 h."
