"""The historical API: every rule of its pages, in both editions."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import property_settings
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


def test_an_instance_has_every_field_of_the_tables(client: EmulatorClient) -> None:
    """Tables 5 to 12, with the types of the published example."""
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


def test_it_starts_with_forty_minutes_left(client: EmulatorClient) -> None:
    """Of one hour, with the stop as a number of ms."""
    stop = to_ms(client.clock.now() + timedelta(minutes=40))
    assert client.auto_stop() == {
        "enable": True,
        "duration": 3600,
        "prompt": True,
        "stop_timestamp": stop,
        "remain_time": 2400,
    }


def test_switched_off_only_two_fields_are_left(client: EmulatorClient) -> None:
    """As in the published example."""
    assert client.put_auto_stop(enable=False).json()["spec"]["auto_stop"] == {
        "enable": False,
        "prompt": True,
    }
    client.advance(days=2)
    assert client.request("GET", client.instance_path).json()["status"] == "RUNNING"


def test_enable_left_out_means_off_and_prompt_left_out_means_true(client: EmulatorClient) -> None:
    """A client that forgets `enable` switches auto-stop off."""
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
            ({"description": "d", "spec": {"auto_stop": wish}}, code)
            for wish, code in REFUSED_AUTO_STOPS
        ),
    ],
)
def test_a_wrong_put_is_refused_and_changes_nothing(
    make_client: MakeClient, status_and_code: ErrorOf, edition: str, body: object, code: str
) -> None:
    """Each rule with its code; the instance is as before."""
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
def test_a_body_that_is_no_json_object_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, content: bytes, kind: str
) -> None:
    """Never a crash of the server."""
    answer = client.request(
        "PUT", client.instance_path, content=content, headers={"Content-Type": kind}
    )
    assert status_and_code(answer) == (400, "6336")


@pytest.mark.parametrize("words", ["", "x" * 512, "\U0001f600" * 512, "训练\nResNet `$` \\"])
def test_a_legal_description_is_stored_as_it_is(client: EmulatorClient, words: str) -> None:
    """512 code points, not bytes and not UTF-16 units; the auto-stop stays."""
    before = client.auto_stop()
    assert (
        client.request("PUT", client.instance_path, json={"description": words}).json()[
            "description"
        ]
        == words
    )
    assert client.request("GET", client.instance_path).json()["description"] == words
    assert client.auto_stop() == before


@property_settings
@given(st.text(max_size=600))
def test_the_rule_for_a_description_is_the_published_one(words: str) -> None:
    """At most 512 code points, none of six characters, and nothing else."""
    legal = len(words) <= 512 and not set(words) & set("&<>\"'/")
    try:
        kept = validation.require_description(
            words,
            wrong_type=errors.WRONG_TYPE,
            wrong_value=errors.WRONG_VALUE,
            wrong_character=errors.BAD_CHARACTER,
        )
    except EmulatedApiError:
        assert not legal
    else:
        assert legal
        assert kept == words


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


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=JSON_VALUES)
def test_no_json_at_all_makes_the_server_fail(client: EmulatorClient, body: object) -> None:
    """Every body is either done or refused with a code."""
    for method, path in (
        ("PUT", client.instance_path),
        ("PUT", client.notebook_path),
        ("PATCH", client.notebook_path + "/lease"),
    ):
        answer = client.request(
            method,
            path,
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in (200, 400)
        assert (
            "id" in answer.json() or "create_at" in answer.json() or "error_code" in answer.json()
        )


def test_the_description_is_mandatory_in_2019(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """Even for a change of auto-stop alone."""
    body = {"spec": {"auto_stop": {"enable": False}}}
    assert status_and_code(client.request("PUT", client.instance_path, json=body)) == (400, "6335")
    assert client.auto_stop()["enable"] is True


def test_the_description_is_optional_in_2021(make_client: MakeClient) -> None:
    """Left out, it stays."""
    client = make_client(edition="2021", description="kept")
    body = {"spec": {"auto_stop": {"enable": False}}}
    answer = client.request("PUT", client.instance_path, json=body).json()
    assert answer["description"] == "kept"
    assert "spec" not in answer
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
def test_the_answer_of_a_put_may_lack_the_spec(
    make_client: MakeClient,
    edition: str,
    put_answer: str,
    has_spec: bool,
) -> None:
    """By edition, or by option."""
    client = make_client(edition=edition, put_answer=put_answer)
    assert ("spec" in client.put_auto_stop(enable=False).json()) is has_spec


def test_in_2019_a_changed_duration_moves_the_stop_of_this_run(client: EmulatorClient) -> None:
    """It counts from the start of the run, 20 min ago."""
    client.put_auto_stop(enable=True, duration=7200)
    assert client.auto_stop()["remain_time"] == 7200 - 1200


def test_in_2019_a_stop_in_the_past_is_refused(
    make_client: MakeClient, status_and_code: ErrorOf
) -> None:
    """And the auto-stop stays what it was."""
    client = make_client(minutes_left=100)
    client.advance(minutes=40)
    before = client.auto_stop()
    assert status_and_code(client.put_auto_stop(enable=True, duration=3600)) == (400, "6346")
    assert client.auto_stop() == before
    assert client.put_auto_stop(enable=True, duration=3601).status_code == 200
    assert client.auto_stop()["remain_time"] == 1


def test_in_2021_a_changed_duration_waits_for_the_next_start(make_client: MakeClient) -> None:
    """This run stops as it would have; the next one has the new duration."""
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
def test_in_2021_enabling_during_a_run_is_a_choice(
    make_client: MakeClient,
    when: str,
    has_stop: bool,
) -> None:
    """The pages do not say; both readings can be played."""
    client = make_client(edition="2021", auto_stop=False, enable_while_running=when)
    assert client.auto_stop() == {"enable": False, "prompt": True}
    client.put_auto_stop(enable=True, duration=7200)
    found = client.auto_stop()
    assert found["enable"] is True
    assert ("stop_timestamp" in found) is has_stop
    assert ("remain_time" in found) is has_stop


def test_the_instance_runs_down_and_stops(client: EmulatorClient) -> None:
    """RUNNING, STOPPING, STOPPED, each at its time; STOPPED has no stop."""
    seen = []
    for seconds in (2399, 1, 4, 1):
        client.advance(seconds=seconds)
        seen.append(client.request("GET", client.instance_path).json()["status"])
    assert seen == ["RUNNING", "STOPPING", "STOPPING", "STOPPED"]
    assert client.auto_stop() == {"enable": True, "duration": 3600, "prompt": True}


def test_a_long_silence_is_caught_up_in_order(client: EmulatorClient) -> None:
    """One read a day later finds the instance stopped, not stopping."""
    client.advance(days=1)
    assert client.request("GET", client.instance_path).json()["status"] == "STOPPED"


def act(client: EmulatorClient, action: object) -> httpx.Response:
    """Ask for an action."""
    return client.request("POST", client.instance_path + "/action", json={"action": action})


def test_the_kept_duration_counts_from_running_at_every_start(client: EmulatorClient) -> None:
    """Not from the start request, and not from the creation."""
    assert act(client, "stop").json() == {
        "current_status": "STOPPING",
        "previous_state": "RUNNING",
    }
    client.advance(seconds=5)
    assert act(client, "start").json() == {
        "current_status": "STARTING",
        "previous_state": "STOPPED",
    }
    assert "stop_timestamp" not in client.auto_stop()
    client.advance(seconds=15)
    assert client.auto_stop()["remain_time"] == 3600 - 10


def test_a_restart_begins_a_new_run(client: EmulatorClient) -> None:
    """Through RESTARTING."""
    assert act(client, "restart").json()["current_status"] == "RESTARTING"
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
def test_an_action_that_does_not_fit_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, status: str, action: object, code: str
) -> None:
    """Each with its code, and the status stays."""
    client.emulator.set_instance(status=status)
    assert status_and_code(act(client, action)) == (400, code)
    assert client.request("GET", client.instance_path).json()["status"] == status


def test_an_action_needs_its_word_and_nothing_else(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """6335 without, 6336 with more."""
    path = client.instance_path + "/action"
    assert status_and_code(client.request("POST", path, json={})) == (400, "6335")
    body = {"action": "stop", "force": True}
    assert status_and_code(client.request("POST", path, json=body)) == (400, "6336")


@pytest.mark.parametrize("status", ["STARTING", "STOPPING", "RESTARTING"])
def test_auto_stop_cannot_be_changed_in_between(
    client: EmulatorClient, status_and_code: ErrorOf, status: str
) -> None:
    """The description can."""
    client.emulator.set_instance(status=status)
    assert status_and_code(client.put_auto_stop(enable=True, duration=7200)) == (400, "6347")
    assert (
        client.request("PUT", client.instance_path, json={"description": "new"}).status_code == 200
    )


def test_a_stopped_instance_keeps_its_auto_stop_for_the_next_run(client: EmulatorClient) -> None:
    """No 6346 there: nothing runs."""
    client.emulator.set_instance(status="STOPPED")
    assert client.put_auto_stop(enable=True, duration=7200).status_code == 200
    assert client.auto_stop() == {"enable": True, "duration": 7200, "prompt": True}


@pytest.mark.parametrize(("edition", "name"), [("2019", "error_msg"), ("2021", "error_message")])
def test_an_unknown_instance_is_a_400(make_client: MakeClient, edition: str, name: str) -> None:
    """Not a 404; the sentence has another name in the later edition."""
    client = make_client(edition=edition)
    for method, suffix in (("GET", ""), ("PUT", ""), ("POST", "/action")):
        answer = client.request(
            method, f"{client.instances_path}/{client.emulator.notebook_id}{suffix}", json={}
        )
        assert answer.status_code == 400
        assert answer.json() == {
            name: "The instance does not exist.",
            "error_code": "ModelArts.6309",
        }


def test_the_list_is_filtered_sorted_and_paged(client: EmulatorClient) -> None:
    """As the page says; the total counts what the filter finds, not the page."""
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
def test_a_wrong_list_query_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, query: str, code: str
) -> None:
    """Each with its code."""
    assert status_and_code(client.request("GET", f"{client.instances_path}?{query}")) == (400, code)


def test_the_id_may_have_the_later_form(make_client: MakeClient) -> None:
    """`DE-` and a uuid; or the one that was asked for."""
    client = make_client(id_form="de")
    assert client.emulator.instance_id.startswith("DE-")
    assert client.request("GET", client.instance_path).json()["id"] == client.emulator.instance_id
    assert make_client(instance_id="mine").emulator.instance_id == "mine"


def test_2021_adds_fields(make_client: MakeClient) -> None:
    """What a client of the first edition has to ignore."""
    shown = make_client(edition="2021")
    assert {"latest_update_timestamp", "flavor_details", "user"} <= set(
        shown.request("GET", shown.instance_path).json()
    )
