"""Documents are saved before the stop, and the next start shows the result."""

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

NEW_NOTEBOOK_JS = """async () => {
  const model = await jupyterapp.commands.execute("docmanager:new-untitled", { type: "notebook" });
  return model.path;
}"""
EDITOR_READY_JS = """path => {
  const context = jupyterapp.shell.currentWidget?.context;
  return context?.path === path && context.isReady;
}"""
"""Whether the file is open in the current editor."""
MINUTES_LEFT = 1.5


def type_into_file(sidebar: SidebarPage, path: str) -> None:
    """Open a text file and type into it."""
    sidebar.run_command("docmanager:open", path=path)
    sidebar.page.wait_for_function(EDITOR_READY_JS, arg=path)
    editor = sidebar.page.locator(".jp-FileEditor .cm-content:visible")
    # The editor of the previous file is hidden.
    expect(editor).to_have_count(1)
    editor.click()
    sidebar.page.keyboard.type("typed ")
    sidebar.page.wait_for_function(IS_DIRTY_JS)


@pytest.mark.every_front_end
def test_changed_notebook_is_saved_before_stop(
    sidebar: SidebarPage, jupyter_server: JupyterServerProcess, instance_control: InstanceControl
) -> None:
    """It is saved without a dialog, and the panel lists it."""
    file = jupyter_server.work_folder / sidebar.notebook.name
    before = len(json.loads(file.read_text("utf-8"))["cells"])
    sidebar.make_dirty()
    instance_control.emulator.set_instance(minutes_left=MINUTES_LEFT)
    sidebar.refresh()
    expect(sidebar.saved_line(sidebar.notebook.name)).to_be_visible()
    assert len(json.loads(file.read_text("utf-8"))["cells"]) == before + 1
    assert not sidebar.page.evaluate(IS_DIRTY_JS)


@pytest.mark.only(FrontEnd.LAB)
def test_unsaved_file_is_listed_and_others_are_saved(
    jupyter_server: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """A file changed on disk is not overwritten, an untitled one is saved, and no dialog opens."""
    for name in ("changed.txt", "edited.txt"):
        (jupyter_server.work_folder / name).write_text("before\n", encoding="utf-8")
    sidebar = open_sidebar_page(context, jupyter_server).open_panel()
    type_into_file(sidebar, "changed.txt")
    (jupyter_server.work_folder / "changed.txt").write_text("changed on disk\n", encoding="utf-8")
    type_into_file(sidebar, "edited.txt")
    untitled = sidebar.page.evaluate(NEW_NOTEBOOK_JS)
    sidebar.run_command("docmanager:open", path=untitled)
    # The dialog asks for the kernel.
    sidebar.page.locator(".jp-Dialog .jp-mod-accept").click()
    sidebar.page.wait_for_function("() => jupyterapp.shell.currentWidget.context?.isReady")
    sidebar.make_dirty()
    instance_control.emulator.set_instance(minutes_left=MINUTES_LEFT)
    sidebar.refresh()
    expect(sidebar.notices).to_contain_text("Not saved: changed.txt (changed on disk)")
    for name in ("edited.txt", untitled):
        expect(sidebar.notices).to_contain_text(name)
    expect(sidebar.page.locator(".jp-Dialog")).to_have_count(0)
    assert (jupyter_server.work_folder / "changed.txt").read_text("utf-8") == "changed on disk\n"
    assert "typed" in (jupyter_server.work_folder / "edited.txt").read_text("utf-8")
    assert len(json.loads((jupyter_server.work_folder / untitled).read_text("utf-8"))["cells"]) == 2


@pytest.mark.only(FrontEnd.LAB)
def test_file_open_in_two_tabs_is_saved_once(
    jupyter_server: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """Only one of the copies can be saved, and every tab lists the other as not saved."""
    (jupyter_server.work_folder / "shared.txt").write_text("before\n", encoding="utf-8")
    tabs = [open_sidebar_page(context, jupyter_server).open_panel() for _ in range(2)]
    for each in tabs:
        type_into_file(each, "shared.txt")
    instance_control.emulator.set_instance(minutes_left=MINUTES_LEFT)
    tabs[0].refresh()
    for each in tabs:
        expect(each.notices).to_contain_text("Saved: ")
        expect(each.notices).to_contain_text("Not saved: shared.txt (changed on disk)")
    assert sorted(each.page.evaluate(IS_DIRTY_JS) for each in tabs) == [False, True]
    tabs[0].page.reload()
    expect(tabs[0].notices).to_contain_text("Not saved: shared.txt (changed on disk)")


def test_first_page_after_stop_shows_last_run(
    context: BrowserContext, tmp_path: Path, front_end: FrontEnd
) -> None:
    """It shows the stop and the saved files from a record that survives, until dismissed."""
    with LocalEmulator(clock=ManualClock()) as emulator:
        server = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        (tmp_path / "home" / "work").mkdir(parents=True)
        # A state folder that is set would hold this record, too.
        del server.environ["MODELARTS_STATE_DIR"]
        instance_control = InstanceControl(emulator)
        instance_control.reset()
        with server.running():
            sidebar = open_sidebar_page(context, server, front_end).open_panel()
            sidebar.make_dirty()
            emulator.set_instance(minutes_left=MINUTES_LEFT)
            sidebar.refresh()
            expect(sidebar.notices).to_contain_text(f"Saved: {sidebar.notebook.name}")
            sidebar.page.close()
        emulator.advance(timedelta(minutes=5))
        assert instance_control.instance["status"] == "STOPPED"
        assert (tmp_path / "home" / "work" / ".modelarts-magics-run.json").is_file()
        emulator.set_instance(status="RUNNING", minutes_left=59)
        # Only ~/work survives a stop.
        shutil.rmtree(tmp_path / "home" / ".modelarts-magics")
        with server.running():
            next_sidebar = open_sidebar_page(context, server, front_end).open_panel()
            expect(next_sidebar.notices).to_contain_text(
                re.compile(r"Last run ended at \d\d:\d\d( on \w+ \d+)? \(auto-stop, 1 h\)\.")
            )
            expect(next_sidebar.notices).to_contain_text(f"Saved: {sidebar.notebook.name}")
            next_sidebar.button("Dismiss").click()
            expect(next_sidebar.notices).not_to_contain_text("Last run ended")
