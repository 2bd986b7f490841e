"""Tests of terminals as sources of activity, with made-up processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from factories import MINUTE, NOW

from modelarts_magics.keepalive.activity.processes import CpuMeter, Look, Process
from modelarts_magics.keepalive.activity.terminals import ControllingTerminal, TerminalDetector

if TYPE_CHECKING:
    from modelarts_magics.keepalive.activity.source import Source

SHELL = 100
JOB = 200


def process(
    pid: int,
    command: str,
    *,
    group: int = 0,
    session: int = SHELL,
    **more: Any,  # noqa: ANN401
) -> Process:
    """Return a process; its group is its own unless one is given."""
    words = command.split()
    return Process(
        pid=pid,
        parent=1,
        group=group or pid,
        session=session,
        name=more.pop("name", os.path.basename(words[0]).lstrip("-")),  # noqa: PTH119 - a name
        command=tuple(words),
        started=1.0,
        own_cpu_s=more.pop("own_cpu_s", 0.0),
        children_cpu_s=more.pop("children_cpu_s", 0.0),
    )


def look(*processes: Process, minutes: int = 0) -> Look:
    """Return a look at a shell and other processes."""
    shell = process(SHELL, "-bash")
    everything = {each.pid: each for each in (shell, *processes)}
    return Look(NOW + minutes * MINUTE, minutes * 60.0, everything)


def detect(*looks: Look, foreground: int = SHELL, exempt: tuple[str, ...] = ()) -> Source:
    """Return the terminal of the shell after some looks, with a process group in the foreground."""
    meter = CpuMeter()
    terminal = ControllingTerminal(device=136 << 8 | 3, foreground_group=foreground)
    detector = TerminalDetector(
        meter, exempt=exempt, read=lambda pid: terminal if pid == SHELL else None
    )
    for each in looks:
        meter.update(each)
        (source,) = detector.detect(each)
    return source


def test_shell_at_its_prompt_is_idle() -> None:
    """A terminal whose shell is in the foreground waits for its user."""
    source = detect(look())
    assert (source.kind, source.name, source.busy) == ("terminal", "pts/3", False)
    assert str(source.reason) == "at the prompt"


def test_program_in_the_foreground_is_busy() -> None:
    """A program counts as long as it runs, also without using the processor."""
    source = detect(look(process(JOB, "/usr/bin/python prep.py")), foreground=JOB)
    assert (source.busy, str(source.reason)) == (True, "`python prep.py`")
    assert source.pids == {SHELL, JOB}


@pytest.mark.parametrize(
    "command",
    [
        "vim notes",
        "less x",
        "top",
        "htop -d 5",
        "watch ls",
        "/usr/bin/vim.basic a",
        "nvidia-smi -l",
    ],
)
def test_editor_pager_or_monitor_does_not_count(command: str) -> None:
    """A terminal that shows an editor may have been left open for days."""
    source = detect(look(process(JOB, command)), foreground=JOB)
    assert (source.busy, source.counts) == (False, False)


def test_setting_adds_programs_that_do_not_count() -> None:
    """Further programs are given as patterns."""
    program = look(process(JOB, "tail -f log"))
    assert detect(program, foreground=JOB).busy is True
    assert detect(program, foreground=JOB, exempt=("rang*", "tail")).busy is False


def test_build_inside_an_editor_counts() -> None:
    """An editor whose children use the processor works."""
    before = look(process(JOB, "vim a.c"))
    after = look(process(JOB, "vim a.c"), process(201, "make", group=JOB, own_cpu_s=45), minutes=1)
    source = detect(before, after, foreground=JOB)
    assert (source.busy, str(source.reason)) == (True, "`make`: 75% of a processor")


def test_monitor_that_starts_programs_does_not_count() -> None:
    """``watch`` uses a few percent of a processor by the programs that it starts."""
    before = look(process(JOB, "watch nvidia-smi"))
    after = look(process(JOB, "watch nvidia-smi", children_cpu_s=9), minutes=1)
    assert detect(before, after, foreground=JOB).busy is False


def test_pager_at_the_end_of_a_busy_pipe_counts() -> None:
    """The program that writes into a pager is not ignored because of the pager."""
    group = [process(JOB, "python t.py"), process(201, "less", group=JOB)]
    busy = [process(JOB, "python t.py", own_cpu_s=6), process(201, "less", group=JOB)]
    assert detect(look(*group), look(*busy, minutes=1), foreground=JOB).busy is True
    assert detect(look(*group), look(*group, minutes=1), foreground=JOB).busy is False


@pytest.mark.parametrize("command", ["tmux attach", "screen -r", "script log"])
def test_terminal_that_shows_another_one_is_idle(command: str) -> None:
    """The panes of tmux are terminals themselves."""
    source = detect(look(process(JOB, command)), foreground=JOB)
    assert (source.busy, source.counts) == (False, True)


@pytest.mark.parametrize(
    ("command", "busy"),
    [
        ("bash", False),
        ("zsh -l", False),
        ("bash -i", False),
        ("bash --norc", False),
        ("bash job.sh", True),
        ("sh -c job", True),
    ],
)
def test_shell_in_the_shell_is_idle_at_its_prompt(command: str, busy: bool) -> None:
    """A shell that was started by hand waits for its user; one with a script works."""
    assert detect(look(process(JOB, command)), foreground=JOB).busy is busy


def test_job_of_an_inner_shell_is_busy() -> None:
    """A program that was started in an inner shell is in the foreground of the same terminal."""
    inner = (process(JOB, "bash"), process(300, "python t.py"))
    assert detect(look(*inner), foreground=300).busy is True


def test_job_in_the_background_counts_by_its_cpu_time() -> None:
    """A background job at the prompt is busy while it uses the processor, and named."""
    before = look(process(JOB, "python t.py"))
    after = look(process(JOB, "python t.py", own_cpu_s=3), minutes=1)
    source = detect(before, after)
    assert (source.busy, source.since) == (True, NOW + MINUTE)
    assert str(source.reason) == "`python t.py` in the background: 5% of a processor"
    assert detect(before, look(process(JOB, "python t.py"), minutes=1)).busy is False


def test_job_in_the_background_of_an_editor_counts() -> None:
    """An editor in the foreground does not hide a job in the background."""
    before = look(process(JOB, "vim a"), process(300, "make"))
    after = look(process(JOB, "vim a"), process(300, "make", children_cpu_s=30), minutes=1)
    assert detect(before, after, foreground=JOB).busy is True


def test_command_that_has_ended_does_not_count() -> None:
    """The CPU time of the commands that a shell has waited for is not that of a background job."""
    before = look()
    shell = process(SHELL, "-bash", children_cpu_s=50.0)
    after = Look(NOW + MINUTE, 60.0, {SHELL: shell})
    assert detect(before, after).busy is False


def test_loop_of_the_shell_itself_counts() -> None:
    """A loop that the shell runs without a program uses its own CPU time."""
    shell = process(SHELL, "-bash", own_cpu_s=50.0)
    assert detect(look(), Look(NOW + MINUTE, 60.0, {SHELL: shell})).busy is True


@pytest.mark.parametrize(
    "command", ["python -m jupyterlab", "/venv/bin/python /venv/bin/jupyter-lab"]
)
def test_server_in_the_foreground_does_not_count(command: str) -> None:
    """A Jupyter server that was started in a terminal is no work."""
    assert detect(look(process(JOB, command)), foreground=JOB).busy is False


def test_program_of_another_user_is_busy() -> None:
    """A program under sudo cannot be looked at, and is in the foreground."""
    source = detect(look(), foreground=1)
    assert (source.busy, str(source.reason)) == (True, "a program of another user")


def test_since_is_when_the_program_was_first_seen() -> None:
    """The time stays while the same program runs."""
    looks = [look(process(JOB, "python t.py"), minutes=minutes) for minutes in range(3)]
    assert detect(*looks, foreground=JOB).since == NOW
