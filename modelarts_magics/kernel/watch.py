"""Noticing in a kernel what other processes of this machine learned or changed."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session

POLL_PERIOD_S = 1.0
"""How often the store is looked at while something is shown: one `stat`, 23 ms of CPU a minute."""

_LOG = logging.getLogger(__name__)


class StoreWatcher:
    """Looks at the store in a daemon thread, between `start` and `stop`.

    Args:
        get_session: Gives the session whose store is looked at.
        wait: Waits so many seconds and says whether to end; for tests, without waiting.
        period_s: How many.
    """

    def __init__(
        self,
        get_session: Callable[[], Session],
        *,
        wait: Callable[[float], bool] | None = None,
        period_s: float = POLL_PERIOD_S,
    ) -> None:
        self._get_session = get_session
        self._period_s = period_s
        self._stop_requested = threading.Event()
        self._wait = wait or self._stop_requested.wait
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look; once, however often it is called, and not again after `stop`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="modelarts-watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop_requested.set()

    def run(self) -> None:
        """Look until told to end; what cannot be looked at now may be in a while."""
        while not self._wait(self._period_s):
            try:
                self._get_session().check_for_updates()
            except Exception:  # noqa: BLE001 - in a thread nobody would see it; it is logged, and tried again
                _LOG.debug("the store could not be looked at", exc_info=True)
