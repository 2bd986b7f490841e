"""The environment that the figures are measured in: this package, a kernel, and what stands beside them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
from importlib.metadata import distribution, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE_FOLDER = ROOT / ".cache" / "bench"
BENCH_REQUIREMENTS = (
    "ipykernel>=6",  # a kernel to load the extension into
    "jupyter_client>=8",  # starts it
    "jupyterlab>=4.2,<5",  # the page that the countdown is shown in
    "playwright>=1.45",  # shows it
    "psutil>=5.9",  # reads what a server has used; also for what is in ASIDE
    "huaweicloudsdkmodelarts==3.1.219",  # the vendor's client, the yardstick; nothing else needs it
    "huaweicloudsdkcore==3.1.219",
)
SEPARATE_REQUIREMENTS = ("jupyter-resource-usage>=1.1,<2",)
"""What would be on in every server of the environment: in a folder that only one of them looks into."""
_PROXIES = re.compile(r".*_proxy", re.IGNORECASE)
_EXCLUDED_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_SDK_", "PYTHON", "JUPYTER_", "IPYTHON")


def prepare_environment() -> Path:
    """Return the environment's interpreter, after making the environment if it is not there yet.

    It is made anew when a requirement changes; a half made one is not taken for whole.
    """
    requirements = [*_package_requirements(), *BENCH_REQUIREMENTS]
    text = "\n".join([sys.version, *requirements, *SEPARATE_REQUIREMENTS])
    folder = CACHE_FOLDER / hashlib.sha256(text.encode()).hexdigest()[:12]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "made").exists():
        CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
        (CACHE_FOLDER / ".gitignore").write_text("*\n")
        sys.stderr.write("setting up an environment for the figures, once\n")
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)  # noqa: S603 - our own list
        target = ["--no-deps", "--target", str(folder / "aside")]
        subprocess.run([*pip, *target, *SEPARATE_REQUIREMENTS], check=True)  # noqa: S603 - our own list
        _link_package(python)
        (folder / "made").touch()
    return python


def separate_variables(prefix: Path) -> dict[str, str]:
    """Return what makes a server of the environment look into the folder of `ASIDE`.

    Args:
        prefix: The environment's folder.
    """
    folder = prefix / "aside"
    return {
        "PYTHONPATH": str(folder),
        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(folder / "etc" / "jupyter"),
    }


def isolated_variables(home: Path) -> dict[str, str]:
    """Return an environment that leads to no configuration, credential or proxy of this machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_EXCLUDED_PREFIXES) and not _PROXIES.fullmatch(name)
    }
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _package_requirements() -> list[str]:
    """What the base install needs, as its metadata says; the extras are no part of a user's kernel."""
    return sorted(each for each in requires("modelarts_magics") or () if "extra ==" not in each)


def _link_package(python: Path) -> None:
    """Let the environment import the package from the source tree, without building its front end.

    Its metadata goes with it: a Jupyter server asks each extension for its version.
    """
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [str(python), "-c", where], check=True, capture_output=True, text=True
    )
    library, ours = Path(found.stdout.strip()), distribution("modelarts_magics")
    (library / "modelarts_magics.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    metadata = library / f"modelarts_magics-{ours.version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(ours.read_text("METADATA") or "", encoding="utf-8")
