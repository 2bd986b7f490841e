"""The handler of a signal is called in the running cell, and nothing ends the kernel."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Callable

import pytest
from kernel_session import KernelSession

from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.kernel.main_thread_signal import call_handler, interrupt_function

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

WAIT_S = 30


class HandlerError(Exception):
    """Raised by a handler."""


@pytest.fixture(params=[(3, 9), (3, 13)], ids=str)
def interrupt(request: pytest.FixtureRequest) -> ctypes.c_void_p:
    """Return the function that old and new versions of Python have."""
    return interrupt_function(version=request.param)


@pytest.fixture
def handle() -> Iterator[Callable[[object], None]]:
    """Return a function that sets the handler of SIGUSR2, which is restored afterwards."""
    previous = signal.getsignal(signal.SIGUSR2)
    yield lambda handler: signal.signal(signal.SIGUSR2, handler)  # type: ignore[arg-type,misc]
    signal.signal(signal.SIGUSR2, previous)


def run_cell(outcomes: list[str], interrupt: ctypes.c_void_p, *, is_cell: bool = True) -> None:
    """Run the code of a cell in the main thread until a call of the handler has an outcome."""

    def is_in_cell(frame: FrameType | None) -> bool:
        return is_cell and frame is not None and frame.f_code is cell.__code__

    retry_s = WAIT_S if is_cell else 0.3

    def call() -> None:
        outcomes.append(
            call_handler(
                signal.SIGUSR2, is_in_cell=is_in_cell, retry_s=retry_s, interrupt=interrupt
            )
        )

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    cell(outcomes)
    thread.join()


def cell(outcomes: list[str]) -> None:
    """Work in small steps until there is an outcome."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and not outcomes:
        time.sleep(0.001)


def test_handler_is_called_in_the_main_thread(
    handle: Callable[[object], None], interrupt: ctypes.c_void_p
) -> None:
    """It gets the number of the signal and the frame of the cell."""
    calls: list[tuple[int, str, bool]] = []

    def note(number: int, frame: FrameType) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        calls.append((number, frame.f_code.co_name, is_main))

    handle(note)
    outcomes: list[str] = []
    run_cell(outcomes, interrupt)
    assert outcomes == ["ran"]
    assert calls == [(signal.SIGUSR2, "cell", True)]


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_signal_without_a_handler_is_not_delivered(
    handle: Callable[[object], None], interrupt: ctypes.c_void_p, handler: signal.Handlers
) -> None:
    """The default of the signal would end this process."""
    handle(handler)
    outcomes: list[str] = []
    run_cell(outcomes, interrupt)
    assert outcomes == ["no-handler"]


def test_error_of_the_handler_reaches_the_cell(
    handle: Callable[[object], None], interrupt: ctypes.c_void_p
) -> None:
    """As with a signal that a process has sent."""

    def fail(_number: int, _frame: object) -> None:
        raise HandlerError

    handle(fail)
    outcomes: list[str] = []
    with pytest.raises(HandlerError):
        run_cell(outcomes, interrupt)


def test_handler_is_not_called_outside_a_cell(
    handle: Callable[[object], None], interrupt: ctypes.c_void_p
) -> None:
    """Between two cells an error of the handler could end the kernel."""
    calls: list[int] = []
    handle(lambda number, _frame: calls.append(number))
    outcomes: list[str] = []
    run_cell(outcomes, interrupt, is_cell=False)
    assert (outcomes, calls) == (["no-cell"], [])


@pytest.mark.process
def test_marks_of_a_kernel(tmp_path: Path) -> None:
    """A signal without a handler is not delivered, one with a handler reaches the cell, and the kernel lives."""
    with LocalEmulator(api="notebooks", time_scale=60, minutes_left=240) as emulator:
        kernel = KernelSession(
            {
                **emulator.environment(),
                "HOME": str(tmp_path),
                "MODELARTS_STATE_DIR": str(tmp_path / "state"),
                "MODELARTS_LANGUAGE": "en",
            }
        )
        try:
            _check_marks(kernel)
        finally:
            kernel.run("%modelarts before end\n%modelarts keep end --all")
            kernel.close()


def _check_marks(kernel: KernelSession) -> None:
    kernel.run("%load_ext modelarts_magics\nimport signal, sys, time")
    _, shown = kernel.run("%modelarts before 4h --signal TERM")
    assert "SIGTERM has no Python handler yet" in shown
    assert "delivered at once" in shown
    wait = "end = time.monotonic() + 20\nwhile time.monotonic() < end: time.sleep(0.01)\n"
    kernel.run("def stop(number, frame): sys.exit('saved')\nsignal.signal(signal.SIGUSR1, stop)")
    _, shown = kernel.run(f"%modelarts before 239m --signal USR1\n{wait}")
    assert "saved" in shown
    status, shown = kernel.run("%modelarts before")
    assert status == "ok"
    assert shown.splitlines()[0] == "4 h before the stop: SIGTERM to the running cell"
    _, shown = kernel.run("%modelarts history")
    assert "SIGTERM was not delivered: no handler." in shown
    assert "The handler of SIGUSR1 was called in the cell" in shown
