"""The time by the clock of the API, which runs on when the wall clock of this machine is changed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelarts_magics.domain.clock import Clock

MAX_SKEW = timedelta(days=1)
"""A ``Date`` header that differs more from the wall clock of this machine is ignored."""
NEGLIGIBLE_SKEW = timedelta(seconds=2)
"""The ``Date`` header has whole seconds, so a smaller difference is not significant."""
CONFIRMATION_INTERVAL_S = 60.0
"""The time between two requests that only confirm a difference."""
_HALF_SECOND = timedelta(milliseconds=500)
"""The average of what the header leaves out."""


class ApiClock:
    """The time of the API, from the ``Date`` headers of its responses and the monotonic clock.

    Before the first response it is the wall clock of this machine. A header that agrees with the wall clock is
    used at once; one that differs from it, after a second response has the same difference.

    Args:
        clock: The clocks of this machine.

    Attributes:
        candidate: The difference between the monotonic clock and that of the API according to the last
            response, until another one confirms it; None if there is none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: timedelta | None = None
        self._confirm_after_s = clock.monotonic()
        self.candidate: timedelta | None = None

    def now(self) -> datetime:
        """Return the current time of the API, aware."""
        return self._clock.now() if self._offset is None else self._at(self._offset)

    def candidate_time(self) -> datetime:
        """Return the current time according to the last response, whether confirmed or not."""
        return self.now() if self.candidate is None else self._at(self.candidate)

    @property
    def skew(self) -> timedelta:
        """How far the clock of the API is ahead of the wall clock of this machine."""
        return timedelta(0) if self._offset is None else self.now() - self._clock.now()

    def observe(self, date: datetime | None) -> bool:
        """Take the time of a response into account.

        Args:
            date: When the API answered, by its own clock; None if the response does not say.

        Returns:
            Whether the time differs, so that another response should confirm that.
        """
        if date is None:
            return False
        monotonic = self._monotonic()
        measured = date + _HALF_SECOND - _EPOCH - monotonic
        if self._clock.scale != 1:
            # No two responses of the emulator's fast clock agree as closely as is required below.
            self._offset = measured
            return False
        by_wall = self._clock.now() - _EPOCH - monotonic
        for known in (self._offset, by_wall):
            if known is not None and abs(measured - known) <= NEGLIGIBLE_SKEW:
                self._offset, self.candidate = known, None
                return False
        if abs(measured - by_wall) > MAX_SKEW:
            return False
        previous, self.candidate = self.candidate, measured
        if previous is not None and abs(measured - previous) <= NEGLIGIBLE_SKEW:
            self._offset, self.candidate = measured, None
            return False
        return self._may_confirm()

    def _may_confirm(self) -> bool:
        now_s = self._clock.monotonic()
        if now_s < self._confirm_after_s:
            return False
        self._confirm_after_s = now_s + CONFIRMATION_INTERVAL_S
        return True

    def _at(self, offset: timedelta) -> datetime:
        return _EPOCH + self._monotonic() + offset

    def _monotonic(self) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() * self._clock.scale)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
