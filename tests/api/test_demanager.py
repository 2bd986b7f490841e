"""The seed's API: its JSON to models and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from factories import (
    HOUR,
    JSON_VALUES,
    MINUTE,
    NOW,
    auto_stop_json,
    demanager_response,
    make_instance,
    property_settings,
    response_with_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.demanager import CAPABILITIES, DemanagerBackend
from modelarts_magics.domain.clock import Deadline
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import (
    AutoStop,
    AutoStopEdit,
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

SECOND = timedelta(seconds=1)
SEED_EXAMPLE = json.loads((Path(__file__).parent / "seed_example.json").read_text(encoding="utf-8"))
"""The answer in the seed document, to the letter."""


@dataclass
class Recorder:
    """In the place of the transport: notes what it was asked, and answers nothing or an error."""

    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    error: Exception | None = None

    def request(self, method: str, path: str, *, deadline: Deadline, body: Any = None) -> None:  # noqa: ANN401
        """Note the request."""
        del deadline
        self.asked.append((method, path, body))
        if self.error:
            raise self.error


def parse(raw: Any, *, observed_at: datetime = NOW) -> Instance:  # noqa: ANN401 - any JSON
    """The instance that an answer describes."""
    api = DemanagerBackend(Recorder(), project_id="p", instance_id="i")  # type: ignore[arg-type]
    return api.parse(raw, observed_at=observed_at, demo=False)


def sent(before: Instance, edit: Edit) -> dict[str, Any]:
    """The body of the PUT for an edit."""
    recorder = Recorder()
    api = DemanagerBackend(recorder, project_id="p", instance_id="i")  # type: ignore[arg-type]
    api.write(before, edit, deadline=Deadline(1))
    [(method, path, body)] = recorder.asked
    assert (method, path) == ("PUT", "/v1/p/demanager/instances/i")
    json.dumps(body)
    return body


def at(raw: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The answer with another value at a path of names; `...` removes the field."""
    copy = json.loads(json.dumps(raw))
    *above, last = path.split(".")
    place = copy
    for name in above:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


def test_the_seed_s_example_is_understood_whole() -> None:
    """Every field of the published answer is where the tables say."""
    assert parse(SEED_EXAMPLE) == Instance(
        id="6fa459ea-ee8a-3ca4-894e-db77e160355e",
        name="notebook-instance",
        description="machine learning python2.7 notebook",
        status=Status.RUNNING,
        auto_stop=AutoStop(enabled=False, prompt=True),
        api="demanager",
        observed_at=NOW,
        created_at=datetime(2018, 10, 15, 3, 53, 3, 517_000, timezone.utc),
        flavor="modelarts.vm.cpu.2u",
        profile=Profile(
            id="ML-1.0.0-python2.7",
            name="ML-1.0.0-python2.7",
            description="machine learning python2.7 notebook",
            de_type="Notebook",
            provision=Provision(
                type="Docker",
                spec=ProvisionSpec(
                    engine="CCE",
                    params=DockerParams("atelier", "mls_singleuser_python", "4", {}),
                ),
                annotations={},
            ),
            labels={},
        ),
        spec=NotebookSpec(
            storage=Storage("obs", {"path": "obs-bucket/test/"}),
            annotations={
                "url": "https://127.0.0.1:8080/modelarts/internal/hub/notebook/user/"
                "6fa459ea-ee8a-3ca4-894e-db77e160355e"
            },
        ),
        workspace=None,
    )


def test_the_seed_s_example_is_kept_as_it_came() -> None:
    """It holds no secret, so its raw form is the same."""
    assert parse(SEED_EXAMPLE).raw == SEED_EXAMPLE


def test_every_field_of_every_table_is_reached() -> None:
    """Each text and map of a full answer shows up in the instance, not only in its raw form."""
    some = parse(demanager_response())
    shown = repr(some)
    values = {text for text in leaves(demanager_response()) if isinstance(text, str)}
    assert {value for value in values if value not in shown} == {"1539575583517"}
    assert some.created_at is not None
    assert datetime_to_ms(some.created_at) == 1539575583517
    assert some.auto_stop == AutoStop(
        enabled=True,
        duration=2 * HOUR,
        prompt=False,
        stops_at=NOW + HOUR,
        stop_timestamp=NOW + HOUR,
    )
    assert some.auto_stop.remain_time == HOUR
    assert some.workspace == Workspace("0")


def leaves(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    """All values of a JSON that are neither object nor list."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [value]


MAPS = [
    "profile.labels",
    "profile.provision.annotations",
    "profile.provision.spec.params.annotations",
    "spec.annotations",
    "spec.storage.location",
]


@pytest.mark.parametrize("path", MAPS)
@pytest.mark.parametrize("value", ["NULL", None, ..., "", {}])
def test_an_open_map_may_be_empty_in_any_way(path: str, value: object) -> None:
    """The word NULL, null, nothing or an empty object: always an empty map."""
    some = parse(at(demanager_response(), path, value))
    profile, spec = some.profile, some.spec
    assert profile is not None
    assert profile.provision is not None
    assert profile.provision.spec is not None
    assert isinstance(profile.provision.spec.params, DockerParams)
    assert isinstance(spec, NotebookSpec)
    assert spec.storage is not None
    maps = [
        profile.labels,
        profile.provision.annotations,
        profile.provision.spec.params.annotations,
        spec.annotations,
        spec.storage.location,
    ]
    assert [path for path, each in zip(MAPS, maps) if each == {}] == [path]


TEXTS = [
    "name",
    "description",
    "creation_timestamp",
    "flavor",
    "profile.id",
    "profile.name",
    "profile.description",
    "profile.de_type",
    "profile.provision.type",
    "profile.provision.spec.engine",
    "profile.provision.spec.params.namespace",
    "profile.provision.spec.params.image_name",
    "profile.provision.spec.params.image_tag",
    "spec.storage.type",
    "workspace.id",
]
OBJECTS = [
    "profile",
    "profile.provision",
    "profile.provision.spec",
    "profile.provision.spec.params",
    "spec",
    "spec.storage",
    "spec.auto_stop",
    "workspace",
]
STOPS = ["enable", "duration", "prompt", "stop_timestamp", "remain_time"]
OPTIONAL = [*TEXTS, *OBJECTS, *MAPS, *(f"spec.auto_stop.{name}" for name in STOPS)]


@pytest.mark.parametrize("path", OPTIONAL)
@pytest.mark.parametrize("value", [None, ...])
def test_every_optional_field_may_be_absent_or_null(path: str, value: object) -> None:
    """Only id and status are needed; the rest is then not known."""
    assert parse(at(demanager_response(), path, value)).id == demanager_response()["id"]


@pytest.mark.parametrize("path", ["id", "status"])
@pytest.mark.parametrize("value", [None, ..., ""])
def test_id_and_status_must_be_there(path: str, value: object) -> None:
    """Their absence is named."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(at(demanager_response(), path, value))
    assert (caught.value.code, caught.value.values["field"]) == ("response.missing", path)


@pytest.mark.parametrize("path", ["id", "status", *OPTIONAL])
@pytest.mark.parametrize("value", [1.5, ["s3cret"], {"x": "s3cret"}, "s3cret", True, 7])
def test_a_wrong_type_is_named_with_its_whole_path(path: str, value: object) -> None:
    """A value is taken if the tables allow its type; else the error names the field and shows nothing."""
    try:
        parse(at(demanager_response(), path, value))
    except InvalidResponseError as error:
        assert error.values["field"] == path  # noqa: PT017 - a value that fits is no error
        assert "s3cret" not in str(error)  # noqa: PT017
    else:
        text = path in ("id", "status", *TEXTS) and path != "creation_timestamp"
        expected: tuple[type, ...] = (str,) if text else (dict,)
        expected = (bool,) if path.endswith((".enable", ".prompt")) else expected
        number = path.endswith((".duration", ".stop_timestamp", ".remain_time"))
        assert type(value) in ((int,) if number else expected)


@pytest.mark.parametrize("value", ["15395755835.17", "-1539575583517", "١٥٣٩", "soon", " 1"])
def test_a_creation_timestamp_is_digits(value: str) -> None:
    """A string, as the seed has it, of nothing else."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(demanager_response(creation_timestamp=value))
    assert caught.value.values["field"] == "creation_timestamp"


@pytest.mark.parametrize("value", ["9" * 15, "9" * 30, "9" * 5000])
def test_a_creation_timestamp_is_of_our_time(value: str) -> None:
    """A moment that no calendar has is an error that names the field."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(demanager_response(creation_timestamp=value))
    assert (caught.value.code, caught.value.values["field"]) == (
        "response.range",
        "creation_timestamp",
    )


@pytest.mark.parametrize("name", ["duration", "stop_timestamp", "remain_time"])
@pytest.mark.parametrize("value", [10**16, -(10**16), 10**400, 253_402_300_799_000])
def test_an_impossible_number_of_auto_stop_is_named(name: str, value: int) -> None:
    """It neither crashes nor becomes a date."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(response_with_auto_stop(**{name: value}))
    assert caught.value.values == {"field": f"spec.auto_stop.{name}"}


def test_what_is_not_of_the_seed_s_types_stays_as_it_came() -> None:
    """Table 9 is for Docker and table 10 for Notebook; anything else has no documented shape."""
    other = at(demanager_response(), "profile.provision.type", "Other")
    some = parse(at(other, "profile.de_type", "VSCode"))
    assert some.profile is not None
    assert some.profile.provision is not None
    assert some.profile.provision.spec is not None
    params = demanager_response()["profile"]["provision"]["spec"]["params"]
    assert some.profile.provision.spec.params == params
    assert some.spec == demanager_response()["spec"]
    assert some.auto_stop.enabled


def test_unknown_fields_are_kept_raw() -> None:
    """Later editions add some; they are neither an error nor lost."""
    some = parse(demanager_response(queuing_info={"remain_time": 7}, ai_project={"id": "x"}))
    assert some.raw["queuing_info"] == {"remain_time": 7}
    assert some == parse(demanager_response())


def test_a_queue_s_wait_is_not_auto_stop() -> None:
    """`queuing_info.remain_time` has the name of another thing."""
    raw = demanager_response(status="CREATE_QUEUING", queuing_info={"remain_time": 7})
    assert parse(raw).auto_stop.remain_time == HOUR


def test_an_unknown_status_is_kept() -> None:
    """A word of a later edition is no error, and claims no run."""
    some = parse(demanager_response(status="HIBERNATING"))
    assert (some.status.name, some.status.value) == ("UNKNOWN", "HIBERNATING")
    assert some.auto_stop.stops_at is None


@pytest.mark.parametrize(
    ("changes", "left", "unknown"),
    [
        ({}, HOUR, None),
        ({"remain_time": None}, HOUR, None),
        ({"stop_timestamp": None}, HOUR, None),
        ({"stop_timestamp": 0}, HOUR, None),
        ({"remain_time": 3540}, HOUR, None),
        ({"remain_time": 3660}, HOUR, None),
        ({"remain_time": 3539}, None, StopTimeUnknown.INCONSISTENT),
        ({"remain_time": 3661}, None, StopTimeUnknown.INCONSISTENT),
        ({"remain_time": 0}, None, StopTimeUnknown.INCONSISTENT),
        ({"remain_time": None, "stop_timestamp": None}, None, StopTimeUnknown.MISSING),
        ({"remain_time": None, "stop_timestamp": 0}, None, StopTimeUnknown.MISSING),
        (
            {"remain_time": None, "stop_timestamp": datetime_to_ms(NOW - HOUR)},
            None,
            StopTimeUnknown.PAST,
        ),
        ({"remain_time": -3600, "stop_timestamp": None}, None, StopTimeUnknown.PAST),
        (
            {"remain_time": -3600, "stop_timestamp": datetime_to_ms(NOW - HOUR)},
            None,
            StopTimeUnknown.PAST,
        ),
        ({"remain_time": 0, "stop_timestamp": datetime_to_ms(NOW - MINUTE)}, -MINUTE, None),
        (
            {"remain_time": None, "stop_timestamp": datetime_to_ms(NOW - MINUTE - SECOND)},
            None,
            StopTimeUnknown.PAST,
        ),
        ({"remain_time": 30, "stop_timestamp": None}, 30 * SECOND, None),
        ({"remain_time": 0, "stop_timestamp": None}, timedelta(0), None),
        (
            {"remain_time": None, "stop_timestamp": datetime_to_ms(NOW) // 1000},
            None,
            StopTimeUnknown.PAST,
        ),
        (
            {"remain_time": 3600, "stop_timestamp": datetime_to_ms(NOW + HOUR) // 1000},
            None,
            StopTimeUnknown.INCONSISTENT,
        ),
    ],
)
def test_the_end_is_what_both_statements_agree_on(
    changes: dict[str, Any], left: timedelta | None, unknown: StopTimeUnknown | None
) -> None:
    """The stop timestamp, else the time left from now; if they disagree or are past, it is unknown."""
    stop = parse(response_with_auto_stop(**changes)).auto_stop
    assert stop.stops_at == (None if left is None else NOW + left)
    assert stop.stop_time_unknown is unknown
    assert stop.enabled


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (response_with_auto_stop(enable=False), "off, with numbers left over"),
        (at(demanager_response(), "status", "STOPPED"), "not running"),
        (at(demanager_response(), "status", "STARTING"), "not yet running"),
        (
            at(demanager_response(), "spec.auto_stop", {"enable": False, "prompt": True}),
            "off, as the seed says",
        ),
    ],
)
def test_there_is_no_end_without_a_run_that_has_one(raw: dict[str, Any], why: str) -> None:
    """And it is then not called unknown."""
    stop = parse(raw).auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, None), why


@pytest.mark.parametrize("missing", ["spec", "spec.auto_stop"])
def test_what_the_cloud_does_not_state_is_not_taken_for_off(missing: str) -> None:
    """Neither on nor off was said, so nothing is claimed."""
    stop = parse(at(demanager_response(), missing, ...)).auto_stop
    assert not stop.is_known
    assert (stop.stops_at, stop.stop_time_unknown) == (None, StopTimeUnknown.MISSING)


def test_the_time_left_counts_from_the_cloud_s_now() -> None:
    """The same answer seen later means a later end, where only the time left is given."""
    raw = response_with_auto_stop(stop_timestamp=None)
    assert parse(raw, observed_at=NOW + HOUR).auto_stop.stops_at == NOW + 2 * HOUR


@pytest.mark.parametrize("description", [None, ..., ""])
def test_no_description_is_an_empty_one(description: object) -> None:
    """So that it can be sent back, as the seed demands."""
    assert parse(at(demanager_response(), "description", description)).description == ""


@pytest.mark.parametrize("where", ["", "profile", "profile.labels", "spec.annotations", *OBJECTS])
def test_a_token_goes_nowhere_from_any_depth(where: str) -> None:
    """Neither into a field nor into the raw form, under any object of the answer."""
    raw = at(demanager_response(), f"{where}.token".lstrip("."), "s3cret")
    raw = at(raw, "spec.annotations.url", "https://h/lab?token=s3cret")
    raw = at(raw, "extra", {"deep": [{"auth_token": "s3cret"}]})
    some = parse(raw)
    assert "s3cret" not in f"{some!r} {json.dumps(some.raw)}"
    assert isinstance(some.spec, NotebookSpec)
    assert some.spec.annotations["url"] == "https://h/lab"


def test_no_token_shows_where_the_shape_is_not_documented() -> None:
    """Also in parts that are kept as they came."""
    raw = at(demanager_response(), "profile.de_type", "VSCode")
    raw = at(raw, "profile.provision.type", "Other")
    raw = at(raw, "profile.provision.spec.params.token", "s3cret")
    assert "s3cret" not in repr(parse(at(raw, "spec.token", "s3cret")))


@pytest.mark.parametrize("text", ["ask? token=5", "see https://h/x?token=mine", "a&b <c>"])
def test_a_description_is_never_cleaned(text: str) -> None:
    """It is the person's own, and travels with every change."""
    some = parse(demanager_response(description=text))
    assert some.description == text
    assert sent(some, Edit(auto_stop=AutoStopEdit(enabled=False)))["description"] == text


@pytest.mark.parametrize(
    "raw", [SEED_EXAMPLE, demanager_response(token="s3cret", description="x? token=1")]
)
def test_what_is_stored_reads_as_it_did_fresh(raw: dict[str, Any]) -> None:
    """The raw form is enough to make the same instance of."""
    some = parse(raw)
    again = parse(json.loads(json.dumps(some.raw)))
    assert again == some
    assert again.raw == some.raw


@pytest.mark.parametrize(
    ("edit", "body"),
    [
        (Edit(description="new"), {"description": "new"}),
        (Edit(description=""), {"description": ""}),
        (
            Edit(auto_stop=AutoStopEdit(enabled=True, duration=HOUR, prompt=False)),
            {
                "description": "training",
                "spec": {"auto_stop": {"enable": True, "duration": 3600, "prompt": False}},
            },
        ),
        (
            Edit(auto_stop=AutoStopEdit(enabled=False, prompt=True)),
            {"description": "training", "spec": {"auto_stop": {"enable": False, "prompt": True}}},
        ),
        (
            Edit(description="new", auto_stop=AutoStopEdit(enabled=True, duration=24 * HOUR)),
            {"description": "new", "spec": {"auto_stop": {"enable": True, "duration": 86400}}},
        ),
        (Edit(), {"description": "training"}),
    ],
)
def test_a_write_is_whole(edit: Edit, body: dict[str, Any]) -> None:
    """The description always travels, enable is always said, and nothing the cloud computes is sent."""
    assert sent(make_instance(), edit) == body


def test_ids_are_quoted_into_the_path() -> None:
    """An id can never leave its place in the address."""
    recorder = Recorder()
    api = DemanagerBackend(recorder, project_id="p?q", instance_id="i#j")  # type: ignore[arg-type]
    api.write(make_instance(), Edit(description=""), deadline=Deadline(1))
    assert recorder.asked[0][1] == "/v1/p%3Fq/demanager/instances/i%23j"


@property_settings
@given(
    st.booleans(),
    st.integers(3600, 86400),
    st.booleans(),
    st.text(max_size=30),
    st.timedeltas(timedelta(0), 23 * HOUR),
)
def test_what_is_written_reads_back(
    enabled: bool, duration_s: int, prompt: bool, description: str, left: timedelta
) -> None:
    """A cloud that keeps what it is sent gives the same description, duration and wish back."""
    duration = timedelta(seconds=duration_s) if enabled else None
    edit = AutoStopEdit(enabled=enabled, duration=duration, prompt=prompt)
    body = json.loads(json.dumps(sent(make_instance(), Edit(description, edit))))
    ends = datetime_to_ms(NOW + left)
    stop = {**body["spec"]["auto_stop"], "stop_timestamp": ends}
    back = parse(demanager_response(description=body["description"], spec={"auto_stop": stop}))
    assert back.description == description
    kept = (back.auto_stop.enabled, back.auto_stop.duration, back.auto_stop.prompt)
    assert kept == (enabled, duration, prompt)
    assert (back.auto_stop.stops_at is not None) == enabled


@property_settings
@given(JSON_VALUES)
def test_no_json_crashes(raw: Any) -> None:  # noqa: ANN401 - any JSON
    """Anything that is not an instance is a InvalidResponseError of one line that names a field."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(raw)
    assert caught.value.values["field"]
    assert len(caught.value.message.splitlines()) == 1


@property_settings
@given(st.sampled_from(["id", "status", *OPTIONAL]), JSON_VALUES | st.integers())
def test_no_field_crashes(path: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Any JSON in any place gives an instance, or a InvalidResponseError that names that place."""
    try:
        some = parse(at(demanager_response(), path, value))
    except InvalidResponseError as error:
        assert error.values["field"].startswith((path, "the response"))  # noqa: PT017 - or no error
        return
    assert str(some.status.value)
    for moment in (some.created_at, some.auto_stop.stops_at, some.auto_stop.stop_timestamp):
        for offset in (-12, 14):
            assert moment is None or moment.astimezone(timezone(timedelta(hours=offset)))


@property_settings
@given(
    st.dictionaries(st.sampled_from([*STOPS, "other"]), st.integers() | st.booleans() | st.none())
)
def test_no_auto_stop_crashes(stop: dict[str, Any]) -> None:
    """Any numbers together either agree on an end near now or later, or there is none."""
    try:
        found = parse(at(demanager_response(), "spec.auto_stop", stop)).auto_stop
    except InvalidResponseError as error:
        assert error.values["field"].startswith("spec.auto_stop.")  # noqa: PT017 - or no error
        return
    assert found.stops_at is None or (found.enabled and found.stops_at >= NOW - MINUTE)
    assert found.enabled == (stop.get("enable") is True)


def test_what_the_api_can_do_is_the_seed_s_table_4() -> None:
    """An hour to a day, from the start of the run, kept; off and reminding, but no idle mode."""
    assert (CAPABILITIES.min_duration, CAPABILITIES.max_duration) == (HOUR, 24 * HOUR)
    assert CAPABILITIES.counts_from is CountsFrom.RUN_START
    assert CAPABILITIES.can_disable
    assert CAPABILITIES.supports_reminder
    assert CAPABILITIES.persists_duration
    assert not CAPABILITIES.supports_idle
    assert auto_stop_json()["duration"] == 7200


def refused(number: str) -> DemanagerBackend:
    """An API whose every request ends in a 403 with that code."""
    recorder = Recorder(error=ForbiddenError(f"api.403.{number}", status=403, request_id="r-1"))
    return DemanagerBackend(recorder, project_id="p", instance_id="i")  # type: ignore[arg-type]


def test_a_right_that_is_missing_says_what_still_works() -> None:
    """Who cannot change or stop the instance can read it."""
    api = refused("0108")
    with pytest.raises(ForbiddenError, match="You do not have permission to change") as put:
        api.write(make_instance(), Edit(description="new"), deadline=Deadline(1))
    with pytest.raises(ForbiddenError, match="You do not have permission to stop") as post:
        api.stop(deadline=Deadline(1))
    for error in (put.value, post.value):
        assert error.request_id == "r-1"
        assert error.hint.startswith("Nothing was changed.")


@pytest.mark.parametrize("number", ["0206", "0210"])
def test_a_403_about_the_key_is_not_taken_for_a_missing_right(number: str) -> None:
    """It is said as it is."""
    with pytest.raises(ForbiddenError) as caught:
        refused(number).stop(deadline=Deadline(1))
    assert caught.value.code == f"api.403.{number}"
