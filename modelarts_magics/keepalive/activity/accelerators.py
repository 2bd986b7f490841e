"""GPUs and NPUs: busy when they computed within the last minutes.

One look says little: while a training loads data, the utilization of that moment is 0 %. A device is therefore
busy when a look of the last 15 minutes saw work. NVIDIA's driver keeps the samples of the last 14 seconds, so that
looks every 12 seconds see all of the time.

Work of one millisecond every few seconds shows as 0 % in every sample. Memory that a process holds is therefore
named, and counts while that process works. A notebook that was left open keeps its memory for days.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Protocol

from modelarts_magics.keepalive.activity.npu_smi import TIMEOUT_S, read_npus
from modelarts_magics.keepalive.activity.nvml import Nvml, NvmlError
from modelarts_magics.keepalive.activity.source import GPU, NPU, Source, UnreadableError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

WINDOW = timedelta(minutes=15)
"""A device is busy when it computed within this time."""
MIN_OBSERVATION = timedelta(minutes=10)
"""A device that is in use counts as idle only after it has been watched for this time."""
INTERVAL_IN_USE = timedelta(seconds=12)
"""The time between two looks at devices that a program uses."""
INTERVAL = timedelta(minutes=1)
"""The time between two looks at other devices."""
UNUSED_MEMORY_MIB = 64
"""A device with less memory in use than this has no program on it."""
_DEVICE_FILES = {GPU: "nvidia[0-9]*", NPU: "davinci[0-9]*"}
"""The devices of the drivers in ``/dev``, by kind."""

FindHolder = Callable[["Sequence[int]"], "Holder | None"]
"""Returns a process of this machine among some IDs, one that works if there is one; None if there is none."""


@dataclass(frozen=True)
class Reading:
    """One look at a device.

    Attributes:
        name: The name to show, for example ``GPU 0 (NVIDIA H100)``.
        utilization: The highest since the last look that the driver tells, in percent; None if unknown.
        pids: The processes that hold memory on it; None if they are not known.
        in_use: Whether a program holds memory on it; None if unknown.
    """

    name: str
    utilization: int | None
    pids: tuple[int, ...] | None
    in_use: bool | None


@dataclass(frozen=True)
class Holder:
    """A process that holds memory on a device.

    Attributes:
        name: The name to show.
        works: Whether its kernel or terminal is busy, or its CPU time grows.
    """

    name: str
    works: bool


class Reader(Protocol):
    """Access to the devices of one kind.

    Attributes:
        kind: `GPU` or `NPU`.
        interval_in_use: The time between two looks at devices that a program uses.
    """

    kind: str
    interval_in_use: timedelta

    def read(self) -> list[Reading]:
        """Return a look at each device.

        Raises:
            UnreadableError: There is no driver, or it does not answer.
        """

    def close(self) -> None:
        """Release the driver."""


class GpuReader:
    """The GPUs, by NVML, which stays initialized.

    Args:
        open_library: Opens NVML; replaced in tests.
    """

    kind = GPU
    interval_in_use = INTERVAL_IN_USE

    def __init__(self, open_library: Callable[[], Nvml] = Nvml) -> None:
        self._open_library = open_library
        self._library: Nvml | None = None

    def read(self) -> list[Reading]:
        """Return a look at each GPU.

        Raises:
            UnreadableError: There is no driver, or it does not answer.
        """
        try:
            self._library = self._library or self._open_library()
            found = self._library.read()
        except NvmlError as error:
            # A driver that was updated or reset has to be initialized again.
            self.close()
            raise UnreadableError(_nvml_reason(error)) from error
        return [
            Reading(
                f"GPU {number} ({gpu.name})",
                gpu.utilization,
                gpu.pids,
                _is_in_use(gpu.pids, gpu.memory_mib),
            )
            for number, gpu in enumerate(found)
        ]

    def close(self) -> None:
        """Release the driver."""
        if self._library is not None:
            self._library.close()
            self._library = None


class NpuReader:
    """The NPUs, by ``npu-smi``.

    Args:
        environ: The environment of the program.
        timeout_s: The time limit of one call, in seconds.
    """

    kind = NPU
    # Each look starts programs.
    interval_in_use = INTERVAL

    def __init__(self, environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> None:
        self._environ = environ
        self._timeout_s = timeout_s

    def read(self) -> list[Reading]:
        """Return a look at each NPU.

        Raises:
            UnreadableError: The program is missing, failed or did not answer in time.
        """
        return [
            Reading(
                f"NPU {npu.id} ({npu.name})",
                npu.utilization,
                npu.pids,
                _is_in_use(npu.pids, None),
            )
            for npu in read_npus(self._environ, timeout_s=self._timeout_s)
        ]

    def close(self) -> None:
        """Release nothing: each look starts the program."""


class AcceleratorDetector:
    """The devices of one kind, watched over the last minutes.

    Args:
        reader: Reads the devices.
        find_holder: Finds the process to name among those that hold memory.
        device_folder: Where the drivers create their devices; replaced in tests.

    Attributes:
        interval: The time until the next look.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        find_holder: FindHolder = lambda _: None,
        device_folder: Path = Path("/dev"),
    ) -> None:
        self._reader = reader
        self._find_holder = find_holder
        self._device_folder = device_folder
        self._devices: dict[str, _Device] = {}
        self.interval = INTERVAL

    def detect(self, now: datetime) -> list[Source]:
        """Look at the devices, and return what is known about each; nothing if the machine has none."""
        try:
            readings = self._reader.read()
        except UnreadableError as error:
            self.interval = INTERVAL
            return self._unreadable(error.reason, now)
        in_use = any(reading.in_use is not False for reading in readings)
        self.interval = self._reader.interval_in_use if in_use else INTERVAL
        self._devices = {
            reading.name: self._devices.get(reading.name) or _Device(now) for reading in readings
        }
        return [self._source(reading, now) for reading in readings]

    def close(self) -> None:
        """Release the driver."""
        self._reader.close()

    def _unreadable(self, reason: Message, now: datetime) -> list[Source]:
        """Return the source for devices that exist and cannot be read."""
        kind = self._reader.kind
        if not any(self._device_folder.glob(_DEVICE_FILES[kind])):
            return []
        device = self._devices.setdefault("", _Device(now))
        return [Source(kind, kind.upper(), None, device.since(busy=None, now=now), reason)]

    def _source(self, reading: Reading, now: datetime) -> Source:
        device = self._devices[reading.name]
        device.note(reading.utilization, now)
        busy, reason = self._state(reading, device, now)
        since = device.since(busy=busy, now=now)
        return Source(self._reader.kind, reading.name, busy, since, reason)

    def _state(
        self, reading: Reading, device: _Device, now: datetime
    ) -> tuple[bool | None, Message]:
        if device.peak:
            values = {"percent": device.peak, "minutes": _minutes(WINDOW)}
            return True, Message("activity.device.busy", values)
        holder = self._find_holder(reading.pids) if reading.pids else None
        if holder and holder.works:
            return True, Message("activity.device.held_by_work", {"process": holder.name})
        if reading.in_use is False:
            return False, Message("activity.device.unused")
        if reading.utilization is None:
            return None, Message("activity.device.not_reported")
        if now - device.watched_since < MIN_OBSERVATION:
            values = {"minutes": _minutes(now - device.watched_since)}
            return None, Message("activity.device.watched", values)
        if holder is None:
            return False, Message("activity.device.idle", {"minutes": _minutes(WINDOW)})
        return False, Message("activity.device.held", {"process": holder.name})


class _Device:
    """The looks at one device.

    Attributes:
        watched_since: Since when it is watched.
        peak: The highest utilization within the window, in percent.
    """

    def __init__(self, now: datetime) -> None:
        self.watched_since = now
        self.peak = 0
        self._looks: deque[tuple[datetime, int]] = deque()
        self._busy: bool | None = None
        self._since = now

    def note(self, utilization: int | None, now: datetime) -> None:
        """Add a look, and forget those before the window."""
        self._looks.append((now, utilization or 0))
        while self._looks[0][0] < now - WINDOW:
            self._looks.popleft()
        self.peak = max(percent for _, percent in self._looks)

    def since(self, *, busy: bool | None, now: datetime) -> datetime:
        """Return since when the device is in a state."""
        if busy is not self._busy:
            self._busy, self._since = busy, now
        return self._since


def _is_in_use(pids: tuple[int, ...] | None, memory_mib: int | None) -> bool | None:
    """Return whether a program is on a device; in a container its processes may be hidden, not its memory."""
    if pids:
        return True
    if memory_mib is not None:
        return memory_mib >= UNUSED_MEMORY_MIB
    return None if pids is None else False


def _nvml_reason(error: NvmlError) -> Message:
    if error.code is None:
        return Message("activity.gpu.no_driver")
    return Message("activity.gpu.error", {"number": error.code})


def _minutes(duration: timedelta) -> int:
    return round(duration.total_seconds() / 60)
