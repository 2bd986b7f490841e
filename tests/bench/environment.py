"""The environment that the figures are measured in: this package, a kernel, and the vendor's SDK."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "bench"
ALTERNATIVES = (
    "ipykernel>=6",  # a kernel to load the extension into
    "jupyter_client>=8",  # starts it
    "jupyterlab>=4.2,<5",  # the page that the countdown is shown in
    "playwright>=1.45",  # shows it
    "huaweicloudsdkmodelarts==3.1.219",  # the vendor's client, the yardstick; nothing else needs it
    "huaweicloudsdkcore==3.1.219",
)
_PROXIES = re.compile(r".*_proxy", re.IGNORECASE)
_FOREIGN = ("MODELARTS_", "HUAWEICLOUD_SDK_", "PYTHON", "JUPYTER_", "IPYTHON")


def prepared() -> Path:
    """Return the environment's interpreter, after making the environment if it is not there yet.

    It is made anew when a requirement changes; a half made one is not taken for whole.
    """
    wanted = [*_own_requirements(), *ALTERNATIVES]
    text = "\n".join([sys.version, *wanted])
    folder = FOLDER / hashlib.sha256(text.encode()).hexdigest()[:12]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "made").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / ".gitignore").write_text("*\n")
        sys.stderr.write("setting up an environment for the figures, once\n")
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)  # noqa: S603 - our own list
        _put_on_path(python)
        (folder / "made").touch()
    return python


def isolated(home: Path) -> dict[str, str]:
    """Return an environment that leads to no configuration, credential or proxy of this machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_FOREIGN) and not _PROXIES.fullmatch(name)
    }
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _own_requirements() -> list[str]:
    """What the base install needs, as its metadata says; the extras are no part of a user's kernel."""
    return sorted(each for each in requires("modelarts_magics") or () if "extra ==" not in each)


def _put_on_path(python: Path) -> None:
    """Let the environment import the package from the source tree, without building its front end."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [str(python), "-c", where], check=True, capture_output=True, text=True
    )
    Path(found.stdout.strip(), "modelarts_magics.pth").write_text(f"{ROOT}\n", encoding="utf-8")
