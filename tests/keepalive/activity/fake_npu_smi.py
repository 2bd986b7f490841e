"""A fake npu-smi with the output of three versions of CANN."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEVICES_OLD = """\
        NPU ID                         Chip ID                        Chip Logic ID                  Chip Name
        4                              0                              0                              Ascend 910B
        4                              1                              -                              Mcu
"""
DEVICES_NEW = """\
        NPU ID        Slot ID       Chip ID       Chip Phy-ID   Chip Name
        4             22            0             5             Ascend910_9382
        4             22            1             6             Ascend910_9382
"""
USAGES_5 = """\
        Memory Capacity(MB)            : 15171
        Memory Usage Rate(%)           : 5
        Hugepages Usage Rate(%)        : 97
        AI Core Usage Rate(%)          : {0}
        AI CPU Usage Rate(%)           : 1
        Ctrl CPU Usage Rate(%)         : 16
        Memory Bandwidth Usage Rate(%) : 4
"""
USAGES_7 = """\
        NPU ID                         : 4
        Chip Count                     : 1

        DDR Capacity(MB)               : 0
        DDR Usage Rate(%)              : 0
        HBM Capacity(MB)               : 65536
        HBM Usage Rate(%)              : 3
        Aicore Usage Rate(%)           : {0}
        Aivector Usage Rate(%)         : 0
        Aicpu Usage Rate(%)            : 1
        Ctrlcpu Usage Rate(%)          : 2
        DDR Bandwidth Usage Rate(%)    : 0
        HBM Bandwidth Usage Rate(%)    : 1
        Chip ID                        : 0
"""
USAGES_8 = """\
        NPU ID                         : 4
        Chip Count                     : 2
        HBM Usage Rate(%)              : 21
        AICore Usage Rate(%)           : 0
        Aicpu Usage Rate(%)            : 1
        NPU Utilization(%)             : 0
        Chip ID                        : 0
        HBM Usage Rate(%)              : 3
        AICore Usage Rate(%)           : 0
        Aicpu Usage Rate(%)            : 1
        NPU Utilization(%)             : {0}
        Chip ID                        : 1
"""
VERSIONS = {
    "CANN 5": (DEVICES_OLD, USAGES_5, "Process id:{0} Process name:python Process memory(MB):512"),
    "CANN 7": (
        DEVICES_OLD,
        USAGES_7,
        "        Process id                     : {0}    Process memory(MB)             : 512",
    ),
    "CANN 8": (DEVICES_NEW, USAGES_8, "        Process id:{0}        Process name:python"),
}
"""By version: the outputs of ``info -m`` and of ``info -t usages``, and a row of ``info -t proc-mem``."""


def write_npu_smi(
    folder: Path, version: str, *, utilization: int, pids: Sequence[int] = ()
) -> None:
    """Write the program into a folder.

    Args:
        folder: The folder, to be put into PATH.
        version: One of `VERSIONS`.
        utilization: In percent.
        pids: The processes that hold memory.
    """
    devices, usages, process = VERSIONS[version]
    rows = "\n".join(process.format(pid) for pid in pids) or "        No process in device."
    program = folder / "npu-smi"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
"info -m") cat <<'END'
{devices}END
;;
"info -t usages -i 4") cat <<'END'
{usages.format(utilization)}END
;;
"info -t proc-mem -i 4") cat <<'END'
        NPU ID                         : 4
{rows}
END
;;
*) exit 1;;
esac
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
