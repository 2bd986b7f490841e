"""Simulated faults: their kinds, and the selection of those that match a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class FaultKind(NamedTuple):
    """Kind of a fault.

    Attributes:
        phase: When it acts: "instead" of handling the request, "apply" while handling it, "body"
            on the response, or "send" while sending the response.
        default: The argument if none is given.
        summary: The description for `--help`.
    """

    phase: str
    default: str
    summary: str


FAULT_KINDS: dict[str, FaultKind] = {
    "401": FaultKind("instead", "ModelArts.0202", "expired token; ARG is the code"),
    "403": FaultKind("instead", "ModelArts.0108", "not authorised; ARG is the code"),
    "404": FaultKind("instead", "APIGW.0101", "no such API; ARG is the code"),
    "429": FaultKind("instead", "", "throttled; ARG is the Retry-After header"),
    "500": FaultKind("instead", "ModelArts.0010", "internal error; ARG is the code"),
    "502": FaultKind("instead", "APIGW.0601", "bad gateway; ARG is the code"),
    "503": FaultKind("instead", "", "unavailable; ARG is the Retry-After header"),
    "html": FaultKind("instead", "200", "an HTML page; ARG is its status"),
    "redirect": FaultKind("instead", "/elsewhere", "302; ARG is the Location"),
    "reset": FaultKind("instead", "", "the connection is reset; the request is not applied"),
    "bad-json": FaultKind("send", "", "applied; the body is not JSON"),
    "empty": FaultKind("send", "", "applied; 200 with an empty body"),
    "no-content": FaultKind("send", "", "applied; 204"),
    "truncated": FaultKind("send", "", "applied; half of the body, then the connection closes"),
    "drip": FaultKind("send", "0.5", "applied; the body byte by byte, ARG seconds apart"),
    "reset-after": FaultKind("send", "", "applied; the connection is reset before the response"),
    "applied-500": FaultKind("send", "ModelArts.0010", "applied; the response is a 500"),
    "oversized": FaultKind("send", "16777216", "applied; the body has ARG bytes of padding"),
    "late-apply": FaultKind("apply", "1", "the request is applied after ARG seconds"),
    "ignored": FaultKind("apply", "", "not applied; 200 with the old values"),
    "echoed": FaultKind("apply", "", "not applied; 200 with the new values"),
    "stale": FaultKind("apply", "", "a read returns the instance as before its last write"),
    "delay": FaultKind("body", "1", "applied; the response comes ARG seconds later"),
    "wrong-types": FaultKind("body", "", "fields of the wrong type; ARG selects one field"),
    "other-value": FaultKind("body", "duration=-1", "a field has another value; ARG is NAME=JSON"),
    "no-stop-timestamp": FaultKind("body", "", "without stop_timestamp (lease: create_at)"),
    "no-remain-time": FaultKind("body", "", "without remain_time"),
    "disagreeing-remain": FaultKind("body", "600", "remain_time is ARG seconds too long"),
    "no-date": FaultKind("body", "", "without the header Date"),
}


@dataclass
class Fault:
    """Active fault.

    Attributes:
        name: A key of `FAULT_KINDS`.
        arg: Its argument.
        times: How many more requests it affects; None for all.
        methods: The HTTP methods it affects; empty for all.
        path: It affects only paths that contain this text.
        skip: How many matching requests pass first.
    """

    name: str
    arg: str
    times: int | None = None
    methods: tuple[str, ...] = ()
    path: str = ""
    skip: int = 0

    @property
    def phase(self) -> str:
        """When the fault acts, see `FaultKind`."""
        return FAULT_KINDS[self.name].phase

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault affects a request; requests to skip are counted."""
        if self.methods and method not in self.methods:
            return False
        if self.path not in path or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        return True


def make_fault(  # noqa: PLR0913 - independent filters, by keyword
    name: str,
    *,
    arg: object = None,
    times: int | None = None,
    methods: Iterable[str] = (),
    path: str = "",
    skip: int = 0,
) -> Fault:
    """Return a validated fault.

    Args:
        name: A key of `FAULT_KINDS`.
        arg: Its argument; the default of its kind if None.
        times: How many requests it affects; None for all.
        methods: The HTTP methods it affects; empty for all.
        path: It affects only paths that contain this text.
        skip: How many matching requests pass first.

    Raises:
        ValueError: The name is unknown, or the argument is not a number although it has to be.
    """
    if name not in FAULT_KINDS:
        raise ValueError(f"unknown fault {name!r}; choose from {', '.join(FAULT_KINDS)}")
    text = FAULT_KINDS[name].default if arg is None else str(arg)
    if name in ("drip", "delay", "late-apply", "disagreeing-remain", "oversized", "html"):
        float(text)
    if name == "other-value":
        json.loads(text.partition("=")[2])
    verbs = tuple(verb.upper() for verb in methods)
    return Fault(name=name, arg=text, times=times, methods=verbs, path=path, skip=skip)


def parse_fault(argument: str) -> Fault:
    """Return the fault of a command-line argument `NAME[:ARG]`."""
    name, colon, arg = argument.partition(":")
    return make_fault(name, arg=arg if colon else None)


class ActiveFaults:
    """Faults that are currently active."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Activate a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Deactivate all faults."""
        self._faults.clear()

    def take_matching(self, method: str, path: str) -> list[Fault]:
        """Return the faults that affect a request and count it; at most one each of "instead" and "send"."""
        taken: list[Fault] = []
        for fault in self._faults:
            blocked = {one.phase for one in taken} & {"instead", "send"}
            if fault.phase in blocked or not fault.matches(method, path):
                continue
            if fault.times is not None:
                fault.times -= 1
            taken.append(fault)
        self._faults = [one for one in self._faults if one.times != 0]
        return taken

    def to_json(self) -> list[dict[str, Any]]:
        """Return the active faults as JSON."""
        return [{**vars(fault), "methods": list(fault.methods)} for fault in self._faults]
