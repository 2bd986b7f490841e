"""Find, install and start the Chromium browser of the tests.

``python tests/ui/browser.py`` installs a browser if there is none; ``make browser`` and ``make test`` run it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Playwright

EXECUTABLE_NAMES = (
    # Has no window to draw, and so needs less of the CPU.
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
EXECUTABLE_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
)
"""Usual locations of browsers that are not on the path."""
LAUNCH_ARGUMENTS = (
    # Containers in which the tests run as root have no sandbox.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
APT_PACKAGES = ("chromium-headless-shell", "fonts-wqy-microhei", "fonts-noto-color-emoji")
"""The browser, and fonts for Chinese and for emoji."""
APT_INSTALL = f"apt-get install -y --no-install-recommends {' '.join(APT_PACKAGES)}"
PLAYWRIGHT_INSTALL = (sys.executable, "-m", "playwright", "install", "chromium")
INSTALL_HINT = f"""No Chromium was found. One of these installs it:
  {APT_INSTALL}
  {" ".join(PLAYWRIGHT_INSTALL)}
"""


class NoBrowserError(Exception):
    """No browser was found; the message shows how to install one."""

    def __init__(self) -> None:
        super().__init__(INSTALL_HINT)


def find_browser(playwright: Playwright) -> Path:
    """Return the path of the system's browser, or else of the one that Playwright installed.

    Raises:
        NoBrowserError: No browser was found.
    """
    playwright_path = Path(playwright.chromium.executable_path)
    on_path = (shutil.which(name) for name in EXECUTABLE_NAMES)
    for path in (*on_path, *EXECUTABLE_PATHS, playwright_path):
        if path and Path(path).exists():
            return Path(path)
    raise NoBrowserError


def launch_browser(playwright: Playwright) -> Browser:
    """Start the browser without a window."""
    return playwright.chromium.launch(
        executable_path=find_browser(playwright), args=list(LAUNCH_ARGUMENTS)
    )


def is_installed() -> bool:
    """Return whether a browser is installed."""
    with sync_playwright() as playwright:
        try:
            find_browser(playwright)
        except NoBrowserError:
            return False
    return True


def main() -> int:
    """Install a browser if there is none, and return the exit status."""
    if is_installed():
        return 0
    sys.stderr.write("Installing a browser for the tests …\n")
    for install in (_install_with_apt, _install_with_playwright):
        if install() and is_installed():
            return 0
    sys.stderr.write(INSTALL_HINT)
    return 1


def _install_with_apt() -> bool:
    """Install the system's packages, and return whether it succeeded; only root can."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return _run_succeeds(("apt-get", "update"), quiet) and _run_succeeds(APT_INSTALL.split(), quiet)


def _install_with_playwright() -> bool:
    return _run_succeeds(PLAYWRIGHT_INSTALL, dict(os.environ))


def _run_succeeds(command: Sequence[str], environ: dict[str, str]) -> bool:
    completed = subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - commands from this module
    return completed.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
