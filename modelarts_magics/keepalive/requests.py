"""Requests to the daemon, and the files that it leaves for its successor."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file, replace_object
from modelarts_magics.config.private_file import read_private_object, read_private_text
from modelarts_magics.config.settings import Setting, Settings
from modelarts_magics.keepalive.stopping import PendingStop
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT_VERSION = 1
END, REPLACE = "end", "replace"
_REQUEST_FILE, _STOP_FILE, _SETTINGS_FILE, _NEEDED_FILE, _ANNOUNCED_FILE = (
    "request.json",
    "stop.json",
    "settings.json",
    "needed-until",
    "announced-stop",
)


def send_request(folder: Path, action: str) -> None:
    """Ask the daemon to end (`END`), or to make room for a successor (`REPLACE`).

    Raises:
        OSError: The file cannot be written.
    """
    replace_object(folder / _REQUEST_FILE, {"version": FORMAT_VERSION, "action": action})
    notify(folder)


def take_request(folder: Path) -> str:
    """Return the action that was requested, and delete the request; "" if there is none."""
    path = folder / _REQUEST_FILE
    if not path.exists():
        return ""
    # Read after that, or a request that arrives in between would be deleted unread.
    data = read_private_object(path, version=FORMAT_VERSION)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return str(data.get("action", ""))


def save_handover(folder: Path, handover: Mapping[str, Any]) -> None:
    """Save settings and source of credentials, without secrets, so that any process can start the daemon.

    Raises:
        OSError: The file cannot be written.
    """
    values = {name: handover[name] for name in ("settings", "source")}
    replace_object(folder / _SETTINGS_FILE, values)


def current_settings(folder: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings of file and environment as they are now, and else those of the starter."""
    settings = Settings.load(environ=environ)
    handed_over = load_handover(folder).get("settings") or {}
    given = {
        name: Setting(value, "argument")
        for name, value in handed_over.items()
        if settings.source(name) in ("", "default")
    }
    return settings._replace(values={**settings.values, **given})


def load_handover(folder: Path) -> dict[str, Any]:
    """Return settings and source of credentials as they were saved; empty if there are none."""
    return read_private_object(folder / _SETTINGS_FILE)


def save_pending_stop(folder: Path, pending: PendingStop | None) -> None:
    """Save the pending stop of the instance, or delete it.

    Raises:
        OSError: The file cannot be written.
    """
    if pending is None:
        (folder / _STOP_FILE).unlink(missing_ok=True)
        notify(folder)
        return
    data = {name: _to_json(value) for name, value in asdict(pending).items()}
    replace_object(folder / _STOP_FILE, data)


def load_pending_stop(folder: Path) -> PendingStop | None:
    """Return the pending stop of the instance; None if there is none."""
    data = read_private_object(folder / _STOP_FILE)
    try:
        idle_s = data.get("idle_time")
        return PendingStop(
            str(data["name"]),
            datetime.fromisoformat(data["since"]),
            datetime.fromisoformat(data["quiet_since"]),
            idle_time=None if idle_s is None else timedelta(seconds=idle_s),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def is_stop_pending(folder: Path) -> bool:
    """Return whether there is a pending stop of the instance."""
    return (folder / _STOP_FILE).exists()


def announce_stop(folder: Path, at: datetime) -> None:
    """Let the daemon notify the user that the instance is being stopped at once, as the user has asked.

    Args:
        folder: The folder of the daemon.
        at: The time by the clock of the API, aware; identifies the stop.

    Raises:
        OSError: The file cannot be written.
    """
    replace_file(folder / _ANNOUNCED_FILE, at.isoformat().encode())
    notify(folder)


def announced_stop(folder: Path) -> datetime | None:
    """Return when a stop was announced last; None if none was."""
    path = folder / _ANNOUNCED_FILE
    if not path.exists():
        return None
    try:
        return datetime.fromisoformat(read_private_text(path))
    except (OSError, ValueError, TypeError):
        return None


def request_daemon_until(folder: Path, until: datetime) -> None:
    """Let the daemon run until a time although there is no guard, for example to watch what works.

    Args:
        folder: The folder of the daemon.
        until: The time by the clock of this machine, aware.

    Raises:
        OSError: The file cannot be written.
    """
    replace_file(folder / _NEEDED_FILE, until.isoformat().encode())
    notify(folder)


def is_daemon_requested(folder: Path, now: datetime) -> bool:
    """Return whether the daemon shall run without a guard.

    Args:
        folder: The folder of the daemon.
        now: The time by the clock of this machine.
    """
    try:
        return now < datetime.fromisoformat(read_private_text(folder / _NEEDED_FILE))
    except (OSError, ValueError, TypeError):
        return False


def delete_all(folder: Path) -> None:
    """Delete the folder and what the daemon has written there."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            # Records of output are in folders of their own, which stay.
            if path.is_file() or path.is_socket():
                path.unlink(missing_ok=True)
        folder.rmdir()


def _to_json(value: Any) -> Any:  # noqa: ANN401 - a field of a stop
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else value
