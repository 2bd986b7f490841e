"""What a page reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from conftest import Ask

    from modelarts_magics.emulator.local import LocalEmulator


async def test_a_page_gets_everything_it_shows(ask: Ask, emulator: LocalEmulator) -> None:
    """Also the first one of a server."""
    got = await ask("instance")
    print(got)
    assert got.status == 200
