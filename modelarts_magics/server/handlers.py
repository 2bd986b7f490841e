"""The verbs under ``/modelarts-magics/v1/``: read the request, ask the desk once, answer.

Each is authenticated and authorised (resource ``modelarts-magics``: GET reads, everything else writes), held
to Jupyter's XSRF check, and counts as no activity of a person. `openapi.yaml` says what each takes and gives.
"""

from __future__ import annotations

import json
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
SERVICE_KEY = "modelarts_magics_desk"
"""The name of the desk among the web application's settings."""
RETRY_AFTER_S = "60"


class BaseHandler(APIHandler):
    """What all verbs share: the desk, JSON, and errors that are told as such."""

    auth_resource = "modelarts-magics"
    _track_activity = False

    @property
    def service(self) -> InstanceService:
        """Who does the work."""
        service: InstanceService = self.settings[SERVICE_KEY]
        return service

    async def prepare(self) -> None:  # type: ignore[override]  # as Jupyter's own `APIHandler`
        """Answer in the language of the page."""
        messages.use_request_language(self.request.headers.get("Accept-Language"))
        await super().prepare()

    def finish_json(self, payload: dict[str, Any]) -> None:
        """Answer with JSON that nobody keeps."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(payload))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """Answer with the status of the error that a verb raised."""
        error = _raised_exception(kwargs)
        if isinstance(error, ConflictError):
            status_code = 409
        elif isinstance(error, ModelArtsError):
            status_code = payloads.http_status(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """Answer with ``code``, ``message``, ``hint`` and ``request_id``, whatever went wrong."""
        error = _raised_exception(kwargs)
        if isinstance(error, ConflictError):
            payload = {**payloads.error_payload(error.error), **error.details}
        elif isinstance(error, ModelArtsError):
            payload = payloads.error_payload(error)
        else:
            payload = _http_error_payload(status_code, error)
        if status_code == 405:  # noqa: PLR2004 - which has to say what is allowed
            self.set_header("Allow", ", ".join(_allowed_methods(self)))
        if status_code == 503:  # noqa: PLR2004 - not available
            self.set_header("Retry-After", RETRY_AFTER_S)
        self.finish_json(payload)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:  # noqa: ANN401 - tornado's
        """Log an error of ours by its code alone; one that nobody foresaw with its traceback."""
        if isinstance(value, ConflictError):
            value = value.error
        if isinstance(value, ModelArtsError):
            self.log.info("modelarts-magics: %s: %s", self.request.method, value.code)
        else:
            super().log_exception(typ, value, tb)


class InstanceHandler(BaseHandler):
    """``instance``: what a page shows, and changes of it."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Everything that a page shows."""
        refresh = self.get_query_argument("refresh", "0") == "1"
        self.finish_json(await self.service.get_instance(refresh=refresh))

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        """Set the description, auto-stop, or both."""
        request = requests.parse_update_request(self.request.body)
        try:
            self.finish_json(await self.service.update_instance(request))
        except ModelArtsError as error:
            if request.field_for(error):
                error.values.setdefault("field", request.field_for(error))
            raise


class ExtendHandler(BaseHandler):
    """``extend``: the end of this run."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Move it, later or earlier."""
        self.finish_json(
            await self.service.extend(requests.parse_extend_request(self.request.body))
        )


class DoctorHandler(BaseHandler):
    """``doctor``: what is wrong on the server's side."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Look at everything, and ask the cloud once."""
        self.finish_json(await self.service.run_doctor())


class SaveReportHandler(BaseHandler):
    """``saved``: what was saved before a stop."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Keep what was saved, and what could not be."""
        self.finish_json(
            await self.service.record_saved(requests.parse_save_report(self.request.body))
        )

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Forget how the last run ended: it was read."""
        self.finish_json(await self.service.acknowledge_last_run())


class RemindersHandler(BaseHandler):
    """``remind``: whether to remind of the stop."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Turn reminders off or on."""
        self.finish_json(
            await self.service.set_reminders_muted(muted=requests.parse_muted(self.request.body))
        )


HANDLERS: dict[str, type[BaseHandler]] = {
    "instance": InstanceHandler,
    "extend": ExtendHandler,
    "doctor": DoctorHandler,
    "saved": SaveReportHandler,
    "remind": RemindersHandler,
}


def _raised_exception(kwargs: dict[str, Any]) -> BaseException | None:
    error: BaseException | None = kwargs.get("exc_info", (None, None, None))[1]
    return error


def _http_error_payload(status_code: int, error: BaseException | None) -> dict[str, Any]:
    """An error that is not the cloud's: Jupyter refused the request, or this package failed."""
    reason = error.log_message if isinstance(error, web.HTTPError) else None
    is_server_error = status_code >= 500  # noqa: PLR2004 - the server's own
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
