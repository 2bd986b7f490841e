"""The dispatcher: each command makes at most one call that writes, and returns a result to show."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Callable

from modelarts_magics import messages
from modelarts_magics.commands import later_starts
from modelarts_magics.commands.as_json import change_json, instance_json, restore_json
from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.grammar import MAGIC_PREFIX
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.commands.results import InstanceDetails, JsonResult, TextResult
from modelarts_magics.config.notify_folder import may_need_daemon
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.durations import parse_clock_time
from modelarts_magics.domain.models import Change, Mode
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.domain.time_input import TimeInput, parse_time_input
from modelarts_magics.errors import (
    AuthenticationError,
    ConfigurationError,
    DurationError,
    InputError,
    InvalidResponseError,
    ModelArtsError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from modelarts_magics.messages import Message
from modelarts_magics.session.session import LENGTHENS_LATER_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.session import Session

DEFAULT_ADJUSTMENT = timedelta(hours=1)
"""The change of the stop time by ``extend`` and ``shorten`` without an argument."""


def configure_messages(settings: Settings, prefix: str) -> None:
    """Set prefix, language and time zone of all messages; ignore an invalid time zone, which commands report."""
    messages.use_command_prefix(prefix)
    messages.use_language(settings.get("language"))
    try:
        messages.use_timezone(settings.timezone)
    except ConfigurationError:
        messages.use_timezone(None)


def run_command(request: CommandRequest, context: CommandContext) -> object:
    """Run a command and return its result.

    Raises:
        InputError: The request is invalid; nothing was sent.
        ModelArtsError: The command failed.

    Example:
        ``run_command(parse_line("extend 2h"), context)``
    """
    opened: list[Session] = []

    def get_session() -> Session:
        opened.append(context.get_session())
        return opened[-1]

    try:
        handle = _HANDLERS[request.command.name]
        return handle(request, context._replace(get_session=get_session))
    except ModelArtsError as error:
        is_refused = isinstance(error, (InputError, RefusedError))
        if isinstance(error, _UNANSWERED) or (
            opened and not is_refused and not request.may_write()
        ):
            _add_last_known(error, opened[-1] if opened else None, context)
        raise
    finally:
        _start_notifier(context)


def _start_notifier(context: CommandContext) -> None:
    """Start the daemon in the background if notifications are configured and it does not run."""
    if may_need_daemon(os.environ):
        from modelarts_magics.keepalive.notifications.start import start_in_background  # noqa: PLC0415 - seldom needed

        interactive = context.get_interactive_credential()
        start_in_background(context.get_settings(), interactive, os.environ)


_UNANSWERED = (
    AuthenticationError,
    InvalidResponseError,
    ServerError,
    ThrottledError,
    UnreachableError,
)
"""The errors after which the instance is not known from the API."""


def _add_last_known(
    error: ModelArtsError, session: Session | None, context: CommandContext
) -> None:
    """Add to an error what any process of this machine last knew of the instance."""
    if session is None:
        # The API would have to be asked which instance this is.
        from modelarts_magics.session.offline import open_offline  # noqa: PLC0415 - seldom needed

        session = open_offline(context.get_settings(), error)
    known = session.last_known() if session else None
    if known is not None:
        error.values["last_known"] = Message("stop.last_known", {"stop": stop_message(known)})


def _status(request: CommandRequest, context: CommandContext) -> object:
    request.reject_arguments()
    return _show_instance(request, *_read_instance(context))


def _show_instance(request: CommandRequest, session: Session, instance: Instance) -> object:
    """Return an instance as requested, with the run time that will be restored for later starts."""
    _note_switched_mode(session)
    planned, all_fields = later_starts.find_planned(session, instance), request.has_option("--all")
    if request.has_option("--json"):
        data = instance_json(instance, all_fields=all_fields)
        return JsonResult(data, restore=restore_json(planned)) if planned else data
    if planned:
        session.on_notice(later_starts.planned_message(planned))
    return InstanceDetails(instance) if all_fields else instance


def _note_switched_mode(session: Session) -> None:
    """Say that auto-stop goes back to idle mode after guarded work."""
    if session.settings is None:
        return
    from modelarts_magics.keepalive.folder import daemon_folder  # noqa: PLC0415 - keeps the other commands fast
    from modelarts_magics.keepalive.switched_mode import is_mode_switched  # noqa: PLC0415

    if is_mode_switched(daemon_folder(session.settings)):
        session.on_notice(Message("keep.switched"))


def _read_instance(context: CommandContext) -> tuple[Session, Instance]:
    """Return the session and the instance as read from the API."""
    session = context.get_session()
    instance = session.refresh()
    return session, later_starts.restore_on_read(session, instance)


def _describe(request: CommandRequest, context: CommandContext) -> object:
    description = _requested_description(request, context)
    if description is None:
        _, instance = _read_instance(context)
        return (
            instance_json(instance)
            if request.has_option("--json")
            else TextResult(instance.description)
        )
    full_width = request.has_option("--replace")
    session = context.get_session()
    change = session.describe(description, full_width=full_width)
    return _change_result(request, session, change)


def _auto_stop(request: CommandRequest, context: CommandContext) -> object:
    auto_stop_request = _auto_stop_request(request, context)
    if auto_stop_request == AutoStopRequest():
        return _show_instance(request, *_read_instance(context))
    session = context.get_session()
    return _change_result(request, session, session.set_auto_stop(auto_stop_request))


def _extend(request: CommandRequest, context: CommandContext) -> object:
    by, session = _requested_adjustment(request), context.get_session()
    try:
        change = session.extend(by, lengthen_later_runs=request.has_option("--yes"))
    except RefusedError as error:
        if error.code != LENGTHENS_LATER_RUNS:
            raise
        from modelarts_magics.commands.prompts import confirm_later_runs  # noqa: PLC0415 - seldom needed

        confirm_later_runs(request, context, error)
        change = session.extend(by, lengthen_later_runs=True)
    return _change_result(request, session, change)


def _shorten(request: CommandRequest, context: CommandContext) -> object:
    by, session = _requested_adjustment(request), context.get_session()
    return _change_result(request, session, session.shorten(by))


def _stop(request: CommandRequest, context: CommandContext) -> object:
    request.reject_arguments()
    if request.has_option("--when-idle"):
        from modelarts_magics.commands.when_idle import stop_when_idle  # noqa: PLC0415 - seldom needed

        return stop_when_idle(request, context)
    from modelarts_magics.commands.prompts import confirm_stop  # noqa: PLC0415 - seldom needed

    session = context.get_session()
    confirm_stop(request, context, session.refresh())
    from modelarts_magics.keepalive.notifications.announce import (  # noqa: PLC0415 - see above
        announce_stop,
    )

    announce_stop(session, os.environ)
    return _change_result(request, session, session.stop())


def _show_widget(request: CommandRequest, context: CommandContext) -> object:
    request.reject_arguments()
    create_widget = context.widget_factories.get(request.command.name)
    if create_widget is None:
        raise UsageError("usage.kernel_only", command=request.command.name)
    session, widget = context.get_session(), create_widget()
    instance = getattr(widget, "instance", None)
    if instance is not None:
        later_starts.restore_on_read(session, instance)
    return widget


def _doctor(request: CommandRequest, context: CommandContext) -> object:
    from modelarts_magics.doctor.report import run_checks  # noqa: PLC0415 - slow to import

    request.reject_arguments()
    report = run_checks(context.get_settings(), interactive=context.get_interactive_credential())
    if request.has_option("--json"):
        return JsonResult(report.to_json())
    return replace(report, show_all=request.has_option("--all"))


def _help(request: CommandRequest, context: CommandContext) -> object:
    from modelarts_magics.commands import help as help_texts  # noqa: PLC0415 - seldom needed

    width = help_texts.help_width(context.prefix)
    if not request.arguments:
        return help_texts.help_overview(context.prefix, width=width)
    if request.arguments[1:]:
        raise request.unexpected_argument(request.arguments[1])
    return help_texts.command_help(request.arguments[0], context.prefix, width=width)


def _undo(request: CommandRequest, context: CommandContext) -> object:
    request.reject_arguments()
    session = context.get_session()
    return _change_result(request, session, undo_last_change(session))


def undo_last_change(session: Session) -> Change:
    """Undo the last change of an instance, unless something else was changed since.

    Raises:
        RefusedError: There is nothing to undo, or the API cannot restore the state before.
        ModelArtsError: The instance cannot be read, or the change failed.
    """
    from modelarts_magics.commands.history import undo_line  # noqa: PLC0415 - seldom needed

    settings = session.settings or Settings.load()
    context = CommandContext(lambda: session, lambda: settings, MAGIC_PREFIX)
    line, known = undo_line(session), session.last_known()
    was_planned = known is not None and later_starts.find_planned(session, known) is not None
    change = run_command(parse_line(line), context)
    assert isinstance(change, Change)  # noqa: S101 - for the type checker: the command is one that writes
    if not was_planned:
        return change
    from modelarts_magics.session.restore import plan_again  # noqa: PLC0415 - seldom needed

    return plan_again(session, change)


def _run_module(request: CommandRequest, context: CommandContext) -> object:
    """Run a command that has a module of its own, which the first command of a kernel should not import."""
    name = request.command.name.replace("-", "_")
    module = import_module(f"modelarts_magics.commands.{_MODULES.get(name, name)}")
    return getattr(module, name)(request, context)


_MODULES = {"login": "prompts", "configure": "prompts", "restore": "later_starts"}
"""The modules of commands that do not have the name of the command."""
_HANDLERS: Mapping[str, Callable[[CommandRequest, CommandContext], object]] = {
    "status": _status,
    "describe": _describe,
    "auto-stop": _auto_stop,
    "extend": _extend,
    "shorten": _shorten,
    "countdown": _show_widget,
    "form": _show_widget,
    "stop": _stop,
    "keep": _run_module,
    "before": _run_module,
    "notify": _run_module,
    "jobs": _run_module,
    "activity": _run_module,
    "login": _run_module,
    "configure": _run_module,
    "setup": _run_module,
    "install-lab": _run_module,
    "history": _run_module,
    "undo": _undo,
    "restore": _run_module,
    "doctor": _doctor,
    "help": _help,
}


def _change_result(request: CommandRequest, session: Session, change: Change) -> object:
    if request.has_option("--wait"):
        change = session.wait_until_confirmed(change)
    if change.leaves_no_trace:
        from modelarts_magics.session.restore import take_back  # noqa: PLC0415 - seldom needed

        take_back(session, change)
    return change_json(change) if request.has_option("--json") else change


def _requested_description(request: CommandRequest, context: CommandContext) -> str | None:
    """Return the description given as text, by ``--from`` or by ``--clear``; None if there is none."""
    given = [name for name in ("--clear", "--from") if request.has_option(name)]
    if request.text is not None:
        given.append("TEXT")
    if len(given) > 1:
        usage = _usage_line(request)
        raise UsageError("usage.conflict", one=given[0], other=given[1], usage=usage)
    if request.has_option("--clear"):
        return ""
    if request.has_option("--from"):
        name = request.options["--from"]
        value = context.namespace.get(name)
        if not isinstance(value, str):
            raise InputError("description.name", name=name)
        return value
    if request.text is not None and not request.text.strip():
        raise UsageError("usage.empty_text")
    return request.text


def _auto_stop_request(request: CommandRequest, context: CommandContext) -> AutoStopRequest:
    prompt = _requested_reminder(request)
    words = [word.lower() for word in request.arguments]
    force = request.has_option("--try")
    if not words:
        return AutoStopRequest(prompt=prompt)
    first, rest = words[0], " ".join(request.arguments[1:])
    if first in _AUTO_STOP_STATES:
        if rest:
            raise request.unexpected_argument(rest)
        enabled, mode = _AUTO_STOP_STATES[first]
        return AutoStopRequest(enabled=enabled, mode=mode, prompt=prompt, force=force)
    if first in ("in", "at") and not rest:
        metavar = "DURATION" if first == "in" else "CLOCK"
        raise UsageError("usage.missing", command=first, what=metavar, usage=_usage_line(request))
    return _timed_request(parse_time_input(" ".join(request.arguments)), prompt, context)


_AUTO_STOP_STATES = {"on": (True, None), "off": (False, None), "idle": (True, Mode.IDLE)}


def _timed_request(
    entered: TimeInput, prompt: bool | None, context: CommandContext
) -> AutoStopRequest:
    if entered.clock_time is None:
        return AutoStopRequest(
            duration=entered.duration, time_left=entered.time_left, prompt=prompt
        )
    zone = context.get_settings().timezone
    # The session parses the time again by the API's clock; this refuses an invalid one without a request.
    parse_clock_time(entered.clock_time, now=SYSTEM_CLOCK.now(), zone=zone)
    return AutoStopRequest(clock_time=entered.clock_time, timezone=zone, prompt=prompt)


def _requested_reminder(request: CommandRequest) -> bool | None:
    remind, silent = request.has_option("--remind"), request.has_option("--no-remind")
    if remind and silent:
        usage = _usage_line(request)
        raise UsageError("usage.conflict", one="--remind", other="--no-remind", usage=usage)
    return remind if remind or silent else None


def _requested_adjustment(request: CommandRequest) -> timedelta:
    if not request.arguments:
        return DEFAULT_ADJUSTMENT
    entered = parse_time_input(" ".join(request.arguments))
    if entered.clock_time is not None:
        raise DurationError("duration.is_clock_time", text=entered.clock_time)
    if entered.time_left is not None:
        raise DurationError("duration.from_now", duration=entered.time_left)
    assert entered.duration is not None  # noqa: S101 - for the type checker: one of the three is given
    return entered.duration


def _usage_line(request: CommandRequest) -> str:
    return request.command.synopsis
