"""Fixtures of the command layer's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import EmulatorHarness, english_messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _english_messages() -> Iterator[None]:
    with english_messages():
        yield


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., EmulatorHarness]]:
    """Make stages with options, and close them afterwards."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def harness(make_harness: Callable[..., EmulatorHarness]) -> EmulatorHarness:
    """Return a stage of the seed's edition."""
    return make_harness()
