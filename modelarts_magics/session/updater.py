"""Sending a change and finding out what became of it.

Whatever goes wrong on the way, the cloud is read back: a write whose answer was lost may still hold, and a write
that was answered may not.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.domain import description as descriptions
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.effects import determine_effect
from modelarts_magics.domain.models import Change, Effect
from modelarts_magics.errors import (
    InvalidResponseError,
    ModelArtsError,
    OutcomeUnknownError,
    PartialUpdateError,
    RejectedValueError,
    ServerError,
    UnreachableError,
)

if TYPE_CHECKING:
    from modelarts_magics.api.backend import Backend
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.cache import InstanceCache

T = TypeVar("T")

WRITE_TIMEOUT_SHARE = 0.6
"""The part of the total time-out that a write may use, so that some is left to read back."""
READ_BACK_DELAY_S = 1.0
"""Seconds to wait before looking again, where the cloud does not show a change yet."""


class Updater:
    """Reads and writes one instance, and remembers what the cloud said.

    Args:
        backend: The API, bound to the instance.
        cache: What is known of the instance.
        total_timeout_s: Seconds that a write and its read-back may take together.
        clock: Time, for tests.
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
        self._latest: tuple[int, Instance | None] = (-1, None)

    def read(self, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance, and remember what it said.

        What was asked for before another question and answered after it may be what held before a change: the
        other answer counts.
        """
        turn = next(self._sequence)
        instance = _strip_traceback(lambda: self._backend.read(deadline=deadline))
        with self._lock:
            last_turn, last = self._latest
            if last is not None and turn < last_turn:
                return last
            self._latest = turn, instance
        self._cache.put(instance)
        return instance

    def write(self, change: Change, deadline: Deadline) -> Change:
        """Send the edit and find out what became of it; what failed and does not show, once more."""
        settled, failed = self._attempt(change, deadline)
        if failed and settled.effect is Effect.UNCONFIRMED:
            self._wait_retry_after(failed, deadline)
            try:
                settled, failed = self._attempt(change, deadline, is_retry=True)
            except OutcomeUnknownError:
                raise
            except ModelArtsError as error:
                failed = error
        if failed and settled.effect is Effect.UNCONFIRMED:
            raise OutcomeUnknownError(
                "unsettled.not_applied", cause=failed, **_current_values(settled)
            ) from None
        self._cache.record_effect(settled)
        return settled

    def stop(self, change: Change, deadline: Deadline) -> Change:
        """Stop the instance, asked for once, and find out whether it does."""
        failed = self._call_for_write(lambda share: self._backend.stop(deadline=share), deadline)
        try:
            after = self.read(deadline)
        except ModelArtsError as error:
            if failed:
                raise OutcomeUnknownError("unsettled.unread", cause=failed) from None
            return replace(change, read_back_error=error)
        if after.status.stopping or after.status.stopped:
            return replace(change, after=after, effect=Effect.NOW)
        if failed:
            raise OutcomeUnknownError(
                "unsettled.not_stopped", cause=failed, status=after.status.value
            )
        return replace(change, after=after)

    def _wait_retry_after(self, error: ModelArtsError, deadline: Deadline) -> None:
        """Wait as long as the cloud asked for, if there is that much time."""
        asked = error.values.get("retry_after")
        if asked and asked < deadline.time_left_s:
            self._clock.sleep(asked)

    def _attempt(
        self, change: Change, deadline: Deadline, *, is_retry: bool = False
    ) -> tuple[Change, ModelArtsError | None]:
        """Send and read back; return what then shows, and the failure that left the outcome open."""
        failed = self._send(change, deadline)
        try:
            return self._read_back(change, deadline, repeat=is_retry or failed is None), failed
        except ModelArtsError as error:
            if failed:
                raise OutcomeUnknownError("unsettled.unread", cause=failed) from None
            return replace(change, read_back_error=error), None

    def _send(self, change: Change, deadline: Deadline) -> ModelArtsError | None:
        """Send the edit; return the failure that leaves the outcome open, raise one that does not."""
        backend = self._backend
        try:
            return self._call_for_write(
                lambda share: backend.write(change.before, change.edit, deadline=share), deadline
            )
        except RejectedValueError as error:
            raise _explain_stored_description(error, change) from None
        except PartialUpdateError:
            with contextlib.suppress(ModelArtsError):
                self.read(deadline)  # so that the part that was saved is known here
            raise

    def _call_for_write(
        self, call: Callable[[Deadline], None], deadline: Deadline
    ) -> ModelArtsError | None:
        """Write; return the failure that leaves the outcome open, raise one that does not."""
        share = Deadline(
            max(0.1, min(deadline.time_left_s, self._total_timeout_s * WRITE_TIMEOUT_SHARE)),
            clock=self._clock,
        )
        try:
            _strip_traceback(lambda: call(share))
        except (ServerError, InvalidResponseError) as error:
            return error
        except UnreachableError as error:
            if error.sent:
                return error
            raise
        return None

    def _read_back(self, change: Change, deadline: Deadline, *, repeat: bool) -> Change:
        settled = self._with_effect(change, self.read(deadline))
        if (
            settled.effect is Effect.UNCONFIRMED
            and repeat
            and deadline.time_left_s > READ_BACK_DELAY_S
        ):
            self._clock.sleep(READ_BACK_DELAY_S)
            settled = self._with_effect(change, self.read(deadline))
        return settled

    def _with_effect(self, change: Change, after: Instance) -> Change:
        effect = determine_effect(
            change.before,
            after,
            change.edit,
            expected=change.expected_stop_time,
            capabilities=self._backend.capabilities,
        )
        return replace(change, after=after, effect=effect)


def _strip_traceback(call: Callable[[], T]) -> T:
    """Make the call; an error forgets its frames, whose variables hold credentials and raw answers."""
    try:
        return call()
    except ModelArtsError as error:
        raise error.with_traceback(None) from None


def _current_values(change: Change) -> dict[str, Any]:
    after = change.after or change.before
    return {"description": after.description, "stop": stop_message(after)}


def _explain_stored_description(error: RejectedValueError, change: Change) -> ModelArtsError:
    """A refused character in a description that nobody entered now is about the stored one."""
    found = descriptions.find_invalid_character(change.before.description)
    if not error.code.endswith(".6334") or change.edit.description is not None or found is None:
        return error
    position, character = found
    values = {**error.values, "position": position, "character": character}
    return RejectedValueError("cloud.stored_description", **values)
