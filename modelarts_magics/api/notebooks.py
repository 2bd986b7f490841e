"""The `notebooks` API: convert its JSON and its lease to models and back.

Source: the pages ShowNotebook, ListNotebooks, UpdateNotebook, ShowLease, RenewLease and StopNotebook of
the current ModelArts API.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelarts_magics.api.error_mapping import missing_permission
from modelarts_magics.api.json_reader import JsonReader, check_instance_id, redact_secrets
from modelarts_magics.domain.clock import OutdatedReadError
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.durations import MAX_TIME_AHEAD, duration_to_ms
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

_TEXT: dict[str, Any] = {}
STORED_FIELDS: dict[str, Any] = {
    **dict.fromkeys(("id", "name", "description", "status", "create_at", "flavor"), _TEXT),
    "workspace_id": _TEXT,
    "lease": dict.fromkeys(("create_at", "duration", "enable", "type", "update_at"), _TEXT),
}
"""The fields that are written to the state file: those that are read."""

MILLISECOND = timedelta(milliseconds=1)
UNLIMITED_MS = -1
"""The duration of a run without a stop time in StartNotebook; RenewLease does not document it."""
LIST_LIMIT = "50"
_TRANSIENT_ERRORS = (AuthenticationError, ServerError, ThrottledError)
"""Errors that do not concern the requested resource."""


class NotebooksBackend:
    """One instance, through the `notebooks` API."""

    capabilities = CAPABILITIES
    stored_fields = STORED_FIELDS

    def __init__(self, client: ApiClient, *, project_id: str, instance_id: str) -> None:
        self._client = client
        self._instance_id = instance_id
        self._path = f"{_notebooks_path(project_id)}/{quote(instance_id)}"

    @property
    def skew(self) -> timedelta:
        """How far the clock of the API is ahead of the local clock."""
        return self._client.skew

    def read(self, *, deadline: Deadline) -> Instance:
        """Read the instance (ShowNotebook), and its lease (ShowLease) if the response has none."""
        response = self._client.request("GET", self._path, deadline=deadline)
        raw = JsonReader(response.data).data
        if raw.get("lease") is None:
            raw = {**raw, "lease": self._read_lease(deadline)}
        instance = self.parse(raw, observed_at=response.observed_at, demo=response.demo)
        check_instance_id(instance.id, requested=self._instance_id)
        return instance

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit: first the description (UpdateNotebook), then the lease (RenewLease).

        Raises:
            PartialUpdateError: The description was saved; the lease was refused or not sent.
            OutdatedReadError: The lease was not sent, because `before` is too old.
            ApiError, UnreachableError: The API refused, failed or did not answer.
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
        except OutdatedReadError as error:
            error.description_saved = saved
            raise

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance (StopNotebook)."""
        try:
            self._client.request("POST", f"{self._path}/stop", deadline=deadline)
        except ForbiddenError as error:
            raise missing_permission("stop", error) from None

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """Parse a response.

        Raises:
            InvalidResponseError: It is no instance: ID or status is missing.
        """
        clean = redact_secrets(raw)
        reader = JsonReader(clean)
        status = reader.status("status")
        workspace = reader.text("workspace_id")
        return Instance(
            id=reader.required_text("id"),
            name=reader.text("name") or "",
            description=reader.text("description") or "",
            status=status,
            auto_stop=_parse_lease(reader.object("lease"), running=status.running, now=observed_at),
            api=CAPABILITIES.api,
            observed_at=observed_at,
            created_at=reader.timestamp("create_at"),
            flavor=reader.text("flavor"),
            workspace=Workspace(workspace) if workspace else None,
            demo=demo,
            raw=clean,
            implausible=reader.implausible,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read_lease(self, deadline: Deadline) -> Any:  # noqa: ANN401 - any JSON
        """Return the response of ShowLease; None if it is refused, so that the instance is still shown."""
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
            # The code .6357 means that another operation is in progress.
            if not before.running or error.code.endswith(".6357"):
                raise
            raise WrongStateError("api.description_while_running", **error.values) from None

    def _patch_lease(self, edit: AutoStopEdit, deadline: Deadline) -> None:
        """Send RenewLease with a body; if that is not supported, with a query, which implies TIMING."""
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
    """Yield (name, ID) of up to 50 running instances of a project (ListNotebooks)."""
    query = (("limit", LIST_LIMIT), ("status", Status.RUNNING.value))
    response = client.request("GET", _notebooks_path(project_id), query=query, deadline=deadline)
    for each in JsonReader(response.data).objects("data"):
        yield each.text("name") or "", each.required_text("id")


def _is_not_applied(error: ModelArtsError) -> bool:
    """Whether the failed request certainly changed nothing."""
    if isinstance(error, UnreachableError):
        return not error.sent
    return not isinstance(error, ServerError)


def _notebooks_path(project_id: str) -> str:
    return f"/v1/{quote(project_id)}/notebooks"


def _parse_lease(reader: JsonReader | None, *, running: bool, now: datetime) -> AutoStop:
    """Parse a lease. Its stop time is computed, because no field contains it.

    Source: ShowLease. In responses `duration` counts from `create_at`, -1 means no limit, and `type` may
    be absent or in lower case.
    """
    if reader is None:
        return UNKNOWN_AUTO_STOP
    # Read to validate it, as `status --all` shows it.
    reader.timestamp("update_at")
    enable, lease_type = reader.boolean("enable"), reader.text("type")
    duration_ms = reader.integer("duration")
    nothing_known = enable is None and duration_ms is None and not lease_type
    if nothing_known or reader.has_rejected("enable"):
        return UNKNOWN_AUTO_STOP
    if enable is False or duration_ms == UNLIMITED_MS:
        return AutoStop(enabled=False)
    mode = (lease_type or Mode.TIMING.value).upper()
    if mode == Mode.IDLE.value:
        return AutoStop(enabled=True, mode=Mode.IDLE)
    if mode == Mode.TIMING.value and not reader.has_rejected("type"):
        return _parse_timed_lease(reader, running=running, now=now)
    odd = StopTimeUnknown.IMPLAUSIBLE if reader.has_rejected("type") else StopTimeUnknown.MISSING
    return AutoStop(enabled=True, stop_time_unknown=odd if running else None)


def _parse_timed_lease(reader: JsonReader, *, running: bool, now: datetime) -> AutoStop:
    created_at = reader.timestamp("create_at")
    duration = reader.duration("duration", unit=MILLISECOND) or None
    # Without its start the duration of a lease is not a run time.
    duration = duration if created_at else None
    stops_at, unknown = None, None
    if running:
        stops_at, unknown = _determine_stop_time(created_at, duration, now)
        if unknown is StopTimeUnknown.MISSING and reader.has_rejected("create_at", "duration"):
            unknown = StopTimeUnknown.IMPLAUSIBLE
    return AutoStop(
        enabled=True,
        duration=duration,
        duration_start=created_at,
        stops_at=stops_at,
        stop_time_unknown=unknown,
    )


def _determine_stop_time(
    created_at: datetime | None, duration: timedelta | None, now: datetime
) -> tuple[datetime | None, StopTimeUnknown | None]:
    if created_at is None or duration is None:
        return None, StopTimeUnknown.MISSING
    stop_time = created_at + duration
    if stop_time < now - STOP_GRACE_PERIOD:
        return None, StopTimeUnknown.PAST
    if stop_time > now + MAX_TIME_AHEAD:
        return None, StopTimeUnknown.IMPLAUSIBLE
    return stop_time, None
