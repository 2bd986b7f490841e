"""What is unsaved is saved before the stop, and the next start tells of it."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl
from ui.sidebar.sidebar_page import IS_DIRTY_JS, open_sidebar_page

from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from ui.sidebar.sidebar_page import SidebarPage

NEW = "() => jupyterapp.commands.execute('docmanager:new-untitled', {type: 'notebook'}).then(m => m.path)"
EDITS = """path => {
  const context = jupyterapp.shell.currentWidget?.context;
  return context?.path === path && context.isReady;
}"""
"""The file is the one that is edited."""
MINUTES_LEFT = 1.5


def edit(side: SidebarPage, path: str) -> None:
    """Open a text file and type into it."""
    side.run_command("docmanager:open", path=path)
    side.page.wait_for_function(EDITS, arg=path)
    editor = side.page.locator(".jp-FileEditor .cm-content:visible")
    expect(editor).to_have_count(1)  # the one before it is hidden
    editor.click()
    side.page.keyboard.type("typed ")
    side.page.wait_for_function(IS_DIRTY_JS)


@pytest.mark.every_front_end
def test_a_dirty_notebook_is_saved(
    sidebar: SidebarPage, jupyter_server: JupyterServerProcess, instance_control: InstanceControl
) -> None:
    """Without a question, and the panel says so."""
    file = jupyter_server.work_folder / sidebar.notebook.name
    before = len(json.loads(file.read_text("utf-8"))["cells"])
    sidebar.make_dirty()
    instance_control.emulator.set_instance(minutes_left=MINUTES_LEFT)
    sidebar.refresh()
    expect(sidebar.notices).to_contain_text(re.compile(f"Saved: .*{sidebar.notebook.name}"))
    assert len(json.loads(file.read_text("utf-8"))["cells"]) == before + 1
    assert not sidebar.page.evaluate(IS_DIRTY_JS)


@pytest.mark.only(FrontEnd.LAB)
def test_what_cannot_be_saved_is_listed_and_hinders_nothing(
    jupyter_server: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """A file changed on disk is left alone; one that has only a makeshift name is saved by it; no dialog asks."""
    for name in ("theirs.txt", "mine.txt"):
        (jupyter_server.work_folder / name).write_text("before\n", encoding="utf-8")
    side = open_sidebar_page(context, jupyter_server).open_panel()
    edit(side, "theirs.txt")
    (jupyter_server.work_folder / "theirs.txt").write_text("by somebody else\n", encoding="utf-8")
    edit(side, "mine.txt")
    untitled = side.page.evaluate(NEW)
    side.run_command("docmanager:open", path=untitled)
    side.page.locator(".jp-Dialog .jp-mod-accept").click()  # which kernel
    side.page.wait_for_function("() => jupyterapp.shell.currentWidget.context?.isReady")
    side.make_dirty()
    instance_control.emulator.set_instance(minutes_left=MINUTES_LEFT)
    side.refresh()
    expect(side.notices).to_contain_text("Not saved: theirs.txt (changed on disk)")
    for name in ("mine.txt", untitled):
        expect(side.notices).to_contain_text(name)
    expect(side.page.locator(".jp-Dialog")).to_have_count(0)
    assert (jupyter_server.work_folder / "theirs.txt").read_text("utf-8") == "by somebody else\n"
    assert "typed" in (jupyter_server.work_folder / "mine.txt").read_text("utf-8")
    assert len(json.loads((jupyter_server.work_folder / untitled).read_text("utf-8"))["cells"]) == 2


@pytest.mark.only(FrontEnd.LAB)
def test_two_copies_of_one_file(
    jupyter_server: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """One of them can be saved; that the other was not is told by every tab."""
    (jupyter_server.work_folder / "shared.txt").write_text("before\n", encoding="utf-8")
    tabs = [open_sidebar_page(context, jupyter_server).open_panel() for _ in range(2)]
    for each in tabs:
        edit(each, "shared.txt")
    instance_control.emulator.set_instance(minutes_left=MINUTES_LEFT)
    tabs[0].refresh()
    for each in tabs:
        expect(each.notices).to_contain_text("Saved: ")
        expect(each.notices).to_contain_text("Not saved: shared.txt (changed on disk)")
    assert sorted(each.page.evaluate(IS_DIRTY_JS) for each in tabs) == [False, True]
    tabs[0].page.reload()
    expect(tabs[0].notices).to_contain_text("Not saved: shared.txt (changed on disk)")


def test_the_first_page_after_a_stop_tells_of_it(
    context: BrowserContext, tmp_path: Path, front_end: FrontEnd
) -> None:
    """When it ended and why, what was saved, until it was read; it lies where it survives."""
    with LocalEmulator(clock=ManualClock()) as emulator:
        place = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        (tmp_path / "home" / "work").mkdir(parents=True)
        cloud = InstanceControl(emulator)
        cloud.reset()
        with place.running():
            side = open_sidebar_page(context, place, front_end).open_panel()
            side.make_dirty()
            emulator.set_instance(minutes_left=MINUTES_LEFT)
            side.refresh()
            expect(side.notices).to_contain_text(f"Saved: {side.notebook.name}")
            side.page.close()
        emulator.advance(timedelta(minutes=5))
        assert cloud.instance["status"] == "STOPPED"
        assert (tmp_path / "home" / "work" / ".modelarts-magics-run.json").is_file()
        emulator.set_instance(status="RUNNING", minutes_left=59)
        shutil.rmtree(tmp_path / "state")  # as all but ~/work
        with place.running():
            again = open_sidebar_page(context, place, front_end).open_panel()
            expect(again.notices).to_contain_text(
                re.compile(r"Last run ended at \d\d:\d\d( on \w+ \d+)? \(auto-stop, 1 h\)\.")
            )
            expect(again.notices).to_contain_text(f"Saved: {side.notebook.name}")
            again.button("Dismiss").click()
            expect(again.notices).not_to_contain_text("Last run ended")
