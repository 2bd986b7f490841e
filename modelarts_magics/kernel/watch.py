"""Noticing in a kernel what other processes of this machine learned or changed."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session

PERIOD_S = 1.0
"""How often the store is looked at while something is shown: one `stat`, 23 ms of CPU a minute."""

_LOG = logging.getLogger(__name__)


class Watch:
    """Looks at the store in a daemon thread, between `start` and `stop`.

    Args:
        session: Gives the session whose store is looked at.
        wait: Waits so many seconds and says whether to end; for tests, without waiting.
        period_s: How many.
    """

    def __init__(
        self,
        session: Callable[[], Session],
        *,
        wait: Callable[[float], bool] | None = None,
        period_s: float = PERIOD_S,
    ) -> None:
        self._session = session
        self._period_s = period_s
        self._end = threading.Event()
        self._wait = wait or self._end.wait
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look; once, however often it is called, and not again after `stop`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="modelarts-watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()

    def run(self) -> None:
        """Look until told to end; what cannot be looked at now may be in a while."""
        while not self._wait(self._period_s):
            try:
                self._session().look_around()
            except Exception:  # noqa: BLE001 - in a thread nobody would see it; it is logged, and tried again
                _LOG.debug("the store could not be looked at", exc_info=True)
