"""Time several calls side by side, and say what came of it."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Times = dict[str, list[float]]
"""Seconds, by the name of what was timed."""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was timed.
        ours: What this package takes, in seconds or `unit`.
        other: What the alternative takes; None where there is none.
        alternative: What the alternative is.
        maximum: What `ours` may be at most.
        max_ratio: What `ours` may be at most, as a multiple of `other`.
        unit: What is counted, where that is not seconds.
    """

    name: str
    ours: float
    other: float | None = None
    alternative: str = ""
    maximum: float | None = None
    max_ratio: float | None = None
    unit: str = ""

    @property
    def ratio(self) -> float | None:
        """`ours` as a multiple of `other`."""
        return self.ours / self.other if self.other else None

    @property
    def verdict(self) -> str:
        """Return ``ok``, ``MISSED``, or "" where nothing is demanded."""
        if self.maximum is None and self.max_ratio is None:
            return ""
        slow = self.maximum is not None and self.ours > self.maximum
        slower = self.max_ratio is not None and (self.ratio or 0.0) > self.max_ratio
        return "MISSED" if slow or slower else "ok"


def time_interleaved(calls: Mapping[str, Callable[[], object]], *, rounds: int) -> Times:
    """Time each call once a round, so that what disturbs the machine disturbs them alike.

    The order turns by one each round: none always follows the same other.
    """
    times: Times = {name: [] for name in calls}
    names = list(calls)
    for name in names:
        calls[name]()
    gc.collect()
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            begun = perf_counter()
            calls[name]()
            times[name].append(perf_counter() - begun)
    return times


def medians(times: Times) -> dict[str, float]:
    """Return the median of each."""
    return {name: median(each) for name, each in times.items()}


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text, in columns."""
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
        else f"{_formatted(figure.other, figure.unit)} {figure.alternative}"
    )
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
    targets = [] if figure.maximum is None else [f"<= {_formatted(figure.maximum, figure.unit)}"]
    targets += [] if figure.max_ratio is None else [f"<= {figure.max_ratio:g} x"]
    return (
        figure.name,
        _formatted(figure.ours, figure.unit),
        other,
        ratio,
        ", ".join(targets),
        figure.verdict,
    )


def _formatted(value: float, unit: str) -> str:
    if unit:
        return f"{value:g} {unit}"
    if value < 1e-3:
        return f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"
