"""The `notebooks` API: its JSON and its lease to models and back.

Source: the pages ShowNotebook, ListNotebooks, UpdateNotebook, ShowLease, RenewLease and StopNotebook of
the current ModelArts API.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelarts_magics.api.error_mapping import lacking
from modelarts_magics.api.json_reader import Fields, without_secrets
from modelarts_magics.domain.countdown import GRACE
from modelarts_magics.domain.durations import to_ms
from modelarts_magics.domain.models import (
    NOT_STATED,
    AutoStop,
    AutoStopEdit,
    Capabilities,
    CountsFrom,
    Edit,
    EndUnknown,
    Instance,
    Mode,
    Status,
    Workspace,
)
from modelarts_magics.errors import (
    AuthenticationError,
    BadAnswerError,
    CloudError,
    ForbiddenError,
    ModelArtsError,
    PartialError,
    RejectedValueError,
    ServerError,
    ThrottledError,
    UnreachableError,
    WrongStateError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelarts_magics.api.client import Transport
    from modelarts_magics.domain.clock import Deadline

CAPABILITIES = Capabilities(
    api="notebooks",
    counts_from=CountsFrom.NOW,
    shortest=timedelta(hours=1),
    longest=timedelta(hours=72),
    off=False,
    idle=True,
    prompt=False,
    kept=False,
)

MILLISECOND = timedelta(milliseconds=1)
WITHOUT_END_MS = -1
"""What start takes for a run without end; RenewLease does not document it."""
MOST_LISTED = "50"
_PASSING = (AuthenticationError, ServerError, ThrottledError)
"""Refusals that say nothing about what was asked for."""


class Notebooks:
    """One instance, through the `notebooks` API."""

    capabilities = CAPABILITIES

    def __init__(self, transport: Transport, *, project_id: str, instance_id: str) -> None:
        self._transport = transport
        self._path = f"{_path(project_id)}/{quote(instance_id)}"

    @property
    def skew(self) -> timedelta:
        """How far the cloud's clock is ahead of the local one."""
        return self._transport.skew

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance (ShowNotebook, and ShowLease where no lease is in it)."""
        answer = self._transport.request("GET", self._path, deadline=deadline)
        raw = Fields(answer.data).data
        if raw.get("lease") is None:
            raw = {**raw, "lease": self._lease_alone(deadline)}
        return self.parse(raw, observed_at=answer.observed_at, demo=answer.demo)

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit: the description (UpdateNotebook), then the lease (RenewLease).

        Raises:
            PartialError: The description was saved, and the lease refused or not reached.
        """
        saved = edit.description is not None and edit.description != before.description
        if saved:
            self._put_description(before, edit, deadline)
        if edit.auto_stop is None:
            return
        try:
            self._patch_lease(edit.auto_stop, deadline)
        except (CloudError, UnreachableError) as error:
            if saved and _unchanged_by(error):
                raise PartialError("partial.description", cause=error) from None
            raise

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance (StopNotebook)."""
        try:
            self._transport.request("POST", f"{self._path}/stop", deadline=deadline)
        except ForbiddenError as error:
            raise lacking("stop", error) from None

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that an answer describes.

        Raises:
            BadAnswerError: A field has the wrong type or a mandatory one is missing; it is named.
        """
        fields = Fields(raw)
        status = Status(fields.required_text("status"))
        workspace = fields.text("workspace_id")
        return Instance(
            id=fields.required_text("id"),
            name=fields.text("name") or "",
            description=fields.text("description") or "",
            status=status,
            auto_stop=_lease(fields.object("lease"), running=status.running, now=observed_at),
            api=CAPABILITIES.api,
            observed_at=observed_at,
            created_at=fields.moment("create_at"),
            flavor=fields.text("flavor"),
            workspace=Workspace(workspace) if workspace else None,
            demo=demo,
            raw=without_secrets(raw),
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _lease_alone(self, deadline: Deadline) -> Any:  # noqa: ANN401 - any JSON
        """What ShowLease says; None where it does not say, which must not hide the instance."""
        try:
            return self._transport.request("GET", f"{self._path}/lease", deadline=deadline).data
        except CloudError as error:
            if isinstance(error, _PASSING):
                raise
            return None

    def _put_description(self, before: Instance, edit: Edit, deadline: Deadline) -> None:
        body = {"description": edit.description}
        try:
            self._transport.request("PUT", self._path, body=body, deadline=deadline)
        except ForbiddenError as error:
            raise lacking("description", error) from None
        except WrongStateError as error:
            if not before.running or error.code.endswith(".6357"):  # another operation is under way
                raise
            raise WrongStateError("cloud.description_running", **error.values) from None

    def _patch_lease(self, edit: AutoStopEdit, deadline: Deadline) -> None:
        """RenewLease by body; where the cloud cannot use that, by query, which forces TIMING."""
        path = f"{self._path}/lease"
        duration = to_ms(edit.duration) if edit.enabled and edit.duration else WITHOUT_END_MS
        body = {"duration": duration, "type": edit.mode.value}
        try:
            self._transport.request("PATCH", path, body=body, deadline=deadline)
        except ForbiddenError as error:
            raise lacking("lease", error) from None
        except RejectedValueError as error:
            if not edit.enabled:
                raise RejectedValueError("cloud.off_refused", **error.values) from None
            if edit.mode is not Mode.TIMING or not error.error_code.endswith("6400"):
                raise
            query = (("duration", str(duration)),)
            self._transport.request("PATCH", path, query=query, deadline=deadline)


def running_instances(
    transport: Transport, *, project_id: str, deadline: Deadline
) -> Iterator[tuple[str, str]]:
    """The (name, id) of each running instance of a project (ListNotebooks), the first 50."""
    query = (("limit", MOST_LISTED), ("status", Status.RUNNING.value))
    answer = transport.request("GET", _path(project_id), query=query, deadline=deadline)
    for each in Fields(answer.data).objects("data"):
        yield each.text("name") or "", each.required_text("id")


def _unchanged_by(error: ModelArtsError) -> bool:
    """Whether the failed request surely changed nothing."""
    if isinstance(error, UnreachableError):
        return not error.sent
    return not isinstance(error, ServerError)


def _path(project_id: str) -> str:
    return f"/v1/{quote(project_id)}/notebooks"


def _lease(fields: Fields | None, *, running: bool, now: datetime) -> AutoStop:
    """A lease; its end is derived, since no field of an answer names it.

    Source: ShowLease; in answers `duration` counts from `create_at`, -1 is without end, and `type` may be
    absent or in small letters.
    """
    if fields is None:
        return NOT_STATED
    created, duration_ms = fields.moment("create_at"), fields.integer("duration")
    enable, kind = fields.boolean("enable"), fields.text("type")
    if enable is None and duration_ms is None and not kind:
        return NOT_STATED
    if enable is False or duration_ms == WITHOUT_END_MS:
        return AutoStop(enabled=False)
    word = (kind or Mode.TIMING.value).upper()
    if word not in Mode.__members__:
        return AutoStop(enabled=True, end_unknown=EndUnknown.MISSING if running else None)
    if Mode(word) is Mode.IDLE:
        return AutoStop(enabled=True, mode=Mode.IDLE)
    duration = fields.span("duration", unit=MILLISECOND) if created else None  # no run time alone
    end, unknown = _end(created, duration, now) if running else (None, None)
    return AutoStop(
        enabled=True, duration=duration, counts_from=created, stops_at=end, end_unknown=unknown
    )


def _end(
    created: datetime | None, duration: timedelta | None, now: datetime
) -> tuple[datetime | None, EndUnknown | None]:
    if created is None or duration is None:
        return None, EndUnknown.MISSING
    try:
        end = created + duration
    except OverflowError:
        raise BadAnswerError("answer.range", field="lease.duration") from None
    return (end, None) if end >= now - GRACE else (None, EndUnknown.PAST)
