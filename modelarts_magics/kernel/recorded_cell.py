"""Ask the daemon to record the cell that runs, and wait until it does."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics import messages
from modelarts_magics.domain.clock import wait_until
from modelarts_magics.keepalive.recorder import ATTACHED, RecordingRequest
from modelarts_magics.keepalive.records import find_record, new_record_id

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

START_TIMEOUT_S = 5.0
"""How long a cell waits for its recording to begin before it runs anyway."""


def recording_of_cell(shell: InteractiveShell, code: str, *, folder: Path) -> dict[str, Any] | None:
    """Return the recording of the cell that runs, for `recorder.DETAIL` of its guard; None outside a kernel.

    Args:
        shell: The shell of the kernel.
        code: The code of the cell.
        folder: The folder of the records.
    """
    parent, connection_file = _parent_request(shell), _connection_file()
    if parent is None or connection_file is None:
        return None
    return asdict(
        RecordingRequest(
            id=new_record_id(),
            folder=str(folder),
            connection_file=connection_file,
            parent_id=parent["header"]["msg_id"],
            code=code,
            started=time.time(),
            cell_id=str(parent.get("metadata", {}).get("cellId") or ""),
            language=messages.language(),
        )
    )


def wait_until_recorded(
    shell: InteractiveShell, recording: dict[str, Any], *, timeout_s: float = START_TIMEOUT_S
) -> bool:
    """Wait until messages of this cell reach the recorder; return whether they do.

    A new subscriber misses the messages before its subscription has arrived, so the kernel repeats the status of
    the cell, which changes nothing for other subscribers, until the recorder has seen it.

    Args:
        shell: The shell of the kernel.
        recording: The result of `recording_of_cell`, in a guard that the daemon knows.
        timeout_s: The longest time to wait, in seconds.
    """

    def is_recorded() -> bool:
        _publish_busy(shell)
        record = find_record(Path(recording["folder"]), recording["id"])
        return record is not None and bool(record.details.get(ATTACHED))

    return wait_until(is_recorded, timeout_s=timeout_s)


def _parent_request(shell: InteractiveShell) -> dict[str, Any] | None:
    """Return the request that runs this cell."""
    kernel = getattr(shell, "kernel", None)
    get_parent = getattr(kernel, "get_parent", None)
    parent = get_parent("shell") if get_parent else None
    return parent if isinstance(parent, dict) and parent.get("header") else None


def _connection_file() -> str | None:
    try:
        from ipykernel.connect import get_connection_file  # noqa: PLC0415 - there may be no kernel

        return str(Path(get_connection_file()).absolute())
    except (ImportError, RuntimeError, OSError):
        return None


def _publish_busy(shell: InteractiveShell) -> None:
    kernel: Any = shell.kernel
    kernel.session.send(
        kernel.iopub_socket,
        "status",
        {"execution_state": "busy"},
        parent=_parent_request(shell),
        ident=kernel._topic("status"),  # noqa: SLF001 - ipykernel has no public function for this
    )
