"""Control routes of the emulator and their counterparts in `LocalEmulator`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from conftest import EmulatorClient


def send_command(client: EmulatorClient, route: str, /, **body: object) -> dict[str, Any]:
    """Send a command to a control route, which requires no credentials."""
    response = client.http.post(f"/emulator/{route}", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_state_shows_both_instances_and_the_request_log(client: EmulatorClient) -> None:
    """The log has request, response status and kind of credentials."""
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


def test_state_contains_no_credentials(client: EmulatorClient) -> None:
    """Neither credentials of the emulator nor received ones are in the state."""
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


def test_advance_moves_the_clock(client: EmulatorClient) -> None:
    """The `Date` header and the status follow the clock."""
    assert send_command(client, "advance", seconds=2400)["now"] == "2026-11-23T08:40:00+00:00"
    response = client.request("GET", client.instance_path)
    assert response.headers["Date"] == "Mon, 23 Nov 2026 08:40:00 GMT"
    assert response.json()["status"] == "STOPPING"


def test_instance_accepts_values_that_the_api_refuses(client: EmulatorClient) -> None:
    """A forbidden description, an auto-stop, or an unknown status can be set."""
    send_command(client, "instance", description="a/b & <c>", status="CREATE_FAILED")
    shown = client.request("GET", client.instance_path).json()
    assert (shown["description"], shown["status"]) == ("a/b & <c>", "CREATE_FAILED")
    send_command(client, "instance", description=None)
    assert client.request("GET", client.instance_path).json()["description"] is None
    send_command(client, "instance", status="RUNNING", auto_stop={"enable": True, "duration": 7200})
    assert client.auto_stop()["remain_time"] == 7200
    send_command(client, "instance", minutes_left=3)
    assert client.auto_stop()["remain_time"] == 180
    send_command(client, "instance", minutes_left=None)
    assert client.auto_stop()["enable"] is False


def test_lease_can_be_set(client: EmulatorClient) -> None:
    """A lease can be set by its fields or by the time left."""
    note = client.emulator.notebook_id
    send_command(client, "instance", id=note, minutes_left=5)
    assert client.lease_time_left() == timedelta(minutes=5)
    send_command(client, "instance", id=note, lease={"create_at": 5, "duration": 6, "type": "IDLE"})
    found = client.lease()
    assert (found["create_at"], found["duration"], found["type"]) == (5, 6, "IDLE")


def test_instances_can_be_added(client: EmulatorClient) -> None:
    """An added instance is returned by the API."""
    added = send_command(client, "instances", api="notebooks", name="second", minutes_left=90)
    assert (
        client.request("GET", f"{client.notebooks_path}/{added['id']}").json()["name"] == "second"
    )
    assert client.request("GET", client.notebooks_path).json()["total"] == 2


def test_faults_are_added_listed_and_removed(client: EmulatorClient) -> None:
    """The control route has the same filters as `add_fault`."""
    listed = send_command(
        client, "faults", name="429", arg="3", times=2, methods=["GET"], path="demanager"
    )
    assert listed["faults"][0]["methods"] == ["GET"]
    assert client.request("GET", client.instance_path).headers["Retry-After"] == "3"
    assert client.http.get("/emulator/faults").json()["faults"][0]["times"] == 1
    assert client.http.delete("/emulator/faults").json() == {"faults": []}
    assert client.request("GET", client.instance_path).status_code == 200


def test_faults_do_not_affect_control_routes(client: EmulatorClient) -> None:
    """Control routes are neither affected by faults nor logged."""
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
def test_invalid_command_responds_with_the_reason(
    client: EmulatorClient, name: str, body: dict[str, Any]
) -> None:
    """An invalid command is a 400 with a message."""
    response = client.http.post(f"/emulator/{name}", json=body)
    assert response.status_code == 400
    assert response.json()["error_msg"]


def test_unknown_control_route_is_a_404(client: EmulatorClient) -> None:
    """An unknown route is a 404 for every method."""
    for method in ("GET", "POST", "DELETE"):
        assert client.http.request(method, "/emulator/nothing").status_code == 404


@pytest.mark.parametrize("header", [{"Host": "evil.test"}, {"Origin": "http://evil.test"}])
def test_control_routes_refuse_web_pages(client: EmulatorClient, header: dict[str, str]) -> None:
    """Another host name or an `Origin` header is refused."""
    response = client.http.post("/emulator/advance", json={"seconds": 3600}, headers=header)
    assert response.status_code == 403
    assert client.emulator.state()["now"] == "2026-11-23T08:00:00+00:00"


@pytest.mark.parametrize("api", ["demanager", "notebooks"])
@pytest.mark.parametrize("auth", ["token", "keys", "temporary"])
def test_environment_connects_a_client(
    make_client: Callable[..., EmulatorClient], api: str, auth: str
) -> None:
    """The environment has exactly one kind of credentials."""
    emulator = make_client(api=api).emulator
    found = emulator.environment(auth=auth)
    assert found["MODELARTS_ENDPOINT"] == emulator.endpoint
    assert found["MODELARTS_INSTANCE_ID"] == emulator.instance_id
    assert found["MODELARTS_API"] == api
    assert ("MODELARTS_AUTH_TOKEN" in found) is (auth == "token")
    assert ("HUAWEICLOUD_SDK_SK" in found) is (auth != "token")
    assert ("HUAWEICLOUD_SDK_SECURITY_TOKEN" in found) is (auth == "temporary")


def test_restart_keeps_port_and_state(client: EmulatorClient) -> None:
    """After a restart, the endpoint and the instances are the same."""
    client.request("PUT", client.instance_path, json={"description": "saved"})
    endpoint = client.emulator.endpoint
    client.emulator.stop()
    with pytest.raises(httpx.TransportError):
        client.request("GET", client.instance_path)
    client.emulator.start()
    assert client.emulator.endpoint == endpoint
    assert client.request("GET", client.instance_path).json()["description"] == "saved"


def test_start_and_stop_may_be_repeated(client: EmulatorClient) -> None:
    """A second start or stop does nothing, nor does a stop before a start."""
    client.emulator.start()
    client.emulator.stop()
    client.emulator.stop()
    LocalEmulator().stop()


def test_port_in_use_raises_in_the_caller(client: EmulatorClient) -> None:
    """The error of the server thread is raised by `start`."""
    port = int(client.emulator.endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        LocalEmulator(port=port).start()


def test_faults_can_be_passed_to_the_constructor(
    make_client: Callable[..., EmulatorClient],
) -> None:
    """Faults have the form of the command line."""
    client = make_client(faults=["503:4"])
    assert client.request("GET", client.instance_path).headers["Retry-After"] == "4"


def test_request_log_can_be_cleared(client: EmulatorClient) -> None:
    """After clearing, the log is empty."""
    client.request("GET", client.instance_path)
    client.emulator.clear_requests()
    assert client.emulator.requests == []


@pytest.mark.parametrize(
    "options",
    [{"api": "x"}, {"edition": "2020"}, {"time_scale": 0}, {"minutes_left": 0}, {"patch_off": "?"}],
)
def test_invalid_option_raises(options: dict[str, Any]) -> None:
    """An invalid option raises before the server starts."""
    with pytest.raises(ValueError, match=r"must be"):
        LocalEmulator(**options)
