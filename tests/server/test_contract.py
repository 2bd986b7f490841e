"""The handlers conform to the OpenAPI file, also with random bodies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
import yaml
from api_versions import API_VERSIONS
from hypothesis import HealthCheck, given, settings
from matrix import first
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from modelarts_magics.commands.keep import end_all
from modelarts_magics.keepalive.folder import FOLDER_SUFFIX
from modelarts_magics.keepalive.idle_stop import save_idle_stop
from modelarts_magics.server import handlers

if TYPE_CHECKING:
    from schemathesis import Case

FILE = Path(handlers.__file__).parent / "openapi.yaml"
NOT_PROMISED = [positive_data_acceptance]
"""A well-formed request may still be refused, because the bounds depend on the instance and on its status."""
STARTS_PROCESS = f"/{handlers.URL_PREFIX}/activity"
"""The page's question that starts the process which watches; `test_keep_payloads.py` tests it."""
SPECIFICATION: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))


def test_file_lists_exactly_the_served_methods() -> None:
    """Paths and methods are those of the handlers."""
    written = {(path, verb) for path, item in SPECIFICATION["paths"].items() for verb in item}
    served = {
        (f"/{handlers.URL_PREFIX}/{name}", verb)
        for name, handler in handlers.HANDLERS.items()
        for verb in ("get", "post", "put", "patch", "delete")
        if verb in vars(handler)
    }
    assert written == served


# The server draws random numbers in its own thread while a strategy runs in this one.
@pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
)
@pytest.mark.parametrize("api_version", first(API_VERSIONS))
async def test_random_requests_get_documented_responses(
    http_server_client: Any,
    jp_auth_header: dict[str, str],
    jp_base_url: str,
    environ: dict[str, str],
) -> None:
    """Status and body of each response are those that the file describes."""
    address = f"http://127.0.0.1:{http_server_client.get_http_port()}{jp_base_url.rstrip('/')}"
    schema = schemathesis.openapi.from_dict(SPECIFICATION)
    for found in schema.exclude(path=STARTS_PROCESS).get_all_operations():
        for mode in GenerationMode:
            await asyncio.to_thread(fuzz, found.ok(), mode, address, jp_auth_header)
    await asyncio.to_thread(end_daemons, Path(environ["MODELARTS_STATE_DIR"]))


def end_daemons(state_folder: Path) -> None:
    """End the processes that the requests have started."""
    for folder in state_folder.glob(f"*{FOLDER_SUFFIX}"):
        save_idle_stop(folder, None)
        end_all(folder)


def fuzz(operation: Any, mode: GenerationMode, address: str, headers: dict[str, str]) -> None:
    """Send many requests to one operation, with valid or with invalid bodies."""
    wrong = mode is GenerationMode.NEGATIVE
    if wrong and not operation.body:
        # Without a body, nothing can be invalid.
        return

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=settings().max_examples // 8, suppress_health_check=list(HealthCheck))
    def send(case: Case) -> None:
        case.call_and_validate(base_url=address, headers=headers, excluded_checks=NOT_PROMISED)

    send()
