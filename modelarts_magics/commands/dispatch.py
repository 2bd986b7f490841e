"""What each command does: at most one session call, and the value that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.commands import help as help_texts
from modelarts_magics.commands.as_json import change_json, instance_json
from modelarts_magics.commands.prompts import ask, ask_secret, configure, confirm_stop, login
from modelarts_magics.commands.results import Details, Json, Text
from modelarts_magics.doctor import examine
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.domain.durations import parse_clock, parse_duration
from modelarts_magics.domain.models import Change, Mode
from modelarts_magics.domain.planning import Wish
from modelarts_magics.errors import ConfigurationError, InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.commands.parser import Request
    from modelarts_magics.config.credentials import Found
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.session.session import Session

DEFAULT_SHIFT = timedelta(hours=1)


@dataclass(frozen=True)
class Context:
    """Where a command runs.

    Attributes:
        session: Gives the session; called only by a command that needs the cloud.
        settings: Gives the settings as they are now.
        prefix: How a command is typed here, for help.
        namespace: The variables that ``--from`` may name.
        ask: Asks a question and returns the answer.
        ask_secret: The same, without showing what is typed.
        enter: Takes what a person entered by ``login``; None where nothing would remember it.
        entered: Gives it back.
        widgets: Makes what a command that needs a page shows; empty in a terminal.
    """

    session: Callable[[], Session]
    settings: Callable[[], Settings]
    prefix: str
    namespace: Mapping[str, Any] = field(default_factory=dict)
    ask: Callable[[str], str] = ask
    ask_secret: Callable[[str], str] = ask_secret
    enter: Callable[[Found], None] | None = None
    entered: Callable[[], Found | None] = lambda: None
    widgets: Mapping[str, Callable[[], object]] = field(default_factory=dict)


def prepare(settings: Settings, prefix: str) -> None:
    """Word everything as this person wants it; a zone that is none is left to who needs it."""
    messages.use_command(prefix)
    messages.use_language(settings.get("language"))
    try:
        messages.use_zone(settings.zone)
    except ConfigurationError:
        messages.use_zone(None)


def run(request: Request, context: Context) -> object:
    """Do what was asked and return the value that shows it.

    Raises:
        ModelArtsError: With a message and a hint; nothing was sent if it is an `InputError`.
    """
    return _HANDLERS[request.command.name](request, context)


def _status(request: Request, context: Context) -> object:
    _no_words(request)
    instance = context.session().refresh()
    if request.has("--json"):
        return instance_json(instance, everything=request.has("--all"))
    return Details(instance) if request.has("--all") else instance


def _describe(request: Request, context: Context) -> object:
    given = _one_text(request, context)
    if given is None:
        instance = context.session().refresh()
        return instance_json(instance) if request.has("--json") else Text(instance.description)
    replace = request.has("--replace")
    return _shown(request, context.session().describe(given, full_width=replace))


def _auto_stop(request: Request, context: Context) -> object:
    wish = _wish(request, context)
    if wish == Wish():
        instance = context.session().refresh()
        return instance_json(instance) if request.has("--json") else instance
    return _shown(request, context.session().set_auto_stop(wish))


def _extend(request: Request, context: Context) -> object:
    by = _shift(request)
    return _shown(request, context.session().extend(by))


def _shorten(request: Request, context: Context) -> object:
    by = _shift(request)
    return _shown(request, context.session().shorten(by))


def _stop(request: Request, context: Context) -> object:
    _no_words(request)
    session = context.session()
    confirm_stop(request, context, session.refresh())
    return _shown(request, session.stop())


def _widget(request: Request, context: Context) -> object:
    _no_words(request)
    make = context.widgets.get(request.command.name)
    if make is None:
        raise UsageError("usage.kernel_only", command=request.command.name)
    return make()


def _doctor(request: Request, context: Context) -> object:
    _no_words(request)
    report = examine(context.settings(), entered=context.entered())
    return Json(report.as_json()) if request.has("--json") else report


def _help(request: Request, context: Context) -> object:
    if not request.words:
        return help_texts.overview(context.prefix)
    if request.words[1:]:
        raise _extra(request, request.words[1])
    return help_texts.of_command(request.words[0], context.prefix)


_HANDLERS: Mapping[str, Callable[[Request, Context], object]] = {
    "status": _status,
    "describe": _describe,
    "auto-stop": _auto_stop,
    "extend": _extend,
    "shorten": _shorten,
    "countdown": _widget,
    "form": _widget,
    "stop": _stop,
    "login": login,
    "configure": configure,
    "doctor": _doctor,
    "help": _help,
}


def _shown(request: Request, change: Change) -> object:
    return change_json(change) if request.has("--json") else change


def _no_words(request: Request) -> None:
    if request.words:
        raise _extra(request, request.words[0])


def _one_text(request: Request, context: Context) -> str | None:
    """The description that was given, in whichever of the three ways; None if in none."""
    given = [name for name in ("--clear", "--from") if request.has(name)]
    if request.text is not None:
        given.append("TEXT")
    if len(given) > 1:
        usage = _usage(request)
        raise UsageError("usage.conflict", one=given[0], other=given[1], usage=usage)
    if request.has("--clear"):
        return ""
    if request.has("--from"):
        name = request.options["--from"]
        value = context.namespace.get(name)
        if not isinstance(value, str):
            raise InputError("description.name", name=name)
        return value
    if request.text is not None and not request.text.strip():
        raise UsageError("usage.empty_text")
    return request.text


def _wish(request: Request, context: Context) -> Wish:
    prompt = _prompt(request)
    words = [word.lower() for word in request.words]
    insist = request.has("--try")
    if not words:
        return Wish(prompt=prompt)
    first, rest = words[0], " ".join(request.words[1:])
    if first in ("in", "at"):
        if not rest:
            what = "DURATION" if first == "in" else "CLOCK"
            raise UsageError("usage.missing", command=first, what=what, usage=_usage(request))
        return _wish_in(rest, prompt) if first == "in" else _wish_at(rest, prompt, context)
    if first in _STATES:
        if rest:
            raise _extra(request, rest)
        enabled, mode = _STATES[first]
        return Wish(enabled=enabled, mode=mode, prompt=prompt, insist=insist)
    return Wish(duration=parse_duration(" ".join(request.words)), prompt=prompt)


_STATES = {"on": (True, None), "off": (False, None), "idle": (True, Mode.IDLE)}


def _wish_in(written: str, prompt: bool | None) -> Wish:
    return Wish(within=parse_duration(written), prompt=prompt)


def _wish_at(written: str, prompt: bool | None, context: Context) -> Wish:
    zone = context.settings().zone
    parse_clock(written, now=SYSTEM_CLOCK.now(), zone=zone)  # refused before the cloud is asked
    return Wish(at=written, zone=zone, prompt=prompt)


def _prompt(request: Request) -> bool | None:
    remind, silent = request.has("--remind"), request.has("--no-remind")
    if remind and silent:
        usage = _usage(request)
        raise UsageError("usage.conflict", one="--remind", other="--no-remind", usage=usage)
    return remind if remind or silent else None


def _shift(request: Request) -> timedelta:
    return parse_duration(" ".join(request.words)) if request.words else DEFAULT_SHIFT


def _extra(request: Request, word: str) -> UsageError:
    return UsageError("usage.extra", command=request.command.name, word=word, usage=_usage(request))


def _usage(request: Request) -> str:
    return request.command.synopsis
