"""The historical API: `/v1/{project_id}/demanager/instances`.

Where the pages are silent:

- 2019, a changed duration: the stop of the current run becomes its start plus the duration.
- 2021, auto-stop switched on during a run: as in 2019 by default; by option, at the next start.
- Auto-stop cannot be changed while the instance starts or stops (6347); the description can.
- A property that no table lists is refused with 6336.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import checks, errors
from modelarts_magics.emulator.clock import to_ms
from modelarts_magics.emulator.errors import ApiError
from modelarts_magics.emulator.instance import CHANGING, Instance

if TYPE_CHECKING:
    from modelarts_magics.emulator.auth import Call
    from modelarts_magics.emulator.options import Options

DURATION_MIN_S = 3600
DURATION_MAX_S = 86400


@dataclass
class DevInstance(Instance):
    """An instance of `demanager`; its auto-stop is a setting kept for every run."""

    enable: bool = False
    duration: timedelta = timedelta(seconds=DURATION_MIN_S)
    prompt: bool = True

    def run_started(self, at: datetime) -> None:
        """The kept duration counts from RUNNING."""
        self.stops_at = at + self.duration if self.enable else None


@dataclass(frozen=True)
class AutoStop:
    """The auto-stop of a request, checked."""

    enable: bool
    duration: timedelta | None
    prompt: bool


def auto_stop_of(spec: object) -> AutoStop | None:
    """Return the auto-stop that a `spec` asks for.

    Source: tables 3 and 4; `enable` left out means false, `prompt` left out means true.
    """
    found = checks.mapping(spec, name="spec", refusal=errors.WRONG_TYPE)
    checks.only(found, known=("auto_stop",), refusal=errors.WRONG_VALUE)
    if "auto_stop" not in found:
        return None
    wish = checks.mapping(found["auto_stop"], name="auto_stop", refusal=errors.WRONG_TYPE)
    checks.only(wish, known=("enable", "duration", "prompt"), refusal=errors.WRONG_VALUE)
    enable = checks.boolean(wish.get("enable", False), name="enable", refusal=errors.WRONG_TYPE)
    prompt = checks.boolean(wish.get("prompt", True), name="prompt", refusal=errors.WRONG_TYPE)
    return AutoStop(enable=enable, duration=_duration_of(wish, enable=enable), prompt=prompt)


def _duration_of(wish: dict[str, Any], *, enable: bool) -> timedelta | None:
    if "duration" not in wish:
        if enable:
            raise ApiError(errors.NO_DURATION)
        return None
    seconds = checks.integer(wish["duration"], name="duration", refusal=errors.WRONG_TYPE)
    if not DURATION_MIN_S <= seconds <= DURATION_MAX_S:
        raise ApiError(errors.DURATION_RANGE)
    return timedelta(seconds=seconds)


def update(instance: DevInstance, call: Call, *, now: datetime, options: Options) -> None:
    """Do a PUT: everything is checked before anything is changed.

    Source: tables 2 to 4.
    """
    body = checks.json_object(
        call.body,
        content_type=call.headers.get("content-type", ""),
        refusal=errors.WRONG_VALUE,
    )
    checks.only(body, known=("description", "spec"), refusal=errors.WRONG_VALUE)
    words = _description_of(body, instance=instance, options=options)
    wish = auto_stop_of(body["spec"]) if "spec" in body else None
    if wish is not None:
        _apply(instance, wish, now=now, options=options)
    instance.description = words
    instance.updated_at = now


def _description_of(body: dict[str, Any], *, instance: DevInstance, options: Options) -> str | None:
    if "description" not in body:
        if options.edition == "2019":
            raise ApiError(errors.MISSING, "description is mandatory.")
        return instance.description
    return checks.description(
        body["description"],
        kind=errors.WRONG_TYPE,
        value=errors.WRONG_VALUE,
        character=errors.BAD_CHARACTER,
    )


def _apply(instance: DevInstance, wish: AutoStop, *, now: datetime, options: Options) -> None:
    if instance.status in CHANGING:
        raise ApiError(errors.NOT_IN_THIS_STATUS, f"The status is {instance.status}.")
    duration = wish.duration if wish.duration is not None else instance.duration
    instance.stops_at = _stop_of_this_run(
        instance, enable=wish.enable, duration=duration, now=now, options=options
    )
    instance.enable, instance.duration, instance.prompt = wish.enable, duration, wish.prompt


def _stop_of_this_run(
    instance: DevInstance, *, enable: bool, duration: timedelta, now: datetime, options: Options
) -> datetime | None:
    if instance.running_since is None or not enable:
        return None
    if options.edition == "2021" and (
        instance.enable or options.enable_while_running == "next-start"
    ):
        return instance.stops_at
    stops_at = instance.running_since + duration
    if stops_at <= now:
        raise ApiError(errors.STOP_IN_PAST)
    return stops_at


def act(instance: DevInstance, call: Call, *, now: datetime, options: Options) -> None:
    """Do a POST on `action`: start, stop or restart; only free resources know the queue."""
    del options  # the same in every edition
    body = checks.json_object(
        call.body,
        content_type=call.headers.get("content-type", ""),
        refusal=errors.WRONG_VALUE,
    )
    checks.only(body, known=("action",), refusal=errors.WRONG_VALUE)
    if "action" not in body:
        raise ApiError(errors.MISSING, "action is mandatory.")
    action = checks.text(body["action"], name="action", refusal=errors.WRONG_TYPE)
    if action not in ("start", "stop", "restart"):
        raise ApiError(errors.WRONG_VALUE, "action is start, stop or restart.")
    instance.act(action, now=now)


def auto_stop_json(instance: DevInstance, *, now: datetime) -> dict[str, Any]:
    """Return `auto_stop` of an answer.

    Source: table 11; switched off, the seed's example has these two fields only.
    """
    if not instance.enable:
        return {"enable": False, "prompt": instance.prompt}
    wire: dict[str, Any] = {
        "enable": True,
        "duration": instance.duration // timedelta(seconds=1),
        "prompt": instance.prompt,
    }
    if instance.stops_at is not None:
        remaining = max(instance.stops_at - now, timedelta())
        wire["stop_timestamp"] = to_ms(instance.stops_at)
        wire["remain_time"] = remaining // timedelta(seconds=1)
    return wire
