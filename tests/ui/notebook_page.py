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
    from ui.jupyter_server_process import JupyterServerProcess

    from modelarts_magics.emulator.local import LocalEmulator

TIMEOUT_MS = 90_000
"""How long a page may take for anything, on a machine that does much else."""
TIME_ZONE = "Asia/Shanghai"
REMINDER_MIN_TIME_LEFT, REMINDER_MAX_TIME_LEFT = timedelta(minutes=11), timedelta(minutes=29)
"""Between them the first reminder is shown."""
QUIET_CHECKS = 15
"""Looks at a wire, a tenth of a second apart, at which nothing has come, until it is calm."""
MIN_STOP_DISTANCE = timedelta(seconds=70)
"""Two stops this far apart are surely not taken for one."""

BACKGROUND_REQUESTS = re.compile(
    r"/(api/(kernels|sessions|terminals|contents|kernelspecs|me)|lab/api|static)[/?]?"
)
"""What a page asks by itself, every few seconds, whether it shows a countdown or not."""
KERNEL_READY_JS = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session;
  return session?.kernel?.connectionStatus === 'connected'
    && !document.querySelector('#jupyterlab-splash');
}"""
"""The notebook is there and its kernel can be reached."""
NOTEBOOK_VISIBLE_JS = """() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0
  && !document.querySelector('#jupyterlab-splash')"""
"""The notebook is there, whatever its kernel does."""
RUN_CELL_JS = """([index, wait]) => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.deselectAll();
  const ran = jupyterapp.commands.execute('notebook:run-cell');
  return wait ? ran.then(() => null) : null;
}"""
"""Run one cell as a person does."""
EXECUTE_JS = """async code => {
  const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
  const reply = await kernel.requestExecute({ code, store_history: false }).done;
  return reply.content.status;
}"""
"""Run code that is in no cell."""
INTERRUPT_JS = """async () => {
  await jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt();
}"""
SET_SUBSHELLS_JS = """how => {
  jupyterapp.serviceManager.kernels.commsOverSubshells = how;
  jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = how;
}"""
"""What the setting "Kernel Comms over subshells" does, in both front ends and without a reload."""
SHUT_DOWN_JS = "async () => { await jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"
SAVE_JS = "async () => { await jupyterapp.shell.currentWidget.context.save(); }"
PROMPT_JS = """index => jupyterapp.shell.currentWidget.content.widgets[index].promptNode?.textContent
  ?? jupyterapp.shell.currentWidget.content.widgets[index].node
    .querySelector('.jp-InputPrompt').textContent"""

UNITS = {"h": 3600, "min": 60, "s": 1}
DURATION_PART = re.compile(r"(\d+) (h|min|s)\b")


class FrontEnd(Enum):
    """A front end, with the path that opens a notebook in it."""

    LAB = "/lab/workspaces/{workspace}/tree/{name}"
    NOTEBOOK = "/notebooks/{name}"

    def path(self, name: str) -> str:
        """Return the address of a notebook; in Lab nothing else is open beside it."""
        return self.value.format(name=name, workspace=name.partition(".")[0])


class NetworkLog:
    """What a page sends and receives.

    Attributes:
        requests: The paths of the HTTP requests.
        frames: The kernel's messages, in both directions.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests: list[str] = []
        self.frames: list[str | bytes] = []
        page.on("request", self._on_request)
        page.on("websocket", self._on_websocket)

    def clear(self) -> None:
        """Forget what has passed."""
        self.requests.clear()
        self.frames.clear()

    def wait_until_quiet_after(self, *texts: str) -> None:
        """Wait until messages with each of the words have passed, and then none for a while."""
        wait_until(self._page, lambda: all(any(map(contains(word), self.frames)) for word in texts))
        counts: list[int] = []

        def is_quiet() -> bool:
            counts.append(len(self.frames))
            return counts[-QUIET_CHECKS:] == counts[-1:] * QUIET_CHECKS

        wait_until(self._page, is_quiet)

    @property
    def unexpected_requests(self) -> list[str]:
        """The requests that a page would not make by itself."""
        return [each for each in self.requests if not BACKGROUND_REQUESTS.search(each)]

    def _on_request(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url}")

    def _on_websocket(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framesent", self._on_frame)
            socket.on("framereceived", self._on_frame)

    def _on_frame(self, frame: str | bytes) -> None:
        self.frames.append(frame)


class NotebookPage:
    """One notebook in one page."""

    def __init__(
        self, page: Page, server: JupyterServerProcess, front_end: FrontEnd, name: str
    ) -> None:
        self.page, self.front_end, self.name = page, front_end, name
        self.errors: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        self.network = NetworkLog(page)
        page.goto(f"{server.url}{front_end.path(name)}?token={server.token}", wait_until="commit")

    @property
    def own_errors(self) -> list[str]:
        """The errors that have to do with us; a front end has some of its own."""
        return [error for error in self.errors if "modelarts" in error]

    def wait_until_ready(self) -> NotebookPage:
        """Wait for the notebook and its kernel."""
        self.page.wait_for_function(KERNEL_READY_JS)
        return self

    def wait_until_visible(self) -> NotebookPage:
        """Wait for the notebook, whose kernel may be busy or away."""
        self.page.wait_for_function(NOTEBOOK_VISIBLE_JS)
        return self

    @property
    def countdown(self) -> CountdownView:
        """The only countdown in the page, or the first."""
        return CountdownView(self.page.locator(".ma-Countdown").first)

    @property
    def countdowns(self) -> list[CountdownView]:
        """All of them, from top to bottom."""
        return [CountdownView(one) for one in self.page.locator(".ma-Countdown").all()]

    def output(self, index: int) -> Locator:
        """What a cell shows."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea").first

    def run_cells(self, *indices: int) -> NotebookPage:
        """Run cells, each to its end."""
        for index in indices:
            self.page.evaluate(RUN_CELL_JS, [index, True])
        return self

    def start_cell(self, index: int) -> NotebookPage:
        """Run a cell that takes its time, and wait until it has begun."""
        self.page.evaluate(RUN_CELL_JS, [index, False])
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        expect(cell.locator(".jp-InputPrompt").first).to_have_text("[*]:")
        return self

    def execute(self, code: str) -> str:
        """Run code that is in no cell, and return how it ended."""
        return str(self.page.evaluate(EXECUTE_JS, code))

    def set_widget_subshells(self, *, enabled: bool) -> None:
        """Let widgets be answered beside a running cell, or only after it as with ipykernel 6."""
        self.page.evaluate(SET_SUBSHELLS_JS, "perCommTarget" if enabled else "disabled")

    def interrupt(self) -> None:
        """End what runs."""
        self.page.evaluate(INTERRUPT_JS)

    def save(self) -> None:
        """Write the notebook's file."""
        self.page.evaluate(SAVE_JS)

    def shut_down(self) -> None:
        """End the kernel."""
        self.page.evaluate(SHUT_DOWN_JS)


class CountdownView:
    """One view of a countdown, as a person sees it."""

    def __init__(self, root: Locator) -> None:
        self.root = root

    def element(self, name: str) -> Locator:
        """Return an element by the last word of its class."""
        return self.root.locator(f".ma-Countdown-{name}")

    def button(self, action: str) -> Locator:
        """Return a button by what it does: plus, minus, extend, copy, cancel."""
        return self.root.locator(f'[data-action="{action}"]')

    def seconds_left(self) -> int:
        """Return what is shown as left."""
        timer = self.element("timer").inner_text()
        return sum(int(number) * UNITS[unit] for number, unit in DURATION_PART.findall(timer))

    def wait_for(self, condition: Callable[[int], bool]) -> None:
        """Wait until what is shown as left is as wanted."""
        wait_until(self.root.page, lambda: condition(self.seconds_left()))


class InstanceControl:
    """What the emulator knows of the instance.

    Args:
        emulator: The local cloud, on real time.
    """

    def __init__(self, emulator: LocalEmulator) -> None:
        self.emulator = emulator
        self._last_stop = datetime.now(timezone.utc)

    def approach_stop(self) -> None:
        """Let the stop be near enough for the first reminder.

        Each time it is one that no page takes for a stop of before, of which it would not remind again.
        """
        now = datetime.now(timezone.utc)
        self._last_stop = max(now + REMINDER_MIN_TIME_LEFT, self._last_stop + MIN_STOP_DISTANCE)
        assert self._last_stop < now + REMINDER_MAX_TIME_LEFT, "too many stops in these minutes"
        self.emulator.set_instance(minutes_left=(self._last_stop - now) / timedelta(minutes=1))

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
    def time_left(self) -> timedelta:
        """How long it still runs."""
        return datetime.fromisoformat(self.instance["stops_at"]) - datetime.now(timezone.utc)

    @property
    def write_requests(self) -> list[dict[str, Any]]:
        """The requests that change something."""
        return [one for one in self.emulator.requests if one["method"] not in ("GET", "HEAD")]

    def wait_until_shown_in(self, view: CountdownView) -> None:
        """Wait until a view shows what is true, and hold it to one second."""
        view.wait_for(lambda shown: abs(shown - self.time_left.total_seconds()) <= 1)


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait, while the page goes on, until something is so that Playwright cannot wait for by itself."""
    for _ in range(TIMEOUT_MS // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come to pass")


def new_context(browser: Browser, **options: Any) -> BrowserContext:  # noqa: ANN401 - Playwright's own
    """Return a browser's profile that has seen nothing yet."""
    given = {
        "locale": "en-US",
        "timezone_id": TIME_ZONE,
        "viewport": {"width": 1200, "height": 860},
    }
    return browser.new_context(**{**given, **options})


def contains(text: str) -> Callable[[str | bytes], bool]:
    """Return whether a message has a word."""
    return lambda frame: (text if isinstance(frame, str) else text.encode()) in frame


def preview(frame: str | bytes) -> str:
    """Return a kernel's message as text, to show in a failure."""
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    return json.dumps(text[:400])
