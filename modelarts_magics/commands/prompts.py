"""The commands with prompts and stored values: login, configure and the confirmations of stop and extend."""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

from modelarts_magics.commands.results import TextResult
from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.credential_providers import save_access_key
from modelarts_magics.config.credentials import (
    AccessKey,
    FoundCredential,
    Token,
    check_characters,
    make_access_key,
)
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.errors import ConfigurationError, ModelArtsError, RefusedError, UsageError
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.launch import ensure_daemon
from modelarts_magics.messages import join_list, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.domain.models import Instance

MAX_LISTED_VARIABLES = 5

_INPUT_UNAVAILABLE = (EOFError, NotImplementedError)
"""Errors of a prompt without a terminal, or in a kernel whose front end does not support input."""


def login(request: CommandRequest, context: CommandContext) -> TextResult:
    """Ask for an access key or a token; keep it in memory, or save a key in the vendor's credentials file.

    With ``--clear``, forget the one in memory.

    Raises:
        UsageError: Arguments were given.
        RefusedError: No credential was entered, or it cannot be kept as requested.
    """
    # Arguments may be a secret, which is in the history already; the error must not repeat it.
    if request.arguments:
        raise UsageError("usage.secret", command=request.command.name)
    if request.has_option("--clear"):
        return _clear_credential(request, context)
    if context.use_interactive_credential is None and not request.has_option("--save"):
        raise RefusedError("login.needs_save")
    try:
        found = _ask_for_credential(request, context)
    except _INPUT_UNAVAILABLE:
        raise RefusedError("login.no_input") from None
    return _store_credential(found, request, context)


def _clear_credential(request: CommandRequest, context: CommandContext) -> TextResult:
    """Forget the credential entered before, so that the next source is used, also for changes."""
    if request.has_option("--save"):
        usage = request.command.synopsis
        raise UsageError("usage.conflict", one="--save", other="--clear", usage=usage)
    if context.use_interactive_credential is not None:
        context.use_interactive_credential(None)
    return TextResult(text("login.cleared"))


def _ask_for_credential(request: CommandRequest, context: CommandContext) -> FoundCredential:
    ak = context.ask_secret(text("login.ask.ak"))
    if not ak.strip():
        return _ask_for_token(request, context)
    sk = context.ask_secret(text("login.ask.sk"))
    security_token = context.ask_secret(text("login.ask.security_token"))
    key = make_access_key(ak, sk, security_token, source="login")
    if key is None:
        raise RefusedError("login.empty")
    return FoundCredential(key, "login")


def _ask_for_token(request: CommandRequest, context: CommandContext) -> FoundCredential:
    if request.has_option("--save"):
        raise RefusedError("login.token_not_saved")
    token = context.ask_secret(text("login.ask.token")).strip()
    if not token:
        raise RefusedError("login.empty")
    return FoundCredential(Token(check_characters(token, "login")), "login")


def _store_credential(
    found: FoundCredential, request: CommandRequest, context: CommandContext
) -> TextResult:
    if context.use_interactive_credential is not None:
        context.use_interactive_credential(found)
    if not request.has_option("--save"):
        return TextResult(text("login.session_only"))
    path = CredentialChain().credentials_file
    if isinstance(found.credential, AccessKey):
        save_access_key(found.credential, path)
    return TextResult(text("login.saved", path=path))


def configure(request: CommandRequest, context: CommandContext) -> TextResult:
    """Write settings to the settings file, which persists after a stop, or show them without arguments.

    Raises:
        UsageError: A setting is unknown or cannot be stored.
        ConfigurationError: A value is invalid.
    """
    changes = dict(_parse_assignment(word, request) for word in request.arguments)
    values = _read_settings_file(overwrite=bool(changes))
    if changes:
        _validate_settings(changes)
        path = settings_file.write(os.environ, {**values, **changes})
        values = settings_file.read(os.environ)
        lines = [text("configure.written", path=path), *_start_before_stop(changes, context)]
    else:
        shown_path = settings_file.current_path(os.environ) or "~"
        lines = [text("configure.current" if values else "configure.empty", path=shown_path)]
    return TextResult(
        "\n".join([*lines, *(f"  {name} = {value}" for name, value in values.items())])
    )


def _start_before_stop(changes: Mapping[str, str], context: CommandContext) -> list[str]:
    """Start the daemon for a command before the stop; return a line if that is not possible now."""
    if not changes.get("before_stop"):
        return []
    try:
        session = context.get_session()
        ensure_daemon(folder_of_session(session), session, os.environ)
    except ModelArtsError as error:
        return [text("configure.before_stop_later", cause=error.message)]
    return []


def _read_settings_file(*, overwrite: bool) -> dict[str, str]:
    """Read the settings file; an unreadable file counts as empty if it is overwritten anyway."""
    try:
        return settings_file.read(os.environ)
    except ConfigurationError:
        if not overwrite:
            raise
        return {}


def _parse_assignment(word: str, request: CommandRequest) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or name not in settings_file.STORABLE:
        usage = f"{request.command.name} {request.command.usage}"
        names = join_list(settings_file.STORABLE)
        raise UsageError("usage.setting", word=name, usage=usage, names=names)
    return name, value.strip()


def _validate_settings(values: Mapping[str, str]) -> None:
    """Raise the error that using a value would raise."""
    settings = Settings.load(values, environ={})
    for name, value in values.items():
        if value:
            settings.check(name)


def confirm_stop(request: CommandRequest, context: CommandContext, instance: Instance) -> None:
    """Ask whether to stop the instance, naming the kernel's variables that would be lost.

    Raises:
        RefusedError: The answer is not yes, or prompts are not possible.
    """
    # `Session.stop` refuses an instance that is not running, so there is nothing to confirm.
    if request.has_option("--yes") or instance.status.stopped or instance.status.stopping:
        return
    question = text(
        "stop.question",
        name=instance.name or instance.id,
        stop=stop_message(instance),
        variables=_list_variables(context.namespace),
    )
    if not is_confirmed(context, question):
        raise RefusedError("stop.declined")


def confirm_later_runs(
    request: CommandRequest, context: CommandContext, refusal: RefusedError
) -> None:
    """Ask whether to lengthen later runs with an extension that this run will not follow.

    Raises:
        RefusedError: `refusal`, if the answer is not yes, or prompts are not possible.
    """
    # The output with --json is nothing but JSON.
    if request.has_option("--json"):
        raise refusal
    way = refusal.values["way"]
    question = text("extend.question", problem=refusal.message, way=way)
    if not is_confirmed(context, question):
        raise refusal


def is_confirmed(context: CommandContext, question: str) -> bool:
    """Ask a question, and return whether the answer is yes; without a prompt it is no."""
    try:
        answer = context.ask(question)
    except _INPUT_UNAVAILABLE:
        return False
    return answer.strip().lower() in ("y", "yes", "是")


def _list_variables(namespace: Mapping[str, object]) -> str:
    """Return the user's variables in this kernel as text; "" if there are none."""
    hidden = ("In", "Out", "exit", "quit", "get_ipython", "open")
    names = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, ModuleType)
    ]
    if not names:
        return ""
    shown = join_list(names[:MAX_LISTED_VARIABLES])
    more = (
        text("stop.more", count=len(names) - MAX_LISTED_VARIABLES)
        if len(names) > MAX_LISTED_VARIABLES
        else ""
    )
    return text("stop.variables", names=f"{shown}{more}")
