"""Parse the bodies of requests into the classes of the domain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import datetime_from_ms
from modelarts_magics.domain.models import Mode
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import DescriptionError, DurationError, InputError, ModelArtsError
from modelarts_magics.server.json_body import JsonBody, parse_json_body

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.domain.models import AutoStop, Instance

MAX_DURATION_S = 366 * 24 * 3600
"""An upper bound far above that of any API."""
MAX_TIMESTAMP_MS = 253_000_000_000_000
"""The year 9987: a time that every time zone can express."""
MAX_ID_LENGTH = 64
"""The longest ID of a record."""
MAX_TAB_LENGTH = 64
"""The maximum length of the name of a tab."""
MAX_NAME_LENGTH = 255
"""The longest name of a notebook: that of a file."""
END, EXTEND, CANCEL_STOP, POSTPONE = "end", "extend", "cancel-stop", "postpone-stop"
KEEP_CELL, REPORT_PAGE = "keep-cell", "report-page"
REPORT_INPUT = "report-input"
KEEP_WHILE_BUSY, STOP_WHEN_IDLE = "keep-while-busy", "stop-when-idle"
KEEP_ACTIONS = {
    END: ("id",),
    EXTEND: ("id", "seconds"),
    CANCEL_STOP: (),
    POSTPONE: ("seconds",),
    KEEP_CELL: ("id", "name"),
    REPORT_PAGE: ("id", "tab", "saved"),
    KEEP_WHILE_BUSY: (),
    STOP_WHEN_IDLE: ("seconds",),
    REPORT_INPUT: ("id", "waits"),
}
"""What a page changes or reports about what keeps the instance running, each with its fields."""
ADD_SINK, REMOVE_SINK, TEST_SINK = "add", "remove", "test"
TURN_ON, TURN_OFF = "on", "off"
NOTIFY_ACTIONS: dict[str, tuple[str, ...]] = {
    ADD_SINK: ("address",),
    REMOVE_SINK: ("id",),
    TEST_SINK: ("id",),
    TURN_ON: ("event",),
    TURN_OFF: ("event",),
}
"""The changes that a page makes to notifications, each with its fields."""
ROUNDING_TOLERANCE = timedelta(seconds=1)
_DURATION_FIELDS = ("duration_s", "within_s", "until_ms")
_MODE_VALUES = tuple(mode.value for mode in Mode)


@dataclass(frozen=True)
class UpdateRequest:
    """A request to change description, auto-stop or both.

    Attributes:
        description: The new description; None leaves it.
        auto_stop: The change of auto-stop; None leaves it.
        base: The fields that the page showed, by the names of the domain; None to change without comparing.
        duration_field: The field that contains the duration, for an error about it.
    """

    description: str | None
    auto_stop: AutoStopRequest | None
    base: Mapping[str, Any] | None
    duration_field: str = ""

    def seen_instance(self, current: Instance) -> Instance | None:
        """Return the instance as the page showed it; None without a base."""
        if self.base is None:
            return None
        auto_stop_fields = dict(self.base["auto_stop"])
        if _is_duration_as_shown(auto_stop_fields.get("duration"), current.auto_stop):
            auto_stop_fields["duration"] = current.auto_stop.duration
        if self.base["description"] is not None:
            current = replace(current, description=self.base["description"])
        return replace(current, auto_stop=replace(current.auto_stop, **auto_stop_fields))

    def field_for(self, error: ModelArtsError) -> str:
        """Return the field that an error is about; "" if it is about none."""
        if isinstance(error, DescriptionError):
            return "description"
        return self.duration_field if isinstance(error, DurationError) else ""


def _is_duration_as_shown(shown: timedelta | None, auto_stop: AutoStop) -> bool:
    """Whether a page shows this duration for `auto_stop`: in whole seconds, and none for a lease."""
    if shown is None or auto_stop.duration is None:
        return shown is None and auto_stop.duration_start is not None
    return abs(shown - auto_stop.duration) < ROUNDING_TOLERANCE


def parse_update_request(raw: bytes) -> UpdateRequest:
    """Parse the body of an update.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    body = parse_json_body(raw, allowed=("description", "auto_stop", "base"))
    auto_stop = body.get_object(
        "auto_stop", allowed=("enabled", *_DURATION_FIELDS, "mode", "prompt")
    )
    if auto_stop is None:
        body.require("description")
    duration_fields = [
        name for name in _DURATION_FIELDS if auto_stop is not None and name in auto_stop
    ]
    return UpdateRequest(
        description=body.get_text("description"),
        auto_stop=_parse_auto_stop(auto_stop, duration_fields) if auto_stop is not None else None,
        base=_parse_base(body.get_object("base", allowed=("description", "auto_stop"))),
        duration_field=f"auto_stop.{duration_fields[0]}" if duration_fields else "",
    )


def _parse_auto_stop(auto_stop: JsonBody, duration_fields: list[str]) -> AutoStopRequest:
    if len(duration_fields) > 1:
        raise InputError(
            "request.conflicting_fields",
            field=auto_stop.field_path(duration_fields[1]),
            other=auto_stop.field_path(duration_fields[0]),
        )
    mode = auto_stop.get_choice("mode", _MODE_VALUES)
    request = AutoStopRequest(
        enabled=auto_stop.get_bool("enabled"),
        duration=_to_timedelta(auto_stop.get_int("duration_s", 1, MAX_DURATION_S)),
        time_left=_to_timedelta(auto_stop.get_int("within_s", 1, MAX_DURATION_S)),
        stop_time=_to_datetime(auto_stop.get_int("until_ms", 0, MAX_TIMESTAMP_MS)),
        prompt=auto_stop.get_bool("prompt"),
        mode=Mode(mode) if mode else None,
    )
    if request == AutoStopRequest():
        raise InputError("request.missing_field", field=auto_stop.field_path("enabled"))
    return request


def _parse_base(body: JsonBody | None) -> dict[str, Any] | None:
    """Return the base as fields of the domain; a missing field is absent."""
    if body is None:
        return None
    field_names = {field: field for field in ("enabled", "mode", "prompt")}
    field_names.update(duration_s="duration", stops_at_ms="stops_at")
    auto_stop = body.get_object("auto_stop", allowed=tuple(field_names))
    auto_stop_fields: dict[str, Any] = {}
    if auto_stop is not None:
        duration_s = auto_stop.get_int("duration_s", 0, MAX_DURATION_S, nullable=True)
        stops_at_ms = auto_stop.get_int("stops_at_ms", 0, MAX_TIMESTAMP_MS, nullable=True)
        values = {
            "enabled": False if auto_stop.is_null("enabled") else auto_stop.get_bool("enabled"),
            "mode": Mode.TIMING if auto_stop.is_null("mode") else _parse_mode(auto_stop),
            "prompt": None if auto_stop.is_null("prompt") else auto_stop.get_bool("prompt"),
            "duration_s": _to_timedelta(duration_s),
            "stops_at_ms": _to_datetime(stops_at_ms),
        }
        auto_stop_fields = {
            field_names[name]: value for name, value in values.items() if name in auto_stop
        }
    return {"description": body.get_text("description"), "auto_stop": auto_stop_fields}


def _parse_mode(auto_stop: JsonBody) -> Mode | None:
    value = auto_stop.get_choice("mode", _MODE_VALUES)
    return Mode(value) if value else None


def _to_timedelta(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _to_datetime(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime_from_ms(milliseconds)


@dataclass(frozen=True)
class ExtendRequest:
    """A request to extend or shorten the run, with the stop time that the page showed."""

    delta: timedelta
    seen_stop_time: datetime | None
    lengthen_later_runs: bool = False


def parse_extend_request(raw: bytes) -> ExtendRequest:
    """Parse the body of an extension.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    body = parse_json_body(raw, allowed=("seconds", "base_stops_at_ms", "lengthen_later_runs"))
    body.require("seconds")
    seconds = body.get_int("seconds", -MAX_DURATION_S, MAX_DURATION_S) or 0
    base_stops_at_ms = body.get_int("base_stops_at_ms", 0, MAX_TIMESTAMP_MS, nullable=True)
    if seconds == 0:
        raise InputError("duration.not_positive", field="seconds", text="0")
    return ExtendRequest(
        timedelta(seconds=seconds),
        _to_datetime(base_stops_at_ms),
        body.get_bool("lengthen_later_runs") is True,
    )


@dataclass(frozen=True)
class KeepChange:
    """A change of what keeps the instance running.

    Attributes:
        action: One of `KEEP_ACTIONS`.
        guard_id: The ID of the guard, of the planned stop, or of the kernel of a running cell; "" for all guards.
        by: How much later the instance may stop; for `STOP_WHEN_IDLE`, the time without work, 0 for off.
        name: The name of the notebook of a running cell.
        waits: Whether the page shows a prompt of the kernel with the ID.
        tab: The page that reports.
        saved: Whether it has saved its documents.
    """

    action: str
    guard_id: str = ""
    by: timedelta = timedelta(0)
    name: str = ""
    tab: str = ""
    saved: bool = False
    waits: bool = False


def _parse_action(raw: bytes, actions: Mapping[str, tuple[str, ...]]) -> tuple[str, JsonBody]:
    """Parse a body whose ``action`` determines its other fields.

    Raises:
        InputError: The action is missing or unknown, or another field is not one of this action.
    """
    fields = dict.fromkeys(name for names in actions.values() for name in names)
    action = parse_json_body(raw, allowed=("action", *fields)).get_choice("action", tuple(actions))
    if action is None:
        raise InputError("request.missing_field", field="action")
    return action, parse_json_body(raw, allowed=("action", *actions[action]))


def parse_keep_change(raw: bytes) -> KeepChange:
    """Parse the body of a change of what keeps the instance running.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    action, body = _parse_action(raw, KEEP_ACTIONS)
    if action != END:
        body.require(*KEEP_ACTIONS[action])
    guard_id = body.get_text("id", max_length=MAX_ID_LENGTH)
    if guard_id == "":
        raise InputError("request.missing_field", field="id")
    seconds = body.get_int("seconds", 0 if action == STOP_WHEN_IDLE else 1, MAX_DURATION_S) or 0
    return KeepChange(
        action,
        guard_id or "",
        timedelta(seconds=seconds),
        body.get_text("name", max_length=MAX_NAME_LENGTH) or "",
        body.get_text("tab", max_length=MAX_TAB_LENGTH) or "",
        saved=body.get_bool("saved") is True,
        waits=body.get_bool("waits") is True,
    )


@dataclass(frozen=True)
class NotifyChange:
    """A change of notifications.

    Attributes:
        action: One of `NOTIFY_ACTIONS`.
        address: The address to add, which is a secret.
        sink_id: The number of the sink; "" for all of them.
        event: The event to turn on or off.
    """

    action: str
    address: str = field(default="", repr=False)
    sink_id: str = ""
    event: str = ""


def parse_notify_change(raw: bytes) -> NotifyChange:
    """Parse the body of a change of notifications.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    action, body = _parse_action(raw, NOTIFY_ACTIONS)
    if action != TEST_SINK:
        body.require(*NOTIFY_ACTIONS[action])
    return NotifyChange(
        action,
        body.get_text("address") or "",
        body.get_text("id", max_length=MAX_ID_LENGTH) or "",
        body.get_text("event", max_length=MAX_ID_LENGTH) or "",
    )


@dataclass(frozen=True)
class SaveReport:
    """The documents that a tab saved before a stop or could not save; a tab without a name is ""."""

    stops_at_ms: int
    saved: list[str]
    not_saved: list[dict[str, str]]
    tab: str = ""


def parse_save_report(raw: bytes) -> SaveReport:
    """Parse the body of a report of saved documents.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    body = parse_json_body(raw, allowed=("stops_at_ms", "saved", "not_saved", "tab"))
    body.require("stops_at_ms")
    stops_at_ms = body.get_int("stops_at_ms", 0, MAX_TIMESTAMP_MS) or 0
    paths = [_parse_path(value, f"saved.{n}") for n, value in enumerate(body.get_list("saved"))]
    not_saved = [
        _parse_not_saved(value, f"not_saved.{n}")
        for n, value in enumerate(body.get_list("not_saved"))
    ]
    return SaveReport(
        stops_at_ms, paths, not_saved, body.get_text("tab", max_length=MAX_TAB_LENGTH) or ""
    )


def _parse_path(value: object, field: str) -> str:
    return JsonBody({field: value}, allowed=(field,)).get_text(field) or ""


def _parse_not_saved(value: object, field: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InputError("request.wrong_type", field=field, expected="object")
    body = JsonBody(value, allowed=("path", "reason"), prefix=f"{field}.")
    body.require("path", "reason")
    return {name: body.get_text(name) or "" for name in ("path", "reason")}


def parse_record_id(raw: bytes) -> str:
    """Parse the body that asks for the outputs of a record.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    body = parse_json_body(raw, allowed=("id",))
    body.require("id")
    return body.get_text("id", max_length=MAX_ID_LENGTH) or ""


def parse_muted(raw: bytes) -> bool:
    """Parse the body that turns reminders off or on.

    Raises:
        InputError: It is not valid; the error names the field.
    """
    body = parse_json_body(raw, allowed=("muted",))
    body.require("muted")
    return body.get_bool("muted") is True
