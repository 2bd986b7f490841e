"""Report on the kernel's status channel that a cell waits for ``input()``.

A prompt reaches only the page that runs the cell, so that a cell which waits for an answer looks like one that
works. The report is a status message with one more field: other readers see that the kernel is still busy.
"""

from __future__ import annotations

from typing import Any, Callable

FIELD = "modelarts_magics_waits_for_input"
"""The additional field of the status, a bool; `modelarts_magics.keepalive.activity.kernels` reads it."""
_METHOD = "_input_request"


def report_input_wait(kernel: Any) -> Callable[[], None]:  # noqa: ANN401 - a kernel of any version
    """Report each prompt of a kernel; return a function that undoes this.

    Args:
        kernel: The kernel; one that has no prompts, or asks in another way, is left as it is.
    """
    original = getattr(kernel, _METHOD, None)
    if original is None:
        return lambda: None

    def ask(prompt: str, ident: Any, parent: Any, **options: Any) -> Any:  # noqa: ANN401 - ipykernel's own
        _publish(kernel, parent, waits=True)
        try:
            return original(prompt, ident, parent, **options)
        finally:
            _publish(kernel, parent, waits=False)

    def undo() -> None:
        if vars(kernel).get(_METHOD) is ask:
            delattr(kernel, _METHOD)

    setattr(kernel, _METHOD, ask)
    return undo


def _publish(kernel: Any, parent: Any, *, waits: bool) -> None:  # noqa: ANN401 - as above
    content = {"execution_state": "busy", FIELD: waits}
    topic = kernel._topic("status")  # noqa: SLF001 - as ipykernel publishes it
    kernel.session.send(kernel.iopub_socket, "status", content, parent=parent, ident=topic)
