"""Check the process that keeps the instance running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.guards import list_guards
from modelarts_magics.keepalive.state import read_running_state
from modelarts_magics.keepalive.switched_mode import is_mode_switched
from modelarts_magics.messages import join_list, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.config.settings import Settings

_SUBJECT = "keep-alive"


def keep_alive_findings(settings: Settings) -> Iterator[Finding]:
    """Yield the state of the daemon, if the settings identify the instance.

    Args:
        settings: The resolved settings.
    """
    try:
        folder = daemon_folder(settings)
    except ConfigurationError:
        return
    guards, running = list_guards(folder), read_running_state(folder)
    if is_mode_switched(folder):
        yield Finding(_SUBJECT, Level.INFO, text("keep.switched"))
    if running is None and guards:
        names = join_list(guard.name for guard in guards)
        message = text("doctor.keep.not_running", names=names)
        yield Finding(_SUBJECT, Level.PROBLEM, message, text("doctor.keep.not_running.hint"))
    elif running is None:
        yield Finding(_SUBJECT, Level.OK, text("doctor.keep.none"))
    elif running.problem is not None:
        hint = text("doctor.keep.problem.hint")
        yield Finding(_SUBJECT, Level.PROBLEM, str(running.problem), hint)
    else:
        message = text("doctor.keep.running", pid=running.pid, count=len(guards))
        yield Finding(_SUBJECT, Level.OK, message)
