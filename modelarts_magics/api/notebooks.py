"""The `notebooks` API: its JSON and its lease to models and back.

Source: the pages ShowNotebook, ListNotebooks, UpdateNotebook, ShowLease, RenewLease and StopNotebook of
the current ModelArts API.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelarts_magics.api.error_mapping import missing_permission
from modelarts_magics.api.json_reader import JsonReader, redact_secrets
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.durations import duration_to_ms
from modelarts_magics.domain.models import (
    UNKNOWN_AUTO_STOP,
    AutoStop,
    AutoStopEdit,
    Capabilities,
    CountsFrom,
    Edit,
    Instance,
    Mode,
    Status,
    StopTimeUnknown,
    Workspace,
)
from modelarts_magics.errors import (
    ApiError,
    AuthenticationError,
    ForbiddenError,
    InvalidResponseError,
    ModelArtsError,
    PartialUpdateError,
    RejectedValueError,
    ServerError,
    ThrottledError,
    UnreachableError,
    WrongStateError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelarts_magics.api.client import ApiClient
    from modelarts_magics.domain.clock import Deadline

CAPABILITIES = Capabilities(
    api="notebooks",
    counts_from=CountsFrom.NOW,
    min_duration=timedelta(hours=1),
    max_duration=timedelta(hours=72),
    can_disable=False,
    supports_idle=True,
    supports_reminder=False,
    persists_duration=False,
)

MILLISECOND = timedelta(milliseconds=1)
UNLIMITED_MS = -1
"""What start takes for a run without end; RenewLease does not document it."""
LIST_LIMIT = "50"
_TRANSIENT_ERRORS = (AuthenticationError, ServerError, ThrottledError)
"""Refusals that say nothing about what was asked for."""


class NotebooksBackend:
    """One instance, through the `notebooks` API."""

    capabilities = CAPABILITIES

    def __init__(self, client: ApiClient, *, project_id: str, instance_id: str) -> None:
        self._client = client
        self._path = f"{_notebooks_path(project_id)}/{quote(instance_id)}"

    @property
    def skew(self) -> timedelta:
        """How far the cloud's clock is ahead of the local one."""
        return self._client.skew

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance (ShowNotebook, and ShowLease where no lease is in it)."""
        answer = self._client.request("GET", self._path, deadline=deadline)
        raw = JsonReader(answer.data).data
        if raw.get("lease") is None:
            raw = {**raw, "lease": self._read_lease(deadline)}
        return self.parse(raw, observed_at=answer.observed_at, demo=answer.demo)

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit: the description (UpdateNotebook), then the lease (RenewLease).

        Raises:
            PartialUpdateError: The description was saved, and the lease refused or not reached.
        """
        saved = edit.description is not None and edit.description != before.description
        if saved:
            self._put_description(before, edit, deadline)
        if edit.auto_stop is None:
            return
        try:
            self._patch_lease(edit.auto_stop, deadline)
        except (ApiError, UnreachableError) as error:
            if saved and _is_not_applied(error):
                raise PartialUpdateError("partial.description", cause=error) from None
            raise

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance (StopNotebook)."""
        try:
            self._client.request("POST", f"{self._path}/stop", deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("stop", error) from None

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that an answer describes.

        Raises:
            InvalidResponseError: A field has the wrong type or a mandatory one is missing; it is named.
        """
        fields = JsonReader(raw)
        status = Status(fields.required_text("status"))
        workspace = fields.text("workspace_id")
        return Instance(
            id=fields.required_text("id"),
            name=fields.text("name") or "",
            description=fields.text("description") or "",
            status=status,
            auto_stop=_parse_lease(fields.object("lease"), running=status.running, now=observed_at),
            api=CAPABILITIES.api,
            observed_at=observed_at,
            created_at=fields.timestamp("create_at"),
            flavor=fields.text("flavor"),
            workspace=Workspace(workspace) if workspace else None,
            demo=demo,
            raw=redact_secrets(raw),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read_lease(self, deadline: Deadline) -> Any:  # noqa: ANN401 - any JSON
        """What ShowLease says; None where it does not say, which must not hide the instance."""
        try:
            return self._client.request("GET", f"{self._path}/lease", deadline=deadline).data
        except ApiError as error:
            if isinstance(error, _TRANSIENT_ERRORS):
                raise
            return None

    def _put_description(self, before: Instance, edit: Edit, deadline: Deadline) -> None:
        body = {"description": edit.description}
        try:
            self._client.request("PUT", self._path, body=body, deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("description", error) from None
        except WrongStateError as error:
            if not before.running or error.code.endswith(".6357"):  # another operation is under way
                raise
            raise WrongStateError("api.description_while_running", **error.values) from None

    def _patch_lease(self, edit: AutoStopEdit, deadline: Deadline) -> None:
        """RenewLease by body; where the cloud cannot use that, by query, which forces TIMING."""
        path = f"{self._path}/lease"
        duration = duration_to_ms(edit.duration) if edit.enabled and edit.duration else UNLIMITED_MS
        body = {"duration": duration, "type": edit.mode.value}
        try:
            self._client.request("PATCH", path, body=body, deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("lease", error) from None
        except RejectedValueError as error:
            if not edit.enabled:
                raise RejectedValueError("api.disable_rejected", **error.values) from None
            if edit.mode is not Mode.TIMING or not error.error_code.endswith("6400"):
                raise
            query = (("duration", str(duration)),)
            self._client.request("PATCH", path, query=query, deadline=deadline)


def list_running_instances(
    client: ApiClient, *, project_id: str, deadline: Deadline
) -> Iterator[tuple[str, str]]:
    """The (name, id) of each running instance of a project (ListNotebooks), the first 50."""
    query = (("limit", LIST_LIMIT), ("status", Status.RUNNING.value))
    answer = client.request("GET", _notebooks_path(project_id), query=query, deadline=deadline)
    for each in JsonReader(answer.data).objects("data"):
        yield each.text("name") or "", each.required_text("id")


def _is_not_applied(error: ModelArtsError) -> bool:
    """Whether the failed request surely changed nothing."""
    if isinstance(error, UnreachableError):
        return not error.sent
    return not isinstance(error, ServerError)


def _notebooks_path(project_id: str) -> str:
    return f"/v1/{quote(project_id)}/notebooks"


def _parse_lease(reader: JsonReader | None, *, running: bool, now: datetime) -> AutoStop:
    """A lease; its end is derived, since no field of an answer names it.

    Source: ShowLease; in answers `duration` counts from `create_at`, -1 is without end, and `type` may be
    absent or in small letters.
    """
    if reader is None:
        return UNKNOWN_AUTO_STOP
    created, duration_ms = reader.timestamp("create_at"), reader.integer("duration")
    enable, kind = reader.boolean("enable"), reader.text("type")
    if enable is None and duration_ms is None and not kind:
        return UNKNOWN_AUTO_STOP
    if enable is False or duration_ms == UNLIMITED_MS:
        return AutoStop(enabled=False)
    word = (kind or Mode.TIMING.value).upper()
    if word not in Mode.__members__:
        return AutoStop(
            enabled=True, stop_time_unknown=StopTimeUnknown.MISSING if running else None
        )
    if Mode(word) is Mode.IDLE:
        return AutoStop(enabled=True, mode=Mode.IDLE)
    duration = (
        reader.duration("duration", unit=MILLISECOND) if created else None
    )  # no run time alone
    end, unknown = _determine_stop_time(created, duration, now) if running else (None, None)
    return AutoStop(
        enabled=True,
        duration=duration,
        duration_start=created,
        stops_at=end,
        stop_time_unknown=unknown,
    )


def _determine_stop_time(
    created_at: datetime | None, duration: timedelta | None, now: datetime
) -> tuple[datetime | None, StopTimeUnknown | None]:
    if created_at is None or duration is None:
        return None, StopTimeUnknown.MISSING
    try:
        end = created_at + duration
    except OverflowError:
        raise InvalidResponseError("response.range", field="lease.duration") from None
    return (end, None) if end >= now - STOP_GRACE_PERIOD else (None, StopTimeUnknown.PAST)
