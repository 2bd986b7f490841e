"""The price of watching kernels, the time until a change is noticed, and wrong reports."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Callable

from jupyter_client.manager import KernelManager
from measure import Figure

from modelarts_magics.keepalive.activity.kernels import KernelDetector
from modelarts_magics.keepalive.activity.machine import PROCESS_INTERVAL, MachineDetector
from modelarts_magics.keepalive.activity.watcher import KERNEL_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL_COUNT, PASSES = 3, 15
PASS_S = 2.0
"""The time between two readings: the loop makes a pass a second, and reads after more than `KERNEL_INTERVAL_S`."""
SAMPLE_S, SAMPLES = 0.05, 20
TIMEOUT_S = 60.0
MAX_CPU_MS, MAX_NOTICE_S, MAX_PROGRAM_NOTICE_S = 5.0, 2.0, 70.0
CELL, PROMPT = "import time; time.sleep(60)", "input()"
CELLS = (CELL, PROMPT, CELL, PROMPT, CELL)
PROGRAM = "sleep 600"


def figures() -> list[Figure]:
    """Measure with idle kernels, and with one that runs cells."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        managers = [stack.enter_context(_kernel(folder, number)) for number in range(KERNEL_COUNT)]
        detector = KernelDetector([folder])
        stack.callback(detector.close)
        _wait(lambda: [each.busy for each in _look(detector)] == [False] * KERNEL_COUNT)
        without = KernelDetector([Path(stack.enter_context(tempfile.TemporaryDirectory()))])
        base_ms, watched_ms = _cpu_ms_per_minute(without), _cpu_ms_per_minute(detector)
        client = stack.enter_context(_client(managers[0]))
        delays, false_idle, false_busy = _run_cells(managers[0], client, detector)
    notice_program_s, false_terminal_idle, false_terminal_busy = _watch_terminal()
    per_kernel = max(0.0, watched_ms - base_ms) / KERNEL_COUNT
    return [
        Figure("CPU per watched kernel and minute", per_kernel, maximum=MAX_CPU_MS, unit="ms"),
        Figure("  of the watch itself", base_ms, unit="ms"),
        Figure("time to notice a cell", median(delays), maximum=MAX_NOTICE_S),
        Figure("time to notice a program", notice_program_s, maximum=MAX_PROGRAM_NOTICE_S),
        Figure("reports of idle during a cell", false_idle, maximum=0, unit="of 100"),
        Figure("reports of busy after a cell", false_busy, maximum=0, unit="of 100"),
        Figure("  during a program in a terminal", false_terminal_idle, maximum=0, unit="of 20"),
        Figure("  at the prompt of a terminal", false_terminal_busy, maximum=0, unit="of 20"),
    ]


def _cpu_ms_per_minute(detector: KernelDetector) -> float:
    """Return the CPU time of a minute of readings, in milliseconds."""
    used = 0.0
    for _ in range(PASSES):
        time.sleep(PASS_S)
        start = time.thread_time()
        _look(detector)
        used += time.thread_time() - start
    return used * 1000 * (60 / (PASSES * PASS_S))


def _run_cells(
    manager: KernelManager,
    client: Any,  # noqa: ANN401 - a client
    detector: KernelDetector,
) -> tuple[list[float], int, int]:
    """Run cells; return the times to notice them, and how many readings during and after them were wrong."""
    delays, false_idle, false_busy = [], 0, 0
    for code in CELLS:
        started = time.monotonic()
        client.execute(code, allow_stdin=True)
        _wait(lambda: any(each.busy for each in _look(detector)), every_s=KERNEL_INTERVAL_S)
        delays.append(time.monotonic() - started)
        # Requests on the control channel also report "idle".
        client.control_channel.send(client.session.msg("usage_request", {}))
        false_idle += sum(not any(each.busy for each in found) for found in _samples(detector))
        manager.interrupt_kernel()
        _wait(lambda: not any(each.busy for each in _look(detector)))
        client.control_channel.send(client.session.msg("usage_request", {}))
        false_busy += sum(any(each.busy for each in found) for found in _samples(detector))
    return delays, false_idle, false_busy


def _watch_terminal() -> tuple[float, int, int]:
    """Return the longest time to notice a program in a terminal, and how many readings were wrong.

    The time is the one between two looks, which are not waited for, and that of the look itself.
    """
    detector, now_s = MachineDetector(), time.monotonic()
    leader, shell = pty.fork()
    if leader == 0:
        os.execvp("bash", ["bash", "--norc"])  # noqa: S606, S607 - the shell of the terminal

    def states() -> Iterator[bool | None]:
        nonlocal now_s
        for _ in range(SAMPLES):
            time.sleep(SAMPLE_S)
            now_s += PROCESS_INTERVAL.total_seconds()
            found = detector.detect(datetime.now(timezone.utc), now_s, ())
            yield next((each.busy for each in found if leader in each.pids), None)

    try:
        _wait(lambda: any(state is False for state in states()))
        false_busy = sum(state is not False for state in states())
        os.write(shell, f"{PROGRAM}\n".encode())
        _wait(lambda: any(states()))
        started = time.monotonic()
        false_idle = sum(state is not True for state in states())
        look_s = (time.monotonic() - started) / SAMPLES
    finally:
        os.kill(leader, signal.SIGKILL)
        os.close(shell)
        os.waitpid(leader, 0)
    return PROCESS_INTERVAL.total_seconds() + look_s, false_idle, false_busy


def _samples(detector: KernelDetector) -> Iterator[list[Any]]:
    for _ in range(SAMPLES):
        time.sleep(SAMPLE_S)
        yield _look(detector)


def _look(detector: KernelDetector) -> list[Any]:
    return detector.detect(datetime.now(timezone.utc))


def _wait(condition: Callable[[], bool], *, every_s: float = SAMPLE_S) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("a kernel did not reach the expected state")
        time.sleep(every_s)


@contextmanager
def _kernel(folder: Path, number: int) -> Iterator[KernelManager]:
    manager = KernelManager(connection_file=str(folder / f"kernel-{number}.json"))
    manager.start_kernel(stderr=subprocess.DEVNULL)
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


@contextmanager
def _client(manager: KernelManager) -> Iterator[Any]:
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIMEOUT_S)
        yield client
    finally:
        client.stop_channels()
