"""What a helper kernel answers, for a page whose Jupyter server does not have our routes.

The page starts a kernel of its own and asks it by `handle`, in the words of the routes; the same desk answers.
It runs on an event loop of its own, in a daemon thread, since the kernel's own is busy with the question. Of
news the kernel tells the page by itself, as the server's event socket does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ModelArtsError, UsageError
from modelarts_magics.server import payloads
from modelarts_magics.server import request_models as requests
from modelarts_magics.server.run_store import RunStore, default_path
from modelarts_magics.server.service import ConflictError, InstanceService
from modelarts_magics.server.session_provider import SessionFactory

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    ResponseCoroutine = Coroutine[Any, Any, dict[str, Any]]


def _discard_event(_event: dict[str, Any]) -> None:
    """The page looks by itself."""


OK, CONFLICT, NOT_FOUND, FAILED = 200, 409, 404, 500
_ROUTES: Mapping[tuple[str, str], Callable[[InstanceService, bytes], ResponseCoroutine]] = {
    ("GET", "instance"): lambda desk, _: desk.get_instance(),
    ("GET", "instance?refresh=1"): lambda desk, _: desk.get_instance(refresh=True),
    ("PATCH", "instance"): lambda desk, body: desk.update_instance(
        requests.parse_update_request(body)
    ),
    ("POST", "extend"): lambda desk, body: desk.extend(requests.parse_extend_request(body)),
    ("GET", "doctor"): lambda desk, _: desk.run_doctor(),
    ("POST", "saved"): lambda desk, body: desk.record_saved(requests.parse_save_report(body)),
    ("DELETE", "saved"): lambda desk, _: desk.acknowledge_last_run(),
    ("POST", "remind"): lambda desk, body: desk.set_reminders_muted(
        muted=requests.parse_muted(body)
    ),
}


class RequestHandler:
    """A desk on a loop of its own.

    Args:
        environ: The environment that settings and credentials come from; None for the process's.
        publish: Sends an event to the page; called on the loop, in its thread.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        publish: Callable[[dict[str, Any]], None] = _discard_event,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._publish = publish
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="modelarts-helper", daemon=True
        )
        self._thread.start()
        self._service = self._run_on_loop(self._create_service())

    def handle(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Ask the desk, and return ``{"status", "body"}`` as the route would have answered."""
        route = _ROUTES.get((method, path))
        if route is None:
            return _error_response(UsageError("usage.command", word=f"{method} {path}"), NOT_FOUND)
        try:
            payload = self._run_on_loop(
                _call_route(route, self._service, json.dumps(body).encode())
            )
        except ConflictError as conflict:
            details = {**payloads.error_payload(conflict.error), **conflict.details}
            return {"status": CONFLICT, "body": details}
        except ModelArtsError as error:
            return _error_response(error, payloads.http_status(error))
        return {"status": OK, "body": payload}

    def close(self) -> None:
        """End the desk and its loop."""
        self._run_on_loop(self._service.poller.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the work returns
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _create_service(self) -> InstanceService:
        state_dir = self._environ.get("MODELARTS_STATE_DIR") or SETTINGS["state_dir"].default
        run_store_path = default_path(self._environ, state_dir)
        service = InstanceService(
            SessionFactory({}, self._environ, SYSTEM_CLOCK),
            emit=self._publish,
            listeners=lambda: ("the page",),  # whose kernel this is
            run_store=RunStore(run_store_path),
        )
        service.poller.start()
        return service


def handle_request(request: str) -> str:
    """Answer one question of the page.

    Args:
        request: JSON with ``method``, ``path`` (below ``v1/``), ``body`` and ``language``.

    Returns:
        JSON with ``status`` and ``body``, in ASCII, so that a `repr` of it is JSON too.
    """
    fields = json.loads(request)
    messages.use_request_language(fields.get("language"))
    return json.dumps(
        _request_handler().handle(fields["method"], fields["path"], fields.get("body"))
    )


@lru_cache(maxsize=1)
def _request_handler() -> RequestHandler:
    return RequestHandler(publish=_event_publisher())


def _event_publisher() -> Callable[[dict[str, Any]], None]:
    """What reaches the page; nothing does where this is no kernel."""
    if "IPython" not in sys.modules:
        return _discard_event
    from modelarts_magics.helper_kernel.publisher import publish_event  # noqa: PLC0415 - IPython's, where it is loaded

    return publish_event


async def _call_route(
    route: Callable[[InstanceService, bytes], ResponseCoroutine],
    service: InstanceService,
    body: bytes,
) -> dict[str, Any]:
    """Begin the verb on the loop: it may refuse its body before there is anything to wait for."""
    return await route(service, body)


def _error_response(error: ModelArtsError, status: int) -> dict[str, Any]:
    return {"status": status, "body": payloads.error_payload(error)}
