"""The current API: leases, requests and errors."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest
from emulator_harness import EmulatorHarness
from factories import (
    HOUR,
    JSON_VALUES,
    MINUTE,
    NOW,
)
from httpx_transport import HttpxTransport
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.client import ApiClient
from modelarts_magics.api.notebooks import NotebooksBackend, list_running_instances
from modelarts_magics.commands.as_text import instance_lines
from modelarts_magics.config.credentials import Token
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.domain.models import (
    UNKNOWN_AUTO_STOP,
    AutoStop,
    AutoStopEdit,
    Edit,
    Effect,
    Mode,
    StopTimeUnknown,
)
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import (
    AuthenticationError,
    ForbiddenError,
    InvalidResponseError,
    ModelArtsError,
    OutcomeUnknownError,
    PartialUpdateError,
    RejectedValueError,
    ServerError,
    ThrottledError,
    UnreachableError,
    WrongStateError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.domain.models import Instance

DAYS = timedelta(days=3)
CREATED = NOW - DAYS
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
ID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
PATH = f"/v1/p/notebooks/{ID}"


def ms(moment: datetime) -> int:
    """Return the 13 digits of a timestamp."""
    return round(moment.timestamp() * 1000)


def lease(**changes: object) -> dict[str, Any]:
    """Return a lease created three days ago that ends in 40 minutes; None removes a field."""
    values = {
        "create_at": ms(CREATED),
        "duration": (DAYS + 40 * MINUTE) // MS,
        "enable": True,
        "type": "TIMING",
        "update_at": ms(NOW - 20 * MINUTE),
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def notebook(**changes: object) -> dict[str, Any]:
    """Return a response of ShowNotebook."""
    return {
        "id": ID,
        "name": "notebook-instance",
        "description": "training",
        "status": "RUNNING",
        "flavor": "modelarts.vm.cpu.2u",
        "lease": lease(),
        "workspace_id": "0",
        "create_at": ms(CREATED),
        **changes,
    }


class ScriptedApi:
    """Gives a scripted response for each method and last path segment, and records the requests."""

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401 - a response, an error, or a list of both
        self.answers = {"GET": httpx.Response(200, json=notebook()), **answers}
        self.asked: list[tuple[str, str, str, Any]] = []
        self.slept: list[float] = []
        self.transport = ApiClient(
            "http://127.0.0.1:9",
            project_id="p",
            credential=lambda: Token("FAKE-TOKEN"),
            clock=Clock(now=lambda: NOW, sleep=self.slept.append),
            transport=HttpxTransport(httpx.MockTransport(self._answer)),
        )
        self.notebook = NotebooksBackend(self.transport, project_id="p", instance_id=ID)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        path, query = request.url.path, request.url.query.decode()
        self.asked.append((request.method, path, query, body))
        name = f"{request.method}_{path.rpartition('/')[2]}"
        answer = self.answers.get(name, self.answers.get(request.method, httpx.Response(204)))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read(self) -> Instance:
        """Read the instance."""
        return self.notebook.read(deadline=Deadline(30))

    def write(self, before: Instance, **edit: Any) -> None:  # noqa: ANN401 - the fields of Edit
        """Send an edit, and forget earlier requests."""
        self.asked.clear()
        self.notebook.write(before, Edit(**edit), deadline=Deadline(30))

    @property
    def sent(self) -> list[str]:
        """Return the requests as METHOD path?query."""
        return [f"{method} {path}?{query}".rstrip("?") for method, path, query, _ in self.asked]


def refusal(status: int, number: str, words: str = "words") -> httpx.Response:
    """Return an error response."""
    code = number if "." in number else f"ModelArts.{number}"
    return httpx.Response(status, json={"error_code": code, "error_msg": words})


@pytest.fixture
def make_api() -> Iterator[Callable[..., ScriptedApi]]:
    """Create scripted APIs, and close them after the test."""
    made: list[ScriptedApi] = []

    def make(**answers: object) -> ScriptedApi:
        made.append(ScriptedApi(**answers))
        return made[-1]

    yield make
    for scripted in made:
        scripted.transport.close()


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., EmulatorHarness]]:
    """Create emulators of this API with options, and close them after the test."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path / str(len(made)), api="notebooks", **options))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


def parse(raw: Any) -> Instance:  # noqa: ANN401 - any JSON
    """Parse a response received at NOW."""
    backend: Any = NotebooksBackend(None, project_id="p", instance_id=ID)  # type: ignore[arg-type]
    return backend.parse(raw, observed_at=NOW, demo=False)


TIMED = AutoStop(
    enabled=True, duration=DAYS + 40 * MINUTE, duration_start=CREATED, stops_at=NOW + 40 * MINUTE
)
OFF = AutoStop(enabled=False)
UNKNOWN = AutoStop(enabled=True, stop_time_unknown=StopTimeUnknown.MISSING)
"""Auto-stop on with an unknown stop time."""


def timed(left: timedelta | None, unknown: StopTimeUnknown | None = None) -> AutoStop:
    """Return a timed lease; `left` is the time left if the stop time is known."""
    return AutoStop(
        enabled=True,
        duration=None if left is None else DAYS + left,
        duration_start=CREATED,
        stops_at=None if unknown or left is None else NOW + left,
        stop_time_unknown=unknown,
    )


@pytest.mark.parametrize(
    ("wire", "meant"),
    [
        pytest.param(lease(), TIMED, id="as published"),
        pytest.param(lease(type=None), TIMED, id="no type"),
        pytest.param(lease(type=""), TIMED, id="an empty type"),
        pytest.param(lease(type="timing"), TIMED, id="a type in small letters"),
        pytest.param(lease(type="IDLE"), AutoStop(enabled=True, mode=Mode.IDLE), id="idle"),
        pytest.param(lease(type="idle"), AutoStop(enabled=True, mode=Mode.IDLE), id="small idle"),
        pytest.param(lease(type="LUNAR"), UNKNOWN, id="a type not known yet"),
        pytest.param(lease(enable=False), OFF, id="disabled"),
        pytest.param(lease(enable=False, type="IDLE"), OFF, id="disabled idle"),
        pytest.param(lease(enable=None), TIMED, id="no enable"),
        pytest.param(lease(duration=-1), OFF, id="without end"),
        pytest.param(lease(duration=-1, type=None), OFF, id="without end and type"),
        pytest.param(
            lease(create_at=None),
            UNKNOWN,
            id="no create_at",
        ),
        pytest.param(lease(duration=None), timed(None, StopTimeUnknown.MISSING), id="no duration"),
        pytest.param(
            lease(duration=(DAYS - 61 * SECOND) // MS),
            timed(-61 * SECOND, StopTimeUnknown.PAST),
            id="past",
        ),
        pytest.param(
            lease(duration=(DAYS - 59 * SECOND) // MS), timed(-59 * SECOND), id="just past"
        ),
        pytest.param({}, UNKNOWN_AUTO_STOP, id="an empty lease"),
        pytest.param(
            {"create_at": ms(CREATED)}, UNKNOWN_AUTO_STOP, id="a lease without any setting"
        ),
        pytest.param(None, UNKNOWN_AUTO_STOP, id="no lease at all"),
        pytest.param(lease(remark={"new": 1}), TIMED, id="a field not known yet"),
    ],
)
def test_lease_gives_stop_time_or_unknown(wire: dict[str, Any] | None, meant: AutoStop) -> None:
    """A missing field does not mean off, and a passed stop time is unknown."""
    assert parse(notebook(lease=wire)).auto_stop == meant


@pytest.mark.parametrize(
    "status", ["STOPPED", "STOPPING", "STARTING", "INIT", "FROZEN", "SOMETHING"]
)
@pytest.mark.parametrize("wire", [lease(), lease(duration=1), lease(type="LUNAR")])
def test_stopped_instance_has_no_stop_time(status: str, wire: dict[str, Any] | None) -> None:
    """The missing stop time is not reported as unknown."""
    stop = parse(notebook(status=status, lease=wire)).auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, None)


@pytest.mark.parametrize("status", ["RUNNING", "STOPPED", "STARTING"])
@pytest.mark.parametrize("wire", [None, {}])
def test_missing_lease_is_unknown(status: str, wire: dict[str, Any] | None) -> None:
    """Auto-stop is neither on nor off, whether the instance runs or not."""
    found = parse(notebook(status=status, lease=wire))
    assert not found.auto_stop.is_known
    assert "Auto-stop: not reported" in instance_lines(found)


def test_lease_without_start_has_no_run_time() -> None:
    """Its duration counts from an unknown time."""
    assert "Auto-stop: on" in instance_lines(parse(notebook(lease=lease(create_at=None))))


def test_negative_duration_is_not_off() -> None:
    """Only -1 means no limit."""
    stop = parse(notebook(lease=lease(duration=-2))).auto_stop
    assert (stop.enabled, stop.stops_at, stop.stop_time_unknown) == (
        True,
        None,
        StopTimeUnknown.IMPLAUSIBLE,
    )


def test_instance_is_parsed_completely() -> None:
    """Other fields stay in the raw response."""
    found = parse(notebook(image={"id": "i"}))
    assert (found.id, found.name, found.description) == (ID, "notebook-instance", "training")
    assert (found.status.value, found.api, found.created_at) == ("RUNNING", "notebooks", CREATED)
    assert found.workspace is not None
    assert (found.workspace.id, found.flavor) == ("0", "modelarts.vm.cpu.2u")
    assert found.raw["image"] == {"id": "i"}


@pytest.mark.parametrize("empty", [None, ""])
def test_null_text_is_empty(empty: str | None) -> None:
    """A description or name that was never set."""
    found = parse(notebook(description=empty, name=empty, workspace_id=empty, flavor=None))
    assert (found.description, found.name, found.workspace) == ("", "", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lease": lease(duration=10**30)}, "lease.duration"),
        ({"lease": lease(duration=-(10**30))}, "lease.duration"),
        ({"lease": lease(create_at=10**30)}, "lease.create_at"),
        ({"lease": lease(create_at=-(10**17))}, "lease.create_at"),
        ({"lease": lease(duration="3600000")}, "lease.duration"),
        ({"lease": lease(duration=3.6e6)}, "lease.duration"),
        ({"lease": lease(duration=True)}, "lease.duration"),
        ({"lease": lease(create_at="yesterday")}, "lease.create_at"),
        ({"lease": lease(enable="true")}, "lease.enable"),
        ({"lease": lease(enable=1)}, "lease.enable"),
        ({"lease": lease(type=1)}, "lease.type"),
        ({"lease": []}, "lease"),
        ({"lease": "TIMING"}, "lease"),
        ({"status": {"a": 1}}, "status"),
        ({"description": 1}, "description"),
        ({"name": []}, "name"),
        ({"create_at": "now"}, "create_at"),
        ({"workspace_id": 0.5}, "workspace_id"),
        ({"lease": lease(duration=-2)}, "lease.duration"),
        ({"lease": lease(create_at=ms(CREATED) // 1000)}, "lease.create_at"),
        ({"lease": lease(update_at="1")}, "lease.update_at"),
    ],
)
def test_implausible_field_is_unknown(change: dict[str, Any], field: str) -> None:
    """The instance is parsed; the stop time is true or unknown, and auto-stop is not reported as off."""
    found = parse(notebook(**change))
    assert list(found.implausible) == [field]
    stop = found.auto_stop
    if field in ("lease.create_at", "lease.duration", "lease.type"):
        assert (stop.enabled, stop.stop_time_unknown) == (True, StopTimeUnknown.IMPLAUSIBLE)
    elif field in ("lease", "lease.enable"):
        assert stop == UNKNOWN_AUTO_STOP
    elif field != "status":
        assert stop.stops_at is not None


@pytest.mark.parametrize("days", [5, 400, 20_000])
def test_stop_time_beyond_every_run_is_unknown(days: int) -> None:
    """No run is that long."""
    stop = parse(notebook(lease=lease(duration=(DAYS + timedelta(days=days)) // MS))).auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, StopTimeUnknown.IMPLAUSIBLE)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": 7}, "id"),
        ({"status": None}, "status"),
        ({"status": ""}, "status"),
    ],
)
def test_missing_id_or_status_is_an_error(change: dict[str, Any], field: str) -> None:
    """It is no instance; the error names the field."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(notebook(**change))
    assert caught.value.values["field"] == field
    assert f"“{field}”" in caught.value.message


FIELDS = ("id", "name", "description", "status", "lease", "create_at", "flavor", "workspace_id")
LEASE_FIELDS = ("create_at", "duration", "enable", "type", "update_at")


@given(
    st.one_of(
        JSON_VALUES,
        st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES),
        st.builds(
            lambda one, other: notebook(lease={**lease(), **one}, **other),
            st.dictionaries(st.sampled_from(LEASE_FIELDS), JSON_VALUES | st.integers()),
            st.dictionaries(st.sampled_from(FIELDS[:4]), JSON_VALUES, max_size=1),
        ),
    )
)
def test_any_json_is_an_instance_or_an_error(raw: object) -> None:
    """No other exception is raised."""
    try:
        found = parse(raw)
    except InvalidResponseError:
        return
    assert found.id
    assert found.auto_stop.stops_at is None or found.running


SECRET = "s3cret-jupyter-token"


@pytest.mark.parametrize(
    "change",
    [
        {"token": SECRET},
        {"endpoints": [{"service": "SSH", "token": SECRET}]},
        {"a": {"b": [{"c": {"auth_token": SECRET}}]}},
        {"lease": lease(token=SECRET)},
        {"url": f"https://authoring.example.com/{ID}/lab?token={SECRET}"},
        {"endpoints": [{"uri": f"https://x.example.com/lab?a=b&token={SECRET}"}]},
        {"password": SECRET},
    ],
)
def test_secret_of_the_instance_is_removed(
    make_api: Callable[..., ScriptedApi], change: dict[str, Any]
) -> None:
    """At any depth, as a field or in a URL, from the raw response and every repr."""
    found = make_api(GET=httpx.Response(200, json=notebook(**change))).read()
    assert SECRET not in repr(found) + json.dumps(dict(found.raw))
    assert found.id == ID


def test_missing_lease_is_requested(make_api: Callable[..., ScriptedApi]) -> None:
    """ShowLease is sent only if the response has no lease."""
    bare = notebook()
    del bare["lease"]
    scripted = make_api(
        GET=httpx.Response(200, json=bare), GET_lease=httpx.Response(200, json=lease())
    )
    assert scripted.read().auto_stop == TIMED
    assert scripted.sent == [f"GET {PATH}", f"GET {PATH}/lease"]
    whole = make_api()
    assert whole.read().auto_stop == TIMED
    assert whole.sent == [f"GET {PATH}"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(204),
        httpx.Response(200, content=b""),
        refusal(403, "0108"),
        refusal(404, "APIGW.0101"),
        refusal(400, "6404"),
    ],
    ids=["204", "empty", "403", "404", "400"],
)
def test_refused_lease_does_not_hide_the_instance(
    make_api: Callable[..., ScriptedApi], answer: httpx.Response
) -> None:
    """The stop time is unknown; the permission to read leases may be missing."""
    found = make_api(GET=httpx.Response(200, json=notebook(lease=None)), GET_lease=answer).read()
    assert found.auto_stop == UNKNOWN_AUTO_STOP


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401, "0202"), AuthenticationError),
        (refusal(429, "6101"), ThrottledError),
        (refusal(500, "0010"), ServerError),
        (httpx.ConnectError("refused"), UnreachableError),
    ],
    ids=["401", "429", "500", "unreachable"],
)
def test_transient_error_of_the_lease_fails_the_read(
    make_api: Callable[..., ScriptedApi], answer: object, error: type[ModelArtsError]
) -> None:
    """It is not a statement about the lease."""
    scripted = make_api(GET=httpx.Response(200, json=notebook(lease=None)), GET_lease=answer)
    with pytest.raises(error):
        scripted.read()


@pytest.mark.parametrize(
    "answer", [httpx.Response(204), httpx.Response(200, content=b""), httpx.Response(200, json=[])]
)
def test_response_without_instance_is_an_error(
    make_api: Callable[..., ScriptedApi], answer: httpx.Response
) -> None:
    """A 204 or an empty body."""
    with pytest.raises(InvalidResponseError):
        make_api(GET=answer).read()


TWO_HOURS = AutoStopEdit(enabled=True, duration=2 * HOUR)
PATCHED = {"duration": 7_200_000, "type": "TIMING"}


@pytest.mark.parametrize("empty", [204, 200])
@pytest.mark.parametrize(
    ("edit", "asked"),
    [
        ({"description": "new"}, [("PUT", PATH, "", {"description": "new"})]),
        ({"description": ""}, [("PUT", PATH, "", {"description": ""})]),
        ({"description": "training"}, []),
        ({"auto_stop": TWO_HOURS}, [("PATCH", f"{PATH}/lease", "", PATCHED)]),
        (
            {"description": "new", "auto_stop": TWO_HOURS},
            [
                ("PUT", PATH, "", {"description": "new"}),
                ("PATCH", f"{PATH}/lease", "", PATCHED),
            ],
        ),
        (
            {"description": "training", "auto_stop": TWO_HOURS},
            [("PATCH", f"{PATH}/lease", "", PATCHED)],
        ),
        (
            {"auto_stop": AutoStopEdit(enabled=True, mode=Mode.IDLE, duration=HOUR)},
            [("PATCH", f"{PATH}/lease", "", {"duration": 3_600_000, "type": "IDLE"})],
        ),
        (
            {"auto_stop": AutoStopEdit(enabled=False)},
            [("PATCH", f"{PATH}/lease", "", {"duration": -1, "type": "TIMING"})],
        ),
        ({}, []),
    ],
)
def test_only_changes_are_written(
    make_api: Callable[..., ScriptedApi], edit: dict[str, Any], asked: list[Any], empty: int
) -> None:
    """Description and lease have separate requests."""
    scripted = make_api(PUT=httpx.Response(empty), PATCH=httpx.Response(empty))
    scripted.write(scripted.read(), **edit)
    assert scripted.asked == asked


def test_lease_is_renewed_by_query_if_body_is_rejected(
    make_api: Callable[..., ScriptedApi],
) -> None:
    """Once, and only after the API rejected the payload."""
    scripted = make_api(PATCH=[refusal(400, "6400"), httpx.Response(200, json=lease())])
    scripted.write(scripted.read(), auto_stop=TWO_HOURS)
    assert scripted.asked == [
        ("PATCH", f"{PATH}/lease", "", PATCHED),
        ("PATCH", f"{PATH}/lease", "duration=7200000", None),
    ]


@pytest.mark.parametrize(
    ("answer", "edit", "error", "code"),
    [
        (refusal(400, "6327"), TWO_HOURS, WrongStateError, "api.400.6327"),
        (refusal(400, "6336"), TWO_HOURS, RejectedValueError, "api.400.6336"),
        (
            refusal(400, "6400"),
            AutoStopEdit(enabled=True, mode=Mode.IDLE, duration=HOUR),
            RejectedValueError,
            "api.400.6400",
        ),
        (
            refusal(400, "6400"),
            AutoStopEdit(enabled=False),
            RejectedValueError,
            "api.disable_rejected",
        ),
        (
            refusal(400, "6336"),
            AutoStopEdit(enabled=False),
            RejectedValueError,
            "api.disable_rejected",
        ),
        (refusal(500, "0010"), TWO_HOURS, ServerError, "api.500.0010"),
    ],
)
def test_idle_and_off_are_not_sent_as_query(
    make_api: Callable[..., ScriptedApi],
    answer: httpx.Response,
    edit: AutoStopEdit,
    error: type[ModelArtsError],
    code: str,
) -> None:
    """A query forces a timed lease."""
    scripted = make_api(PATCH=answer)
    with pytest.raises(error) as caught:
        scripted.write(scripted.read(), auto_stop=edit)
    assert caught.value.code == code
    assert scripted.sent == [f"PATCH {PATH}/lease"]


def test_lease_refused_with_query_is_an_error(make_api: Callable[..., ScriptedApi]) -> None:
    """The second error is raised."""
    scripted = make_api(PATCH=[refusal(400, "6400"), refusal(400, "6327")])
    with pytest.raises(WrongStateError):
        scripted.write(scripted.read(), auto_stop=TWO_HOURS)
    assert len(scripted.asked) == 2


RIGHTS = [
    ("PATCH", {"auto_stop": TWO_HOURS}, "modelarts:notebook:updateStopPolicy", "change auto-stop"),
    ("PUT", {"description": "new"}, "modelarts:notebook:update.", "change the description"),
]


@pytest.mark.parametrize("number", ["0108", "9999", "APIGW.0802"])
@pytest.mark.parametrize(("method", "edit", "right", "words"), RIGHTS)
def test_missing_permission_is_named(  # noqa: PLR0913 - the columns of a table
    make_api: Callable[..., ScriptedApi],
    method: str,
    edit: dict[str, Any],
    right: str,
    words: str,
    number: str,
) -> None:
    """The error code of the API is kept."""
    scripted = make_api(**{method: refusal(403, number)})
    with pytest.raises(ForbiddenError) as caught:
        scripted.write(scripted.read(), **edit)
    assert f"You do not have permission to {words} ({right.rstrip('.')}" in caught.value.message
    assert caught.value.error_code.endswith(number)
    assert caught.value.hint
    assert len(scripted.asked) == 1


def test_missing_stop_permission_is_named(make_api: Callable[..., ScriptedApi]) -> None:
    """StopNotebook has a permission of its own."""
    scripted = make_api(POST=refusal(403, "0108"))
    with pytest.raises(
        ForbiddenError, match=r"permission to stop this instance \(modelarts:notebook:stop\)"
    ):
        scripted.notebook.stop(deadline=Deadline(30))
    assert scripted.sent == [f"POST {PATH}/stop"]


@pytest.mark.parametrize("number", ["0206", "0210"])
@pytest.mark.parametrize(("method", "edit"), [row[:2] for row in RIGHTS])
def test_403_for_the_key_is_not_a_missing_permission(
    make_api: Callable[..., ScriptedApi], method: str, edit: dict[str, Any], number: str
) -> None:
    """A wrong key or project has its own message."""
    scripted = make_api(**{method: refusal(403, number)})
    with pytest.raises(ForbiddenError) as caught:
        scripted.write(scripted.read(), **edit)
    assert caught.value.code == f"api.403.{number}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(403, "0108"), "updateStopPolicy"),
        (refusal(400, "6327"), "not running"),
        (refusal(400, "6336"), "rejected a value"),
        (refusal(429, "6101"), "busy"),
        (httpx.ConnectError("Connection refused"), "Cannot connect"),
    ],
    ids=["403", "6327", "6336", "429", "unreachable"],
)
def test_partial_update_names_what_was_saved(
    make_api: Callable[..., ScriptedApi], answer: object, words: str
) -> None:
    """The description was saved, the lease certainly not."""
    scripted = make_api(PATCH=answer)
    with pytest.raises(PartialUpdateError) as caught:
        scripted.write(scripted.read(), description="new", auto_stop=TWO_HOURS)
    assert caught.value.message.startswith(
        "The description was saved, but auto-stop was not changed. "
    )
    assert words in caught.value.message
    assert scripted.sent[0] == f"PUT {PATH}"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(500, "0010"), ServerError),
        (httpx.ReadTimeout("slow"), UnreachableError),
        (httpx.Response(200, content=b"<html>"), InvalidResponseError),
    ],
    ids=["500", "no answer", "garbled"],
)
def test_unknown_lease_outcome_is_not_a_partial_update(
    make_api: Callable[..., ScriptedApi], answer: object, error: type[ModelArtsError]
) -> None:
    """The lease may have been renewed, so the session reads back."""
    scripted = make_api(PATCH=answer)
    with pytest.raises(error):
        scripted.write(scripted.read(), description="new", auto_stop=TWO_HOURS)


def test_refused_description_leaves_the_lease_unchanged(
    make_api: Callable[..., ScriptedApi],
) -> None:
    """The lease request is not sent."""
    scripted = make_api(PUT=refusal(400, "6400"))
    with pytest.raises(RejectedValueError):
        scripted.write(scripted.read(), description="new", auto_stop=TWO_HOURS)
    assert scripted.sent == [f"PUT {PATH}"]


@pytest.mark.parametrize(
    ("status", "number", "code"),
    [
        ("RUNNING", "6347", "api.description_while_running"),
        ("RUNNING", "6327", "api.description_while_running"),
        ("RUNNING", "6357", "api.400.6357"),
        ("STOPPING", "6347", "api.400.6347"),
    ],
)
def test_description_refused_while_running_has_its_own_error(
    make_api: Callable[..., ScriptedApi], status: str, number: str, code: str
) -> None:
    """It is raised only for an instance that runs."""
    scripted = make_api(
        GET=httpx.Response(200, json=notebook(status=status)), PUT=refusal(400, number)
    )
    with pytest.raises(WrongStateError) as caught:
        scripted.write(scripted.read(), description="new")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], []),
        ([{"id": "a", "name": "one"}, {"id": "b"}], [("one", "a"), ("", "b")]),
    ],
)
def test_running_instances_are_listed(
    make_api: Callable[..., ScriptedApi], rows: list[dict[str, str]], found: list[tuple[str, str]]
) -> None:
    """By name and ID, with one request."""
    scripted = make_api(GET=httpx.Response(200, json={"data": rows, "total": len(rows)}))
    listed = list_running_instances(scripted.transport, project_id="p", deadline=Deadline(5))
    assert list(listed) == found
    assert scripted.sent == ["GET /v1/p/notebooks?limit=50&status=RUNNING"]


# The following tests compare with the state of the emulator.


def left(stage: EmulatorHarness) -> timedelta | None:
    """Return the time left according to the emulator."""
    end = stage.instance_state()["stops_at"]
    return None if end is None else datetime.fromisoformat(end) - stage.clock.now()


def writes(stage: EmulatorHarness) -> list[str]:
    """Return the methods of the writes that the emulator received."""
    return [one["method"] for one in stage.emulator.requests if one["method"] != "GET"]


@pytest.mark.parametrize(
    ("change", "sent", "description", "run"),
    [
        ({"description": "new"}, ["PUT"], "new", 40 * MINUTE),
        ({"auto_stop": AutoStopRequest(duration=2 * HOUR)}, ["PATCH"], "old", 2 * HOUR),
        (
            {"description": "new", "auto_stop": AutoStopRequest(duration=3 * HOUR)},
            ["PUT", "PATCH"],
            "new",
            3 * HOUR,
        ),
        ({"description": "old"}, [], "old", 40 * MINUTE),
        (
            {"description": "old", "auto_stop": AutoStopRequest(duration=2 * HOUR)},
            ["PATCH"],
            "old",
            2 * HOUR,
        ),
    ],
)
def test_description_and_lease_are_independent(
    make_harness: Callable[..., EmulatorHarness],
    change: dict[str, Any],
    sent: list[str],
    description: str,
    run: timedelta,
) -> None:
    """A change counts as applied only if the emulator agrees."""
    stage = make_harness(description="old")
    done = stage._session.update(**change)
    assert done.effect is Effect.NOW
    assert writes(stage) == sent
    assert (stage.instance_state()["description"], left(stage)) == (description, run)


@pytest.mark.parametrize("times", [1, None])
def test_partial_update_matches_the_emulator(
    make_harness: Callable[..., EmulatorHarness], times: int | None
) -> None:
    """The description is new, the stop time old; each is sent once."""
    stage = make_harness(description="old")
    stage.emulator.add_fault("403", methods=("PATCH",), times=times)
    with pytest.raises(
        PartialUpdateError, match="The description was saved, but auto-stop was not changed\\."
    ):
        stage._session.update(description="new", auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert (stage.instance_state()["description"], left(stage)) == ("new", 40 * MINUTE)
    assert writes(stage) == ["PUT", "PATCH"]


def test_lease_is_retried_after_saved_description(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The error names the new description and the old stop time."""
    stage = make_harness(description="old")
    stage.emulator.add_fault("500", methods=("PATCH",))
    with pytest.raises(OutcomeUnknownError) as caught:
        stage._session.update(description="new", auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert "“new”" in caught.value.message
    assert "40 min left" in caught.value.message
    assert (stage.instance_state()["description"], left(stage)) == ("new", 40 * MINUTE)


def test_description_refused_while_running_suggests_what_to_do(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """Nothing changed; after a stop it is accepted."""
    stage = make_harness(description="old", description_put_while_running="refuse")
    with pytest.raises(WrongStateError, match="only while the instance is stopped") as caught:
        stage.run_magic("describe new")
    assert "Stop the instance first" in caught.value.hint
    assert stage.instance_state()["description"] == "old"
    stage.emulator.set_instance(status="STOPPED")
    assert stage.run_magic("describe new").effect is Effect.NOW
    assert stage.instance_state()["description"] == "new"


@pytest.mark.parametrize("patch_off", ["accept", "refuse"])
def test_off_is_not_sent_without_force(
    make_harness: Callable[..., EmulatorHarness], patch_off: str
) -> None:
    """It is refused with alternatives, whatever the API would do."""
    stage = make_harness(patch_off=patch_off)
    with pytest.raises(ModelArtsError) as caught:
        stage.run_magic("auto-stop off")
    assert caught.value.code == "refuse.cannot_disable"
    assert "auto-stop 72h" in caught.value.hint
    assert "auto-stop off --try" in caught.value.hint
    assert writes(stage) == []


def test_forced_off_is_confirmed_by_reading_back(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The API then reports auto-stop as off."""
    stage = make_harness(patch_off="accept")
    change = stage.run_magic("auto-stop off --try")
    assert (change.effect, change.after.auto_stop) == (Effect.NOW, OFF)
    assert (stage.instance_state()["enable"], left(stage)) == (False, None)


def test_refused_off_suggests_alternatives(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The lease is unchanged; the longest run and idle mode are named."""
    stage = make_harness(patch_off="refuse")
    with pytest.raises(RejectedValueError, match="does not allow turning auto-stop off") as caught:
        stage.run_magic("auto-stop off --try")
    assert "auto-stop 72h" in caught.value.hint
    assert "auto-stop idle" in caught.value.hint
    assert writes(stage) == ["PATCH"]
    assert left(stage) == 40 * MINUTE


def test_ignored_off_is_not_confirmed(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The response of the write is no proof."""
    stage = make_harness(patch_off="accept")
    stage.emulator.add_fault("echoed", methods=("PATCH",))
    change = stage.run_magic("auto-stop off --try")
    assert change.effect is Effect.UNCONFIRMED
    assert left(stage) == 40 * MINUTE
