"""The state file of the daemon, which panel, notebook, terminal and doctor read.

Only the daemon writes it. Messages are stored as code and values, so that each reader shows them in its own
language.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import read_private_text
from modelarts_magics.domain.models import AutoStop, Mode
from modelarts_magics.keepalive.policy import Memory, SentRenewal
from modelarts_magics.keepalive.record_lock import is_locked
from modelarts_magics.messages import Message
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT_VERSION = 1
STATE_FILE = "state.json"
LOCK_FILE = "daemon.lock"
MAX_EVENTS = 30
FAILED_STOPS = ("keep.stop_forbidden", "keep.stop_failed")
"""The codes of the events about a stop that was not carried out as planned."""


@dataclass(frozen=True)
class GuardState:
    """The daemon's answer to a guard.

    Attributes:
        accepted: Whether the instance is kept for it; None while that is being checked.
        until: The bound, which may have been moved.
        refusal: Why the instance is not kept; None if it is.
        notes: Facts to tell with the guarantee.
    """

    accepted: bool | None
    until: datetime
    refusal: Message | None = None
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that the users of guards should know.

    Attributes:
        number: Counts up; identifies the event together with the process of the daemon.
        message: The text.
        guards: The ids of the guards that it is about.
    """

    number: int
    message: Message
    guards: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedStop:
    """The stop of the instance after the work of a guard, or because nothing works.

    Attributes:
        name: The name of the guard; "" if nothing works.
        stops_at: When the instance is stopped if nothing else starts; None while other work postpones the stop.
        waiting_for: The work that postpones it, as shown to the user.
        since: When the work ended, which identifies the stop; None in the state of an earlier version.
        is_saving: Whether open pages are asked to save now.
        idle_time: For how long nothing has worked at the stop; None for a stop after the work of a guard.
    """

    name: str
    stops_at: datetime | None
    waiting_for: tuple[str, ...] = ()
    since: datetime | None = None
    is_saving: bool = False
    idle_time: timedelta | None = None


@dataclass(frozen=True)
class DaemonState:
    """The state that a daemon has written last.

    Attributes:
        pid: The process of the daemon.
        since: When it was started.
        package: The version of this package that it runs.
        covered_until: Until when the instance is certain to run for the guards; None without guards.
        guards: The answers to the guards by id.
        problem: Why calls of the API fail; None if they do not.
        problem_urgent: Whether the problem endangers the run, so that it has to be shown.
        events: The last events, oldest first.
        stop: The planned stop; None if there is none.
        components: The errors of components by name.
        memory: The daemon's knowledge about its renewals, for its successor.
    """

    pid: int
    since: datetime
    package: str
    covered_until: datetime | None = None
    guards: Mapping[str, GuardState] = field(default_factory=dict)
    problem: Message | None = None
    problem_urgent: bool = False
    events: tuple[Event, ...] = ()
    stop: PlannedStop | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed_stop(self) -> Message | None:
        """Why the last stop was not carried out as planned, if nothing has happened since; otherwise None."""
        last = self.events[-1].message if self.events else None
        return last if last is not None and last.code in FAILED_STOPS else None


def package_version() -> str:
    """Return the version of this package; "0" if it is not installed."""
    try:
        return version("modelarts-magics")
    except PackageNotFoundError:
        return "0"


def is_daemon_running(folder: Path) -> bool:
    """Return whether a daemon runs for the instance of the folder."""
    return is_locked(folder / LOCK_FILE)


def read_state(folder: Path) -> DaemonState | None:
    """Return the state that a daemon has written last; None if there is none that can be read."""
    try:
        data = json.loads(read_private_text(folder / STATE_FILE))
        if data["version"] != FORMAT_VERSION:
            return None
        return _state_from_json(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_running_state(folder: Path) -> DaemonState | None:
    """Return the state of the daemon that runs now; None if none runs, or it has not written one yet."""
    return read_state(folder) if is_daemon_running(folder) else None


class StateWriter:
    """Write the state file whenever the state has changed.

    Args:
        folder: The folder of the daemon.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = b""

    def write(self, state: DaemonState) -> None:
        """Write the state if it has changed, and wake its readers; a full disk is not reported.

        The renewals go on without the file, and the next change tries again.
        """
        content = json.dumps(_state_to_json(state)).encode()
        if content == self._last:
            return
        try:
            replace_file(self._folder / STATE_FILE, content)
        except OSError:
            return
        self._last = content
        notify(self._folder)
        # The server and its pages follow the folder of the state files.
        notify(self._folder.parent)


def encode(value: object) -> object:
    """Return a value of a message as JSON."""
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, Message):
        return {
            "code": value.code,
            "values": {name: encode(each) for name, each in value.values.items()},
        }
    return value if isinstance(value, (int, float, str, type(None))) else str(value)


def decode(value: Any) -> Any:  # noqa: ANN401 - a value of any message
    """Return the value that `encode` has encoded."""
    if not isinstance(value, dict):
        return value
    if "at" in value:
        return datetime.fromisoformat(value["at"])
    if "seconds" in value:
        return timedelta(seconds=value["seconds"])
    return Message(
        str(value["code"]), {name: decode(each) for name, each in value["values"].items()}
    )


def memory_to_json(memory: Memory) -> dict[str, Any]:
    """Return the daemon's knowledge about its renewals as JSON."""
    known = memory.known
    return {
        "known": known and [known.enabled, known.mode.value, encode(known.stops_at)],
        "sent": [[encode(each.target), encode(each.sent_at)] for each in memory.sent],
        "renewed_at": encode(memory.renewed_at),
        "proven": memory.proven,
    }


def memory_from_json(data: Mapping[str, Any]) -> Memory | None:
    """Return the knowledge that an earlier daemon has saved; None if there is none."""
    try:
        known = data["known"]
        return Memory(
            known=known and AutoStop(bool(known[0]), Mode(known[1]), stops_at=decode(known[2])),
            sent=tuple(SentRenewal(decode(each[0]), decode(each[1])) for each in data["sent"]),
            renewed_at=decode(data["renewed_at"]),
            proven=bool(data["proven"]),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _state_to_json(state: DaemonState) -> dict[str, Any]:
    return {
        "version": FORMAT_VERSION,
        "pid": state.pid,
        "since": encode(state.since),
        "package": state.package,
        "covered_until": encode(state.covered_until),
        "guards": {
            guard_id: {
                "accepted": guard.accepted,
                "until": encode(guard.until),
                "refusal": encode(guard.refusal),
                "notes": [encode(note) for note in guard.notes],
            }
            for guard_id, guard in state.guards.items()
        },
        "problem": encode(state.problem),
        "problem_urgent": state.problem_urgent,
        "events": [
            {
                "number": event.number,
                "message": encode(event.message),
                "guards": list(event.guards),
            }
            for event in state.events[-MAX_EVENTS:]
        ],
        "stop": state.stop
        and {
            "name": state.stop.name,
            "stops_at": encode(state.stop.stops_at),
            "waiting_for": list(state.stop.waiting_for),
            "since": encode(state.stop.since),
            "is_saving": state.stop.is_saving,
            "idle_time": encode(state.stop.idle_time),
        },
        "components": dict(state.components),
        "memory": dict(state.memory),
    }


def _state_from_json(data: dict[str, Any]) -> DaemonState:
    stop = data["stop"]
    return DaemonState(
        pid=int(data["pid"]),
        since=decode(data["since"]),
        package=str(data["package"]),
        covered_until=decode(data["covered_until"]),
        guards={
            str(guard_id): GuardState(
                guard["accepted"],
                decode(guard["until"]),
                decode(guard["refusal"]),
                tuple(decode(note) for note in guard["notes"]),
            )
            for guard_id, guard in data["guards"].items()
        },
        problem=decode(data["problem"]),
        problem_urgent=bool(data["problem_urgent"]),
        events=tuple(
            Event(
                int(event["number"]),
                decode(event["message"]),
                tuple(event["guards"]),
            )
            for event in data["events"]
        ),
        stop=stop
        and PlannedStop(
            str(stop["name"]),
            decode(stop["stops_at"]),
            tuple(stop["waiting_for"]),
            decode(stop.get("since")),
            is_saving=bool(stop.get("is_saving")),
            idle_time=decode(stop.get("idle_time")),
        ),
        components=dict(data["components"]),
        memory=dict(data["memory"]),
    )
