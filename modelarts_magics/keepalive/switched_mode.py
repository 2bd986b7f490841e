"""The wish to set auto-stop back to idle mode, where guarded work needed a fixed stop time.

It is a file in the folder of the daemon, written before the mode is switched and deleted when it is restored, or
when the user has changed auto-stop meanwhile. It belongs to one run, like that folder: each start of the instance
sets mode and stop time of its run, which are then the user's choice.

Source: `POST /v1/{project_id}/notebooks/{id}/start?duration=&type=` (StartNotebook).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object

if TYPE_CHECKING:
    from pathlib import Path

DETAIL = "switch_mode"
"""The entry of `Guard.details` that allows the switch."""
_FILE = "switched-mode.json"
_MAX_TARGETS = 3
"""How many stop times are kept: a renewal of unknown outcome may still be applied."""


def is_mode_switched(folder: Path) -> bool:
    """Return whether auto-stop is to be set back to idle mode."""
    return (folder / _FILE).exists()


def switched_stop_times(folder: Path) -> tuple[datetime, ...]:
    """Return the stop times that the daemon has set last; empty if the mode is not switched."""
    try:
        found = read_private_object(folder / _FILE)["stop_times"]
        return tuple(datetime.fromisoformat(each) for each in found)
    except (KeyError, TypeError, ValueError):
        return ()


def save_switched_mode(folder: Path, target: datetime) -> None:
    """Remember to restore the mode, and a stop time that is about to be set.

    Raises:
        OSError: The file cannot be written.
    """
    targets = (*switched_stop_times(folder), target)[-_MAX_TARGETS:]
    content = {"stop_times": [each.isoformat() for each in targets]}
    replace_object(folder / _FILE, content)


def forget_switched_mode(folder: Path) -> None:
    """Forget to restore the mode."""
    (folder / _FILE).unlink(missing_ok=True)
