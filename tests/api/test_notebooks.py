"""The current API: what a lease says, what is written, and what a refusal means."""

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
    property_settings,
)
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
    """The 13 digits of a moment."""
    return round(moment.timestamp() * 1000)


def lease(**changes: object) -> dict[str, Any]:
    """A lease made three days ago that ends in 40 minutes; None takes a field away."""
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
    """What ShowNotebook answers."""
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


class Cloud:
    """Answers each method and last word of a path as told, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401 - a response, an error, or a list of both
        self.answers = {"GET": httpx.Response(200, json=notebook()), **answers}
        self.asked: list[tuple[str, str, str, Any]] = []
        self.slept: list[float] = []
        self.transport = ApiClient(
            "http://127.0.0.1:9",
            project_id="p",
            credential=lambda: Token("FAKE-TOKEN"),
            clock=Clock(now=lambda: NOW, sleep=self.slept.append),
            transport=httpx.MockTransport(self._answer),
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
        """Ask for the instance."""
        return self.notebook.read(deadline=Deadline(30))

    def write(self, before: Instance, **edit: Any) -> None:  # noqa: ANN401 - the fields of Edit
        """Send an edit, and forget what was asked before."""
        self.asked.clear()
        self.notebook.write(before, Edit(**edit), deadline=Deadline(30))

    @property
    def sent(self) -> list[str]:
        """What was asked, as METHOD path?query."""
        return [f"{method} {path}?{query}".rstrip("?") for method, path, query, _ in self.asked]


def refusal(status: int, number: str, words: str = "words") -> httpx.Response:
    """An error of the cloud."""
    code = number if "." in number else f"ModelArts.{number}"
    return httpx.Response(status, json={"error_code": code, "error_msg": words})


@pytest.fixture
def make_cloud() -> Iterator[Callable[..., Cloud]]:
    """Make scripted clouds, and close them afterwards."""
    made: list[Cloud] = []

    def make(**answers: object) -> Cloud:
        made.append(Cloud(**answers))
        return made[-1]

    yield make
    for cloud in made:
        cloud.transport.close()


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., EmulatorHarness]]:
    """Make emulators of this API with options, and close them afterwards."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path / str(len(made)), api="notebooks", **options))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


def parse(raw: Any) -> Instance:  # noqa: ANN401 - any JSON
    """Read an answer as given at NOW."""
    backend: Any = NotebooksBackend(None, project_id="p", instance_id=ID)  # type: ignore[arg-type]
    return backend.parse(raw, observed_at=NOW, demo=False)


TIMED = AutoStop(
    enabled=True, duration=DAYS + 40 * MINUTE, duration_start=CREATED, stops_at=NOW + 40 * MINUTE
)
OFF = AutoStop(enabled=False)
UNKNOWN = AutoStop(enabled=True, stop_time_unknown=StopTimeUnknown.MISSING)
"""On, by something that has no end which we know."""


def timed(left: timedelta | None, unknown: StopTimeUnknown | None = None) -> AutoStop:
    """A timed lease; `left` is also what remains if the end is known."""
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
def test_a_lease_says_when_the_run_ends_or_that_it_is_not_known(
    wire: dict[str, Any] | None, meant: AutoStop
) -> None:
    """Nothing that the cloud leaves out is taken for "off", and a past end is no end."""
    assert parse(notebook(lease=wire)).auto_stop == meant


@pytest.mark.parametrize(
    "status", ["STOPPED", "STOPPING", "STARTING", "INIT", "FROZEN", "SOMETHING"]
)
@pytest.mark.parametrize("wire", [lease(), lease(duration=1), lease(type="LUNAR")])
def test_what_does_not_run_has_no_end(status: str, wire: dict[str, Any] | None) -> None:
    """Neither a countdown nor a complaint about one that is missing."""
    stop = parse(notebook(status=status, lease=wire)).auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, None)


@pytest.mark.parametrize("status", ["RUNNING", "STOPPED", "STARTING"])
@pytest.mark.parametrize("wire", [None, {}])
def test_a_lease_that_is_not_there_is_neither_on_nor_off(
    status: str, wire: dict[str, Any] | None
) -> None:
    """Whether it runs or not; the words say so."""
    found = parse(notebook(status=status, lease=wire))
    assert not found.auto_stop.is_known
    assert "Auto-stop: not reported" in instance_lines(found)


def test_without_its_beginning_a_lease_is_no_run_time() -> None:
    """72 h 46 min since nobody knows when is not "72 h 46 min a run"."""
    assert "Auto-stop: on" in instance_lines(parse(notebook(lease=lease(create_at=None))))


def test_a_negative_duration_other_than_the_word_for_off_is_no_off() -> None:
    """The run ends, nobody knows when."""
    stop = parse(notebook(lease=lease(duration=-2))).auto_stop
    assert (stop.enabled, stop.stops_at, stop.stop_time_unknown) == (
        True,
        None,
        StopTimeUnknown.PAST,
    )


def test_an_instance_is_read_whole() -> None:
    """What has no place in the models stays in the raw answer."""
    found = parse(notebook(image={"id": "i"}))
    assert (found.id, found.name, found.description) == (ID, "notebook-instance", "training")
    assert (found.status.value, found.api, found.created_at) == ("RUNNING", "notebooks", CREATED)
    assert found.workspace is not None
    assert (found.workspace.id, found.flavor) == ("0", "modelarts.vm.cpu.2u")
    assert found.raw["image"] == {"id": "i"}


@pytest.mark.parametrize("empty", [None, ""])
def test_what_is_null_is_empty(empty: str | None) -> None:
    """A description or name that nobody gave."""
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
        ({"id": None}, "id"),
        ({"id": 7}, "id"),
        ({"status": None}, "status"),
        ({"status": ""}, "status"),
        ({"status": {}}, "status"),
        ({"description": 1}, "description"),
        ({"name": []}, "name"),
        ({"create_at": "now"}, "create_at"),
        ({"workspace_id": 0.5}, "workspace_id"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_field(
    change: dict[str, Any], field: str
) -> None:
    """A huge number, a wrong type, a mandatory field that is missing."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(notebook(**change))
    assert caught.value.values["field"] == field
    assert f"“{field}”" in caught.value.message


FIELDS = ("id", "name", "description", "status", "lease", "create_at", "flavor", "workspace_id")
LEASE_FIELDS = ("create_at", "duration", "enable", "type", "update_at")


@property_settings
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
def test_any_json_is_an_instance_or_an_answer_that_is_said_to_be_bad(raw: object) -> None:
    """No other error, whatever the cloud sends."""
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
def test_the_instances_own_secret_is_dropped_at_the_door(
    make_cloud: Callable[..., Cloud], change: dict[str, Any]
) -> None:
    """At any depth, as a field or in an address; neither in the raw answer nor in a repr."""
    found = make_cloud(GET=httpx.Response(200, json=notebook(**change))).read()
    assert SECRET not in repr(found) + json.dumps(dict(found.raw))
    assert found.id == ID


def test_a_lease_that_is_not_in_the_answer_is_asked_for(make_cloud: Callable[..., Cloud]) -> None:
    """ShowLease, in the same read; where it is in the answer nothing more is asked."""
    bare = notebook()
    del bare["lease"]
    cloud = make_cloud(
        GET=httpx.Response(200, json=bare), GET_lease=httpx.Response(200, json=lease())
    )
    assert cloud.read().auto_stop == TIMED
    assert cloud.sent == [f"GET {PATH}", f"GET {PATH}/lease"]
    whole = make_cloud()
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
def test_a_lease_that_cannot_be_had_hides_not_the_instance(
    make_cloud: Callable[..., Cloud], answer: httpx.Response
) -> None:
    """It is shown with an end that is not known; a right to see the lease may well be missing."""
    found = make_cloud(GET=httpx.Response(200, json=notebook(lease=None)), GET_lease=answer).read()
    assert found.auto_stop == UNKNOWN_AUTO_STOP


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401, "0202"), AuthenticationError),
        (refusal(429, "6101"), ThrottledError),
        (refusal(500, "0010"), ServerError),
        (httpx.ConnectError("refused"), UnreachableError),
        (httpx.Response(200, json=[]), InvalidResponseError),
    ],
    ids=["401", "429", "500", "unreachable", "bad"],
)
def test_a_failure_that_passes_is_one_of_the_whole_read(
    make_cloud: Callable[..., Cloud], answer: object, error: type[ModelArtsError]
) -> None:
    """It says nothing about the lease, so nothing is said of it."""
    cloud = make_cloud(GET=httpx.Response(200, json=notebook(lease=None)), GET_lease=answer)
    with pytest.raises(error):
        cloud.read()


@pytest.mark.parametrize(
    "answer", [httpx.Response(204), httpx.Response(200, content=b""), httpx.Response(200, json=[])]
)
def test_an_answer_without_an_instance_is_bad(
    make_cloud: Callable[..., Cloud], answer: httpx.Response
) -> None:
    """A 204 or an empty body where the instance should be."""
    with pytest.raises(InvalidResponseError):
        make_cloud(GET=answer).read()


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
def test_only_what_differs_is_written(
    make_cloud: Callable[..., Cloud], edit: dict[str, Any], asked: list[Any], empty: int
) -> None:
    """Description and lease each by its own request; an answer without a body is as good as any."""
    cloud = make_cloud(PUT=httpx.Response(empty), PATCH=httpx.Response(empty))
    cloud.write(cloud.read(), **edit)
    assert cloud.asked == asked


def test_a_lease_is_renewed_by_query_where_the_body_is_of_no_use(
    make_cloud: Callable[..., Cloud],
) -> None:
    """Once, and only after the cloud could not use the payload."""
    cloud = make_cloud(PATCH=[refusal(400, "6400"), httpx.Response(200, json=lease())])
    cloud.write(cloud.read(), auto_stop=TWO_HOURS)
    assert cloud.asked == [
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
def test_what_a_query_would_not_mend_is_not_sent_again(
    make_cloud: Callable[..., Cloud],
    answer: httpx.Response,
    edit: AutoStopEdit,
    error: type[ModelArtsError],
    code: str,
) -> None:
    """A query forces a timed lease, so neither idle nor off may take that way."""
    cloud = make_cloud(PATCH=answer)
    with pytest.raises(error) as caught:
        cloud.write(cloud.read(), auto_stop=edit)
    assert caught.value.code == code
    assert cloud.sent == [f"PATCH {PATH}/lease"]


def test_a_lease_refused_both_ways_is_refused(make_cloud: Callable[..., Cloud]) -> None:
    """The second refusal is the one that is said."""
    cloud = make_cloud(PATCH=[refusal(400, "6400"), refusal(400, "6327")])
    with pytest.raises(WrongStateError):
        cloud.write(cloud.read(), auto_stop=TWO_HOURS)
    assert len(cloud.asked) == 2


RIGHTS = [
    ("PATCH", {"auto_stop": TWO_HOURS}, "modelarts:notebook:updateStopPolicy", "change auto-stop"),
    ("PUT", {"description": "new"}, "modelarts:notebook:update.", "change the description"),
]


@pytest.mark.parametrize("number", ["0108", "9999", "APIGW.0802"])
@pytest.mark.parametrize(("method", "edit", "right", "words"), RIGHTS)
def test_a_right_that_is_missing_is_named(  # noqa: PLR0913 - the columns of a table
    make_cloud: Callable[..., Cloud],
    method: str,
    edit: dict[str, Any],
    right: str,
    words: str,
    number: str,
) -> None:
    """And what still works, since reading worked just before; the cloud's own code stays."""
    cloud = make_cloud(**{method: refusal(403, number)})
    with pytest.raises(ForbiddenError) as caught:
        cloud.write(cloud.read(), **edit)
    assert f"You do not have permission to {words} ({right.rstrip('.')}" in caught.value.message
    assert caught.value.error_code.endswith(number)
    assert caught.value.hint
    assert len(cloud.asked) == 1


def test_the_right_to_stop_is_named_too(make_cloud: Callable[..., Cloud]) -> None:
    """StopNotebook is a right of its own."""
    cloud = make_cloud(POST=refusal(403, "0108"))
    with pytest.raises(
        ForbiddenError, match=r"permission to stop this instance \(modelarts:notebook:stop\)"
    ):
        cloud.notebook.stop(deadline=Deadline(30))
    assert cloud.sent == [f"POST {PATH}/stop"]


@pytest.mark.parametrize("number", ["0206", "0210"])
@pytest.mark.parametrize(("method", "edit"), [row[:2] for row in RIGHTS])
def test_a_403_about_the_key_is_not_taken_for_a_missing_right(
    make_cloud: Callable[..., Cloud], method: str, edit: dict[str, Any], number: str
) -> None:
    """A wrong key or project has its own words."""
    cloud = make_cloud(**{method: refusal(403, number)})
    with pytest.raises(ForbiddenError) as caught:
        cloud.write(cloud.read(), **edit)
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
def test_a_description_that_was_saved_is_said_when_the_lease_was_not(
    make_cloud: Callable[..., Cloud], answer: object, words: str
) -> None:
    """What holds, what does not, and why; the lease surely stayed."""
    cloud = make_cloud(PATCH=answer)
    with pytest.raises(PartialUpdateError) as caught:
        cloud.write(cloud.read(), description="new", auto_stop=TWO_HOURS)
    assert caught.value.message.startswith(
        "The description was saved, but auto-stop was not changed. "
    )
    assert words in caught.value.message
    assert cloud.sent[0] == f"PUT {PATH}"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(500, "0010"), ServerError),
        (httpx.ReadTimeout("slow"), UnreachableError),
        (httpx.Response(200, content=b"<html>"), InvalidResponseError),
    ],
    ids=["500", "no answer", "garbled"],
)
def test_a_lease_whose_fate_is_open_is_not_said_to_be_as_before(
    make_cloud: Callable[..., Cloud], answer: object, error: type[ModelArtsError]
) -> None:
    """It may have been renewed: the session has to look."""
    cloud = make_cloud(PATCH=answer)
    with pytest.raises(error):
        cloud.write(cloud.read(), description="new", auto_stop=TWO_HOURS)


def test_a_description_that_was_refused_leaves_the_lease_alone(
    make_cloud: Callable[..., Cloud],
) -> None:
    """Nothing is half done without need."""
    cloud = make_cloud(PUT=refusal(400, "6400"))
    with pytest.raises(RejectedValueError):
        cloud.write(cloud.read(), description="new", auto_stop=TWO_HOURS)
    assert cloud.sent == [f"PUT {PATH}"]


@pytest.mark.parametrize(
    ("status", "number", "code"),
    [
        ("RUNNING", "6347", "api.description_while_running"),
        ("RUNNING", "6327", "api.description_while_running"),
        ("RUNNING", "6357", "api.400.6357"),
        ("STOPPING", "6347", "api.400.6347"),
    ],
)
def test_a_description_that_waits_for_the_stop_is_told_from_one_that_waits_for_its_turn(
    make_cloud: Callable[..., Cloud], status: str, number: str, code: str
) -> None:
    """That it runs is claimed only of an instance that runs."""
    cloud = make_cloud(
        GET=httpx.Response(200, json=notebook(status=status)), PUT=refusal(400, number)
    )
    with pytest.raises(WrongStateError) as caught:
        cloud.write(cloud.read(), description="new")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], []),
        ([{"id": "a", "name": "one"}, {"id": "b"}], [("one", "a"), ("", "b")]),
    ],
)
def test_the_running_instances_of_a_project_are_listed(
    make_cloud: Callable[..., Cloud], rows: list[dict[str, str]], found: list[tuple[str, str]]
) -> None:
    """By name and id, in one request that asks for running ones only."""
    cloud = make_cloud(GET=httpx.Response(200, json={"data": rows, "total": len(rows)}))
    listed = list_running_instances(cloud.transport, project_id="p", deadline=Deadline(5))
    assert list(listed) == found
    assert cloud.sent == ["GET /v1/p/notebooks?limit=50&status=RUNNING"]


# against the emulator: what it holds afterwards is the truth


def left(stage: EmulatorHarness) -> timedelta | None:
    """What the run has left by the emulator itself."""
    end = stage.instance_state()["stops_at"]
    return None if end is None else datetime.fromisoformat(end) - stage.clock.now()


def writes(stage: EmulatorHarness) -> list[str]:
    """The writes that the emulator received, by method."""
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
def test_one_part_never_touches_the_other(
    make_harness: Callable[..., EmulatorHarness],
    change: dict[str, Any],
    sent: list[str],
    description: str,
    run: timedelta,
) -> None:
    """And "now" is said only because the emulator's own state agrees."""
    stage = make_harness(description="old")
    done = stage._session.update(**change)
    assert done.effect is Effect.NOW
    assert writes(stage) == sent
    assert (stage.instance_state()["description"], left(stage)) == (description, run)


@pytest.mark.parametrize("times", [1, None])
def test_partial_success_is_what_the_cloud_then_holds(
    make_harness: Callable[..., EmulatorHarness], times: int | None
) -> None:
    """The new description with the old end, said in as many words, sent once."""
    stage = make_harness(description="old")
    stage.emulator.add_fault("403", methods=("PATCH",), times=times)
    with pytest.raises(
        PartialUpdateError, match="The description was saved, but auto-stop was not changed\\."
    ):
        stage._session.update(description="new", auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert (stage.instance_state()["description"], left(stage)) == ("new", 40 * MINUTE)
    assert writes(stage) == ["PUT", "PATCH"]


def test_a_lease_that_fails_after_the_description_is_tried_again_and_then_told(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The facts are in the message: the new description, the old end."""
    stage = make_harness(description="old")
    stage.emulator.add_fault("500", methods=("PATCH",))
    with pytest.raises(OutcomeUnknownError) as caught:
        stage._session.update(description="new", auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert "“new”" in caught.value.message
    assert "40 min left" in caught.value.message
    assert (stage.instance_state()["description"], left(stage)) == ("new", 40 * MINUTE)


def test_a_description_refused_while_running_is_said_plainly(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """With what can be done, and nothing changed; stopped, it is taken."""
    stage = make_harness(description="old", description_put_while_running="refuse")
    with pytest.raises(WrongStateError, match="only while the instance is stopped") as caught:
        stage.run_magic("describe new")
    assert "Stop the instance first" in caught.value.hint
    assert stage.instance_state()["description"] == "old"
    stage.emulator.set_instance(status="STOPPED")
    assert stage.run_magic("describe new").effect is Effect.NOW
    assert stage.instance_state()["description"] == "new"


@pytest.mark.parametrize("patch_off", ["accept", "refuse"])
def test_off_is_not_tried_unless_asked_for(
    make_harness: Callable[..., EmulatorHarness], patch_off: str
) -> None:
    """What the API does not document is refused with the alternatives, whatever it would do."""
    stage = make_harness(patch_off=patch_off)
    with pytest.raises(ModelArtsError) as caught:
        stage.run_magic("auto-stop off")
    assert caught.value.code == "refuse.cannot_disable"
    assert "auto-stop 72h" in caught.value.hint
    assert "auto-stop off --try" in caught.value.hint
    assert writes(stage) == []


def test_off_that_was_tried_and_taken_is_confirmed_by_reading_back(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """Said to be off because the cloud says so."""
    stage = make_harness(patch_off="accept")
    change = stage.run_magic("auto-stop off --try")
    assert (change.effect, change.after.auto_stop) == (Effect.NOW, OFF)
    assert (stage.instance_state()["enable"], left(stage)) == (False, None)


def test_off_that_was_tried_and_refused_says_what_else_there_is(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The lease is as before; the longest run and idle mode are named."""
    stage = make_harness(patch_off="refuse")
    with pytest.raises(RejectedValueError, match="does not allow turning auto-stop off") as caught:
        stage.run_magic("auto-stop off --try")
    assert "auto-stop 72h" in caught.value.hint
    assert "auto-stop idle" in caught.value.hint
    assert writes(stage) == ["PATCH"]
    assert left(stage) == 40 * MINUTE


def test_off_that_was_taken_and_not_done_is_not_confirmed(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """An answer that shows the change is no proof: what is read back counts."""
    stage = make_harness(patch_off="accept")
    stage.emulator.add_fault("echoed", methods=("PATCH",))
    change = stage.run_magic("auto-stop off --try")
    assert change.effect is Effect.UNCONFIRMED
    assert left(stage) == 40 * MINUTE
