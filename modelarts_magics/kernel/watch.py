"""A thread that checks the state store for changes made by other processes of this machine."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session

POLL_PERIOD_S = 1.0
"""Seconds between checks: one `stat` each, 23 ms of CPU time per minute."""

_LOG = logging.getLogger(__name__)


class StoreWatcher:
    """Checks the state store in a daemon thread, from `start` to `stop`.

    Args:
        get_session: Returns the session whose store is checked.
        wait: Waits for a number of seconds and returns whether to stop; tests do not wait.
        period_s: Seconds between checks.
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
        """Start the thread once; later calls, also after `stop`, do nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="modelarts-watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread without waiting for it."""
        self._stop_requested.set()

    def run(self) -> None:
        """Check the store until stopped. Errors are logged, and the next check is made all the same."""
        while not self._wait(self._period_s):
            try:
                self._get_session().check_for_updates()
            except Exception:  # noqa: BLE001 - nothing catches an error of this thread
                _LOG.debug("Cannot check the state store", exc_info=True)
