"""The historical API: its JSON to models and back."""

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
    auto_stop_edit,
    auto_stop_json,
    demanager_response,
    make_instance,
    response_with_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.demanager import CAPABILITIES, DemanagerBackend
from modelarts_magics.domain.clock import Deadline
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import (
    UNKNOWN_AUTO_STOP,
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
from modelarts_magics.errors import ForbiddenError, InvalidResponseError, RefusedError

SECOND = timedelta(seconds=1)
SEED_EXAMPLE = json.loads((Path(__file__).parent / "seed_example.json").read_text(encoding="utf-8"))
"""The response in the seed document, unchanged."""


@dataclass
class Recorder:
    """Replaces the client; records the requests, and returns nothing or raises an error."""

    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    error: Exception | None = None

    def request(self, method: str, path: str, *, deadline: Deadline, body: Any = None) -> None:  # noqa: ANN401
        """Record the request."""
        del deadline
        self.asked.append((method, path, body))
        if self.error:
            raise self.error


def parse(raw: Any, *, observed_at: datetime = NOW) -> Instance:  # noqa: ANN401 - any JSON
    """Parse a response."""
    api = DemanagerBackend(Recorder(), project_id="p", instance_id="i")  # type: ignore[arg-type]
    return api.parse(raw, observed_at=observed_at, demo=False)


def sent(before: Instance, edit: Edit) -> dict[str, Any]:
    """Return the body of the PUT for an edit."""
    recorder = Recorder()
    api = DemanagerBackend(recorder, project_id="p", instance_id="i")  # type: ignore[arg-type]
    api.write(before, edit, deadline=Deadline(1))
    [(method, path, body)] = recorder.asked
    assert (method, path) == ("PUT", "/v1/p/demanager/instances/i")
    json.dumps(body)
    return body


def at(raw: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return the response with another value at a path of names; `...` removes the field."""
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


def test_documented_example_is_parsed_completely() -> None:
    """Every field of the published response is parsed."""
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


def test_instance_can_be_a_key() -> None:
    """Two readings of the same state are one key, with all their free-form fields."""
    assert len({parse(SEED_EXAMPLE), parse(SEED_EXAMPLE)}) == 1


def test_documented_example_is_kept_raw() -> None:
    """It has no secret, so the raw form is unchanged."""
    assert parse(SEED_EXAMPLE).raw == SEED_EXAMPLE


def test_every_documented_field_is_parsed() -> None:
    """Each text and map of a full response is in the instance, not only in its raw form."""
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
    """Yield all values of a JSON that are neither object nor list."""
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
def test_empty_maps_are_equal(path: str, value: object) -> None:
    """The word NULL, null, an absent field and an empty object are all an empty map."""
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
def test_optional_fields_may_be_absent_or_null(path: str, value: object) -> None:
    """Only ID and status are mandatory."""
    assert parse(at(demanager_response(), path, value)).id == demanager_response()["id"]


@pytest.mark.parametrize("path", ["id", "status"])
@pytest.mark.parametrize("value", [None, ..., ""])
def test_id_and_status_are_mandatory(path: str, value: object) -> None:
    """The error names the missing field."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(at(demanager_response(), path, value))
    assert (caught.value.code, caught.value.values["field"]) == ("response.missing", path)


@pytest.mark.parametrize("path", ["status", *OPTIONAL])
@pytest.mark.parametrize("value", [1.5, ["text"], {"x": "text"}, "text", True, -7])
def test_wrong_type_makes_only_that_field_unknown(path: str, value: object) -> None:
    """The instance is parsed, and has the value as the API returned it."""
    some = parse(at(demanager_response(), path, value))
    text = path in ("status", *TEXTS) and path != "creation_timestamp"
    expected: tuple[type, ...] = (str,) if text else (dict,)
    expected = (bool,) if path.endswith((".enable", ".prompt")) else expected
    number = path.endswith((".duration", ".stop_timestamp", ".remain_time"))
    fits = type(value) in expected and not number and path != "creation_timestamp"
    assert dict(some.implausible) == ({} if fits else {path: value})
    assert some.name or path == "name"
    assert some.description == "training" or path == "description"


def test_id_of_another_type_is_an_error() -> None:
    """Without an ID it is no instance."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(demanager_response(id=7))
    assert caught.value.values["field"] == "id"


@pytest.mark.parametrize(
    "value",
    ["15395755835.17", "-1539575583517", "١٥٣٩", "soon", " 1", "9" * 15, "9" * 30, "9" * 5000, "1"],
)
def test_implausible_creation_timestamp_is_unknown(value: str) -> None:
    """It is a string of digits, as documented, and a time in milliseconds."""
    some = parse(demanager_response(creation_timestamp=value))
    assert some.created_at is None
    assert some.implausible == {"creation_timestamp": value}


ODD_NUMBERS = [-1, -3600, 10**16, 10**400, 3_600_000, "3600", 3600.0, 3600.5, True, "soon", [1]]


@pytest.mark.parametrize("name", ["duration", "remain_time"])
@pytest.mark.parametrize("value", ODD_NUMBERS, ids=str)
def test_implausible_duration_leaves_the_stop_time(name: str, value: object) -> None:
    """It follows from stop_timestamp."""
    some = parse(response_with_auto_stop(**{name: value}))
    assert some.implausible == {f"spec.auto_stop.{name}": value}
    assert getattr(some.auto_stop, name) is None
    assert some.auto_stop.stops_at == NOW + HOUR


@pytest.mark.parametrize("value", [*ODD_NUMBERS, 1_795_427_520], ids=str)
def test_implausible_stop_timestamp_is_not_used(value: object) -> None:
    """The stop time follows from remain_time, or is unknown."""
    some = parse(response_with_auto_stop(stop_timestamp=value))
    assert some.implausible == {"spec.auto_stop.stop_timestamp": value}
    assert some.auto_stop.stops_at == NOW + HOUR
    alone = parse(response_with_auto_stop(stop_timestamp=value, remain_time=None)).auto_stop
    unknown = (None, StopTimeUnknown.IMPLAUSIBLE)
    assert (alone.stops_at, alone.stop_time_unknown) == unknown


@pytest.mark.parametrize("days", [5, 400, 20_000])
def test_stop_time_beyond_every_run_is_unknown(days: int) -> None:
    """No run is that long."""
    far = datetime_to_ms(NOW + timedelta(days=days))
    found = parse(response_with_auto_stop(stop_timestamp=far, remain_time=None)).auto_stop
    assert (found.stops_at, found.stop_time_unknown) == (None, StopTimeUnknown.IMPLAUSIBLE)


@pytest.mark.parametrize("value", [1, "true", "off", [], {}])
def test_implausible_switch_is_neither_on_nor_off(value: object) -> None:
    """Auto-stop is not reported as off."""
    assert parse(response_with_auto_stop(enable=value)).auto_stop == UNKNOWN_AUTO_STOP


def test_unreadable_description_is_not_overwritten() -> None:
    """A change of auto-stop would have to send it along."""
    recorder = Recorder()
    api = DemanagerBackend(recorder, project_id="p", instance_id="i")  # type: ignore[arg-type]
    before = parse(demanager_response(description={"text": "mine"}))
    with pytest.raises(RefusedError):
        api.write(before, auto_stop_edit(HOUR), deadline=Deadline(1))
    assert not recorder.asked
    api.write(before, Edit(description="new"), deadline=Deadline(1))
    assert len(recorder.asked) == 1


def test_undocumented_types_are_kept_raw() -> None:
    """Table 9 is for Docker and table 10 for Notebook."""
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
    """Later editions add fields; they are neither errors nor lost."""
    some = parse(demanager_response(queuing_info={"remain_time": 7}, ai_project={"id": "x"}))
    assert some.raw["queuing_info"] == {"remain_time": 7}
    assert some == parse(demanager_response())


def test_queuing_info_is_not_auto_stop() -> None:
    """`queuing_info.remain_time` has another meaning."""
    raw = demanager_response(status="CREATE_QUEUING", queuing_info={"remain_time": 7})
    assert parse(raw).auto_stop.remain_time == HOUR


def test_unknown_status_is_kept() -> None:
    """It is no error, and the instance does not count as running."""
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
        ({"remain_time": -3600, "stop_timestamp": None}, None, StopTimeUnknown.IMPLAUSIBLE),
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
            StopTimeUnknown.IMPLAUSIBLE,
        ),
        ({"remain_time": 3600, "stop_timestamp": datetime_to_ms(NOW + HOUR) // 1000}, HOUR, None),
    ],
)
def test_stop_time_needs_consistent_fields(
    changes: dict[str, Any], left: timedelta | None, unknown: StopTimeUnknown | None
) -> None:
    """It is the stop timestamp, else now plus the time left; if both disagree or have passed, it is unknown."""
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
def test_no_stop_time_without_an_active_auto_stop(raw: dict[str, Any], why: str) -> None:
    """It is then not reported as unknown."""
    stop = parse(raw).auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, None), why


@pytest.mark.parametrize("missing", ["spec", "spec.auto_stop"])
def test_missing_auto_stop_is_unknown(missing: str) -> None:
    """It is neither on nor off."""
    stop = parse(at(demanager_response(), missing, ...)).auto_stop
    assert not stop.is_known
    assert (stop.stops_at, stop.stop_time_unknown) == (None, StopTimeUnknown.MISSING)


def test_time_left_counts_from_the_response() -> None:
    """If only the time left is returned, a later response means a later stop time."""
    raw = response_with_auto_stop(stop_timestamp=None)
    assert parse(raw, observed_at=NOW + HOUR).auto_stop.stops_at == NOW + 2 * HOUR


@pytest.mark.parametrize("description", [None, ..., ""])
def test_missing_description_is_empty(description: object) -> None:
    """It can be sent back, as the API demands."""
    assert parse(at(demanager_response(), "description", description)).description == ""


@pytest.mark.parametrize("where", ["", "profile", "profile.labels", "spec.annotations", *OBJECTS])
def test_token_is_removed_at_any_depth(where: str) -> None:
    """Neither a field nor the raw form contains it."""
    raw = at(demanager_response(), f"{where}.token".lstrip("."), "s3cret")
    raw = at(raw, "spec.annotations.url", "https://h/lab?token=s3cret")
    raw = at(raw, "extra", {"deep": [{"auth_token": "s3cret"}]})
    some = parse(raw)
    assert "s3cret" not in f"{some!r} {json.dumps(some.raw)}"
    assert isinstance(some.spec, NotebookSpec)
    assert some.spec.annotations["url"] == "https://h/lab"


def test_token_is_removed_from_undocumented_parts() -> None:
    """Also from parts that are kept raw."""
    raw = at(demanager_response(), "profile.de_type", "VSCode")
    raw = at(raw, "profile.provision.type", "Other")
    raw = at(raw, "profile.provision.spec.params.token", "s3cret")
    assert "s3cret" not in repr(parse(at(raw, "spec.token", "s3cret")))


@pytest.mark.parametrize("text", ["ask? token=5", "see https://h/x?token=mine", "a&b <c>"])
def test_description_is_never_redacted(text: str) -> None:
    """It is the text of the user and is sent back with every change."""
    some = parse(demanager_response(description=text))
    assert some.description == text
    assert sent(some, Edit(auto_stop=AutoStopEdit(enabled=False)))["description"] == text


@pytest.mark.parametrize(
    "raw", [SEED_EXAMPLE, demanager_response(token="s3cret", description="x? token=1")]
)
def test_raw_response_parses_to_an_equal_instance(raw: dict[str, Any]) -> None:
    """The state file holds enough to restore the instance."""
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
def test_write_sends_all_mandatory_fields(edit: Edit, body: dict[str, Any]) -> None:
    """Description and enable are always sent, computed fields never."""
    assert sent(make_instance(), edit) == body


def test_ids_are_quoted_in_the_path() -> None:
    """An ID cannot change the path."""
    recorder = Recorder()
    api = DemanagerBackend(recorder, project_id="p?q", instance_id="i#j")  # type: ignore[arg-type]
    api.write(make_instance(), Edit(description=""), deadline=Deadline(1))
    assert recorder.asked[0][1] == "/v1/p%3Fq/demanager/instances/i%23j"


@given(
    st.booleans(),
    st.integers(3600, 86400),
    st.booleans(),
    st.text(max_size=30),
    st.timedeltas(timedelta(0), 23 * HOUR),
)
def test_written_values_are_read_back(
    enabled: bool, duration_s: int, prompt: bool, description: str, left: timedelta
) -> None:
    """Description, duration and reminder are preserved by an API that stores them."""
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


@given(JSON_VALUES)
def test_any_json_is_an_instance_or_an_error(raw: Any) -> None:  # noqa: ANN401 - any JSON
    """The error has one line and names a field."""
    with pytest.raises(InvalidResponseError) as caught:
        parse(raw)
    assert caught.value.values["field"]
    assert len(caught.value.message.splitlines()) == 1


@given(st.sampled_from(["id", "status", *OPTIONAL]), JSON_VALUES | st.integers())
def test_any_field_value_is_parsed_or_an_error(path: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Only ID and status can make it an error, which names the field."""
    try:
        some = parse(at(demanager_response(), path, value))
    except InvalidResponseError as error:
        assert path in ("id", "status")
        assert error.values["field"].startswith((path, "the response"))  # noqa: PT017 - or no error
        return
    assert str(some.status.value)
    for moment in (some.created_at, some.auto_stop.stops_at, some.auto_stop.stop_timestamp):
        for offset in (-12, 14):
            assert moment is None or moment.astimezone(timezone(timedelta(hours=offset)))


@given(
    st.dictionaries(st.sampled_from([*STOPS, "other"]), st.integers() | st.booleans() | st.none())
)
def test_any_auto_stop_numbers_are_consistent_or_unknown(stop: dict[str, Any]) -> None:
    """A stop time is near now or later, or unknown."""
    found = parse(at(demanager_response(), "spec.auto_stop", stop)).auto_stop
    assert found.stops_at is None or (found.enabled and found.stops_at >= NOW - MINUTE)
    assert found.enabled == (stop.get("enable") is True)


def test_capabilities_follow_the_documentation() -> None:
    """One hour to one day from the start of the run, stored; off and reminder, but no idle mode."""
    assert (CAPABILITIES.min_duration, CAPABILITIES.max_duration) == (HOUR, 24 * HOUR)
    assert CAPABILITIES.counts_from is CountsFrom.RUN_START
    assert CAPABILITIES.can_disable
    assert CAPABILITIES.supports_reminder
    assert CAPABILITIES.persists_duration
    assert not CAPABILITIES.supports_idle
    assert auto_stop_json()["duration"] == 7200


def refused(number: str) -> DemanagerBackend:
    """Return an API whose requests all fail with 403 and this code."""
    recorder = Recorder(error=ForbiddenError(f"cloud.403.{number}", status=403, request_id="r-1"))
    return DemanagerBackend(recorder, project_id="p", instance_id="i")  # type: ignore[arg-type]


def test_missing_permission_is_named() -> None:
    """Without permission to change or stop, reading still works."""
    api = refused("0108")
    with pytest.raises(ForbiddenError, match="You do not have permission to change") as put:
        api.write(make_instance(), Edit(description="new"), deadline=Deadline(1))
    with pytest.raises(ForbiddenError, match="You do not have permission to stop") as post:
        api.stop(deadline=Deadline(1))
    for error in (put.value, post.value):
        assert error.request_id == "r-1"
        assert error.hint.startswith("Nothing was changed.")


@pytest.mark.parametrize("number", ["0206", "0210"])
def test_403_for_the_key_is_not_a_missing_permission(number: str) -> None:
    """The error is raised unchanged."""
    with pytest.raises(ForbiddenError) as caught:
        refused(number).stop(deadline=Deadline(1))
    assert caught.value.code == f"cloud.403.{number}"
