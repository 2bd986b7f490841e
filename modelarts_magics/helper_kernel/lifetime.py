"""The life of a helper kernel: it ends itself when no page has used it for a while.

A page cannot be relied on to end it: a browser may crash, and other browsers may use the same kernel. Each page
sends a heartbeat once a minute, a message that Jupyter Server does not count as activity of the user.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Hashable

HEARTBEAT_TARGET = "modelarts-magics:page"
"""The target name in the ``comm_info_request`` of a heartbeat; see ``helper-kernel.ts``."""
TIMEOUT_S = 600.0
"""The time after the last sign of a page when the kernel ends."""
_PRESENT_S = 150.0
"""The time that a page counts as open after a sign; a page in the background may miss a heartbeat."""


class Lifetime:
    """When a page was seen last.

    Args:
        monotonic: A clock in seconds that cannot be set.
        timeout_s: The time after the last sign of a page when the kernel ends.
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._monotonic = monotonic
        self._timeout_s = timeout_s
        self._seen_at = monotonic()

    def page_seen(self) -> None:
        """Record a sign of a page."""
        self._seen_at = self._monotonic()

    def pages(self) -> tuple[Hashable, ...]:
        """Return the pages that are open; all of them count as one."""
        return ("page",) if self._monotonic() - self._seen_at < _PRESENT_S else ()

    @property
    def remaining_s(self) -> float:
        """The time until the kernel ends if no page is seen before."""
        return self._seen_at + self._timeout_s - self._monotonic()

    async def wait_until_over(self, sleep: Callable[[float], Any] = asyncio.sleep) -> None:
        """Wait until no page was seen for the time-out."""
        while self.remaining_s > 0:
            await sleep(self.remaining_s)


def watch_heartbeats(kernel: Any, on_heartbeat: Callable[[], None]) -> None:  # noqa: ANN401 - ipykernel has no types
    """Call back at each heartbeat that a kernel receives."""
    answer = kernel.shell_handlers["comm_info_request"]

    def handle(*arguments: Any) -> Any:  # noqa: ANN401 - the signature differs between versions
        # The message is the last argument.
        if arguments[-1]["content"].get("target_name") == HEARTBEAT_TARGET:
            on_heartbeat()
        return answer(*arguments)

    kernel.shell_handlers["comm_info_request"] = handle
