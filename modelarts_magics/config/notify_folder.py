"""Whether the settings may need the daemon before each stop, found without them: ``%load_ext`` looks for it."""

from __future__ import annotations

import os

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS_FILE = ".modelarts-magics.ini"
FOLDER_NAME, FILE_NAME = ".modelarts-magics-notify", "sinks.json"


def may_need_daemon(environ: Mapping[str, str]) -> bool:
    """Return whether addresses for notifications or a command before the stop may be set; takes microseconds.

    Args:
        environ: The environment variables, which name these folders.
    """
    if environ.get("MODELARTS_BEFORE_STOP") or _may_have_command(environ):
        return True
    state_folder = environ.get("MODELARTS_STATE_DIR")
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    folders = (state_folder,) if state_folder else (f"{home}/work", f"{home}/.modelarts-magics")
    paths = (f"{os.path.expanduser(each)}/{FOLDER_NAME}/{FILE_NAME}" for each in folders)  # noqa: PTH111 - pathlib takes longer
    return any(map(os.path.exists, paths))


def _may_have_command(environ: Mapping[str, str]) -> bool:
    """Return whether a settings file mentions the command before the stop."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    explicit = environ.get("MODELARTS_CONFIG")
    paths = (explicit,) if explicit else (f"{home}/work/{SETTINGS_FILE}", f"{home}/{SETTINGS_FILE}")
    for path in paths:
        try:
            with open(os.path.expanduser(path), "rb") as file:  # noqa: PTH111, PTH123 - as above
                return b"before_stop" in file.read()
        except OSError:
            continue
    return False
