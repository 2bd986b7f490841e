"""What has to outlive a stop: how the last run ended and what was saved, and a wish not to be reminded.

One small JSON file, in ``~/work`` where that is what survives, else in the state folder. Several processes may
keep things there, as where each browser has a helper kernel of its own: what another one wrote is read again.
Where it cannot be written everything still works until the server ends.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.server import saved_reports as reports
from modelarts_magics.session.store import file_fingerprint, stat_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE_VERSION = 1
FILE_NAME = ".modelarts-magics-run.json"
AUTO_STOP_WINDOW_MS = 150_000
"""Seen alive so shortly before its stop time, a run is taken to have ended by auto-stop."""
SAME_RUN_TOLERANCE_MS = 60_000
"""A stop time that is further away is another one: the run went on."""
STOP_GRACE_PERIOD_MS = round(STOP_GRACE_PERIOD.total_seconds() * 1000)
"""Seen alive so long after its stop time, a run did not end by it."""


def default_path(environ: Mapping[str, str], state_dir: str) -> Path:
    """Where the file is, or would be."""
    work = Path(environ.get("HOME") or Path.home()) / "work"
    return (work if work.is_dir() else expand_user(state_dir)) / FILE_NAME


class RunStore:
    """The file's content, by instance; used from threads.

    Args:
        path: Where the file is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._data: dict[str, Any] = {}
        self._stamp: tuple[int, int, int] | None = None

    def last_run(self, instance_id: str, *, started_ms: int) -> dict[str, Any] | None:
        """How the run before this server's start ended; None if nothing is known or it was acknowledged.

        Args:
            instance_id: Whose.
            started_ms: When this server started; a run is over once it was to stop before.

        Returns:
            ``ended_at_ms``, ``reason`` ("auto-stop" or "unknown"), ``duration_s``, ``saved``, ``not_saved``.
        """
        run = self._get_run(instance_id)
        if not run or run["stops_at_ms"] >= started_ms:
            return None
        auto_stopped = (
            -STOP_GRACE_PERIOD_MS <= run["stops_at_ms"] - run["seen_ms"] <= AUTO_STOP_WINDOW_MS
        )
        return {
            "ended_at_ms": run["stops_at_ms"] if auto_stopped else run["seen_ms"],
            "reason": "auto-stop" if auto_stopped else "unknown",
            "duration_s": run.get("duration_s"),
            **reports.merge_reports(run),
        }

    def this_run(self, instance_id: str, *, stops_at_ms: int) -> dict[str, Any] | None:
        """What was saved before the stop that is to come; None if nothing is kept of it.

        Returns:
            ``stops_at_ms``, ``saved``, ``not_saved``.
        """
        run = self._get_run(instance_id, stops_at_ms)
        if not run:
            return None
        return {"stops_at_ms": run["stops_at_ms"], **reports.merge_reports(run)}

    def record_alive(
        self, instance_id: str, *, stops_at_ms: int, duration_s: int | None, seen_ms: int
    ) -> None:
        """Keep that the run was alive at a moment, and when it is to stop."""
        with self._lock:
            run = self._get_run(instance_id, stops_at_ms)
            run.update(stops_at_ms=stops_at_ms, seen_ms=seen_ms, duration_s=duration_s)
            self._set_field(instance_id, "run", run)

    def record_saved(  # noqa: PLR0913 - the fields of the record
        self,
        instance_id: str,
        *,
        stops_at_ms: int,
        duration_s: int | None,
        seen_ms: int,
        saved: Sequence[str],
        not_saved: Sequence[Mapping[str, str]],
        tab: str = "",
    ) -> None:
        """Keep what a tab saved before a stop and what it could not, instead of what it said before."""
        with self._lock:
            run = self._get_run(instance_id, stops_at_ms)
            run.update(stops_at_ms=stops_at_ms, seen_ms=seen_ms, duration_s=duration_s)
            updated = reports.add_report(run, tab, saved=saved, not_saved=not_saved)
            self._set_field(instance_id, "run", updated)

    def recorded_stop_ms(self, instance_id: str) -> int | None:
        """When the run that is kept was to stop; None if none is."""
        return self._get_run(instance_id).get("stops_at_ms")

    def delete_run(self, instance_id: str, *, stops_at_ms: int | None = None) -> None:
        """Forget the run that was to stop then, or whichever is kept: it went on, or its end was read."""
        with self._lock:
            if self._get_run(instance_id, stops_at_ms):
                self._set_field(instance_id, "run", None)

    def is_muted(self, instance_id: str) -> bool:
        """Whether reminders are off."""
        return self._get_entry(instance_id).get("muted") is True

    def set_muted(self, instance_id: str, *, muted: bool) -> None:
        """Turn reminders off or on."""
        with self._lock:
            self._set_field(instance_id, "muted", True if muted else None)

    def _get_run(self, instance_id: str, stops_at_ms: int | None = None) -> dict[str, Any]:
        """The run as kept, and only the one that is to stop then if that is said; empty if there is none."""
        run = self._get_entry(instance_id).get("run")
        if not isinstance(run, dict):
            return {}
        stop_time_ms, seen = run.get("stops_at_ms"), run.get("seen_ms")
        if (
            not isinstance(stop_time_ms, int)
            or not isinstance(seen, int)
            or not reports.reports_are_valid(run)
        ):
            return {}
        return (
            dict(run)
            if stops_at_ms is None or abs(stop_time_ms - stops_at_ms) <= SAME_RUN_TOLERANCE_MS
            else {}
        )

    def _get_entry(self, instance_id: str) -> dict[str, Any]:
        with self._lock:  # what is read must not come after what is written meanwhile
            stamp = file_fingerprint(self._path)
            if stamp is not None and stamp != self._stamp:
                self._data, self._stamp = _read_file(self._path), stamp
            entry = self._data.get(instance_id)
            return entry if isinstance(entry, dict) else {}

    def _set_field(self, instance_id: str, name: str, value: object) -> None:
        entry = {**self._get_entry(instance_id), name: value}
        if value is None:
            del entry[name]
        if entry == self._get_entry(instance_id):
            return
        self._data = {**self._data, instance_id: entry}
        with contextlib.suppress(OSError):
            self._write(self._data)

    def _write(self, data: Mapping[str, Any]) -> None:
        content = json.dumps({"version": FILE_VERSION, "instances": data}).encode()
        self._stamp = stat_fingerprint(replace_file(self._path, content))


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    instances = (
        data.get("instances")
        if isinstance(data, dict) and data.get("version") == FILE_VERSION
        else None
    )
    return instances if isinstance(instances, dict) else {}
