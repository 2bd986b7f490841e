"""The commands that ask a person something: login, configure, stop."""

from __future__ import annotations

import getpass
import os
from types import ModuleType
from typing import TYPE_CHECKING

from modelarts_magics.commands.results import Text
from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import Chain
from modelarts_magics.config.credential_providers import save
from modelarts_magics.config.credentials import AccessKey, Found, Token, access_key, checked
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.countdown import stop_fact
from modelarts_magics.errors import ConfigurationError, RefusedError, UsageError
from modelarts_magics.messages import LANGUAGES, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelarts_magics.commands.dispatch import Context
    from modelarts_magics.commands.parser import Request
    from modelarts_magics.domain.models import Instance

SHOWN_VARIABLES = 5


_CANNOT_ASK = (EOFError, NotImplementedError)
"""What asking raises where nobody can answer: no terminal, or a kernel whose front end takes no input."""


def ask(question: str) -> str:
    """Ask a question; a kernel puts its own `input` in place while a cell runs."""
    return input(question)


def ask_secret(question: str) -> str:
    """Ask without showing what is typed, and without leaving it in any history."""
    return getpass.getpass(question)


def login(request: Request, context: Context) -> Text:
    """Ask for a key or a token, unseen; keep it in memory, or save a key in the vendor's file."""
    if request.words:  # a key typed here would stand in the history: it is not repeated
        raise UsageError("usage.secret", command=request.command.name)
    if context.enter is None and not request.has("--save"):
        raise RefusedError("login.needs_save")
    try:
        found = _ask_for_credential(request, context)
    except _CANNOT_ASK:
        raise RefusedError("login.cannot_ask") from None
    return _keep(found, request, context)


def _ask_for_credential(request: Request, context: Context) -> Found:
    ak = context.ask_secret(text("login.ask.ak"))
    if not ak.strip():
        return _ask_for_token(request, context)
    sk = context.ask_secret(text("login.ask.sk"))
    security_token = context.ask_secret(text("login.ask.security_token"))
    key = access_key(ak, sk, security_token, source="login")
    if key is None:
        raise RefusedError("login.nothing")
    return Found(key, "login")


def _ask_for_token(request: Request, context: Context) -> Found:
    if request.has("--save"):
        raise RefusedError("login.token_not_saved")
    token = context.ask_secret(text("login.ask.token")).strip()
    if not token:
        raise RefusedError("login.nothing")
    return Found(Token(checked(token, "login")), "login")


def _keep(found: Found, request: Request, context: Context) -> Text:
    if context.enter is not None:
        context.enter(found)
    if not request.has("--save"):
        return Text(text("login.kept"))
    path = Chain().file
    if isinstance(found.credential, AccessKey):
        save(found.credential, path)
    return Text(text("login.saved", path=path))


def configure(request: Request, context: Context) -> Text:  # noqa: ARG001 - the shape of all commands
    """Write settings that are no secrets to the file that survives a stop, or show them."""
    given = dict(_pair(word, request) for word in request.words)
    values = _kept(replaced=bool(given))
    if given:
        _check(given)
        path = settings_file.write(os.environ, {**values, **given})
        values = settings_file.read(os.environ)
        lines = [text("configure.written", path=path)]
    else:
        where = settings_file.location(os.environ) or "~"
        lines = [text("configure.shown" if values else "configure.empty", path=where)]
    return Text("\n".join([*lines, *(f"  {name} = {value}" for name, value in values.items())]))


def _kept(*, replaced: bool) -> dict[str, str]:
    """What is in the file; one that cannot be read counts as empty where it is replaced anyway."""
    try:
        return settings_file.read(os.environ)
    except ConfigurationError:
        if not replaced:
            raise
        return {}


def _pair(word: str, request: Request) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or name not in settings_file.KEPT:
        usage = f"{request.command.name} {request.command.usage}"
        names = ", ".join(settings_file.KEPT)
        raise UsageError("usage.setting", word=name, usage=usage, names=names)
    return name, value.strip()


def _check(given: Mapping[str, str]) -> None:
    """Refuse a value that could not be used, before it is written."""
    settings = Settings.gather(given, environ={})
    checks: dict[str, Callable[[], object]] = {
        "endpoint": lambda: settings.endpoint,
        "region": lambda: Settings.gather({"region": given["region"]}, environ={}).endpoint,
        "project_id": lambda: settings.project_id,
        "instance_id": lambda: settings.instance_id,
        "api": lambda: settings.api,
        "timezone": lambda: settings.zone,
        "language": lambda: _check_language(given["language"]),
    }
    for name, value in given.items():
        if value:
            checks[name]()


def _check_language(value: str) -> None:
    if value not in LANGUAGES:
        raise UsageError("usage.language", word=value, choices=", ".join(LANGUAGES))


def confirm_stop(request: Request, context: Context, instance: Instance) -> None:
    """Ask whether to stop the instance, naming what would be lost as far as that is known.

    Raises:
        RefusedError: The answer is anything but yes, or nobody can be asked.
    """
    if request.has("--yes") or instance.status.stopped or instance.status.stopping:
        return  # what does not run is refused without a question
    question = text(
        "stop.question",
        name=instance.name or instance.id,
        words=stop_fact(instance),
        variables=_variables(context.namespace),
    )
    try:
        answer = context.ask(question)
    except _CANNOT_ASK:
        answer = ""
    if answer.strip().lower() not in ("y", "yes", "是"):
        raise RefusedError("stop.declined")


def _variables(namespace: Mapping[str, object]) -> str:
    """The variables of this kernel, which end with it; "" where there are none."""
    hidden = ("In", "Out", "exit", "quit", "get_ipython", "open")
    names = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, ModuleType)
    ]
    if not names:
        return ""
    shown = ", ".join(names[:SHOWN_VARIABLES])
    more = (
        text("stop.more", count=len(names) - SHOWN_VARIABLES)
        if len(names) > SHOWN_VARIABLES
        else ""
    )
    return text("stop.variables", names=f"{shown}{more}")
