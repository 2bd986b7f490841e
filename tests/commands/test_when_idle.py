"""The command ``stop --when-idle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import MINUTE, NOW

from modelarts_magics.commands.keep import end_all
from modelarts_magics.errors import DurationError, RefusedError, UsageError
from modelarts_magics.keepalive import launch
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.idle_stop import load_idle_stop
from modelarts_magics.keepalive.record_lock import RecordLock
from modelarts_magics.keepalive.state import LOCK_FILE, DaemonState, PlannedStop, StateWriter

if TYPE_CHECKING:
    from pathlib import Path

    from emulator_harness import EmulatorHarness


@pytest.fixture
def folder(harness: EmulatorHarness, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the daemon, which is not started."""
    monkeypatch.setattr(launch, "ensure_daemon", lambda *_: None)
    settings = harness.session.settings
    assert settings is not None
    return daemon_folder(settings)


def test_setting_is_turned_on_shown_and_turned_off(harness: EmulatorHarness, folder: Path) -> None:
    """The answer names the time, the warning, and that the right to stop was not tested."""
    shown = str(harness.run_magic("stop --when-idle 30m"))
    assert "nothing has worked for 30 min, with a warning 10 min before" in shown
    assert "not tested" in shown
    assert "nothing has worked for 30 min" in str(harness.run_magic("keep"))
    # The other commands about keep-alives leave it on.
    end_all(folder)
    assert load_idle_stop(folder) is not None
    assert "not stopped" in str(harness.run_magic("stop --when-idle off"))
    assert load_idle_stop(folder) is None
    assert "nothing has worked" not in str(harness.run_magic("keep"))


def test_setting_is_returned_as_json(harness: EmulatorHarness, folder: Path) -> None:
    """The time is in seconds."""
    assert folder.name
    setting = harness.run_magic("stop --when-idle 1h --json")["when_idle"]
    assert setting == {"idle_time_s": 3600, "postponed_until": None}
    kept = harness.run_magic("stop --when-idle keep --json")["when_idle"]
    assert kept["postponed_until"]
    assert harness.run_magic("stop --when-idle off --json")["when_idle"] is None


def test_announced_stop_is_listed_with_the_way_to_keep(
    harness: EmulatorHarness, folder: Path
) -> None:
    """The list says when, why, and how to prevent it."""
    harness.run_magic("stop --when-idle 30m")
    lock = RecordLock(folder / LOCK_FILE)
    assert lock.acquire()
    stop = PlannedStop("", NOW + 9 * MINUTE, idle_time=30 * MINUTE)
    StateWriter(folder).write(DaemonState(1, NOW, "0", stop=stop))
    shown = str(harness.run_magic("keep"))
    lock.release()
    assert "stops at 2026-11-23 17:01 +08:00, after 30 min without work" in shown
    assert "%modelarts stop --when-idle keep" in shown


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("stop --when-idle 9m", DurationError),
        ("stop --when-idle soon", DurationError),
        ("stop --when-idle", UsageError),
        ("stop --when-idle 30m now", UsageError),
        ("stop --when-idle 30m --yes", UsageError),
        ("stop --when-idle 30m --wait", UsageError),
        ("stop --when-idle keep", RefusedError),
    ],
)
def test_invalid_use_is_refused(
    harness: EmulatorHarness, folder: Path, line: str, error: type[Exception]
) -> None:
    """Nothing is turned on, and nothing is stopped."""
    with pytest.raises(error):
        harness.run_magic(line)
    assert load_idle_stop(folder) is None
    assert harness.session.refresh().running
