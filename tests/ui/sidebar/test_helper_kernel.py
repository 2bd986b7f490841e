"""A Jupyter server without the server extension, whose pages use a helper kernel instead."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from gateway import behind_gateway
from playwright.sync_api import expect
from ui.jupyter_server_process import (
    SERVER_EXTENSION,
    UNUSED_SERVER_EXTENSION,
    JupyterServerProcess,
)
from ui.notebook_page import CountdownView, FrontEnd, new_context
from ui.sidebar.separate_environments import SeparateEnvironments
from ui.sidebar.sidebar_page import (
    DEFAULT_TIME_LEFT,
    EXTENDED_TIME_LEFT,
    open_sidebar_page,
)

from modelarts_magics.commands.install_lab import EXTENSION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage
    from wheel_builds import BuiltPackages

    from modelarts_magics.emulator.local import LocalEmulator

KERNEL_ID_JS = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
HELPER_NAME = "ModelArts helper"
BLANK_PAGE = "about:blank"


@pytest.fixture
def server_without_extension(
    emulator: LocalEmulator, tmp_path: Path
) -> Iterator[JupyterServerProcess]:
    """A server with a base path and only the front-end extension behind a gateway, as on ModelArts."""
    server = JupyterServerProcess(
        tmp_path, emulator.environment(), with_extensions=True, base_path="/notebook/some-id"
    )
    disabled = dict.fromkeys((SERVER_EXTENSION, UNUSED_SERVER_EXTENSION), False)
    config = {"ServerApp": {"jpserver_extensions": disabled}}
    (tmp_path / "config/jupyter_server_config.json").write_text(
        json.dumps(config), encoding="utf-8"
    )
    with behind_gateway(server, unknown="403", drop_every=3) as gateway, server.running():
        yield server
    assert gateway.dropped > 0


def extend_while_cell_runs(sidebar: SidebarPage, instance_control: InstanceControl) -> None:
    """Extend the run from the panel during a running cell, and check that one request was sent."""
    sidebar.notebook.start_cell(2)
    sidebar.countdown.button("extend").click()
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    instance_control.wait_until_shown_in(sidebar.countdown)
    assert len(instance_control.write_requests) == 1
    sidebar.interrupt()


def test_helper_kernel_extends_is_shared_and_is_found_again(
    server_without_extension: JupyterServerProcess,
    context: BrowserContext,
    browser: Browser,
    instance_control: InstanceControl,
    front_end: FrontEnd,
) -> None:
    """It extends the run during a running cell; a second tab and a later page of another browser use it too.

    It keeps running when one of the tabs is closed.
    """
    sidebar = open_sidebar_page(context, server_without_extension, front_end).open_panel()
    expect(sidebar.detail("Data source")).to_have_text("helper kernel")
    instance_control.wait_until_shown_in(sidebar.countdown)
    server_without_extension.run_cli("extend", "1h")
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    server_without_extension.run_cli("shorten", "1h")
    expect(sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    instance_control.emulator.clear_requests()
    notebook_kernel = sidebar.page.evaluate(KERNEL_ID_JS)
    kernels = server_without_extension.kernel_ids()
    assert len(kernels) == 2
    assert server_without_extension.session_names()[notebook_kernel] != HELPER_NAME
    assert HELPER_NAME in server_without_extension.session_names().values()
    extend_while_cell_runs(sidebar, instance_control)
    second = open_sidebar_page(context, server_without_extension, front_end).open_panel()
    shared = server_without_extension.kernel_ids()
    assert (len(shared), kernels < shared) == (3, True)
    sidebar.notebook.save()
    sidebar.page.goto(BLANK_PAGE)
    second.countdown.button("shorten").click()
    expect(second.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    second.page.goto(BLANK_PAGE)
    with contextlib.closing(new_context(browser)) as other_browser:
        other = open_sidebar_page(
            other_browser, server_without_extension, front_end, name=sidebar.notebook.name
        )
        instance_control.wait_until_shown_in(other.open_panel().countdown)
        assert server_without_extension.kernel_ids() == shared
    log = (server_without_extension.folder / "jupyter.log").read_text(encoding="utf-8")
    assert "Traceback" not in log


@pytest.fixture(
    params=[
        ("newest", "login page"),
        ("4.2", "502"),
        pytest.param(("4.0", "405"), marks=pytest.mark.soak),
    ],
    ids="-".join,
)
def environments(
    request: pytest.FixtureRequest,
    built_packages: BuiltPackages,
    emulator: LocalEmulator,
    tmp_path: Path,
) -> Iterator[SeparateEnvironments]:
    """A server with each JupyterLab behind a gateway, and a kernel with the wheel."""
    lab, unknown = request.param
    made = SeparateEnvironments(tmp_path, built_packages.wheel, emulator, lab)
    with behind_gateway(made.server, unknown=unknown), made.server.running():
        yield made


@pytest.mark.only(FrontEnd.LAB)
def test_install_lab_adds_and_removes_sidebar(
    environments: SeparateEnvironments,
    context: BrowserContext,
    instance_control: InstanceControl,
) -> None:
    """`install-lab` works for a running server in another environment than the kernel.

    The page before it, and the one after its removal, are opened in the newest JupyterLab, and in JupyterLab 3 by
    `test_old_lab`.
    """
    if environments.is_newest:
        sidebar_before = environments.open_tab(context)
        sidebar_before.notebook.run_cells(0, 1)
        expect(sidebar_before.status_item).to_have_count(0)
        expect(sidebar_before.notebook.output(1)).to_contain_text("left (as of")
        sidebar_before.page.close()
    # This server has no ipywidgets either.
    output = environments.install_lab("--widgets")
    assert all(name in output for name in EXTENSION_NAMES)
    sidebar = environments.open_tab(context).open_panel()
    expect(sidebar.detail("Data source")).to_have_text("helper kernel")
    sidebar.notebook.run_cells(0, 1)
    instance_control.wait_until_shown_in(
        CountdownView(sidebar.page.locator(".jp-Notebook .ma-Countdown"))
    )
    extend_while_cell_runs(sidebar, instance_control)
    sidebar.page.close()
    environments.install_lab("--remove")
    if environments.is_newest:
        expect(environments.open_tab(context).status_item).to_have_count(0)
