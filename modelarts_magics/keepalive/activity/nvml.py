"""NVIDIA's management library by ctypes: what the GPUs of this machine do, without a dependency.

Source: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html and ``nvml.h``.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import byref, c_char, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from typing import Any, Callable

LIBRARY = "libnvidia-ml.so.1"
_SUCCESS, _NOT_SUPPORTED, _NOT_FOUND = 0, 3, 6
_UTILIZATION_SAMPLES = 1
"""The kind of samples that nvmlDeviceGetSamples returns."""
_MEMORY_VERSION = 2
"""The version of the structure, which its first field states together with its size."""
_NAME_BYTES = 96
_MAX_PROCESSES, _MAX_SAMPLES = 256, 1024


class NvmlError(Exception):
    """NVML cannot be used.

    Attributes:
        code: The error code of NVML; None if the library could not be loaded.
    """

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Utilization(ctypes.Structure):
    """``nvmlUtilization_t``."""

    _fields_ = (("gpu", c_uint), ("memory", c_uint))


class ProcessInfo(ctypes.Structure):
    """``nvmlProcessInfo_t``, of versions 2 and 3 of the call."""

    _fields_ = (
        ("pid", c_uint),
        ("used_memory", c_ulonglong),
        ("gpu_instance", c_uint),
        ("compute_instance", c_uint),
    )


class ProcessSample(ctypes.Structure):
    """``nvmlProcessUtilizationSample_t``."""

    _fields_ = (
        ("pid", c_uint),
        ("timestamp", c_ulonglong),
        ("sm", c_uint),
        ("memory", c_uint),
        ("encoder", c_uint),
        ("decoder", c_uint),
    )


class Memory(ctypes.Structure):
    """``nvmlMemory_v2_t``."""

    _fields_ = (
        ("version", c_uint),
        ("total", c_ulonglong),
        ("reserved", c_ulonglong),
        ("free", c_ulonglong),
        ("used", c_ulonglong),
    )


class Sample(ctypes.Structure):
    """``nvmlSample_t``; the value is a union of eight bytes, here an unsigned int."""

    _fields_ = (("timestamp", c_ulonglong), ("value", c_uint), ("padding", c_uint))


@dataclass(frozen=True)
class GpuReading:
    """The state of one GPU since the last reading.

    Attributes:
        name: The model.
        utilization: The highest utilization seen, in percent; None if the GPU does not report it, as with MIG.
        pids: The processes that hold memory on it; None if they are not reported.
        memory_mib: The memory in use, without what the driver reserves, in MiB; None if it is not reported.
    """

    name: str
    utilization: int | None
    pids: tuple[int, ...] | None
    memory_mib: int | None


class Nvml:
    """NVML, initialized once: that costs up to a second where no process uses a GPU.

    Args:
        load: Loads a shared library; replaced in tests.
        clock: The time in seconds since the epoch, by which the driver also dates its samples.

    Raises:
        NvmlError: There is no driver, or it cannot be used.
    """

    def __init__(
        self, load: Callable[[str], Any] = ctypes.CDLL, *, clock: Callable[[], float] = time.time
    ) -> None:
        try:
            self._library = load(LIBRARY)
        except OSError as error:
            raise NvmlError(None) from error
        _check(self._library.nvmlInit_v2())
        # The driver keeps samples from before, when the device may have been somebody else's.
        self._watched_since_us = int(clock() * 1e6)
        self._last_sample_us: dict[tuple[int, str], int] = {}

    def read(self) -> list[GpuReading]:
        """Return what each GPU did since the last call.

        Raises:
            NvmlError: The driver does not answer.
        """
        count = c_uint()
        _check(self._library.nvmlDeviceGetCount_v2(byref(count)))
        return [self._read_device(index) for index in range(count.value)]

    def close(self) -> None:
        """Release the driver."""
        self._library.nvmlShutdown()

    def _read_device(self, index: int) -> GpuReading:
        device = c_void_p()
        _check(self._library.nvmlDeviceGetHandleByIndex_v2(c_uint(index), byref(device)))
        name = (c_char * _NAME_BYTES)()
        _check(self._library.nvmlDeviceGetName(device, name, c_uint(_NAME_BYTES)))
        seen = [
            self._current_utilization(device),
            self._sampled_utilization(device, index),
            self._process_utilization(device, index),
        ]
        known = [value for value in seen if value is not None]
        return GpuReading(
            name=name.value.decode(errors="replace"),
            utilization=max(known, default=None),
            pids=self._processes(device),
            memory_mib=self._memory_mib(device),
        )

    def _current_utilization(self, device: c_void_p) -> int | None:
        rates = Utilization()
        code = self._library.nvmlDeviceGetUtilizationRates(device, byref(rates))
        return _known(code, int(rates.gpu))

    def _sampled_utilization(self, device: c_void_p, index: int) -> int | None:
        """Return the highest of the samples that the driver has taken since the last call, at most the last 14 s.

        Observed on H100 and H200 (driver 580): it keeps 71 samples, five a second.
        """
        samples, count, kind = (Sample * _MAX_SAMPLES)(), c_uint(_MAX_SAMPLES), c_uint()
        since = c_ulonglong(self._last_sample(index, "gpu"))
        code = self._call(
            "nvmlDeviceGetSamples",
            device,
            c_uint(_UTILIZATION_SAMPLES),
            since,
            byref(kind),
            byref(count),
            samples,
        )
        taken = [samples[number] for number in range(count.value)] if code == _SUCCESS else []
        self._remember(index, "gpu", taken)
        return _known(code, max((int(sample.value) for sample in taken), default=0))

    def _process_utilization(self, device: c_void_p, index: int) -> int | None:
        """Return the highest share of the processors that one process had since the last call."""
        samples, count = (ProcessSample * _MAX_PROCESSES)(), c_uint(_MAX_PROCESSES)
        since = c_ulonglong(self._last_sample(index, "process"))
        code = self._call("nvmlDeviceGetProcessUtilization", device, samples, byref(count), since)
        taken = [samples[number] for number in range(count.value)] if code == _SUCCESS else []
        self._remember(index, "process", taken)
        return _known(code, max((int(sample.sm) for sample in taken), default=0))

    def _processes(self, device: c_void_p) -> tuple[int, ...] | None:
        processes, count = (ProcessInfo * _MAX_PROCESSES)(), c_uint(_MAX_PROCESSES)
        for version in ("_v3", "_v2"):
            name = f"nvmlDeviceGetComputeRunningProcesses{version}"
            code = self._call(name, device, byref(count), processes)
            if code == _SUCCESS:
                return tuple(int(processes[number].pid) for number in range(count.value))
        return None

    def _memory_mib(self, device: c_void_p) -> int | None:
        memory = Memory(version=ctypes.sizeof(Memory) | _MEMORY_VERSION << 24)
        code = self._call("nvmlDeviceGetMemoryInfo_v2", device, byref(memory))
        return int(memory.used) >> 20 if code == _SUCCESS else None

    def _call(self, name: str, *arguments: object) -> int:
        """Call a function that an old driver may lack."""
        function = getattr(self._library, name, None)
        return _NOT_SUPPORTED if function is None else int(function(*arguments))

    def _last_sample(self, index: int, kind: str) -> int:
        """Return the time of the last sample that was seen, or of the beginning, in µs since the epoch."""
        return self._last_sample_us.get((index, kind), self._watched_since_us)

    def _remember(self, index: int, kind: str, taken: list[Any]) -> None:
        newest = max((int(sample.timestamp) for sample in taken), default=0)
        self._last_sample_us[(index, kind)] = max(newest, self._last_sample(index, kind))


def _known(code: int, value: int) -> int | None:
    """Return the value of a call: 0 if there was nothing to report, None if the call failed."""
    if code == _SUCCESS:
        return value
    return 0 if code == _NOT_FOUND else None


def _check(code: int) -> None:
    if code != _SUCCESS:
        raise NvmlError(code)
