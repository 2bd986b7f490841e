"""The routes are what the OpenAPI file says, also for bodies that nobody thought of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from modelarts_magics.server import handlers as routes

if TYPE_CHECKING:
    from schemathesis import Case

FILE = Path(routes.__file__).parent / "openapi.yaml"
NOT_PROMISED = [positive_data_acceptance]
"""What is well-formed may still be refused: bounds are the instance's, and so is what its state allows."""
SPECIFICATION: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))


def test_every_verb_is_in_the_file_and_no_other() -> None:
    """By path and method."""
    written = {(path, verb) for path, item in SPECIFICATION["paths"].items() for verb in item}
    served = {
        (f"/{routes.URL_PREFIX}/{name}", verb)
        for name, route in routes.HANDLERS.items()
        for verb in ("get", "post", "put", "patch", "delete")
        if verb in vars(route)
    }
    assert written == served


# The server draws random numbers in its own thread while a strategy runs in this one.
@pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
)
async def test_no_request_breaks_a_route(
    http_server_client: Any, jp_auth_header: dict[str, str], jp_base_url: str
) -> None:
    """Whatever is sent, the answer has a status and a body that the file names."""
    address = f"http://127.0.0.1:{http_server_client.get_http_port()}{jp_base_url.rstrip('/')}"
    schema = schemathesis.openapi.from_dict(SPECIFICATION)
    for found in schema.get_all_operations():
        for mode in GenerationMode:
            await asyncio.to_thread(fuzz, found.ok(), mode, address, jp_auth_header)


def fuzz(operation: Any, mode: GenerationMode, address: str, headers: dict[str, str]) -> None:
    """Send many requests of one kind, with bodies that the file allows or with others."""
    wrong = mode is GenerationMode.NEGATIVE
    if wrong and not operation.body:
        return  # nothing in it can be wrong

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    def send(case: Case) -> None:
        case.call_and_validate(base_url=address, headers=headers, excluded_checks=NOT_PROMISED)

    send()
