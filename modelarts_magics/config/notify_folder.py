"""The file of the addresses that notifications are sent to, found without settings: ``%load_ext`` looks for it."""

from __future__ import annotations

import os

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_NAME, FILE_NAME = ".modelarts-magics-notify", "sinks.json"


def may_have_sinks(environ: Mapping[str, str]) -> bool:
    """Return whether the file exists in one of the folders that survive a stop; takes microseconds.

    Args:
        environ: The environment variables, which name these folders.
    """
    state_folder = environ.get("MODELARTS_STATE_DIR")
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    folders = (state_folder,) if state_folder else (f"{home}/work", f"{home}/.modelarts-magics")
    paths = (f"{os.path.expanduser(each)}/{FOLDER_NAME}/{FILE_NAME}" for each in folders)  # noqa: PTH111 - pathlib takes longer
    return any(map(os.path.exists, paths))
