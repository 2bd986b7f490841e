"""The panel's section about the work that the instance is kept running for."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.contrast import low_contrast_texts
from ui.notebook_page import FrontEnd
from ui.sidebar.sidebar_page import LAYOUT_JS, SET_WIDTH_JS, open_sidebar_page
from waiting import wait_until

from modelarts_magics.config.settings import Settings
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.marks.mark import COMMAND, Mark
from modelarts_magics.keepalive.marks.result import RAN, Result, record
from modelarts_magics.keepalive.state import is_daemon_running
from modelarts_magics.session.history import history_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess

DAEMON = """
import os, pathlib, sys
from modelarts_magics.keepalive.process import run_elected
run_elected(pathlib.Path(sys.argv[1]), {}, os.environ, replace=False, factories={})
"""
"""The daemon without a look at what else works on this machine: other tests would postpone the stop."""
PLANNED_STOP = {
    "en": ("After “short”, the instance stops at ", "Keep 1 h", "Kept by page-1 since "),
    "zh_CN": ("“short”已结束", "保持 1 小时", "page-1 自 "),
}
TRANSLATION_PLUGIN = "@jupyterlab/translation-extension:plugin"
LABELS = {
    "zh_CN": (
        "train 自 ",
        "“save”已在停止前 10 分钟运行",
        "不再保持",
        "+2 小时",
        "活动",
        "无任何工作时停止",
    ),
    "en": (
        "Kept by train since ",
        "“save” ran, 10 min before the stop",
        "Let Go",
        "+2 h",
        "Activity",
        "Stop when nothing works",
    ),
}


def add_result(environ: Mapping[str, str]) -> Path:
    """Record what came of a command before the stop, in the history of a server; return its path."""
    path = history_path(Settings.load(environ=environ), environ)
    mark = Mark(COMMAND, timedelta(minutes=10), "save")
    record(path, Result(mark, RAN, mark.before), now=datetime.now(timezone.utc))
    return path


def remove_results(history: Path) -> None:
    """Leave the changes only, so that the panel of the next test does not show the result."""
    lines = history.read_text().splitlines(keepends=True)
    history.write_text("".join(line for line in lines if '"mark"' not in line))


@pytest.fixture
def worker(jupyter_server: JupyterServerProcess) -> Iterator[subprocess.Popen[bytes]]:
    """A process that the instance is kept running for."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own program
        arguments = ("keep", "--pid", str(process.pid), "train", "--up-to", "3h")
        jupyter_server.run_cli(*arguments)
        history = add_result(jupyter_server.environ)
        yield process
        process.kill()
    remove_results(history)
    jupyter_server.run_cli("stop", "--when-idle", "off")
    jupyter_server.run_cli("keep", "end", "--all")
    jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": "default"})


@pytest.mark.only(FrontEnd.LAB)
def test_kept_work_is_extended_and_let_go_in_the_panel(
    worker: subprocess.Popen[bytes],
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    take_screenshot: Callable[[Page | Locator, str], None],
) -> None:
    """Work, limit, activity and switches are shown in the language of the page; the section goes with the work."""
    for language, (sentence, result, let_go, extend, activity, stop) in LABELS.items():
        jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": language})
        sidebar = open_sidebar_page(context, jupyter_server).open_panel()
        section = sidebar.panel.locator(".ma-Panel-keep")
        expect(section).to_contain_text(sentence)
        expect(section).to_contain_text(result)
        before = section.get_by_role("group", name="train").inner_text()
        section.get_by_role("button", name=extend).click()
        expect(section.get_by_role("group", name="train")).not_to_have_text(
            re.compile(re.escape(before.splitlines()[0]))
        )
        expect(section.get_by_role("button", name=let_go)).to_be_enabled()
        take_screenshot(sidebar.panel, f"keep-{language}")
        sidebar.panel.get_by_text(activity, exact=True).click()
        lines = sidebar.findings(activity)
        expect(lines).to_contain_text("train")
        switch = sidebar.panel.get_by_role("switch", name=stop)
        switch.check()
        expect(lines).to_contain_text("30")
        sidebar.panel.evaluate(SET_WIDTH_JS, "200px")
        layout = sidebar.panel.evaluate(LAYOUT_JS)
        assert (layout["out"], layout["scrolls"]) == ([], False)
        assert low_contrast_texts(sidebar.panel) == []
        take_screenshot(sidebar.panel, f"activity-{language}")
        switch.uncheck()
        expect(switch).to_be_enabled()
    section.get_by_role("button", name=let_go).click()
    expect(section).to_contain_text("“train” has ended")
    expect(section.get_by_role("button")).to_have_count(0)
    assert worker.poll() is None
    assert sidebar.notebook.own_errors == []


@pytest.fixture
def ended_work(jupyter_server: JupyterServerProcess) -> Iterator[None]:
    """Work that has just ended, after which the instance is to be stopped."""
    folder = daemon_folder(Settings.load(environ=jupyter_server.environ))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-c", DAEMON, str(folder)]
    with subprocess.Popen(command, env=jupyter_server.environ) as daemon:  # noqa: S603 - our own program
        wait_until(lambda: is_daemon_running(folder))
        with subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        ) as worker:
            arguments = ("keep", "--pid", str(worker.pid), "short", "--then", "stop")
            jupyter_server.run_cli(*arguments)
        yield
        jupyter_server.run_cli("keep", "end", "--all")
        daemon.terminate()


@pytest.mark.only(FrontEnd.LAB)
@pytest.mark.parametrize("language", ["en", pytest.param("zh_CN", marks=pytest.mark.soak)])
def test_planned_stop_is_postponed_from_its_notification(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    take_screenshot: Callable[[Page | Locator, str], None],
    ended_work: None,  # noqa: ARG001 - the instance is to be stopped
    language: str,
) -> None:
    """In the minute of grace, a notification offers to keep the instance for an hour, which one click does."""
    sentence, keep, kept = PLANNED_STOP[language]
    jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": language})
    try:
        sidebar = open_sidebar_page(context, jupyter_server).open_panel()
    finally:
        jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": "default"})
    toast = sidebar.page.locator(".Toastify__toast", has_text=sentence)
    expect(toast).to_be_visible()
    take_screenshot(sidebar.page, f"planned-stop-{language}")
    toast.get_by_role("button", name=keep).click()
    expect(toast).to_have_count(0)
    expect(sidebar.panel.locator(".ma-Panel-keep")).to_contain_text(kept)
