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
from modelarts_magics.domain.countdown import stop_fact
from modelarts_magics.domain.effects import effect_of
from modelarts_magics.domain.models import Change, Effect
from modelarts_magics.errors import (
    BadAnswerError,
    ModelArtsError,
    PartialError,
    RejectedValueError,
    ServerError,
    UnreachableError,
    UnsettledError,
)

if TYPE_CHECKING:
    from modelarts_magics.api.backend import Backend
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.cache import Memory

T = TypeVar("T")

WRITE_SHARE = 0.6
"""The part of the total time-out that a write may use, so that some is left to read back."""
SECOND_LOOK = 1.0
"""Seconds to wait before looking again, where the cloud does not show a change yet."""


class Writer:
    """Reads and writes one instance, and remembers what the cloud said.

    Args:
        backend: The API, bound to the instance.
        memory: What is known of the instance.
        total_timeout: Seconds that a write and its read-back may take together.
        clock: Time, for tests.
    """

    def __init__(
        self, backend: Backend, *, memory: Memory, total_timeout: float, clock: Clock
    ) -> None:
        self._backend = backend
        self._memory = memory
        self._total = total_timeout
        self._clock = clock
        self._turns = count()
        self._guard = threading.Lock()
        self._latest: tuple[int, Instance | None] = (-1, None)

    def read(self, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance, and remember what it said.

        What was asked for before another question and answered after it may be what held before a change: the
        other answer counts.
        """
        turn = next(self._turns)
        instance = _without_frames(lambda: self._backend.read(deadline=deadline))
        with self._guard:
            last_turn, last = self._latest
            if last is not None and turn < last_turn:
                return last
            self._latest = turn, instance
        self._memory.remember(instance)
        return instance

    def write(self, change: Change, deadline: Deadline) -> Change:
        """Send the edit and find out what became of it; what failed and does not show, once more."""
        settled, failed = self._try(change, deadline)
        if failed and settled.effect is Effect.UNCONFIRMED:
            self._pause(failed, deadline)
            try:
                settled, failed = self._try(change, deadline, again=True)
            except UnsettledError:
                raise
            except ModelArtsError as error:
                failed = error
        if failed and settled.effect is Effect.UNCONFIRMED:
            raise UnsettledError("unsettled.not_applied", cause=failed, **_facts(settled)) from None
        self._memory.learn(settled)
        return settled

    def stop(self, change: Change, deadline: Deadline) -> Change:
        """Stop the instance, asked for once, and find out whether it does."""
        failed = self._ask(lambda share: self._backend.stop(deadline=share), deadline)
        try:
            after = self.read(deadline)
        except ModelArtsError as error:
            if failed:
                raise UnsettledError("unsettled.unread", cause=failed) from None
            return replace(change, problem=error)
        if after.status.stopping or after.status.stopped:
            return replace(change, after=after, effect=Effect.NOW)
        if failed:
            raise UnsettledError("unsettled.not_stopped", cause=failed, status=after.status.value)
        return replace(change, after=after)

    def _pause(self, failed: ModelArtsError, deadline: Deadline) -> None:
        """Wait as long as the cloud asked for, if there is that much time."""
        asked = failed.values.get("retry_after")
        if asked and asked < deadline.left:
            self._clock.sleep(asked)

    def _try(
        self, change: Change, deadline: Deadline, *, again: bool = False
    ) -> tuple[Change, ModelArtsError | None]:
        """Send and read back; return what then shows, and the failure that left the outcome open."""
        failed = self._send(change, deadline)
        try:
            return self._read_back(change, deadline, patient=again or failed is None), failed
        except ModelArtsError as error:
            if failed:
                raise UnsettledError("unsettled.unread", cause=failed) from None
            return replace(change, problem=error), None

    def _send(self, change: Change, deadline: Deadline) -> ModelArtsError | None:
        """Send the edit; return the failure that leaves the outcome open, raise one that does not."""
        backend = self._backend
        try:
            return self._ask(
                lambda share: backend.write(change.before, change.edit, deadline=share), deadline
            )
        except RejectedValueError as error:
            raise _about_stored_description(error, change) from None
        except PartialError:
            with contextlib.suppress(ModelArtsError):
                self.read(deadline)  # so that the part that was saved is known here
            raise

    def _ask(self, write: Callable[[Deadline], None], deadline: Deadline) -> ModelArtsError | None:
        """Write; return the failure that leaves the outcome open, raise one that does not."""
        share = Deadline(max(0.1, min(deadline.left, self._total * WRITE_SHARE)), clock=self._clock)
        try:
            _without_frames(lambda: write(share))
        except (ServerError, BadAnswerError) as error:
            return error
        except UnreachableError as error:
            if error.sent:
                return error
            raise
        return None

    def _read_back(self, change: Change, deadline: Deadline, *, patient: bool) -> Change:
        settled = self._compare(change, self.read(deadline))
        if settled.effect is Effect.UNCONFIRMED and patient and deadline.left > SECOND_LOOK:
            self._clock.sleep(SECOND_LOOK)
            settled = self._compare(change, self.read(deadline))
        return settled

    def _compare(self, change: Change, after: Instance) -> Change:
        effect = effect_of(
            change.before,
            after,
            change.edit,
            expected=change.expected_stop,
            capabilities=self._backend.capabilities,
        )
        return replace(change, after=after, effect=effect)


def _without_frames(call: Callable[[], T]) -> T:
    """Make the call; an error forgets its frames, whose variables hold credentials and raw answers."""
    try:
        return call()
    except ModelArtsError as error:
        raise error.with_traceback(None) from None


def _facts(change: Change) -> dict[str, Any]:
    after = change.after or change.before
    return {"description": after.description, "stop": stop_fact(after)}


def _about_stored_description(error: RejectedValueError, change: Change) -> ModelArtsError:
    """A refused character in a description that nobody entered now is about the stored one."""
    found = descriptions.offence(change.before.description)
    if not error.code.endswith(".6334") or change.edit.description is not None or found is None:
        return error
    position, character = found
    values = {**error.values, "position": position, "character": character}
    return RejectedValueError("cloud.stored_description", **values)
