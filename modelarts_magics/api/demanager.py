"""The `demanager` API: its JSON to models and back.

Source: the seed document, "update an instance" (tables 2 to 12), and the later editions of its page.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelarts_magics.api.error_mapping import missing_permission
from modelarts_magics.api.json_reader import JsonReader, redact_secrets
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.durations import datetime_from_ms
from modelarts_magics.domain.models import (
    UNKNOWN_AUTO_STOP,
    AutoStop,
    AutoStopEdit,
    Capabilities,
    CountsFrom,
    DockerParams,
    Edit,
    Instance,
    NotebookSpec,
    Profile,
    Provision,
    ProvisionSpec,
    Status,
    StopTimeUnknown,
    Storage,
    Workspace,
)
from modelarts_magics.errors import ForbiddenError, InvalidResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.api.client import ApiClient
    from modelarts_magics.domain.clock import Deadline

CAPABILITIES = Capabilities(
    api="demanager",
    counts_from=CountsFrom.RUN_START,
    min_duration=timedelta(seconds=3600),
    max_duration=timedelta(seconds=86400),
    can_disable=True,
    supports_idle=False,
    supports_reminder=True,
    persists_duration=True,
)

SECOND = timedelta(seconds=1)
MAX_STOP_TIME_DIFFERENCE = timedelta(seconds=60)
"""How far stop_timestamp and remain_time may be apart before neither is believed."""


class DemanagerBackend:
    """One instance, through the `demanager` API."""

    capabilities = CAPABILITIES

    def __init__(self, client: ApiClient, *, project_id: str, instance_id: str) -> None:
        self._client = client
        self._path = f"/v1/{quote(project_id)}/demanager/instances/{quote(instance_id)}"

    @property
    def skew(self) -> timedelta:
        """How far the cloud's clock is ahead of the local one."""
        return self._client.skew

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance (GET)."""
        answer = self._client.request("GET", self._path, deadline=deadline)
        return self.parse(answer.data, observed_at=answer.observed_at, demo=answer.demo)

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit (PUT), with the description that it does not change.

        Raises:
            ForbiddenError: Reading is allowed and changing is not; nothing changed.
            ApiError: The cloud refused it or failed; an `UnreachableError` is no answer at all.

        Source: table 2 (``description`` is mandatory), table 4 (``enable`` is false by default).
        """
        description = before.description if edit.description is None else edit.description
        body: dict[str, Any] = {"description": description}
        if edit.auto_stop is not None:
            body["spec"] = {"auto_stop": _encode_auto_stop(edit.auto_stop)}
        try:
            self._client.request("PUT", self._path, body=body, deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("change", error) from None

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance (POST action).

        Raises:
            ForbiddenError: Reading is allowed and stopping is not; nothing changed.
            WrongStateError: It does not run, or another operation is under way.
            ApiError: The cloud refused it or failed; an `UnreachableError` is no answer at all.

        Source: the page "managing an instance" of the same API, ``action`` is ``stop``.
        """
        path = f"{self._path}/action"
        try:
            self._client.request("POST", path, body={"action": "stop"}, deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("action", error) from None

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that an answer describes (table 5).

        Raises:
            InvalidResponseError: A field has the wrong type or a mandatory one is missing; it is named.
        """
        clean = redact_secrets(raw)
        fields = JsonReader(clean)
        status = Status(fields.required_text("status"))
        profile = fields.nested("profile", _parse_profile)
        spec = fields.object("spec")
        stop = spec.object("auto_stop") if spec else None
        return Instance(
            id=fields.required_text("id"),
            name=fields.text("name") or "",
            description=fields.text("description") or "",
            status=status,
            auto_stop=_parse_auto_stop(stop, running=status.running, observed_at=observed_at),
            api=CAPABILITIES.api,
            observed_at=observed_at,
            created_at=_parse_created_at(fields),
            flavor=fields.text("flavor"),
            profile=profile,
            spec=_parse_spec(spec, profile),
            workspace=fields.nested("workspace", lambda each: Workspace(each.text("id"))),
            demo=demo,
            raw=clean,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _encode_auto_stop(edit: AutoStopEdit) -> dict[str, Any]:
    """Table 4, whole: a part left out would be set to the cloud's default."""
    body: dict[str, Any] = {"enable": edit.enabled}
    if edit.duration is not None:
        body["duration"] = round(edit.duration.total_seconds())
    if edit.prompt is not None:
        body["prompt"] = edit.prompt
    return body


def _parse_auto_stop(
    reader: JsonReader | None, *, running: bool, observed_at: datetime
) -> AutoStop:
    """Table 11; where the two statements of the end disagree, it is not known."""
    if reader is None:
        return UNKNOWN_AUTO_STOP
    enabled = bool(reader.boolean("enable"))
    stamp = reader.timestamp("stop_timestamp")
    remain = reader.duration("remain_time", unit=SECOND)
    ends_at, unknown = None, None
    if enabled and running:
        ends_at, unknown = _determine_stop_time(stamp, remain, observed_at)
    prompt = reader.boolean("prompt")
    return AutoStop(
        enabled=enabled,
        duration=reader.duration("duration", unit=SECOND),
        prompt=True if prompt is None else prompt,
        stops_at=ends_at,
        stop_time_unknown=unknown,
        stop_timestamp=stamp,
        remain_time=remain,
    )


def _determine_stop_time(
    stop_timestamp: datetime | None, remain_time: timedelta | None, now: datetime
) -> tuple[datetime | None, StopTimeUnknown | None]:
    by_remain = now + remain_time if remain_time is not None else None
    end = stop_timestamp or by_remain
    if end is None:
        return None, StopTimeUnknown.MISSING
    over = remain_time is not None and remain_time <= timedelta(0) and end <= now
    if by_remain and not over and abs(by_remain - end) > MAX_STOP_TIME_DIFFERENCE:
        return None, StopTimeUnknown.INCONSISTENT
    return (end, None) if end >= now - STOP_GRACE_PERIOD else (None, StopTimeUnknown.PAST)


def _parse_created_at(reader: JsonReader) -> datetime | None:
    """``creation_timestamp``: a string of 13 digits, milliseconds."""
    text = reader.text("creation_timestamp")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidResponseError("response.type", field="creation_timestamp", expected="digits")
    return reader.convert("creation_timestamp", datetime_from_ms, int(text[:20]))


def _parse_profile(reader: JsonReader) -> Profile:
    return Profile(
        id=reader.text("id"),
        name=reader.text("name"),
        description=reader.text("description"),
        de_type=reader.text("de_type"),
        provision=reader.nested("provision", _parse_provision),
        labels=reader.mapping("labels"),
    )


def _parse_provision(reader: JsonReader) -> Provision:
    kind = reader.text("type")
    spec = reader.object("spec")
    return Provision(
        type=kind,
        spec=_parse_provision_spec(spec, docker=kind == "Docker") if spec else None,
        annotations=reader.mapping("annotations"),
    )


def _parse_provision_spec(reader: JsonReader, *, docker: bool) -> ProvisionSpec:
    params = reader.object("params") if docker else None
    return ProvisionSpec(
        engine=reader.text("engine"),
        params=_parse_docker_params(params) if params else reader.mapping("params"),
    )


def _parse_docker_params(reader: JsonReader) -> DockerParams:
    return DockerParams(
        namespace=reader.text("namespace"),
        image_name=reader.text("image_name"),
        image_tag=reader.text("image_tag"),
        annotations=reader.mapping("annotations"),
    )


def _parse_spec(
    reader: JsonReader | None, profile: Profile | None
) -> NotebookSpec | Mapping[str, Any] | None:
    """Table 10 for a Notebook; anything else has no documented shape and stays as it came."""
    if reader is None:
        return None
    if profile is not None and profile.de_type not in (None, "Notebook"):
        return reader.data
    storage = reader.object("storage")
    return NotebookSpec(
        storage=Storage(storage.text("type"), storage.mapping("location")) if storage else None,
        annotations=reader.mapping("annotations"),
    )
