"""The share of a processor that recording a cell takes, at two rates of output."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager
from measure import Figure

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

TIMEOUT_S = 60
RATES = {
    "recording 40 MB/s": (40_000_000, 10_000, 8, 0.20),
    "recording 100 kB/s": (100_000, 100, 20, 0.01),
}
"""Bytes per second, bytes of a line, seconds, and the accepted share of a processor."""
CODE = """
import pathlib, sys, time
from modelarts_magics.kernel.recorded_cell import recording_of_cell, wait_until_recorded
import json
folder = pathlib.Path({folder!r})
recording = recording_of_cell(get_ipython(), "", folder=folder / "records")
(folder / "request.new").write_text(json.dumps(recording))
(folder / "request.new").rename(folder / "request.json")
wait_until_recorded(get_ipython(), recording, timeout_s=30)
start = time.perf_counter()
for number in range({lines}):
    sys.stdout.write("x" * {width} + "\\n")
    if {flush}:
        sys.stdout.flush()
    ahead = start + (number + 1) * {interval} - time.perf_counter()
    if ahead > 0:
        time.sleep(ahead)
"""


def figures() -> list[Figure]:
    """Measure the recorder in a process of its own, while a kernel prints."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    # No channel for outputs: this process would compete with the recorder for the processor.
    client.start_channels(iopub=False, stdin=False, hb=False)
    try:
        return [_measure(client, name, *rate) for name, rate in RATES.items()]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _measure(  # noqa: PLR0913 - the values of one rate
    client: BlockingKernelClient, name: str, rate: int, width: int, seconds: int, maximum: float
) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        code = CODE.format(
            folder=folder,
            lines=rate * seconds // width,
            width=width - 1,
            # Short lines are sent together by the kernel itself.
            flush=width > 1000,
            interval=width / rate,
        )
        client.execute(code, store_history=False)
        result = _run_recorder(Path(folder))
    sys.stderr.write(f"{name}: {result}\n")
    # On a busy machine the kernel may print more slowly than it should.
    share = result["cpu_s"] / result["bytes"] * rate
    return Figure(name, share, maximum=maximum, unit="of a core")


def _run_recorder(folder: Path) -> dict[str, Any]:
    request = folder / "request.json"
    deadline = time.monotonic() + TIMEOUT_S
    while not request.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(request)
        time.sleep(0.02)
    program = Path(__file__).with_name("recording_process.py")
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, str(program), str(request)], capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
