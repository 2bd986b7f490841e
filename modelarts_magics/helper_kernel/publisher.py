"""Telling a page of news through the kernel, without being asked."""

from __future__ import annotations

import logging
from typing import Any

from IPython.core.getipython import get_ipython

EVENT_MIME_TYPE = "application/vnd.modelarts-magics.event+json"
"""What the page listens for; nothing renders it."""

_LOG = logging.getLogger(__name__)


def publish_event(event: dict[str, Any]) -> None:
    """Send an event as a display message of this kernel, from any thread; what is lost the page finds later."""
    shell = get_ipython()
    if shell is None:
        return
    try:
        shell.display_pub.publish(data={EVENT_MIME_TYPE: event}, metadata={})
    except Exception:  # noqa: BLE001 - the kernel is ending, say: who tells goes on
        _LOG.debug("the page could not be told", exc_info=True)
