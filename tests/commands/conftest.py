"""Fixtures of the tests of the commands."""

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
    """Return a function that starts an emulator with options; all are stopped after the test."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: Callable[..., EmulatorHarness]) -> EmulatorHarness:
    """Return an emulator with default options."""
    return make_harness()
