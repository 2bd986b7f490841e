"""The notification before a stop that the user asks for, with a daemon in this process and a webhook."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from background import repeated
from webhook_receiver import receiver

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import wait_until
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.launch import make_handover
from modelarts_magics.keepalive.marks.component import create_marks
from modelarts_magics.keepalive.notifications.announce import announce_stop
from modelarts_magics.keepalive.notifications.component import create_notifier
from modelarts_magics.keepalive.notifications.sinks import (
    STOPPING,
    WEBHOOK,
    SinkList,
    notify_folder,
    save_sinks,
)
from modelarts_magics.keepalive.process import make_daemon
from modelarts_magics.keepalive.record_lock import RecordLock
from modelarts_magics.keepalive.requests import announced_stop
from modelarts_magics.keepalive.state import LOCK_FILE, read_state
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modelarts_magics.messages import Message
    from modelarts_magics.session.session import Session

pytestmark = pytest.mark.process


@contextmanager
def running_daemon(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Run a daemon that only notifies, and acts before a stop."""
    folder.mkdir(parents=True)
    lock = RecordLock(folder / LOCK_FILE)
    assert lock.acquire()
    factories = {"marks": create_marks, "notifications": create_notifier}
    daemon, interval_s = make_daemon(folder, make_handover(session), environ, factories=factories)
    try:
        with repeated(daemon.run_pass, interval_s=interval_s):
            assert wait_until(lambda: read_state(folder), timeout_s=30)
            yield
    finally:
        daemon.close()
        lock.release()


def test_announcement_arrives_before_the_stop(tmp_path: Path) -> None:
    """It is sent while the instance still runs; without a sink for it nothing waits or is written."""
    with (
        LocalEmulator(minutes_left=200, time_scale=10) as emulator,
        receiver(204, {}) as (address, received),
    ):
        environ = {**emulator.environment(), "HOME": str(tmp_path), "MODELARTS_LANGUAGE": "en"}
        environ["MODELARTS_STATE_DIR"] = str(tmp_path / "state")
        settings = Settings.load(environ=environ)
        folder, shared_folder = daemon_folder(settings), notify_folder(settings, environ)
        sinks = SinkList().with_sink(WEBHOOK, address)
        save_sinks(shared_folder, sinks.with_events(frozenset([STOPPING]), on=False))
        with (
            open_session(settings, environ=environ) as session,
            running_daemon(session, folder, environ),
        ):
            session.refresh()
            announce_stop(session, environ)
            assert announced_stop(folder) is None
            save_sinks(shared_folder, sinks)
            announce_stop(session, environ)
            assert announced_stop(folder) is not None
            assert wait_until(lambda: received, timeout_s=30)
            session.stop()
    (document,) = [json.loads(body) for _, body in received]
    assert document["event"] == "stopping"
    assert document["text"].startswith("You asked to stop the instance")


def test_command_has_ended_before_the_stop(tmp_path: Path) -> None:
    """The stop waits for it, says so, and says what came of it; its mark is not the time before auto-stop."""
    saved = tmp_path / "saved"
    with LocalEmulator(minutes_left=200, time_scale=10) as emulator:
        environ = {**emulator.environment(), "HOME": str(tmp_path), "MODELARTS_LANGUAGE": "en"}
        environ["MODELARTS_STATE_DIR"] = str(tmp_path / "state")
        environ["MODELARTS_BEFORE_STOP"] = f"10m: sleep 0.2; touch {saved}"
        settings = Settings.load(environ=environ)
        notices: list[Message] = []
        with (
            open_session(settings, environ=environ) as session,
            running_daemon(session, daemon_folder(settings), environ),
        ):
            session.on_notice = notices.append
            session.refresh()
            announce_stop(session, environ)
            assert saved.exists()
            assert session.refresh().running
    assert [each.code for each in notices] == ["stop.waits", "mark.command.ran"]
