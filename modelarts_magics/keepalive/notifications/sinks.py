"""The sinks: the addresses and commands that notifications are sent to, and the events that are turned off.

They are in a folder that survives a stop, in a file with mode 0600. An address is a secret, because anyone who
knows it can send messages with it: only `Sink.target` has it, and everything else shows `Sink.label`.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.notify_folder import FILE_NAME, FOLDER_NAME
from modelarts_magics.config.private_file import private_status, read_private_object
from modelarts_magics.config.settings import is_loopback
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.errors import InputError, ModelArtsError, RefusedError
from modelarts_magics.messages import join_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings

FORMAT_VERSION = 1
WEBHOOK, APPRISE, COMMAND = "webhook", "apprise", "command"
"""The kinds of sinks."""
TIME_LEFT, STOPPING, BOUND_NEAR = "time-left", "stopping", "bound-near"
TROUBLE, LAST_RUN = "keepalive-trouble", "last-run"
JOB_FINISHED, JOB_FAILED = "job-finished", "job-failed"
EVENTS = (TIME_LEFT, TROUBLE, JOB_FINISHED, JOB_FAILED, BOUND_NEAR, STOPPING, LAST_RUN)
"""The events that can be turned on and off."""
EXTRA_PACKAGE = "apprise"
_PLAIN_SCHEMES = {"json": "jsons", "xml": "xmls", "form": "forms"}
"""The addresses of Apprise that send to any host without TLS, and those with it."""
_MAX_ADDRESS_LENGTH = 2000


@dataclass(frozen=True)
class Sink:
    """Something that notifications are sent to.

    Attributes:
        id: A small number, which the commands take.
        kind: `WEBHOOK`, `APPRISE` or `COMMAND`.
        target: The address, which is a secret, or the command.
        python: The interpreter in whose environment the sink was added, which has Apprise.
    """

    id: str
    kind: str
    target: str = field(repr=False)
    python: str = ""

    @property
    def label(self) -> str:
        """The part that may be shown: the host of a webhook, the scheme of another address, or the command."""
        if self.kind == COMMAND:
            return self.target
        parts = urlsplit(self.target)
        if self.kind == WEBHOOK:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"
        return f"{self.target.partition('://')[0]}://…"


@dataclass(frozen=True)
class SinkList:
    """All sinks.

    Attributes:
        sinks: The sinks, oldest first.
        muted: The events that are turned off.
        next_id: The number of the next sink.
    """

    sinks: tuple[Sink, ...] = ()
    muted: frozenset[str] = frozenset()
    next_id: int = 1

    def find(self, sink_id: str) -> Sink:
        """Return the sink with a number.

        Raises:
            InputError: There is none.
        """
        found = next((each for each in self.sinks if each.id == sink_id), None)
        if found is None:
            raise InputError("notify.unknown_sink", id=sink_id)
        return found

    def with_sink(self, kind: str, target: str) -> SinkList:
        """Return the list with one more sink.

        Raises:
            RefusedError: It is in the list.
        """
        if any((each.kind, each.target) == (kind, target) for each in self.sinks):
            raise RefusedError("notify.exists")
        added = Sink(str(self.next_id), kind, target, sys.executable)
        return replace(self, sinks=(*self.sinks, added), next_id=self.next_id + 1)

    def without_sink(self, sink_id: str) -> SinkList:
        """Return the list without a sink.

        Raises:
            InputError: There is no such sink.
        """
        removed = self.find(sink_id)
        return replace(self, sinks=tuple(each for each in self.sinks if each != removed))

    def with_events(self, names: frozenset[str], *, on: bool) -> SinkList:
        """Return the list with events turned on or off."""
        return replace(self, muted=self.muted - names if on else self.muted | names)


def notify_folder(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return the folder of the sinks and of what is to be sent, which may not exist yet."""
    return surviving_folder(settings, environ) / FOLDER_NAME


def has_sinks(folder: Path) -> bool:
    """Return whether there is a sink."""
    return (folder / FILE_NAME).exists() and bool(load_sinks(folder).sinks)


def load_sinks(folder: Path) -> SinkList:
    """Return the sinks; none if there is no file, or if others may have written it."""
    data = read_private_object(folder / FILE_NAME, version=FORMAT_VERSION)
    try:
        sinks = tuple(
            Sink(str(each["id"]), str(each["kind"]), str(each["target"]), str(each["python"]))
            for each in data["sinks"]
        )
        return SinkList(sinks, frozenset(map(str, data["muted"])), int(data["next_id"]))
    except (KeyError, TypeError, ValueError):
        return SinkList()


def save_sinks(folder: Path, found: SinkList) -> None:
    """Write the sinks with mode 0600.

    Raises:
        ModelArtsError: The file cannot be written.
    """
    data = {
        "version": FORMAT_VERSION,
        "next_id": found.next_id,
        "muted": sorted(found.muted),
        "sinks": [
            {"id": each.id, "kind": each.kind, "target": each.target, "python": each.python}
            for each in found.sinks
        ],
    }
    try:
        replace_object(folder / FILE_NAME, data)
    except OSError:
        raise ModelArtsError("notify.not_writable", path=str(folder / FILE_NAME)) from None


def is_readable_by_others(folder: Path) -> bool:
    """Return whether other users can read the addresses, for example on a file system without modes."""
    status = private_status(folder / FILE_NAME)
    shared = stat.S_IRGRP | stat.S_IROTH
    return os.name == "posix" and status is not None and bool(status.st_mode & shared)


def parse_address(text: str) -> tuple[str, str]:
    """Return kind and target of an address; an error never repeats it.

    Raises:
        InputError: It is no address, or not encrypted.
        RefusedError: It needs the extra ``notify``.
    """
    address = text.strip()
    scheme, separator, rest = address.partition("://")
    scheme = scheme.lower()
    is_text = address.isprintable() and not any(map(str.isspace, address))
    if not (scheme and separator and rest and is_text) or len(address) > _MAX_ADDRESS_LENGTH:
        raise InputError("notify.address")
    if scheme in ("http", "https"):
        return WEBHOOK, _check_webhook(address, scheme)
    _check_plain_scheme(address, scheme)
    if find_spec(EXTRA_PACKAGE) is None:
        raise RefusedError("notify.needs_extra", scheme=scheme, python=sys.executable)
    return APPRISE, address


def _check_webhook(address: str, scheme: str) -> str:
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        has_host = False
    if not has_host:
        raise InputError("notify.address")
    if scheme == "http" and not is_loopback(address):
        raise InputError("notify.address_plain", scheme="http", secure="https")
    return address.partition("#")[0]


def _check_plain_scheme(address: str, scheme: str) -> None:
    secure = _PLAIN_SCHEMES.get(scheme)
    if secure is not None and not is_loopback(address):
        raise InputError("notify.address_plain", scheme=scheme, secure=secure)


def parse_events(words: tuple[str, ...]) -> frozenset[str]:
    """Return the events of the words; ``all`` stands for each of them.

    Raises:
        InputError: A word is no event, or there is none.
    """
    unknown = [word for word in words if word not in (*EVENTS, "all")]
    if unknown or not words:
        word = unknown[0] if unknown else ""
        raise InputError("notify.event", word=word, events=join_list((*EVENTS, "all")))
    return frozenset(EVENTS) if "all" in words else frozenset(words)
