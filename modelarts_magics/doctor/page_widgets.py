"""Find out which widgets the pages of a Jupyter server can show, and what adds the others."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.config.work_folder import START_FILE, work_folder
from modelarts_magics.doctor.jupyter_server import major_version
from modelarts_magics.doctor.lab_extension import (
    WIDGET_MANAGER,
    is_built_in,
    is_disabled,
    served_extension,
)
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.doctor.jupyter_server import JupyterServer

COUNTDOWN_FRONT_END = "anywidget"
"""The name of the extension that shows the countdown."""
_MANAGER_OF_IPYWIDGETS_8 = 5
"""The first major version of the ipywidgets front end that shows widgets of ipywidgets 8, and no older ones."""


class WidgetObstacle(NamedTuple):
    """A reason why a page cannot show the countdown.

    Attributes:
        reason: The reason, as part of a sentence.
        hint: The line that removes it.
        shows_controls: Whether the page shows other widgets.
    """

    reason: str
    hint: str
    shows_controls: bool


def find_widget_obstacle(
    server: JupyterServer, environ: Mapping[str, str], *, ipywidgets: str
) -> WidgetObstacle | None:
    """Return why the pages of a server cannot show the countdown; None if they can, or it is not known.

    Args:
        server: The server.
        environ: The environment variables of this process.
        ipywidgets: The version of ipywidgets in the kernel; "" if it is not known.
    """
    if not server.can_load_widgets or is_built_in(WIDGET_MANAGER, server):
        return None
    # What `setup` has not written is lost when the instance stops.
    command = "setup" if (work_folder(environ) / START_FILE).is_file() else "install-lab"
    add = text("doctor.widgets.install", command=command)
    manager = served_extension(WIDGET_MANAGER, server)
    if manager is None:
        return WidgetObstacle(text("doctor.widgets.missing"), add, shows_controls=False)
    expected = 8 if major_version(manager.version) >= _MANAGER_OF_IPYWIDGETS_8 else 7
    if ipywidgets and major_version(ipywidgets) != expected:
        reason = text("doctor.widgets.version", installed=ipywidgets, expected=expected)
        hint = text("doctor.widgets.change", python=sys.executable, expected=expected)
        return WidgetObstacle(reason, hint, shows_controls=False)
    if is_disabled(COUNTDOWN_FRONT_END, server):
        enable = text("doctor.sidebar.enable", python=server.python, name=COUNTDOWN_FRONT_END)
        return WidgetObstacle(text("doctor.widgets.no_countdown"), enable, shows_controls=True)
    if served_extension(COUNTDOWN_FRONT_END, server) is None:
        return WidgetObstacle(text("doctor.widgets.no_countdown"), add, shows_controls=True)
    return None
