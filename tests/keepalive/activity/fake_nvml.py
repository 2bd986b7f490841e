"""Two fakes of NVML: a C library, where there is a compiler, and the same functions as callbacks of ctypes.

Both are called through the C interface with the layouts of ``nvml.h``, so that a wrong layout on our side fails.
"""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
from ctypes import CFUNCTYPE, POINTER, c_int, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Union

C_SOURCE = Path(__file__).with_name("fake_nvml.c")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

SUCCESS, NOT_FOUND = 0, 6


@dataclass
class GpuState:
    """The reports of a fake GPU.

    Attributes:
        rate: The utilization of this moment, in percent.
        samples: Time in µs and utilization of the samples that the driver took.
        process_samples: PID, time in µs and utilization of the samples of processes.
        pids: The processes that hold memory.
        memory_mib: The memory in use.
        error: The error of the calls for the utilization; 0 for none.
    """

    rate: int = 0
    samples: list[tuple[int, int]] = field(default_factory=list)
    process_samples: list[tuple[int, int, int]] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    memory_mib: int = 0
    error: int = SUCCESS

    def lines(self) -> str:
        """Return the state as the C library reads it."""
        samples = " ".join(f"{time} {value}" for time, value in self.samples)
        processes = " ".join(" ".join(map(str, sample)) for sample in self.process_samples)
        return (
            f"{self.rate} {self.error} {self.memory_mib}\n{len(self.pids)} "
            f"{' '.join(map(str, self.pids))}\n{len(self.samples)} {samples}\n"
            f"{len(self.process_samples)} {processes}\n"
        )


class CompiledNvml:
    """The C library; it reads the state of the GPUs from a file at each call."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "libnvidia-ml.so.1"
        self._state = folder / "libnvidia-ml.state"
        subprocess.run(  # noqa: S603 - the compiler of this machine
            [str(COMPILER), "-shared", "-fPIC", "-o", self._library, C_SOURCE], check=True
        )
        self.set()

    def set(self, *gpus: GpuState, init_error: int = SUCCESS) -> None:
        """Set what the GPUs report."""
        states = "".join(gpu.lines() for gpu in gpus)
        self._state.write_text(f"{init_error} {len(gpus)}\n{states}")

    def load(self, name: str) -> Any:  # noqa: ANN401 - a library
        """Load it in the place of the real one."""
        assert name == self._library.name
        library = ctypes.CDLL(str(self._library))
        library.fake_use_state(str(self._state).encode())
        return library


class CallbackNvml:
    """The same functions in Python, called through the C interface."""

    def __init__(self, _folder: Path) -> None:
        self._gpus: tuple[GpuState, ...] = ()
        self._init_error = SUCCESS

    def set(self, *gpus: GpuState, init_error: int = SUCCESS) -> None:
        """Set what the GPUs report."""
        self._gpus, self._init_error = gpus, init_error

    def load(self, name: str) -> CallbackNvml:
        """Load it in the place of the real one."""
        assert name == "libnvidia-ml.so.1"
        return self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a function
        implementation, *types = _FUNCTIONS[name]
        return CFUNCTYPE(c_int, *types)(lambda *arguments: implementation(self, *arguments))

    def init(self) -> int:
        """Initialize."""
        return self._init_error

    def shutdown(self) -> int:
        """Shut down."""
        return SUCCESS

    def count(self, count: Any) -> int:  # noqa: ANN401 - a pointer
        """Return the number of GPUs."""
        count[0] = len(self._gpus)
        return SUCCESS

    def handle(self, index: int, device: Any) -> int:  # noqa: ANN401 - a pointer
        """Return a handle: the number of the GPU, from 1."""
        device[0] = index + 1
        return SUCCESS

    def name(self, _device: int, name: int, length: int) -> int:
        """Return the model."""
        ctypes.memmove(name, b"Fake H100\0"[:length], 10)
        return SUCCESS

    def rates(self, device: int, rates: int) -> int:
        """Return the utilization of this moment: two unsigned int."""
        gpu = self._gpus[device - 1]
        ctypes.memmove(rates, struct.pack("II", gpu.rate, 1), 8)
        return gpu.error

    def processes(self, device: int, count: Any, processes: int) -> int:  # noqa: ANN401 - a pointer
        """Return the processes: PID, padding, memory, two instances."""
        pids = self._gpus[device - 1].pids
        data = b"".join(struct.pack("=IIQII", pid, 0, 1 << 20, 0, 0) for pid in pids)
        ctypes.memmove(processes, data, len(data))
        count[0] = len(pids)
        return SUCCESS

    def memory(self, device: int, memory: int) -> int:
        """Return the memory: version, padding, total, reserved, free, used."""
        assert struct.unpack("I", ctypes.string_at(memory, 4))[0] == 40 | 2 << 24
        used = self._gpus[device - 1].memory_mib << 20
        ctypes.memmove(memory + 8, struct.pack("=QQQQ", 80 << 30, 0, 0, used), 32)
        return SUCCESS

    def samples(self, device: int, *arguments: Any) -> int:  # noqa: ANN401 - pointers
        """Return the samples of the GPU that are newer than a time: time and a union of eight bytes."""
        _kind, since, value_type, count, samples = arguments
        taken = [each for each in self._gpus[device - 1].samples if each[0] > since]
        if error := self._gpus[device - 1].error or (SUCCESS if taken else NOT_FOUND):
            return error
        data = b"".join(struct.pack("=QII", time, value, 0) for time, value in taken)
        ctypes.memmove(samples, data, len(data))
        count[0], value_type[0] = len(taken), 1
        return SUCCESS

    def process_samples(self, device: int, samples: int, count: Any, since: int) -> int:  # noqa: ANN401 - a pointer
        """Return the samples of processes that are newer than a time."""
        taken = [each for each in self._gpus[device - 1].process_samples if each[1] > since]
        if error := self._gpus[device - 1].error or (SUCCESS if taken else NOT_FOUND):
            return error
        data = b"".join(
            struct.pack("=IIQIIII", pid, 0, time, value, 0, 0, 0) for pid, time, value in taken
        )
        ctypes.memmove(samples, data, len(data))
        count[0] = len(taken)
        return SUCCESS


FakeNvml = Union[CallbackNvml, CompiledNvml]

_FUNCTIONS: dict[str, tuple[Callable[..., int], Any]] = {
    "nvmlInit_v2": (CallbackNvml.init,),
    "nvmlShutdown": (CallbackNvml.shutdown,),
    "nvmlDeviceGetCount_v2": (CallbackNvml.count, POINTER(c_uint)),
    "nvmlDeviceGetHandleByIndex_v2": (CallbackNvml.handle, c_uint, POINTER(c_void_p)),
    "nvmlDeviceGetName": (CallbackNvml.name, c_void_p, c_void_p, c_uint),
    "nvmlDeviceGetUtilizationRates": (CallbackNvml.rates, c_void_p, c_void_p),
    "nvmlDeviceGetComputeRunningProcesses_v3": (
        CallbackNvml.processes,
        c_void_p,
        POINTER(c_uint),
        c_void_p,
    ),
    "nvmlDeviceGetMemoryInfo_v2": (CallbackNvml.memory, c_void_p, c_void_p),
    "nvmlDeviceGetSamples": (
        CallbackNvml.samples,
        c_void_p,
        c_uint,
        c_ulonglong,
        POINTER(c_uint),
        POINTER(c_uint),
        c_void_p,
    ),
    "nvmlDeviceGetProcessUtilization": (
        CallbackNvml.process_samples,
        c_void_p,
        c_void_p,
        POINTER(c_uint),
        c_ulonglong,
    ),
}
