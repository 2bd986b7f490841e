"""What the tests of the command layer share: an emulator whose clock stands still, and who talks to it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.dispatch import configure_messages, run_command
from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
"""16:00 in Shanghai; the emulated instance has 40 minutes left of a run of one hour."""
HTML_INJECTION = "<img src=x onerror=alert(1)></div><script>alert(2)</script>&amp;"
SETTING_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_")
TIMEOUT_S = 10


class EmulatorHarness:
    """An emulator, and the commands run against it as a kernel or a terminal runs them.

    Attributes:
        emulator: The local cloud, at `START` until it is advanced.
        environ: What points at it.
        notices: What was said before a write.
        namespace: The variables of the person.
    """

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - the fields of Options
        self.clock = ManualClock(START)
        self.emulator = LocalEmulator(clock=self.clock, **options)
        self.emulator.start()
        self.environ = {
            **self.emulator.environment(),
            "MODELARTS_STATE_DIR": str(folder / "state"),
            "MODELARTS_TIMEZONE": "Asia/Shanghai",
            "MODELARTS_LANGUAGE": "en",
            "HOME": str(folder),
        }
        self.notices: list[str] = []
        self.namespace: dict[str, object] = {}
        self._session_clock = Clock(now=self.clock.now, sleep=lambda _seconds: None)
        self._session = open_session(
            self.settings(), environ=self.environ, clock=self._session_clock
        )
        self._session.on_notice = lambda notice: self.notices.append(str(notice))

    def settings(self) -> Settings:
        """Return the settings that point at the emulator."""
        return Settings.load(environ=self.environ)

    def run_magic(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401 - any command's value
        """Run one command as a kernel does."""
        configure_messages(self.settings(), "%modelarts")
        return run_command(parse_line(line, cell=cell), self._context("%modelarts"))

    def run_in_terminal(self, arguments: Sequence[str]) -> Any:  # noqa: ANN401 - any command's value
        """Run one command as a terminal does."""
        configure_messages(self.settings(), "python -m modelarts_magics")
        return run_command(parse_arguments(arguments), self._context("python -m modelarts_magics"))

    def instance_state(self) -> dict[str, Any]:
        """Return the instance as the emulator itself sees it."""
        instance_id = self.emulator.instance_id
        return next(one for one in self.emulator.state()["instances"] if one["id"] == instance_id)

    def wait_for_request(self) -> None:
        """Wait until somebody has asked the emulator something."""
        remaining, pause = 500, threading.Event()
        while not self.emulator.requests and remaining:
            pause.wait(0.02)
            remaining -= 1
        assert self.emulator.requests

    def close(self) -> None:
        """Close the connections and stop the emulator."""
        self._session.close()
        self.emulator.stop()

    def _context(self, prefix: str) -> CommandContext:
        return CommandContext(lambda: self._session, self.settings, prefix, self.namespace)


@contextmanager
def environment_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Give this process an environment without any settings but these, for a while."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(SETTING_PREFIXES):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class StrictHtmlParser(HTMLParser):
    """Reads HTML strictly: every element is closed in order, and all that is there is remembered."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Hold it to the element that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect it."""
        self.text += data


async def wait_until(condition: Callable[[], object]) -> None:
    """Let everything on the loop run until this holds; fail if it never does."""
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end
        # A pause lets the threads run that are waited for; a busy loop would hold them up.
        await asyncio.sleep(0.001)
