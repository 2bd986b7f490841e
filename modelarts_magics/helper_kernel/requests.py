"""Answer the requests of a page in a kernel, where the Jupyter server does not have the extension.

The page starts a kernel of its own and calls `handle_request` with the requests of the REST API; the same
`InstanceService` answers them. It runs on an event loop in a daemon thread, because the kernel's own loop is
busy with the request. Events reach the page as display messages, instead of through Jupyter's event socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ModelArtsError, UsageError
from modelarts_magics.server import payloads, request_models
from modelarts_magics.server.run_store import RunStore
from modelarts_magics.server.service import ConflictError, InstanceService
from modelarts_magics.server.session_provider import SessionFactory
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    ResponseCoroutine = Coroutine[Any, Any, dict[str, Any]]

_ROUTES: Mapping[tuple[str, str], Callable[[InstanceService, bytes], ResponseCoroutine]] = {
    ("GET", "instance"): lambda service, _: service.get_instance(),
    ("GET", "instance?refresh=1"): lambda service, _: service.get_instance(refresh=True),
    ("PATCH", "instance"): lambda service, body: service.update_instance(
        request_models.parse_update_request(body)
    ),
    ("POST", "extend"): lambda service, body: service.extend(
        request_models.parse_extend_request(body)
    ),
    ("GET", "doctor"): lambda service, _: service.run_doctor(),
    ("POST", "saved"): lambda service, body: service.record_saved(
        request_models.parse_save_report(body)
    ),
    ("DELETE", "saved"): lambda service, _: service.acknowledge_last_run(),
    ("POST", "remind"): lambda service, body: service.set_reminders_muted(
        muted=request_models.parse_muted(body)
    ),
}


def _discard_event(_event: dict[str, Any]) -> None:
    """Discard an event where there is no page."""


class RequestHandler:
    """An `InstanceService` on an event loop of its own.

    Args:
        environ: The environment variables for settings and credentials; None for those of the process.
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
        """Return the ``status`` and ``body`` of the response that the REST API would give."""
        route = _ROUTES.get((method, path))
        if route is None:
            error = UsageError("usage.command", word=f"{method} {path}")
            return _error_response(error, HTTPStatus.NOT_FOUND)
        try:
            payload = self._run_on_loop(
                _call_route(route, self._service, json.dumps(body).encode())
            )
        except ConflictError as conflict:
            details = {**payloads.error_payload(conflict.error), **conflict.details}
            return {"status": HTTPStatus.CONFLICT.value, "body": details}
        except ModelArtsError as error:
            return _error_response(error, payloads.http_status(error))
        return {"status": HTTPStatus.OK.value, "body": payload}

    def close(self) -> None:
        """Stop the service and its loop."""
        self._run_on_loop(self._service.poller.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - the result of the coroutine
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _create_service(self) -> InstanceService:
        session_factory = SessionFactory({}, self._environ, SYSTEM_CLOCK)
        service = InstanceService(
            session_factory,
            emit=self._publish,
            # The page that started this kernel is always connected.
            listeners=lambda: ("page",),
            run_store=RunStore(run_file_path(session_factory.settings(), self._environ)),
        )
        service.poller.start()
        return service


def handle_request(request: str) -> str:
    """Answer one request of the page.

    Args:
        request: JSON with ``method``, ``path`` (below ``v1/``), ``body`` and ``language``.

    Returns:
        JSON with ``status`` and ``body``, in ASCII, so that its `repr` can be parsed as JSON, too.
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
    """Return the function that sends events to the page, or discards them outside of a kernel."""
    if "IPython" not in sys.modules:
        return _discard_event
    from modelarts_magics.helper_kernel.publisher import publish_event  # noqa: PLC0415 - imports IPython

    return publish_event


async def _call_route(
    route: Callable[[InstanceService, bytes], ResponseCoroutine],
    service: InstanceService,
    body: bytes,
) -> dict[str, Any]:
    """Parse the body and call the service on the loop, so that an error of either is raised there."""
    return await route(service, body)


def _error_response(error: ModelArtsError, status: int) -> dict[str, Any]:
    return {"status": int(status), "body": payloads.error_payload(error)}
