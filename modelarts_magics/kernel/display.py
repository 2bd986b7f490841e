"""Whether IPython will show a magic's value by itself; where it will not, the magic shows it.

IPython shows only the value of a cell's last expression. A change that nobody sees would be no
protection, so a command on a line of its own is shown wherever it stands, unless a ``;`` ends it.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell


def show(shell: InteractiveShell, value: object, *, silent: bool) -> object:
    """Display `value` if it stands on a line of its own that IPython would not show.

    Args:
        shell: The shell that runs the cell.
        value: What the magic is about to return.
        silent: Whether the line ends in a ``;`` that asks for silence.

    Returns:
        What the magic shall return: the value, or None where its own line wants to be silent.
    """
    place = _place(shell)
    if silent and place != "part":
        return None
    if place == "inside":
        from IPython.display import display  # noqa: PLC0415 - when it is needed

        display(value)
    return value


def _place(shell: InteractiveShell) -> str:
    """Where the running magic stands: "last" expression, "inside" the cell, or "part" of something."""
    frame = _cell_frame(shell)
    source = _source(shell)
    if frame is None or source is None:
        return "part"
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return "part"
    line = frame.f_lineno
    if body and isinstance(body[-1], ast.Expr) and _covers(body[-1], line):
        return "last"
    inside = (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _covers(node, line)
        for statement in body
        for node in ast.walk(statement)
    )
    return "inside" if any(inside) else "part"


def _covers(node: ast.Expr, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _cell_frame(shell: InteractiveShell) -> FrameType | None:
    """The frame of the cell itself; None where the magic runs in a function or without a cell."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to find who called
    while frame is not None:
        if frame.f_globals is shell.user_global_ns and frame.f_code.co_name == "<module>":
            return frame
        frame = frame.f_back
    return None


def _source(shell: InteractiveShell) -> str | None:
    history = shell.user_ns.get("In")
    return history[-1] if isinstance(history, list) and history else None
