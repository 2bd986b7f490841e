"""The price of the daemon while it guards, the time until guarded work starts, and its renewals per day."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from measure import Figure

from modelarts_magics.api.notebooks import CAPABILITIES
from modelarts_magics.commands.keep import end_all
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.models import AutoStop, Instance, Status
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.client import KeepRequest, add_guard, keep_alive
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.guards import API, NAMED
from modelarts_magics.keepalive.policy import Memory, Situation, decide
from modelarts_magics.keepalive.state import read_running_state
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.session.session import Session

SAMPLE_S, STARTS = 60.0, 5
DAY = timedelta(days=1)
MAX_MEMORY_MB, MAX_CPU_MS, MAX_RENEWALS = 60, 50, 48


def figures() -> list[Figure]:
    """Measure with one guard."""
    with _instance() as (session, environ):
        first_lines = [_time_to_first_line(session, environ) for _ in range(STARTS)]
        add_guard(session, KeepRequest(NAMED, "bench"), environ=environ)
        state = read_running_state(folder_of_session(session))
        if state is None:
            raise RuntimeError
        memory_mb, cpu_ms = _memory_and_cpu(state.pid)
    return [
        Figure("memory while guarding", memory_mb, maximum=MAX_MEMORY_MB, unit="MB"),
        Figure("CPU per minute while guarding", cpu_ms, maximum=MAX_CPU_MS, unit="ms"),
        Figure("time from keep to the first line", first_lines[0]),
        Figure("  while the daemon runs", median(first_lines[1:])),
        Figure(
            "renewals per simulated day", _renewals_per_day(), maximum=MAX_RENEWALS, unit="renewals"
        ),
    ]


@contextmanager
def _instance() -> Iterator[tuple[Session, dict[str, str]]]:
    """Open a session with an emulated instance, and its environment."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalEmulator(api="notebooks", minutes_left=40) as emulator,
    ):
        environ = {
            **os.environ,
            **emulator.environment(),
            "HOME": folder,
            "MODELARTS_STATE_DIR": str(Path(folder) / "state"),
        }
        with open_session(Settings.load(environ=environ), environ=environ) as session:
            try:
                yield session, environ
            finally:
                end_all(folder_of_session(session))


def _time_to_first_line(session: Session, environ: dict[str, str]) -> float:
    start = time.perf_counter()
    with keep_alive(session, KeepRequest(API, "bench"), environ=environ):
        return time.perf_counter() - start


def _memory_and_cpu(pid: int) -> tuple[float, float]:
    """Return the memory in MB and the CPU time per minute in ms, after the first looks at this machine."""
    time.sleep(SAMPLE_S / 6)
    before = _cpu_ns(pid)
    time.sleep(SAMPLE_S)
    used_ns = _cpu_ns(pid) - before
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1000, used_ns / 1e6 * 60 / SAMPLE_S


def _cpu_ns(pid: int) -> int:
    """Return the CPU time of a process with all its threads; ``/proc/PID/stat`` has it rounded to 10 ms.

    Source: clock_getcpuclockid(3), for the number of the clock.
    """
    return time.clock_gettime_ns(~pid << 3 | 2)


def _renewals_per_day() -> int:
    """Return how often the policy moves the stop time in a day, with a look each minute."""
    start = now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    auto_stop = AutoStop(enabled=True, duration=None, stops_at=now + timedelta(hours=1))
    memory, count = Memory(), 0
    while now < start + DAY:
        instance = Instance("i", "bench", "", Status("RUNNING"), auto_stop, "notebooks", now)
        bounds = (start + 2 * DAY,)
        target = decide(Situation(now, instance, CAPABILITIES, start, bounds, memory))
        if target is not None:
            count += 1
            auto_stop = replace(auto_stop, stops_at=target)
            memory = replace(memory, renewed_at=now)
        now += timedelta(minutes=1)
    return count
