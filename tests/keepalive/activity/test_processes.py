"""Tests of processes as sources of activity, with made-up processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
from factories import MINUTE, NOW
from keepalive.activity.test_terminals import look, process
from waiting import wait_until

from modelarts_magics.keepalive.activity.processes import (
    CpuMeter,
    ProcessDetector,
    ProcessReader,
    connection_files,
    find_kernel_process,
)
from modelarts_magics.keepalive.activity.source import KERNEL, Source
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.keepalive.activity.processes import Look, Process

JOB = 700
NO_SESSIONS: frozenset[int] = frozenset()


def detect(
    *looks: Look, patterns: tuple[str, ...] = (), taken: frozenset[int] = NO_SESSIONS
) -> list[Source]:
    """Return the processes that work after some looks."""
    meter = CpuMeter()
    detector = ProcessDetector(meter, patterns=patterns)
    sources: list[Source] = []
    for each in looks:
        meter.update(each)
        sources = detector.detect(each, taken)
    return sources


def job(command: str = "python t.py", *, cpu_s: float = 0.0, session: int = JOB) -> Process:
    """Return a process in a session of its own."""
    return process(JOB, command, session=session, own_cpu_s=cpu_s)


def test_job_without_terminal_is_busy_while_it_uses_the_processor() -> None:
    """A job that outlived its terminal counts by its CPU time."""
    (source,) = detect(look(job()), look(job(cpu_s=30), minutes=1))
    assert (source.kind, source.name, source.busy) == ("process", "python t.py", True)
    assert str(source.reason) == "50% of a processor"
    assert detect(look(job()), look(job(cpu_s=0.5), minutes=1)) == []


def test_orphan_of_an_ended_shell_is_found_by_its_session() -> None:
    """After ``nohup`` a job stays in the session of a shell that has ended."""
    orphan = job(session=555)
    (source,) = detect(look(orphan), look(replace(orphan, own_cpu_s=30), minutes=1))
    assert source.name == "python t.py"


def test_sessions_of_kernels_and_terminals_are_left_out() -> None:
    """Their own sources report their background work."""
    looks = look(job()), look(job(cpu_s=30), minutes=1)
    assert detect(*looks, taken=frozenset([JOB])) == []


@pytest.mark.parametrize(
    "command",
    [
        "/venv/bin/python /venv/bin/jupyter-lab --port 8888",
        "python -m jupyterhub.singleuser --port 8888",
        "sshd",
        "/root/.vscode-server/bin/abc/node server-main.js",
    ],
)
def test_servers_of_the_machine_are_no_work(command: str) -> None:
    """A Jupyter server that polls, or serves many requests, is no work."""
    assert detect(look(job(command)), look(job(command, cpu_s=30), minutes=1)) == []


def test_children_of_the_daemon_are_no_work() -> None:
    """The command before a stop, and a notification about it, do not postpone it."""
    child = replace(job(), parent=os.getpid())
    assert detect(look(child), look(replace(child, own_cpu_s=30), minutes=1)) == []


def test_process_with_the_id_of_an_ended_one_counts_its_own_time() -> None:
    """An ID that is used again does not inherit the CPU time of the process before."""
    old = replace(job(cpu_s=1000), started=0.5)
    assert len(detect(look(old), look(job(cpu_s=30), minutes=1))) == 1


def test_children_that_ended_count_for_their_parent() -> None:
    """A build works by short-lived programs, whose time is that of the build."""
    build = process(701, "make -j", session=JOB, children_cpu_s=30)
    looks = look(job(), replace(build, children_cpu_s=0)), look(job(), build, minutes=1)
    assert [source.name for source in detect(*looks)] == ["make -j"]


@pytest.mark.parametrize("pattern", ["*train.py*", "pyth*"])
def test_named_program_is_busy_while_it_runs(pattern: str) -> None:
    """A program that the user named counts without any CPU time."""
    (source,) = detect(look(job("python train.py --epochs 3")), patterns=(pattern,))
    assert (source.busy, source.since) == (True, NOW)
    assert detect(look(), patterns=(pattern,)) == []


def idle_kernel(*, minutes: int) -> Source:
    """Return a kernel whose last cell ended some minutes after the start."""
    since = NOW + minutes * MINUTE
    pids = frozenset([JOB])
    return Source(KERNEL, "train.ipynb", False, since, Message("activity.kernel.idle"), pids=pids)


@pytest.mark.parametrize(("ended", "is_reported"), [(0, True), (1, False)])
def test_threads_of_an_idle_kernel_count_by_their_cpu_time(ended: int, is_reported: bool) -> None:
    """The time of the kernel itself counts, unless a cell used it since the last look."""
    meter = CpuMeter()
    detector = ProcessDetector(meter)
    before, after = look(job()), look(job(cpu_s=30), minutes=1)
    meter.update(before)
    meter.update(after)
    sources = detector.of_kernel(idle_kernel(minutes=ended), after, before)
    assert bool(sources) is is_reported


def test_child_of_an_idle_kernel_counts_by_its_cpu_time() -> None:
    """A program that a cell has started goes on after the cell."""
    meter = CpuMeter()
    detector = ProcessDetector(meter)
    child = process(701, "ffmpeg -i a", session=JOB, own_cpu_s=30)
    before, after = look(job()), look(job(), child, minutes=1)
    meter.update(before)
    meter.update(after)
    (source,) = detector.of_kernel(idle_kernel(minutes=1), after, before)
    assert str(source.reason) == "in the background of train.ipynb: 50% of a processor"
    assert source.name == "ffmpeg -i a"


def test_background_work_of_a_kernel_keeps_its_beginning() -> None:
    """It is shown for how long a program has worked, not since the last look."""
    meter = CpuMeter()
    detector = ProcessDetector(meter)
    kernel = idle_kernel(minutes=0)
    previous: Look | None = None
    begun = []
    for minutes in range(4):
        child = process(701, "ffmpeg -i a", session=JOB, own_cpu_s=30 * minutes)
        now = look(job(), child, minutes=minutes)
        meter.update(now)
        found = detector.detect(now, frozenset([JOB]), [kernel], previous)
        begun += [source.since for source in found]
        previous = now
    assert begun == [NOW + MINUTE] * 3


def test_long_command_is_shortened() -> None:
    """A command line is shown without the folder of its program, in one line, and not in whole."""
    title = job("/opt/conda/bin/python t.py " + "x" * 100).title
    assert title.startswith("python t.py xxx")
    assert (len(title), title[-1]) == (60, "…")


def test_connection_files_are_found_in_command_lines() -> None:
    """Kernels name their connection file in several ways."""
    found = connection_files(
        look(
            process(1, "python -m ipykernel_launcher -f /tmp/a.json"),
            process(2, "R --args --connection=/run/b.json"),
            process(3, "python x.py relative.json"),
        )
    )
    assert sorted(map(str, found)) == ["/run/b.json", "/tmp/a.json"]  # noqa: S108 - made up


@pytest.mark.process
def test_kernel_process_is_found_with_its_notebook(tmp_path: Path) -> None:
    """The process that names the file is the kernel's, and its environment names the notebook."""
    path = tmp_path / "kernel-abcdef0123.json"
    path.write_text(json.dumps({}))
    assert find_kernel_process(path) is None
    command = [sys.executable, "-c", "input()", "-f", str(path)]
    client = [*command[:3], "--existing", str(path)]
    environ = {**os.environ, "JPY_SESSION_NAME": "/home/u/work/train.ipynb"}
    with (
        subprocess.Popen(client, stdin=subprocess.PIPE),  # noqa: S603 - this interpreter
        subprocess.Popen(command, stdin=subprocess.PIPE, env=environ) as kernel,  # noqa: S603 - the same
    ):
        # A process has its command line and environment a moment after it has started.
        wait_until(
            lambda: (
                (found := find_kernel_process(path)) is not None
                and (found.pid, found.name) == (kernel.pid, "train.ipynb")
            )
        )


@pytest.mark.process
def test_look_reads_this_process_and_its_child() -> None:
    """A look has IDs, session, command line and CPU times."""
    reader = ProcessReader()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, start_new_session=True) as child:
        wait_until(lambda: psutil.Process(child.pid).name() == "cat")
        processes = reader.read(at=NOW, monotonic_s=0.0).processes
        again = reader.read(at=NOW, monotonic_s=1.0).processes
    own, other = processes[os.getpid()], processes[child.pid]
    assert (other.parent, other.session, other.group) == (own.pid, child.pid, child.pid)
    assert (other.command, other.is_leader) == (("/bin/cat",), True)
    assert own.own_cpu_s > 0
    assert again[child.pid].command == other.command
