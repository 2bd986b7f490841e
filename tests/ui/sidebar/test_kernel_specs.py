"""Kernel specs that are of no use, on a server that does not know which one has the package."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd
from ui.sidebar.separate_environments import SeparateEnvironments
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT

from modelarts_magics.commands.install_lab import EXTENSION_NAME, HELPER_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from wheel_builds import BuiltPackages

    from modelarts_magics.emulator.local import LocalEmulator

pytestmark = [pytest.mark.only(FrontEnd.LAB), pytest.mark.soak]

LATE_START_S, LIMIT_S = 25, 10
FOREIGN = "a-foreign"
LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
LATE_CODE = f"""
import runpy, sys, time
time.sleep({LATE_START_S})
sys.argv[0] = "ipykernel_launcher"
runpy.run_module("ipykernel_launcher", run_name="__main__")
"""
NEVER_CODE = "import time; time.sleep(3600)"

BAD_SPECS: dict[str, Callable[[str], list[list[str]]]] = {
    "six foreign ones": lambda python: [[python, *LAUNCH]] * 6,
    "a dead interpreter": lambda _python: [["/nowhere/bin/python", *LAUNCH]],
    "one that never answers": lambda python: [[python, "-c", NEVER_CODE, "{connection_file}"]],
    "one that needs 25 s": lambda python: [[python, "-c", LATE_CODE, *LAUNCH[2:]]],
}
"""The commands of the bad kernel specs of each case, made with an interpreter without the package."""

LOGGED_BY_JUPYTER = {"a dead interpreter", "one that never answers"}
"""The cases in which Jupyter logs a traceback of its own for the kernel that cannot be started or reached."""


def add_spec(environments: SeparateEnvironments, name: str, argv: list[str]) -> None:
    """Add a kernel spec with any command."""
    folder = environments.server.folder / "data" / "kernels" / name
    folder.mkdir(parents=True)
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


@pytest.mark.parametrize("case", BAD_SPECS)
def test_second_page_shows_time_left_within_ten_seconds(
    emulator: LocalEmulator,
    built_packages: BuiltPackages,
    context: BrowserContext,
    tmp_path: Path,
    case: str,
) -> None:
    """The spec that served is remembered, and so are those of no use; the probe provokes no traceback."""
    environments = SeparateEnvironments(tmp_path, built_packages.wheel, emulator, "newest")
    server, foreign = environments.server, str(environments.server_python)
    environments.install_lab()
    # Nothing points to the right spec, and all others come before it.
    extension = server.folder / "data" / "labextensions" / EXTENSION_NAME
    (extension / HELPER_FILE).write_text("{}", encoding="utf-8")
    for number, argv in enumerate(BAD_SPECS[case](foreign)):
        add_spec(environments, f"a-bad-{number}", argv)
    add_spec(environments, FOREIGN, [foreign, *LAUNCH])
    with server.running():
        first = environments.open_tab(context, FOREIGN).open_panel()
        expect(first.status_item).to_contain_text(DEFAULT_TIME_LEFT)
        first.page.close()
        second = environments.open_tab(context, FOREIGN)
        opened = time.monotonic()
        expect(second.status_item).to_contain_text(DEFAULT_TIME_LEFT, timeout=LIMIT_S * 1000)
        second.open_panel()
        assert time.monotonic() - opened < LIMIT_S
        expect(second.detail("Data source")).to_have_text("helper kernel")
        names = list(server.session_names().values())
        assert names.count("ModelArts helper") == 1
    log = (server.folder / "jupyter.log").read_text(encoding="utf-8")
    assert "Traceback" not in log or case in LOGGED_BY_JUPYTER
