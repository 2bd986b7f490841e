"""Values of the API that cannot be right: each is unknown and shown by `status --all`, and commands go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.commands.render import render_html, render_text

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

VALUES = ["-1", "-3600", "1" + "0" * 30, '"7200"', "7200.5", "7.2e6", "[]", '{"a": 1}', "true"]
FIELDS = {
    "demanager": ["duration", "remain_time", "stop_timestamp", "name", "flavor"],
    "notebooks": ["duration", "create_at", "name", "flavor"],
}
TEXTS = ("name", "flavor")
CELLS = [
    (api, name, value)
    for api, names in FIELDS.items()
    for name in names
    for value in VALUES
    if not (name in TEXTS and value == '"7200"')
    # The current API means "no limit" by it.
    and (api, name, value) != ("notebooks", "duration", "-1")
]


@pytest.mark.parametrize(("api", "name", "value"), CELLS)
def test_implausible_value_is_shown_and_stops_no_command(
    api: str, name: str, value: str, make_harness: Callable[..., EmulatorHarness]
) -> None:
    """The value is that of the response."""
    harness = make_harness(api=api)
    harness.emulator.add_fault("other-value", arg=f"{name}={value}", methods=["GET"])
    details = harness.run_magic("status --all")
    shown = json.dumps(json.loads(value), ensure_ascii=False)
    assert shown in render_text(details)
    assert name in render_html(details)
    assert shown in "".join(harness.run_magic("status --all --json")["implausible"].values())
    for command in ("status", "status --json", "describe", "describe new", "doctor"):
        assert render_text(harness.run_magic(command)) or command == "describe"
    assert harness.instance_state()["description"] == "new"
    assert "Traceback" not in render_text(harness.run_magic("doctor"))
