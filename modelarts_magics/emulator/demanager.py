"""Rules of the historical API: `/v1/{project_id}/demanager/instances`.

Where the published pages are silent:

- Edition 2019: a changed duration moves the stop time of the current run to its start plus the duration.
- Edition 2021: auto-stop enabled during a run starts as in 2019 by default; by option, at the next start.
- Auto-stop cannot be changed while the instance starts or stops (6347); the description can.
- A property that no table lists is refused with 6336.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import errors, validation
from modelarts_magics.emulator.clock import to_ms
from modelarts_magics.emulator.errors import EmulatedApiError
from modelarts_magics.emulator.instance import TRANSITIONAL_STATUSES, EmulatedInstance

if TYPE_CHECKING:
    from modelarts_magics.emulator.auth import HttpRequest
    from modelarts_magics.emulator.options import Options

MIN_DURATION_S = 3600
MAX_DURATION_S = 86400


@dataclass
class DemanagerInstance(EmulatedInstance):
    """Instance of the `demanager` API; its auto-stop setting applies to every run."""

    enable: bool = False
    duration: timedelta = timedelta(seconds=MIN_DURATION_S)
    prompt: bool = True

    def start_run(self, started_at: datetime) -> None:
        """Count the saved duration from RUNNING."""
        self.stops_at = started_at + self.duration if self.enable else None


@dataclass(frozen=True)
class AutoStopSpec:
    """Validated auto-stop of a request."""

    enable: bool
    duration: timedelta | None
    prompt: bool


def parse_auto_stop(spec: object) -> AutoStopSpec | None:
    """Return the auto-stop that a `spec` requests, or None.

    Source: tables 3 and 4: `enable` defaults to false, `prompt` to true.
    """
    found = validation.require_object(spec, name="spec", error_spec=errors.WRONG_TYPE)
    validation.reject_unknown(found, allowed=("auto_stop",), error_spec=errors.WRONG_VALUE)
    if "auto_stop" not in found:
        return None
    requested = validation.require_object(
        found["auto_stop"], name="auto_stop", error_spec=errors.WRONG_TYPE
    )
    validation.reject_unknown(
        requested, allowed=("enable", "duration", "prompt"), error_spec=errors.WRONG_VALUE
    )
    enable = validation.require_boolean(
        requested.get("enable", False), name="enable", error_spec=errors.WRONG_TYPE
    )
    prompt = validation.require_boolean(
        requested.get("prompt", True), name="prompt", error_spec=errors.WRONG_TYPE
    )
    return AutoStopSpec(
        enable=enable, duration=_parse_duration(requested, enable=enable), prompt=prompt
    )


def _parse_duration(spec: dict[str, Any], *, enable: bool) -> timedelta | None:
    if "duration" not in spec:
        if enable:
            raise EmulatedApiError(errors.NO_DURATION)
        return None
    seconds = validation.require_integer(
        spec["duration"], name="duration", error_spec=errors.WRONG_TYPE
    )
    if not MIN_DURATION_S <= seconds <= MAX_DURATION_S:
        raise EmulatedApiError(errors.DURATION_RANGE)
    return timedelta(seconds=seconds)


def update(
    instance: DemanagerInstance, request: HttpRequest, *, now: datetime, options: Options
) -> None:
    """Apply a PUT; the whole request is checked before a change.

    Source: tables 2 to 4.
    """
    body = validation.parse_json_object(
        request.body,
        content_type=request.headers.get("content-type", ""),
        error_spec=errors.WRONG_VALUE,
    )
    validation.reject_unknown(body, allowed=("description", "spec"), error_spec=errors.WRONG_VALUE)
    description = _parse_description(body, instance=instance, options=options)
    requested = parse_auto_stop(body["spec"]) if "spec" in body else None
    if requested is not None:
        _apply_auto_stop(instance, requested, now=now, options=options)
    instance.description = description
    instance.updated_at = now


def _parse_description(
    body: dict[str, Any], *, instance: DemanagerInstance, options: Options
) -> str | None:
    if "description" not in body:
        if options.edition == "2019":
            raise EmulatedApiError(errors.MISSING, "description is mandatory.")
        return instance.description
    return validation.require_description(
        body["description"],
        wrong_type=errors.WRONG_TYPE,
        wrong_value=errors.WRONG_VALUE,
        wrong_character=errors.BAD_CHARACTER,
    )


def _apply_auto_stop(
    instance: DemanagerInstance, requested: AutoStopSpec, *, now: datetime, options: Options
) -> None:
    if instance.status in TRANSITIONAL_STATUSES:
        raise EmulatedApiError(errors.NOT_IN_THIS_STATUS, f"The status is {instance.status}.")
    duration = requested.duration if requested.duration is not None else instance.duration
    instance.stops_at = _stop_time_of_run(
        instance, enable=requested.enable, duration=duration, now=now, options=options
    )
    instance.enable, instance.duration, instance.prompt = (
        requested.enable,
        duration,
        requested.prompt,
    )


def _stop_time_of_run(
    instance: DemanagerInstance,
    *,
    enable: bool,
    duration: timedelta,
    now: datetime,
    options: Options,
) -> datetime | None:
    if instance.running_since is None or not enable:
        return None
    if options.edition == "2021" and (
        instance.enable or options.enable_while_running == "next-start"
    ):
        return instance.stops_at
    stops_at = instance.running_since + duration
    if stops_at <= now:
        raise EmulatedApiError(errors.STOP_IN_PAST)
    return stops_at


def perform_action(
    instance: DemanagerInstance, request: HttpRequest, *, now: datetime, options: Options
) -> None:
    """Apply a POST on `action`: start, stop or restart. `queue` exists only for free resources."""
    # Actions are the same in every edition.
    del options
    body = validation.parse_json_object(
        request.body,
        content_type=request.headers.get("content-type", ""),
        error_spec=errors.WRONG_VALUE,
    )
    validation.reject_unknown(body, allowed=("action",), error_spec=errors.WRONG_VALUE)
    if "action" not in body:
        raise EmulatedApiError(errors.MISSING, "action is mandatory.")
    action = validation.require_string(body["action"], name="action", error_spec=errors.WRONG_TYPE)
    if action not in ("start", "stop", "restart"):
        raise EmulatedApiError(errors.WRONG_VALUE, "action is start, stop or restart.")
    instance.perform_action(action, now=now)


def auto_stop_json(instance: DemanagerInstance, *, now: datetime) -> dict[str, Any]:
    """Return `auto_stop` of a response.

    Source: table 11; if disabled, the published example has only two fields.
    """
    if not instance.enable:
        return {"enable": False, "prompt": instance.prompt}
    fields: dict[str, Any] = {
        "enable": True,
        "duration": instance.duration // timedelta(seconds=1),
        "prompt": instance.prompt,
    }
    if instance.stops_at is not None:
        remaining = max(instance.stops_at - now, timedelta())
        fields["stop_timestamp"] = to_ms(instance.stops_at)
        fields["remain_time"] = remaining // timedelta(seconds=1)
    return fields
