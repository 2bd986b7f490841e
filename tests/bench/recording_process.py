"""Record one cell of a running kernel, and print the CPU time of doing so: `python recording_process.py REQUEST`.

Args:
    REQUEST: A file with the request, see `modelarts_magics.keepalive.recorder.RecordingRequest`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from modelarts_magics.keepalive.components import ComponentContext
from modelarts_magics.keepalive.guards import CELL, Guard
from modelarts_magics.keepalive.recorder import ATTACHED, DETAIL, Recorder
from modelarts_magics.keepalive.records import find_record

PASS_INTERVAL_S = 1.0
TIMEOUT_S = 120


class _NoProcess:
    """A process that has ended: writing a notebook is not measured."""

    def poll(self) -> int:
        """Return the exit status."""
        return 0


def main(request_path: str) -> None:
    """Print the CPU time of the recording, its output and the memory, in JSON."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    folder = Path(request["folder"])
    now = datetime.now(timezone.utc)
    details = {DETAIL: request}
    guard = Guard("bench", CELL, 1, now, now + timedelta(hours=1), details=details)
    recorder = Recorder(ComponentContext(folder, {}), start_process=lambda _: _NoProcess())  # type: ignore[arg-type,return-value]
    recorder.update([guard], now)
    deadline = time.monotonic() + TIMEOUT_S
    started: tuple[float, float] | None = None
    while time.monotonic() < deadline:
        record = find_record(folder, request["id"])
        if record and record.ended_at:
            break
        if record and started is None and record.details.get(ATTACHED):
            started = _cpu_s(), time.perf_counter()
        time.sleep(PASS_INTERVAL_S if started else 0.02)
        recorder.update([guard], now)
    cpu, elapsed = started or (0.0, 0.0)
    found = find_record(folder, request["id"])
    result = {
        "cpu_s": _cpu_s() - cpu,
        "elapsed_s": time.perf_counter() - elapsed,
        "lines": found.lines if found else 0,
        "bytes": found.size if found else 0,
        "gaps": found.path.read_bytes().count(b'"type":"gap"') if found else 0,
        "max_memory_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    sys.stdout.write(json.dumps(result))
    recorder.close()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(sys.argv[1])
