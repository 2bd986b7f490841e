"""Fixtures of the command layer's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import pytest
from stage import Stage, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _words() -> Iterator[None]:
    with plain_words():
        yield


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Make stages with options, and close them afterwards."""
    made: list[Stage] = []

    def make(**options: object) -> Stage:
        made.append(Stage(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    """Return a stage of the seed's edition."""
    return make_stage()
