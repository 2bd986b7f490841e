"""A helper kernel answers in the words of the routes, without a Jupyter server."""

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
    """What points at it, and nothing of this machine."""
    state = str(tmp_path / "state")
    return {**emulator.environment(), "HOME": str(tmp_path), "MODELARTS_STATE_DIR": state}


@pytest.fixture
def request_handler(environ: dict[str, str]) -> Iterator[RequestHandler]:
    """A helper that is ended afterwards."""
    made = RequestHandler(environ)
    yield made
    made.close()


def _instance_state(emulator: LocalEmulator) -> dict[str, Any]:
    every: list[dict[str, Any]] = emulator.state()["instances"]
    return next(one for one in every if one["id"] == emulator.instance_id)


def test_it_tells_what_the_route_tells(
    request_handler: RequestHandler, emulator: LocalEmulator
) -> None:
    """The instance, its state for the countdown, and no problem."""
    told = request_handler.handle("GET", "instance?refresh=1", None)
    assert told["status"] == 200
    assert told["body"]["instance"]["id"] == emulator.instance_id
    assert told["body"]["instance"]["stops_at_ms"] > told["body"]["server_now_ms"]
    assert told["body"]["problem"] is None


@pytest.mark.process
def test_it_tells_of_what_another_process_changes(environ: dict[str, str]) -> None:
    """By itself, and what kind of thing it is; the number is the one that the page reads with."""
    told: SimpleQueue[dict[str, Any]] = SimpleQueue()
    helper = RequestHandler(environ, publish=told.put)
    known = helper.handle("GET", "instance?refresh=1", None)["body"]
    command = [sys.executable, "-m", "modelarts_magics", "extend", "1h"]
    subprocess.run(command, env=environ, capture_output=True, check=True)  # noqa: S603 - our own program
    event = told.get(timeout=TIMEOUT_S)
    while event["seq"] <= known["seq"]:
        event = told.get(timeout=TIMEOUT_S)
    assert event == {"server_id": known["server_id"], "seq": known["seq"] + 1, "kind": "instance"}
    now = helper.handle("GET", "instance", None)["body"]
    assert now["seq"] >= event["seq"]
    assert now["instance"]["stops_at_ms"] > known["instance"]["stops_at_ms"]
    helper.close()


def test_it_extends_and_describes(request_handler: RequestHandler, emulator: LocalEmulator) -> None:
    """The cloud has what the page asked for."""
    seen = request_handler.handle("GET", "instance?refresh=1", None)["body"]["instance"][
        "stops_at_ms"
    ]
    extended = request_handler.handle("POST", "extend", {"seconds": 3600, "base_stops_at_ms": seen})
    assert extended["body"]["effect"] == "now"
    moved = extended["body"]["current"]["instance"]["stops_at_ms"] - seen
    assert moved == pytest.approx(3_600_000, abs=30_000)  # a lease counts from when it is asked for
    assert request_handler.handle("PATCH", "instance", {"description": "训练"})["status"] == 200
    assert _instance_state(emulator)["description"] == "训练"


def test_what_was_decided_on_something_else_is_a_conflict(
    request_handler: RequestHandler, emulator: LocalEmulator
) -> None:
    """Nothing is sent, and what holds now comes along."""
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
def test_what_cannot_be_is_told_as_the_route_would(  # noqa: PLR0913 - a row of the table
    request_handler: RequestHandler,
    method: str,
    path: str,
    body: object,
    status: int,
    code: str | None,
) -> None:
    """With the status and the error of the route."""
    told = request_handler.handle(method, path, body)
    assert told["status"] == status
    assert code in (None, told["body"]["code"])
    assert told["body"]["message"]


@pytest.mark.process
def test_a_kernel_needs_no_jupyter_server_for_it(environ: dict[str, str]) -> None:
    """`handle` gives ASCII, and neither tornado nor jupyter_server is imported."""
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
