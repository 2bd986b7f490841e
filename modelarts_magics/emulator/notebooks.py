"""Rules of the current API: `/v1/{project_id}/notebooks`, with a lease in ms.

Where the published pages are silent:

- An invalid payload is refused with 6400, a wrong status with 6327, 6347 or 6357.
- A start without `duration` gets the default lease of 1 h; -1 runs without a stop time.
- An IDLE lease never stops here: the emulated instance counts as busy.
- In responses `duration` counts from `create_at`, also for IDLE leases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import errors, validation
from modelarts_magics.emulator.errors import EmulatedApiError
from modelarts_magics.emulator.instance import EmulatedInstance

if TYPE_CHECKING:
    from modelarts_magics.emulator.auth import HttpRequest
    from modelarts_magics.emulator.options import Options

MIN_DURATION_MS = 3_600_000
MAX_DURATION_MS = 259_200_000
DEFAULT_DURATION_MS = MIN_DURATION_MS
UNLIMITED_MS = -1


@dataclass
class EmulatedLease:
    """Lease of a notebook.

    Attributes:
        create_at: When the lease was created; it never changes.
        duration: The duration from `create_at`, as in responses.
        enable: False if the instance runs without a stop time.
        type: TIMING or IDLE.
        update_at: When it was last renewed.
        next_run_duration: The duration that the next run gets from its start.
    """

    create_at: datetime
    duration: timedelta
    enable: bool
    type: str
    update_at: datetime
    next_run_duration: timedelta = timedelta(milliseconds=DEFAULT_DURATION_MS)

    def prolong(self, duration: timedelta, *, now: datetime) -> None:
        """Let the lease end a duration after now."""
        self.duration = now + duration - self.create_at
        self.next_run_duration = duration
        self.update_at = now


def _missing_lease() -> EmulatedLease:
    raise TypeError("a notebook needs a lease")


@dataclass
class EmulatedNotebook(EmulatedInstance):
    """Instance of the `notebooks` API."""

    lease: EmulatedLease = field(default_factory=_missing_lease)

    def start_run(self, started_at: datetime) -> None:
        """Count the duration of the start request from RUNNING."""
        self.lease.prolong(self.lease.next_run_duration, now=started_at)
        self.update_stop_time()

    def update_stop_time(self) -> None:
        """Set the stop time of the current run from the lease."""
        timed = self.lease.enable and self.lease.type == "TIMING"
        running = self.running_since is not None
        self.stops_at = self.lease.create_at + self.lease.duration if timed and running else None


@dataclass(frozen=True)
class LeaseRequest:
    """Lease that a request asks for; a duration of None means without a stop time."""

    duration: timedelta | None
    type: str


def _parse_lease_request(
    duration: object, lease_type: object, *, allow_unlimited: bool
) -> LeaseRequest:
    """Validate a duration in ms and a type; `allow_unlimited` accepts a duration of -1."""
    name = validation.require_string(lease_type, name="type", error_spec=errors.BAD_PAYLOAD)
    if name not in ("TIMING", "IDLE"):
        raise EmulatedApiError(errors.BAD_PAYLOAD, "type is TIMING or IDLE.")
    duration_ms = validation.require_integer(
        duration, name="duration", error_spec=errors.BAD_PAYLOAD
    )
    if duration_ms == UNLIMITED_MS and allow_unlimited:
        return LeaseRequest(duration=None, type=name)
    if not MIN_DURATION_MS <= duration_ms <= MAX_DURATION_MS:
        raise EmulatedApiError(
            errors.BAD_PAYLOAD, f"duration is {MIN_DURATION_MS} to {MAX_DURATION_MS} ms."
        )
    return LeaseRequest(duration=timedelta(milliseconds=duration_ms), type=name)


def _parse_query_duration(query: dict[str, str]) -> int:
    return validation.parse_integer(
        query["duration"], name="duration", error_spec=errors.BAD_PAYLOAD
    )


def _parse_renewal(request: HttpRequest, *, allow_unlimited: bool) -> LeaseRequest:
    query = validation.parse_query(request.query)
    if "duration" in query:
        return _parse_lease_request(
            _parse_query_duration(query), "TIMING", allow_unlimited=allow_unlimited
        )
    if not request.body:
        return _parse_lease_request(DEFAULT_DURATION_MS, "TIMING", allow_unlimited=allow_unlimited)
    body = _parse_body(request)
    validation.reject_unknown(body, allowed=("duration", "type"), error_spec=errors.BAD_PAYLOAD)
    return _parse_lease_request(
        body.get("duration", DEFAULT_DURATION_MS),
        body.get("type", "TIMING"),
        allow_unlimited=allow_unlimited,
    )


def _parse_body(request: HttpRequest) -> dict[str, Any]:
    return validation.parse_json_object(
        request.body,
        content_type=request.headers.get("content-type", ""),
        error_spec=errors.BAD_PAYLOAD,
    )


def prolong_lease(
    notebook: EmulatedNotebook, request: HttpRequest, *, now: datetime, options: Options
) -> None:
    """Apply a PATCH on the lease: the requested duration counts from now.

    Source: the page "Prolonging a Notebook Instance"; a duration in the query overrides the body
    and sets the type to TIMING.
    """
    requested = _parse_renewal(request, allow_unlimited=options.patch_off == "accept")
    if notebook.status != "RUNNING":
        raise EmulatedApiError(errors.NOT_RUNNING)
    _apply_lease_request(notebook, requested, now=now)
    notebook.update_stop_time()


def _apply_lease_request(
    notebook: EmulatedNotebook, requested: LeaseRequest, *, now: datetime
) -> None:
    lease = notebook.lease
    lease.enable, lease.type = requested.duration is not None, requested.type
    lease.update_at = now
    if requested.duration is not None:
        lease.prolong(requested.duration, now=now)


def update_notebook(
    notebook: EmulatedNotebook, request: HttpRequest, *, now: datetime, options: Options
) -> None:
    """Apply a PUT of description and name.

    Source: the page "Updating a Notebook Instance", which requires a stopped instance; a published
    client does it while the instance is running, so that is an option.
    """
    body = _parse_body(request)
    validation.reject_unknown(body, allowed=("description", "name"), error_spec=errors.BAD_PAYLOAD)
    if not body:
        raise EmulatedApiError(errors.BAD_PAYLOAD, "Nothing to update.")
    description, name = _parse_texts(body, notebook=notebook)
    if options.description_put_while_running == "refuse" and notebook.status != "STOPPED":
        raise EmulatedApiError(errors.NOT_IN_THIS_STATUS, f"The status is {notebook.status}.")
    notebook.description, notebook.name = description, name
    notebook.updated_at = now


def _parse_texts(body: dict[str, Any], *, notebook: EmulatedNotebook) -> tuple[str | None, str]:
    description, name = notebook.description, notebook.name
    invalid = errors.BAD_PAYLOAD
    if "description" in body:
        description = validation.require_description(
            body["description"], wrong_type=invalid, wrong_value=invalid, wrong_character=invalid
        )
    if "name" in body:
        name = validation.require_string(body["name"], name="name", error_spec=invalid)
        if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
            raise EmulatedApiError(invalid, "name has letters, digits, - and _ only.")
    return description, name


def start_notebook(
    notebook: EmulatedNotebook, request: HttpRequest, *, now: datetime, options: Options
) -> None:
    """Apply a POST on `start`, with duration and type of the run in the query."""
    # A start with a duration of -1 is published, so no option refuses it.
    del options
    query = validation.parse_query(request.query)
    duration = _parse_query_duration(query) if "duration" in query else DEFAULT_DURATION_MS
    requested = _parse_lease_request(duration, query.get("type", "TIMING"), allow_unlimited=True)
    notebook.perform_action("start", now=now)
    _apply_lease_request(notebook, requested, now=now)


def stop_notebook(
    notebook: EmulatedNotebook, request: HttpRequest, *, now: datetime, options: Options
) -> None:
    """Apply a POST on `stop`."""
    # Neither changes a stop; all operations have the same parameters.
    del request, options
    notebook.perform_action("stop", now=now)
