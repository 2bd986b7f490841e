"""A forked child renews the locks that another thread of its parent may have held."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, sys, threading
from pathlib import Path
from modelarts_magics.api.http_thread import HttpThread
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.server.executor import _idle_queues, run_in_thread
from modelarts_magics.session.run_store import RunStore
from modelarts_magics.server.session_provider import SessionFactory, SessionProvider
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.store import Store
from modelarts_magics.session.updater import Updater

store = Store(Path(sys.argv[1]), key=("e", "p", "i"))
cache = InstanceCache(store, parse=None, capabilities=None)
factory = SessionFactory({}, {"MODELARTS_STATE_DIR": sys.argv[1]}, SYSTEM_CLOCK)
thread = HttpThread()
thread.run(int, deadline=Deadline(5))
objects = [
    (cache, "_thread_lock"),
    (RunStore(Path(sys.argv[1]) / "run.json"), "_lock"),
    (Updater(None, cache=cache, total_timeout_s=1, clock=SYSTEM_CLOCK), "_lock"),
    (SessionProvider(factory, on_change=print), "_lock"),
    (thread, "_lock"),
]
import asyncio
asyncio.run(run_in_thread(int))
held, release = threading.Event(), threading.Event()
def hold():
    for each, name in objects:
        getattr(each, name).acquire()
    held.set()
    release.wait(20)
threading.Thread(target=hold, daemon=True).start()
held.wait(20)
child = os.fork()
if child == 0:
    free = [getattr(each, name).acquire(timeout=1) for each, name in objects]
    for each, name in objects:
        getattr(each, name).release()
    answers = thread.run(lambda: 7, deadline=Deadline(5)), asyncio.run(run_in_thread(lambda: 8))
    os._exit(0 if all(free) and answers == (7, 8) else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.process
def test_child_has_fresh_locks_and_threads(tmp_path: Path) -> None:
    """Each lock is free, and work is done by threads of the child."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (done.stdout.strip(), done.stderr) == ("0", "")
