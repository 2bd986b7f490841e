"""Save what must survive a stop: the reports of saved documents, how the last run ended, and muted reminders.

One small JSON file, in ``~/work`` if that folder exists, else in the state folder. Several processes may use
it, for example the helper kernels of two browsers; the file is read again after another process has written it.
Where it cannot be written, the data lasts until the server ends.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import read_private
from modelarts_magics.domain.after_fork import reset_in_child
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.session.store import private_fingerprint, stat_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import TypeGuard

    Report = Mapping[str, Any]

FILE_VERSION = 1
AUTO_STOP_WINDOW_MS = 150_000
"""A run that was last seen within this time before its stop time is assumed to have ended by auto-stop."""
SAME_RUN_TOLERANCE_MS = 60_000
"""Stop times that differ by more belong to different runs, or to one that was extended or shortened."""
PLANNED_STOP_TOLERANCE_MS = 180_000
"""A stop by the keep-alive is at most this long after the time for which it was planned."""
STOP_GRACE_PERIOD_MS = round(STOP_GRACE_PERIOD.total_seconds() * 1000)
"""A run that was seen longer than this after its stop time did not end by it."""
MAX_TIME_MS = 4_102_444_800_000
"""The year 2100; a later time is not from this program."""
MAX_TABS = 50
"""The number of tabs whose reports are kept; the one that reported longest ago is dropped first."""
MAX_PATHS = 1000
"""The number of paths in a merged report; a single report has no more, see `JsonBody.get_list`."""
_LIST_FIELDS = ("saved", "not_saved")
_NOT_SAVED_FIELDS = ("path", "reason")


class RunStore:
    """The content of the file, by instance; may be used from several threads.

    Args:
        path: The path of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._data: dict[str, Any] = {}
        self._fingerprint: tuple[int, int, int] | None = None
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Renew the lock."""
        self._lock = threading.RLock()

    def last_run(self, instance_id: str, *, started_ms: int) -> dict[str, Any] | None:
        """Return how the run before this server's start ended; None if that is unknown or was acknowledged.

        Args:
            instance_id: The id of the instance.
            started_ms: The time at which this server started; a run whose stop time is earlier is over.

        Returns:
            ``ended_at_ms``, ``reason`` ("auto-stop", "after-work", "idle" or "unknown"), ``duration_s``,
            ``saved``, ``not_saved``; also ``work`` (its name) for "after-work", ``idle_s`` (the seconds without
            work) for "idle".
        """
        run = self._get_run(instance_id)
        if not run or run["stops_at_ms"] >= started_ms:
            return None
        auto_stopped = (
            -STOP_GRACE_PERIOD_MS <= run["stops_at_ms"] - run["seen_ms"] <= AUTO_STOP_WINDOW_MS
        )
        reason = _stop_reason(run) or ("auto-stop" if auto_stopped else "unknown")
        return {
            "ended_at_ms": run["stops_at_ms"] if auto_stopped else run["seen_ms"],
            "reason": reason,
            **_stop_details(run, reason),
            "duration_s": run.get("duration_s"),
            **merge_reports(run),
        }

    def this_run(self, instance_id: str, *, stops_at_ms: int) -> dict[str, Any] | None:
        """Return what was saved before the coming stop; None if there is no report.

        Returns:
            ``stops_at_ms``, ``saved``, ``not_saved``.
        """
        run = self._get_run(instance_id, stops_at_ms)
        if not run:
            return None
        return {"stops_at_ms": run["stops_at_ms"], **merge_reports(run)}

    def record_alive(
        self, instance_id: str, *, stops_at_ms: int, duration_s: int | None, seen_ms: int
    ) -> None:
        """Record that the instance was running at a time, and its stop time."""
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
        """Record the report of a tab about one stop; it replaces an earlier report of the same tab."""
        with self._lock:
            run = self._get_run(instance_id, stops_at_ms)
            run.update(stops_at_ms=stops_at_ms, seen_ms=seen_ms, duration_s=duration_s)
            updated = add_report(run, tab, saved=saved, not_saved=not_saved)
            self._set_field(instance_id, "run", updated)

    def record_stop(
        self, instance_id: str, *, stopped_ms: int, work: str, idle_s: int | None
    ) -> None:
        """Record that the instance is stopped now, and why; the reports of saved documents stay.

        Args:
            instance_id: The id of the instance.
            stopped_ms: The time by the clock of the API.
            work: The name of the work after which it is stopped; "" if nothing works.
            idle_s: For how long nothing has worked, in seconds; None after work.
        """
        with self._lock:
            run = self._get_run(instance_id)
            # A report about this stop names the time for which it was planned.
            if abs(run.get("stops_at_ms", 0) - stopped_ms) > PLANNED_STOP_TOLERANCE_MS:
                run = {}
            run.update(stops_at_ms=stopped_ms, seen_ms=stopped_ms, work=work, idle_s=idle_s)
            self._set_field(instance_id, "run", run)

    def recorded_stop_ms(self, instance_id: str) -> int | None:
        """Return the stop time of the recorded run; None if there is none."""
        return self._get_run(instance_id).get("stops_at_ms")

    def delete_run(self, instance_id: str, *, stops_at_ms: int | None = None) -> None:
        """Delete the recorded run with this stop time, or with any: it continued, or the report was read."""
        with self._lock:
            if self._get_run(instance_id, stops_at_ms):
                self._set_field(instance_id, "run", None)

    def is_muted(self, instance_id: str) -> bool:
        """Return whether reminders are off."""
        return self._get_entry(instance_id).get("muted") is True

    def set_muted(self, instance_id: str, *, muted: bool) -> None:
        """Turn reminders off or on."""
        with self._lock:
            self._set_field(instance_id, "muted", True if muted else None)

    def _get_run(self, instance_id: str, stops_at_ms: int | None = None) -> dict[str, Any]:
        """Return the recorded run, with `stops_at_ms` only if it has that stop time; empty if there is none."""
        run = self._get_entry(instance_id).get("run")
        if not isinstance(run, dict):
            return {}
        stop_time_ms, seen_ms = run.get("stops_at_ms"), run.get("seen_ms")
        if not (_is_time(stop_time_ms) and _is_time(seen_ms) and _reports_are_valid(run)):
            return {}
        return (
            dict(run)
            if stops_at_ms is None or abs(stop_time_ms - stops_at_ms) <= SAME_RUN_TOLERANCE_MS
            else {}
        )

    def _get_entry(self, instance_id: str) -> dict[str, Any]:
        # Without the lock, an older content could be stored after a newer one was written.
        with self._lock:
            fingerprint = private_fingerprint(self._path)
            if fingerprint is not None and fingerprint != self._fingerprint:
                self._data, self._fingerprint = _read_file(self._path), fingerprint
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
        self._fingerprint = stat_fingerprint(replace_file(self._path, content, follow_link=False))


def add_report(
    run: Mapping[str, Any],
    tab: str,
    *,
    saved: Sequence[str],
    not_saved: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Return the recorded run with the report of a tab in place of its earlier one.

    Args:
        run: The recorded run.
        tab: The name of the tab; "" for a tab without a name.
        saved: The paths of the saved documents.
        not_saved: ``path`` and ``reason`` of each document that could not be saved.
    """
    others = {name: report for name, report in _reports_by_tab(run).items() if name != tab}
    new_report = {"saved": list(saved), "not_saved": list(not_saved)}
    newest = list({**others, tab: new_report}.items())[-MAX_TABS:]
    return {**{k: v for k, v in run.items() if k not in _LIST_FIELDS}, "tabs": dict(newest)}


def merge_reports(run: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the reports of all tabs: each path once, and each unsaved path once for each reason.

    A path may be both in ``saved`` and in ``not_saved``: two tabs may have had different copies of a document.
    """
    reports = _reports_by_tab(run).values()
    saved = dict.fromkeys(path for each in reports for path in each["saved"])
    not_saved = {(v["path"], v["reason"]): dict(v) for each in reports for v in each["not_saved"]}
    return {"saved": list(saved)[:MAX_PATHS], "not_saved": list(not_saved.values())[:MAX_PATHS]}


def _stop_reason(run: Mapping[str, Any]) -> str:
    """Return why the keep-alive has stopped the instance; "" if it has not."""
    if type(run.get("idle_s")) is int and run["idle_s"] > 0:
        return "idle"
    return "after-work" if run.get("work") else ""


def _stop_details(run: Mapping[str, Any], reason: str) -> dict[str, Any]:
    if reason == "idle":
        return {"idle_s": run["idle_s"]}
    return {"work": str(run["work"])} if reason == "after-work" else {}


def _is_time(milliseconds: object) -> TypeGuard[int]:
    """Return whether a value is a time that can be shown; a file may hold anything."""
    return type(milliseconds) is int and 0 <= milliseconds <= MAX_TIME_MS


def _reports_are_valid(run: Mapping[str, Any]) -> bool:
    """Return whether the reports of a run have the form that `add_report` creates; a file may hold anything."""
    tabs = run.get("tabs", {})
    return isinstance(tabs, dict) and all(
        map(_is_valid_report, [_untagged_report(run), *tabs.values()])
    )


def _is_valid_report(report: object) -> bool:
    if not isinstance(report, dict):
        return False
    saved, not_saved = (report.get(name) for name in _LIST_FIELDS)
    if not isinstance(saved, list) or not isinstance(not_saved, list):
        return False
    texts = [
        *saved,
        *(each.get(k) for each in not_saved if isinstance(each, dict) for k in _NOT_SAVED_FIELDS),
    ]
    return len(texts) == len(saved) + len(_NOT_SAVED_FIELDS) * len(not_saved) and all(
        isinstance(each, str) for each in texts
    )


def _reports_by_tab(run: Mapping[str, Any]) -> Mapping[str, Report]:
    untagged = _untagged_report(run)
    earlier = {"": untagged} if any(untagged.values()) else {}
    return {**earlier, **run.get("tabs", {})}


def _untagged_report(run: Mapping[str, Any]) -> Report:
    """Return the lists without a tab, which a file of an earlier version may have."""
    return {name: run.get(name, []) for name in _LIST_FIELDS}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = json.loads((read_private(path) or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    instances = (
        data.get("instances")
        if isinstance(data, dict) and data.get("version") == FILE_VERSION
        else None
    )
    return instances if isinstance(instances, dict) else {}
