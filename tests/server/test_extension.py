"""Settings, start and stop of the extension."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from emulator_harness import wait_until

from modelarts_magics.commands.keep import end_all
from modelarts_magics.config.settings import Settings
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.notifications.sinks import (
    WEBHOOK,
    SinkList,
    notify_folder,
    save_sinks,
)
from modelarts_magics.keepalive.state import is_daemon_running
from modelarts_magics.server.poll_schedule import PollSchedule
from modelarts_magics.session.store import RUN_FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import SendRequest
    from traitlets.config import Config

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService


async def test_server_polls_without_a_page(
    jp_serverapp: Any,  # noqa: ARG001 - starts the server
    emulator: LocalEmulator,
) -> None:
    """The end of a run is known before the first page opens."""
    await wait_until(lambda: emulator.requests)


async def test_stopped_server_leaves_no_task(jp_serverapp: Any, send_request: SendRequest) -> None:
    """All tasks of the poller end."""

    def at_work() -> list[str]:
        names = [str(task.get_coro()) for task in asyncio.all_tasks()]
        return [name for name in names if "Poller." in name]

    await send_request("instance")
    assert at_work()
    await jp_serverapp.extension_manager.stop_all_extensions()
    assert at_work() == []


class TestNotifications:
    """A server on whose instance an address for notifications is configured."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> Iterator[dict[str, str]]:
        """Return environment variables with a state folder that has an address, which is removed afterwards."""
        settings = Settings.load(environ=environ)
        folder = notify_folder(settings, environ)
        save_sinks(folder, SinkList().with_sink(WEBHOOK, "http://127.0.0.1:9/"))
        yield environ
        save_sinks(folder, SinkList())
        end_all(daemon_folder(settings))

    async def test_server_starts_the_daemon(
        self,
        environ: dict[str, str],
        jp_serverapp: Any,  # noqa: ARG002 - starts the server
    ) -> None:
        """No page, kernel or command is needed."""
        folder = daemon_folder(Settings.load(environ=environ))
        await wait_until(lambda: is_daemon_running(folder))


class TestSettings:
    """A server with settings in its configuration file instead of the environment."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return environment variables without the instance and the state folder."""
        taken = ("MODELARTS_INSTANCE_ID", "MODELARTS_STATE_DIR")
        return {name: value for name, value in environ.items() if name not in taken}

    @pytest.fixture
    def jp_server_config(
        self, jp_server_config: Config, emulator: LocalEmulator, tmp_path: Path
    ) -> Config:
        """Return a configuration with these settings."""
        ours = jp_server_config.ModelArtsServer
        ours.instance_id = emulator.instance_id
        ours.state_dir = str(tmp_path / "of the server")
        ours.poll_interval = 60.0
        return jp_server_config

    async def test_configuration_sets_instance_folder_and_interval(
        self,
        send_request: SendRequest,
        service: InstanceService,
        emulator: LocalEmulator,
        tmp_path: Path,
    ) -> None:
        """The server uses the settings of its configuration file."""
        got = (await send_request("instance")).body
        assert got["instance"]["id"] == emulator.instance_id
        await send_request("saved", "POST", {"stops_at_ms": 1, "saved": ["a.ipynb"]})
        folder = tmp_path / "of the server"
        assert (folder / RUN_FILE_NAME).exists()
        # The state file of the instance is in the same folder.
        assert len(list(folder.iterdir())) > 1
        assert service.poller._schedule == PollSchedule(timedelta(minutes=1), timedelta(seconds=12))
