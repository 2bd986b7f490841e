"""What waits for the pages of a busy kernel, and does not wait where there is none."""

from __future__ import annotations

from modelarts_magics.kernel.scheduling import when_idle


def test_without_a_kernel_nobody_is_waited_for() -> None:
    """Nobody types there; a script sees at once what its own change made of a form."""
    done: list[int] = []
    when_idle(lambda: done.append(1))
    assert done == [1]
