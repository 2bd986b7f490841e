"""Cells of test matrices: a few of them run in `make test`, all of them in `make soak`."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Callable

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _pytest.mark import ParameterSet


def all_pairs(*axes: Sequence[Any], name: Callable[[Any], str] = str) -> list[ParameterSet]:
    """Return the product of the axes for `pytest.mark.parametrize`; most cells are marked `soak`.

    The cells without the mark are chosen so that, of three axes, every value still meets every value
    of each other axis; as many cells remain as the product of the first two axes has. Of two axes,
    every value remains at least once.

    Args:
        axes: The values of each argument; no axis is shorter than the last one.
        name: Returns the part of a cell's id for a value.
    """
    last = axes[-1]
    cells = []
    for places in product(*(range(len(axis)) for axis in axes)):
        values = [axis[place] for axis, place in zip(axes, places)]
        chosen = sum(places[:-1]) % len(last) == places[-1]
        marks = () if chosen else (pytest.mark.soak,)
        cells.append(pytest.param(*values, id="-".join(map(name, values)), marks=marks))
    return cells


def first(values: Sequence[Any], count: int = 1) -> list[ParameterSet]:
    """Return parameters for one argument; those after the first ones are marked `soak`."""
    return [
        pytest.param(each, id=str(each), marks=() if n < count else (pytest.mark.soak,))
        for n, each in enumerate(values)
    ]
