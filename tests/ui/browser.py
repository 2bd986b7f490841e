"""Chromium for the tests: find it, install it where it is missing, start it.

``python tests/ui/browser.py`` does the first two; ``make browser`` and ``make test`` call it.
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

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
)
"""Where a browser may be that is not on the path."""
ARGUMENTS = (
    "--no-sandbox",  # tests run as root in containers, where there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PACKAGES = ("chromium", "fonts-wqy-microhei", "fonts-noto-color-emoji")
"""The browser, and what Chinese and a few signs are drawn with."""
APT = f"apt-get install -y --no-install-recommends {' '.join(PACKAGES)}"
OWN = (sys.executable, "-m", "playwright", "install", "chromium")
ADVICE = f"""No Chromium was found. One of these installs it:
  {APT}
  {" ".join(OWN)}
"""


class NoBrowserError(Exception):
    """There is no browser; the message says how to get one."""

    def __init__(self) -> None:
        super().__init__(ADVICE)


def find(playwright: Playwright) -> Path:
    """Return the machine's own browser, else the one that Playwright has installed.

    Raises:
        NoBrowserError: There is neither.
    """
    own = Path(playwright.chromium.executable_path)
    on_path = (shutil.which(name) for name in NAMES)
    for place in (*on_path, *PLACES, own):
        if place and Path(place).exists():
            return Path(place)
    raise NoBrowserError


def launch(playwright: Playwright) -> Browser:
    """Start the browser, without a window."""
    return playwright.chromium.launch(executable_path=find(playwright), args=list(ARGUMENTS))


def installed() -> bool:
    """Whether there is a browser."""
    with sync_playwright() as playwright:
        try:
            find(playwright)
        except NoBrowserError:
            return False
    return True


def main() -> int:
    """Install a browser where there is none, and return the exit status."""
    if installed():
        return 0
    sys.stderr.write("Installing a browser for the tests …\n")
    for install in (_from_debian, _from_playwright):
        if install() and installed():
            return 0
    sys.stderr.write(ADVICE)
    return 1


def _from_debian() -> bool:
    """Whether the system's packages could be installed; only a superuser may."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return _succeeds(("apt-get", "update"), quiet) and _succeeds(APT.split(), quiet)


def _from_playwright() -> bool:
    return _succeeds(OWN, dict(os.environ))


def _succeeds(command: Sequence[str], environ: dict[str, str]) -> bool:
    done = subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - the lines above
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
