"""The helper kernel answers like the REST API, without a Jupyter server."""

from __future__ import annotations

import json
import subprocess
import sys
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.helper_kernel.requests import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT_S = 30
APIS = ("demanager", "notebooks")


@pytest.fixture(params=APIS)
def emulator(request: pytest.FixtureRequest) -> Iterator[LocalEmulator]:
    """Serve an instance of each API, with 40 minutes left."""
    with LocalEmulator(api=request.param) as made:
        yield made


@pytest.fixture
def environ(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return environment variables for the emulator only."""
    state = str(tmp_path / "state")
    return {**emulator.environment(), "HOME": str(tmp_path), "MODELARTS_STATE_DIR": state}


@pytest.fixture
def request_handler(environ: dict[str, str]) -> Iterator[RequestHandler]:
    """Return a request handler."""
    made = RequestHandler(environ)
    yield made
    made.close()


def _instance_state(emulator: LocalEmulator) -> dict[str, Any]:
    every: list[dict[str, Any]] = emulator.state()["instances"]
    return next(one for one in every if one["id"] == emulator.instance_id)


def test_response_is_that_of_the_rest_api(
    request_handler: RequestHandler, emulator: LocalEmulator
) -> None:
    """It contains the instance and no problem."""
    response = request_handler.handle("GET", "instance?refresh=1", None)
    assert response["status"] == 200
    assert response["body"]["instance"]["id"] == emulator.instance_id
    assert response["body"]["instance"]["stops_at_ms"] > response["body"]["server_now_ms"]
    assert response["body"]["problem"] is None


@pytest.mark.process
def test_change_by_another_process_sends_an_event(environ: dict[str, str]) -> None:
    """The event has the number that the page then reads."""
    events: SimpleQueue[dict[str, Any]] = SimpleQueue()
    helper = RequestHandler(environ, publish=events.put)
    known = helper.handle("GET", "instance?refresh=1", None)["body"]
    command = [sys.executable, "-m", "modelarts_magics", "extend", "1h"]
    subprocess.run(command, env=environ, capture_output=True, check=True)  # noqa: S603 - our own program
    event = events.get(timeout=TIMEOUT_S)
    while event["seq"] <= known["seq"]:
        event = events.get(timeout=TIMEOUT_S)
    assert event == {"server_id": known["server_id"], "seq": known["seq"] + 1, "kind": "instance"}
    now = helper.handle("GET", "instance", None)["body"]
    assert now["seq"] >= event["seq"]
    assert now["instance"]["stops_at_ms"] > known["instance"]["stops_at_ms"]
    helper.close()


def test_extend_and_description_reach_the_api(
    request_handler: RequestHandler, emulator: LocalEmulator
) -> None:
    """The API has the requested values."""
    seen = request_handler.handle("GET", "instance?refresh=1", None)["body"]["instance"][
        "stops_at_ms"
    ]
    extended = request_handler.handle("POST", "extend", {"seconds": 3600, "base_stops_at_ms": seen})
    assert extended["body"]["effect"] == "now"
    moved = extended["body"]["current"]["instance"]["stops_at_ms"] - seen
    # A lease counts from the time of the request.
    assert moved == pytest.approx(3_600_000, abs=30_000)
    assert request_handler.handle("PATCH", "instance", {"description": "训练"})["status"] == 200
    assert _instance_state(emulator)["description"] == "训练"


def test_outdated_request_is_a_conflict(
    request_handler: RequestHandler, emulator: LocalEmulator
) -> None:
    """Nothing is sent, and the response has the current state."""
    stale = request_handler.handle("POST", "extend", {"seconds": 3600, "base_stops_at_ms": 1})
    assert stale["status"] == 409
    assert stale["body"]["current"]["instance"]["id"] == emulator.instance_id
    assert all(entry["method"] == "GET" for entry in emulator.requests)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PATCH", "instance", {"description": "a/b"}, 400, "description.invalid_character"),
        ("POST", "extend", {"seconds": "much"}, 400, None),
        ("GET", "secrets", None, 404, "usage.command"),
    ],
)
def test_errors_are_those_of_the_rest_api(  # noqa: PLR0913 - a row of the table
    request_handler: RequestHandler,
    method: str,
    path: str,
    body: object,
    status: int,
    code: str | None,
) -> None:
    """Status and code are the same."""
    response = request_handler.handle(method, path, body)
    assert response["status"] == status
    assert code in (None, response["body"]["code"])
    assert response["body"]["message"]


@pytest.mark.process
def test_handle_request_imports_no_server(environ: dict[str, str]) -> None:
    """The response is ASCII, and neither tornado nor jupyter_server is imported."""
    program = (
        "import json, sys; from modelarts_magics.helper_kernel import handle_request; "
        "question = json.dumps({'method': 'GET', 'path': 'instance?refresh=1', 'language': 'zh-CN'}); "
        "said = handle_request(question); assert said.isascii(); "
        "print(json.dumps([json.loads(said)['status'], "
        "[name for name in ('tornado', 'jupyter_server', 'IPython') if name in sys.modules]]))"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [200, []]
