"""Scheduling of callbacks: after pending messages in a kernel, in a thread, or immediately."""

from __future__ import annotations

import threading

from modelarts_magics.kernel.scheduling import run_after_delay, when_idle

JOIN_S = 60


def test_when_idle_runs_immediately_without_a_kernel() -> None:
    """A script sees the effect of its own change on a form immediately."""
    done: list[int] = []
    when_idle(lambda: done.append(1))
    assert done == [1]


def test_run_after_delay_uses_a_daemon_thread() -> None:
    """The kernel can read its message queue meanwhile, and can exit without waiting for the callback."""
    done = threading.Event()
    threads: list[threading.Thread] = []

    def callback() -> None:
        threads.append(threading.current_thread())
        done.set()

    run_after_delay(callback)
    assert done.wait(JOIN_S)
    assert threads != [threading.current_thread()]
    assert threads[0].daemon
