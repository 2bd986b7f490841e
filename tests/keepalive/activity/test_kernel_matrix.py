"""Kernels of several versions in every state: nothing idle that works, nothing busy that does not.

``tests/README.md`` has this matrix with the results.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from keepalive.activity.kernel_environments import DENO, NEWEST, REQUIREMENTS
from keepalive.activity.real_kernel import (
    CAN_ENCRYPT,
    TIMEOUT_S,
    RealKernel,
    continue_debugging,
    start_debugging,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

PYTHON_KERNELS = [
    pytest.param(NEWEST, id=NEWEST),
    *(pytest.param(name, id=name, marks=pytest.mark.soak) for name in REQUIREMENTS if name != DENO),
]
COMM = """
from ipykernel.comm import Comm
get_ipython().kernel.comm_manager.register_target("test", lambda comm, message: None)
"""
PROJECT = str(Path(__file__).resolve().parents[3])
MakeKernel = Callable[..., RealKernel]


@pytest.fixture(scope="module")
def make_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeKernel]:
    """Start kernels once for each kind, and end them after the module."""
    started: dict[tuple[str, bool], RealKernel] = {}

    def make(name: str, *, encrypted: bool = False) -> RealKernel:
        key = (name, encrypted)
        if key not in started:
            folder = tmp_path_factory.mktemp("kernel")
            started[key] = RealKernel(name, folder, encrypted=encrypted)
        return started[key]

    yield make
    for kernel in started.values():
        kernel.close()


@pytest.fixture(params=[*PYTHON_KERNELS, pytest.param(DENO, marks=pytest.mark.soak)])
def kernel(request: pytest.FixtureRequest, make_kernel: MakeKernel) -> RealKernel:
    """Return a kernel that runs no cell."""
    kernel = make_kernel(request.param)
    kernel.expect(busy=False)
    return kernel


@pytest.fixture(params=PYTHON_KERNELS)
def python_kernel(request: pytest.FixtureRequest, make_kernel: MakeKernel) -> RealKernel:
    """Return a kernel of Python, which has a debugger, can load our extension and can fork."""
    kernel = make_kernel(request.param)
    kernel.expect(busy=False)
    return kernel


@pytest.mark.soak
def test_idle_kernel(kernel: RealKernel) -> None:
    """A kernel without a cell is idle, and stays so."""
    kernel.expect_still(busy=False)


def test_cell(kernel: RealKernel) -> None:
    """A cell counts until it ends."""
    kernel.start_cell()
    kernel.expect(busy=True, reason="cell [")
    kernel.expect_still(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)


def test_cell_that_began_before_the_watch(kernel: RealKernel) -> None:
    """A daemon that starts during a cell asks once, and takes the missing answer for a cell."""
    kernel.start_cell()
    kernel.expect(busy=True)
    # A detector without connections is like that of a new daemon.
    kernel.detector.close()
    kernel.expect(busy=True, reason="before it was watched")
    kernel.end_cell()
    kernel.expect(busy=False)
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)


def test_comm_message_during_a_cell(kernel: RealKernel) -> None:
    """A comm message that a subshell handles meanwhile, or nothing handles, does not end the cell."""
    if kernel.name != DENO:
        kernel.run(COMM)
    features = kernel.request("shell", "kernel_info_request", {}).get("supported_features", ())
    subshell = {}
    if "kernel subshells" in features:
        reply = kernel.request("control", "create_subshell_request", {})
        subshell = {"subshell_id": reply["subshell_id"]}
    kernel.send("shell", "comm_open", {"comm_id": "c", "target_name": "test", "data": {}})
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.send("shell", "comm_msg", {"comm_id": "c", "data": {}}, **subshell)
    kernel.expect_still(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)


def test_usage_request_during_a_cell(kernel: RealKernel) -> None:
    """A request on the control channel does not end the cell; Deno does not answer it."""
    kernel.start_cell()
    kernel.expect(busy=True)
    ask = kernel.send if kernel.name == DENO else kernel.request
    ask("control", "usage_request", {})
    kernel.expect_still(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)


def test_breakpoint(python_kernel: RealKernel) -> None:
    """A cell that has stopped at a breakpoint is seen as such, and goes on afterwards."""
    kernel = python_kernel
    code = "x = 1\ny = 2\nz = 3"
    start_debugging(kernel, code, line=2)
    kernel.start_cell(code)
    kernel.expect(busy=True, reason="breakpoint")
    kernel.expect_paused("breakpoint")
    continue_debugging(kernel)
    kernel.expect(busy=False, reason="idle")


def answer_prompt(kernel: RealKernel) -> None:
    """Answer a prompt as the page does."""
    kernel.client.get_stdin_msg(timeout=TIMEOUT_S)
    kernel.client.input("x")


@pytest.mark.soak
def test_prompt(kernel: RealKernel) -> None:
    """A cell that waits for input counts as a running cell where nothing reports the prompt."""
    kernel.start_cell(kernel.prompt, allow_stdin=True)
    kernel.expect(busy=True, reason="cell")
    kernel.expect_still(busy=True)
    answer_prompt(kernel)
    kernel.expect(busy=False)


def test_prompt_that_a_page_reports(kernel: RealKernel) -> None:
    """A cell that waits for input counts for an hour, and a report that is left is not about the next cell."""
    kernel.start_cell(kernel.prompt, allow_stdin=True)
    kernel.expect(busy=True)
    kernel.page_reports_prompt(is_shown=True)
    kernel.expect_paused("input()")
    kernel.page_reports_prompt(is_shown=False)
    kernel.expect(busy=True, reason="cell")
    kernel.page_reports_prompt(is_shown=True)
    kernel.expect_paused("input()")
    answer_prompt(kernel)
    kernel.expect(busy=False, reason="idle")
    kernel.start_cell()
    kernel.expect(busy=True, reason="cell [")
    kernel.end_cell()
    kernel.expect(busy=False, reason="idle")


def test_prompt_that_our_extension_reports(python_kernel: RealKernel) -> None:
    """The extension in the kernel reports each prompt and its end, also to a page that it has not asked."""
    kernel = python_kernel
    kernel.run(f"import sys; sys.path.insert(0, {PROJECT!r})\n%load_ext modelarts_magics")
    kernel.start_cell("input()\nimport time; time.sleep(1)\ninput()", allow_stdin=True)
    kernel.expect_paused("input()")
    answer_prompt(kernel)
    kernel.expect(busy=True, reason="cell")
    kernel.expect_paused("input()")
    answer_prompt(kernel)
    kernel.expect(busy=False, reason="idle")
    kernel.run("%unload_ext modelarts_magics")


@pytest.mark.soak
def test_closed_page(kernel: RealKernel) -> None:
    """A cell goes on counting when its page is closed."""
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.close_page()
    kernel.expect_still(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)
    kernel.open_page()


def test_restart_during_a_cell(kernel: RealKernel) -> None:
    """The next process runs no cell, and its cells are seen."""
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.restart()
    kernel.expect(busy=False)
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)


def test_killed_kernel(kernel: RealKernel) -> None:
    """A kernel that was killed in a cell is busy no more, whatever it reported last."""
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.kill()
    kernel.expect(busy=None)
    kernel.restart()
    kernel.expect(busy=False)


def test_killed_kernel_with_forked_children(python_kernel: RealKernel) -> None:
    """Children that outlive a killed kernel do not keep it busy."""
    kernel = python_kernel
    kernel.start_cell("import os, time\nif os.fork() == 0:\n    time.sleep(5)\ntime.sleep(600)")
    kernel.expect(busy=True)
    kernel.kill()
    kernel.expect(busy=None)
    kernel.restart()
    kernel.expect(busy=False)


@pytest.mark.skipif(not CAN_ENCRYPT, reason="jupyter_client 8.9 encrypts")
@pytest.mark.parametrize("name", [*PYTHON_KERNELS, pytest.param(DENO, marks=pytest.mark.soak)])
def test_encrypted_channels(make_kernel: MakeKernel, name: str) -> None:
    """Where encryption is on, a kernel that can encrypt is read with its keys, and another one without."""
    kernel = make_kernel(name, encrypted=True)
    assert kernel.is_encrypted is (name == NEWEST)
    kernel.start_cell()
    kernel.expect(busy=True)
    kernel.end_cell()
    kernel.expect(busy=False)
