"""The JSON output: exact names with units, ISO 8601 times with an offset, null for unknown values."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import make_instance

from modelarts_magics.commands.as_json import instance_json
from modelarts_magics.domain.models import UNKNOWN_AUTO_STOP

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

KEYS = ["id", "name", "description", "status", "api", "auto_stop", "observed_at"]


def test_status_json_has_exactly_this_shape(harness: EmulatorHarness) -> None:
    """Names, order and values are fixed."""
    shown = harness.run_magic("status --json")
    assert list(shown) == KEYS
    assert json.loads(repr(shown)) == {
        "id": harness.emulator.instance_id,
        "name": "demo-notebook",
        "description": "Demo instance of the local emulator",
        "status": "RUNNING",
        "api": "demanager",
        "auto_stop": {
            "enabled": True,
            "mode": "TIMING",
            "duration_s": 3600,
            "prompt": True,
            "stops_at": "2026-11-23T16:40:00+08:00",
            "remaining_s": 2400,
        },
        "observed_at": "2026-11-23T16:00:00+08:00",
    }


def test_auto_stop_off_has_null_fields(harness: EmulatorHarness) -> None:
    """The API reports no mode, stop time or duration then."""
    harness.run_magic("auto-stop off")
    assert harness.run_magic("status --json")["auto_stop"] == {
        "enabled": False,
        "mode": None,
        "duration_s": None,
        "prompt": True,
        "stops_at": None,
        "remaining_s": None,
    }


@pytest.mark.parametrize(
    ("fault", "unknown"), [("disagreeing-remain", "inconsistent"), ("no-stop-timestamp", "missing")]
)
def test_inconsistent_stop_time_is_null(harness: EmulatorHarness, fault: str, unknown: str) -> None:
    """`--all` has the reason."""
    harness.emulator.add_fault(fault)
    if unknown == "missing":
        harness.emulator.add_fault("no-remain-time")
    shown = harness.run_magic("status --all --json")
    assert (shown["auto_stop"]["stops_at"], shown["auto_stop"]["remaining_s"]) == (None, None)
    assert shown["stop_time_unknown"] == unknown


def test_unreported_auto_stop_is_null() -> None:
    """It is neither on nor off."""
    shown = instance_json(make_instance(UNKNOWN_AUTO_STOP))["auto_stop"]
    assert (shown["enabled"], shown["mode"], shown["stops_at"]) == (None, None, None)


def test_lease_is_not_reported_as_run_time(make_harness: Callable[..., EmulatorHarness]) -> None:
    """Its duration counts from its creation days ago; `--all` has the lease as reported."""
    shown = make_harness(api="notebooks").run_magic("status --all --json")
    assert shown["auto_stop"]["duration_s"] is None
    assert shown["auto_stop"]["remaining_s"] == 2400
    lease = shown["lease"]
    assert list(lease) == ["create_at", "duration_s", "update_at"]
    made, renewed = map(datetime.fromisoformat, (lease["create_at"], lease["update_at"]))
    end = datetime.fromisoformat(shown["auto_stop"]["stops_at"])
    assert made + timedelta(seconds=lease["duration_s"]) == end
    assert made < renewed < end


@pytest.mark.parametrize(
    "odd", [{}, {"update_at": "soon"}, {"update_at": 10**30}, {"duration": -1}]
)
def test_invalid_lease_fields_are_null(odd: dict[str, object]) -> None:
    """The countdown does not need them, so they cause no error."""
    lease = instance_json(make_instance(raw={"lease": odd}), all_fields=True)["lease"]
    assert lease == {"create_at": None, "duration_s": None, "update_at": None}


def test_status_all_has_every_documented_field(harness: EmulatorHarness) -> None:
    """These are tables 5 to 12: profile, provision, Docker parameters, storage, workspace and flavor."""
    shown = harness.run_magic("status --all --json")
    assert shown["creation_timestamp"] == "2026-11-20T16:00:00+08:00"
    assert shown["flavor"] == "modelarts.vm.cpu.2u"
    assert shown["workspace"] == {"id": "0"}
    assert shown["spec"]["storage"] == {"type": "obs", "location": {"path": "obs-bucket/test/"}}
    assert list(shown["spec"]["annotations"]) == ["url"]
    assert shown["profile"] == {
        "id": "ML-1.0.0-python3.6",
        "name": "ML-1.0.0-python3.6",
        "description": "machine learning python3.6 notebook",
        "de_type": "Notebook",
        "provision": {
            "type": "Docker",
            "spec": {
                "engine": "CCE",
                "params": {
                    "namespace": "atelier",
                    "image_name": "mls_singleuser_python",
                    "image_tag": "4",
                    "annotations": {},
                },
            },
            "annotations": {},
        },
        "labels": {"emulator": "modelarts-magics"},
    }
    assert shown["stop_timestamp"] == "2026-11-23T16:40:00+08:00"
    assert shown["remain_time_s"] == 2400
    assert shown["stop_time_unknown"] is None
    assert shown["demo"] is True
    assert set(shown) - set(KEYS) == {
        *("creation_timestamp", "flavor", "workspace", "spec", "profile"),
        *("stop_timestamp", "remain_time_s", "stop_time_unknown", "demo"),
    }


def test_change_has_before_after_and_effect(harness: EmulatorHarness) -> None:
    """Both states have the shape of a status."""
    shown = harness.run_magic("extend 1h --json")
    assert list(shown) == ["before", "after", "effect", "restore"]
    assert shown["restore"] == {"duration_s": 3600, "planned": False}
    assert shown["effect"] == "now"
    assert list(shown["before"]) == list(shown["after"]) == KEYS
    assert shown["before"]["auto_stop"]["duration_s"] == 3600
    assert shown["after"]["auto_stop"]["stops_at"] == "2026-11-23T17:40:00+08:00"
    assert json.loads(repr(shown)) == shown


def test_deferred_change_has_effect_next_start(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The change applies at the next start."""
    assert make_harness(edition="2021").run_magic("extend --json")["effect"] == "next-start"


def test_unreadable_change_has_no_after(harness: EmulatorHarness) -> None:
    """The effect is unconfirmed."""
    harness.emulator.add_fault("404", methods=["GET"], skip=1)
    shown = harness.run_magic("describe --json new")
    assert (shown["after"], shown["effect"]) == (None, "unconfirmed")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "America/St_Johns", "+05:45"])
def test_every_time_has_an_offset(harness: EmulatorHarness, zone: str) -> None:
    """Times are in the configured time zone."""
    harness.environ["MODELARTS_TIMEZONE"] = zone
    shown = harness.run_magic("status --all --json")
    times = [moment for moment in _strings(shown) if moment[:5] == "2026-"]
    assert len(times) == 4
    moments = [datetime.fromisoformat(each) for each in times]
    assert all(each.utcoffset() is not None for each in moments)
    assert max(moments) - min(moments) == timedelta(days=3, minutes=40)


def test_any_description_gives_one_json_document(harness: EmulatorHarness) -> None:
    """Line separators, control characters and unpaired surrogates are escaped."""
    odd = 'a\u2028b\x85c\x1b[31md\ud800e"f\\g\x7fh'
    harness.emulator.set_instance(description=odd)
    written = repr(harness.run_magic("status --json"))
    assert json.loads(written)["description"] == odd
    assert "\x1b" not in written
    written.encode()


def _strings(value: Any) -> list[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return [found for each in value.values() for found in _strings(each)]
    return [value] if isinstance(value, str) else []
