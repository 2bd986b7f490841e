"""Claims on disk: what has to happen once per stop time is done by one process of the user only.

A claim has a name, such as that of a mark or of a message, and belongs to a stop time. The process that gets it
acts, and then saves what came of it::

    claim = Claims(folder).claim("time-left-10/webhook", stops_at=stops_at, now=now)
    if claim is not None:  # None: it is done, or another process or thread is doing it.
        with claim:
            send(repeated=claim.is_repeat)
            claim.finish("delivered")

A claim whose block ends without `Claim.finish` or `Claim.give_back`, by an exception or because the process was
killed, has an unknown outcome: the next process that asks gets it, with `Claim.is_repeat` set. The folder outlives
the daemon, and so do the claims.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.keepalive.processes import is_process_alive, process_started
from modelarts_magics.session.instance_lock import LOCK_WAIT_S, hold_lock
from modelarts_magics.session.store import private_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

FORMAT_VERSION = 1
FILE_NAME, LOCK_NAME = "claims.json", "claims.lock"
LIFETIME = timedelta(days=4)
"""How long a claim is remembered; the longest run time is three days."""


@dataclass(frozen=True)
class Entry:
    """A claim as it is saved.

    Attributes:
        name: The name of the act that has to happen once.
        stops_at: The stop time that it belongs to; None if it belongs to none.
        made_at: When it was made, by the clock of the API.
        pid: The process that has it; 0 if that has left it without an outcome.
        started: What `process_started` returned for that process.
        outcome: What came of it; None while that is unknown.
    """

    name: str
    stops_at: datetime | None
    made_at: datetime
    pid: int = 0
    started: int | None = None
    outcome: str | None = None

    def is_for(self, name: str, stops_at: datetime | None) -> bool:
        """Return whether this is the claim of a name for a stop time, which may differ by seconds."""
        return name == self.name and is_same_occasion(stops_at, self.stops_at)

    @property
    def is_free(self) -> bool:
        """Whether its outcome is unknown, and no process is left that could save it."""
        if self.outcome is not None:
            return False
        return not self.pid or not is_process_alive(self.pid, started=self.started)


def is_same_occasion(one: datetime | None, other: datetime | None) -> bool:
    """Return whether claims of one name for these stop times are the same; stop times may differ by seconds."""
    return one == other or same_stop_time(one, other)


class Claim:
    """The permission to do something once; leave its block with `finish` or `give_back`.

    Attributes:
        is_repeat: Whether an earlier claim has an unknown outcome, so that this may be the second time.
    """

    def __init__(self, claims: Claims, entry: Entry, *, is_repeat: bool) -> None:
        self._claims = claims
        self._entry = entry
        self._is_ended = False
        self.is_repeat = is_repeat

    def finish(self, outcome: str) -> None:
        """Save what came of it, so that it is not done again.

        Raises:
            OSError, LockTimeoutError: It cannot be saved; the outcome is unknown to other processes.
        """
        self._end(replace(self._entry, outcome=outcome))

    def give_back(self) -> None:
        """Give the claim back because certainly nothing was done; the next one is no repeat of this one.

        Raises:
            OSError, LockTimeoutError: As for `finish`.
        """
        self._end(self._abandoned if self.is_repeat else None)

    @property
    def made_at(self) -> datetime:
        """When it was made, by the clock of the API."""
        return self._entry.made_at

    @property
    def _abandoned(self) -> Entry:
        return replace(self._entry, pid=0, started=None)

    def _end(self, following: Entry | None) -> None:
        self._is_ended = True
        self._claims.exchange(self._entry, following)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if not self._is_ended:
            self._end(self._abandoned)


class Claims:
    """The claims of one folder, which all processes of the user share.

    Args:
        folder: A folder on a local disk that only this user can write.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock_path = folder / LOCK_NAME
        self._fingerprint: tuple[int, int, int] | None = None
        self._known: list[Entry] = []

    def claim(self, name: str, *, stops_at: datetime | None, now: datetime) -> Claim | None:
        """Return a new claim, which is on disk; None if it is done, or being done.

        Args:
            name: The name of the act that has to happen once.
            stops_at: The stop time that it belongs to; None for once within `LIFETIME`.
            now: The time by the clock of the API.

        Raises:
            OSError, LockTimeoutError: It cannot be saved.
        """
        with self._locked():
            entries = self._read()
            known = next((each for each in entries if each.is_for(name, stops_at)), None)
            if known is not None and not known.is_free:
                return None
            pid = os.getpid()
            entry = Entry(name, stops_at, now, pid, process_started(pid))
            kept = [each for each in entries if each != known and now - each.made_at < LIFETIME]
            self._write([*kept, entry])
        return Claim(self, entry, is_repeat=known is not None)

    def is_done(self, name: str, stops_at: datetime | None) -> bool:
        """Return whether the outcome of a claim is known; takes no lock and reads a changed file only."""
        fingerprint = private_fingerprint(self._path)
        if fingerprint != self._fingerprint:
            self._fingerprint, self._known = fingerprint, self._read()
        return any(each.outcome and each.is_for(name, stops_at) for each in self._known)

    def exchange(self, entry: Entry, following: Entry | None) -> None:
        """Replace an entry of this process by the one that follows it; used by `Claim`."""
        with self._locked():
            entries = [each for each in self._read() if each != entry]
            self._write([*entries, following] if following else entries)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = Deadline(LOCK_WAIT_S)
        with hold_lock(self._lock_path, deadline=deadline, clock=SYSTEM_CLOCK):
            yield

    def _read(self) -> list[Entry]:
        data = read_private_object(self._path, version=FORMAT_VERSION)
        found = (_from_json(each) for each in data.get("claims", ()))
        return [entry for entry in found if entry is not None]

    def _write(self, entries: list[Entry]) -> None:
        content = {"version": FORMAT_VERSION, "claims": [_to_json(each) for each in entries]}
        replace_object(self._path, content)


def _to_json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "stops_at": entry.stops_at and entry.stops_at.isoformat(),
        "made_at": entry.made_at.isoformat(),
        "pid": entry.pid,
        "started": entry.started,
        "outcome": entry.outcome,
    }


def _from_json(data: dict[str, Any]) -> Entry | None:
    try:
        stops_at = data["stops_at"]
        return Entry(
            str(data["name"]),
            stops_at and datetime.fromisoformat(stops_at),
            datetime.fromisoformat(data["made_at"]),
            int(data["pid"]),
            data["started"],
            data["outcome"],
        )
    except (KeyError, TypeError, ValueError):
        return None
