"""The sinks of notifications as a page shows them, and the changes that a page makes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.notify import (
    add_sink,
    daemon_line,
    send_test,
    text_of_result,
)
from modelarts_magics.errors import RefusedError
from modelarts_magics.keepalive.notifications.deliveries import delivery_text, load_deliveries
from modelarts_magics.keepalive.notifications.outbox import FAILED
from modelarts_magics.keepalive.notifications.send import DELIVERED
from modelarts_magics.keepalive.notifications.sinks import (
    EVENTS,
    load_sinks,
    notify_folder,
    parse_events,
    save_sinks,
)
from modelarts_magics.messages import text
from modelarts_magics.server.request_models import ADD_SINK, REMOVE_SINK, TEST_SINK, TURN_ON

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.server.request_models import NotifyChange


def notify_payload(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the sinks without their addresses, and the events.

    Args:
        settings: The settings, with the instance if it is known.
        environ: The environment variables.
    """
    folder = notify_folder(settings, environ)
    found, last = load_sinks(folder), load_deliveries(folder)
    return {
        "sinks": [
            {
                "id": each.id,
                "label": each.label,
                "last": delivery_text(last.get(each.id)),
                "failed": each.id in last and last[each.id].state == FAILED,
            }
            for each in found.sinks
        ],
        "events": [
            {"name": name, "label": text(f"help.value.{name}"), "on": name not in found.muted}
            for name in EVENTS
        ],
        "note": daemon_line(settings) if found.sinks else "",
    }


def change_notify(
    settings: Settings, environ: Mapping[str, str], change: NotifyChange, *, name: str
) -> tuple[str, bool]:
    """Change the sinks or the events, or send a test message.

    Args:
        settings: The settings.
        environ: The environment variables.
        change: The change.
        name: The name of the instance, for a test message.

    Returns:
        The sentence about it, and whether it was done.

    Raises:
        InputError: The address, the sink or the event is invalid.
        RefusedError: The address needs an extra, or it is in the list.
        ModelArtsError: The file cannot be written.
    """
    folder = notify_folder(settings, environ)
    if change.action == ADD_SINK:
        return text("notify.added_in_page", sink=add_sink(folder, change.address).label), True
    if change.action == TEST_SINK:
        return _test(folder, change.sink_id, name)
    found = load_sinks(folder)
    if change.action == REMOVE_SINK:
        save_sinks(folder, found.without_sink(change.sink_id))
        return text("notify.removed", sink=found.find(change.sink_id).label), True
    is_on = change.action == TURN_ON
    save_sinks(folder, found.with_events(parse_events((change.event,)), on=is_on))
    return "", True


def _test(folder: Path, sink_id: str, name: str) -> tuple[str, bool]:
    found = load_sinks(folder)
    if not found.sinks:
        raise RefusedError("notify.none")
    chosen = (found.find(sink_id),) if sink_id else found.sinks
    results = send_test(folder, chosen, name)
    lines = [text_of_result(sink, result) for sink, result in zip(chosen, results)]
    return "\n".join(lines), all(result.outcome == DELIVERED for result in results)
