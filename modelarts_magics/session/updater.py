"""Send a change and determine its effect.

The instance is read back after every write, also after an error: a write whose response was lost may
have been applied, and a write that was answered may not.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar

from modelarts_magics.domain import description as descriptions
from modelarts_magics.domain.after_fork import reset_in_child
from modelarts_magics.domain.clock import (
    Clock,
    Deadline,
    OutdatedReadError,
    Stopwatch,
    WriteDeadline,
)
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.effects import determine_effect
from modelarts_magics.domain.models import Change, Effect, Instance
from modelarts_magics.errors import (
    DeadlineError,
    InvalidResponseError,
    ModelArtsError,
    OutcomeUnknownError,
    PartialUpdateError,
    RejectedValueError,
    ServerError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.session.cache import InstanceCache

T = TypeVar("T")
Planner = Callable[[Instance], Change]

WRITE_TIMEOUT_SHARE = 0.6
"""The share of the total timeout that a write may use, so that time is left to read back."""
MAX_READ_AGE_S = 2.0
"""The age of a read, in seconds from its request, up to which a write that is based on it is sent.

A change that another client makes within this time, and until the request arrives, can be overwritten.
"""
READ_BACK_DELAY_S = 1.0
"""Seconds to wait before reading back once more, if the change is not visible yet."""


class Read(NamedTuple):
    """A response to a read.

    Attributes:
        number: The number of the request.
        instance: The instance.
        age: The time since the request.
    """

    number: int
    instance: Instance
    age: Stopwatch


class Updater:
    """Read and write one instance, and store what the API returns.

    Args:
        backend: The API, bound to the instance.
        cache: The last known state of the instance.
        total_timeout_s: Seconds that a write and its read-back may take together.
        clock: Time; replaced in tests.
    """

    def __init__(
        self, backend: Backend, *, cache: InstanceCache, total_timeout_s: float, clock: Clock
    ) -> None:
        self._backend = backend
        self._cache = cache
        self._total_timeout_s = total_timeout_s
        self._clock = clock
        self._sequence = count()
        self._lock = threading.Lock()
        self._latest: Read | None = None
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Renew the lock."""
        self._lock = threading.Lock()

    def read(self, deadline: Deadline) -> Instance:
        """Read the instance from the API and store it.

        A response that was requested before another one and arrives after it may show the state before a
        change. It is discarded, and the newer response is returned.
        """
        return self._read(deadline).instance

    def write(self, plan: Planner, deadline: Deadline) -> Change:
        """Read, send what `plan` decides and determine its effect; retry once if it failed and is not visible.

        Args:
            plan: Returns the change to send, for the instance as read; called again after each further read. It
                may refuse by raising an error.
            deadline: When all of it must have ended.

        Raises:
            OutcomeUnknownError: The write failed and its outcome is unknown, or it was not applied.
            ModelArtsError: The API refused the write, or no time was left; nothing changed.
        """
        result, write_error = self._attempt(plan, deadline)
        if write_error and result.effect is Effect.UNCONFIRMED:
            self._wait_retry_after(write_error, deadline)
            try:
                result, write_error = self._attempt(plan, deadline, failed=result)
            except OutcomeUnknownError:
                raise
            except ModelArtsError as error:
                write_error = error
        if write_error and result.effect is Effect.UNCONFIRMED:
            raise OutcomeUnknownError(
                "outcome_unknown.not_applied", cause=write_error, **_current_values(result)
            ) from None
        self._cache.record_effect(result)
        return result

    def stop(self, plan: Planner, deadline: Deadline) -> Change:
        """Stop the instance with a single request, and determine whether it stops.

        Args:
            plan: As for `write`; what it returns is not sent.
            deadline: When all of it must have ended.

        Raises:
            OutcomeUnknownError: The request failed and the instance does not stop, or cannot be read.
        """

        def send(_change: Change, limited: Deadline) -> None:
            self._backend.stop(deadline=limited)

        change, write_error = self._send_planned(plan, send, deadline)
        try:
            after = self.read(deadline)
        except ModelArtsError as error:
            if write_error:
                raise OutcomeUnknownError(
                    "outcome_unknown.not_read_back", cause=write_error
                ) from None
            return replace(change, read_back_error=error)
        result = self.with_effect(change, after)
        if write_error and result.effect is Effect.UNCONFIRMED:
            raise OutcomeUnknownError(
                "outcome_unknown.not_stopped", cause=write_error, status=after.status.value
            )
        return result

    def _read(self, deadline: Deadline) -> Read:
        number, age = next(self._sequence), Stopwatch(clock=self._clock)
        instance = _strip_traceback(lambda: self._backend.read(deadline=deadline))
        with self._lock:
            if self._latest is not None and number < self._latest.number:
                return self._latest
            self._latest = read = Read(number, instance, age)
        self._cache.put(instance)
        return read

    def _wait_retry_after(self, error: ModelArtsError, deadline: Deadline) -> None:
        """Wait as long as the API asked for, if there is enough time."""
        retry_after = error.values.get("retry_after")
        if retry_after and retry_after < deadline.time_left_s:
            self._clock.sleep(retry_after)

    def _attempt(
        self, plan: Planner, deadline: Deadline, *, failed: Change | None = None
    ) -> tuple[Change, ModelArtsError | None]:
        """Send and read back; return the result, and the error that left the outcome open.

        Args:
            plan: As for `write`.
            deadline: When all of it must have ended.
            failed: The change that an earlier attempt sent; if it shows now, nothing is sent.
        """

        def plan_unless_applied(before: Instance) -> Change:
            late = self.with_effect(failed, before) if failed else None
            return late if late and late.effect is not Effect.UNCONFIRMED else plan(before)

        recent = self._latest if failed else None
        change, write_error = self._send_planned(
            plan_unless_applied, self._send_edit, deadline, recent=recent
        )
        if change.after is not None:
            return change, None
        repeat = failed is not None or write_error is None
        try:
            return self._read_back(change, deadline, repeat=repeat), write_error
        except ModelArtsError as error:
            if write_error:
                raise OutcomeUnknownError(
                    "outcome_unknown.not_read_back", cause=write_error
                ) from None
            return replace(change, read_back_error=error), None

    def _send_planned(
        self,
        plan: Planner,
        send: Callable[[Change, Deadline], None],
        deadline: Deadline,
        *,
        recent: Read | None = None,
    ) -> tuple[Change, ModelArtsError | None]:
        """Read, plan and send; read and plan again if the read is too old when the bytes are to be sent.

        Args:
            plan: As for `write`; a change that it returns with a state after it is not sent.
            send: Sends a change.
            deadline: When all of it must have ended.
            recent: A read to begin with, if it is not too old.

        Returns:
            The change that was sent, and the error that left its outcome open.
        """
        max_age_s = MAX_READ_AGE_S
        saved: Change | None = None
        while True:
            with _naming_saved_description(saved):
                if recent is None or recent.age.elapsed_s > max_age_s:
                    recent = self._read(deadline)
                change = plan(recent.instance)
                if change.after is not None:
                    return change, None
                call = partial(send, change)
                try:
                    error = self._call_for_write(call, deadline, recent.age, max_age_s)
                    return _with_first_description(change, saved), error
                except OutdatedReadError as outdated:
                    saved = saved or (change if outdated.description_saved else None)
            # With the same limit, an API that answers slowly would allow no write at all.
            recent, max_age_s = None, max_age_s * 2

    def _send_edit(self, change: Change, deadline: Deadline) -> None:
        """Send the edit of a change."""
        try:
            self._backend.write(change.before, change.edit, deadline=deadline)
        except RejectedValueError as error:
            raise _explain_stored_description(error, change) from None
        except PartialUpdateError:
            with contextlib.suppress(ModelArtsError):
                # The cache must get the part that was saved.
                self.read(deadline)
            raise

    def _call_for_write(
        self,
        call: Callable[[Deadline], None],
        deadline: Deadline,
        read_age: Stopwatch,
        max_age_s: float,
    ) -> ModelArtsError | None:
        """Call a write; return an error that leaves the outcome open, raise any other."""
        timeout_s = min(deadline.time_left_s, self._total_timeout_s * WRITE_TIMEOUT_SHARE)
        if timeout_s <= 0:
            raise DeadlineError("unreachable.no_time")
        limited = WriteDeadline(
            timeout_s, read_age=read_age, max_age_s=max_age_s, clock=self._clock
        )
        try:
            _strip_traceback(lambda: call(limited))
        except (ServerError, InvalidResponseError) as error:
            return error
        except UnreachableError as error:
            if error.sent:
                return error
            raise
        return None

    def _read_back(self, change: Change, deadline: Deadline, *, repeat: bool) -> Change:
        result = self.with_effect(change, self.read(deadline))
        unconfirmed = result.effect is Effect.UNCONFIRMED
        if unconfirmed and repeat and deadline.time_left_s > READ_BACK_DELAY_S:
            self._clock.sleep(READ_BACK_DELAY_S)
            result = self.with_effect(change, self.read(deadline))
        return result

    def with_effect(self, change: Change, after: Instance) -> Change:
        """Return a change with the instance as read after it, and its effect."""
        if change.action == "stop":
            stops = after.status.stopping or after.status.stopped
            effect = Effect.NOW if stops else Effect.UNCONFIRMED
            return replace(change, after=after, effect=effect)
        effect = determine_effect(
            change.before,
            after,
            change.edit,
            expected=change.expected_stop_time,
            capabilities=self._backend.capabilities,
        )
        return replace(change, after=after, effect=effect)


@contextlib.contextmanager
def _naming_saved_description(saved: Change | None) -> Iterator[None]:
    """Raise an error that says so if an earlier request of the same write saved the description."""
    try:
        yield
    except PartialUpdateError:
        raise
    except ModelArtsError as error:
        if saved is None:
            raise
        raise PartialUpdateError("partial.description", cause=error) from None


def _with_first_description(change: Change, saved: Change | None) -> Change:
    """Return the change with the description as it was before an earlier request of the same write."""
    if saved is None:
        return change
    return replace(change, before=replace(change.before, description=saved.before.description))


def _strip_traceback(call: Callable[[], T]) -> T:
    """Make a call; remove the traceback of its error, whose frames hold credentials."""
    try:
        return call()
    except ModelArtsError as error:
        raise error.with_traceback(None) from None


def _current_values(change: Change) -> dict[str, Any]:
    after = change.after or change.before
    return {"description": after.description, "stop": stop_message(after)}


def _explain_stored_description(error: RejectedValueError, change: Change) -> ModelArtsError:
    """Return an error that names the stored description if the API refused a character of it."""
    found = descriptions.find_invalid_character(change.before.description)
    if not error.code.endswith(".6334") or change.edit.description is not None or found is None:
        return error
    position, character = found
    shown = descriptions.show_character(character)
    values = {**error.values, "position": position, "character": shown}
    return RejectedValueError("api.stored_description", **values)
