"""Display of a magic's result where IPython itself would not display it.

IPython displays only the value of a cell's last expression. A change that is not displayed would go unnoticed, so
a command on a line of its own is displayed wherever it stands (in a loop, in a function, under ``%%time``), unless
a ``;`` ends the line. An assigned value is not displayed. Nothing but the byte code after the call distinguishes
``%modelarts extend`` in a loop from ``x = %modelarts extend``: a magic gets the same arguments in both cases.
"""

from __future__ import annotations

import dis
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_MAGIC_METHODS = ("run_line_magic", "run_cell_magic")
"""IPython's methods that call a magic."""
_NO_OP_INSTRUCTIONS = ("CACHE", "EXTENDED_ARG", "NOP")
_MAX_TEXT = 200_000
"""The number of characters of one recorded text to show."""
_INTRINSIC_PRINT = 1
"""Argument of CALL_INTRINSIC_1, which replaces PRINT_EXPR since Python 3.12."""


class ResultUse(Enum):
    """Use of a magic's result by the calling code.

    Attributes:
        PRINTED: IPython displays it.
        DISCARDED: It is discarded.
        USED: It is assigned, passed on or returned.
    """

    PRINTED = "printed"
    DISCARDED = "discarded"
    USED = "used"


def show_result(value: Any, *, silent: bool, static_text: object = None) -> Any:  # noqa: ANN401 - any value
    """Display `value` if the calling code discards it, and return what the magic returns.

    Args:
        value: The result of the command.
        silent: Whether the line ends in ``;``.
        static_text: Displayed before `value`, for notebooks that are reopened without their widgets.

    Returns:
        `value`, or None if the line is silent and does not use its result.
    """
    use = _result_use(_calling_frame(sys._getframe(1)))  # noqa: SLF001 - no public access to frames
    if silent and use is not ResultUse.USED:
        return None
    if static_text is not None and use is not ResultUse.USED:
        _display(static_text)
    if use is ResultUse.DISCARDED:
        _display(value)
    return value


def show_outputs(outputs: Sequence[dict[str, Any]]) -> None:
    """Display outputs in the format of a notebook, such as recorded ones; long text without its middle.

    Args:
        outputs: The outputs.
    """
    from IPython.display import display  # noqa: PLC0415 - keeps %load_ext fast

    for output in outputs:
        if output["output_type"] == "stream":
            stream = sys.stderr if output["name"] == "stderr" else sys.stdout
            stream.write(_without_middle(output["text"]))
            # Otherwise the kernel may publish the two streams in another order.
            stream.flush()
        elif output["output_type"] == "error":
            sys.stderr.write("\n".join(output["traceback"]) + "\n")
            sys.stderr.flush()
        else:
            display(output["data"], metadata=output["metadata"], raw=True)


def _without_middle(text: str) -> str:
    """Return a text that a page can show, with the number of lines that were left out."""
    from modelarts_magics import messages  # noqa: PLC0415 - keeps %load_ext fast

    if len(text) <= _MAX_TEXT:
        return text
    head, tail = text[: _MAX_TEXT // 2], text[-_MAX_TEXT // 2 :]
    head, tail = head.rpartition("\n")[0] or head, tail.partition("\n")[2] or tail
    lines = text.count("\n") - head.count("\n") - 1 - tail.count("\n")
    return f"{head}\n[{messages.text('jobs.shortened', lines=lines)}]\n{tail}"


def _display(value: object) -> None:
    from IPython.display import display  # noqa: PLC0415 - keeps %load_ext fast

    display(value)


def _calling_frame(frame: FrameType | None) -> FrameType | None:
    """Return the frame that called the running magic, or None outside IPython."""
    while frame is not None and frame.f_code.co_name not in _MAGIC_METHODS:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_name in _MAGIC_METHODS:
        frame = frame.f_back
    return frame


def _result_use(frame: FrameType | None) -> ResultUse:
    if frame is None:
        return ResultUse.USED
    remaining = (each for each in dis.get_instructions(frame.f_code) if each.offset > frame.f_lasti)
    following = next((each for each in remaining if each.opname not in _NO_OP_INSTRUCTIONS), None)
    if following is None:
        return ResultUse.USED
    if following.opname == "CALL_INTRINSIC_1" and following.arg == _INTRINSIC_PRINT:
        return ResultUse.PRINTED
    uses = {"PRINT_EXPR": ResultUse.PRINTED, "POP_TOP": ResultUse.DISCARDED}
    return uses.get(following.opname, ResultUse.USED)
