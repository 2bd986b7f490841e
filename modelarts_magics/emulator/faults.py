"""What can go wrong, on demand: which faults there are, and which apply to a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class FaultKind(NamedTuple):
    """One sort of fault.

    Attributes:
        phase: When it acts. "instead" answers in place of the cloud, "apply" changes what the
            cloud does, "body" changes the answer, "send" how it travels.
        default: Its argument if none is given.
        summary: What it does.
    """

    phase: str
    default: str
    summary: str


FAULT_KINDS: dict[str, FaultKind] = {
    "401": FaultKind("instead", "ModelArts.0202", "expired token; ARG is the code"),
    "403": FaultKind("instead", "ModelArts.0108", "not authorised; ARG is the code"),
    "404": FaultKind("instead", "APIGW.0101", "no such API; ARG is the code"),
    "429": FaultKind("instead", "", "throttled; ARG is the Retry-After, none without it"),
    "500": FaultKind("instead", "ModelArts.0010", "internal error; ARG is the code"),
    "502": FaultKind("instead", "APIGW.0601", "bad gateway; ARG is the code"),
    "503": FaultKind("instead", "", "not available; ARG is the Retry-After, none without it"),
    "html": FaultKind("instead", "200", "an HTML page; ARG is its status"),
    "redirect": FaultKind("instead", "/elsewhere", "302; ARG is the Location"),
    "reset": FaultKind("instead", "", "the connection is reset and nothing is done"),
    "bad-json": FaultKind("send", "", "done; the body is no JSON"),
    "empty": FaultKind("send", "", "done; 200 with an empty body"),
    "no-content": FaultKind("send", "", "done; 204"),
    "truncated": FaultKind("send", "", "done; half the body, then the connection closes"),
    "drip": FaultKind("send", "0.5", "done; the body byte by byte, ARG seconds apart"),
    "reset-after": FaultKind("send", "", "done; the connection is reset before the answer"),
    "applied-500": FaultKind("send", "ModelArts.0010", "done; the answer says 500"),
    "oversized": FaultKind("send", "16777216", "done; the body has ARG bytes of padding"),
    "late-apply": FaultKind("apply", "1", "waits ARG seconds, then does it"),
    "ignored": FaultKind("apply", "", "200, nothing changed, and the answer shows so"),
    "echoed": FaultKind("apply", "", "200, the answer shows the change, nothing changed"),
    "stale": FaultKind("apply", "", "a read shows the instance as before its last write"),
    "delay": FaultKind("body", "1", "done; the answer waits ARG seconds"),
    "wrong-types": FaultKind("body", "", "fields of the wrong type; ARG names one of them"),
    "no-stop-timestamp": FaultKind("body", "", "without stop_timestamp (lease: create_at)"),
    "no-remain-time": FaultKind("body", "", "without remain_time"),
    "disagreeing-remain": FaultKind("body", "600", "remain_time is ARG seconds too long"),
    "no-date": FaultKind("body", "", "without the header Date"),
}


@dataclass
class Fault:
    """A fault that waits for its requests.

    Attributes:
        name: A key of `FAULT_KINDS`.
        arg: Its argument.
        times: How many more requests it meets; None for all.
        methods: The verbs it meets; empty for all.
        path: It meets only paths that contain this.
        skip: How many matching requests it lets pass first.
    """

    name: str
    arg: str
    times: int | None = None
    methods: tuple[str, ...] = ()
    path: str = ""
    skip: int = 0

    @property
    def phase(self) -> str:
        """When it acts."""
        return FAULT_KINDS[self.name].phase

    def matches(self, method: str, path: str) -> bool:
        """Tell whether it wants this request, counting those that it lets pass."""
        if self.methods and method not in self.methods:
            return False
        if self.path not in path or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        return True


def make_fault(  # noqa: PLR0913 - each is a filter of its own, by keyword
    name: str,
    *,
    arg: object = None,
    times: int | None = None,
    methods: Iterable[str] = (),
    path: str = "",
    skip: int = 0,
) -> Fault:
    """Return a fault, checked.

    Raises:
        ValueError: The name is unknown, or the argument is no number where it has to be one.
    """
    if name not in FAULT_KINDS:
        raise ValueError(f"no fault {name!r}; there are {', '.join(FAULT_KINDS)}")
    text = FAULT_KINDS[name].default if arg is None else str(arg)
    if name in ("drip", "delay", "late-apply", "disagreeing-remain", "oversized", "html"):
        float(text)
    verbs = tuple(verb.upper() for verb in methods)
    return Fault(name=name, arg=text, times=times, methods=verbs, path=path, skip=skip)


def parse_fault(argument: str) -> Fault:
    """Return the fault of a command line's `NAME[:ARG]`."""
    name, colon, arg = argument.partition(":")
    return make_fault(name, arg=arg if colon else None)


class ActiveFaults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Take all of them back."""
        self._faults.clear()

    def take_matching(self, method: str, path: str) -> list[Fault]:
        """Return what a request meets, and count it; of each exclusive phase the first."""
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
        """Return what is in force, for the state."""
        return [{**vars(fault), "methods": list(fault.methods)} for fault in self._faults]
