"""Send a change and determine its effect.

The instance is read back after every write, also after an error: a write whose response was lost may
have been applied, and a write that was answered may not.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.domain import description as descriptions
from modelarts_magics.domain.after_fork import reset_in_child
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
"""The share of the total timeout that a write may use, so that time is left to read back."""
READ_BACK_DELAY_S = 1.0
"""Seconds to wait before reading back once more, if the change is not visible yet."""


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
        self._latest: tuple[int, Instance | None] = (-1, None)
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Renew the lock."""
        self._lock = threading.Lock()

    def read(self, deadline: Deadline) -> Instance:
        """Read the instance from the API and store it.

        A response that was requested before another one and arrives after it may show the state before a
        change. It is discarded, and the newer response is returned.
        """
        number = next(self._sequence)
        instance = _strip_traceback(lambda: self._backend.read(deadline=deadline))
        with self._lock:
            last_number, last = self._latest
            if last is not None and number < last_number:
                return last
            self._latest = number, instance
        self._cache.put(instance)
        return instance

    def write(self, change: Change, deadline: Deadline) -> Change:
        """Send the edit and determine its effect; retry once if it failed and is not visible.

        Raises:
            OutcomeUnknownError: The write failed and its outcome is unknown, or it was not applied.
            ModelArtsError: The API refused the write; nothing changed.
        """
        result, write_error = self._attempt(change, deadline)
        if write_error and result.effect is Effect.UNCONFIRMED:
            self._wait_retry_after(write_error, deadline)
            try:
                result, write_error = self._attempt(change, deadline, is_retry=True)
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

    def stop(self, change: Change, deadline: Deadline) -> Change:
        """Stop the instance with a single request, and determine whether it stops.

        Raises:
            OutcomeUnknownError: The request failed and the instance does not stop, or cannot be read.
        """
        write_error = self._call_for_write(
            lambda limited: self._backend.stop(deadline=limited), deadline
        )
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

    def _wait_retry_after(self, error: ModelArtsError, deadline: Deadline) -> None:
        """Wait as long as the API asked for, if there is enough time."""
        retry_after = error.values.get("retry_after")
        if retry_after and retry_after < deadline.time_left_s:
            self._clock.sleep(retry_after)

    def _attempt(
        self, change: Change, deadline: Deadline, *, is_retry: bool = False
    ) -> tuple[Change, ModelArtsError | None]:
        """Send and read back; return the result, and the error that left the outcome open."""
        write_error = self._send(change, deadline)
        repeat = is_retry or write_error is None
        try:
            return self._read_back(change, deadline, repeat=repeat), write_error
        except ModelArtsError as error:
            if write_error:
                raise OutcomeUnknownError(
                    "outcome_unknown.not_read_back", cause=write_error
                ) from None
            return replace(change, read_back_error=error), None

    def _send(self, change: Change, deadline: Deadline) -> ModelArtsError | None:
        """Send the edit; return an error that leaves the outcome open, raise any other."""
        backend = self._backend
        try:
            return self._call_for_write(
                lambda limited: backend.write(change.before, change.edit, deadline=limited),
                deadline,
            )
        except RejectedValueError as error:
            raise _explain_stored_description(error, change) from None
        except PartialUpdateError:
            with contextlib.suppress(ModelArtsError):
                # The cache must get the part that was saved.
                self.read(deadline)
            raise

    def _call_for_write(
        self, call: Callable[[Deadline], None], deadline: Deadline
    ) -> ModelArtsError | None:
        """Call a write; return an error that leaves the outcome open, raise any other."""
        timeout_s = min(deadline.time_left_s, self._total_timeout_s * WRITE_TIMEOUT_SHARE)
        limited = Deadline(max(0.1, timeout_s), clock=self._clock)
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
    values = {**error.values, "position": position, "character": character}
    return RejectedValueError("api.stored_description", **values)
