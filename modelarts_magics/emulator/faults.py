"""What can go wrong, on demand: which faults there are, and which apply to a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(NamedTuple):
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


KINDS: dict[str, Kind] = {
    "401": Kind("instead", "ModelArts.0202", "expired token; ARG is the code"),
    "403": Kind("instead", "ModelArts.0108", "not authorised; ARG is the code"),
    "404": Kind("instead", "APIGW.0101", "no such API; ARG is the code"),
    "429": Kind("instead", "", "throttled; ARG is the Retry-After, none without it"),
    "500": Kind("instead", "ModelArts.0010", "internal error; ARG is the code"),
    "502": Kind("instead", "APIGW.0601", "bad gateway; ARG is the code"),
    "503": Kind("instead", "", "not available; ARG is the Retry-After, none without it"),
    "html": Kind("instead", "200", "an HTML page; ARG is its status"),
    "redirect": Kind("instead", "/elsewhere", "302; ARG is the Location"),
    "reset": Kind("instead", "", "the connection is reset and nothing is done"),
    "bad-json": Kind("send", "", "done; the body is no JSON"),
    "empty": Kind("send", "", "done; 200 with an empty body"),
    "no-content": Kind("send", "", "done; 204"),
    "truncated": Kind("send", "", "done; half the body, then the connection closes"),
    "drip": Kind("send", "0.5", "done; the body byte by byte, ARG seconds apart"),
    "reset-after": Kind("send", "", "done; the connection is reset before the answer"),
    "applied-500": Kind("send", "ModelArts.0010", "done; the answer says 500"),
    "oversized": Kind("send", "16777216", "done; the body has ARG bytes of padding"),
    "late-apply": Kind("apply", "1", "waits ARG seconds, then does it"),
    "ignored": Kind("apply", "", "200, nothing changed, and the answer shows so"),
    "echoed": Kind("apply", "", "200, the answer shows the change, nothing changed"),
    "stale": Kind("apply", "", "a read shows the instance as before its last write"),
    "delay": Kind("body", "1", "done; the answer waits ARG seconds"),
    "wrong-types": Kind("body", "", "fields of the wrong type; ARG names one of them"),
    "no-stop-timestamp": Kind("body", "", "without stop_timestamp (lease: create_at)"),
    "no-remain-time": Kind("body", "", "without remain_time"),
    "disagreeing-remain": Kind("body", "600", "remain_time is ARG seconds too long"),
    "no-date": Kind("body", "", "without the header Date"),
}


@dataclass
class Fault:
    """A fault that waits for its requests.

    Attributes:
        name: A key of `KINDS`.
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
        return KINDS[self.name].phase

    def meets(self, method: str, path: str) -> bool:
        """Tell whether it wants this request, counting those that it lets pass."""
        if self.methods and method not in self.methods:
            return False
        if self.path not in path or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        return True


def make(  # noqa: PLR0913 - each is a filter of its own, by keyword
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
    if name not in KINDS:
        raise ValueError(f"no fault {name!r}; there are {', '.join(KINDS)}")
    text = KINDS[name].default if arg is None else str(arg)
    if name in ("drip", "delay", "late-apply", "disagreeing-remain", "oversized", "html"):
        float(text)
    verbs = tuple(verb.upper() for verb in methods)
    return Fault(name=name, arg=text, times=times, methods=verbs, path=path, skip=skip)


def parse(text: str) -> Fault:
    """Return the fault of a command line's `NAME[:ARG]`."""
    name, colon, arg = text.partition(":")
    return make(name, arg=arg if colon else None)


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Take all of them back."""
        self._waiting.clear()

    def take(self, method: str, path: str) -> list[Fault]:
        """Return what a request meets, and count it; of each exclusive phase the first."""
        taken: list[Fault] = []
        for fault in self._waiting:
            blocked = {one.phase for one in taken} & {"instead", "send"}
            if fault.phase in blocked or not fault.meets(method, path):
                continue
            if fault.times is not None:
                fault.times -= 1
            taken.append(fault)
        self._waiting = [one for one in self._waiting if one.times != 0]
        return taken

    def listed(self) -> list[dict[str, Any]]:
        """Return what is in force, for the state."""
        return [{**vars(fault), "methods": list(fault.methods)} for fault in self._waiting]
