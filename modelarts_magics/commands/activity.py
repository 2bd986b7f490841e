"""``activity``: show what is working on the instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.commands.results import JsonResult, TextResult
from modelarts_magics.commands.when_idle import idle_stop_lines
from modelarts_magics.keepalive.activity.client import WATCH_TIME, ask_activity
from modelarts_magics.keepalive.activity.source import KERNEL
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.messages import format_time_left, join_list, text

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.keepalive.activity.report import ActivityReport
    from modelarts_magics.keepalive.activity.source import Source

_SEPARATOR = " · "


def activity(request: CommandRequest, context: CommandContext) -> object:
    """Return what is working, as text or as JSON.

    Raises:
        UsageError: There are arguments.
        ModelArtsError: The daemon cannot be started, or does not report.
    """
    request.reject_arguments()
    session = context.get_session()
    report = ask_activity(session)
    if request.has_option("--json"):
        return JsonResult(report.to_json())
    lines = report_lines(report, session.now()) + idle_stop_lines(folder_of_session(session))
    return TextResult("\n".join(lines))


def report_lines(report: ActivityReport, now: datetime) -> list[str]:
    """Return the lines for a report.

    Args:
        report: The report.
        now: The time by the clock of the API.
    """
    working = [source for source in report.sources if source.busy]
    unknown = [source for source in report.sources if source.busy is None]
    idle = [source for source in report.sources if source.busy is False]
    lines = [
        *_line("working", [_with_time(source, now) for source in working]),
        *_line("not_counted", [str(source.describe()) for source in idle if not source.counts]),
        *_line("unknown", [str(source.describe()) for source in unknown]),
        *_line("idle", [_idle_item(source) for source in idle if source.counts]),
    ]
    if not working:
        lines.insert(0, text("activity.line.nothing"))
    if now - report.watched_since < WATCH_TIME:
        lines.append(text("activity.line.watched", since=report.watched_since))
    return lines


def _with_time(source: Source, now: datetime) -> str:
    """Return a source with its finding and for how long it has worked."""
    return join_list((str(source.describe()), format_time_left(now - source.since)))


def _idle_item(source: Source) -> str:
    """Return an idle source; of a kernel the name says it all."""
    return source.name if source.kind == KERNEL else str(source.describe())


def _line(kind: str, items: list[str]) -> list[str]:
    return [text(f"activity.line.{kind}", items=_SEPARATOR.join(items))] if items else []
