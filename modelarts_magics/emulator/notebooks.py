"""The current API: `/v1/{project_id}/notebooks`, with a lease in ms.

Where the pages are silent:

- Every refused payload gets 6400, except a wrong status (6327, 6347, 6357).
- A start without `duration` runs for the default of a lease, 1 h; -1 runs without end.
- An IDLE lease never stops here: the emulated instance counts as used.
- In answers `duration` counts from `create_at` for IDLE leases too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import checks, errors
from modelarts_magics.emulator.errors import ApiError
from modelarts_magics.emulator.instance import Instance

if TYPE_CHECKING:
    from modelarts_magics.emulator.auth import Call
    from modelarts_magics.emulator.options import Options

SPAN_MIN_MS = 3_600_000
SPAN_MAX_MS = 259_200_000
DEFAULT_SPAN_MS = SPAN_MIN_MS
OFF_MS = -1


@dataclass
class Lease:
    """How long a notebook may run.

    Attributes:
        create_at: When the lease was made; never moves.
        duration: Counted from `create_at`, as in answers.
        enable: False where the instance runs without end.
        type: TIMING or IDLE.
        update_at: When it was last renewed.
        span: What the next run gets from its start.
    """

    create_at: datetime
    duration: timedelta
    enable: bool
    type: str
    update_at: datetime
    span: timedelta = timedelta(milliseconds=DEFAULT_SPAN_MS)

    def grant(self, span: timedelta, *, now: datetime) -> None:
        """Let it end a span after now."""
        self.duration = now + span - self.create_at
        self.span = span
        self.update_at = now


def _no_lease() -> Lease:
    raise TypeError("a notebook needs a lease")


@dataclass
class Notebook(Instance):
    """An instance of `notebooks`."""

    lease: Lease = field(default_factory=_no_lease)

    def run_started(self, at: datetime) -> None:
        """The span of the start counts from RUNNING."""
        self.lease.grant(self.lease.span, now=at)
        self.schedule()

    def schedule(self) -> None:
        """Take the stop of the current run from the lease."""
        timed = self.lease.enable and self.lease.type == "TIMING"
        running = self.running_since is not None
        self.stops_at = self.lease.create_at + self.lease.duration if timed and running else None


@dataclass(frozen=True)
class Wish:
    """What a renewal or a start asks for; a span of None means without end."""

    span: timedelta | None
    type: str


def _wish(duration: object, kind: object, *, off: bool) -> Wish:
    """Check a duration in ms and a type; `off` says whether -1 is taken."""
    name = checks.text(kind, name="type", refusal=errors.BAD_PAYLOAD)
    if name not in ("TIMING", "IDLE"):
        raise ApiError(errors.BAD_PAYLOAD, "type is TIMING or IDLE.")
    span_ms = checks.integer(duration, name="duration", refusal=errors.BAD_PAYLOAD)
    if span_ms == OFF_MS and off:
        return Wish(span=None, type=name)
    if not SPAN_MIN_MS <= span_ms <= SPAN_MAX_MS:
        raise ApiError(errors.BAD_PAYLOAD, f"duration is {SPAN_MIN_MS} to {SPAN_MAX_MS} ms.")
    return Wish(span=timedelta(milliseconds=span_ms), type=name)


def _query_duration(query: dict[str, str]) -> int:
    return checks.whole_number(query["duration"], name="duration", refusal=errors.BAD_PAYLOAD)


def _renewal(call: Call, *, off: bool) -> Wish:
    query = checks.query_of(call.query)
    if "duration" in query:
        return _wish(_query_duration(query), "TIMING", off=off)
    if not call.body:
        return _wish(DEFAULT_SPAN_MS, "TIMING", off=off)
    body = _json_of(call)
    checks.only(body, known=("duration", "type"), refusal=errors.BAD_PAYLOAD)
    return _wish(body.get("duration", DEFAULT_SPAN_MS), body.get("type", "TIMING"), off=off)


def _json_of(call: Call) -> dict[str, Any]:
    return checks.json_object(
        call.body,
        content_type=call.headers.get("content-type", ""),
        refusal=errors.BAD_PAYLOAD,
    )


def renew(notebook: Notebook, call: Call, *, now: datetime, options: Options) -> None:
    """Do a PATCH on the lease: the duration of the request counts from now.

    Source: the page "Prolonging a Notebook Instance"; a duration in the query overrides the body
    and makes the lease a timed one.
    """
    wish = _renewal(call, off=options.patch_off == "accept")
    if notebook.status != "RUNNING":
        raise ApiError(errors.NOT_RUNNING)
    _grant(notebook, wish, now=now)
    notebook.schedule()


def _grant(notebook: Notebook, wish: Wish, *, now: datetime) -> None:
    lease = notebook.lease
    lease.enable, lease.type = wish.span is not None, wish.type
    lease.update_at = now
    if wish.span is not None:
        lease.grant(wish.span, now=now)


def update(notebook: Notebook, call: Call, *, now: datetime, options: Options) -> None:
    """Do a PUT: the description, and the name.

    Source: the page "Updating a Notebook Instance", which wants the instance stopped; a client
    seen in public does it while it runs, so that is an option.
    """
    body = _json_of(call)
    checks.only(body, known=("description", "name"), refusal=errors.BAD_PAYLOAD)
    if not body:
        raise ApiError(errors.BAD_PAYLOAD, "Nothing to update.")
    words, name = _texts(body, notebook=notebook)
    if options.description_put_while_running == "refuse" and notebook.status != "STOPPED":
        raise ApiError(errors.NOT_IN_THIS_STATUS, f"The status is {notebook.status}.")
    notebook.description, notebook.name = words, name
    notebook.updated_at = now


def _texts(body: dict[str, Any], *, notebook: Notebook) -> tuple[str | None, str]:
    words, name = notebook.description, notebook.name
    bad = errors.BAD_PAYLOAD
    if "description" in body:
        words = checks.description(body["description"], kind=bad, value=bad, character=bad)
    if "name" in body:
        name = checks.text(body["name"], name="name", refusal=bad)
        if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
            raise ApiError(bad, "name has letters, digits, - and _ only.")
    return words, name


def start(notebook: Notebook, call: Call, *, now: datetime, options: Options) -> None:
    """Do a POST on `start`, with duration and type of the run in the query."""
    del options  # -1 is public knowledge here, so no option refuses it
    query = checks.query_of(call.query)
    duration = _query_duration(query) if "duration" in query else DEFAULT_SPAN_MS
    wish = _wish(duration, query.get("type", "TIMING"), off=True)
    notebook.act("start", now=now)
    _grant(notebook, wish, now=now)


def stop(notebook: Notebook, call: Call, *, now: datetime, options: Options) -> None:
    """Do a POST on `stop`."""
    del call, options  # nothing in them changes a stop
    notebook.act("stop", now=now)
