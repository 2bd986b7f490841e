"""Rules of the historical API in both editions."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelarts_magics.emulator import errors, validation
from modelarts_magics.emulator.clock import to_ms
from modelarts_magics.emulator.errors import EmulatedApiError

if TYPE_CHECKING:
    import httpx
    from conftest import EmulatorClient

    ErrorOf = Callable[[httpx.Response], tuple[int, str]]
    MakeClient = Callable[..., EmulatorClient]

EDITIONS = pytest.mark.parametrize("edition", ["2019", "2021"])


def test_instance_has_all_published_fields(client: EmulatorClient) -> None:
    """The instance has the fields of tables 5 to 12 with the published types."""
    shown = client.request("GET", client.instance_path).json()
    assert set(shown) == {
        *("id", "name", "description", "status", "creation_timestamp"),
        *("profile", "flavor", "spec", "workspace"),
    }
    assert shown["creation_timestamp"] == str(to_ms(client.clock.now() - timedelta(days=3)))
    assert set(shown["profile"]) == {
        *("id", "name", "description", "de_type", "provision", "labels"),
    }
    provision = shown["profile"]["provision"]
    assert set(provision) == {"type", "spec", "annotations"}
    assert set(provision["spec"]["params"]) == {
        *("namespace", "image_name", "image_tag", "annotations"),
    }
    assert set(shown["spec"]) == {"storage", "auto_stop", "annotations"}
    assert shown["workspace"] == {"id": "0"}


def test_instance_starts_with_forty_minutes_left(client: EmulatorClient) -> None:
    """The instance has 40 minutes left of a run time of one hour."""
    stop = to_ms(client.clock.now() + timedelta(minutes=40))
    assert client.auto_stop() == {
        "enable": True,
        "duration": 3600,
        "prompt": True,
        "stop_timestamp": stop,
        "remain_time": 2400,
    }


def test_disabled_auto_stop_has_two_fields(client: EmulatorClient) -> None:
    """A disabled auto-stop has only `enable` and `prompt`, and the instance does not stop."""
    assert client.put_auto_stop(enable=False).json()["spec"]["auto_stop"] == {
        "enable": False,
        "prompt": True,
    }
    client.advance(days=2)
    assert client.request("GET", client.instance_path).json()["status"] == "RUNNING"


def test_enable_defaults_to_false_and_prompt_to_true(client: EmulatorClient) -> None:
    """A request without `enable` disables auto-stop."""
    client.put_auto_stop(enable=True, duration=3600, prompt=False)
    assert client.auto_stop()["prompt"] is False
    client.put_auto_stop(duration=3600)
    assert client.auto_stop() == {"enable": False, "prompt": True}


REFUSED_BODIES: list[tuple[Any, str]] = [
    ({"description": 1}, "6332"),
    ({"description": None}, "6332"),
    ({"description": "x" * 513}, "6336"),
    ({"description": "\U0001f600" * 513}, "6336"),
    *(({"description": f"a{letter}b"}, "6334") for letter in "&<>\"'/"),
    ({"description": "d", "spec": None}, "6332"),
    ({"description": "d", "spec": []}, "6332"),
    ({"description": "d", "name": "n"}, "6336"),
    ({"description": "d", "spec": {"storage": {}}}, "6336"),
    ({"description": "d", "spec": {"auto_stop": None}}, "6332"),
    ({"description": "d", "spec": {"auto_stop": True}}, "6332"),
]
REFUSED_AUTO_STOPS: list[tuple[dict[str, Any], str]] = [
    ({"enable": 1, "duration": 3600}, "6332"),
    ({"enable": "true", "duration": 3600}, "6332"),
    ({"enable": None, "duration": 3600}, "6332"),
    ({"enable": True}, "6348"),
    ({"enable": True, "duration": "3600"}, "6332"),
    ({"enable": True, "duration": 3600.0}, "6332"),
    ({"enable": True, "duration": True}, "6332"),
    ({"enable": True, "duration": None}, "6332"),
    ({"enable": True, "duration": 3599}, "6349"),
    ({"enable": True, "duration": 86401}, "6349"),
    ({"enable": True, "duration": -1}, "6349"),
    ({"enable": False, "duration": 0}, "6349"),
    ({"enable": True, "duration": 3600, "prompt": 0}, "6332"),
    ({"enable": True, "duration": 3600, "stop_timestamp": 1795449220556}, "6336"),
    ({"enable": True, "duration": 3600, "remain_time": 10}, "6336"),
]


@EDITIONS
@pytest.mark.parametrize(
    ("body", "code"),
    [
        *REFUSED_BODIES,
        *(
            ({"description": "d", "spec": {"auto_stop": auto_stop}}, code)
            for auto_stop, code in REFUSED_AUTO_STOPS
        ),
    ],
)
def test_invalid_put_is_refused_and_changes_nothing(
    make_client: MakeClient, status_and_code: ErrorOf, edition: str, body: object, code: str
) -> None:
    """Each rule has its code, and the instance is unchanged."""
    client = make_client(edition=edition)
    before = client.request("GET", client.instance_path).json()
    assert status_and_code(client.request("PUT", client.instance_path, json=body)) == (400, code)
    assert client.request("GET", client.instance_path).json() == before


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff", "application/json"),
        (b'{"description": NaN}', "application/json"),
        (b"[" * 5000, "application/json"),
        (b'{"description": "\\ud800"}', "application/json"),
        (b'{"description": "d"}', "text/plain"),
    ],
)
def test_body_that_is_not_a_json_object_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, content: bytes, kind: str
) -> None:
    """An invalid body is a 400, not a server error."""
    response = client.request(
        "PUT", client.instance_path, content=content, headers={"Content-Type": kind}
    )
    assert status_and_code(response) == (400, "6336")


@pytest.mark.parametrize("description", ["", "x" * 512, "\U0001f600" * 512, "训练\nResNet `$` \\"])
def test_valid_description_is_stored_unchanged(client: EmulatorClient, description: str) -> None:
    """The limit is 512 code points; the auto-stop is unchanged."""
    before = client.auto_stop()
    assert (
        client.request("PUT", client.instance_path, json={"description": description}).json()[
            "description"
        ]
        == description
    )
    assert client.request("GET", client.instance_path).json()["description"] == description
    assert client.auto_stop() == before


@given(st.text(max_size=600))
def test_description_rule_is_the_published_one(description: str) -> None:
    """A description has at most 512 code points and none of six characters."""
    legal = len(description) <= 512 and not set(description) & set("&<>\"'/")
    try:
        accepted = validation.require_description(
            description,
            wrong_type=errors.WRONG_TYPE,
            wrong_value=errors.WRONG_VALUE,
            wrong_character=errors.BAD_CHARACTER,
        )
    except EmulatedApiError:
        assert not legal
    else:
        assert legal
        assert accepted == description


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["description", "spec", "auto_stop", "enable", "duration", "prompt", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=JSON_VALUES)
def test_any_json_body_gets_200_or_400(client: EmulatorClient, body: object) -> None:
    """Every JSON body is either applied or refused with a code."""
    for method, path in (
        ("PUT", client.instance_path),
        ("PUT", client.notebook_path),
        ("PATCH", client.notebook_path + "/lease"),
    ):
        response = client.request(
            method,
            path,
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code in (200, 400)
        assert (
            "id" in response.json()
            or "create_at" in response.json()
            or "error_code" in response.json()
        )


def test_description_is_required_in_2019(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """A PUT that changes only auto-stop needs the description too."""
    body = {"spec": {"auto_stop": {"enable": False}}}
    assert status_and_code(client.request("PUT", client.instance_path, json=body)) == (400, "6335")
    assert client.auto_stop()["enable"] is True


def test_description_is_optional_in_2021(make_client: MakeClient) -> None:
    """A PUT without a description leaves it unchanged."""
    client = make_client(edition="2021", description="saved")
    body = {"spec": {"auto_stop": {"enable": False}}}
    response = client.request("PUT", client.instance_path, json=body).json()
    assert response["description"] == "saved"
    assert "spec" not in response
    assert client.auto_stop()["enable"] is False


@pytest.mark.parametrize(
    ("edition", "put_answer", "has_spec"),
    [
        ("2019", "edition", True),
        ("2021", "edition", False),
        ("2021", "full", True),
        ("2019", "without-spec", False),
    ],
)
def test_put_response_may_omit_spec(
    make_client: MakeClient,
    edition: str,
    put_answer: str,
    has_spec: bool,
) -> None:
    """Edition or option decide whether the response to a PUT has `spec`."""
    client = make_client(edition=edition, put_answer=put_answer)
    assert ("spec" in client.put_auto_stop(enable=False).json()) is has_spec


def test_2019_duration_moves_the_current_stop_time(client: EmulatorClient) -> None:
    """The new duration counts from the start of the run, 20 minutes ago."""
    client.put_auto_stop(enable=True, duration=7200)
    assert client.auto_stop()["remain_time"] == 7200 - 1200


def test_2019_stop_time_in_the_past_is_refused(
    make_client: MakeClient, status_and_code: ErrorOf
) -> None:
    """The auto-stop is unchanged after the refusal."""
    client = make_client(minutes_left=100)
    client.advance(minutes=40)
    before = client.auto_stop()
    assert status_and_code(client.put_auto_stop(enable=True, duration=3600)) == (400, "6346")
    assert client.auto_stop() == before
    assert client.put_auto_stop(enable=True, duration=3601).status_code == 200
    assert client.auto_stop()["remain_time"] == 1


def test_2021_duration_applies_from_the_next_start(make_client: MakeClient) -> None:
    """The current run keeps its stop time, and the next run has the new duration."""
    client = make_client(edition="2021")
    before = client.auto_stop()
    client.put_auto_stop(enable=True, duration=7200)
    assert client.auto_stop() == {**before, "duration": 7200}
    client.advance(minutes=41)
    assert client.request("GET", client.instance_path).json()["status"] == "STOPPED"
    client.request("POST", client.instance_path + "/action", json={"action": "start"})
    client.advance(seconds=5)
    assert client.auto_stop()["remain_time"] == 7200


@pytest.mark.parametrize(("when", "has_stop"), [("now", True), ("next-start", False)])
def test_2021_enabling_during_a_run_follows_the_option(
    make_client: MakeClient,
    when: str,
    has_stop: bool,
) -> None:
    """Auto-stop takes effect now or at the next start, as the option says."""
    client = make_client(edition="2021", auto_stop=False, enable_while_running=when)
    assert client.auto_stop() == {"enable": False, "prompt": True}
    client.put_auto_stop(enable=True, duration=7200)
    found = client.auto_stop()
    assert found["enable"] is True
    assert ("stop_timestamp" in found) is has_stop
    assert ("remain_time" in found) is has_stop


def test_instance_stops_at_its_stop_time(client: EmulatorClient) -> None:
    """The status is RUNNING, STOPPING, then STOPPED; a stopped instance has no stop time."""
    seen = []
    for seconds in (2399, 1, 4, 1):
        client.advance(seconds=seconds)
        seen.append(client.request("GET", client.instance_path).json()["status"])
    assert seen == ["RUNNING", "STOPPING", "STOPPING", "STOPPED"]
    assert client.auto_stop() == {"enable": True, "duration": 3600, "prompt": True}


def test_read_after_a_day_finds_the_instance_stopped(client: EmulatorClient) -> None:
    """All transitions that are due are applied by one read."""
    client.advance(days=1)
    assert client.request("GET", client.instance_path).json()["status"] == "STOPPED"


def perform_action(client: EmulatorClient, action: object) -> httpx.Response:
    """Request an action."""
    return client.request("POST", client.instance_path + "/action", json={"action": action})


def test_saved_duration_counts_from_running(client: EmulatorClient) -> None:
    """It counts neither from the start request nor from the creation."""
    assert perform_action(client, "stop").json() == {
        "current_status": "STOPPING",
        "previous_state": "RUNNING",
    }
    client.advance(seconds=5)
    assert perform_action(client, "start").json() == {
        "current_status": "STARTING",
        "previous_state": "STOPPED",
    }
    assert "stop_timestamp" not in client.auto_stop()
    client.advance(seconds=15)
    assert client.auto_stop()["remain_time"] == 3600 - 10


def test_restart_begins_a_new_run(client: EmulatorClient) -> None:
    """After RESTARTING, the full duration is left."""
    assert perform_action(client, "restart").json()["current_status"] == "RESTARTING"
    client.advance(seconds=5)
    assert client.auto_stop()["remain_time"] == 3600


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        ("RUNNING", "start", "6357"),
        ("STOPPED", "stop", "6327"),
        ("STOPPED", "restart", "6327"),
        ("STARTING", "stop", "6357"),
        ("STARTING", "start", "6357"),
        ("STOPPING", "start", "6357"),
        ("RESTARTING", "restart", "6357"),
        ("RUNNING", "queue", "6336"),
        ("RUNNING", "delete", "6336"),
        ("RUNNING", 1, "6332"),
    ],
)
def test_invalid_action_for_a_status_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, status: str, action: object, code: str
) -> None:
    """Each case has its code, and the status is unchanged."""
    client.emulator.set_instance(status=status)
    assert status_and_code(perform_action(client, action)) == (400, code)
    assert client.request("GET", client.instance_path).json()["status"] == status


def test_action_body_requires_exactly_the_action(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """A missing action is 6335, another property is 6336."""
    path = client.instance_path + "/action"
    assert status_and_code(client.request("POST", path, json={})) == (400, "6335")
    body = {"action": "stop", "force": True}
    assert status_and_code(client.request("POST", path, json=body)) == (400, "6336")


@pytest.mark.parametrize("status", ["STARTING", "STOPPING", "RESTARTING"])
def test_auto_stop_is_locked_during_a_transition(
    client: EmulatorClient, status_and_code: ErrorOf, status: str
) -> None:
    """The description can be changed meanwhile."""
    client.emulator.set_instance(status=status)
    assert status_and_code(client.put_auto_stop(enable=True, duration=7200)) == (400, "6347")
    assert (
        client.request("PUT", client.instance_path, json={"description": "new"}).status_code == 200
    )


def test_stopped_instance_accepts_auto_stop(client: EmulatorClient) -> None:
    """Auto-stop of a stopped instance is saved for the next run."""
    client.emulator.set_instance(status="STOPPED")
    assert client.put_auto_stop(enable=True, duration=7200).status_code == 200
    assert client.auto_stop() == {"enable": True, "duration": 7200, "prompt": True}


@pytest.mark.parametrize(("edition", "name"), [("2019", "error_msg"), ("2021", "error_message")])
def test_unknown_instance_is_a_400(make_client: MakeClient, edition: str, name: str) -> None:
    """It is not a 404; the message field has another name in edition 2021."""
    client = make_client(edition=edition)
    for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/action")):
        response = client.request(
            method, f"{client.instances_path}/{client.emulator.notebook_id}{suffix}", json={}
        )
        assert response.status_code == 400
        assert response.json() == {
            name: "The instance does not exist.",
            "error_code": "ModelArts.6309",
        }


def test_list_is_filtered_sorted_and_paged(client: EmulatorClient) -> None:
    """The total counts the instances that match the filter, not the page."""
    second = client.emulator.add_instance(name="another")
    client.emulator.set_instance(second, status="STOPPED")

    def ids(query: str) -> tuple[int, list[str]]:
        found = client.request("GET", f"{client.instances_path}?de_type=Notebook{query}").json()
        return found["total_count"], [one["id"] for one in found["instances"]]

    first = client.emulator.demanager_id
    assert ids("") == (2, [second, first])
    assert ids("&order=desc") == (2, [first, second])
    assert ids("&status=RUNNING") == (1, [first])
    assert ids("&offset=1&limit=1") == (2, [first])
    assert ids("&offset=2") == (2, [])
    assert ids("&limit=0") == (2, [second, first])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "6335"),
        ("de_type=notebook", "6336"),
        ("de_type=Notebook&limit=x", "6332"),
        ("de_type=Notebook&offset=-1", "6336"),
        ("de_type=Notebook&sortby=id", "6336"),
        ("de_type=Notebook&order=up", "6336"),
        ("de_type=Notebook&provision_type=K8S", "6336"),
    ],
)
def test_invalid_list_query_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, query: str, code: str
) -> None:
    """Each case has its code."""
    assert status_and_code(client.request("GET", f"{client.instances_path}?{query}")) == (400, code)


def test_instance_id_may_have_a_prefix(make_client: MakeClient) -> None:
    """The option `id_form` adds `DE-`; `instance_id` sets the id."""
    client = make_client(id_form="de")
    assert client.emulator.instance_id.startswith("DE-")
    assert client.request("GET", client.instance_path).json()["id"] == client.emulator.instance_id
    assert make_client(instance_id="mine").emulator.instance_id == "mine"


def test_2021_adds_fields(make_client: MakeClient) -> None:
    """Edition 2021 returns additional fields."""
    shown = make_client(edition="2021")
    assert {"latest_update_timestamp", "flavor_details", "user"} <= set(
        shown.request("GET", shown.instance_path).json()
    )
