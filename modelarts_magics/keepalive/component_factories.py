"""The components of the daemon; only its own process imports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.keepalive.activity.watcher import create_watcher
from modelarts_magics.keepalive.marks.component import create_marks
from modelarts_magics.keepalive.notifications.component import create_notifier
from modelarts_magics.keepalive.recorder import Recorder

if TYPE_CHECKING:
    from modelarts_magics.keepalive.components import Factory

FACTORIES: dict[str, Factory] = {
    "recorder": Recorder,
    "activity": create_watcher,
    "marks": create_marks,
    "notifications": create_notifier,
}
"""A function that creates each component, by the name to show for it in the state file."""
