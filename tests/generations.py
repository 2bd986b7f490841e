"""The clouds that the tests of the core run over, and what is expected of each.

What an API can do is asked of `Session.capabilities`; here stands only what no capability tells.
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
class Generation:
    """An API as the emulator plays it; a later one is one more entry in `GENERATIONS`.

    Attributes:
        api: As the settings name it.
        edition: Of its pages.
        follows: Whether a run follows a duration that is set while it runs.
        apart: Whether auto-stop is written by a request of its own: the description does not travel
            with it, and one of the two can be refused alone.
    """

    api: str
    edition: str
    follows: bool = True
    apart: bool = False

    def __str__(self) -> str:
        return self.api if self.apart else self.edition

    @property
    def effect(self) -> Effect:
        """What becomes of a duration that is set while the instance runs."""
        return Effect.NOW if self.follows else Effect.NEXT_START

    @property
    def stop_verb(self) -> str:
        """What a change of auto-stop is sent by; a description always goes by PUT."""
        return "PATCH" if self.apart else "PUT"

    def fields(self, **state: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the emulator
        """A state of the emulated instance, described as for `demanager`, in this API's own words.

        A lease has no run time that is kept, and nothing to remind of: its end is `minutes_left`.
        """
        stop = state.pop("auto_stop", None)
        if stop is None:
            return state
        if self.apart:
            return {**state, "lease": {key: stop[key] for key in ("enable",) if key in stop}}
        return {**state, "auto_stop": stop}


DEMANAGER = (Generation("demanager", "2019"), Generation("demanager", "2021", follows=False))
GENERATIONS = (*DEMANAGER, Generation("notebooks", "2019", apart=True))


def base(session: Session, was: dict[str, Any]) -> datetime:
    """What a duration counts from in a request, by what is true before it."""
    counts_from = session.capabilities.counts_from
    return session.now() if counts_from is CountsFrom.NOW else was["running_since"]


def meant(session: Session, now: dict[str, Any]) -> datetime:
    """The end that what is set means for this run, whether the run follows it or not."""
    if not session.capabilities.kept:
        return now["stops_at"]
    return now["running_since"] + timedelta(seconds=now["duration_s"])


WRITING = ("PUT", "PATCH", "POST")
"""The methods of all that changes something."""

only_demanager = pytest.mark.parametrize("generation", DEMANAGER, ids=str)
"""For a rule of `demanager` itself, in both editions."""
