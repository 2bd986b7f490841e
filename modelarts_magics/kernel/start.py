"""Start from the copy in ``~/work``: load the magics, and install the sidebar again if it is gone."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from modelarts_magics.commands.dispatch import configure_messages
from modelarts_magics.commands.grammar import MAGIC_PREFIX
from modelarts_magics.commands.install_lab import install_extensions
from modelarts_magics.commands.work_copy import ACTIVATE_FILE_NAME, MANIFEST_NAME
from modelarts_magics.config.settings import Settings
from modelarts_magics.config.work_folder import COPY_FOLDER, python_folder_name, work_folder
from modelarts_magics.doctor.jupyter_server import find_jupyter_server
from modelarts_magics.doctor.lab_extension import (
    EXTENSION_NAME,
    packaged_extension,
    served_extension,
)
from modelarts_magics.doctor.page_widgets import COUNTDOWN_FRONT_END
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from pathlib import Path


def start() -> None:
    """Load the magics, install the sidebar where it is missing, and say so."""
    shell = get_ipython()
    shell.extension_manager.load_extension("modelarts_magics")
    configure_messages(Settings.load(), MAGIC_PREFIX)
    try:
        installed = _install_missing()
        if installed:
            print(text(installed))  # noqa: T201 - the output of the cell
    except ModelArtsError as error:
        print(error.message)  # noqa: T201 - as above


def _install_missing() -> str:
    """Install what the page can load and the server does not serve in this version.

    Returns:
        The code of the message about it; "" if nothing was installed.
    """
    server = find_jupyter_server(os.environ)
    folder = work_folder(os.environ) / COPY_FOLDER
    widgets = _wants_widgets(folder / python_folder_name() / MANIFEST_NAME)
    if server is None or not (server.can_load_extension or (server.can_load_widgets and widgets)):
        return ""
    name = EXTENSION_NAME if server.can_load_extension else COUNTDOWN_FRONT_END
    packaged, served = packaged_extension(name), served_extension(name, server)
    if packaged is None or (served and served.version == packaged.version):
        return ""
    install_extensions(
        os.environ, server, include_widget_manager=widgets, activate=folder / ACTIVATE_FILE_NAME
    )
    return "setup.reload" if server.can_load_extension else "setup.reload.widgets"


def _wants_widgets(manifest: Path) -> bool:
    try:
        return bool(json.loads(manifest.read_text(encoding="utf-8"))["widgets"])
    except (OSError, ValueError, KeyError):
        return False
