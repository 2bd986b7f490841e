"""A session with one instance: read, change, read back.

The one place where settings, credentials and API meet. Every write takes the same way: lock, read,
decide, send, read back, compare; so it always knows what it changed and what the cloud made of it.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Callable

from modelarts_magics.domain import description as descriptions
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE, Change, Edit, Effect, Instance
from modelarts_magics.domain.planning import (
    AutoStopRequest,
    Plan,
    PlanContext,
    plan_auto_stop,
    plan_stop_time_shift,
)
from modelarts_magics.errors import (
    InputError,
    RefusedError,
)
from modelarts_magics.messages import Message
from modelarts_magics.session.updater import Updater

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import AutoStopEdit, Capabilities
    from modelarts_magics.session.cache import InstanceCache


def _ignore_notice(_notice: Message) -> None:
    """Say nothing; for who has nobody to tell."""


class Session:
    """One instance, read and changed through whichever API it has.

    Args:
        backend: The API, bound to the instance.
        cache: What is known of the instance between calls and between processes.
        settings: What it was opened with, and where each came from; None where that does not matter.
        total_timeout_s: Seconds that any one call may take, all included.
        clock: Time, for tests.
        on_notice: Told what a person should know before a write is sent.
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

    @property
    def capabilities(self) -> Capabilities:
        """What the instance's API can do."""
        return self._backend.capabilities

    @property
    def skew(self) -> timedelta:
        """How far the cloud's clock is ahead of the local one, as its last answer told."""
        return self._backend.skew

    def refresh(self) -> Instance:
        """Ask the cloud for the instance.

        Raises:
            ModelArtsError: The cloud could not be asked; the kinds are in `modelarts_magics.errors`.
        """
        return self._updater.read(Deadline(self._total_timeout_s, clock=self._clock))

    def status(self, *, max_age: timedelta) -> Instance:
        """The instance as known here, asked anew only if nobody on this machine did within `max_age`."""
        known = self._cache.get(max_age=max_age)
        if known is not None:
            return known
        with self._locked() as deadline:
            return self._cache.get(max_age=max_age) or self._updater.read(deadline)

    def check_for_updates(self) -> bool:
        """Look, without asking the cloud, whether another process of this machine knows something new."""
        return self._cache.check_for_updates()

    def last_known(self) -> Instance | None:
        """The instance as last seen by any process of this machine, without asking; None if never."""
        return self._cache.get(max_age=timedelta.max)

    @property
    def cache_age(self) -> timedelta | None:
        """How long ago any process of this machine last had the cloud's word; None if none did."""
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
        """The cloud's time, as far as its answers told; else the local clock's."""
        return self._clock.now() + self.skew

    def describe(self, text: str, *, full_width: bool = False) -> Change:
        """Set the description; auto-stop stays as it is.

        Args:
            text: At most 512 characters, none of ``& < > " ' /``.
            full_width: Write forbidden characters in their full-width form instead of refusing them.

        Raises:
            DescriptionError: The text is not allowed; nothing was sent.
        """
        checked = descriptions.validate(descriptions.to_full_width(text) if full_width else text)
        return self._change("describe", lambda _: (Edit(description=checked), None))

    def set_auto_stop(self, request: AutoStopRequest) -> Change:
        """Set auto-stop; the description stays as it is, and so does all that the wish leaves open.

        Raises:
            DurationError, RefusedError: The wish makes no sense; nothing was sent.
        """
        if request == AutoStopRequest():
            raise RefusedError("refuse.nothing")
        return self.update(auto_stop=request, action="auto-stop")

    def update(
        self,
        *,
        description: str | None = None,
        auto_stop: AutoStopRequest | None = None,
        action: str = "update",
        seen: Instance | None = None,
    ) -> Change:
        """Set the description and auto-stop in one go; what is None stays as it is.

        Args:
            description: As for `describe`.
            auto_stop: As for `set_auto_stop`.
            action: The word for it in the change.
            seen: What the person saw; if by now it differs in what shall be set, nothing is sent.

        Raises:
            DescriptionError, DurationError, RefusedError: Nothing was sent.
        """
        if description is not None:
            descriptions.validate(description)

        def decide(before: Instance) -> tuple[Edit, datetime | None]:
            if seen and _has_changed(seen, before, description, auto_stop):
                raise RefusedError("refuse.changed_elsewhere")
            planned = plan_auto_stop(auto_stop, self.plan_context(before)) if auto_stop else None
            return Edit(description, planned.edit if planned else None), _planned_stop_time(planned)

        return self._change(action, decide)

    def extend(
        self, by: timedelta | str = timedelta(hours=1), *, seen_stop_time: datetime | None = None
    ) -> Change:
        """Let this run end later.

        Args:
            by: How much later; a timedelta or text as ``"90m"``.
            seen_stop_time: The end that the person saw; if it is another one by now, nothing is sent.

        Raises:
            RefusedError: There is no end to move, or it would leave the API's bounds; nothing was sent.
        """
        return self._shift_stop_time("extend", _parse_positive_duration(by), seen_stop_time)

    def shorten(
        self, by: timedelta | str = timedelta(hours=1), *, seen_stop_time: datetime | None = None
    ) -> Change:
        """Let this run end earlier; arguments and errors as for `extend`."""
        return self._shift_stop_time("shorten", -_parse_positive_duration(by), seen_stop_time)

    def stop(self) -> Change:
        """Stop the instance itself; everything on it that is not saved is lost."""
        with self._locked() as deadline:
            before = self._updater.read(deadline)
            if before.status.stopped or before.status.stopping:
                raise RefusedError("refuse.stopped", status=before.status.value)
            change = Change(before, None, Effect.UNCONFIRMED, Edit(), self.capabilities, "stop")
            return self._updater.stop(change, deadline)

    def close(self) -> None:
        """Close the connections to the cloud."""
        self._backend.close()

    def _shift_stop_time(
        self, action: str, delta: timedelta, seen_stop_time: datetime | None
    ) -> Change:
        def decide(before: Instance) -> tuple[Edit, datetime | None]:
            end = before.auto_stop.stops_at
            if seen_stop_time and end and abs(end - seen_stop_time) > STOP_TIME_TOLERANCE:
                raise RefusedError("refuse.changed", end=end)
            planned = plan_stop_time_shift(delta, self.plan_context(before))
            return Edit(auto_stop=planned.edit), planned.stops_at

        return self._change(action, decide)

    def _change(
        self, action: str, decide: Callable[[Instance], tuple[Edit, datetime | None]]
    ) -> Change:
        with self._locked() as deadline:
            before = self._updater.read(deadline)
            edit, expected = decide(before)
            change = Change(
                before, None, Effect.UNCONFIRMED, edit, self.capabilities, action, expected
            )
            self._notify_deferral(change)
            return self._updater.write(change, deadline)

    def _notify_deferral(self, change: Change) -> None:
        """Say before writing what is known of this cloud: that a run does not follow a new duration."""
        notice = self.deferral_notice(change.before, change.edit.auto_stop)
        if notice:
            self.on_notice(notice)

    def deferral_notice(self, before: Instance, edit: AutoStopEdit | None) -> Message | None:
        """That this run will probably not follow the edit, where this cloud was seen to let one wait."""
        stop = before.auto_stop
        if edit is None or not self._cache.defers_duration:
            return None
        if edit.enabled and stop.stops_at and edit.duration != stop.duration:
            return Message("notice.next_start", {"end": stop.stops_at})
        return None

    def plan_context(self, before: Instance) -> PlanContext:
        """What a plan for the instance depends on."""
        memory = self._cache
        return PlanContext(
            before,
            self.capabilities,
            memory.started_at,
            memory.last_duration,
            memory.defers_duration,
        )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Deadline]:
        """Exclude the other processes of this machine, for one call's time."""
        deadline = Deadline(self._total_timeout_s, clock=self._clock)
        with self._cache.lock(deadline=deadline, clock=self._clock):
            yield deadline


def _planned_stop_time(plan: Plan | None) -> datetime | None:
    return plan.stops_at if plan else None


def _has_changed(
    seen: Instance, current: Instance, description: str | None, request: AutoStopRequest | None
) -> bool:
    """Whether somebody else changed what shall be set, since it was seen."""
    old, new = seen.auto_stop, current.auto_stop
    if description is not None and current.description != seen.description:
        return True
    if request is None or (request.prompt is not None and old.prompt != new.prompt):
        return request is not None
    if request == AutoStopRequest(prompt=request.prompt):
        return False
    if (old.enabled, old.mode, old.duration) != (new.enabled, new.mode, new.duration):
        return True
    if old.stops_at is None or new.stops_at is None:
        return old.stops_at is not new.stops_at
    return abs(old.stops_at - new.stops_at) > STOP_TIME_TOLERANCE


def _parse_positive_duration(by: timedelta | str) -> timedelta:
    duration = parse_duration(by) if isinstance(by, str) else by
    if duration <= timedelta(0):
        raise InputError("duration.not_positive", text=str(by))
    return duration
