"""Instances, their auto-stop and API responses, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from modelarts_magics.domain.models import (
    AutoStop,
    AutoStopEdit,
    Capabilities,
    CountsFrom,
    Edit,
    Instance,
    Mode,
    Status,
    StopTimeUnknown,
)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 23, 8, 52, 0, tzinfo=timezone.utc)
"""The current time in all tests: 16:52 in Shanghai."""

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NULL", "RUNNING", "Notebook", "Docker", "1539575583517"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
"""Any JSON that `json.loads` can return."""

DEMANAGER_CAPABILITIES = Capabilities(
    api="demanager",
    counts_from=CountsFrom.RUN_START,
    min_duration=HOUR,
    max_duration=24 * HOUR,
    can_disable=True,
    supports_idle=False,
    supports_reminder=True,
    persists_duration=True,
)
"""The historical API: a duration counts from the start of the run."""

NOTEBOOKS_CAPABILITIES = Capabilities(
    api="notebooks",
    counts_from=CountsFrom.NOW,
    min_duration=HOUR,
    max_duration=72 * HOUR,
    can_disable=False,
    supports_idle=True,
    supports_reminder=False,
    persists_duration=False,
)
"""The current API: a duration counts from now."""


def timed_auto_stop(time_left: timedelta | None, **changes: Any) -> AutoStop:  # noqa: ANN401 - any field
    """Return an auto-stop that stops so long after NOW; None for an unknown stop time."""
    values: dict[str, Any] = {
        "enabled": True,
        "duration": 2 * HOUR,
        "prompt": True,
        "stops_at": None if time_left is None else NOW + time_left,
        "stop_time_unknown": StopTimeUnknown.MISSING if time_left is None else None,
    }
    return AutoStop(**{**values, **changes})


def disabled_auto_stop(**changes: Any) -> AutoStop:  # noqa: ANN401 - any field
    """Return an auto-stop that is off, with a reminder, as the API returns it."""
    return AutoStop(**{"enabled": False, "prompt": True, **changes})


def make_instance(auto_stop: AutoStop | None = None, **changes: Any) -> Instance:  # noqa: ANN401
    """Return a running instance that stops an hour after NOW."""
    values: dict[str, Any] = {
        "id": "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "name": "notebook-instance",
        "description": "training",
        "status": Status.RUNNING,
        "auto_stop": auto_stop or timed_auto_stop(HOUR),
        "api": "demanager",
        "observed_at": NOW,
    }
    return Instance(**{**values, **changes})


def auto_stop_edit(duration: timedelta | None, **changes: Any) -> Edit:  # noqa: ANN401 - any field
    """Return an edit of auto-stop: on, at a fixed time, with reminder."""
    values: dict[str, Any] = {"enabled": True, "duration": duration, "prompt": True}
    return Edit(auto_stop=AutoStopEdit(**{**values, **changes}))


def idle_auto_stop() -> AutoStop:
    """Return an auto-stop in idle mode."""
    return timed_auto_stop(None, mode=Mode.IDLE, stop_time_unknown=None)


def demanager_response(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return a response of the historical API with every field of tables 5 to 12."""
    return {
        "id": "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "name": "notebook-instance",
        "description": "training",
        "status": "RUNNING",
        "creation_timestamp": "1539575583517",
        "profile": {
            "id": "ML-1",
            "name": "ML one",
            "description": "what the image holds",
            "de_type": "Notebook",
            "provision": {
                "type": "Docker",
                "spec": {
                    "engine": "CCE",
                    "params": {
                        "namespace": "atelier",
                        "image_name": "mls_singleuser_python",
                        "image_tag": "4",
                        "annotations": {"a": "docker"},
                    },
                },
                "annotations": {"b": "provision"},
            },
            "labels": {"c": "label"},
        },
        "flavor": "modelarts.vm.cpu.2u",
        "spec": {
            "storage": {"type": "obs", "location": {"path": "obs-bucket/test/"}},
            "auto_stop": auto_stop_json(),
            "annotations": {"d": "spec"},
        },
        "workspace": {"id": "0"},
        **changes,
    }


def auto_stop_json(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return table 11 with two hours set and one hour left."""
    return {
        "enable": True,
        "duration": 7200,
        "prompt": False,
        "stop_timestamp": round((NOW + HOUR).timestamp() * 1000),
        "remain_time": 3600,
        **changes,
    }


def response_with_auto_stop(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return a response with another auto-stop."""
    response = demanager_response()
    return {**response, "spec": {**response["spec"], "auto_stop": auto_stop_json(**changes)}}
