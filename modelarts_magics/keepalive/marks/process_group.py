"""Signal the process group of a command.

On a terminal the command leads a group of its own. Otherwise it is in that of its starter, and of the shell or
script that has started that: then only the members of the group that descend from the command are signalled.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.processes import PARENT_FIELD, process_started, stat_fields

if TYPE_CHECKING:
    import signal

_GROUP_FIELD = 2


def signal_group(pid: int, number: signal.Signals, *, started: int | None) -> bool:
    """Send a signal to a command and the other processes of its group that belong to it.

    Args:
        pid: The process of the command.
        number: The signal.
        started: What `process_started` returned for it.

    Returns:
        Whether the command still ran.

    Raises:
        PermissionError: The command is that of another user.
    """
    if started is not None and process_started(pid) != started:
        return False
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
            return True
        members = group_members(pid)
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    for member in members:
        with contextlib.suppress(OSError):
            os.kill(member, number)
    return True


def group_members(pid: int, *, processes: Path = Path("/proc")) -> list[int]:
    """Return the descendants of a process that are in its group.

    Args:
        pid: The process.
        processes: The folder with a folder for each process; replaced in tests.
    """
    found = {
        int(path.name): fields
        for path in processes.glob("[0-9]*")
        if (fields := stat_fields(int(path.name), processes=processes))
    }
    group = found[pid][_GROUP_FIELD] if pid in found else ""
    return [
        each
        for each, fields in found.items()
        if fields[_GROUP_FIELD] == group and _descends(each, pid, found)
    ]


def _descends(process: int, ancestor: int, found: dict[int, list[str]]) -> bool:
    while process in found:
        process = int(found[process][PARENT_FIELD])
        if process == ancestor:
            return True
    return False
