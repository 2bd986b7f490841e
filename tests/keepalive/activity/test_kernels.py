"""Tests of kernels as sources of activity, with the sockets of a fake kernel."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import MINUTE, NOW
from keepalive.fake_kernel import FakeKernel

from modelarts_magics.keepalive.activity.kernels import (
    PAUSE_LIMIT,
    ExecutionState,
    KernelDetector,
    KernelProcess,
    connection_file_folders,
)
from modelarts_magics.keepalive.kernel_channel import KernelMessage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from modelarts_magics.keepalive.activity.source import Source

WAIT_S = 10.0
PROBE = "the-request"


class Bench:
    """A folder of connection files, its detector, and a monotonic clock that tests set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 1000.0
        self.process: KernelProcess | None = None
        self.kernels: list[FakeKernel] = []
        self.detector = KernelDetector(
            [folder], find_process=lambda _: self.process, monotonic=lambda: self.now_s
        )

    def start_kernel(self, name: str = "kernel-abcdef0123.json", **options: Any) -> FakeKernel:  # noqa: ANN401
        """Start a kernel."""
        self.kernels.append(FakeKernel(self.folder / name, **options))
        return self.kernels[-1]

    def look(self, now: datetime = NOW) -> list[Source]:
        """Read the kernels."""
        return self.detector.detect(now)

    def wait(self, condition: Callable[[list[Source]], bool], now: datetime = NOW) -> list[Source]:
        """Read the kernels until a condition holds."""
        end = time.monotonic() + WAIT_S
        while not condition(sources := self.look(now)):
            assert time.monotonic() < end, sources
            time.sleep(0.01)
        return sources

    def observe(self, kernel: FakeKernel) -> None:
        """Connect to an idle kernel, and let it answer the request."""
        self.wait(bool)
        prefix, header = kernel.request()
        kernel.reply(prefix, header)
        self.wait(lambda sources: sources[0].busy is False)

    def close(self) -> None:
        """Release everything."""
        self.detector.close()
        for kernel in self.kernels:
            kernel.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return a folder with its detector."""
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def reason(sources: list[Source]) -> str:
    """Return the reason of the only source."""
    (source,) = sources
    return str(source.reason)


def test_idle_kernel_answers_and_is_idle(bench: Bench) -> None:
    """A new kernel is unknown until it has answered the one request, and idle afterwards."""
    kernel = bench.start_kernel()
    source = bench.wait(bool)[0]
    assert (source.busy, str(source.reason)) == (None, "not observed yet")
    bench.observe(kernel)
    assert (bench.look()[0].name, reason(bench.look())) == ("abcdef01", "idle")
    assert not kernel.shell.poll(50)


def test_cell_makes_the_kernel_busy_until_it_ends(bench: Bench) -> None:
    """A cell counts from its start to its end, and is named by its number."""
    kernel = bench.start_kernel()
    bench.observe(kernel)
    kernel.status("busy", "1")
    kernel.publish("execute_input", {"execution_count": 14}, {"msg_id": "1"})
    sources = bench.wait(lambda found: reason(found) == "cell [14]", NOW + MINUTE)
    assert (sources[0].busy, sources[0].since) == (True, NOW + MINUTE)
    kernel.status("idle", "1")
    sources = bench.wait(lambda found: found[0].busy is False, NOW + 2 * MINUTE)
    assert sources[0].since == NOW + 2 * MINUTE


def test_kernel_that_runs_a_cell_when_it_is_found_is_busy(bench: Bench) -> None:
    """A kernel that does not answer runs a cell; its answer at the end of the cell makes it idle."""
    kernel = bench.start_kernel()
    bench.wait(bool)
    bench.now_s += 2.5
    assert reason(bench.look()) == "running a cell that began before it was watched"
    assert bench.look()[0].busy is True
    prefix, header = kernel.request()
    kernel.reply(prefix, header)
    bench.wait(lambda sources: sources[0].busy is False)


@pytest.mark.parametrize("end", ["idle", "answer"])
def test_cell_that_follows_an_unobserved_one_is_busy(bench: Bench, end: str) -> None:
    """The next cell counts whether its report or the answer to the request arrives first."""
    kernel = bench.start_kernel()
    bench.wait(bool)
    prefix, header = kernel.request()
    if end == "idle":
        kernel.status("idle", "0")
    kernel.status("busy", "1")
    bench.wait(lambda sources: reason(sources) == "running a cell")
    kernel.reply(prefix, header)
    assert not any(source.busy is False for _ in range(20) for source in bench.look())
    kernel.status("idle", "1")
    bench.wait(lambda sources: sources[0].busy is False)


def test_kernel_that_ends_is_no_source(bench: Bench) -> None:
    """A kernel that was killed in a cell leaves nothing busy behind, although its file stays."""
    kernel = bench.start_kernel()
    bench.observe(kernel)
    kernel.status("busy", "1")
    bench.wait(lambda sources: sources[0].busy is True)
    kernel.end()
    bench.wait(lambda sources: not sources)


def test_restarted_kernel_begins_without_a_cell(bench: Bench) -> None:
    """The next process on the same ports is asked once, and publishes under another topic."""
    kernel = bench.start_kernel()
    bench.observe(kernel)
    kernel.status("busy", "1")
    bench.wait(lambda sources: sources[0].busy is True)
    kernel.end()
    bench.wait(lambda sources: not sources)
    kernel.topic = "kernel.def.{type}"
    kernel.open()
    bench.observe(kernel)
    kernel.status("busy", "2")
    bench.wait(lambda sources: sources[0].busy is True)


@pytest.mark.process
def test_killed_kernel_whose_children_hold_its_connection_is_not_busy(bench: Bench) -> None:
    """Forked children keep the sockets of a killed kernel open; its process tells that it has ended."""
    kernel = bench.start_kernel()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        bench.process = KernelProcess(process.pid, None, "train.ipynb")
        bench.observe(kernel)
        kernel.status("busy", "1")
        bench.wait(lambda sources: sources[0].busy is True)
        process.kill()
    assert not any(source.busy for source in bench.look())


def test_kernel_is_named_after_its_notebook(bench: Bench) -> None:
    """The process of a kernel knows its notebook."""
    kernel = bench.start_kernel()
    bench.process = KernelProcess(os.getpid(), None, "train.ipynb")
    bench.observe(kernel)
    assert (bench.look()[0].name, bench.look()[0].pids) == ("train.ipynb", {os.getpid()})


def test_stale_connection_file_is_tried_once_a_minute(bench: Bench) -> None:
    """The file of a kernel that was killed is no source; a kernel that uses it again is found."""
    kernel = bench.start_kernel()
    kernel.end()
    assert bench.look() == []
    bench.now_s += 11
    assert bench.look() == []
    kernel.open()
    os.utime(kernel.path, ns=(1, 1))
    assert bench.look() == []
    bench.now_s += 61
    bench.observe(kernel)


def test_kernel_with_the_ports_of_another_one_is_no_source(bench: Bench) -> None:
    """A stale file whose ports belong to a kernel with another key is not taken for a busy kernel."""
    kernel = bench.start_kernel(topic="")
    kernel.path.write_text(kernel.path.read_text().replace("key-of-the-test", "another-key"))
    bench.wait(bool)
    kernel.publish("iopub_welcome", {})
    bench.wait(lambda sources: not sources)
    bench.now_s += 5
    assert bench.look() == []


def test_kernels_of_other_folders_are_added(bench: Bench, tmp_path_factory: Any) -> None:  # noqa: ANN401
    """A connection file that only a command line names is followed like the others."""
    path = tmp_path_factory.mktemp("elsewhere") / "connection.json"
    kernel = FakeKernel(path)
    bench.kernels.append(kernel)
    assert bench.look() == []
    bench.detector.add_files([path])
    bench.observe(kernel)
    path.unlink()
    bench.now_s += 61
    bench.wait(lambda sources: not sources)


def test_files_that_are_no_connection_files_are_ignored(bench: Bench) -> None:
    """Other JSON files, empty files and directories lead to no source and no error."""
    (bench.folder / "kernel-1.json").write_text("[]")
    (bench.folder / "kernel-2.json").write_text("")
    (bench.folder / "kernel-3.json").mkdir()
    (bench.folder / "kernel-4.json").write_text(" " * 20_000)
    assert bench.look() == []


@pytest.mark.parametrize(
    "change",
    [
        {"transport": "pigeon"},
        {"ip": "not an address"},
        {"iopub_port": 70_000},
        {"shell_port": 70_000},
        {"curve_publickey": "short", "curve_secretkey": "short"},
    ],
    ids=str,
)
def test_file_without_a_valid_address_is_ignored(bench: Bench, change: dict[str, object]) -> None:
    """It may be in a folder of temporary files; the other kernels are watched all the same."""
    bench.observe(bench.start_kernel())
    data = json.loads(bench.kernels[0].path.read_text())
    (bench.folder / "kernel-0.json").write_text(json.dumps({**data, **change}))
    assert [source.name for source in bench.look()] == ["abcdef01"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"JUPYTER_RUNTIME_DIR": "/run/jupyter"}, "/run/jupyter"),
        ({"JUPYTER_DATA_DIR": "/data"}, "/data/runtime"),
        ({"XDG_DATA_HOME": "/xdg"}, "/xdg/jupyter/runtime"),
        ({}, "/home/u/.local/share/jupyter/runtime"),
    ],
)
def test_connection_files_are_in_the_runtime_folder(
    variables: dict[str, str], expected: str
) -> None:
    """The folder is that of Jupyter, by the same variables."""
    assert connection_file_folders({"HOME": "/home/u", **variables})[0] == Path(expected)


class States:
    """The reports of a kernel, without sockets."""

    def __init__(self) -> None:
        self.state = ExecutionState(NOW)
        self.state.request_id = PROBE
        self.now = NOW

    def status(self, state: str, request: str, kind: str = "execute_request") -> None:
        """Report the status of a request."""
        self._apply("status", {"execution_state": state}, {"msg_id": request, "msg_type": kind})

    def debug_event(self, event: str) -> None:
        """Report an event of the debugger."""
        self._apply("debug_event", {"event": event}, {})

    def busy(self) -> bool | None:
        """Return whether the kernel works."""
        return self.state.summary(self.now, 0.0)[0]

    def _apply(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        parts: tuple[Any, ...] = ({"msg_type": kind}, parent, {}, content)
        frames = [repr(part).replace("'", '"').encode() for part in parts]
        self.state.apply(KernelMessage(b"", frames), self.now)


@pytest.mark.parametrize(
    "kind",
    ["comm_msg", "usage_request", "debug_request", "kernel_info_request", "comm_info_request"],
)
def test_other_requests_neither_begin_nor_end_a_cell(kind: str) -> None:
    """A message that is handled during a cell leaves the kernel busy, and idle without a cell."""
    states = States()
    states.status("busy", PROBE, "kernel_info_request")
    states.status("busy", "1", kind)
    assert states.busy() is False
    states.status("idle", "1", kind)
    states.status("busy", "2")
    states.status("busy", "3", kind)
    states.status("idle", "3", kind)
    assert states.busy() is True


def test_queued_cells_keep_the_kernel_busy() -> None:
    """A second cell that runs in a subshell at the same time ends on its own."""
    states = States()
    states.status("busy", "1")
    states.status("busy", "2")
    states.status("idle", "1")
    assert states.busy() is True
    states.status("idle", "2")
    assert states.busy() is False


@pytest.mark.parametrize("state", ["starting", "restarting"])
def test_restart_ends_all_cells(state: str) -> None:
    """The first report of a new process ends the cells of the old one."""
    states = States()
    states.status("busy", "1")
    states.status(state, "", "")
    assert states.busy() is False


def test_breakpoint_counts_for_an_hour() -> None:
    """A cell that waits at a breakpoint counts for an hour, and again when it goes on."""
    states = States()
    states.status("busy", "1")
    states.debug_event("stopped")
    states.now = NOW + PAUSE_LIMIT
    assert states.busy() is True
    states.now += MINUTE
    assert states.busy() is False
    assert str(states.state.summary(states.now, 0.0)[3]) == "stopped at a breakpoint"
    states.debug_event("continued")
    assert states.busy() is True
