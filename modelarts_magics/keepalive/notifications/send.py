"""The process that sends one notification to one sink, and prints what came of it.

It is a process of its own so that a library that hangs or needs much memory does not affect the daemon. The
address reaches it through a pipe, so it is in no process list and no environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from http import HTTPStatus
from typing import Any

from modelarts_magics.errors import InvalidResponseError, ModelArtsError, UnreachableError
from modelarts_magics.keepalive.notifications.sinks import APPRISE, COMMAND
from modelarts_magics.keepalive.state import encode
from modelarts_magics.messages import Message

BEGUN = "begun"
"""Printed before the first byte is sent."""
DELIVERED, NOT_SENT, REFUSED, UNKNOWN = "delivered", "not-sent", "refused", "unknown"
"""The outcomes of an attempt: it arrived; it certainly did not; it never will; it may have."""
WEBHOOK_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0
APPRISE_TIMEOUT_S = 30.0
"""The time for a connection, a login and the message, each of which may take `WEBHOOK_TIMEOUT_S`."""
TIMEOUT_S = 90.0
"""The longest time that this process takes."""
_TYPES = {"job-finished": "success", "job-failed": "failure", "last-run": "info", "test": "info"}
"""The type of message of Apprise by event; all other events are warnings."""

Report = dict[str, Any]


def report(
    outcome: str, cause: Message | None = None, retry_after_s: float | None = None
) -> Report:
    """Return what came of an attempt as JSON."""
    return {"outcome": outcome, "cause": encode(cause), "retry_after_s": retry_after_s}


def send(request: dict[str, Any], *, timeout_s: float = WEBHOOK_TIMEOUT_S) -> Report:
    """Send a notification.

    Args:
        request: ``kind`` and ``target`` of the sink, and the ``payload``; without payload, an address of Apprise
            is only checked.
        timeout_s: How long to wait for a connection and for each part of the answer, in seconds.
    """
    kind, target, payload = request["kind"], request["target"], request["payload"]
    if kind == APPRISE:
        return _send_with_apprise(target, payload, timeout_s)
    if kind == COMMAND:
        return _run_command(target, payload)
    return _post(target, payload, timeout_s)


def _post(url: str, payload: dict[str, Any], timeout_s: float) -> Report:
    from modelarts_magics.api.webhook import post_json  # noqa: PLC0415 - slow to import

    content = json.dumps(payload, ensure_ascii=False).encode()
    headers = {"Idempotency-Key": payload["id"]}
    try:
        response = post_json(url, content, headers, timeout_s=timeout_s)
    except UnreachableError as error:
        return report(UNKNOWN if error.sent else NOT_SENT, _message(error))
    except InvalidResponseError as error:
        return report(UNKNOWN, _message(error))
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return report(DELIVERED)
    if status < HTTPStatus.BAD_REQUEST:
        return report(REFUSED, Message("notify.cause.redirect", {"status": status}))
    cause = Message("notify.cause.status", {"status": status})
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
        return report(NOT_SENT, cause, response.retry_after_s)
    # A gateway that answers with an error may have passed the message on.
    is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return report(UNKNOWN if is_server_error else REFUSED, cause, response.retry_after_s)


def _send_with_apprise(address: str, payload: dict[str, Any] | None, timeout_s: float) -> Report:
    try:
        import apprise  # noqa: PLC0415 - the extra `notify`
    except ImportError:
        return report(NOT_SENT, Message("notify.cause.no_apprise"))
    asset = apprise.AppriseAsset()
    asset.http_redirects = False
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        return report(REFUSED, Message("notify.cause.address"))
    if payload is None:
        return report(DELIVERED)
    service.socket_connect_timeout = service.socket_read_timeout = timeout_s
    service.redirects = False
    is_delivered = service.notify(
        title=payload["title"], body=payload["text"], notify_type=_notify_type(payload)
    )
    # Apprise does not tell a message that was refused from one whose answer was lost.
    return report(DELIVERED) if is_delivered else report(UNKNOWN, Message("notify.cause.apprise"))


def _notify_type(payload: dict[str, Any]) -> str:
    return _TYPES.get(payload["event"], "warning")


def _run_command(command: str, payload: dict[str, Any]) -> Report:
    environ = {
        **os.environ,
        "MODELARTS_NOTIFY_EVENT": payload["event"],
        "MODELARTS_NOTIFY_TITLE": payload["title"],
        "MODELARTS_NOTIFY_TEXT": payload["text"],
    }
    process = subprocess.Popen(  # noqa: S603 - the user's command
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
        cwd=os.path.expanduser("~"),  # noqa: PTH111 - a home that does not exist fails below
        start_new_session=True,
    )
    try:
        process.communicate(json.dumps(payload).encode(), timeout=COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        return report(UNKNOWN, Message("notify.cause.timeout", {"seconds": int(COMMAND_TIMEOUT_S)}))
    status = process.returncode
    if status == 0:
        return report(DELIVERED)
    return report(UNKNOWN, Message("notify.cause.exit_status", {"status": status}))


def _message(error: ModelArtsError) -> Message:
    return Message(error.code, error.values)


def _send_in_time(request: dict[str, Any]) -> Report:
    """Send in another thread, because a library may wait longer than it was told."""
    found: list[Report] = []

    def run() -> None:
        # The text of an exception may contain the address, its type does not.
        try:
            found.append(send(request))
        except Exception as error:  # noqa: BLE001 - a library may raise anything
            cause = Message("notify.cause.error", {"error": type(error).__name__})
            found.append(report(UNKNOWN, cause))

    timeout_s = {APPRISE: APPRISE_TIMEOUT_S}.get(request["kind"], COMMAND_TIMEOUT_S + 5)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    late = Message("notify.cause.timeout", {"seconds": int(timeout_s)})
    return found[0] if found else report(UNKNOWN, late)


def main() -> None:
    """Read a request from the standard input, and print a report."""
    request = json.load(sys.stdin)
    sys.stdout.write(f"{BEGUN}\n")
    sys.stdout.flush()
    # A library may print as well.
    output, sys.stdout = sys.stdout, sys.stderr
    output.write(f"{json.dumps(_send_in_time(request))}\n")
    output.flush()
    # A thread that hangs must not keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
