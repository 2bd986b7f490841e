"""Ascend NPUs by their tool ``npu-smi``.

The names of its rows differ between the versions of CANN and between products: ``Aicore Usage Rate(%)``,
``AI Core Usage Rate(%)``, ``AICore Usage Rate(%)``, ``NPU Utilization(%)``, ``NPU Real-time Utilization(%)``. A
name is therefore compared by its letters alone.

Source: https://www.hiascend.com/document, "npu-smi" (``info -m``, ``info -t usages``, ``info -t proc-mem``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from modelarts_magics.keepalive.activity.source import UnreadableError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 3.0
"""The time limit of one call."""
PROGRAM = "npu-smi"
_USUAL_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/local/Ascend/driver/tools"
"""Where the driver's installer puts the program; a daemon may have a short PATH."""
_UTILIZATION_ROWS = frozenset(
    (
        "aicoreusagerate",
        "aivectorusagerate",
        "aicubeusagerate",
        "npuutilization",
        "npurealtimeutilization",
        "chipusagerate",
    )
)
"""The rows that say that a program computes. The CPUs of the NPU and its memory are never quite at rest."""
_ROW = re.compile(
    r"^\s*(?P<name>[A-Za-z][^:]*?)\s*:\s*(?P<value>\d+)(?:\.\d+)?\s*%?\s*$", re.MULTILINE
)
_DEVICE_ROW = re.compile(r"^[\s|]*(?P<id>\d+)[\s|].*?(?P<chip>[A-Za-z]\S*)[\s|]*$", re.MULTILINE)
_PROCESS_ROW = re.compile(r"Process\s*id\s*:\s*(\d+)", re.IGNORECASE)
_MANAGEMENT_CHIP = "mcu"


@dataclass(frozen=True)
class NpuReading:
    """The state of one NPU now.

    Attributes:
        id: Its number.
        name: The model of its chip.
        utilization: The highest utilization of its chips, in percent; None if there is no row that says it.
        pids: The processes that hold memory on it; None if they are not reported.
    """

    id: int
    name: str
    utilization: int | None
    pids: tuple[int, ...] | None


def read_npus(environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> list[NpuReading]:
    """Return what each NPU does now.

    Args:
        environ: The environment, with the PATH to search and the variables that the driver needs.
        timeout_s: The time limit of one call, in seconds.

    Raises:
        UnreadableError: The program is missing, failed or did not answer in time.
    """
    path = f"{environ.get('PATH', '')}:{_USUAL_FOLDERS}"
    program = shutil.which(PROGRAM, path=path)
    if program is None:
        raise UnreadableError(Message("activity.npu.missing"))

    def query(*arguments: str) -> str:
        return _run([program, "info", *arguments], environ, timeout_s)

    return [_read_npu(query, number, chip) for number, chip in parse_devices(query("-m")).items()]


def parse_devices(output: str) -> dict[int, str]:
    """Return the model of each NPU by its number, from the output of ``npu-smi info -m``."""
    devices: dict[int, str] = {}
    for row in _DEVICE_ROW.finditer(output):
        if row["chip"].lower() != _MANAGEMENT_CHIP:
            devices.setdefault(int(row["id"]), row["chip"])
    return devices


def parse_utilization(output: str) -> int | None:
    """Return the highest utilization in the output of ``npu-smi info -t usages``; None if there is none."""
    values = [
        int(row["value"])
        for row in _ROW.finditer(output)
        if re.sub(r"[^a-z]", "", row["name"].lower()) in _UTILIZATION_ROWS
    ]
    return max(values, default=None)


def _read_npu(query: Callable[..., str], number: int, chip: str) -> NpuReading:
    usages = query("-t", "usages", "-i", str(number))
    return NpuReading(number, chip, parse_utilization(usages), _processes(query, number))


def _processes(query: Callable[..., str], number: int) -> tuple[int, ...] | None:
    """Return the processes on an NPU; None for an old version that cannot list them."""
    try:
        output = query("-t", "proc-mem", "-i", str(number))
    except UnreadableError:
        return None
    return tuple(int(pid) for pid in _PROCESS_ROW.findall(output))


def _run(command: list[str], environ: Mapping[str, str], timeout_s: float) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the program of the driver, without a shell
            command,
            capture_output=True,
            check=True,
            encoding="utf-8",
            env=dict(environ),
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(Message("activity.npu.timeout")) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnreadableError(Message("activity.npu.failed")) from error
    return done.stdout
