"""A notebook in a browser: run cells, read the countdown, and record the network traffic."""

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
"""The longest wait for a change of the page, also on a machine under load."""
POLL_INTERVAL_MS = 250
"""The time between two looks at a page that loads; a look at each frame would slow it down."""
TIME_ZONE = "Asia/Shanghai"
REMINDER_MIN_TIME_LEFT, REMINDER_MAX_TIME_LEFT = timedelta(minutes=11), timedelta(minutes=29)
"""The first reminder is shown between these times left."""
QUIET_CHECKS = 15
"""Consecutive checks, 0.1 s apart, without a new message after which the network counts as quiet."""
MIN_STOP_DISTANCE = timedelta(seconds=70)
"""The distance from which a page treats two stop times as different stops."""

BACKGROUND_REQUESTS = re.compile(
    r"/(api/(kernels|sessions|terminals|contents|kernelspecs|me)|lab/api|static)[/?]?"
)
"""Requests that a page sends periodically, with or without a countdown."""
OTHER_CLIENTS = ("iopub_welcome", "kernel_info_request")
"""The kinds of messages that a page receives because of other clients of its kernel."""
KERNEL_READY_JS = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session;
  return session?.kernel?.connectionStatus === 'connected'
    && !document.querySelector('#jupyterlab-splash');
}"""
"""Whether the notebook is open and its kernel is connected."""
NOTEBOOK_VISIBLE_JS = """() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0
  && !document.querySelector('#jupyterlab-splash')"""
"""Whether the notebook is open, in any state of its kernel."""
RUN_CELL_JS = """([index, wait]) => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.deselectAll();
  const ran = jupyterapp.commands.execute('notebook:run-cell');
  return wait ? ran.then(() => null) : null;
}"""
"""Run one cell with the command of the front end."""
EXECUTE_JS = """async code => {
  const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
  const reply = await kernel.requestExecute({ code, store_history: false }).done;
  return reply.content.status;
}"""
"""Run code outside the cells."""
INTERRUPT_JS = """async () => {
  await jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt();
}"""
SET_SUBSHELLS_JS = """mode => {
  jupyterapp.serviceManager.kernels.commsOverSubshells = mode;
  jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = mode;
}"""
"""Apply the setting "Kernel Comms over subshells" in both front ends without a reload."""
RESTART_JS = (
    "async () => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
)
SHUT_DOWN_JS = "async () => { await jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"
SAVE_JS = "async () => { await jupyterapp.shell.currentWidget.context.save(); }"
PROMPT_JS = """index => jupyterapp.shell.currentWidget.content.widgets[index].promptNode?.textContent
  ?? jupyterapp.shell.currentWidget.content.widgets[index].node
    .querySelector('.jp-InputPrompt').textContent"""

UNITS = {"h": 3600, "min": 60, "s": 1}
DURATION_PART = re.compile(r"(\d+) (h|min|s)\b")


class FrontEnd(Enum):
    """A front end and the pattern of its notebook URLs."""

    LAB = "/lab/workspaces/{workspace}/tree/{name}"
    NOTEBOOK = "/notebooks/{name}"

    def path(self, name: str) -> str:
        """Return the path that opens a notebook; in JupyterLab the workspace contains nothing else."""
        return self.value.format(name=name, workspace=name.partition(".")[0])


class NetworkLog:
    """Record of the network traffic of a page.

    Attributes:
        requests: The methods and URLs of the HTTP requests.
        frames: The messages to and from the kernel.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests: list[str] = []
        self.frames: list[str | bytes] = []
        page.on("request", self._on_request)
        page.on("websocket", self._on_websocket)

    def clear(self) -> None:
        """Remove all recorded traffic."""
        self.requests.clear()
        self.frames.clear()

    def wait_until_quiet_after(self, *texts: str) -> None:
        """Wait for messages that contain each of the texts, and then until no more messages arrive."""
        wait_until(self._page, lambda: all(any(map(contains(text), self.frames)) for text in texts))
        counts: list[int] = []

        def is_quiet() -> bool:
            counts.append(len(self.frames))
            return counts[-QUIET_CHECKS:] == counts[-1:] * QUIET_CHECKS

        wait_until(self._page, is_quiet)

    @property
    def unexpected_requests(self) -> list[str]:
        """The requests other than the periodic ones of the front end."""
        return [each for each in self.requests if not BACKGROUND_REQUESTS.search(each)]

    def _on_request(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url}")

    def _on_websocket(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framesent", self._on_frame)
            socket.on("framereceived", self._on_frame)

    def _on_frame(self, frame: str | bytes) -> None:
        # A kernel tells all clients about others, such as the daemon of a test in another process: that one has
        # subscribed, and asked whether the kernel is busy.
        if not any(contains(text)(frame) for text in OTHER_CLIENTS):
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
        url = f"{server.page_url}{front_end.path(name)}?token={server.token}"
        page.goto(url, wait_until="commit")

    @property
    def own_errors(self) -> list[str]:
        """The errors caused by this package; the front ends raise some too."""
        return [error for error in self.errors if "modelarts" in error]

    def wait_until_ready(self) -> NotebookPage:
        """Wait until the notebook is open and its kernel connected."""
        self.page.wait_for_function(KERNEL_READY_JS, polling=POLL_INTERVAL_MS)
        return self

    def wait_until_visible(self) -> NotebookPage:
        """Wait until the notebook is open; its kernel may be busy or disconnected."""
        self.page.wait_for_function(NOTEBOOK_VISIBLE_JS, polling=POLL_INTERVAL_MS)
        return self

    @property
    def countdown(self) -> CountdownView:
        """The first countdown in the page."""
        return CountdownView(self.page.locator(".ma-Countdown").first)

    @property
    def countdowns(self) -> list[CountdownView]:
        """All countdowns in the page, from top to bottom."""
        return [CountdownView(root) for root in self.page.locator(".ma-Countdown").all()]

    def output(self, index: int) -> Locator:
        """Return the output area of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea").first

    def run_cells(self, *indices: int) -> NotebookPage:
        """Run cells one after the other, and wait for each."""
        for index in indices:
            self.page.evaluate(RUN_CELL_JS, [index, True])
        return self

    def start_cell(self, index: int) -> NotebookPage:
        """Start a long cell, and wait until it runs."""
        self.page.evaluate(RUN_CELL_JS, [index, False])
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        expect(cell.locator(".jp-InputPrompt").first).to_have_text("[*]:")
        return self

    def execute(self, code: str) -> str:
        """Run code outside the cells, and return the status of the reply."""
        return str(self.page.evaluate(EXECUTE_JS, code))

    def set_widget_subshells(self, *, enabled: bool) -> None:
        """Set whether the kernel answers widgets during a running cell, or after it as ipykernel 6 does."""
        self.page.evaluate(SET_SUBSHELLS_JS, "perCommTarget" if enabled else "disabled")

    def interrupt(self) -> None:
        """Interrupt the running cell."""
        self.page.evaluate(INTERRUPT_JS)

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate(SAVE_JS)

    def restart(self) -> None:
        """Restart the kernel."""
        self.page.evaluate(RESTART_JS)

    def shut_down(self) -> None:
        """Shut down the kernel."""
        self.page.evaluate(SHUT_DOWN_JS)


class CountdownView:
    """One visible view of a countdown."""

    def __init__(self, root: Locator) -> None:
        self.root = root

    def element(self, name: str) -> Locator:
        """Return the element with the class `ma-Countdown-{name}`."""
        return self.root.locator(f".ma-Countdown-{name}")

    def button(self, action: str) -> Locator:
        """Return the button of an action such as extend, shorten, copy or cancel."""
        return self.root.locator(f'[data-action="{action}"]')

    def seconds_left(self) -> int:
        """Return the shown time left in seconds."""
        timer = self.element("timer").inner_text()
        return sum(int(number) * UNITS[unit] for number, unit in DURATION_PART.findall(timer))

    def wait_for(self, condition: Callable[[int], bool]) -> None:
        """Wait until the shown time left, in seconds, meets a condition."""
        wait_until(self.root.page, lambda: condition(self.seconds_left()))


class InstanceControl:
    """Set and read the state of the emulated instance.

    Args:
        emulator: The local emulator, in real time.
    """

    def __init__(self, emulator: LocalEmulator) -> None:
        self.emulator = emulator
        self._last_stop = datetime.now(timezone.utc)

    def approach_stop(self) -> None:
        """Move the stop time so close that the first reminder is due.

        Each call sets a new stop time, because a page shows no second reminder for the same stop.
        """
        now = datetime.now(timezone.utc)
        self._last_stop = max(now + REMINDER_MIN_TIME_LEFT, self._last_stop + MIN_STOP_DISTANCE)
        assert self._last_stop < now + REMINDER_MAX_TIME_LEFT, "too many stops in these minutes"
        self.emulator.set_instance(minutes_left=(self._last_stop - now) / timedelta(minutes=1))

    def reset(self) -> None:
        """Restore the initial state: running, with 40 minutes left."""
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
        """The current state of the instance."""
        instances = self.emulator.state()["instances"]
        return next(each for each in instances if each["id"] == self.emulator.instance_id)

    @property
    def time_left(self) -> timedelta:
        """The time until the stop time."""
        return datetime.fromisoformat(self.instance["stops_at"]) - datetime.now(timezone.utc)

    @property
    def write_requests(self) -> list[dict[str, Any]]:
        """The received requests that change the instance."""
        return [each for each in self.emulator.requests if each["method"] not in ("GET", "HEAD")]

    def wait_until_shown_in(self, view: CountdownView) -> None:
        """Wait until a view shows the time left of the instance, within one second."""
        view.wait_for(lambda shown: abs(shown - self.time_left.total_seconds()) <= 1)


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for a condition that Playwright cannot wait for, while the page continues to run."""
    for _ in range(TIMEOUT_MS // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("the condition did not become true in time")


def new_context(browser: Browser, **options: Any) -> BrowserContext:  # noqa: ANN401 - options of Playwright
    """Return a new, empty browser profile."""
    defaults = {
        "locale": "en-US",
        "timezone_id": TIME_ZONE,
        "viewport": {"width": 1200, "height": 860},
    }
    return browser.new_context(**{**defaults, **options})


def contains(text: str) -> Callable[[str | bytes], bool]:
    """Return a condition that is true for messages with a text."""
    return lambda frame: (text if isinstance(frame, str) else text.encode()) in frame


def preview(frame: str | bytes) -> str:
    """Return the start of a kernel message as text, to show in a failure."""
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    return json.dumps(text[:400])
