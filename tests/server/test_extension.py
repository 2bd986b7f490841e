"""What a server does with its settings, and at its start and end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from emulator_harness import wait_until

from modelarts_magics.server.poll_schedule import PollSchedule
from modelarts_magics.server.run_store import FILE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SendRequest
    from traitlets.config import Config

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService


async def test_a_server_that_no_page_opens_looks_by_itself(
    jp_serverapp: Any,  # noqa: ARG001 - it runs
    emulator: LocalEmulator,
) -> None:
    """So that the first page after a stop is told how the run ended."""
    await wait_until(lambda: emulator.requests)


async def test_a_server_that_ends_leaves_nothing_at_work(
    jp_serverapp: Any, send_request: SendRequest
) -> None:
    """Neither who asks the cloud nor who looks at the store."""

    def at_work() -> list[str]:
        names = [str(task.get_coro()) for task in asyncio.all_tasks()]
        return [name for name in names if "Poller." in name]

    await send_request("instance")
    assert at_work()
    await jp_serverapp.extension_manager.stop_all_extensions()
    assert at_work() == []


class TestSettings:
    """A server whose configuration file says what the environment does not."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return an environment without the instance and the folder."""
        taken = ("MODELARTS_INSTANCE_ID", "MODELARTS_STATE_DIR")
        return {name: value for name, value in environ.items() if name not in taken}

    @pytest.fixture
    def jp_server_config(
        self, jp_server_config: Config, emulator: LocalEmulator, tmp_path: Path
    ) -> Config:
        """Return a configuration with them."""
        ours = jp_server_config.ModelArtsServer
        ours.instance_id = emulator.instance_id
        ours.state_dir = str(tmp_path / "of the server")
        ours.poll_interval = 60.0
        return jp_server_config

    async def test_they_are_what_it_goes_by(
        self,
        send_request: SendRequest,
        service: InstanceService,
        emulator: LocalEmulator,
        tmp_path: Path,
    ) -> None:
        """Which instance, where its state is kept, and how often the cloud is asked."""
        got = (await send_request("instance")).body
        assert got["instance"]["id"] == emulator.instance_id
        await send_request("saved", "POST", {"stops_at_ms": 1, "saved": ["a.ipynb"]})
        folder = tmp_path / "of the server"
        assert (folder / FILE_NAME).exists()
        assert len(list(folder.iterdir())) > 1  # what is known of the instance is there, too
        assert service.poller._schedule == PollSchedule(timedelta(minutes=1), timedelta(seconds=12))
