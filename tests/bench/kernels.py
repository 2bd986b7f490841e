"""A running kernel: load the extension, and run the first command."""

from __future__ import annotations

import ast
import subprocess
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import start_new_kernel
from measure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROUNDS = 7
TIMEOUT_S = 60
Times = tuple[float, float]
"""CPU seconds and elapsed seconds."""
EXTENSIONS = ("minimal_extension", "autoreload", "modelarts_magics")
MAX_LOAD_S, MAX_FIRST_COMMAND_S = 0.004, 0.070
MAX_LOAD_RATIO, MAX_FIRST_COMMAND_RATIO = 5.0, 1.8
"""The ratios to the minimal extension, and to httpx with a GET, that are accepted on a busy machine."""
TIMED_CODE = """
from time import perf_counter as _wall_clock, process_time as _cpu_clock
_start = _cpu_clock(), _wall_clock()
{code}
_times = _cpu_clock() - _start[0], _wall_clock() - _start[1]
"""
LOAD_CODE = "get_ipython().run_line_magic('load_ext', {extension!r})"
FIRST_COMMAND_CODE = """
_data = get_ipython().display_formatter.format(get_ipython().run_line_magic("modelarts", ""))
"""
# The least that any first call through httpx takes in a kernel that has not imported it.
BASELINE_CODE = """
import os, httpx
_data = httpx.Client(verify=False).get(os.environ["MODELARTS_ENDPOINT"] + "/demanager/").json()
"""


def figures(environ: Mapping[str, str]) -> list[Figure]:
    """Measure `%load_ext` and the first `%modelarts` in kernels that have run nothing before.

    Args:
        environ: The environment of the kernels, which connects the magics to the server.
    """
    loads: dict[str, list[Times]] = {extension: [] for extension in EXTENSIONS}
    first_commands: list[Times] = []
    baselines: list[Times] = []
    for turn in range(ROUNDS):
        shift = turn % len(EXTENSIONS)
        for extension in EXTENSIONS[shift:] + EXTENSIONS[:shift]:
            with _kernel(environ) as client:
                loads[extension].append(_run_timed(client, LOAD_CODE.format(extension=extension)))
                if extension == "minimal_extension":
                    baselines.append(_run_timed(client, BASELINE_CODE))
                if extension == "modelarts_magics":
                    first_commands.append(_run_timed(client, FIRST_COMMAND_CODE))
    load_times = {extension: _best(times) for extension, times in loads.items()}
    ours, first = load_times["modelarts_magics"], _best(first_commands)
    baseline, httpx = _best(baselines), "import httpx + GET"
    minimal, autoreload = load_times["minimal_extension"], load_times["autoreload"]
    return [
        Figure(
            "%load_ext, CPU time",
            ours[0],
            minimal[0],
            "minimal",
            maximum=MAX_LOAD_S,
            max_ratio=MAX_LOAD_RATIO,
            is_either=True,
        ),
        Figure("%load_ext, CPU time", ours[0], autoreload[0], "autoreload"),
        Figure("  elapsed", ours[1], minimal[1], "minimal"),
        Figure(
            "first %modelarts, CPU time",
            first[0],
            baseline[0],
            httpx,
            maximum=MAX_FIRST_COMMAND_S,
            max_ratio=MAX_FIRST_COMMAND_RATIO,
            is_either=True,
        ),
        Figure("  elapsed", first[1], baseline[1], httpx),
    ]


def _best(times: Sequence[Times]) -> Times:
    """Return the lowest CPU time, which other load has affected least, and the median elapsed time."""
    return min(cpu_s for cpu_s, _ in times), median(elapsed_s for _, elapsed_s in times)


@contextmanager
def _kernel(environ: Mapping[str, str]) -> Iterator[Any]:
    """Start a kernel that can import the extensions of this folder, and yield its client."""
    path = {"PYTHONPATH": str(Path(__file__).parent / "extensions")}
    manager, client = start_new_kernel(
        env={**environ, **path}, startup_timeout=TIMEOUT_S, stderr=subprocess.DEVNULL
    )
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _run_timed(client: Any, code: str) -> Times:  # noqa: ANN401 - the client is not typed
    """Run code in the kernel and return the CPU seconds and the seconds it has measured."""
    code = TIMED_CODE.format(code=code)
    message_id = client.execute(code, user_expressions={"times": "_times"})
    reply = client.get_shell_msg(timeout=TIMEOUT_S)
    while reply["parent_header"].get("msg_id") != message_id:
        reply = client.get_shell_msg(timeout=TIMEOUT_S)
    content = reply["content"]
    if content["status"] != "ok":
        raise RuntimeError("\n".join(content.get("traceback", ["a cell was aborted"])))
    cpu_s, elapsed_s = ast.literal_eval(content["user_expressions"]["times"]["data"]["text/plain"])
    return float(cpu_s), float(elapsed_s)
