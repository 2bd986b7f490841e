"""What `keep` shows of the daemon's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from factories import MINUTE, NOW

from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.record_lock import RecordLock
from modelarts_magics.keepalive.state import LOCK_FILE, DaemonState, PlannedStop, StateWriter

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness


def test_planned_stop_is_shown_in_the_time_zone(harness: EmulatorHarness) -> None:
    """The stop after the work is shown like every other time."""
    settings = harness.session.settings
    assert settings is not None
    folder = daemon_folder(settings)
    lock = RecordLock(folder / LOCK_FILE)
    assert lock.acquire()
    stop = PlannedStop("upload", NOW + MINUTE)
    StateWriter(folder).write(DaemonState(1, NOW, "0", stop=stop))
    shown = str(harness.run_magic("keep"))
    lock.release()
    assert "After “upload”, the instance stops at 2026-11-23 16:53 +08:00." in shown
