"""The panel's section about the work that the instance is kept running for."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd
from ui.sidebar.sidebar_page import open_sidebar_page

from modelarts_magics.config.settings import Settings
from modelarts_magics.keepalive.marks.mark import COMMAND, Mark
from modelarts_magics.keepalive.marks.result import RAN, Result, record
from modelarts_magics.session.history import history_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess

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
        take_screenshot(sidebar.panel, f"activity-{language}")
        switch.uncheck()
        expect(switch).to_be_enabled()
    section.get_by_role("button", name=let_go).click()
    expect(section).to_contain_text("“train” has ended")
    expect(section.get_by_role("button")).to_have_count(0)
    assert worker.poll() is None
    assert sidebar.notebook.own_errors == []
