"""A Jupyter server without our routes: a helper kernel answers, and leaves the person's kernels alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import SERVER_EXTENSION, JupyterServerProcess
from ui.notebook_page import CountdownView, FrontEnd, wait_until
from ui.sidebar.sidebar_page import (
    DEFAULT_TIME_LEFT,
    EXTENDED_TIME_LEFT,
    SidebarPage,
    open_sidebar_page,
)
from wheel_builds import BuiltPackages, VirtualEnvironment

from modelarts_magics.commands.install_lab import EXTENSION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from ui.notebook_page import InstanceControl

    from modelarts_magics.emulator.local import LocalEmulator

MINE = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
KERNEL = "kernel-of-its-own"
AWAY = "about:blank"


@pytest.fixture
def bare(emulator: LocalEmulator, tmp_path: Path) -> Iterator[JupyterServerProcess]:
    """A server with our extension of the page, and nothing of ours in itself; under a path, as on the platform."""
    place = JupyterServerProcess(
        tmp_path, emulator.environment(), with_extensions=True, base_path="/notebook/some-id"
    )
    off = {"ServerApp": {"jpserver_extensions": {SERVER_EXTENSION: False}}}
    (tmp_path / "config/jupyter_server_config.json").write_text(json.dumps(off), encoding="utf-8")
    with place.running():
        yield place


def extend_beside_a_running_cell(side: SidebarPage, cloud: InstanceControl) -> None:
    """By the panel, with one request."""
    side.notebook.start_cell(2)
    side.countdown.button("extend").click()
    expect(side.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    cloud.wait_until_shown_in(side.countdown)
    assert len(cloud.write_requests) == 1
    side.interrupt()


def test_it_extends_while_a_cell_runs_and_goes_with_the_page(
    bare: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
    front_end: FrontEnd,
) -> None:
    """By one request; the panel says who asks."""
    side = open_sidebar_page(context, bare, front_end).open_panel()
    expect(side.detail("Data source")).to_have_text("helper kernel")
    instance_control.wait_until_shown_in(side.countdown)
    bare.run_cli("extend", "1h")
    expect(side.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    bare.run_cli("shorten", "1h")
    expect(side.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    instance_control.emulator.clear_requests()
    mine = side.page.evaluate(MINE)
    assert len(bare.kernel_ids()) == 2
    extend_beside_a_running_cell(side, instance_control)
    side.notebook.save()
    side.page.goto(AWAY)
    wait_until(side.page, lambda: bare.kernel_ids() == {mine})


@pytest.mark.only(FrontEnd.LAB)
def test_two_tabs_share_it(
    bare: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """It stays when one of them goes."""
    one = open_sidebar_page(context, bare).open_panel()
    other = open_sidebar_page(context, bare).open_panel()
    kernels = bare.kernel_ids()
    assert len(kernels) == 3
    one.notebook.save()
    one.page.goto(AWAY)
    other.countdown.button("extend").click()
    expect(other.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    instance_control.wait_until_shown_in(other.countdown)
    assert bare.kernel_ids() == kernels


class Apart:
    """A server in an environment without this package, and a kernel in one that has it: as on the platform."""

    def __init__(self, folder: Path, wheel: Path, emulator: LocalEmulator) -> None:
        server = VirtualEnvironment(folder / "server", "jupyterlab>=4.2,<5")
        self.kernel = VirtualEnvironment(folder / "kernel", wheel, "ipykernel")
        self.place = JupyterServerProcess(
            folder, emulator.environment(), with_extensions=True, python=server.python
        )
        spec = folder / "data" / "kernels" / KERNEL
        spec.mkdir(parents=True)
        words = [str(self.kernel.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        about = {"argv": words, "display_name": "Its own", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(about), encoding="utf-8")

    def install_lab(self, *options: str) -> str:
        """Run `install-lab` as a person does in the kernel's environment."""
        return self.place.run_cli("install-lab", *options, python=self.kernel.python)

    def tab(self, context: BrowserContext) -> SidebarPage:
        """Open a notebook with that kernel."""
        file = self.place.work_folder / self.place.copy_notebook("countdown.ipynb")
        notebook = json.loads(file.read_text(encoding="utf-8"))
        spec = {"name": KERNEL, "display_name": "Its own", "language": "python"}
        notebook["metadata"]["kernelspec"] = spec
        file.write_text(json.dumps(notebook), encoding="utf-8")
        return open_sidebar_page(context, self.place, name=file.name)


@pytest.mark.only(FrontEnd.LAB)
def test_kernel_and_server_in_two_environments(
    built_packages: BuiltPackages,
    emulator: LocalEmulator,
    context: BrowserContext,
    instance_control: InstanceControl,
    tmp_path: Path,
) -> None:
    """`install-lab` brings sidebar and countdown to a running server, and takes them back."""
    apart = Apart(tmp_path, built_packages.wheel, emulator)
    with apart.place.running():
        before = apart.tab(context)
        before.notebook.run_cells(0, 1)
        expect(before.status_item).to_have_count(0)
        expect(before.notebook.output(1)).to_contain_text("left (as of")
        before.page.close()
        said = apart.install_lab("--widgets")  # this server has no ipywidgets either
        assert all(name in said for name in EXTENSION_NAMES)
        side = apart.tab(context).open_panel()
        expect(side.detail("Data source")).to_have_text("helper kernel")
        side.notebook.run_cells(0, 1)
        instance_control.wait_until_shown_in(
            CountdownView(side.page.locator(".jp-Notebook .ma-Countdown"))
        )
        extend_beside_a_running_cell(side, instance_control)
        side.page.close()
        apart.install_lab("--remove")
        expect(apart.tab(context).status_item).to_have_count(0)
