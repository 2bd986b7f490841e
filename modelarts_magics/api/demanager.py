"""The `demanager` API: convert its JSON to models and back.

Source: the seed document, "update an instance" (tables 2 to 12), and later editions of that page.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelarts_magics.api.error_mapping import missing_permission
from modelarts_magics.api.json_reader import JsonReader, check_instance_id, redact_secrets
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.durations import MAX_RUN_TIME, MAX_TIME_AHEAD
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
    StopTimeUnknown,
    Storage,
    Workspace,
)
from modelarts_magics.errors import ForbiddenError, RefusedError
from modelarts_magics.messages import join_list

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

_TEXT: dict[str, Any] = {}
STORED_FIELDS: dict[str, Any] = {
    **dict.fromkeys(("id", "name", "description", "status", "creation_timestamp", "flavor"), _TEXT),
    "profile": {
        **dict.fromkeys(("id", "name", "description", "de_type"), _TEXT),
        "provision": {
            "type": _TEXT,
            "spec": {
                "engine": _TEXT,
                "params": dict.fromkeys(("namespace", "image_name", "image_tag"), _TEXT),
            },
        },
    },
    "spec": {
        "storage": {"type": _TEXT},
        "auto_stop": dict.fromkeys(
            ("enable", "duration", "prompt", "stop_timestamp", "remain_time"), _TEXT
        ),
    },
    "workspace": {"id": _TEXT},
}
"""The fields that are written to the state file: those that are read, without objects of any content."""

SECOND = timedelta(seconds=1)
MAX_STOP_TIME_DIFFERENCE = timedelta(seconds=60)
"""If stop_timestamp and remain_time differ by more, the stop time is unknown."""


class DemanagerBackend:
    """One instance, through the `demanager` API."""

    capabilities = CAPABILITIES
    stored_fields = STORED_FIELDS

    def __init__(self, client: ApiClient, *, project_id: str, instance_id: str) -> None:
        self._client = client
        self._instance_id = instance_id
        self._path = f"/v1/{quote(project_id)}/demanager/instances/{quote(instance_id)}"

    @property
    def skew(self) -> timedelta:
        """How far the clock of the API is ahead of the local clock."""
        return self._client.skew

    def read(self, *, deadline: Deadline) -> Instance:
        """Read the instance from the API (GET)."""
        response = self._client.request("GET", self._path, deadline=deadline)
        instance = self.parse(response.data, observed_at=response.observed_at, demo=response.demo)
        check_instance_id(instance.id, requested=self._instance_id)
        return instance

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit (PUT) together with the unchanged description.

        Raises:
            ForbiddenError: The credential may read but not change the instance; nothing changed.
            RefusedError: A value cannot be preserved, because it could not be read; nothing was sent.
            ApiError, UnreachableError: The API refused, failed or did not answer.

        Source: table 2 (``description`` is mandatory), table 4 (``enable`` defaults to false).
        """
        lost = _lost_fields(before, edit)
        if lost:
            raise RefusedError("refuse.unreadable", names=join_list(lost))
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
            ForbiddenError: The credential may read but not stop the instance; nothing changed.
            WrongStateError: The instance does not run, or another operation is in progress.
            ApiError, UnreachableError: The API refused, failed or did not answer.

        Source: the page "managing an instance" of the same API, ``action`` is ``stop``.
        """
        path = f"{self._path}/action"
        try:
            self._client.request("POST", path, body={"action": "stop"}, deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("action", error) from None

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """Parse a response (table 5).

        Raises:
            InvalidResponseError: It is no instance: ID or status is missing.
        """
        clean = redact_secrets(raw)
        reader = JsonReader(clean)
        status = reader.status("status")
        profile = reader.nested("profile", _parse_profile)
        spec = reader.object("spec")
        auto_stop = spec.object("auto_stop") if spec else None
        return Instance(
            id=reader.required_text("id"),
            name=reader.text("name") or "",
            description=reader.text("description") or "",
            status=status,
            auto_stop=_parse_auto_stop(auto_stop, running=status.running, observed_at=observed_at),
            api=CAPABILITIES.api,
            observed_at=observed_at,
            created_at=_parse_created_at(reader),
            flavor=reader.text("flavor"),
            profile=profile,
            spec=_parse_spec(spec, profile),
            workspace=reader.nested("workspace", lambda each: Workspace(each.text("id"))),
            demo=demo,
            raw=clean,
            implausible=reader.implausible,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _lost_fields(before: Instance, edit: Edit) -> list[str]:
    """Return the fields that a write would overwrite without an edit, because they could not be read."""
    kept = ["description"] if edit.description is None else []
    if edit.auto_stop is not None and edit.auto_stop.prompt is None:
        kept += ["spec", "spec.auto_stop", "spec.auto_stop.enable", "spec.auto_stop.prompt"]
    return [name for name in kept if name in before.implausible]


def _encode_auto_stop(edit: AutoStopEdit) -> dict[str, Any]:
    """Encode table 4. All fields are sent, because a missing one would get the default of the API."""
    body: dict[str, Any] = {"enable": edit.enabled}
    if edit.duration is not None:
        body["duration"] = round(edit.duration.total_seconds())
    if edit.prompt is not None:
        body["prompt"] = edit.prompt
    return body


def _parse_auto_stop(
    reader: JsonReader | None, *, running: bool, observed_at: datetime
) -> AutoStop:
    """Parse table 11. If its two stop times disagree, the stop time is unknown."""
    enabled = reader.boolean("enable") if reader else None
    if reader is None or (enabled is None and reader.has_rejected("enable")):
        return UNKNOWN_AUTO_STOP
    stop_timestamp = reader.timestamp("stop_timestamp")
    remain_time = reader.duration("remain_time", unit=SECOND, longest=MAX_RUN_TIME)
    stops_at, unknown = None, None
    if enabled and running:
        stops_at, unknown = _determine_stop_time(stop_timestamp, remain_time, observed_at)
        if unknown is StopTimeUnknown.MISSING and reader.has_rejected(
            "stop_timestamp", "remain_time"
        ):
            unknown = StopTimeUnknown.IMPLAUSIBLE
    prompt = reader.boolean("prompt")
    return AutoStop(
        enabled=bool(enabled),
        duration=reader.duration("duration", unit=SECOND, longest=MAX_RUN_TIME) or None,
        prompt=True if prompt is None and not reader.has_rejected("prompt") else prompt,
        stops_at=stops_at,
        stop_time_unknown=unknown,
        stop_timestamp=stop_timestamp,
        remain_time=remain_time,
    )


def _determine_stop_time(
    stop_timestamp: datetime | None, remain_time: timedelta | None, now: datetime
) -> tuple[datetime | None, StopTimeUnknown | None]:
    by_remain_time = now + remain_time if remain_time is not None else None
    stop_time = stop_timestamp or by_remain_time
    if stop_time is None:
        return None, StopTimeUnknown.MISSING
    # After the stop time both fields may be stale, so their difference means nothing.
    other = by_remain_time or stop_time
    passed = max(other, stop_time) <= now
    if not passed and abs(other - stop_time) > MAX_STOP_TIME_DIFFERENCE:
        return None, StopTimeUnknown.INCONSISTENT
    if stop_time < now - STOP_GRACE_PERIOD:
        return None, StopTimeUnknown.PAST
    if stop_time > now + MAX_TIME_AHEAD:
        return None, StopTimeUnknown.IMPLAUSIBLE
    return stop_time, None


def _parse_created_at(reader: JsonReader) -> datetime | None:
    """Parse ``creation_timestamp``, a string of 13 digits in milliseconds."""
    name = "creation_timestamp"
    text = reader.text(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        reader.reject(name)
        return None
    return reader.convert_timestamp(name, int(text[:20]))


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
    """Parse table 10 for a Notebook; any other type has no documented shape and stays as it is."""
    if reader is None:
        return None
    if profile is not None and profile.de_type not in (None, "Notebook"):
        return reader.data
    storage = reader.object("storage")
    return NotebookSpec(
        storage=Storage(storage.text("type"), storage.mapping("location")) if storage else None,
        annotations=reader.mapping("annotations"),
    )
