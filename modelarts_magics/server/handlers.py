"""Handle the requests under ``/modelarts-magics/v1/``: parse the body, call the service once, respond.

Each request is authenticated and authorised (resource ``modelarts-magics``: GET reads, everything else writes),
passes Jupyter's XSRF check, and does not count as activity. `openapi.yaml` describes requests and responses.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from modelarts_magics import messages
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.messages import text
from modelarts_magics.server import payloads
from modelarts_magics.server import request_models as requests
from modelarts_magics.server.service import ConflictError

if TYPE_CHECKING:
    from modelarts_magics.server.service import InstanceService

URL_PREFIX = "modelarts-magics/v1"
SERVICE_KEY = "modelarts_magics_service"
"""The name of the service in the settings of the web application."""
RETRY_AFTER_S = "60"


class BaseHandler(APIHandler):
    """Base of the handlers: service, JSON responses, and errors as JSON."""

    auth_resource = "modelarts-magics"
    _track_activity = False

    @property
    def service(self) -> InstanceService:
        """The service that answers the requests."""
        service: InstanceService = self.settings[SERVICE_KEY]
        return service

    async def prepare(self) -> None:  # type: ignore[override]  # a coroutine, as in Jupyter
        """Set the language of the response to that of the page."""
        messages.use_request_language(self.request.headers.get("Accept-Language"))
        await super().prepare()

    def finish_json(self, payload: dict[str, Any]) -> None:
        """Finish the response with JSON that must not be cached."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(payload))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """Set the status that belongs to the error of the handler."""
        error = _raised_exception(kwargs)
        if isinstance(error, ConflictError):
            status_code = HTTPStatus.CONFLICT
        elif isinstance(error, ModelArtsError):
            status_code = payloads.http_status(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """Respond with ``code``, ``message``, ``hint`` and ``request_id`` for any error."""
        error = _raised_exception(kwargs)
        if isinstance(error, ConflictError):
            payload = {**payloads.error_payload(error.error), **error.details}
        elif isinstance(error, ModelArtsError):
            payload = payloads.error_payload(error)
        else:
            payload = _http_error_payload(status_code, error)
        # HTTP requires the allowed methods in this response.
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(_allowed_methods(self)))
        if status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.set_header("Retry-After", RETRY_AFTER_S)
        self.finish_json(payload)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:  # noqa: ANN401 - tornado's
        """Log the code of an error of this package, and any other error with its traceback."""
        if isinstance(value, ConflictError):
            value = value.error
        if isinstance(value, ModelArtsError):
            self.log.info("modelarts-magics: %s: %s", self.request.method, value.code)
        else:
            super().log_exception(typ, value, tb)


class InstanceHandler(BaseHandler):
    """Handle ``instance``: the state, and changes of description and auto-stop."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return everything that a page shows."""
        # A page that has received no event yet.
        is_new_page = self.get_query_argument("hello", "0") == "1"
        if is_new_page:
            self.service.greet_pages()
        refresh = self.get_query_argument("refresh", "0") == "1"
        answer = await self.service.get_instance(refresh=refresh, is_new_page=is_new_page)
        self.finish_json(answer)

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        """Set the description, auto-stop or both."""
        request = requests.parse_update_request(self.request.body)
        try:
            self.finish_json(await self.service.update_instance(request))
        except ModelArtsError as error:
            if request.field_for(error):
                error.values.setdefault("field", request.field_for(error))
            raise


class ExtendHandler(BaseHandler):
    """Handle ``extend``: the stop time of this run."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Extend or shorten this run."""
        self.finish_json(
            await self.service.extend(requests.parse_extend_request(self.request.body))
        )


class UndoHandler(BaseHandler):
    """Handle ``undo``: the last change of the instance."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Restore the state before the last change, unless something else was changed since."""
        self.finish_json(await self.service.undo())


class HistoryHandler(BaseHandler):
    """Handle ``history``: the recorded changes."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return the last changes as text."""
        self.finish_json(await self.service.get_history())


class StopHandler(BaseHandler):
    """Handle ``stop``: the end of this run."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Stop the instance now; the page has asked the user and saved the documents."""
        self.finish_json(await self.service.stop())


class RestoreHandler(BaseHandler):
    """Handle ``restore``: the usual run time of later starts."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Restore it at once if this moves no stop time, else when it is due."""
        self.finish_json(await self.service.restore())


class KeepHandler(BaseHandler):
    """Handle ``keep``: what keeps the instance running, which ``instance`` lists."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """End or extend it, or cancel the stop after it."""
        self.finish_json(
            await self.service.change_keep(requests.parse_keep_change(self.request.body))
        )


class ActivityHandler(BaseHandler):
    """Handle ``activity``: what works on the instance."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Return what works; no GET, because the process that watches is started if needed."""
        self.finish_json(await self.service.get_activity())


class NotifyHandler(BaseHandler):
    """Handle ``notify``: the sinks and events of notifications."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return the sinks without their addresses, and the events."""
        self.finish_json(await self.service.get_notifications())

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Add, remove or test a sink, or turn an event on or off."""
        change = requests.parse_notify_change(self.request.body)
        self.finish_json(await self.service.change_notifications(change))


class DoctorHandler(BaseHandler):
    """Handle ``doctor``: the checks of the server's set-up."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Run the checks, with one call of the API."""
        self.finish_json(await self.service.run_doctor())


class SaveReportHandler(BaseHandler):
    """Handle ``saved``: the report of documents saved before a stop."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Record which documents were saved and which were not."""
        self.finish_json(
            await self.service.record_saved(requests.parse_save_report(self.request.body))
        )

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Delete the report of the last run after it was read."""
        self.finish_json(await self.service.acknowledge_last_run())


class RemindersHandler(BaseHandler):
    """Handle ``remind``: reminders before the stop."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Turn reminders off or on."""
        self.finish_json(
            await self.service.set_reminders_muted(muted=requests.parse_muted(self.request.body))
        )


class RecordsHandler(BaseHandler):
    """Handle ``records``: the recorded outputs of cells."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return the complete records."""
        self.finish_json(await self.service.get_records())

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Return the outputs of one record."""
        record_id = requests.parse_record_id(self.request.body)
        self.finish_json(await self.service.get_recorded_outputs(record_id))


HANDLERS: dict[str, type[BaseHandler]] = {
    "instance": InstanceHandler,
    "extend": ExtendHandler,
    "undo": UndoHandler,
    "history": HistoryHandler,
    "stop": StopHandler,
    "restore": RestoreHandler,
    "keep": KeepHandler,
    "activity": ActivityHandler,
    "notify": NotifyHandler,
    "doctor": DoctorHandler,
    "saved": SaveReportHandler,
    "remind": RemindersHandler,
    "records": RecordsHandler,
}


def _raised_exception(kwargs: dict[str, Any]) -> BaseException | None:
    error: BaseException | None = kwargs.get("exc_info", (None, None, None))[1]
    return error


def _http_error_payload(status_code: int, error: BaseException | None) -> dict[str, Any]:
    """Return an error that does not come from the API: Jupyter refused the request, or this package failed."""
    reason = error.log_message if isinstance(error, web.HTTPError) else None
    is_server_error = status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    code = "server.internal_error" if is_server_error else f"http.{status_code}"
    return {
        "code": code,
        "message": text("server.internal_error")
        if is_server_error
        else reason or f"HTTP {status_code}",
        "hint": text("server.internal_error.hint") if is_server_error else payloads.page_hint(code),
        "request_id": "",
        "field": "",
        "values": {},
    }


def _allowed_methods(handler: BaseHandler) -> list[str]:
    implemented = (
        name for name in handler.SUPPORTED_METHODS if name.lower() in vars(type(handler))
    )
    return [*implemented, "OPTIONS"]
