"""Answer the requests of a page in a kernel, where the Jupyter server does not have the extension.

A page starts one kernel for all pages of the server and calls `handle_request` with the requests of the REST API;
the same `InstanceService` answers them. It runs on an event loop in a daemon thread, because the kernel's own loop
is busy with the request. Events reach the page as display messages, instead of through Jupyter's event socket.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ModelArtsError, UsageError
from modelarts_magics.helper_kernel.lifetime import Lifetime, watch_heartbeats
from modelarts_magics.helper_kernel.own_kernel import shut_down_own_kernel
from modelarts_magics.server import payloads, request_models
from modelarts_magics.server.service import ConflictError, InstanceService
from modelarts_magics.server.session_provider import SessionFactory
from modelarts_magics.session.run_store import RunStore
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    ResponseCoroutine = Coroutine[Any, Any, dict[str, Any]]

_LOG = logging.getLogger(__name__)

_ROUTES: Mapping[tuple[str, str], Callable[[InstanceService, bytes], ResponseCoroutine]] = {
    # A page reads once when it is opened, and then after events only.
    ("GET", "instance"): lambda service, _: service.get_instance(is_new_page=True),
    ("GET", "instance?refresh=1"): lambda service, _: service.get_instance(refresh=True),
    ("PATCH", "instance"): lambda service, body: service.update_instance(
        request_models.parse_update_request(body)
    ),
    ("POST", "extend"): lambda service, body: service.extend(
        request_models.parse_extend_request(body)
    ),
    ("POST", "undo"): lambda service, _: service.undo(),
    ("GET", "history"): lambda service, _: service.get_history(),
    ("POST", "stop"): lambda service, _: service.stop(),
    ("POST", "restore"): lambda service, _: service.restore(),
    ("POST", "keep"): lambda service, body: service.change_keep(
        request_models.parse_keep_change(body)
    ),
    ("POST", "activity"): lambda service, _: service.get_activity(),
    ("GET", "notify"): lambda service, _: service.get_notifications(),
    ("POST", "notify"): lambda service, body: service.change_notifications(
        request_models.parse_notify_change(body)
    ),
    ("GET", "doctor"): lambda service, _: service.run_doctor(),
    ("POST", "saved"): lambda service, body: service.record_saved(
        request_models.parse_save_report(body)
    ),
    ("DELETE", "saved"): lambda service, _: service.acknowledge_last_run(),
    ("GET", "records"): lambda service, _: service.get_records(),
    ("POST", "records"): lambda service, body: service.get_recorded_outputs(
        request_models.parse_record_id(body)
    ),
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
        lifetime: When a page was seen last; None for an own one.
        on_end: Called in a thread of its own when no page was seen for the time-out of the lifetime.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        publish: Callable[[dict[str, Any]], None] = _discard_event,
        lifetime: Lifetime | None = None,
        on_end: Callable[[RequestHandler], None] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._publish = publish
        self.lifetime = lifetime or Lifetime()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="modelarts-helper", daemon=True
        )
        self._thread.start()
        self._service = self._run_on_loop(self._create_service())
        if on_end is not None:
            asyncio.run_coroutine_threadsafe(self._end_without_pages(on_end), self._loop)

    def handle(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Return the ``status`` and ``body`` of the response that the REST API would give."""
        self.lifetime.page_seen()
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

    async def _end_without_pages(self, on_end: Callable[[RequestHandler], None]) -> None:
        await self.lifetime.wait_until_over()
        # The callback may stop this loop, and it waits for the Jupyter server.
        threading.Thread(
            target=on_end, args=(self,), name="modelarts-helper-end", daemon=True
        ).start()

    async def _create_service(self) -> InstanceService:
        session_factory = SessionFactory({}, self._environ, SYSTEM_CLOCK)
        service = InstanceService(
            session_factory,
            emit=self._publish,
            listeners=self.lifetime.pages,
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
    if "IPython" not in sys.modules:
        return RequestHandler()
    from modelarts_magics.helper_kernel.publisher import current_kernel, publish_event  # noqa: PLC0415 - imports IPython

    handler = RequestHandler(publish=publish_event, on_end=_end_kernel)
    kernel = current_kernel()
    if kernel is not None:
        watch_heartbeats(kernel, handler.lifetime.page_seen)
    return handler


def _end_kernel(handler: RequestHandler) -> None:
    """Shut this kernel down. If the server refuses this, stop polling until a page sends a request."""
    try:
        from ipykernel.connect import get_connection_file  # noqa: PLC0415 - exists in kernels only

        is_accepted = shut_down_own_kernel(Path(get_connection_file()))
    except Exception:  # noqa: BLE001 - the polling must stop whatever the reason
        _LOG.exception("The helper kernel could not be shut down")
        is_accepted = False
    if not is_accepted:
        _request_handler.cache_clear()
        handler.close()


async def _call_route(
    route: Callable[[InstanceService, bytes], ResponseCoroutine],
    service: InstanceService,
    body: bytes,
) -> dict[str, Any]:
    """Parse the body and call the service on the loop, so that an error of either is raised there."""
    return await route(service, body)


def _error_response(error: ModelArtsError, status: int) -> dict[str, Any]:
    return {"status": int(status), "body": payloads.error_payload(error)}
