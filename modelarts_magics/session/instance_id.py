"""Collect candidates for the ID of this instance; the API confirms them.

Source: observed on instances, not documented, so a candidate counts only after confirmation.
"""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.config.jupyter_folders import jupyter_runtime_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HOSTNAME_PATTERN = rf"(?ai)notebook-({_UUID})"
_ID_PATTERN = rf"(?ai)(?<![0-9a-f-])((?:DE-)?{_UUID})(?![0-9a-f-])"
_VARIABLES = ("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVER_NAME", "JUPYTERHUB_USER")
_MAX_SERVER_FILES = 5
"""The number of server files to read, the newest first."""


class Candidate(NamedTuple):
    """A possible ID of this instance.

    Attributes:
        instance_id: The ID.
        source: Where it was found.
    """

    instance_id: str
    source: str


def find_candidates(
    environ: Mapping[str, str], *, hostname: str | None = None
) -> tuple[Candidate, ...]:
    """Return all possible IDs of this instance, each once, the most likely first.

    Args:
        environ: The environment variables.
        hostname: The host name; None for that of this machine.
    """
    found: dict[str, Candidate] = {}
    for source, text, pattern in _candidate_sources(environ, hostname or socket.gethostname()):
        match = re.search(pattern, text)
        if match:
            instance_id = _normalize_id(match[1])
            found.setdefault(instance_id, Candidate(instance_id, source))
    return tuple(found.values())


def _candidate_sources(environ: Mapping[str, str], hostname: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each source, its text and the pattern of an ID in it."""
    yield "host name", hostname, _HOSTNAME_PATTERN
    if environ.get("HOSTNAME"):
        yield "HOSTNAME", environ["HOSTNAME"], _HOSTNAME_PATTERN
    for name in _VARIABLES:
        yield name, environ.get(name, ""), _ID_PATTERN
    for base_url in _base_urls(environ):
        yield "Jupyter server", base_url, _ID_PATTERN


def _base_urls(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the base URLs of the user's Jupyter servers, from their runtime files."""
    folder = jupyter_runtime_folder(environ)
    files = sorted(folder.glob("jpserver-*.json"), key=_newest_first)[:_MAX_SERVER_FILES]
    for path in files:
        try:
            # A pipe would block.
            content = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
            base_url = json.loads(content).get("base_url")
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
        if isinstance(base_url, str):
            yield base_url


def _newest_first(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


def _normalize_id(instance_id: str) -> str:
    prefix = "DE-" if instance_id[:3].upper() == "DE-" else ""
    return prefix + instance_id[len(prefix) :].lower()
