"""A source of activity: something on this machine that may be working."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KERNEL, TERMINAL, PROCESS, GPU, NPU = "kernel", "terminal", "process", "gpu", "npu"
"""The kinds of sources."""


@dataclass(frozen=True)
class Source:
    """Something that may be working, as it was found at the last look.

    Attributes:
        kind: One of the kinds above.
        name: The name to show, for example ``train.ipynb``.
        busy: Whether it works; None if that cannot be known.
        since: Since when, aware, by the clock of the API; for work that was already going on, since when it is
            watched.
        reason: The finding, to show.
        counts: False for a program that runs but does not count as work, such as an editor.
        pids: The processes that belong to it.
        worker: The process that works; None if it is not known.
    """

    kind: str
    name: str
    busy: bool | None
    since: datetime
    reason: Message
    counts: bool = True
    pids: frozenset[int] = field(default_factory=frozenset, compare=False)
    worker: int | None = field(default=None, compare=False)

    def describe(self) -> Message:
        """Return the source with its finding, such as “train.ipynb: cell [14]”."""
        code = "activity.terminal_source" if self.kind == TERMINAL else "activity.source"
        return Message(code, {"name": self.name, "reason": self.reason})

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``activity --json`` shows."""
        return {
            "kind": self.kind,
            "name": self.name,
            "busy": self.busy,
            "since": self.since.isoformat(timespec="seconds"),
            "reason": str(self.reason),
        }

    def to_state(self) -> dict[str, Any]:
        """Return the fields of the state file, whose readers word the reason in their own language."""
        return {
            **self.to_json(),
            "since": self.since.isoformat(),
            "reason": {"code": self.reason.code, "values": dict(self.reason.values)},
            "counts": self.counts,
            "pids": sorted(self.pids),
            "worker": self.worker,
        }

    @classmethod
    def from_state(cls, data: Mapping[str, Any]) -> Source:
        """Return the source in a state file.

        Raises:
            KeyError: A field is missing.
            ValueError: The time is invalid.
        """
        reason = data["reason"]
        return cls(
            kind=data["kind"],
            name=data["name"],
            busy=data["busy"],
            since=datetime.fromisoformat(data["since"]),
            reason=Message(reason["code"], reason["values"]),
            counts=data["counts"],
            pids=frozenset(data["pids"]),
            worker=data["worker"],
        )


class UnreadableError(Exception):
    """The sources of a kind cannot be read.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: Message) -> None:
        super().__init__(reason.code)
        self.reason = reason


def is_anything_busy(sources: Iterable[Source]) -> bool | None:
    """Return whether anything works; None if nothing is known to work, but something cannot be known."""
    states = {source.busy for source in sources}
    return True if True in states else (None if None in states else False)
