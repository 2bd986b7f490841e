"""Request handlers of the emulated APIs: headers, request log and faults."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import uuid
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from modelarts_magics.emulator import errors
from modelarts_magics.emulator.api import EmulatedApi, JsonResponse
from modelarts_magics.emulator.auth import HttpRequest
from modelarts_magics.emulator.body_faults import apply_body_faults

if TYPE_CHECKING:
    from modelarts_magics.emulator.account import EmulatedAccount
    from modelarts_magics.emulator.faults import Fault

ERROR_PAGE = "<!DOCTYPE html><html><body><h1>Gateway</h1><script>alert(1)</script></body></html>"
FAULT_ERRORS = {
    "401": errors.TOKEN_EXPIRED,
    "403": errors.NOT_AUTHORISED,
    "404": errors.NO_SUCH_API,
    "429": errors.THROTTLED,
    "500": errors.INTERNAL,
    "502": errors.BAD_GATEWAY,
    "503": errors.UNAVAILABLE,
    "applied-500": errors.INTERNAL,
}


class BaseHandler(RequestHandler):
    """Handler that sends the headers common to all responses."""

    def initialize(self, *, account: EmulatedAccount) -> None:
        """Store the account that the application passes."""
        self.account = account
        self.api = EmulatedApi(account)

    def set_default_headers(self) -> None:
        """Set the common headers, also on responses that tornado generates."""
        account: EmulatedAccount = self.application.settings["account"]
        self.request_id = uuid.uuid4().hex
        self.set_header("Server", "emulator")
        self.set_header("Date", format_datetime(account.clock.now(), usegmt=True))
        self.set_header("X-Request-Id", self.request_id)
        self.set_header("X-Emulator", "modelarts-magics")
        if account.options.time_scale != 1:
            self.set_header("X-Emulator-Time-Scale", f"{account.options.time_scale:g}")

    def compute_etag(self) -> None:
        """Send no ETag, as ModelArts does not."""

    def http_request(self) -> HttpRequest:
        """Return the request independent of tornado."""
        path, _, query = (self.request.uri or "").partition("?")
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        return HttpRequest(
            method=self.request.method or "",
            path=path,
            query=query,
            headers=headers,
            body=self.request.body,
        )

    def send_json(self, response: JsonResponse) -> None:
        """Send a JSON response."""
        self.set_status(response.status)
        self.set_header("Content-Type", "application/json")
        body = response.body
        if response.status >= 400 and str(body.get("error_code")).startswith("APIG"):  # noqa: PLR2004
            body = {**body, "request_id": self.request_id}
        self.finish(encode_json(body))


def encode_json(body: object) -> bytes:
    """Return a JSON value in UTF-8, escaped no more than necessary."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", errors="surrogatepass")


class ApiHandler(BaseHandler):
    """Handler of all paths outside `/emulator`."""

    async def handle_request(self) -> None:
        """Handle a request, with the faults that match it."""
        request = self.http_request()
        with self.account.lock:
            faults = self.account.faults.take_matching(request.method, request.path)
            entry = log_entry(request, faults=faults, request_id=self.request_id)
            entry["at"] = self.account.clock.now().isoformat()
            self.account.log.append(entry)
        by_phase: dict[str, list[Fault]] = {"instead": [], "apply": [], "body": [], "send": []}
        for fault in faults:
            by_phase[fault.phase].append(fault)
        if by_phase["instead"]:
            self._send_fault_response(by_phase["instead"][0], entry=entry)
            return
        await self._handle_with_faults(request, by_phase=by_phase, entry=entry)

    get = put = patch = post = delete = head = options = handle_request

    async def _handle_with_faults(
        self, request: HttpRequest, *, by_phase: dict[str, list[Fault]], entry: dict[str, Any]
    ) -> None:
        for fault in by_phase["apply"]:
            if fault.name == "late-apply":
                await asyncio.sleep(float(fault.arg))
        names = frozenset(fault.name for fault in by_phase["apply"])
        response = self.api.handle(request, faults=names)
        entry["status"] = response.status
        apply_body_faults(response.body, faults=by_phase["body"])
        # The clock may have been advanced while the request was delayed.
        self.set_header("Date", format_datetime(self.account.clock.now(), usegmt=True))
        for fault in by_phase["body"]:
            if fault.name == "no-date":
                self.clear_header("Date")
            if fault.name == "delay":
                await asyncio.sleep(float(fault.arg))
        if by_phase["send"]:
            await self._send_with_fault(by_phase["send"][0], response=response)
        else:
            self.send_json(response)

    def _send_fault_response(self, fault: Fault, *, entry: dict[str, Any]) -> None:
        if fault.name == "reset":
            reset_connection(self)
        elif fault.name == "html":
            entry["status"] = int(fault.arg)
            self.set_status(int(fault.arg))
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(ERROR_PAGE)
        elif fault.name == "redirect":
            entry["status"] = 302
            self.set_status(302)
            self.set_header("Location", fault.arg)
            self.finish()
        else:
            self._send_fault_error(fault, entry=entry)

    def _send_fault_error(self, fault: Fault, *, entry: dict[str, Any]) -> None:
        error_spec = FAULT_ERRORS[fault.name]
        if fault.name in ("429", "503"):
            if fault.arg:
                self.set_header("Retry-After", fault.arg)
        else:
            error_spec = error_spec._replace(code=fault.arg)
        entry["status"] = error_spec.status
        self.send_json(self.api.error_response(error_spec, path=self.request.path))

    async def _send_with_fault(self, fault: Fault, *, response: JsonResponse) -> None:
        if fault.name == "reset-after":
            reset_connection(self)
        elif fault.name == "truncated":
            await self._send_raw(encode_json(response.body), status=response.status, half=True)
        elif fault.name == "drip":
            await self._send_raw(
                encode_json(response.body), status=response.status, pause=float(fault.arg)
            )
        elif fault.name == "applied-500" and response.status == 200:  # noqa: PLR2004 - HTTP OK
            self.send_json(
                self.api.error_response(FAULT_ERRORS["applied-500"], path=self.request.path)
            )
        elif response.status == 200:  # noqa: PLR2004 - HTTP OK
            self._send_faulty_body(fault, response=response)
        else:
            self.send_json(response)

    def _send_faulty_body(self, fault: Fault, *, response: JsonResponse) -> None:
        if fault.name == "no-content":
            self.set_status(204)
            self.finish()
            return
        self.set_header("Content-Type", "application/json")
        if fault.name == "empty":
            self.finish()
        elif fault.name == "bad-json":
            self.finish(encode_json(response.body)[:-1] + b",,")
        else:
            padding = "x" * int(float(fault.arg))
            self.finish(encode_json({**response.body, "padding": padding}))

    async def _send_raw(
        self, body: bytes, *, status: int, half: bool = False, pause: float = 0
    ) -> None:
        """Write the response without tornado, which refuses to send an incomplete one."""
        fields = {
            **dict(self._headers.get_all()),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}\r\n{lines}\r\n"  # noqa: PLR2004
        stream = self.detach()
        try:
            await stream.write(head.encode("latin-1"))
            if half:
                await stream.write(body[: len(body) // 2])
            else:
                await _write_slowly(stream, body, pause=pause)
        except StreamClosedError:
            # The client closed the connection, which these faults are expected to cause.
            pass
        finally:
            stream.close()


async def _write_slowly(stream: Any, body: bytes, *, pause: float) -> None:  # noqa: ANN401 - an IOStream
    for byte in body:
        await stream.write(bytes([byte]))
        await asyncio.sleep(pause)


def reset_connection(handler: RequestHandler) -> None:
    """Close the connection with a TCP reset instead of a response."""
    stream: Any = handler.detach()
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def log_entry(request: HttpRequest, *, faults: list[Fault], request_id: str) -> dict[str, Any]:
    """Return the log entry of a request; headers and thus credentials are left out."""
    try:
        body = json.loads(request.body) if request.body else None
    except (ValueError, RecursionError):
        body = request.body.decode(errors="replace")
    signed = request.headers.get("authorization", "").startswith("SDK-HMAC-SHA256 ")
    token = bool(request.headers.get("x-auth-token"))
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "body": body,
        "auth": "signature" if signed else "token" if token else "none",
        "faults": [fault.name for fault in faults],
        "request_id": request_id,
        "status": None,
    }
