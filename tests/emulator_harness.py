"""Helpers of the command tests: an emulator with a manual clock, commands run against it, an HTML parser."""

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
from modelarts_magics.domain.durations import parse_timezone
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from modelarts_magics.session.session import Session

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
"""16:00 in Shanghai; the emulated instance has 40 minutes left of a run of one hour."""
HTML_INJECTION = "<img src=x onerror=alert(1)></div><script>alert(2)</script>&amp;"
SETTING_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_")
TIMEOUT_S = 10


class EmulatorHarness:
    """An emulator, with commands run against it as in a kernel or in a terminal.

    Args:
        folder: An empty folder for HOME and the state files.
        start: What its clock shows at first.
        real_time: Whether its clock shows the real time instead, as a real kernel expects of the API.
        **options: The options of the emulator.

    Attributes:
        emulator: The emulator; its clock stands still until it is advanced, or shows the real time.
        environ: The environment with its address and credentials.
        notices: The notices given before changes.
        namespace: The variables of the user.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start: datetime = START,
        real_time: bool = False,
        **options: Any,  # noqa: ANN401 - the fields of Options
    ) -> None:
        self.clock = ManualClock(start)
        self.emulator = LocalEmulator(clock=None if real_time else self.clock, **options)
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
        self._session_clock = Clock(
            now=self.clock.now,
            monotonic=lambda: self.clock.now().timestamp(),
            sleep=lambda _seconds: None,
        )
        self._session = open_session(
            self.settings(), environ=self.environ, clock=self._session_clock
        )
        self._session.on_notice = lambda notice: self.notices.append(str(notice))

    @property
    def session(self) -> Session:
        """The session that the commands use; it records its changes in the folder of the harness."""
        return self._session

    def settings(self) -> Settings:
        """Return the settings for the emulator."""
        return Settings.load(environ=self.environ)

    def run_magic(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401 - any command's value
        """Run one command as a magic."""
        configure_messages(self.settings(), "%modelarts")
        return run_command(parse_line(line, cell=cell), self._context("%modelarts"))

    def run_in_terminal(self, arguments: Sequence[str]) -> Any:  # noqa: ANN401 - any command's value
        """Run one command as in a terminal."""
        configure_messages(self.settings(), "python -m modelarts_magics")
        return run_command(parse_arguments(arguments), self._context("python -m modelarts_magics"))

    def instance_state(self) -> dict[str, Any]:
        """Return the state of the instance in the emulator."""
        instance_id = self.emulator.instance_id
        return next(one for one in self.emulator.state()["instances"] if one["id"] == instance_id)

    def stop_time_text(self, timezone: str = "+08:00") -> str:
        """Return the stop time as a magic shows it, such as `2026-11-23 16:40 +08:00`."""
        stop_time = datetime.fromisoformat(self.instance_state()["stops_at"])
        return stop_time.astimezone(parse_timezone(timezone)).strftime(f"%Y-%m-%d %H:%M {timezone}")

    def wait_for_request(self) -> None:
        """Wait until the emulator has received a request."""
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
    """Replace all settings in the environment of this process by these variables."""
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
    """A strict HTML parser that collects tags, attributes and text.

    Every element has to be closed in order.
    """

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
        """Collect the tag and its attributes."""
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost open element is closed."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.text += data


async def wait_until(condition: Callable[[], object]) -> None:
    """Run the event loop until the condition holds; fail after a timeout."""
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end
        # A pause lets the threads run that are waited for; a busy loop would hold them up.
        await asyncio.sleep(0.001)
