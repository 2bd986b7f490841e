"""The APIs and editions that the tests use, and what is expected of each.

What an API supports is in `Session.capabilities`; this module has what no capability says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelarts_magics.domain.models import CountsFrom, Effect

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session


@dataclass(frozen=True)
class ApiVersion:
    """An API as the emulator provides it; a later one is another entry in `API_VERSIONS`.

    Attributes:
        api: The name of the API.
        edition: The edition of its documentation.
        changes_current_run: Whether a run follows a duration that is set while it runs.
        separate_auto_stop_request: Whether auto-stop is written by a request without the description, so
            that one of both can be refused.
    """

    api: str
    edition: str
    changes_current_run: bool = True
    separate_auto_stop_request: bool = False

    def __str__(self) -> str:
        return self.api if self.separate_auto_stop_request else self.edition

    @property
    def run_time_effect(self) -> Effect:
        """The effect of a duration that is set while the instance runs."""
        return Effect.NOW if self.changes_current_run else Effect.NEXT_START

    @property
    def auto_stop_method(self) -> str:
        """The HTTP method of a change of auto-stop; a description is always sent by PUT."""
        return "PATCH" if self.separate_auto_stop_request else "PUT"

    def emulator_state(self, **state: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the emulator
        """Convert a state described as for `demanager` to this API.

        A lease stores no run time and has no reminder: its stop time is `minutes_left`.
        """
        auto_stop = state.pop("auto_stop", None)
        if auto_stop is None:
            return state
        if self.separate_auto_stop_request:
            return {
                **state,
                "lease": {key: auto_stop[key] for key in ("enable",) if key in auto_stop},
            }
        return {**state, "auto_stop": auto_stop}


DEMANAGER_VERSIONS = (
    ApiVersion("demanager", "2019"),
    ApiVersion("demanager", "2021", changes_current_run=False),
)
API_VERSIONS = (
    *DEMANAGER_VERSIONS,
    ApiVersion("notebooks", "2019", separate_auto_stop_request=True),
)


def duration_origin(session: Session, before: dict[str, Any]) -> datetime:
    """Return the time from which a duration in a request counts."""
    counts_from = session.capabilities.counts_from
    return session.now() if counts_from is CountsFrom.NOW else before["running_since"]


def expected_stop_time(session: Session, after: dict[str, Any]) -> datetime:
    """Return the stop time that a request means for this run, whether the run follows it or not."""
    if not session.capabilities.persists_duration:
        return after["stops_at"]
    return after["running_since"] + timedelta(seconds=after["duration_s"])


WRITE_METHODS = ("PUT", "PATCH", "POST")
"""The HTTP methods that change something."""

only_demanager = pytest.mark.parametrize("api_version", DEMANAGER_VERSIONS, ids=str)
"""Marks a test of a rule of `demanager`, for both editions."""
