"""Shut down the kernel of this process through its Jupyter server.

A kernel that just exits is restarted by the server. The server's address and token are in a file that it writes
for programs of the same user.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TIMEOUT_S = 10.0
_CONNECTION_FILE = re.compile(r"^kernel-(?P<id>[\w-]+)\.json$")
_ANY_ADDRESS = ("", "*", "0.0.0.0", "::", "localhost")  # noqa: S104 - to recognise it, not to listen
_XSRF = "modelarts"


def shut_down_own_kernel(connection_file: Path, *, server_pid: int | None = None) -> bool:
    """Ask the server to shut down the kernel with this connection file.

    Args:
        connection_file: The file of the kernel, whose name has its ID.
        server_pid: The process of the server; None for the parent of this one.

    Returns:
        Whether the server has accepted this.
    """
    found = _CONNECTION_FILE.match(connection_file.name)
    if found is None:
        return False
    pid = os.getppid() if server_pid is None else server_pid
    return any(
        _delete(info, f"api/kernels/{found['id']}")
        for info in _servers(connection_file.parent, pid)
    )


def _servers(runtime: Path, pid: int) -> Iterator[Mapping[str, Any]]:
    """Yield what the server with this process ID has written about itself."""
    for name in (f"jpserver-{pid}.json", f"nbserver-{pid}.json"):
        try:
            info = json.loads((runtime / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(info, dict):
            yield info


def _delete(info: Mapping[str, Any], path: str) -> bool:
    host = str(info.get("hostname") or "")
    host = "127.0.0.1" if host in _ANY_ADDRESS else host
    port = int(info.get("port") or 0)
    headers = {"Cookie": f"_xsrf={_XSRF}", "X-XSRFToken": _XSRF}
    if info.get("token"):
        headers["Authorization"] = f"token {info['token']}"
    # The certificate of a server on this machine is made for another name.
    context = ssl._create_unverified_context() if info.get("secure") else None  # noqa: S323, SLF001 - see above
    connection = (
        HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        if context
        else HTTPConnection(host, port, timeout=TIMEOUT_S)
    )
    try:
        connection.request("DELETE", f"{info.get('base_url', '/')}{path}", headers=headers)
        return 200 <= connection.getresponse().status < 300  # noqa: PLR2004 - the range of success
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
