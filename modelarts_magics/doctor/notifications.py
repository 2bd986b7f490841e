"""Check the sinks of notifications, and whether anything can be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.config.notify_folder import FILE_NAME
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.notifications.deliveries import delivery_text, load_deliveries
from modelarts_magics.keepalive.notifications.outbox import FAILED
from modelarts_magics.keepalive.notifications.sinks import (
    is_readable_by_others,
    load_sinks,
    notify_folder,
)
from modelarts_magics.keepalive.state import is_daemon_running
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelarts_magics.config.settings import Settings

_SUBJECT = "notifications"


def notification_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the sinks with their last delivery, and whether notifications can be sent now.

    Args:
        settings: The resolved settings.
        environ: The environment variables.
    """
    folder = notify_folder(settings, environ)
    found, last = load_sinks(folder), load_deliveries(folder)
    if not found.sinks:
        hint = text("doctor.notify.none.hint")
        yield Finding(_SUBJECT, Level.INFO, text("doctor.notify.none"), hint)
        return
    for sink in found.sinks:
        delivery = last.get(sink.id)
        is_failed = delivery is not None and delivery.state == FAILED
        message = text("doctor.notify.sink", sink=sink.label, last=delivery_text(delivery))
        hint = text("doctor.notify.failed.hint", id=sink.id) if is_failed else ""
        yield Finding(_SUBJECT, Level.PROBLEM if is_failed else Level.OK, message, hint)
    yield from _process_findings(settings)
    if is_readable_by_others(folder):
        path = folder / FILE_NAME
        message = text("doctor.notify.exposed", path=path)
        hint = text("doctor.notify.exposed.hint", path=path)
        yield Finding(_SUBJECT, Level.PROBLEM, message, hint)
    for name in ("notify_quiet_hours", "notify_limit"):
        try:
            settings.check(name)
        except ConfigurationError as error:
            yield Finding(name, Level.PROBLEM, error.message, error.hint)


def _process_findings(settings: Settings) -> Iterator[Finding]:
    """Yield whether the process runs that sends notifications."""
    try:
        is_running = is_daemon_running(daemon_folder(settings))
    except ConfigurationError:
        yield Finding(_SUBJECT, Level.INFO, text("notify.daemon.unknown"))
        return
    code = "notify.daemon.running" if is_running else "notify.daemon.not_running"
    yield Finding(_SUBJECT, Level.OK if is_running else Level.INFO, text(code))
