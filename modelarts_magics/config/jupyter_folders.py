"""The user's folders of Jupyter.

Source: Jupyter's documentation, "Common directories and file locations".
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.config.settings_file import NO_FOLDER, home_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


def jupyter_data_folder(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """Return the data folder, which contains extensions and kernel specs."""
    if environ.get("JUPYTER_DATA_DIR"):
        return Path(environ["JUPYTER_DATA_DIR"])
    home = home_folder(environ) or NO_FOLDER
    if platform == "darwin":
        return home / "Library" / "Jupyter"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / ".jupyter") / "jupyter"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def jupyter_runtime_folder(environ: Mapping[str, str]) -> Path:
    """Return the runtime folder, in which servers and kernels describe how to connect to them."""
    explicit = environ.get("JUPYTER_RUNTIME_DIR")
    return Path(explicit) if explicit else jupyter_data_folder(environ) / "runtime"
