"""Run the daemon with all its components, which sees of this machine the processes of one session only.

The processes of other tests would keep the instance busy: ``isolated_daemon.py FOLDER SESSION``.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.activity.kernels import KernelDetector, connection_file_folders
from modelarts_magics.keepalive.activity.machine import MachineDetector
from modelarts_magics.keepalive.activity.processes import ProcessReader
from modelarts_magics.keepalive.activity.watcher import Watcher
from modelarts_magics.keepalive.component_factories import FACTORIES
from modelarts_magics.keepalive.process import run_elected

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.keepalive.activity.processes import Look
    from modelarts_magics.keepalive.components import ComponentContext


class SessionReader(ProcessReader):
    """Read the processes of one POSIX session.

    Args:
        session: The ID of the session.
    """

    def __init__(self, session: int) -> None:
        super().__init__()
        self._session = session

    def read(self, *, at: datetime, monotonic_s: float) -> Look:
        """Return the processes of the session."""
        look = super().read(at=at, monotonic_s=monotonic_s)
        members = {process.pid: process for process in look.members(self._session)}
        return replace(look, processes=members)


def main(folder: str, session: str) -> None:
    """Run the daemon until nothing needs it."""

    def create_watcher(context: ComponentContext) -> Watcher:
        machine = MachineDetector(reader=SessionReader(int(session)), time_scale=context.time_scale)
        kernels = KernelDetector(connection_file_folders(context.environ))
        return Watcher(context.folder, kernels=kernels, machine=machine)

    factories = {**FACTORIES, "activity": create_watcher}
    run_elected(Path(folder), {}, os.environ, replace=False, factories=factories)


if __name__ == "__main__":
    main(*sys.argv[1:])
