"""Simulated runs: the keeper and the real session against an API in memory, with faults and a clock of its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factories import (
    DEMANAGER_CAPABILITIES,
    HOUR,
    MINUTE,
    NOTEBOOKS_CAPABILITIES,
    NOW,
    make_instance,
)

from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.models import (
    AutoStop,
    CountsFrom,
    Effect,
    Mode,
    Status,
    StopTimeUnknown,
)
from modelarts_magics.errors import (
    ForbiddenError,
    ModelArtsError,
    ServerError,
    ThrottledError,
    UnreachableError,
)
from modelarts_magics.keepalive.guards import CELL, Guard
from modelarts_magics.keepalive.keeper import JobKind, Keeper
from modelarts_magics.keepalive.policy import RENEWAL_GAP
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelarts_magics.domain.models import Change, Edit, Instance
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.keepalive.keeper import Job
    from modelarts_magics.keepalive.stopping import PendingStop
    from modelarts_magics.messages import Message

SECOND = timedelta(seconds=1)
GRACE = timedelta(seconds=60)
"""How long the simulated API lets an instance run after its stop time."""
DELAY = timedelta(seconds=90)
"""How late the simulated API applies a write in a trouble of the kind ``late``."""


@dataclass(frozen=True)
class Trouble:
    """A time in which calls of the API fail.

    Attributes:
        start: When it begins, from the start of the simulation.
        length: How long it lasts.
        kind: ``down``, ``throttled``, ``forbidden`` (writes only), ``lost`` (writes are applied, the response is
            lost), ``ignored`` (writes are answered and not applied), ``late`` (writes are applied after a while),
            ``slow`` (responses take long) or ``stale`` (reads return the state before the last write).
    """

    start: timedelta
    length: timedelta
    kind: str


@dataclass(frozen=True)
class Work:
    """Guarded work.

    Attributes:
        start: When it begins, from the start of the simulation.
        length: How long it lasts.
        up_to: Its bound.
    """

    start: timedelta
    length: timedelta
    up_to: timedelta


@dataclass(frozen=True)
class Interference:
    """A change by someone else.

    Attributes:
        at: When, from the start of the simulation.
        kind: ``earlier``, ``later`` or ``off``.
    """

    at: timedelta
    kind: str


@dataclass(frozen=True)
class Scenario:
    """A simulated run.

    Attributes:
        api: ``notebooks``, ``demanager`` or ``deferring``.
        left: The time left at the start.
        works: The guarded work.
        troubles: The times in which calls fail.
        interferences: The changes by others.
        clock_steps: When the clock of this machine is set, and by how much.
    """

    api: str
    left: timedelta
    works: tuple[Work, ...]
    troubles: tuple[Trouble, ...] = ()
    interferences: tuple[Interference, ...] = ()
    clock_steps: tuple[tuple[timedelta, timedelta], ...] = ()


class MemoryStore:
    """The store of a session without a file."""

    def __init__(self) -> None:
        self.path = Path("memory.json")
        self._data: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Return the stored data."""
        return self._data

    def save(self, data: dict[str, Any]) -> bool:
        """Store the data."""
        self._data = data
        return True

    def touch(self) -> None:
        """Do nothing."""

    def age(self, _now: datetime) -> timedelta:
        """Return that the data is recent."""
        return timedelta(0)

    @contextlib.contextmanager
    def lock(self, **_: object) -> Iterator[None]:
        """Exclude no one."""
        yield


@dataclass
class SimulatedApi:
    """An instance behind an API with faults; a backend of the session.

    Attributes:
        scenario: The scenario.
        now: The time of the API.
        renewals: When each write of the keeper was applied, the stop time that it set, and the part of that which
            is due to a late application.
        stopped_at: When the instance stopped by itself.
        skew: The difference of the clocks.
        was_shortened: Whether someone else has set the stop time.
    """

    scenario: Scenario
    now: datetime = NOW
    renewals: list[tuple[datetime, datetime, timedelta]] = field(default_factory=list)
    stopped_at: datetime | None = None
    skew: timedelta = timedelta(0)
    was_shortened: bool = False

    def __post_init__(self) -> None:
        is_lease = self.scenario.api == "notebooks"
        self.capabilities = NOTEBOOKS_CAPABILITIES if is_lease else DEMANAGER_CAPABILITIES
        self.started_at = NOW - (HOUR - self.scenario.left if self.scenario.left < HOUR else MINUTE)
        self.stops_at: datetime | None = NOW + self.scenario.left
        self.duration = self.stops_at - self.started_at
        self._before_last_write: Instance | None = None
        self._late: list[tuple[datetime, timedelta]] = []

    def advance(self, by: timedelta) -> None:
        """Let time pass: late writes are applied, and the instance stops at its stop time."""
        end = self.now + by
        for due, duration in sorted(self._late):
            if due <= end and self.is_running_at(due):
                self._late.remove((due, duration))
                self._apply(duration, due, delay=DELAY)
        self.now = end
        if self.stopped_at is None and not self.is_running_at(end):
            self.stopped_at = self.stops_at

    def is_running_at(self, moment: datetime) -> bool:
        """Return whether the instance runs at a time, if nothing else happens until then."""
        return self.stopped_at is None and (self.stops_at is None or moment < self.stops_at + GRACE)

    def trouble(self) -> str:
        """Return the kind of trouble at this moment; "" if there is none."""
        elapsed = self.now - NOW
        found = [
            each.kind
            for each in self.scenario.troubles
            if each.start <= elapsed < each.start + each.length
        ]
        return found[0] if found else ""

    def instance(self) -> Instance:
        """Return the instance as it is."""
        if self.stopped_at is not None:
            return make_instance(
                status=Status.STOPPED, api=self.capabilities.api, observed_at=self.now
            )
        is_lease = self.capabilities.counts_from is CountsFrom.NOW
        auto_stop = AutoStop(
            enabled=self.stops_at is not None,
            duration=None if is_lease else self.duration,
            duration_start=self.now if is_lease else None,
            stops_at=self.stops_at,
            prompt=None if is_lease else True,
        )
        if self.stops_at is not None and self.stops_at < self.now:
            auto_stop = replace(auto_stop, stops_at=None, stop_time_unknown=StopTimeUnknown.PAST)
        return make_instance(auto_stop, api=self.capabilities.api, observed_at=self.now)

    def read(self, **_: object) -> Instance:
        """Answer a read."""
        kind = self._begin()
        if kind == "stale" and self._before_last_write is not None and self.stopped_at is None:
            return replace(self._before_last_write, observed_at=self.now)
        return self.instance()

    def write(self, _before: Instance, edit: Edit, **_: object) -> None:
        """Answer a write of auto-stop."""
        kind = self._begin()
        if kind == "forbidden":
            raise ForbiddenError("api.403.0108", status=403)
        auto_stop = edit.auto_stop
        assert auto_stop is not None
        assert auto_stop.duration is not None
        assert auto_stop.mode is Mode.TIMING
        self._before_last_write = self.instance()
        if kind == "ignored":
            return
        if kind == "late":
            self._late.append((self.now + DELAY, auto_stop.duration))
            return
        self._apply(auto_stop.duration, self.now)
        if kind == "lost":
            raise UnreachableError("unreachable.read_timeout", sent=True, host="h")

    def stop(self, **_: object) -> None:
        """Stop the instance."""
        self.stopped_at = self.now

    def close(self) -> None:
        """Do nothing."""

    def _begin(self) -> str:
        """Let the time of a call pass; return the trouble that it meets."""
        self.advance(SECOND / 2)
        kind = self.trouble()
        if kind == "slow":
            self.advance(10 * SECOND)
        elif kind == "down":
            self.advance(5 * SECOND)
            raise UnreachableError("unreachable.connection_lost", host="h")
        elif kind == "throttled":
            raise ThrottledError("api.429.6101", status=429, retry_after=900.0)
        elif kind == "failing":
            raise ServerError("api.500.0010", status=500)
        return kind

    def _apply(
        self, duration: timedelta, moment: datetime, *, delay: timedelta = timedelta(0)
    ) -> None:
        self.duration = duration
        if self.scenario.api == "deferring":
            return
        counts_from_now = self.capabilities.counts_from is CountsFrom.NOW
        self.stops_at = (moment if counts_from_now else self.started_at) + duration
        self.was_shortened = False
        self.renewals.append((moment, self.stops_at, delay if counts_from_now else timedelta(0)))

    def interfere(self, kind: str) -> None:
        """Change the stop time as someone else."""
        if self.stops_at is None or self.stopped_at is not None:
            return
        if kind == "off":
            self.stops_at = None
        else:
            self.was_shortened = self.was_shortened or kind == "earlier"
            shift = -(self.stops_at - self.now) / 2 if kind == "earlier" else HOUR
            self.stops_at += shift
        self.duration = (self.stops_at or self.now) - self.started_at


class Simulation:
    """Drive a keeper through a scenario; the host of the keeper.

    Attributes:
        accepted: The guards that were accepted.
        ended: The guards that the keeper has ended.
        events: The codes of the reported events.
        reasons: The reasons in the history.
        confirmed: When a renewal was confirmed.
        stops: The stops that the keeper has carried out, with their times.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.api = SimulatedApi(scenario)
        self.accepted: dict[str, Guard] = {}
        self.ended: dict[str, datetime] = {}
        self.events: list[str] = []
        self.reasons: list[str] = []
        self.confirmed: list[datetime] = []
        self.violations: list[str] = []
        self.stops: list[tuple[PendingStop, datetime]] = []
        self._changed: dict[str, Guard] = {}
        self._offset = timedelta(0)
        clock = Clock(
            now=lambda: self.api.now,
            monotonic=lambda: (self.api.now - NOW).total_seconds(),  # noqa: PLW0108 - `now` changes
            sleep=lambda seconds: self.api.advance(seconds * SECOND),
        )
        cache = InstanceCache(
            MemoryStore(),  # type: ignore[arg-type]  # has the same methods
            parse=lambda *_, **__: self.api.instance(),
            capabilities=self.api.capabilities,
            clock=clock,
        )
        session = Session(self.api, cache=cache, clock=clock)  # type: ignore[arg-type]  # the same methods
        self.keeper = Keeper(open_session=lambda: session, host=self, now=lambda: self.api.now)

    def run(self, *, until: timedelta, step: timedelta = 2 * MINUTE) -> None:
        """Run the keeper until a time after the start of the simulation."""
        pending = sorted(self.scenario.interferences, key=lambda each: each.at)
        last_end = max(work.start + min(work.length, work.up_to) for work in self.scenario.works)
        end = NOW + min(until, last_end + 20 * MINUTE)
        while self.api.now < end and self.api.stopped_at is None:
            if pending and self.api.now >= NOW + pending[0].at:
                self.api.interfere(pending.pop(0).kind)
            guards = self.guards()
            job = self.keeper.next_job(guards)
            if job is None:
                self.api.advance(step)
                self._check_coverage()
                continue
            self._carry_out(job, guards)

    def guards(self) -> list[Guard]:
        """Return the guards whose work goes on now."""
        now, found = self.api.now, []
        for number, work in enumerate(self.scenario.works):
            start = NOW + work.start
            guard = Guard(f"work {number}", CELL, 1, start, start + work.up_to, id=str(number))
            guard = self._changed.get(guard.id, guard)
            is_active = start <= now < min(start + work.length, guard.until)
            if is_active and guard.id not in self.ended and not self._is_refused(guard):
                found.append(guard)
        return found

    def _is_refused(self, guard: Guard) -> bool:
        admission = self.keeper.admissions.get(guard.id)
        if admission is None or admission.refusal is None:
            return False
        self.ended[guard.id] = self.api.now
        return True

    def _carry_out(self, job: Job, guards: Sequence[Guard]) -> None:
        if job.kind is JobKind.RENEW:
            self._check_renewal(job, guards)
        try:
            result: object = job.call()
        except ModelArtsError as error:
            result = error
        self.keeper.finish(job, result, guards)
        self._check_coverage()

    def _check_renewal(self, job: Job, guards: Sequence[Guard]) -> None:
        if not guards:
            self.violations.append("renewed without a guard")
        if not job.reason:
            self.violations.append("renewed without a reason")
        # A bound that was a little too early for the API is moved when the guard is accepted.
        bounds = [self.keeper.admissions[guard.id].until for guard in guards]
        if any(bound > guard.until + MINUTE for bound, guard in zip(bounds, guards)):
            self.violations.append("a bound was moved by more than a minute")
        bound = max(bounds, default=self.api.now)
        if job.target is None or job.target > bound:
            self.violations.append(f"renewal beyond the bound: {job.target} > {bound}")

    def _check_coverage(self) -> None:
        """Record a stop of the instance during covered work."""
        stopped_at = self.api.stopped_at
        if stopped_at is None:
            return
        for guard in self.accepted.values():
            end = min(NOW + self._work(guard).start + self._work(guard).length, guard.until)
            if guard.id in self.ended and self.ended[guard.id] <= stopped_at:
                continue
            is_covered = (
                guard.since <= stopped_at < end - 15 * SECOND and not self.api.was_shortened
            )
            # Afterwards no renewal can end at the bound.
            last_chance = guard.until - self._min_ahead
            if is_covered and self._was_reachable(min(stopped_at, last_chance)):
                self.violations.append(f"stopped during {guard.name} at {stopped_at}")

    @property
    def _min_ahead(self) -> timedelta:
        return HOUR if self.api.capabilities.counts_from is CountsFrom.NOW else 5 * MINUTE

    def _work(self, guard: Guard) -> Work:
        return self.scenario.works[int(guard.id)]

    def _was_reachable(self, moment: datetime) -> bool:
        """Return whether calls succeeded for five minutes in a row in the last twenty before a time."""
        troubles = [
            (NOW + each.start, NOW + each.start + each.length) for each in self.scenario.troubles
        ]
        start = moment - 20 * MINUTE
        quiet = [
            start + each * MINUTE
            for each in range(16)
            if all(
                end <= start + each * MINUTE or begin >= start + (each + 5) * MINUTE
                for begin, end in troubles
            )
        ]
        return bool(quiet)

    def rate_violations(self) -> list[datetime]:
        """Return the renewals that follow another one too soon."""
        times = self.confirmed
        return [
            later
            for earlier, later in zip(times, times[2:])
            if later - earlier < 2 * RENEWAL_GAP - MINUTE
        ]

    # The host of the keeper.

    def end_guard(self, guard: Guard) -> None:
        """Record the end of a guard."""
        self.ended[guard.id] = self.api.now

    def accept(self, guard: Guard, until: datetime) -> None:
        """Record that a guard was accepted."""
        self._changed[guard.id] = self.accepted[guard.id] = replace(guard, until=until)

    def report(self, message: Message, _guards: Sequence[Guard]) -> None:
        """Record an event."""
        self.events.append(message.code)

    def record(self, change: Change, _action: str, reason: str, now: datetime) -> None:
        """Record an entry of the history."""
        self.reasons.append(reason)
        if change.effect is Effect.NOW:
            self.confirmed.append(now)

    def before_renewal(self, _instance: Instance, _started_at: datetime | None) -> None:
        """Do nothing."""

    def after_renewal(self, _change: Change) -> None:
        """Do nothing."""

    def duration_to_restore(self, _context: PlanContext) -> None:
        """Return that there is nothing to restore."""

    def restored(self, *, done: bool) -> None:
        """Do nothing."""

    def before_switched_renewal(self, _target: datetime, *, is_switch: bool) -> bool:
        """Return that idle mode can be restored."""
        return is_switch or True

    def switched_stop_times(self) -> tuple[datetime, ...]:
        """Return that idle mode is not to be restored."""
        return ()

    def mode_restored(self) -> None:
        """Do nothing."""

    def pending_stop_changed(self, _pending: PendingStop | None) -> None:
        """Do nothing."""

    def stopping(self, pending: PendingStop, _instance: Instance, now: datetime) -> None:
        """Record why the instance is stopped."""
        self.stops.append((pending, now))
