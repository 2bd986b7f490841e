"""HTTP server on loopback with canned responses of both APIs, over persistent connections.

It is a program of its own, so that it shares no interpreter lock with the measured code. It prints its port
and serves until its standard input is closed. Every GET returns one instance; if the last part of the path
is `CHANGING_ID`, its description is different each time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from email.utils import formatdate
from typing import Any

HOST = "127.0.0.1"
UNCHANGING_ID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
CHANGING_ID = "changing"
INSTANCE_NAME = "bench-instance"
PROJECT_ID = "0123456789abcdef0123456789abcdef"
_RUN_S = 3600
_STARTED = int(time.time())


def demanager(number: int) -> dict[str, Any]:
    """Return an instance of the `demanager` API with auto-stop enabled."""
    left = _STARTED + _RUN_S - int(time.time())
    return {
        "id": UNCHANGING_ID,
        "name": INSTANCE_NAME,
        "description": f"training run {number:09d}",
        "status": "RUNNING",
        "creation_timestamp": f"{_STARTED * 1000 - 86_400_000}",
        "profile": {
            "id": "Multi-Engine 1.0 (Python3)",
            "name": "multi-engine",
            "description": "several engines, Python 3",
            "de_type": "Notebook",
            "provision": {
                "type": "Docker",
                "spec": {
                    "engine": "CCE",
                    "params": {
                        "namespace": "atelier",
                        "image_name": "engines",
                        "image_tag": "4",
                        "annotations": None,
                    },
                },
                "annotations": "NULL",
            },
            "labels": {"kind": "bench"},
        },
        "flavor": "modelarts.vm.cpu.2u",
        "spec": {
            "storage": {"type": "obs", "location": {"path": "bucket/bench/"}},
            "auto_stop": {
                "enable": True,
                "duration": _RUN_S,
                "prompt": True,
                "stop_timestamp": (_STARTED + _RUN_S) * 1000,
                "remain_time": left,
            },
            "annotations": {"url": f"https://notebook.example.com/user/{UNCHANGING_ID}"},
        },
        "workspace": {"id": "0"},
    }


def notebooks(number: int) -> dict[str, Any]:
    """Return an instance of the `notebooks` API with an active lease."""
    started_ms = _STARTED * 1000
    return {
        "id": UNCHANGING_ID,
        "name": INSTANCE_NAME,
        "description": f"training run {number:09d}",
        "status": "RUNNING",
        "actions": ["SSH"],
        "action_progress": [{"step": 1, "status": "SUCCESS", "description": "ready"}],
        "create_at": started_ms,
        "update_at": started_ms,
        "endpoints": [{"service": "NOTEBOOK", "uri": "https://notebook.example.com/"}],
        "fail_reason": "",
        "feature": "NOTEBOOK",
        "flavor": "modelarts.vm.cpu.2u",
        "image": {
            "id": "e1a07296-22a8-4f05-8bc8-e936c8e54090",
            "name": "multi-engine",
            "swr_path": "registry.example.com/engines:4",
            "tag": "4",
            "type": "BUILD_IN",
            "visibility": "PUBLIC",
        },
        "lease": {
            "create_at": started_ms,
            "duration": _RUN_S * 1000,
            "enable": True,
            "type": "TIMING",
            "update_at": started_ms,
        },
        "pool": {"id": "pool-1", "name": "shared", "type": "USER_DEFINED"},
        "token": "to-be-dropped",
        "url": "https://notebook.example.com/",
        "volume": {
            "capacity": 5,
            "category": "EVS",
            "mount_path": "/home/ma-user/work/",
            "ownership": "MANAGED",
            "status": "MOUNTED",
        },
        "workspace_id": "0",
    }


_INSTANCES = {b"demanager": demanager, b"notebooks": notebooks}


class CannedResponses:
    """Encoded responses; unchanging ones are built once a second, with the current `Date`."""

    def __init__(self) -> None:
        self._second = 0
        self._cache: dict[bytes, bytes] = {}
        self._date = b""
        self._number = 0

    def get(self, path: bytes) -> bytes:
        """Return the whole response to a GET."""
        now = int(time.time())
        if now != self._second:
            self._second, self._date = now, formatdate(now, usegmt=True).encode()
            self._cache.clear()
        if path.endswith(CHANGING_ID.encode()):
            self._number += 1
            return self._build(path)
        if path not in self._cache:
            self._cache[path] = self._build(path)
        return self._cache[path]

    def _build(self, path: bytes) -> bytes:
        api = next((api for api in _INSTANCES if b"/" + api + b"/" in path), b"demanager")
        number = self._number if path.endswith(CHANGING_ID.encode()) else 0
        instance = {**_INSTANCES[api](number), "id": path.rpartition(b"/")[2].decode()}
        body = json.dumps(instance).encode()
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: bench\r\n"
            b"Date: %b\r\nContent-Length: %d\r\n\r\n"
        )
        return head % (self._date, len(body)) + body


class HttpConnection(asyncio.Protocol):
    """Persistent connection; requests have no body."""

    def __init__(self, responses: CannedResponses) -> None:
        self._responses = responses
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Save the transport."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            request, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
            path = request.split(b" ", 2)[1].split(b"?", 1)[0]
            self._transport.write(self._responses.get(path))


async def serve() -> None:
    """Serve until standard input is closed."""
    loop = asyncio.get_running_loop()
    responses = CannedResponses()
    server = await loop.create_server(lambda: HttpConnection(responses), HOST, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
