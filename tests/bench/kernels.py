"""A running kernel: loading the extension, and its first command."""

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
    from collections.abc import Iterator, Mapping

ROUNDS = 5
TIMEOUT_S = 60
EXTENSIONS = ("minimal_extension", "autoreload", "modelarts_magics")
LOAD_CODE = """
from time import perf_counter as _clock
_begun = _clock()
get_ipython().run_line_magic("load_ext", {extension!r})
_taken = _clock() - _begun
"""
FIRST_COMMAND_CODE = """
_begun = _clock()
_shown = get_ipython().display_formatter.format(get_ipython().run_line_magic("modelarts", ""))
_taken = _clock() - _begun
"""
BASELINE_CODE = """
_begun = _clock()
import os, httpx
_shown = httpx.Client(verify=False).get(os.environ["MODELARTS_ENDPOINT"] + "/demanager/").json()
_taken = _clock() - _begun
"""
"""What any first call takes that goes through httpx, in a kernel that has not imported it."""


def figures(environ: Mapping[str, str]) -> list[Figure]:
    """Return what a kernel takes to load the extension, and for the first ``%modelarts``.

    Each is measured by the kernel itself, in a kernel that did nothing before.

    Args:
        environ: The kernels' environment, which leads the magics to the server.
    """
    loads: dict[str, list[float]] = {extension: [] for extension in EXTENSIONS}
    first_commands: list[float] = []
    baselines: list[float] = []
    for turn in range(ROUNDS):
        shift = turn % len(EXTENSIONS)
        for extension in EXTENSIONS[shift:] + EXTENSIONS[:shift]:
            with _kernel(environ) as client:
                loads[extension].append(_run_timed(client, LOAD_CODE.format(extension=extension)))
                if extension == "minimal_extension":
                    baselines.append(_run_timed(client, BASELINE_CODE))
                if extension == "modelarts_magics":
                    first_commands.append(_run_timed(client, FIRST_COMMAND_CODE))
    taken = {extension: median(times) for extension, times in loads.items()}
    ours = taken["modelarts_magics"]
    return [
        Figure("%load_ext", ours, taken["minimal_extension"], "minimal extension", maximum=0.010),
        Figure("%load_ext", ours, taken["autoreload"], "autoreload"),
        Figure(
            "first %modelarts",
            median(first_commands),
            median(baselines),
            "import httpx + GET",
            maximum=0.120,
        ),
    ]


@contextmanager
def _kernel(environ: Mapping[str, str]) -> Iterator[Any]:
    """Give a client of a fresh kernel that sees the extensions beside this file."""
    path = {"PYTHONPATH": str(Path(__file__).parent / "extensions")}
    manager, client = start_new_kernel(
        env={**environ, **path}, startup_timeout=TIMEOUT_S, stderr=subprocess.DEVNULL
    )
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _run_timed(client: Any, code: str) -> float:  # noqa: ANN401 - the client is not typed
    """Run code in the kernel and return the seconds that it left in ``_taken``."""
    message_id = client.execute(code, user_expressions={"taken": "_taken"})
    reply = client.get_shell_msg(timeout=TIMEOUT_S)
    while reply["parent_header"].get("msg_id") != message_id:
        reply = client.get_shell_msg(timeout=TIMEOUT_S)
    content = reply["content"]
    if content["status"] != "ok":
        raise RuntimeError("\n".join(content.get("traceback", ["a cell was aborted"])))
    return float(ast.literal_eval(content["user_expressions"]["taken"]["data"]["text/plain"]))
