"""Whether anybody will see a magic's value; where nobody would, the magic shows it.

IPython shows only the value of a cell's last expression. A change that nobody sees would be no
protection, so a command on a line of its own is shown wherever it stands (in a loop, in a function,
under ``%%time``), unless a ``;`` ends it. What becomes of the value stands in the byte code behind
the call: it is printed, dropped or used.
"""

from __future__ import annotations

import dis
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

_MAGIC_METHODS = ("run_line_magic", "run_cell_magic")
"""IPython's methods through which every magic is called."""
_NO_OP_INSTRUCTIONS = ("CACHE", "EXTENDED_ARG", "NOP")
_INTRINSIC_PRINT = 1


class ResultUse(Enum):
    """What becomes of the value that a magic returns."""

    PRINTED = "printed"
    """IPython shows it."""
    DISCARDED = "dropped"
    """Nobody sees it."""
    USED = "used"
    """It is assigned, passed on or returned."""


def show_result(value: Any, *, silent: bool, static_text: object = None) -> Any:  # noqa: ANN401 - any value
    """Display `value` if it stands on a line of its own and IPython would not show it.

    Args:
        value: What the magic is about to return.
        static_text: What to display before it, for when the value cannot be shown any more.
        silent: Whether the line ends in a ``;`` that asks for silence.

    Returns:
        What the magic shall return: the value, or None where its own line wants to be silent.
    """
    fate = _result_use(_calling_frame(sys._getframe(1)))  # noqa: SLF001 - the way to find who called
    if silent and fate is not ResultUse.USED:
        return None
    if static_text is not None and fate is not ResultUse.USED:
        from IPython.display import display  # noqa: PLC0415 - when it is needed

        display(static_text)
    if fate is ResultUse.DISCARDED:
        from IPython.display import display  # noqa: PLC0415 - when it is needed

        display(value)
    return value


def _calling_frame(frame: FrameType | None) -> FrameType | None:
    """The code that called the running magic; None where IPython did not run it."""
    while frame is not None and frame.f_code.co_name not in _MAGIC_METHODS:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_name in _MAGIC_METHODS:
        frame = frame.f_back
    return frame


def _result_use(frame: FrameType | None) -> ResultUse:
    if frame is None:
        return ResultUse.USED
    ahead = (each for each in dis.get_instructions(frame.f_code) if each.offset > frame.f_lasti)
    step = next((each for each in ahead if each.opname not in _NO_OP_INSTRUCTIONS), None)
    if step is None:
        return ResultUse.USED
    if step.opname == "CALL_INTRINSIC_1" and step.arg == _INTRINSIC_PRINT:  # Python 3.12
        return ResultUse.PRINTED
    fates = {"PRINT_EXPR": ResultUse.PRINTED, "POP_TOP": ResultUse.DISCARDED}
    return fates.get(step.opname, ResultUse.USED)
