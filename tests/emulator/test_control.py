"""The control routes, and the same from Python: state, clock, instances, faults."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from conftest import EmulatorClient


def control(client: EmulatorClient, route: str, /, **body: object) -> dict[str, Any]:
    """Use a control route; it needs no credentials."""
    answer = client.http.post(f"/emulator/{route}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_state_shows_both_instances_and_the_log(client: EmulatorClient) -> None:
    """What was asked, how it was answered, and by which sort of credentials."""
    client.request("PUT", client.instance_path, json={"description": "new"})
    client.signed_request("GET", client.notebook_path + "/lease?x=1")
    client.http.get(client.instance_path)
    state = client.http.get("/emulator/state").json()
    assert [one["api"] for one in state["instances"]] == ["demanager", "notebooks"]
    assert state["instances"][0]["description"] == "new"
    assert state["now"] == "2026-11-23T08:00:00+00:00"
    seen = [(one["method"], one["auth"], one["status"]) for one in state["requests"]]
    assert seen == [("PUT", "token", 200), ("GET", "signature", 200), ("GET", "none", 401)]
    assert state["requests"][0]["body"] == {"description": "new"}
    assert state["requests"][1]["query"] == "x=1"
    assert state == client.emulator.state()


def test_no_secret_is_in_the_state(client: EmulatorClient) -> None:
    """Neither those of the emulator nor those that were sent."""
    marked = "MARKED-SECRET"
    client.http.get(client.instance_path, headers={"X-Auth-Token": marked})
    client.http.get(
        client.instance_path, headers={"Authorization": marked, "X-Security-Token": marked}
    )
    client.request("GET", client.notebook_path)
    text = client.http.get("/emulator/state").text
    secrets = (
        client.emulator.auth_token,
        client.emulator.sk,
        client.emulator.security_token,
        marked,
    )
    assert not [secret for secret in secrets if secret in text]
    assert "FAKE-JUPYTER-TOKEN" not in text


def test_the_clock_can_be_moved(client: EmulatorClient) -> None:
    """Everything follows: the Date, the status, what is left."""
    assert control(client, "advance", seconds=2400)["now"] == "2026-11-23T08:40:00+00:00"
    answer = client.request("GET", client.instance_path)
    assert answer.headers["Date"] == "Mon, 23 Nov 2026 08:40:00 GMT"
    assert answer.json()["status"] == "STOPPING"


def test_an_instance_can_be_set_even_to_what_is_illegal(client: EmulatorClient) -> None:
    """A description that the API would refuse, an auto-stop, a status of later editions."""
    control(client, "instance", description="a/b & <c>", status="CREATE_FAILED")
    shown = client.request("GET", client.instance_path).json()
    assert (shown["description"], shown["status"]) == ("a/b & <c>", "CREATE_FAILED")
    control(client, "instance", description=None)
    assert client.request("GET", client.instance_path).json()["description"] is None
    control(client, "instance", status="RUNNING", auto_stop={"enable": True, "duration": 7200})
    assert client.auto_stop()["remain_time"] == 7200
    control(client, "instance", minutes_left=3)
    assert client.auto_stop()["remain_time"] == 180
    control(client, "instance", minutes_left=None)
    assert client.auto_stop()["enable"] is False


def test_a_lease_can_be_set(client: EmulatorClient) -> None:
    """By its fields, or by what is left."""
    note = client.emulator.notebook_id
    control(client, "instance", id=note, minutes_left=5)
    assert client.lease_time_left() == timedelta(minutes=5)
    control(client, "instance", id=note, lease={"create_at": 5, "duration": 6, "type": "IDLE"})
    found = client.lease()
    assert (found["create_at"], found["duration"], found["type"]) == (5, 6, "IDLE")


def test_more_instances_can_be_made(client: EmulatorClient) -> None:
    """Of either API."""
    made = control(client, "instances", api="notebooks", name="second", minutes_left=90)
    assert client.request("GET", f"{client.notebooks_path}/{made['id']}").json()["name"] == "second"
    assert client.request("GET", client.notebooks_path).json()["total"] == 2


def test_faults_are_set_listed_and_cleared(client: EmulatorClient) -> None:
    """With the same filters as from Python."""
    listed = control(
        client, "faults", name="429", arg="3", times=2, methods=["GET"], path="demanager"
    )
    assert listed["faults"][0]["methods"] == ["GET"]
    assert client.request("GET", client.instance_path).headers["Retry-After"] == "3"
    assert client.http.get("/emulator/faults").json()["faults"][0]["times"] == 1
    assert client.http.delete("/emulator/faults").json() == {"faults": []}
    assert client.request("GET", client.instance_path).status_code == 200


def test_faults_do_not_touch_the_control_routes(client: EmulatorClient) -> None:
    """Else they could not be taken back; the log leaves them out too."""
    client.emulator.add_fault("500")
    assert client.http.get("/emulator/state").status_code == 200
    assert client.emulator.requests == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("faults", {"name": "nonsense"}),
        ("faults", {}),
        ("faults", {"name": "500", "often": 3}),
        ("instance", {"id": "unknown"}),
        ("instance", {"colour": "red"}),
        ("instance", {"lease": {}}),
        ("advance", {"seconds": "x"}),
        ("instances", {"size": 1}),
    ],
)
def test_a_wrong_command_says_what_is_wrong(
    client: EmulatorClient, name: str, body: dict[str, Any]
) -> None:
    """With 400 and a sentence."""
    answer = client.http.post(f"/emulator/{name}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error_msg"]


def test_unknown_control_routes_are_a_404(client: EmulatorClient) -> None:
    """For every verb."""
    for method in ("GET", "POST", "DELETE"):
        assert client.http.request(method, "/emulator/nothing").status_code == 404


@pytest.mark.parametrize("header", [{"Host": "evil.test"}, {"Origin": "http://evil.test"}])
def test_a_web_page_cannot_use_the_control_routes(
    client: EmulatorClient, header: dict[str, str]
) -> None:
    """By another name for 127.0.0.1, or from another origin."""
    answer = client.http.post("/emulator/advance", json={"seconds": 3600}, headers=header)
    assert answer.status_code == 403
    assert client.emulator.state()["now"] == "2026-11-23T08:00:00+00:00"


@pytest.mark.parametrize("api", ["demanager", "notebooks"])
@pytest.mark.parametrize("auth", ["token", "keys", "temporary"])
def test_the_environment_points_a_client_here(
    make_client: Callable[..., EmulatorClient], api: str, auth: str
) -> None:
    """One sort of credentials at a time."""
    emulator = make_client(api=api).emulator
    found = emulator.environment(auth=auth)
    assert found["MODELARTS_ENDPOINT"] == emulator.endpoint
    assert found["MODELARTS_INSTANCE_ID"] == emulator.instance_id
    assert found["MODELARTS_API"] == api
    assert ("MODELARTS_AUTH_TOKEN" in found) is (auth == "token")
    assert ("HUAWEICLOUD_SDK_SK" in found) is (auth != "token")
    assert ("HUAWEICLOUD_SDK_SECURITY_TOKEN" in found) is (auth == "temporary")


def test_it_goes_down_and_comes_up_on_the_same_port(client: EmulatorClient) -> None:
    """With everything it knew."""
    client.request("PUT", client.instance_path, json={"description": "kept"})
    endpoint = client.emulator.endpoint
    client.emulator.stop()
    with pytest.raises(httpx.TransportError):
        client.request("GET", client.instance_path)
    client.emulator.start()
    assert client.emulator.endpoint == endpoint
    assert client.request("GET", client.instance_path).json()["description"] == "kept"


def test_starting_and_stopping_twice_is_no_error(client: EmulatorClient) -> None:
    """Nor is stopping what never ran."""
    client.emulator.start()
    client.emulator.stop()
    client.emulator.stop()
    LocalEmulator().stop()


def test_a_port_that_is_taken_is_an_error_in_the_caller(client: EmulatorClient) -> None:
    """Not a dead thread."""
    port = int(client.emulator.endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        LocalEmulator(port=port).start()


def test_a_fault_may_be_there_from_the_start(make_client: Callable[..., EmulatorClient]) -> None:
    """Written as on the command line."""
    client = make_client(faults=["503:4"])
    assert client.request("GET", client.instance_path).headers["Retry-After"] == "4"


def test_requests_can_be_forgotten(client: EmulatorClient) -> None:
    """So that a test counts its own."""
    client.request("GET", client.instance_path)
    client.emulator.clear_requests()
    assert client.emulator.requests == []


@pytest.mark.parametrize(
    "options",
    [{"api": "x"}, {"edition": "2020"}, {"time_scale": 0}, {"minutes_left": 0}, {"patch_off": "?"}],
)
def test_a_wrong_option_is_an_error(options: dict[str, Any]) -> None:
    """Before anything starts."""
    with pytest.raises(ValueError, match=r"is one of|is above"):
        LocalEmulator(**options)
