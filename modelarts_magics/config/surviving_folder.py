"""The folder of the files that have to survive a stop of the instance.

On ModelArts only ``~/work`` is preserved. The other state files, which processes of one run share, are in the
state folder: a lock needs a local disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.config.work_folder import work_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings


def surviving_folder(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return the folder, which may not exist yet: ``~/work`` if it exists, else the state folder.

    A state folder that is set holds all state.

    Args:
        settings: The settings with their sources.
        environ: The environment variables, which name the home folder.
    """
    state_folder = expand_user(settings.get("state_dir"))
    if settings.source("state_dir") != "default":
        return state_folder
    work = work_folder(environ)
    return work if work.is_dir() else state_folder
