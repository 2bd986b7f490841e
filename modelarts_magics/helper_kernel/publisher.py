"""Send events from a kernel to the page, without a request."""

from __future__ import annotations

import logging
from typing import Any

from IPython.core.getipython import get_ipython

EVENT_MIME_TYPE = "application/vnd.modelarts-magics.event+json"
"""The MIME type that the page reads; no renderer shows it."""

_LOG = logging.getLogger(__name__)


def publish_event(event: dict[str, Any]) -> None:
    """Send an event as a display message of this kernel, from any thread.

    An event that is lost does no harm: the page reads the state by itself from time to time.
    """
    shell = get_ipython()
    if shell is None:
        return
    try:
        shell.display_pub.publish(data={EVENT_MIME_TYPE: event}, metadata={})
    except Exception:  # noqa: BLE001 - the kernel may be shutting down
        _LOG.debug("An event could not be sent", exc_info=True)


def current_kernel() -> Any:  # noqa: ANN401 - ipykernel has no types
    """Return the kernel of this process, or None outside of one."""
    return getattr(get_ipython(), "kernel", None)
