"""An open notebook in a browser: run cells, look at the countdown, listen to the wire."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, WebSocket
    from ui.place import Place

    from modelarts_magics.emulator.local import LocalEmulator

PATIENCE_MS = 90_000
"""How long a page may take for anything, on a machine that does much else."""
ZONE = "Asia/Shanghai"
SOON, LATE = timedelta(minutes=11), timedelta(minutes=29)
"""Between them the first reminder is shown."""
CALM = 15
"""Looks at a wire, a tenth of a second apart, at which nothing has come, until it is calm."""
APART = timedelta(seconds=70)
"""Two stops this far apart are surely not taken for one."""

PAGES_OWN = re.compile(
    r"/(api/(kernels|sessions|terminals|contents|kernelspecs|me)|lab/api|static)[/?]?"
)
"""What a page asks by itself, every few seconds, whether it shows a countdown or not."""
READY = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session;
  return session?.kernel?.connectionStatus === 'connected'
    && !document.querySelector('#jupyterlab-splash');
}"""
"""The notebook is there and its kernel can be reached."""
SHOWN = """() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0
  && !document.querySelector('#jupyterlab-splash')"""
"""The notebook is there, whatever its kernel does."""
RUN = """([index, wait]) => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.deselectAll();
  const ran = jupyterapp.commands.execute('notebook:run-cell');
  return wait ? ran.then(() => null) : null;
}"""
"""Run one cell as a person does."""
EXECUTE = """async code => {
  const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
  const reply = await kernel.requestExecute({ code, store_history: false }).done;
  return reply.content.status;
}"""
"""Run code that is in no cell."""
INTERRUPT = """async () => {
  await jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt();
}"""
THREADS = """how => {
  jupyterapp.serviceManager.kernels.commsOverSubshells = how;
  jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = how;
}"""
"""What the setting "Kernel Comms over subshells" does, in both front ends and without a reload."""
SHUT_DOWN = "async () => { await jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"
SAVE = "async () => { await jupyterapp.shell.currentWidget.context.save(); }"
PROMPT = """index => jupyterapp.shell.currentWidget.content.widgets[index].promptNode?.textContent
  ?? jupyterapp.shell.currentWidget.content.widgets[index].node
    .querySelector('.jp-InputPrompt').textContent"""

UNITS = {"h": 3600, "min": 60, "s": 1}
LABEL = re.compile(r"(\d+) (h|min|s)\b")


class Front(Enum):
    """A front end, with the path that opens a notebook in it."""

    LAB = "/lab/workspaces/{workspace}/tree/{name}"
    NOTEBOOK = "/notebooks/{name}"

    def path(self, name: str) -> str:
        """Return the address of a notebook; in Lab nothing else is open beside it."""
        return self.value.format(name=name, workspace=name.partition(".")[0])


class Wire:
    """What a page sends and receives.

    Attributes:
        requests: The paths of the HTTP requests.
        frames: The kernel's messages, in both directions.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests: list[str] = []
        self.frames: list[str | bytes] = []
        page.on("request", self._request)
        page.on("websocket", self._socket)

    def clear(self) -> None:
        """Forget what has passed."""
        self.requests.clear()
        self.frames.clear()

    def calm_after(self, *words: str) -> None:
        """Wait until messages with each of the words have passed, and then none for a while."""
        until(self._page, lambda: all(any(map(has(word), self.frames)) for word in words))
        counts: list[int] = []

        def calm() -> bool:
            counts.append(len(self.frames))
            return counts[-CALM:] == counts[-1:] * CALM

        until(self._page, calm)

    @property
    def foreign(self) -> list[str]:
        """The requests that a page would not make by itself."""
        return [each for each in self.requests if not PAGES_OWN.search(each)]

    def _request(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url}")

    def _socket(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framesent", self._frame)
            socket.on("framereceived", self._frame)

    def _frame(self, frame: str | bytes) -> None:
        self.frames.append(frame)


class OpenNotebook:
    """One notebook in one page."""

    def __init__(self, page: Page, place: Place, front: Front, name: str) -> None:
        self.page, self.front, self.name = page, front, name
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        self.wire = Wire(page)
        page.goto(f"{place.url}{front.path(name)}?token={place.token}", wait_until="commit")

    @property
    def our_errors(self) -> list[str]:
        """The errors that have to do with us; a front end has some of its own."""
        return [error for error in self.errors if "modelarts" in error]

    def ready(self) -> OpenNotebook:
        """Wait for the notebook and its kernel."""
        self.page.wait_for_function(READY)
        return self

    def shown(self) -> OpenNotebook:
        """Wait for the notebook, whose kernel may be busy or away."""
        self.page.wait_for_function(SHOWN)
        return self

    @property
    def countdown(self) -> Countdown:
        """The only countdown in the page, or the first."""
        return Countdown(self.page.locator(".ma-Countdown").first)

    @property
    def countdowns(self) -> list[Countdown]:
        """All of them, from top to bottom."""
        return [Countdown(one) for one in self.page.locator(".ma-Countdown").all()]

    def output(self, index: int) -> Locator:
        """What a cell shows."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea").first

    def run(self, *indices: int) -> OpenNotebook:
        """Run cells, each to its end."""
        for index in indices:
            self.page.evaluate(RUN, [index, True])
        return self

    def begin(self, index: int) -> OpenNotebook:
        """Run a cell that takes its time, and wait until it has begun."""
        self.page.evaluate(RUN, [index, False])
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        expect(cell.locator(".jp-InputPrompt").first).to_have_text("[*]:")
        return self

    def execute(self, code: str) -> str:
        """Run code that is in no cell, and return how it ended."""
        return str(self.page.evaluate(EXECUTE, code))

    def own_thread_for_widgets(self, *, on: bool) -> None:
        """Let widgets be answered beside a running cell, or only after it as with ipykernel 6."""
        self.page.evaluate(THREADS, "perCommTarget" if on else "disabled")

    def interrupt(self) -> None:
        """End what runs."""
        self.page.evaluate(INTERRUPT)

    def save(self) -> None:
        """Write the notebook's file."""
        self.page.evaluate(SAVE)

    def shut_down(self) -> None:
        """End the kernel."""
        self.page.evaluate(SHUT_DOWN)


class Countdown:
    """One view of a countdown, as a person sees it."""

    def __init__(self, root: Locator) -> None:
        self.root = root

    def part(self, name: str) -> Locator:
        """Return an element by the last word of its class."""
        return self.root.locator(f".ma-Countdown-{name}")

    def button(self, does: str) -> Locator:
        """Return a button by what it does: plus, minus, extend, copy, cancel."""
        return self.root.locator(f'[data-do="{does}"]')

    def seconds(self) -> int:
        """Return what is shown as left."""
        timer = self.part("timer").inner_text()
        return sum(int(number) * UNITS[unit] for number, unit in LABEL.findall(timer))

    def wait_for(self, condition: Callable[[int], bool]) -> None:
        """Wait until what is shown as left is as wanted."""
        until(self.root.page, lambda: condition(self.seconds()))


class Cloud:
    """What the emulator knows of the instance.

    Args:
        emulator: The local cloud, on real time.
    """

    def __init__(self, emulator: LocalEmulator) -> None:
        self.emulator = emulator
        self._came_near = datetime.now(timezone.utc)

    def come_near(self) -> None:
        """Let the stop be near enough for the first reminder.

        Each time it is one that no page takes for a stop of before, of which it would not remind again.
        """
        now = datetime.now(timezone.utc)
        self._came_near = max(now + SOON, self._came_near + APART)
        assert self._came_near < now + LATE, "too many stops in these minutes"
        self.emulator.set_instance(minutes_left=(self._came_near - now) / timedelta(minutes=1))

    def reset(self) -> None:
        """Let the instance run with 40 minutes left, as it was at the start."""
        self.emulator.clear_faults()
        self.emulator.set_instance(
            status="RUNNING",
            description="Demo instance of the local emulator",
            auto_stop={"enable": True, "duration": 3600, "prompt": True},
            minutes_left=40,
        )
        self.emulator.clear_requests()

    @property
    def instance(self) -> dict[str, Any]:
        """The instance as it is now."""
        wanted = self.emulator.instance_id
        return next(one for one in self.emulator.state()["instances"] if one["id"] == wanted)

    @property
    def left(self) -> timedelta:
        """How long it still runs."""
        return datetime.fromisoformat(self.instance["stops_at"]) - datetime.now(timezone.utc)

    @property
    def writes(self) -> list[dict[str, Any]]:
        """The requests that change something."""
        return [one for one in self.emulator.requests if one["method"] not in ("GET", "HEAD")]

    def agrees(self, countdown: Countdown) -> None:
        """Wait until a view shows what is true, and hold it to one second."""
        countdown.wait_for(lambda shown: abs(shown - self.left.total_seconds()) <= 1)


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait, while the page goes on, until something is so that Playwright cannot wait for by itself."""
    for _ in range(PATIENCE_MS // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come to pass")


def new_context(browser: Browser, **options: Any) -> BrowserContext:  # noqa: ANN401 - Playwright's own
    """Return a browser's profile that has seen nothing yet."""
    given = {"locale": "en-US", "timezone_id": ZONE, "viewport": {"width": 1200, "height": 860}}
    return browser.new_context(**{**given, **options})


def has(word: str) -> Callable[[str | bytes], bool]:
    """Return whether a message has a word."""
    return lambda frame: (word if isinstance(frame, str) else word.encode()) in frame


def shape(frame: str | bytes) -> str:
    """Return a kernel's message as text, to show in a failure."""
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    return json.dumps(text[:400])
