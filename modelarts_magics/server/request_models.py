"""What each verb takes, from its body to the words of the models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import moment_from_ms
from modelarts_magics.domain.models import Mode
from modelarts_magics.domain.planning import Wish
from modelarts_magics.errors import DescriptionError, DurationError, InputError, ModelArtsError
from modelarts_magics.server.json_body import Body, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.domain.models import Instance

LONGEST_S = 366 * 24 * 3600
"""No API takes a duration near it."""
LATEST_MS = 253_000_000_000_000
"""The year 9987: a moment that can be written in any time zone."""
LONGEST_TAB = 64
"""How many characters the name of a tab may have."""
SECOND = timedelta(seconds=1)
_LENGTHS = ("duration_s", "within_s", "until_ms")
_MODES = tuple(mode.value for mode in Mode)


@dataclass(frozen=True)
class ChangeRequest:
    """What a PATCH asks for.

    Attributes:
        description: The new one; None leaves it.
        auto_stop: What to change of auto-stop; None leaves it.
        base: What the person saw of either, by the names of the models; None if that is not said.
        length: The field that named a length of time, for an error about it.
    """

    description: str | None
    auto_stop: Wish | None
    base: Mapping[str, Any] | None
    length: str = ""

    def seen(self, now: Instance) -> Instance | None:
        """The instance as the person saw it: `now`, but for what the base says; None without a base."""
        if self.base is None:
            return None
        said, known = dict(self.base["auto_stop"]), now.auto_stop.duration
        if said.get("duration") and known and abs(said["duration"] - known) < SECOND:
            said["duration"] = known  # the page has it in whole seconds
        if self.base["description"] is not None:
            now = replace(now, description=self.base["description"])
        return replace(now, auto_stop=replace(now.auto_stop, **said))

    def field_of(self, error: ModelArtsError) -> str:
        """The field that an error is about; "" if it is about none."""
        if isinstance(error, DescriptionError):
            return "description"
        return self.length if isinstance(error, DurationError) else ""


def change_request(raw: bytes) -> ChangeRequest:
    """Read the body of a PATCH.

    Raises:
        InputError: It is not valid; the field is named.
    """
    body = read(raw, allowed=("description", "auto_stop", "base"))
    stop = body.part("auto_stop", allowed=("enabled", *_LENGTHS, "mode", "prompt"))
    if stop is None:
        body.need("description")
    given = [name for name in _LENGTHS if stop is not None and name in stop]
    return ChangeRequest(
        description=body.text("description"),
        auto_stop=_wish(stop, given) if stop is not None else None,
        base=_base(body.part("base", allowed=("description", "auto_stop"))),
        length=f"auto_stop.{given[0]}" if given else "",
    )


def _wish(stop: Body, given: list[str]) -> Wish:
    if len(given) > 1:
        raise InputError("request.conflict", field=stop.path(given[1]), other=stop.path(given[0]))
    mode = stop.choice("mode", _MODES)
    wish = Wish(
        enabled=stop.flag("enabled"),
        duration=_span(stop.whole("duration_s", 1, LONGEST_S)),
        within=_span(stop.whole("within_s", 1, LONGEST_S)),
        until=_moment(stop.whole("until_ms", 0, LATEST_MS)),
        prompt=stop.flag("prompt"),
        mode=Mode(mode) if mode else None,
    )
    if wish == Wish():
        raise InputError("request.missing", field=stop.path("enabled"))
    return wish


def _base(body: Body | None) -> dict[str, Any] | None:
    """The base as fields of the models; what it does not say is absent."""
    if body is None:
        return None
    names = {field: field for field in ("enabled", "mode", "prompt")}
    names.update(duration_s="duration", stops_at_ms="stops_at")
    stop = body.part("auto_stop", allowed=tuple(names))
    said: dict[str, Any] = {}
    if stop is not None:
        lengths = stop.whole("duration_s", 0, LONGEST_S, null=True)
        end = stop.whole("stops_at_ms", 0, LATEST_MS, null=True)
        values = {
            "enabled": False if stop.nullable("enabled") else stop.flag("enabled"),
            "mode": Mode.TIMING if stop.nullable("mode") else _mode(stop),
            "prompt": None if stop.nullable("prompt") else stop.flag("prompt"),
            "duration_s": _span(lengths),
            "stops_at_ms": _moment(end),
        }
        said = {names[name]: value for name, value in values.items() if name in stop}
    return {"description": body.text("description"), "auto_stop": said}


def _mode(stop: Body) -> Mode | None:
    word = stop.choice("mode", _MODES)
    return Mode(word) if word else None


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else moment_from_ms(milliseconds)


@dataclass(frozen=True)
class Shift:
    """What an extend asks for: by how much, and from which end."""

    by: timedelta
    seen_end: datetime | None


def shift(raw: bytes) -> Shift:
    """Read the body of an extend.

    Raises:
        InputError: It is not valid; the field is named.
    """
    body = read(raw, allowed=("seconds", "base_stops_at_ms"))
    body.need("seconds")
    seconds = body.whole("seconds", -LONGEST_S, LONGEST_S) or 0
    end = body.whole("base_stops_at_ms", 0, LATEST_MS, null=True)
    if seconds == 0:
        raise InputError("duration.not_positive", field="seconds", text="0")
    return Shift(timedelta(seconds=seconds), _moment(end))


@dataclass(frozen=True)
class Saved:
    """What a tab saved before a stop, and what it could not; "" is a tab that does not name itself."""

    stops_at_ms: int
    saved: list[str]
    not_saved: list[dict[str, str]]
    tab: str = ""


def saved(raw: bytes) -> Saved:
    """Read the body of what was saved.

    Raises:
        InputError: It is not valid; the field is named.
    """
    body = read(raw, allowed=("stops_at_ms", "saved", "not_saved", "tab"))
    body.need("stops_at_ms")
    stops_at_ms = body.whole("stops_at_ms", 0, LATEST_MS) or 0
    paths = [_path(value, f"saved.{n}") for n, value in enumerate(body.items("saved"))]
    failed = [_failed(value, f"not_saved.{n}") for n, value in enumerate(body.items("not_saved"))]
    return Saved(stops_at_ms, paths, failed, body.text("tab", longest=LONGEST_TAB) or "")


def _path(value: object, field: str) -> str:
    return Body({field: value}, allowed=(field,)).text(field) or ""


def _failed(value: object, field: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InputError("request.kind", field=field, expected="an object")
    body = Body(value, allowed=("path", "why"), prefix=f"{field}.")
    body.need("path", "why")
    return {name: body.text(name) or "" for name in ("path", "why")}


def muted(raw: bytes) -> bool:
    """Read the body that turns reminders off or on.

    Raises:
        InputError: It is not valid; the field is named.
    """
    body = read(raw, allowed=("muted",))
    body.need("muted")
    return body.flag("muted") is True
