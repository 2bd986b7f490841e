"""A Jupyter server without our routes: a helper kernel answers, and leaves the person's kernels alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.pages import Countdown, Front, until
from ui.place import OUR_SERVER, Place
from ui.sidebar.tabs import EXTENDED, USUAL, Sidebar, tab
from wheels import Built, Environment

from modelarts_magics.commands.install_lab import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from ui.pages import Cloud

    from modelarts_magics.emulator.local import LocalEmulator

MINE = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
KERNEL = "kernel-of-its-own"
AWAY = "about:blank"


@pytest.fixture
def bare(emulator: LocalEmulator, tmp_path: Path) -> Iterator[Place]:
    """A server with our extension of the page, and nothing of ours in itself; under a path, as on the platform."""
    place = Place(tmp_path, emulator.environment(), sidebar=True, base="/notebook/some-id")
    off = {"ServerApp": {"jpserver_extensions": {OUR_SERVER: False}}}
    (tmp_path / "config/jupyter_server_config.json").write_text(json.dumps(off), encoding="utf-8")
    with place.serving():
        yield place


def extend_beside_a_running_cell(side: Sidebar, cloud: Cloud) -> None:
    """By the panel, with one request."""
    side.notebook.begin(2)
    side.countdown.button("plus").click()
    expect(side.status).to_contain_text(EXTENDED)
    cloud.agrees(side.countdown)
    assert len(cloud.writes) == 1
    side.interrupt()


def test_it_extends_while_a_cell_runs_and_goes_with_the_page(
    bare: Place, context: BrowserContext, cloud: Cloud, front: Front
) -> None:
    """By one request; the panel says who asks."""
    side = tab(context, bare, front).open()
    expect(side.fact("Asked by")).to_have_text("a helper kernel")
    cloud.agrees(side.countdown)
    bare.terminal("extend", "1h")
    expect(side.status).to_contain_text(EXTENDED)
    bare.terminal("shorten", "1h")
    expect(side.status).to_contain_text(USUAL)
    cloud.emulator.clear_requests()
    mine = side.page.evaluate(MINE)
    assert len(bare.kernels()) == 2
    extend_beside_a_running_cell(side, cloud)
    side.notebook.save()
    side.page.goto(AWAY)
    until(side.page, lambda: bare.kernels() == {mine})


@pytest.mark.only(Front.LAB)
def test_two_tabs_share_it(bare: Place, context: BrowserContext, cloud: Cloud) -> None:
    """It stays when one of them goes."""
    one = tab(context, bare).open()
    other = tab(context, bare).open()
    kernels = bare.kernels()
    assert len(kernels) == 3
    one.notebook.save()
    one.page.goto(AWAY)
    other.countdown.button("plus").click()
    expect(other.status).to_contain_text(EXTENDED)
    cloud.agrees(other.countdown)
    assert bare.kernels() == kernels


class Apart:
    """A server in an environment without this package, and a kernel in one that has it: as on the platform."""

    def __init__(self, folder: Path, wheel: Path, emulator: LocalEmulator) -> None:
        server = Environment(folder / "server", "jupyterlab>=4.2,<5")
        self.kernel = Environment(folder / "kernel", wheel, "ipykernel")
        self.place = Place(folder, emulator.environment(), sidebar=True, python=server.python)
        spec = folder / "data" / "kernels" / KERNEL
        spec.mkdir(parents=True)
        words = [str(self.kernel.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        about = {"argv": words, "display_name": "Its own", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(about), encoding="utf-8")

    def install_lab(self, *options: str) -> str:
        """Run `install-lab` as a person does in the kernel's environment."""
        return self.place.terminal("install-lab", *options, python=self.kernel.python)

    def tab(self, context: BrowserContext) -> Sidebar:
        """Open a notebook with that kernel."""
        file = self.place.work / self.place.copy("countdown.ipynb")
        notebook = json.loads(file.read_text(encoding="utf-8"))
        spec = {"name": KERNEL, "display_name": "Its own", "language": "python"}
        notebook["metadata"]["kernelspec"] = spec
        file.write_text(json.dumps(notebook), encoding="utf-8")
        return tab(context, self.place, name=file.name)


@pytest.mark.only(Front.LAB)
def test_kernel_and_server_in_two_environments(
    built: Built, emulator: LocalEmulator, context: BrowserContext, cloud: Cloud, tmp_path: Path
) -> None:
    """`install-lab` brings sidebar and countdown to a running server, and takes them back."""
    apart = Apart(tmp_path, built.wheel, emulator)
    with apart.place.serving():
        before = apart.tab(context)
        before.notebook.run(0, 1)
        expect(before.status).to_have_count(0)
        expect(before.notebook.output(1)).to_contain_text("left as of")
        before.page.close()
        said = apart.install_lab("--widgets")  # this server has no ipywidgets either
        assert all(name in said for name in NAMES)
        side = apart.tab(context).open()
        expect(side.fact("Asked by")).to_have_text("a helper kernel")
        side.notebook.run(0, 1)
        cloud.agrees(Countdown(side.page.locator(".jp-Notebook .ma-Countdown")))
        extend_beside_a_running_cell(side, cloud)
        side.page.close()
        apart.install_lab("--remove")
        expect(apart.tab(context).status).to_have_count(0)
