"""Output of commands while the API does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.dispatch import run_command
from modelarts_magics.commands.grammar import MAGIC_PREFIX
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.errors import ModelArtsError, RefusedError, UnreachableError

if TYPE_CHECKING:
    from typing import NoReturn

    from emulator_harness import EmulatorHarness

LAST_KNOWN = "Last known: Stops at 2026-11-23 16:40 +08:00 · 40 min left (as of 16:00)"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "status",
        "status --json",
        "describe",
        "auto-stop",
        "extend",
        "auto-stop 3h",
        "undo",
        "stop",
    ],
)
@pytest.mark.parametrize("fault", ["503", "401", "429", "html", "reset"])
def test_last_known_stop_time_is_named(harness: EmulatorHarness, line: str, fault: str) -> None:
    """With the time at which it was known; the command fails nevertheless."""
    harness.run_magic("status")
    harness.emulator.add_fault(fault)
    with pytest.raises(ModelArtsError) as caught:
        harness.run_magic(line)
    assert LAST_KNOWN in str(caught.value).splitlines()
    assert caught.value.message in str(caught.value)


def test_last_known_stop_time_needs_no_instance_id(harness: EmulatorHarness) -> None:
    """Without network, the API cannot be asked which instance this is."""
    harness.run_magic("status")
    error = UnreachableError("unreachable.connect", host="cn-north-4", reason="")

    def fail() -> NoReturn:
        raise error

    context = CommandContext(fail, harness.settings, MAGIC_PREFIX)
    with pytest.raises(UnreachableError):
        run_command(parse_line("status"), context)
    assert LAST_KNOWN in str(error).splitlines()


def test_refusal_does_not_name_the_last_known_stop_time(harness: EmulatorHarness) -> None:
    """The API has just been read."""
    harness.run_magic("status")
    with pytest.raises(RefusedError) as caught:
        harness.run_magic("extend 24h")
    assert "Last known" not in str(caught.value)


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
