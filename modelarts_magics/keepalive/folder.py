"""The folder of the daemon of one instance: guards, locks and the state file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.session.store import state_digest

if TYPE_CHECKING:
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.session.session import Session

FOLDER_SUFFIX = ".keepalive"


def daemon_folder(settings: Settings) -> Path:
    """Return the folder of the daemon of the instance; it may not exist yet.

    It is on a local disk: record locks do not work on the network file systems under ``~/work``.

    Args:
        settings: The resolved settings of a session, with endpoint, project ID and instance ID.
    """
    key = (settings.endpoint, settings.project_id, settings.instance_id)
    base = expand_user(settings.get("state_dir"))
    if _is_below(base, expand_user("~/work")):
        user = os.getuid() if hasattr(os, "getuid") else 0
        base = Path(tempfile.gettempdir()) / f"modelarts-magics-{user}"
    return base / f"{state_digest(key)}{FOLDER_SUFFIX}"


def folder_of_session(session: Session) -> Path:
    """Return the folder of the daemon of the instance of a session, which knows its settings."""
    if session.settings is None:
        raise AssertionError
    return daemon_folder(session.settings)


def json_files(folder: Path, prefix: str) -> list[Path]:
    """Return the JSON files in a folder whose names begin with a prefix; none if it cannot be listed."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a tenth of the price of a pattern, each second
    except OSError:
        return []
    return [folder / name for name in names if name.startswith(prefix) and name.endswith(".json")]


def _is_below(path: Path, folder: Path) -> bool:
    return folder.resolve() in (path.resolve(), *path.resolve().parents)
