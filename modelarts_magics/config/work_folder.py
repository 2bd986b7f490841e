"""The folder that is kept when an instance stops, and the names of this package's files in it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from modelarts_magics.config.settings_file import NO_FOLDER, home_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COPY_FOLDER = ".modelarts-magics"
"""The folder of the copies, one for each Python version."""
START_FILE = "modelarts.py"
"""The file that loads the copy."""


def work_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder that is kept when the instance stops; it exists on an instance."""
    return (home_folder(environ) or NO_FOLDER) / "work"


def python_folder_name() -> str:
    """Return the name of the folder of this Python version."""
    return f"py{sys.version_info[0]}.{sys.version_info[1]}"
