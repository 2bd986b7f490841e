"""Keep the instance until a cell that already ran has ended, as its kernel reports it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from modelarts_magics.keepalive.guards import RUNNING_CELL, remove_guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.keepalive.guards import Guard

CONNECTION_FILE = "connection_file"
"""The entry of `Guard.details` with the connection file of the kernel."""
_FIRST_REPORT_S = 15.0
"""How long to wait for the first report of a kernel."""


class KernelProgress(NamedTuple):
    """The cells of a kernel.

    Attributes:
        busy: Whether a cell runs; None if that is not known yet.
        ended: Changes when a cell ends or the kernel restarts.
    """

    busy: bool | None
    ended: tuple[int, int]


@dataclass
class _Seen:
    """The first look at a guard, and the first report of its kernel."""

    at_s: float
    ended: tuple[int, int] | None = None


class RunningCells:
    """End each guard of a running cell when the cell or its kernel has ended.

    Args:
        folder: The folder of the daemon.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, _Seen] = {}

    def update(
        self,
        guards: Sequence[Guard],
        progress: Callable[[Path], KernelProgress | None],
        now_s: float,
    ) -> None:
        """End the guards whose cell has ended.

        Args:
            guards: The guards whose work goes on.
            progress: Returns the cells of the kernel of a connection file; None if it does not run.
            now_s: The time by the monotonic clock, in seconds.
        """
        own = {guard.id: guard for guard in guards if guard.kind == RUNNING_CELL}
        self._seen = {each: seen for each, seen in self._seen.items() if each in own}
        for guard in own.values():
            seen = self._seen.setdefault(guard.id, _Seen(now_s))
            found = progress(Path(str(guard.details.get(CONNECTION_FILE))))
            if self._has_ended(seen, found, now_s):
                remove_guard(self._folder, guard)
            elif found is not None:
                seen.ended = found.ended

    def _has_ended(self, seen: _Seen, found: KernelProgress | None, now_s: float) -> bool:
        if found is None:
            return seen.ended is not None or now_s - seen.at_s > _FIRST_REPORT_S
        return found.busy is False or seen.ended not in (None, found.ended)
