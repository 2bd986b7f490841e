"""The `demanager` API: its JSON to models and back.

Source: the seed document, "update an instance" (tables 2 to 12), and the later editions of its page.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelarts_magics.api.error_mapping import lacking
from modelarts_magics.api.json_reader import Fields, without_secrets
from modelarts_magics.domain.countdown import GRACE
from modelarts_magics.domain.durations import moment_from_ms
from modelarts_magics.domain.models import (
    NOT_STATED,
    AutoStop,
    AutoStopEdit,
    Capabilities,
    CountsFrom,
    DockerParams,
    Edit,
    EndUnknown,
    Instance,
    NotebookSpec,
    Profile,
    Provision,
    ProvisionSpec,
    Status,
    Storage,
    Workspace,
)
from modelarts_magics.errors import BadAnswerError, ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.api.client import Transport
    from modelarts_magics.domain.clock import Deadline

CAPABILITIES = Capabilities(
    api="demanager",
    counts_from=CountsFrom.RUN_START,
    shortest=timedelta(seconds=3600),
    longest=timedelta(seconds=86400),
    off=True,
    idle=False,
    prompt=True,
    kept=True,
)

SECOND = timedelta(seconds=1)
LARGEST_DISAGREEMENT = timedelta(seconds=60)
"""How far stop_timestamp and remain_time may be apart before neither is believed."""


class Demanager:
    """One instance, through the `demanager` API."""

    capabilities = CAPABILITIES

    def __init__(self, transport: Transport, *, project_id: str, instance_id: str) -> None:
        self._transport = transport
        self._path = f"/v1/{quote(project_id)}/demanager/instances/{quote(instance_id)}"

    @property
    def skew(self) -> timedelta:
        """How far the cloud's clock is ahead of the local one."""
        return self._transport.skew

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance (GET)."""
        answer = self._transport.request("GET", self._path, deadline=deadline)
        return self.parse(answer.data, observed_at=answer.observed_at, demo=answer.demo)

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit (PUT), with the description that it does not change.

        Raises:
            ForbiddenError: Reading is allowed and changing is not; nothing changed.
            CloudError: The cloud refused it or failed; an `UnreachableError` is no answer at all.

        Source: table 2 (``description`` is mandatory), table 4 (``enable`` is false by default).
        """
        description = before.description if edit.description is None else edit.description
        body: dict[str, Any] = {"description": description}
        if edit.auto_stop is not None:
            body["spec"] = {"auto_stop": _auto_stop_body(edit.auto_stop)}
        try:
            self._transport.request("PUT", self._path, body=body, deadline=deadline)
        except ForbiddenError as error:
            raise lacking("change", error) from None

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance (POST action).

        Raises:
            ForbiddenError: Reading is allowed and stopping is not; nothing changed.
            WrongStateError: It does not run, or another operation is under way.
            CloudError: The cloud refused it or failed; an `UnreachableError` is no answer at all.

        Source: the page "managing an instance" of the same API, ``action`` is ``stop``.
        """
        path = f"{self._path}/action"
        try:
            self._transport.request("POST", path, body={"action": "stop"}, deadline=deadline)
        except ForbiddenError as error:
            raise lacking("action", error) from None

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that an answer describes (table 5).

        Raises:
            BadAnswerError: A field has the wrong type or a mandatory one is missing; it is named.
        """
        clean = without_secrets(raw)
        fields = Fields(clean)
        status = Status(fields.required_text("status"))
        profile = fields.nested("profile", _profile)
        spec = fields.object("spec")
        stop = spec.object("auto_stop") if spec else None
        return Instance(
            id=fields.required_text("id"),
            name=fields.text("name") or "",
            description=fields.text("description") or "",
            status=status,
            auto_stop=_auto_stop(stop, running=status.running, observed_at=observed_at),
            api=CAPABILITIES.api,
            observed_at=observed_at,
            created_at=_created_at(fields),
            flavor=fields.text("flavor"),
            profile=profile,
            spec=_spec(spec, profile),
            workspace=fields.nested("workspace", lambda each: Workspace(each.text("id"))),
            demo=demo,
            raw=clean,
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _auto_stop_body(edit: AutoStopEdit) -> dict[str, Any]:
    """Table 4, whole: a part left out would be set to the cloud's default."""
    body: dict[str, Any] = {"enable": edit.enabled}
    if edit.duration is not None:
        body["duration"] = round(edit.duration.total_seconds())
    if edit.prompt is not None:
        body["prompt"] = edit.prompt
    return body


def _auto_stop(fields: Fields | None, *, running: bool, observed_at: datetime) -> AutoStop:
    """Table 11; where the two statements of the end disagree, it is not known."""
    if fields is None:
        return NOT_STATED
    enabled = bool(fields.boolean("enable"))
    stamp = fields.moment("stop_timestamp")
    remain = fields.span("remain_time", unit=SECOND)
    ends_at, unknown = None, None
    if enabled and running:
        ends_at, unknown = _end(stamp, remain, observed_at)
    prompt = fields.boolean("prompt")
    return AutoStop(
        enabled=enabled,
        duration=fields.span("duration", unit=SECOND),
        prompt=True if prompt is None else prompt,
        stops_at=ends_at,
        end_unknown=unknown,
        stop_timestamp=stamp,
        remain_time=remain,
    )


def _end(
    stamp: datetime | None, remain: timedelta | None, now: datetime
) -> tuple[datetime | None, EndUnknown | None]:
    by_remain = now + remain if remain is not None else None
    end = stamp or by_remain
    if end is None:
        return None, EndUnknown.MISSING
    over = remain is not None and remain <= timedelta(0) and end <= now
    if by_remain and not over and abs(by_remain - end) > LARGEST_DISAGREEMENT:
        return None, EndUnknown.DISAGREE
    return (end, None) if end >= now - GRACE else (None, EndUnknown.PAST)


def _created_at(fields: Fields) -> datetime | None:
    """``creation_timestamp``: a string of 13 digits, milliseconds."""
    text = fields.text("creation_timestamp")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BadAnswerError("answer.type", field="creation_timestamp", expected="digits")
    return fields.convert("creation_timestamp", moment_from_ms, int(text[:20]))


def _profile(fields: Fields) -> Profile:
    return Profile(
        id=fields.text("id"),
        name=fields.text("name"),
        description=fields.text("description"),
        de_type=fields.text("de_type"),
        provision=fields.nested("provision", _provision),
        labels=fields.open_map("labels"),
    )


def _provision(fields: Fields) -> Provision:
    kind = fields.text("type")
    spec = fields.object("spec")
    return Provision(
        type=kind,
        spec=_provision_spec(spec, docker=kind == "Docker") if spec else None,
        annotations=fields.open_map("annotations"),
    )


def _provision_spec(fields: Fields, *, docker: bool) -> ProvisionSpec:
    params = fields.object("params") if docker else None
    return ProvisionSpec(
        engine=fields.text("engine"),
        params=_docker_params(params) if params else fields.open_map("params"),
    )


def _docker_params(fields: Fields) -> DockerParams:
    return DockerParams(
        namespace=fields.text("namespace"),
        image_name=fields.text("image_name"),
        image_tag=fields.text("image_tag"),
        annotations=fields.open_map("annotations"),
    )


def _spec(
    fields: Fields | None, profile: Profile | None
) -> NotebookSpec | Mapping[str, Any] | None:
    """Table 10 for a Notebook; anything else has no documented shape and stays as it came."""
    if fields is None:
        return None
    if profile is not None and profile.de_type not in (None, "Notebook"):
        return fields.data
    storage = fields.object("storage")
    return NotebookSpec(
        storage=Storage(storage.text("type"), storage.open_map("location")) if storage else None,
        annotations=fields.open_map("annotations"),
    )
