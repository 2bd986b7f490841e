"""``stop --when-idle``: stop the instance when nothing has worked for a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelarts_magics.commands.as_json import iso_time
from modelarts_magics.commands.results import JsonResult, TextResult
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import ModelArtsError, UsageError
from modelarts_magics.keepalive import launch
from modelarts_magics.keepalive.activity.report import load_report
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.idle_stop import (
    load_idle_stop,
    make_idle_stop,
    postpone_idle_stop,
    save_idle_stop,
)
from modelarts_magics.keepalive.state import read_running_state
from modelarts_magics.keepalive.stopping import WARNING_TIME
from modelarts_magics.messages import Message, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.session.session import Session

OPTION = "--when-idle"
OFF, KEEP = "off", "keep"
"""The words in place of a duration: turn the setting off, or do not stop within the next hour."""


def stop_when_idle(request: CommandRequest, context: CommandContext) -> object:
    """Turn on, turn off or postpone the stop when nothing works.

    Raises:
        UsageError: Another option of ``stop`` was given.
        DurationError: The duration is invalid or too short.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    request.reject_arguments()
    for other in ("--yes", "--wait"):
        if request.has_option(other):
            usage = request.command.synopsis
            raise UsageError("usage.conflict", one=OPTION, other=other, usage=usage)
    word = request.options[OPTION].lower()
    # The duration is checked before anything else is done.
    idle_time = None if word in (OFF, KEEP) else make_idle_stop(parse_duration(word)).idle_time
    session = context.get_session()
    is_kept = word == KEEP
    result = keep_for_an_hour(session) if is_kept else set_idle_stop(session, idle_time, os.environ)
    if request.has_option("--json"):
        return JsonResult(when_idle=idle_stop_json(folder_of_session(session)))
    return TextResult(result)


def set_idle_stop(
    session: Session, idle_time: timedelta | None, environ: Mapping[str, str]
) -> Message:
    """Stop the instance when nothing has worked for a time, or no longer; return the sentence about it.

    Args:
        session: The session with the instance.
        idle_time: The time; None to turn the setting off.
        environ: The environment variables for a new daemon.

    Raises:
        DurationError: The time is too short.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    folder = folder_of_session(session)
    if idle_time is None:
        if folder.exists():
            save_idle_stop(folder, None)
        return Message("idle_stop.off")
    setting = make_idle_stop(idle_time)
    # Nothing is promised while the API does not answer.
    session.refresh()
    before = load_idle_stop(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_idle_stop(folder, setting)
    except OSError as error:
        cause = error.strerror or str(error)
        raise ModelArtsError("keep.cannot_write", path=str(folder), cause=cause) from None
    try:
        launch.ensure_daemon(folder, session, environ)
    except ModelArtsError:
        save_idle_stop(folder, before)
        raise
    return Message("idle_stop.on", {"duration": idle_time, "warning": WARNING_TIME})


def keep_for_an_hour(session: Session) -> Message:
    """Do not stop the instance within the next hour because nothing works; return the sentence about it.

    Raises:
        RefusedError: The setting is off.
    """
    until = postpone_idle_stop(folder_of_session(session), session.now())
    return Message("idle_stop.postponed", {"until": until})


def idle_stop_json(folder: Path) -> dict[str, object] | None:
    """Return the setting as JSON; None if it is off."""
    setting = load_idle_stop(folder)
    if setting is None:
        return None
    return {
        "idle_time_s": round(setting.idle_time.total_seconds()),
        "postponed_until": iso_time(setting.postponed_until),
    }


def idle_stop_lines(folder: Path) -> list[str]:
    """Return what is to be said about the setting; nothing if it is off."""
    setting, state = load_idle_stop(folder), read_running_state(folder)
    if setting is None:
        return []
    stop = state.stop if state is not None else None
    if stop is not None and stop.idle_time is not None and stop.stops_at is not None:
        values = {"stop_time": stop.stops_at, "duration": stop.idle_time}
        return [text("idle_stop.announced", **values)]
    lines = [text("idle_stop.is_on", duration=setting.idle_time)]
    report = load_report(folder)
    if report is not None and report.busy is None:
        lines.append(text("idle_stop.unknown"))
    return lines
