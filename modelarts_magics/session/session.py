"""A session with one instance: read it, change it, and read back the effect.

Every write takes the same steps: lock, read, plan, send, read back, compare. The result therefore
always says what was changed and what the API did with it.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.domain import description as descriptions
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.domain.durations import has_offset, parse_duration
from modelarts_magics.domain.models import (
    STOP_TIME_TOLERANCE,
    Change,
    Edit,
    Effect,
    Instance,
    same_stop_time,
)
from modelarts_magics.domain.planning import (
    AutoStopRequest,
    Plan,
    PlanContext,
    keep_running_advice,
    plan_auto_stop,
    plan_stop_time_shift,
)
from modelarts_magics.errors import (
    InputError,
    OutcomeUnknownError,
    PartialUpdateError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnreachableError,
)
from modelarts_magics.messages import Message, format_duration_argument
from modelarts_magics.session.updater import Updater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from typing_extensions import Self

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.config.credential_chain import CredentialChain
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import (
        AutoStop,
        AutoStopEdit,
        Capabilities,
        PendingRestore,
    )
    from modelarts_magics.session.cache import InstanceCache

Callback = TypeVar("Callback", bound=Callable[[], object])
CONFIRM_INTERVAL_S = 5
"""Seconds between two reads of `Session.wait_until_confirmed`."""
LENGTHENS_LATER_RUNS = "refuse.lengthens_later_runs"
"""The code of a refused extension that this run would not follow; it needs the consent of the user."""


LATER_STARTS_NOTICE = "notice.later_starts"
"""The code of the notice that a longer run time also applies to later runs; the result says the same."""


SHARED_READ_WAIT_S = 1.0
"""Seconds to wait for the response to another process, so that one request is enough for both."""


def _ignore_notice(_notice: Message) -> None:
    """Discard a notice."""


def _ignore_change(_change: Change) -> None:
    """Discard a change."""


class Session:
    """One instance, read and changed through the API that serves it.

    Args:
        backend: The API, bound to the instance.
        cache: The last known state of the instance, shared between processes.
        settings: The settings with their sources; None if they do not matter.
        total_timeout_s: Seconds that one call may take in total.
        clock: Time; replaced in tests.
        on_notice: Called with a message that the user should see before a write is sent.

    Attributes:
        credentials: The sources of the credentials, if the session was opened with them.
        history: The file to which changes are added; None if none is.
        pending_restores: The file of the run times to restore for later starts; None if none are.
        on_change: Called with each change that was made, or whose outcome is unknown.
        remaining: Follows the time left, once `stopping_soon` or `on_remaining` was called.
    """

    def __init__(  # noqa: PLR0913 - each is one thing a test or a caller replaces
        self,
        backend: Backend,
        *,
        cache: InstanceCache,
        settings: Settings | None = None,
        total_timeout_s: float = 30.0,
        clock: Clock = SYSTEM_CLOCK,
        on_notice: Callable[[Message], None] = _ignore_notice,
    ) -> None:
        self._backend = backend
        self._cache = cache
        self.settings = settings
        self._total_timeout_s = total_timeout_s
        self._updater = Updater(backend, cache=cache, total_timeout_s=total_timeout_s, clock=clock)
        self._clock = clock
        self.on_notice = on_notice
        self.history: Path | None = None
        self.pending_restores: Path | None = None
        self.on_change: Callable[[Change], None] = _ignore_change
        self.credentials: CredentialChain | None = None
        self.remaining: Any = None

    @property
    def time_scale(self) -> float:
        """Seconds of `now` per second of this machine; not 1 only with the emulator."""
        return self._clock.scale

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the API."""
        return self._backend.capabilities

    @property
    def skew(self) -> timedelta:
        """How far the clock of the API is ahead of the local clock."""
        return self._backend.skew

    def refresh(self) -> Instance:
        """Read the instance from the API.

        Raises:
            ModelArtsError: The API cannot be reached or refused; see `modelarts_magics.errors`.
        """
        return self._updater.read(Deadline(self._total_timeout_s, clock=self._clock))

    def status(self, *, max_age: timedelta) -> Instance:
        """Return the instance, from the cache if it was read at most `max_age` ago on this machine.

        It never waits for a change, and at most `SHARED_READ_WAIT_S` for another process that is reading.

        Args:
            max_age: The maximum age of a cached state.

        Raises:
            ModelArtsError: The API was asked and cannot be reached or refused.
        """
        known = self._cache.get(max_age=max_age)
        if known is not None:
            return known
        with self._cache.share_read(wait_s=SHARED_READ_WAIT_S, clock=self._clock):
            return self._cache.get(max_age=max_age) or self.refresh()

    def check_for_updates(self) -> bool:
        """Publish what another process of this machine has read; send no request.

        Returns:
            Whether there was anything new.
        """
        return self._cache.check_for_updates()

    def last_known(self) -> Instance | None:
        """Return the last state read by any process of this machine; None if there is none."""
        return self._cache.get(max_age=timedelta.max)

    @property
    def cache_age(self) -> timedelta | None:
        """The time since the instance was last read on this machine; None if it never was."""
        return self._cache.age

    def subscribe(
        self, listener: Callable[[Instance], None], *, follow_store: bool = True
    ) -> Callable[[], None]:
        """Call `listener` with each new state of the instance, in the thread that received it.

        Args:
            listener: Called with the new state.
            follow_store: Whether to receive what other processes of this machine save, too.

        Returns:
            A function that ends the subscription; calling it twice is allowed.
        """
        return self._cache.subscribe(listener, follow_store=follow_store)

    def now(self) -> datetime:
        """Return the current time by the clock of the API."""
        return self._clock.now() + self.skew

    def describe(self, text: str, *, full_width: bool = False) -> Change:
        """Set the description; auto-stop stays as it is.

        Args:
            text: At most 512 characters, none of ``& < > " ' /``.
            full_width: Replace characters that are not allowed by their full-width form.

        Returns:
            The change and its effect.

        Raises:
            DescriptionError: The text is not allowed; nothing was sent.
        """
        checked = descriptions.validate(descriptions.to_full_width(text) if full_width else text)
        return self._change("describe", lambda _: (Edit(description=checked), None))

    def set_auto_stop(self, request: AutoStopRequest) -> Change:
        """Change auto-stop; the description and all that the request leaves open stay as they are.

        Example:
            >>> session.set_auto_stop(AutoStopRequest(time_left=timedelta(hours=3)))

        Returns:
            The change and its effect.

        Raises:
            DurationError, RefusedError: The request cannot be fulfilled; nothing was sent.
        """
        if request == AutoStopRequest():
            raise RefusedError("refuse.no_changes")
        return self.update(auto_stop=request, action="auto-stop")

    def update(
        self,
        *,
        description: str | None = None,
        auto_stop: AutoStopRequest | None = None,
        action: str = "update",
        seen: Instance | None = None,
    ) -> Change:
        """Set the description and auto-stop in one step; what is None stays as it is.

        Args:
            description: As for `describe`.
            auto_stop: As for `set_auto_stop`.
            action: The name of the command, for the result.
            seen: The instance as shown to the user. If what is to be set has changed since, nothing is sent.

        Returns:
            The change and its effect.

        Raises:
            DescriptionError, DurationError, RefusedError: Nothing was sent.
        """
        if description is not None:
            descriptions.validate(description)
        self._notify_default_zone(auto_stop)
        this_run_only = auto_stop is not None and auto_stop.names_stop_time

        def decide(before: Instance) -> tuple[Edit, Plan | None]:
            if seen and _has_changed(seen, before, description, auto_stop):
                raise RefusedError("refuse.edit_conflict")
            planned = plan_auto_stop(auto_stop, self.plan_context(before)) if auto_stop else None
            return Edit(description, planned.edit if planned else None), planned

        return self._change(action, decide, this_run_only=this_run_only)

    def extend(
        self,
        by: timedelta | str = timedelta(hours=1),
        *,
        seen_stop_time: datetime | None = None,
        lengthen_later_runs: bool = True,
    ) -> Change:
        """Move the stop time of this run later; from now, if it has passed.

        On the historical API a longer run time also applies to later runs. An extension that is shorter than the
        API accepts is raised to its minimum.

        Example:
            >>> change = connect().extend("90m")
            >>> change.effect, change.after.auto_stop.stops_at

        Args:
            by: How much later, as a timedelta or as text such as ``"90m"``.
            seen_stop_time: The stop time as shown to the user. If it has changed since, nothing is sent.
            lengthen_later_runs: Send the change also if this run has not followed an earlier one, so that it only
                lengthens later runs further. The commands and pages ask the user first.

        Returns:
            The change and its effect.

        Raises:
            RefusedError: There is no stop time, the new one is outside the range of the API, or only later runs
                would become longer (code `LENGTHENS_LATER_RUNS`); nothing was sent.
        """
        duration = _parse_positive_duration(by)

        def decide(before: Instance) -> tuple[Edit, Plan]:
            planned = self._plan_shift(duration, before, seen_stop_time)
            if not lengthen_later_runs and self._lengthens_further(before, planned.edit):
                raise self._later_runs_refusal(duration, before, planned.edit)
            return Edit(auto_stop=planned.edit), planned

        return self._change("extend", decide)

    def shorten(
        self, by: timedelta | str = timedelta(hours=1), *, seen_stop_time: datetime | None = None
    ) -> Change:
        """Move the stop time of this run earlier; arguments and errors as for `extend`."""
        duration = _parse_positive_duration(by)

        def decide(before: Instance) -> tuple[Edit, Plan]:
            planned = self._plan_shift(-duration, before, seen_stop_time)
            return Edit(auto_stop=planned.edit), planned

        return self._change("shorten", decide)

    def stop(self) -> Change:
        """Stop the instance; unsaved work on it is lost.

        Returns:
            The change and its effect.

        Raises:
            RefusedError: The instance is stopped or stopping; nothing was sent.
        """

        def plan(before: Instance) -> Change:
            if before.status.stopped or before.status.stopping:
                raise RefusedError("refuse.already_stopped", status=before.status.value)
            return Change(before, None, Effect.UNCONFIRMED, Edit(), self.capabilities, "stop")

        return self._write(plan, self._updater.stop)

    def wait_until_confirmed(self, change: Change, *, timeout_s: float = 120) -> Change:
        """Read the instance until the effect of a change is known, and return the change with it.

        A failed read is repeated, too. A change whose effect is known is returned at once.

        Args:
            change: The result of a write.
            timeout_s: Seconds after which the change is returned unconfirmed.
        """
        deadline = Deadline(timeout_s, clock=self._clock)
        while change.effect is Effect.UNCONFIRMED and deadline.time_left_s > CONFIRM_INTERVAL_S:
            self._clock.sleep(CONFIRM_INTERVAL_S)
            with contextlib.suppress(UnreachableError, ThrottledError, ServerError):
                change = self._updater.with_effect(change, self.refresh())
        return change

    def keep_alive(
        self,
        *,
        up_to: timedelta | str | None = None,
        then: str = "leave",
        reason: str = "",
        switch_mode: bool = False,
        anyway: bool = False,
    ) -> AbstractContextManager[object]:
        """Keep the instance running during a block, and let go when it ends, however it ends.

        Example:
            >>> with session.keep_alive(up_to="8h", then="leave", reason="fine-tune") as kept:
            ...     print(kept)

        Args:
            up_to: How long at most, from now; None for the setting ``keep_up_to``.
            then: ``"leave"`` to leave the stop time as it is then, ``"stop"`` to stop the instance.
            reason: Why, for the history and for others who look.
            switch_mode: Whether idle mode may be replaced by a fixed stop time during the block.
            anyway: Whether the block runs without a guarantee if it cannot be given.

        Returns:
            A context manager; its value has the guarantee as text.

        Raises:
            RefusedError: The guarantee cannot be given; the block does not run.
        """
        # The daemon works with sessions, so this module cannot import its client.
        client = import_module("modelarts_magics.keepalive.client")
        block: AbstractContextManager[object] = client.keep_block(
            self, up_to=up_to, then=then, reason=reason, switch_mode=switch_mode, anyway=anyway
        )
        return block

    def stopping_soon(self, before: timedelta | str) -> Callable[[], bool]:
        """Return a function that returns whether less than a given time is left before the stop.

        It takes about 0.1 µs, so that every iteration can call it, and follows the stop time when that is moved.

        Example:
            >>> stopping = session.stopping_soon("10m")
            >>> for batch in batches:
            ...     train(batch)
            ...     if stopping():
            ...         save()
            ...         break

        Args:
            before: The time left, as a timedelta or as text such as ``"10m"``.

        Raises:
            ModelArtsError: The instance cannot be read, so that its stop time is not known.
        """
        # As for the daemon: what follows the time left works with sessions.
        marks = import_module("modelarts_magics.keepalive.marks.remaining")
        stopping: Callable[[], bool] = marks.stopping_soon(self, before)
        return stopping

    def on_remaining(self, before: timedelta | str) -> Callable[[Callback], Callback]:
        """Return a decorator that runs a function in a thread when a given time is left before the stop.

        The function runs once per stop time, so again after an extension; at once if less time is left. What came
        of it is printed on the standard error and kept in the history. Its errors are shown, never raised.

        Example:
            >>> @session.on_remaining("10m")
            ... def save() -> None:
            ...     model.save("checkpoint")

        Args:
            before: The time left, as a timedelta or as text such as ``"10m"``.

        Raises:
            ModelArtsError: The instance cannot be read, so that its stop time is not known.
        """
        marks = import_module("modelarts_magics.keepalive.marks.remaining")
        decorator: Callable[[Callback], Callback] = marks.on_remaining(self, before)
        return decorator

    def close(self) -> None:
        """Close the connections to the API; the next call opens new ones."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _plan_shift(
        self, delta: timedelta, before: Instance, seen_stop_time: datetime | None
    ) -> Plan:
        current = before.auto_stop.reported_stop_time
        if seen_stop_time and current and not same_stop_time(current, seen_stop_time):
            raise RefusedError("refuse.stop_time_changed", stop_time=current)
        return plan_stop_time_shift(delta, self.plan_context(before))

    def _is_deferred(self, before: Instance, edit: AutoStopEdit) -> bool:
        """Whether this run will probably not follow the edit, as an earlier change showed."""
        current = before.auto_stop
        has_stop_time = current.reported_stop_time is not None
        return bool(
            self._cache.defers_duration
            and edit.enabled
            and has_stop_time
            and edit.duration != current.duration
        )

    def _lengthens_further(self, before: Instance, edit: AutoStopEdit) -> bool:
        """Whether the edit only lengthens later runs that are longer than this one already."""
        current, started_at = before.auto_stop, self._cache.started_at
        stop_time, duration = current.reported_stop_time, current.duration
        if not self._is_deferred(before, edit) or stop_time is None or duration is None:
            return False
        return started_at is None or duration > stop_time - started_at + STOP_TIME_TOLERANCE

    def _later_runs_refusal(
        self, by: timedelta, before: Instance, edit: AutoStopEdit
    ) -> RefusedError:
        return RefusedError(
            LENGTHENS_LATER_RUNS,
            by=format_duration_argument(by),
            duration=edit.duration,
            old=before.auto_stop.duration,
            way=keep_running_advice(self.capabilities),
        )

    def _change(
        self,
        action: str,
        decide: Callable[[Instance], tuple[Edit, Plan | None]],
        *,
        this_run_only: bool = False,
    ) -> Change:
        shown: set[str] = set()

        def show_once(notice: Message | None) -> None:
            # A change is planned again if the read that it is based on gets too old.
            if notice and notice.code not in shown:
                shown.add(notice.code)
                self.on_notice(notice)

        def plan(before: Instance) -> Change:
            edit, planned = decide(before)
            show_once(self.deferral_notice(before, edit.auto_stop))
            if not this_run_only and action != "restore":
                show_once(self.later_starts_notice(before, edit.auto_stop, action=action))
            if planned and planned.raised:
                show_once(Message("notice.raised", {"stop_time": planned.stops_at}))
            expected = planned.stops_at if planned else None
            return Change(
                before,
                None,
                Effect.UNCONFIRMED,
                edit,
                self.capabilities,
                action,
                expected,
                this_run_only=this_run_only,
            )

        return self._write(plan, self._updater.write)

    def _write(
        self,
        plan: Callable[[Instance], Change],
        write: Callable[[Callable[[Instance], Change], Deadline], Change],
    ) -> Change:
        """Make a change, and report it to `on_change`, also if its outcome is unknown."""
        planned: list[Change] = []

        def note_plan(before: Instance) -> Change:
            planned.append(plan(before))
            return planned[-1]

        try:
            with self._locked() as deadline:
                change = write(note_plan, deadline)
        except (OutcomeUnknownError, PartialUpdateError):
            self.on_change(planned[-1])
            raise
        self.on_change(change)
        return replace(change, restore=self._note_restore(change))

    def _note_restore(self, change: Change) -> PendingRestore | None:
        """Save and return the run time that can be restored after a change, or will be."""
        if self.pending_restores is None or change.edit.auto_stop is None:
            return None
        # It changes run times with a session, so this module cannot import it.
        restore = import_module("modelarts_magics.session.restore")
        with contextlib.suppress(OSError):
            restore.note_change(self, change)
        return self._find_restore(change.after)

    def _find_restore(self, instance: Instance | None) -> PendingRestore | None:
        if self.pending_restores is None or not self.pending_restores.exists():
            return None
        restore = import_module("modelarts_magics.session.restore")
        found: PendingRestore | None = restore.find_restore(self, instance)
        return found

    def _notify_default_zone(self, request: AutoStopRequest | None) -> None:
        """Send a notice if a clock time without an offset is read as UTC only because no time zone is set."""
        clock_time = request.clock_time if request else None
        if clock_time is None or self.settings is None or has_offset(clock_time):
            return
        if self.settings.is_utc_by_default:
            self.on_notice(Message("notice.read_as_utc", {"time": clock_time}))

    def deferral_notice(self, before: Instance, edit: AutoStopEdit | None) -> Message | None:
        """Return a notice that this run will probably not follow the edit; None otherwise.

        It rests on what the API did with an earlier change.
        """
        stop_time = before.auto_stop.stops_at
        if edit is None or stop_time is None or not self._is_deferred(before, edit):
            return None
        return Message("notice.applies_at_next_start", {"stop_time": stop_time})

    def later_starts_notice(
        self, before: Instance, edit: AutoStopEdit | None, *, action: str = "update"
    ) -> Message | None:
        """Return a notice that a longer run time also applies to every later run; None otherwise."""
        old = before.auto_stop
        if edit is None or not self.capabilities.persists_duration or not before.running:
            return None
        if not (edit.enabled and old.enabled and edit.duration and old.duration):
            return None
        if edit.duration <= old.duration:
            return None
        known = self._find_restore(before)
        if known and (known.duration == edit.duration or (known.planned and action == "extend")):
            return None
        if self._is_deferred(before, edit):
            # The notice about that says more.
            return None
        return Message(LATER_STARTS_NOTICE, {"duration": edit.duration, "old": old.duration})

    def plan_context(self, before: Instance) -> PlanContext:
        """Return what a plan for the instance depends on."""
        cache = self._cache
        return PlanContext(
            before, self.capabilities, cache.started_at, cache.last_duration, cache.defers_duration
        )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Deadline]:
        """Exclude the other processes of this machine, at most until the timeout of one call."""
        deadline = Deadline(self._total_timeout_s, clock=self._clock)
        with self._cache.lock(deadline=deadline, clock=self._clock):
            yield deadline


def _has_changed(
    seen: Instance, current: Instance, description: str | None, request: AutoStopRequest | None
) -> bool:
    """Return whether what is to be set has changed since the instance was shown."""
    # A description that is as requested already may have been saved by this very change.
    if description is not None and current.description not in (seen.description, description):
        return True
    return request is not None and _has_auto_stop_changed(
        seen.auto_stop, current.auto_stop, request
    )


def _has_auto_stop_changed(old: AutoStop, new: AutoStop, request: AutoStopRequest) -> bool:
    if request.prompt is not None and old.prompt != new.prompt:
        return True
    if request == AutoStopRequest(prompt=request.prompt):
        return False
    if (old.enabled, old.mode, old.duration) != (new.enabled, new.mode, new.duration):
        return True
    if old.stops_at is None or new.stops_at is None:
        return old.stops_at is not new.stops_at
    return not same_stop_time(old.stops_at, new.stops_at)


def _parse_positive_duration(by: timedelta | str) -> timedelta:
    duration = parse_duration(by) if isinstance(by, str) else by
    if duration <= timedelta(0):
        raise InputError("duration.not_positive", text=str(by))
    return duration
