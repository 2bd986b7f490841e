"""``notify``: add, list, test and remove the sinks of notifications, and turn events on and off."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.as_json import iso_time
from modelarts_magics.commands.results import JsonResult, TextResult
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import (
    ConfigurationError,
    ModelArtsError,
    RefusedError,
    UsageError,
)
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.notifications.deliveries import (
    LastDelivery,
    cause_text,
    delivery_text,
    load_deliveries,
    save_delivery,
)
from modelarts_magics.keepalive.notifications.notification import LIFETIME, Notification
from modelarts_magics.keepalive.notifications.outbox import DONE, FAILED
from modelarts_magics.keepalive.notifications.send import DELIVERED, REFUSED
from modelarts_magics.keepalive.notifications.sender import send_and_wait
from modelarts_magics.keepalive.notifications.sinks import (
    APPRISE,
    COMMAND,
    EVENTS,
    Sink,
    SinkList,
    load_sinks,
    notify_folder,
    parse_address,
    parse_events,
    save_sinks,
)
from modelarts_magics.keepalive.state import is_daemon_running
from modelarts_magics.messages import Message, join_list, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.keepalive.notifications.sender import Result

_INPUT_UNAVAILABLE = (EOFError, NotImplementedError)
"""Errors of a prompt in a kernel whose front end does not support input."""


def notify(request: CommandRequest, context: CommandContext) -> object:
    """List, add, test, remove or mute what notifications are sent to.

    Raises:
        InputError: An address, a number or an event is invalid.
        RefusedError: The address needs an extra, or none was entered.
        ModelArtsError: The file cannot be written, or a test message was not delivered.
    """
    verb, *words = request.arguments or ("list",)
    action = _ACTIONS.get(verb)
    if action is None:
        raise request.unexpected_argument(verb)
    if verb != "add" and request.has_option("--command"):
        usage = request.command.synopsis
        raise UsageError("usage.conflict", one="--command", other=verb, usage=usage)
    return action(request, context, tuple(words))


def _add(request: CommandRequest, context: CommandContext, words: tuple[str, ...]) -> object:
    # The history has these words already; the error must not repeat them.
    if words:
        raise UsageError("notify.address_on_line")
    folder = notify_folder(context.get_settings(), os.environ)
    command = request.options.get("--command")
    try:
        address = "" if command else _read_address(context)
    except _INPUT_UNAVAILABLE:
        raise RefusedError("notify.no_input") from None
    sink = add_sink(folder, address, command=command or "")
    values = {"sink": sink.label, "id": sink.id}
    return _answer(request, context, TextResult(text("notify.added", **values)))


def add_sink(folder: Path, address: str, *, command: str = "") -> Sink:
    """Add a sink, and return it.

    Args:
        folder: The folder of the sinks.
        address: The address, which is a secret.
        command: A command instead of an address.

    Raises:
        InputError: The address is none.
        RefusedError: It needs an extra, or it is in the list.
        ModelArtsError: The file cannot be written.
    """
    kind, target = (COMMAND, command.strip()) if command else parse_address(address)
    if kind == APPRISE:
        _check_with_apprise(Sink("", kind, target, sys.executable))
    changed = load_sinks(folder).with_sink(kind, target)
    save_sinks(folder, changed)
    return changed.sinks[-1]


def _check_with_apprise(sink: Sink) -> None:
    """Let Apprise check an address, in a process of its own because it needs 50 MB."""
    result = send_and_wait((sink,), None, os.environ)[0]
    if result.outcome == REFUSED:
        raise RefusedError("notify.address_unknown", sink=sink.label)


def _read_address(context: CommandContext) -> str:
    """Return the address, typed unseen, or from the standard input of a terminal command."""
    is_kernel = context.prefix.startswith("%")
    if not is_kernel and sys.stdin is not None and not sys.stdin.isatty():
        return sys.stdin.readline()
    return context.ask_secret(text("notify.ask"))


def _remove(request: CommandRequest, context: CommandContext, words: tuple[str, ...]) -> object:
    folder = notify_folder(context.get_settings(), os.environ)
    found = load_sinks(folder)
    removed = found.find(_one_id(request, words, found))
    save_sinks(folder, found.without_sink(removed.id))
    result = TextResult(text("notify.removed", sink=removed.label))
    return _answer(request, context, result)


def _set_events(request: CommandRequest, context: CommandContext, words: tuple[str, ...]) -> object:
    names = parse_events(words)
    folder = notify_folder(context.get_settings(), os.environ)
    changed = load_sinks(folder).with_events(names, on=request.arguments[0] == "on")
    save_sinks(folder, changed)
    return _answer(request, context, TextResult(events_line(changed)))


def _test(request: CommandRequest, context: CommandContext, words: tuple[str, ...]) -> object:
    folder = notify_folder(context.get_settings(), os.environ)
    found = load_sinks(folder)
    if not found.sinks:
        raise RefusedError("notify.none")
    chosen = (found.find(_one_id(request, words, found)),) if words else found.sinks
    results = send_test(folder, chosen, _instance_name(context))
    lines = [text_of_result(sink, result) for sink, result in zip(chosen, results)]
    if any(result.outcome != DELIVERED for result in results):
        raise ModelArtsError("notify.test_failed", lines=" · ".join(lines))
    return _answer(request, context, TextResult("\n".join(lines)))


def send_test(folder: Path, chosen: tuple[Sink, ...], name: str) -> list[Result]:
    """Send a test message to some sinks at the same time, and remember what came of it."""
    now = SYSTEM_CLOCK.now()
    notification = Notification(
        event="test",
        message=Message("notify.text.test", {"name": name}),
        created_at=now,
        instance_id="",
        instance_name=name,
        stops_at=None,
        expires_at=now + LIFETIME,
    )
    results = send_and_wait(chosen, notification.payload(), os.environ)
    for sink, result in zip(chosen, results):
        state = DONE if result.outcome == DELIVERED else FAILED
        save_delivery(folder, sink.id, LastDelivery(now, "test", state, 1, result.cause))
    return results


def text_of_result(sink: Sink, result: Result) -> str:
    """Return what came of a test message as one line."""
    if result.outcome == DELIVERED:
        return text("notify.tested", sink=sink.label)
    return text("notify.not_tested", sink=sink.label, cause=cause_text(result.cause))


def _instance_name(context: CommandContext) -> str:
    try:
        session = context.get_session()
        instance = session.last_known() or session.refresh()
        return instance.name or instance.id
    except ModelArtsError:
        return "ModelArts"


def _list(request: CommandRequest, context: CommandContext, words: tuple[str, ...]) -> object:
    if words:
        raise request.unexpected_argument(words[0])
    settings = context.get_settings()
    folder = notify_folder(settings, os.environ)
    if request.has_option("--json"):
        return notify_json(folder, settings)
    found, last = load_sinks(folder), load_deliveries(folder)
    if not found.sinks:
        return TextResult(text("notify.list.none"))
    lines = [text("notify.list.entry", id=each.id, sink=each.label) for each in found.sinks]
    lines = [
        f"{line} · {delivery_text(last.get(each.id))}" for line, each in zip(lines, found.sinks)
    ]
    return TextResult("\n".join([*lines, events_line(found), daemon_line(settings)]))


def events_line(found: SinkList) -> str:
    """Return which events are sent."""
    on = [event for event in EVENTS if event not in found.muted]
    if not on:
        return text("notify.events.none")
    off = join_list(event for event in EVENTS if event in found.muted)
    return text("notify.events.some" if off else "notify.events.all", on=join_list(on), off=off)


def daemon_line(settings: Settings) -> str:
    """Return whether notifications can be sent now, and when they cannot."""
    is_running = is_notifier_running(settings)
    if is_running is None:
        return text("notify.daemon.unknown")
    return text("notify.daemon.running" if is_running else "notify.daemon.not_running")


def is_notifier_running(settings: Settings) -> bool | None:
    """Return whether the daemon runs that sends notifications; None if the settings name no instance."""
    try:
        return is_daemon_running(daemon_folder(settings))
    except ConfigurationError:
        return None


def notify_json(folder: Path, settings: Settings) -> JsonResult:
    """Return the sinks without their addresses, the events, and whether notifications can be sent."""
    found, last = load_sinks(folder), load_deliveries(folder)
    return JsonResult(
        sinks=[
            {
                "id": each.id,
                "kind": each.kind,
                "target": each.label,
                "last_delivery": _delivery_json(last.get(each.id)),
            }
            for each in found.sinks
        ],
        events={event: event not in found.muted for event in EVENTS},
        daemon_running=is_notifier_running(settings),
        note=daemon_line(settings) if found.sinks else text("notify.list.none"),
    )


def _delivery_json(last: LastDelivery | None) -> Mapping[str, Any] | None:
    if last is None:
        return None
    return {
        "at": iso_time(last.at),
        "event": last.event,
        "outcome": last.state,
        "attempts": last.attempts,
        "cause": cause_text(last.cause) if last.cause else None,
    }


def _one_id(request: CommandRequest, words: Sequence[str], found: SinkList) -> str:
    """Return the number that was given, or that of the only sink."""
    if len(words) > 1:
        raise request.unexpected_argument(words[1])
    if words:
        return words[0]
    if len(found.sinks) == 1:
        return found.sinks[0].id
    raise UsageError(
        "usage.missing",
        command=request.arguments[0],
        what="ID",
        usage=request.command.synopsis,
    )


def _answer(request: CommandRequest, context: CommandContext, result: object) -> object:
    settings = context.get_settings()
    if request.has_option("--json"):
        return notify_json(notify_folder(settings, os.environ), settings)
    return result


_ACTIONS: Mapping[str, Callable[[CommandRequest, CommandContext, tuple[str, ...]], object]] = {
    "list": _list,
    "add": _add,
    "test": _test,
    "remove": _remove,
    "on": _set_events,
    "off": _set_events,
}
