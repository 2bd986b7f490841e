"""Keep the instance for the guards: read, admit, renew, let go and stop, one call of the API at a time.

The daemon asks for the next call with `next_job`, makes it in a thread, and passes its result to `finish`. Nothing
here waits or reads a clock besides that of the session, so that a simulation can drive it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable, Protocol

from modelarts_magics.domain.models import Change, Effect, Instance, Mode, StopTimeUnknown
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import ForbiddenError, ModelArtsError, RefusedError
from modelarts_magics.keepalive import policy, stopping
from modelarts_magics.keepalive.admission import Admission, admit
from modelarts_magics.keepalive.guards import STOP
from modelarts_magics.keepalive.policy import Memory, Situation, Takeover
from modelarts_magics.keepalive.stopping import PendingStop
from modelarts_magics.keepalive.switched_mode import DETAIL as SWITCH_MODE
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.session.session import Session

CONFIRMATION_DELAY = timedelta(seconds=15)
"""The time after which a change that ends the guards is read again, because a reading may be out of date."""
OPEN_RETRY = timedelta(seconds=30)
READ_RETRY = timedelta(seconds=30)


class JobKind(str, Enum):
    """The calls of the API that a keeper asks for; `OPEN` and `READ` change nothing."""

    OPEN = "open"
    READ = "read"
    RENEW = "renew"
    RESTORE = "restore"
    RESTORE_MODE = "restore-mode"
    STOP = "stop"
    SHORTEN = "shorten"


@dataclass(frozen=True)
class Job:
    """A call to make off the loop.

    Attributes:
        kind: The kind of call.
        call: Makes the call; returns its result or raises `ModelArtsError`.
        target: The stop time that it sets; None if it sets none.
        reason: The work that it is made for, for the history.
    """

    kind: JobKind
    call: Callable[[], object]
    target: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Problem:
    """Why the last call failed.

    Attributes:
        message: The error.
        since: When calls of this kind began to fail.
        kind: The kind of call.
    """

    message: str
    since: datetime
    kind: JobKind


class Host(Protocol):
    """The surroundings of a keeper: files in the daemon, lists in a simulation."""

    def end_guard(self, guard: Guard) -> None:
        """End a guard although its work goes on."""

    def accept(self, guard: Guard, until: datetime) -> None:
        """Mark a guard as accepted, with the bound that is possible."""

    def report(self, message: Message, guards: Sequence[Guard]) -> None:
        """Report an event to those who watch the guards."""

    def record(self, change: Change, action: str, reason: str, now: datetime) -> None:
        """Add a change to the history."""

    def before_renewal(self, instance: Instance, started_at: datetime | None) -> None:
        """Remember the run time of later starts before the first renewal changes it."""

    def after_renewal(self, change: Change) -> timedelta | None:
        """Remember the run time that a renewal has set; return the one to restore, if it differs."""

    def duration_to_restore(self, context: PlanContext) -> timedelta | None:
        """Return the run time to restore because a new run has begun; None if there is none."""

    def restored(self, *, done: bool) -> None:
        """Forget the run time to restore, or leave it for the next run."""

    def before_switched_renewal(self, target: datetime, *, is_switch: bool) -> bool:
        """Remember to restore idle mode before it is replaced, and each stop time that is set until then.

        Returns:
            False if that could not be written.
        """

    def switched_stop_times(self) -> tuple[datetime, ...]:
        """Return the stop times that were set last in place of idle mode; empty if it is not to be restored."""

    def mode_restored(self) -> None:
        """Forget to restore idle mode."""

    def pending_stop_changed(self, pending: PendingStop | None) -> None:
        """Save the pending stop of the instance, or delete it."""

    def stopping(self, pending: PendingStop, instance: Instance, now: datetime) -> None:
        """Record why the instance is stopped now, for the first page after its next start."""


class Keeper:
    """Keep one instance running for the guards.

    Args:
        open_session: Opens the session; may call the API.
        host: The surroundings.
        now: Returns the time while there is no session.
        pending_stop: A stop that an earlier daemon has saved.
        memory: The knowledge that an earlier daemon has saved.
    """

    def __init__(
        self,
        *,
        open_session: Callable[[], Session],
        host: Host,
        now: Callable[[], datetime],
        pending_stop: PendingStop | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._open_session = open_session
        self._host = host
        self._local_now = now
        self._session: Session | None = None
        self._instance: Instance | None = None
        self._stored: Instance | None = None
        self.memory = memory or Memory()
        self._suspicion = Takeover.NONE
        self._next_read_at: datetime | None = None
        self._next_open_at: datetime | None = None
        self._restore_checked = False
        self._is_stopping = False
        self._stop_retry_at: datetime | None = None
        self._is_stop_forbidden = False
        self._restore_duration: timedelta | None = None
        self._mode_retry_at: datetime | None = None
        self.admissions: dict[str, Admission] = {}
        self.problem: Problem | None = None
        self.pending_stop = pending_stop

    @property
    def now(self) -> datetime:
        """The time by the clock of the API, as far as it is known."""
        return self._session.now() if self._session else self._local_now()

    @property
    def instance(self) -> Instance | None:
        """The instance as read last."""
        return self._instance

    @property
    def latest(self) -> Instance | None:
        """The instance as any process of this machine has read it last."""
        return self._session.last_known() if self._session else None

    @property
    def session(self) -> Session | None:
        """The session, once it is open."""
        return self._session

    @property
    def started_at(self) -> datetime | None:
        """When this run started; None if that is unknown."""
        if self._session is None or self._instance is None:
            return None
        return self._session.plan_context(self._instance).started_at

    @property
    def problem_message(self) -> Message | None:
        """Why calls of the API fail, as a sentence; None if they do not."""
        problem = self.problem
        if problem is None:
            return None
        return Message("keep.problem", {"cause": problem.message, "since": problem.since})

    def kept(self, guards: Sequence[Guard]) -> tuple[Guard, ...]:
        """Return the guards that the instance is kept for."""
        return tuple(guard for guard in guards if self._accepted(guard))

    def read_soon(self) -> None:
        """Read the instance at the next occasion, unless the last reading has failed."""
        if self.problem is None or self.problem.kind is not JobKind.READ:
            self._next_read_at = None

    def next_job(
        self, guards: Sequence[Guard], *, busy: tuple[str, ...] = (), is_saved: bool = True
    ) -> Job | None:
        """Return the next call to make; None if nothing is due.

        Args:
            guards: The guards whose work goes on and whose bound has not passed.
            busy: Other running work; it postpones the stop.
            is_saved: Whether each open page has saved its documents; the stop waits for that a while.
        """
        now = self.now
        # New work waits for its answer, so that the attempts are not paused for it.
        is_awaited = self._instance is None and bool(self._unanswered(guards))
        if self._session is None:
            is_due = is_awaited or self._next_open_at is None or now >= self._next_open_at
            return Job(JobKind.OPEN, self._open_session) if is_due else None
        self._notice_other_processes(self._session, now)
        if is_awaited or self._next_read_at is None or now >= self._next_read_at:
            return Job(JobKind.READ, self._session.refresh)
        if self._instance is None:
            return None
        restore = self._restore_job(self._session, self._instance)
        if restore:
            return restore
        self._forget(guards)
        for guard in guards:
            self._admit(guard)
        return (
            self._renewal_job(guards, now)
            or self._mode_job(guards, now)
            or self._stop_job(guards, busy, is_saved=is_saved)
        )

    def finish(self, job: Job, result: object, guards: Sequence[Guard]) -> None:
        """Take the result of a call.

        Args:
            job: The call.
            result: Its result, or the `ModelArtsError` that it raised.
            guards: The guards whose work goes on.
        """
        now = self.now
        if isinstance(result, ModelArtsError):
            self._note_problem(job, result, now)
            self._after_error(job, result, guards, now)
            return
        if self.problem is not None and self.problem.kind is job.kind:
            self.problem = None
        if job.kind is JobKind.OPEN:
            self._session = result  # type: ignore[assignment]  # the result of an OPEN job
        elif isinstance(result, Instance):
            self._take_reading(result, guards, self.now)
        elif isinstance(result, Change):
            self._take_change(job, result, guards, now)

    def work_ended(self, guard: Guard) -> None:
        """Take note that the work of a guard has ended, which may begin a stop."""
        # The work of a guard that was not accepted did not begin.
        if guard.then != STOP or not (guard.details.get("admitted") or self._accepted(guard)):
            return
        now = self.now
        self.set_pending_stop(PendingStop(guard.name, since=now, quiet_since=now))

    def set_pending_stop(self, pending: PendingStop | None) -> None:
        """Set or cancel the pending stop of the instance."""
        if pending != self.pending_stop:
            self.pending_stop = pending
            self._host.pending_stop_changed(pending)

    def is_problem_urgent(self, guards: Sequence[Guard]) -> bool:
        """Return whether a failure has to be reported now, because the stop is near."""
        if self.problem is None or not guards or self._instance is None:
            return False
        situation = self._situation(self._instance, guards, self.now)
        stops_at = situation.stops_at
        near = stops_at is None or stops_at - self.now <= policy.PROBLEM_THRESHOLD
        return near and policy.needs_renewal(situation)

    def covered_until(self, guards: Sequence[Guard]) -> datetime | None:
        """Return until when the instance is certain to run for the guards; None without guards."""
        bound = max(self._bounds(guards), default=None)
        if bound is None or self._instance is None or not self._instance.running:
            return None
        auto_stop = self._instance.auto_stop
        if auto_stop.is_known and not auto_stop.enabled:
            return bound
        return None if auto_stop.stops_at is None else min(bound, auto_stop.stops_at)

    def _notice_other_processes(self, session: Session, now: datetime) -> None:
        """Read the instance soon after another process has saved a different state."""
        latest = session.last_known()
        if latest is not self._stored:
            self._stored = latest
            known = self._instance
            if known is not None and latest is not None and not latest.equivalent_to(known):
                self._next_read_at = now

    def _situation(
        self, instance: Instance, guards: Sequence[Guard], now: datetime, *, prove: bool = False
    ) -> Situation:
        session = self._require_session()
        started_at = session.plan_context(instance).started_at
        may_switch = any(each.details.get(SWITCH_MODE) for each in self.kept(guards))
        return Situation(
            now,
            instance,
            session.capabilities,
            started_at,
            self._bounds(guards),
            self.memory,
            must_prove=prove,
            may_switch=may_switch,
        )

    def _require_instance(self) -> Instance:
        if self._instance is None:
            raise AssertionError
        return self._instance

    def _require_session(self) -> Session:
        if self._session is None:
            raise AssertionError
        return self._session

    def _bounds(self, guards: Sequence[Guard]) -> tuple[datetime, ...]:
        """Return the bounds of the guards that are kept or wait for the proof."""
        found = (self._accepted(guard) for guard in guards)
        return tuple(admission.until for admission in found if admission is not None)

    def _accepted(self, guard: Guard) -> Admission | None:
        admission = self.admissions.get(guard.id)
        return admission if admission is not None and admission.refusal is None else None

    def _forget(self, guards: Sequence[Guard]) -> None:
        alive = {guard.id for guard in guards}
        for guard_id in set(self.admissions) - alive:
            del self.admissions[guard_id]

    def _admit(self, guard: Guard) -> None:
        """Answer a new guard, or one whose bound was changed."""
        before = self.admissions.get(guard.id)
        if before is not None and (before.until == guard.until or before.refusal is not None):
            return
        instance = self._instance
        if instance is None:
            return
        if before is None and guard.details.get("admitted"):
            # An earlier daemon has accepted it.
            self.admissions[guard.id] = Admission(guard.until)
            return
        situation = self._situation(instance, (), self.now)
        admission = admit(
            guard.until,
            replace(situation, may_switch=bool(guard.details.get(SWITCH_MODE))),
            is_explicit=bool(guard.details.get("explicit")),
            defers_duration=self._require_session().plan_context(instance).defers_duration,
        )
        if before is not None and admission.refusal is not None:
            # The old bound stands.
            self._host.report(admission.refusal, (guard,))
            admission = before
        self.admissions[guard.id] = admission
        if admission.refusal is None and not admission.needs_proof:
            self._host.accept(guard, admission.until)

    def _renewal_job(self, guards: Sequence[Guard], now: datetime) -> Job | None:
        instance, session = self._instance, self._require_session()
        if instance is None or self._suspicion is not Takeover.NONE:
            return None
        prove = any(
            each.needs_proof for guard in guards if (each := self._accepted(guard)) is not None
        )
        situation = self._situation(instance, guards, now, prove=prove)
        target = policy.decide(situation)
        if target is None:
            return None
        is_switch = instance.auto_stop.mode is Mode.IDLE
        if not self._host.before_switched_renewal(target, is_switch=is_switch):
            # The mode would not be restored after a crash.
            self._settle_proofs(guards, Message("keep.refused.not_remembered"))
            return None
        self._host.before_renewal(instance, situation.started_at)
        self.memory = policy.note_sent(self.memory, target, now=now)
        request = AutoStopRequest(stop_time=target)
        return Job(
            JobKind.RENEW,
            lambda: session.update(auto_stop=request, action="keep", seen=instance),
            target,
            _describe(guards),
        )

    def _restore_job(self, session: Session, instance: Instance) -> Job | None:
        """Return the call that restores the run time of later starts, once in a new run."""
        duration, reason = self._restore_duration, "not followed"
        self._restore_duration = None
        if duration is None and not self._restore_checked:
            self._restore_checked = True
            context = session.plan_context(instance)
            duration, reason = self._host.duration_to_restore(context), "next start"
        if duration is None:
            return None
        request = AutoStopRequest(duration=duration)
        return Job(
            JobKind.RESTORE,
            lambda: session.update(auto_stop=request, action="keep"),
            reason=reason,
        )

    def _mode_job(self, guards: Sequence[Guard], now: datetime) -> Job | None:
        """Return the call that restores idle mode after the last guard; a stop after the work comes first."""
        targets = self._host.switched_stop_times()
        if not targets or self._bounds(guards) or self.pending_stop is not None:
            return None
        instance = self._require_instance()
        auto_stop = instance.auto_stop
        if not policy.is_own_stop_time(auto_stop.stops_at, targets):
            # The mode is restored already, or the user has changed auto-stop.
            is_past = auto_stop.stop_time_unknown is StopTimeUnknown.PAST
            # A renewal of unknown outcome may still be applied.
            if auto_stop.is_known and not is_past and not self.memory.sent:
                self._host.mode_restored()
            return None
        if self._mode_retry_at is not None and now < self._mode_retry_at:
            return None
        self._mode_retry_at = now + READ_RETRY
        session, request = self._require_session(), AutoStopRequest(mode=Mode.IDLE)
        return Job(
            JobKind.RESTORE_MODE,
            lambda: session.update(auto_stop=request, action="keep", seen=instance),
        )

    def _stop_job(
        self, guards: Sequence[Guard], busy: tuple[str, ...], *, is_saved: bool
    ) -> Job | None:
        pending, now = self.pending_stop, self.now
        if pending is None or self._is_stopping:
            return None
        waiting = (*(guard.name for guard in guards), *busy)
        pending, is_due = stopping.advance(pending, now=now, busy=waiting, is_saved=is_saved)
        self.set_pending_stop(pending)
        if not is_due or (self._stop_retry_at is not None and now < self._stop_retry_at):
            return None
        if self._is_stop_forbidden:
            return self._shorten_job(pending)
        if self._instance is not None:
            self._host.stopping(pending, self._instance, now)
        return Job(JobKind.STOP, self._require_session().stop, reason=pending.reason)

    def _shorten_job(self, pending: PendingStop) -> Job | None:
        """Return the call that lets the run end as early as possible, if that is earlier than now."""
        instance, session = self._instance, self._require_session()
        if instance is None:
            return None
        situation = self._situation(instance, (), self.now)
        target = situation.now + situation.min_ahead
        if situation.stops_at is not None and situation.stops_at <= target:
            self.set_pending_stop(None)
            self._report_forbidden_stop(situation.stops_at, ())
            return None
        # Not a stop time: it would be too early once a slow API has read the instance.
        request = AutoStopRequest(time_left=situation.min_ahead)
        return Job(
            JobKind.SHORTEN,
            lambda: session.update(auto_stop=request, action="keep"),
            target,
            pending.reason,
        )

    def _take_reading(self, instance: Instance, guards: Sequence[Guard], now: datetime) -> None:
        if self._instance is None and self.pending_stop is not None:
            # While no daemon ran, nothing watched what works, so the grace period begins again.
            self.set_pending_stop(replace(self.pending_stop, quiet_since=now))
        self._instance = instance
        self._stored = self._require_session().last_known()
        self.memory, takeover = policy.observe(self.memory, instance, now=now)
        kept = self.kept(guards)
        self._next_read_at = policy.next_read_at(self._situation(instance, guards, now))
        if not kept:
            self._suspicion = Takeover.NONE
            if takeover.ends_guards:
                self.memory = replace(self.memory, known=instance.auto_stop)
        elif takeover.ends_guards and self._suspicion is not takeover:
            self._suspicion = takeover
            self._next_read_at = now + CONFIRMATION_DELAY
        else:
            self._suspicion = Takeover.NONE
            self._react(takeover, instance, kept, now)

    def _react(
        self, takeover: Takeover, instance: Instance, guards: Sequence[Guard], now: datetime
    ) -> None:
        """Report a change by anyone else, and end the guards if it ends the run earlier."""
        if takeover is Takeover.NONE:
            return
        values = {
            "stop_time": instance.auto_stop.stops_at or now,
            "status": instance.status.value,
        }
        code = takeover.value
        if takeover is Takeover.LATER and instance.auto_stop.stops_at is None:
            code = "off"
        self._host.report(Message(f"keep.changed.{code}", values), guards)
        if takeover.ends_guards:
            self.memory = replace(self.memory, known=instance.auto_stop, sent=())
            self.set_pending_stop(None)
            for guard in guards:
                self._host.end_guard(guard)

    def _take_change(
        self, job: Job, change: Change, guards: Sequence[Guard], now: datetime
    ) -> None:
        self._host.record(change, job.kind.value, job.reason, now)
        if change.after is not None:
            self._instance = change.after
        if job.kind is JobKind.RENEW:
            self._take_renewal(change, guards, now)
        elif job.kind in (JobKind.RESTORE, JobKind.RESTORE_MODE):
            self._take_restoration(job, change)
        elif job.kind is JobKind.STOP:
            self._is_stopping = True
            if self.pending_stop is not None:
                # Again, because a process that still read the instance as running may have deleted the record.
                self._host.stopping(self.pending_stop, change.before, now)
            self.set_pending_stop(None)
        elif job.kind is JobKind.SHORTEN:
            self.set_pending_stop(None)
            stop_time = change.after.auto_stop.stops_at if change.after else None
            self._report_forbidden_stop(stop_time or job.target or now, guards)

    def _take_restoration(self, job: Job, change: Change) -> None:
        is_done = change.effect is not Effect.UNCONFIRMED
        self.memory = replace(self.memory, known=None)
        if job.kind is JobKind.RESTORE:
            self._host.restored(done=is_done)
        elif is_done:
            self.memory = replace(self.memory, sent=())
            self._host.mode_restored()

    def _report_forbidden_stop(self, stop_time: datetime, guards: Sequence[Guard]) -> None:
        now = self.now
        values = {"stop_time": stop_time, "cost": max(stop_time - now, timedelta(0))}
        self._host.report(Message("keep.stop_forbidden", values), guards)

    def _take_renewal(self, change: Change, guards: Sequence[Guard], now: datetime) -> None:
        self.memory = policy.note_renewal(self.memory, change, now=now)
        usual = self._host.after_renewal(change)
        if change.effect is Effect.NOW:
            notes = (Message("keep.note.restore", {"duration": usual}),) if usual else ()
            self._settle_proofs(guards, None, notes)
            return
        if change.effect is Effect.UNCONFIRMED:
            self._settle_proofs(guards, Message("keep.refused.unconfirmed"))
            return
        stop_time = change.before.auto_stop.stops_at or now
        message = Message("keep.refused.next_start", {"stop_time": stop_time})
        self._restore_duration = change.before.auto_stop.duration
        self._settle_proofs(guards, message)
        for guard in guards:
            admission = self._accepted(guard)
            if admission is not None and admission.until > stop_time + policy.BOUND_TOLERANCE:
                self._host.report(message, (guard,))
                self._host.end_guard(guard)

    def _settle_proofs(
        self, guards: Sequence[Guard], refusal: Message | None, notes: tuple[Message, ...] = ()
    ) -> None:
        """Answer the guards that waited for the first renewal."""
        for guard in guards:
            admission = self._accepted(guard)
            if admission is not None and admission.needs_proof:
                settled = replace(
                    admission,
                    needs_proof=False,
                    refusal=refusal,
                    notes=(*admission.notes, *notes),
                )
                self.admissions[guard.id] = settled
                if refusal is None:
                    self._host.accept(guard, settled.until)

    def _note_problem(self, job: Job, error: ModelArtsError, now: datetime) -> None:
        # A conflict is no failure: the instance is read again.
        if error.code == "refuse.edit_conflict":
            return
        same = self.problem is not None and self.problem.kind is job.kind
        since = self.problem.since if same and self.problem else now
        self.problem = Problem(error.message, since, job.kind)

    def _after_error(
        self, job: Job, error: ModelArtsError, guards: Sequence[Guard], now: datetime
    ) -> None:
        if job.kind is JobKind.OPEN:
            self._next_open_at = now + OPEN_RETRY
            self._refuse_all(guards, error)
        elif job.kind is JobKind.READ:
            self._next_read_at = now + READ_RETRY
            self._refuse_all(guards, error)
        elif job.kind is JobKind.RENEW:
            self._renewal_failed(error, guards, now)
        elif job.kind is JobKind.RESTORE:
            self._host.restored(done=False)
        elif job.kind is JobKind.RESTORE_MODE:
            self._next_read_at = now
        elif job.kind is JobKind.STOP:
            self._stop_failed(error, now)
        else:
            self._shortening_failed(error, guards, now)

    def _refuse_all(self, guards: Sequence[Guard], error: ModelArtsError) -> None:
        """Refuse the guards that were not answered yet: the guarantee cannot be given without a reading."""
        for guard in self._unanswered(guards):
            refusal = Message("keep.refused.unreachable", {"cause": error.message})
            self.admissions[guard.id] = Admission(guard.until, refusal)

    def _unanswered(self, guards: Sequence[Guard]) -> list[Guard]:
        """Return the guards that were neither accepted nor refused, also by no earlier daemon."""
        return [
            guard
            for guard in guards
            if guard.id not in self.admissions and not guard.details.get("admitted")
        ]

    def _renewal_failed(
        self, error: ModelArtsError, guards: Sequence[Guard], now: datetime
    ) -> None:
        self._next_read_at = now
        if isinstance(error, RefusedError) and error.code == "refuse.edit_conflict":
            return
        seconds: Any = error.values.get("retry_after")
        self.memory = policy.note_failure(
            self.memory,
            now=now,
            stops_at=self._instance.auto_stop.stops_at if self._instance else None,
            retry_after=timedelta(seconds=seconds) if seconds else None,
        )
        refusal = Message("keep.refused.renewal_failed", {"cause": error.message})
        self._settle_proofs(guards, refusal)

    def _stop_failed(self, error: ModelArtsError, now: datetime) -> None:
        if isinstance(error, RefusedError):
            # The instance stops already.
            self.set_pending_stop(None)
        elif isinstance(error, ForbiddenError):
            self._is_stop_forbidden = True
        else:
            self._stop_retry_at = now + READ_RETRY

    def _shortening_failed(
        self, error: ModelArtsError, guards: Sequence[Guard], now: datetime
    ) -> None:
        """Give up what would be refused again; what may succeed later is tried again like a stop."""
        if isinstance(error, (RefusedError, ForbiddenError)):
            self.set_pending_stop(None)
            self._host.report(Message("keep.stop_failed", {"cause": error.message}), guards)
        else:
            self._stop_retry_at = now + READ_RETRY


def _describe(guards: Sequence[Guard]) -> str:
    """Return the names and reasons of the guards, for the history."""
    return ", ".join(
        f"{guard.name}: {guard.reason}" if guard.reason else guard.name for guard in guards
    )
