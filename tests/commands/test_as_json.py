"""The JSON of the issue: exact names, units in the names, ISO times with their offset, null if unknown."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import instance

from modelarts_magics.commands.as_json import instance_json
from modelarts_magics.domain.models import NOT_STATED

if TYPE_CHECKING:
    from stage import Stage

KEYS = ["id", "name", "description", "status", "api", "auto_stop", "observed_at"]


def test_a_status_has_exactly_this_shape(stage: Stage) -> None:
    """Each name, in this order, and each value."""
    shown = stage.magic("status --json")
    assert list(shown) == KEYS
    assert json.loads(repr(shown)) == {
        "id": stage.emulator.instance_id,
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


def test_what_is_not_known_is_null(stage: Stage) -> None:
    """Off: no mode, no end, and no duration, since the cloud tells none then."""
    stage.magic("auto-stop off")
    assert stage.magic("status --json")["auto_stop"] == {
        "enabled": False,
        "mode": None,
        "duration_s": None,
        "prompt": True,
        "stops_at": None,
        "remaining_s": None,
    }


@pytest.mark.parametrize(
    ("fault", "unknown"), [("disagreeing-remain", "disagree"), ("no-stop-timestamp", "missing")]
)
def test_an_end_that_cannot_be_believed_is_null(stage: Stage, fault: str, unknown: str) -> None:
    """Never a countdown to a wrong moment; `--all` says why."""
    stage.emulator.fault(fault)
    if unknown == "missing":
        stage.emulator.fault("no-remain-time")
    shown = stage.magic("status --all --json")
    assert (shown["auto_stop"]["stops_at"], shown["auto_stop"]["remaining_s"]) == (None, None)
    assert shown["end_unknown"] == unknown


def test_what_the_cloud_did_not_say_is_neither_on_nor_off() -> None:
    """Null, also beside fields that are known."""
    shown = instance_json(instance(NOT_STATED))["auto_stop"]
    assert (shown["enabled"], shown["mode"], shown["stops_at"]) == (None, None, None)


def test_a_lease_is_no_run_time(make_stage: Callable[..., Stage]) -> None:
    """Its duration counts from a moment days ago; `--all` has both, as the cloud wrote them."""
    shown = make_stage(api="notebooks").magic("status --all --json")
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
def test_what_is_odd_in_a_lease_is_null(odd: dict[str, object]) -> None:
    """The countdown did not need it, so it hides nothing."""
    lease = instance_json(instance(raw={"lease": odd}), everything=True)["lease"]
    assert lease == {"create_at": None, "duration_s": None, "update_at": None}


def test_all_has_every_field_of_the_seed(stage: Stage) -> None:
    """Tables 5 to 12: profile, provision, Docker parameters, storage, workspace and flavor."""
    shown = stage.magic("status --all --json")
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
    assert shown["end_unknown"] is None
    assert shown["demo"] is True
    assert set(shown) - set(KEYS) == {
        *("creation_timestamp", "flavor", "workspace", "spec", "profile"),
        *("stop_timestamp", "remain_time_s", "end_unknown", "demo"),
    }


def test_a_write_has_before_after_and_effect(stage: Stage) -> None:
    """Both of the shape of a status."""
    shown = stage.magic("extend 1h --json")
    assert list(shown) == ["before", "after", "effect"]
    assert shown["effect"] == "now"
    assert list(shown["before"]) == list(shown["after"]) == KEYS
    assert shown["before"]["auto_stop"]["duration_s"] == 3600
    assert shown["after"]["auto_stop"]["stops_at"] == "2026-11-23T17:40:00+08:00"
    assert json.loads(repr(shown)) == shown


def test_a_write_that_waits_says_so(make_stage: Callable[..., Stage]) -> None:
    """In the word of the effect."""
    assert make_stage(edition="2021").magic("extend --json")["effect"] == "next-start"


def test_a_write_that_cannot_be_read_back_has_no_after(stage: Stage) -> None:
    """Null, and unconfirmed."""
    stage.emulator.fault("404", methods=["GET"], skip=1)
    shown = stage.magic("describe --json new")
    assert (shown["after"], shown["effect"]) == (None, "unconfirmed")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "America/St_Johns", "+05:45"])
def test_every_time_has_an_offset(stage: Stage, zone: str) -> None:
    """In the zone that is set, so that it can be read aloud, and compared."""
    stage.environ["MODELARTS_TIMEZONE"] = zone
    shown = stage.magic("status --all --json")
    times = [moment for moment in _strings(shown) if moment[:5] == "2026-"]
    assert len(times) == 4
    moments = [datetime.fromisoformat(each) for each in times]
    assert all(each.utcoffset() is not None for each in moments)
    assert max(moments) - min(moments) == timedelta(days=3, minutes=40)


def test_whatever_the_cloud_says_is_one_json_document(stage: Stage) -> None:
    """Line separators, control characters and halves of characters included."""
    odd = 'a\u2028b\x85c\x1b[31md\ud800e"f\\g\x7fh'
    stage.emulator.set_instance(description=odd)
    written = repr(stage.magic("status --json"))
    assert json.loads(written)["description"] == odd
    assert "\x1b" not in written
    written.encode()


def _strings(value: Any) -> list[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return [found for each in value.values() for found in _strings(each)]
    return [value] if isinstance(value, str) else []
