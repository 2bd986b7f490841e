"""Interleaved timing of several calls, and the table of figures."""

from __future__ import annotations

import gc
import resource
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Times = dict[str, list[float]]
"""Seconds of each round, by the name of the call."""


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        name: The measured quantity.
        ours: The value of this package, in seconds or `unit`.
        other: The value of the alternative; None if there is none.
        alternative: The name of the alternative.
        maximum: The target: the highest accepted value.
        max_ratio: The target: the highest accepted ratio of `ours` to `other`.
        is_either: Whether one of the two targets is enough: other load makes a CPU time longer, and not the ratio.
        unit: The unit if it is not seconds.
    """

    name: str
    ours: float
    other: float | None = None
    alternative: str = ""
    maximum: float | None = None
    max_ratio: float | None = None
    unit: str = ""
    is_either: bool = False

    @property
    def ratio(self) -> float | None:
        """`ours` divided by `other`."""
        return self.ours / self.other if self.other else None

    @property
    def verdict(self) -> str:
        """Return "ok" or "MISSED", or "" without a target."""
        if self.maximum is None and self.max_ratio is None:
            return ""
        too_high = self.maximum is not None and self.ours > self.maximum
        ratio_too_high = self.max_ratio is not None and (self.ratio or 0.0) > self.max_ratio
        is_missed = too_high and ratio_too_high if self.is_either else too_high or ratio_too_high
        return "MISSED" if is_missed else "ok"


def child_cpu_time() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def time_interleaved(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = perf_counter,
) -> Times:
    """Time each call once per round, so that other load affects all of them alike.

    The order rotates by one each round, so that no call always follows the same other call.

    Args:
        calls: The calls by name; each is called once before the first round.
        rounds: How many rounds.
        clock: Returns seconds; pass a CPU clock to leave out waiting.
    """
    times: Times = {name: [] for name in calls}
    names = list(calls)
    for name in names:
        calls[name]()
    gc.collect()
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            start = clock()
            calls[name]()
            times[name].append(clock() - start)
    return times


def medians(times: Times) -> dict[str, float]:
    """Return the median of each call."""
    return {name: median(each) for name, each in times.items()}


def least_disturbed(times: Times) -> dict[str, float]:
    """Return the tenth percentile of each call: other load has affected these rounds least."""
    return {name: sorted(each)[len(each) // 10] for name, each in times.items()}


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text in columns."""
    rows = [("figure", "ours", "alternative", "ratio", "target", "")]
    rows += [_table_row(figure) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def _table_row(figure: Figure) -> tuple[str, str, str, str, str, str]:
    other = (
        ""
        if figure.other is None
        else f"{_format_value(figure.other, figure.unit)} {figure.alternative}"
    )
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
    targets = [] if figure.maximum is None else [f"<= {_format_value(figure.maximum, figure.unit)}"]
    targets += [] if figure.max_ratio is None else [f"<= {figure.max_ratio:g} x"]
    return (
        figure.name,
        _format_value(figure.ours, figure.unit),
        other,
        ratio,
        (" or " if figure.is_either else ", ").join(targets),
        figure.verdict,
    )


def _format_value(value: float, unit: str) -> str:
    if unit:
        return f"{value:g} {unit}"
    if abs(value) < 1e-3:
        return f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.3g} ms" if abs(value) < 1 else f"{value:.2f} s"
