"""Tests of GPUs and NPUs as sources of activity, with a fake NVML and a fake npu-smi."""

from __future__ import annotations

import os
import stat
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import MINUTE, NOW
from keepalive.activity.fake_npu_smi import VERSIONS, write_npu_smi
from keepalive.activity.fake_nvml import COMPILER, CallbackNvml, CompiledNvml, FakeNvml, GpuState

from modelarts_magics.keepalive.activity.accelerators import (
    AcceleratorDetector,
    FindHolder,
    GpuReader,
    Holder,
    NpuReader,
)
from modelarts_magics.keepalive.activity.nvml import Nvml

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.keepalive.activity.source import Source

WriteNpuSmi = Callable[..., dict[str, str]]

START_S = 4.0
"""When the watch begins, by the clock of the samples."""

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="There is no C compiler")
NVML_FAKES = [
    pytest.param(CallbackNvml, id="callbacks"),
    pytest.param(CompiledNvml, id="compiled", marks=[needs_compiler, pytest.mark.process]),
]


@pytest.fixture(params=NVML_FAKES)
def nvml(request: pytest.FixtureRequest, tmp_path: Path) -> FakeNvml:
    """Return each fake of NVML."""
    return request.param(tmp_path)


def gpu_detector(nvml: FakeNvml, **options: Any) -> AcceleratorDetector:  # noqa: ANN401
    """Return a detector of the fake's GPUs."""
    reader = GpuReader(partial(Nvml, nvml.load, clock=lambda: START_S))
    return AcceleratorDetector(reader, **options)


def only(sources: list[Source]) -> Source:
    """Return the only source."""
    (source,) = sources
    return source


def holder(*, works: bool) -> FindHolder:
    """Return a function that finds train.py among any processes."""
    return lambda _: Holder("train.py", works)


def test_gpu_that_computes_is_busy(nvml: FakeNvml) -> None:
    """A GPU with a utilization above 0 is busy, and the reason says how much."""
    nvml.set(GpuState(rate=94, pids=[123], memory_mib=746))
    source = only(gpu_detector(nvml).detect(NOW))
    assert (source.kind, source.name, source.busy) == ("gpu", "GPU 0 (Fake H100)", True)
    assert str(source.reason) == "up to 94% in the last 15 min"


def test_gpu_without_programs_is_idle_at_once(nvml: FakeNvml) -> None:
    """Nothing has to be waited for where no process holds memory."""
    nvml.set(GpuState())
    source = only(gpu_detector(nvml).detect(NOW))
    assert (source.busy, str(source.reason)) == (False, "not in use")


def test_gpu_stays_busy_for_fifteen_minutes(nvml: FakeNvml) -> None:
    """A look that sees 0 % while data loads does not make the GPU idle; 15 minutes of them do."""
    detector = gpu_detector(nvml)
    states = {}
    for minute in range(18):
        nvml.set(GpuState(rate=50 if minute == 0 else 0, pids=[123], memory_mib=746))
        states[minute] = only(detector.detect(NOW + minute * MINUTE)).busy
    assert [minute for minute, busy in states.items() if busy is False] == [16, 17]


def test_samples_from_before_the_watch_do_not_count(nvml: FakeNvml) -> None:
    """The driver keeps samples of the last 14 s, when the device may have been somebody else's."""
    before = int(START_S * 1e6) - 1
    nvml.set(GpuState(samples=[(before, 99)], process_samples=[(123, before, 99)]))
    assert only(gpu_detector(nvml).detect(NOW)).busy is False


@pytest.mark.parametrize(("state", "seconds"), [(GpuState(), 60), (GpuState(pids=[123]), 12)])
def test_gpu_in_use_is_looked_at_every_twelve_seconds(
    nvml: FakeNvml, state: GpuState, seconds: int
) -> None:
    """The samples of a driver reach 14 s back, so a GPU in use is looked at before they are gone."""
    detector = gpu_detector(nvml)
    nvml.set(state)
    detector.detect(NOW)
    assert detector.interval.total_seconds() == seconds


@pytest.mark.parametrize("where", ["samples", "process_samples"])
def test_work_between_two_looks_is_seen_in_samples(nvml: FakeNvml, where: str) -> None:
    """Work that is over at the moment of the look is in the samples that the driver took."""
    sample = (5_000_000, 3) if where == "samples" else (123, 5_000_000, 3)
    nvml.set(GpuState(pids=[123], memory_mib=746, **{where: [sample]}))
    assert only(gpu_detector(nvml).detect(NOW)).busy is True


def test_samples_are_counted_once(nvml: FakeNvml) -> None:
    """A sample that was seen at one look does not make the GPU busy after the window of that look."""
    detector = gpu_detector(nvml)
    nvml.set(GpuState(pids=[123], samples=[(5_000_000, 3)], process_samples=[(123, 6_000_000, 2)]))
    states = [only(detector.detect(NOW + minute * MINUTE)).busy for minute in range(17)]
    assert states == [True] * 16 + [False]


def test_memory_of_a_working_process_makes_the_gpu_busy(nvml: FakeNvml) -> None:
    """A job that works 1 ms every 5 s shows 0 %; its process says that it works."""
    nvml.set(GpuState(pids=[123], memory_mib=746))
    source = only(gpu_detector(nvml, find_holder=holder(works=True)).detect(NOW))
    assert source.busy is True
    assert str(source.reason) == "memory held by train.py, which is working"


def test_memory_of_an_idle_process_is_named_and_does_not_count(nvml: FakeNvml) -> None:
    """A GPU that is held by an idle process is unknown for ten minutes, and then idle, with its holder's name."""
    nvml.set(GpuState(pids=[123], memory_mib=746))
    detector = gpu_detector(nvml, find_holder=holder(works=False))
    sources = [only(detector.detect(NOW + minute * MINUTE)) for minute in range(12)]
    assert [source.busy for source in sources] == [None] * 10 + [False] * 2
    assert str(sources[3].reason) == "0% so far, but watched for 3 min only"
    assert str(sources[-1].reason) == "0%; memory held by train.py, which is not working"
    assert sources[-1].since == NOW + 10 * MINUTE


def test_memory_of_a_hidden_process_is_watched(nvml: FakeNvml) -> None:
    """In a container the processes may be hidden; memory in use still needs ten minutes at 0 %."""
    nvml.set(GpuState(memory_mib=746))
    detector = gpu_detector(nvml)
    assert only(detector.detect(NOW)).busy is None
    source = only(detector.detect(NOW + 10 * MINUTE))
    assert (source.busy, str(source.reason)) == (False, "0% in the last 15 min")


def test_gpu_that_reports_no_utilization_is_unknown(nvml: FakeNvml) -> None:
    """With MIG no utilization is reported: unknown while a program is on the GPU, idle without one."""
    nvml.set(GpuState(error=3, pids=[123], memory_mib=746), GpuState(error=3))
    first, second = gpu_detector(nvml).detect(NOW)
    assert (first.busy, str(first.reason)) == (None, "utilization not reported")
    assert second.busy is False


def missing_library(_name: str) -> None:
    """Fail like the loader without the driver's library."""
    raise OSError("libnvidia-ml.so.1: cannot open shared object file")


def test_machine_without_gpu_has_no_source(tmp_path: Path) -> None:
    """Without a driver and without devices there is nothing unknown."""
    reader = GpuReader(partial(Nvml, missing_library))
    assert AcceleratorDetector(reader, device_folder=tmp_path).detect(NOW) == []


def test_gpu_without_driver_library_is_unknown(tmp_path: Path) -> None:
    """A device whose driver's library is missing cannot be known, and the reason says so."""
    (tmp_path / "nvidia0").touch()
    reader = GpuReader(partial(Nvml, missing_library))
    source = only(AcceleratorDetector(reader, device_folder=tmp_path).detect(NOW))
    assert (source.busy, source.name) == (None, "GPU")
    assert str(source.reason) == "driver library not found"


def test_driver_that_fails_is_tried_again(nvml: FakeNvml, tmp_path: Path) -> None:
    """An error is unknown with its code, and the next look initializes the driver again."""
    (tmp_path / "nvidia0").touch()
    detector = gpu_detector(nvml, device_folder=tmp_path)
    nvml.set(GpuState(), init_error=9)
    assert str(only(detector.detect(NOW)).reason) == "the driver reported error 9"
    nvml.set(GpuState(rate=7))
    assert only(detector.detect(NOW + MINUTE)).busy is True
    detector.close()


@pytest.fixture(params=VERSIONS, ids=str)
def npu_smi(request: pytest.FixtureRequest, tmp_path: Path) -> WriteNpuSmi:
    """Return a function that writes the npu-smi of each version of CANN, and returns its environment."""

    def write(**state: Any) -> dict[str, str]:  # noqa: ANN401 - see write_npu_smi
        write_npu_smi(tmp_path, request.param, **state)
        return {"PATH": f"{tmp_path}:{os.defpath}"}

    return write


@pytest.mark.process
def test_npu_that_computes_is_busy(npu_smi: WriteNpuSmi) -> None:
    """The utilization is read in the spelling of each version; the management chip is no NPU."""
    detector = AcceleratorDetector(NpuReader(npu_smi(utilization=57, pids=[123])))
    source = only(detector.detect(NOW))
    assert (source.kind, source.busy) == ("npu", True)
    assert source.name.startswith("NPU 4 (")
    assert str(source.reason) == "up to 57% in the last 15 min"


@pytest.mark.process
def test_npu_in_use_is_idle_after_ten_minutes_at_zero(npu_smi: WriteNpuSmi) -> None:
    """An NPU that a process holds is idle after ten minutes of 0 %; memory and its CPUs do not count."""
    detector = AcceleratorDetector(NpuReader(npu_smi(utilization=0, pids=[123])))
    states = [only(detector.detect(NOW + minutes * MINUTE)).busy for minutes in (0, 9, 10)]
    assert states == [None, None, False]


@pytest.mark.process
def test_npu_without_programs_is_idle_at_once(npu_smi: WriteNpuSmi) -> None:
    """Nothing has to be waited for where no process holds memory."""
    source = only(AcceleratorDetector(NpuReader(npu_smi(utilization=0, pids=[]))).detect(NOW))
    assert (source.busy, str(source.reason)) == (False, "not in use")


@pytest.mark.process
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "npu-smi failed"),
        ("exec sleep 60", "npu-smi did not answer within 3 s"),
        (None, "npu-smi not found"),
    ],
)
def test_npu_that_cannot_be_read_is_unknown(
    tmp_path: Path, script: str | None, reason: str
) -> None:
    """A tool that is missing, fails or hangs leaves the devices unknown, for its own reason."""
    (tmp_path / "davinci0").touch()
    if script:
        program = tmp_path / "npu-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    reader = NpuReader({"PATH": f"{tmp_path}:{os.defpath}"}, timeout_s=0.5)
    source = only(AcceleratorDetector(reader, device_folder=tmp_path).detect(NOW))
    assert (source.busy, source.name, str(source.reason)) == (None, "NPU", reason)


def test_machine_without_npu_has_no_source(tmp_path: Path) -> None:
    """Without the tool and without devices there is nothing unknown."""
    reader = NpuReader({"PATH": str(tmp_path)})
    assert AcceleratorDetector(reader, device_folder=tmp_path).detect(NOW) == []
