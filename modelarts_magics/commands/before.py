"""``before``: call the handler of a signal in the running cell some time before the stop."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from modelarts_magics.commands.results import JsonListResult, JsonResult, TextResult
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import RefusedError, UsageError
from modelarts_magics.keepalive import launch
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.marks.mark import parse_signal, signal_number
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.keepalive.marks.mark import Mark

END = "end"
_WITHOUT_HANDLER = ("KILL", "STOP")
"""The signals that no handler can receive."""


def before(request: CommandRequest, context: CommandContext) -> object:
    """Set a mark of this kernel, list its marks, or remove them.

    Raises:
        UsageError: There is no such signal, an argument is missing, or this is no kernel.
        RefusedError: The mark cannot be saved.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    if context.get_cell_marks is None:
        raise UsageError("usage.kernel_only", command=request.command.name)
    marks = context.get_cell_marks()
    if request.arguments == (END,) and not request.has_option("--signal"):
        marks.clear()
        return _shown(request, (), text("before.ended"))
    if not request.arguments and not request.has_option("--signal"):
        lines = [_line(mark) for mark in marks.marks] or [text("before.none")]
        return _shown(request, marks.marks, "\n".join(lines))
    duration, name = _requested_mark(request)
    session = context.get_session()
    instance = session.refresh()
    try:
        mark = marks.add(duration, name)
    except OSError as error:
        folder = folder_of_session(session)
        raise RefusedError("keep.cannot_write", path=folder, cause=error.strerror) from None
    launch.ensure_daemon(folder_of_session(session), session, os.environ)
    stops_at = instance.auto_stop.stops_at
    lines = [_line(mark)]
    if not callable(signal.getsignal(signal_number(name))):
        lines.append(text("before.no_handler", signal=name))
    if stops_at is None:
        lines.append(text("before.no_stop_time"))
    elif stops_at - session.now() < duration:
        lines.append(text("before.late", before=duration))
    return _shown(request, [mark], "\n".join(lines))


def _requested_mark(request: CommandRequest) -> tuple[timedelta, str]:
    usage = request.command.synopsis
    if not request.arguments:
        raise UsageError(
            "usage.missing", command=request.command.name, what="DURATION", usage=usage
        )
    if not request.has_option("--signal"):
        raise UsageError(
            "usage.missing", command=request.command.name, what="--signal", usage=usage
        )
    name = parse_signal(request.options["--signal"])
    if name in _WITHOUT_HANDLER:
        raise UsageError("usage.signal_without_handler", signal=name)
    return parse_duration(" ".join(request.arguments)), name


def _line(mark: Mark) -> str:
    return text("before.entry", signal=mark.signal, before=mark.before)


def _shown(request: CommandRequest, marks: Sequence[Mark], shown: str) -> object:
    if not request.has_option("--json"):
        return TextResult(shown)
    rows = ({"before_s": each.before.total_seconds(), "signal": each.signal} for each in marks)
    return JsonListResult(JsonResult(row) for row in rows)
