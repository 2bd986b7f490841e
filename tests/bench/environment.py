"""Environment in which the figures are measured: this package, a kernel, and the alternatives."""

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
# The vendor's SDK is an alternative to compare with; psutil reads the CPU time of a server.
BENCH_REQUIREMENTS = (
    "ipykernel>=6",
    "jupyter_client>=8",
    "jupyterlab>=4.2,<5",
    "playwright>=1.45",
    "psutil>=5.9",
    "huaweicloudsdkmodelarts==3.1.219",
    "huaweicloudsdkcore==3.1.219",
)
# Installed into a folder that only one server uses: otherwise it would be active in all servers.
SEPARATE_REQUIREMENTS = ("jupyter-resource-usage>=1.1,<2",)
COMPLETE_MARKER, SEPARATE_FOLDER = "complete", "separate"
_PROXIES = re.compile(r".*_proxy", re.IGNORECASE)
_EXCLUDED_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_SDK_", "PYTHON", "JUPYTER_", "IPYTHON")


def prepare_environment() -> Path:
    """Return the interpreter of the environment; create the environment if necessary.

    A changed requirement leads to another environment. A file marks a complete one.
    """
    requirements = [*_package_requirements(), *BENCH_REQUIREMENTS]
    text = "\n".join([sys.version, *requirements, *SEPARATE_REQUIREMENTS])
    folder = CACHE_FOLDER / hashlib.sha256(text.encode()).hexdigest()[:12]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / COMPLETE_MARKER).exists():
        CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
        (CACHE_FOLDER / ".gitignore").write_text("*\n")
        sys.stderr.write("Creating the environment for the measurements (once, about 30 s) …\n")
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)  # noqa: S603 - fixed arguments
        target = ["--no-deps", "--target", str(folder / SEPARATE_FOLDER)]
        subprocess.run([*pip, *target, *SEPARATE_REQUIREMENTS], check=True)  # noqa: S603 - fixed arguments
        _link_package(python)
        (folder / COMPLETE_MARKER).touch()
    return python


def separate_variables(prefix: Path) -> dict[str, str]:
    """Return the variables that let a server find the packages of `SEPARATE_REQUIREMENTS`.

    Args:
        prefix: The folder of the environment.
    """
    folder = prefix / SEPARATE_FOLDER
    return {
        "PYTHONPATH": str(folder),
        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(folder / "etc" / "jupyter"),
    }


def isolated_variables(home: Path) -> dict[str, str]:
    """Return an environment without configuration, credentials and proxies of this machine.

    Args:
        home: The home directory.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_EXCLUDED_PREFIXES) and not _PROXIES.fullmatch(name)
    }
    return {
        **inherited,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _package_requirements() -> list[str]:
    """Return the requirements of the base install; the extras are not part of a kernel."""
    return sorted(each for each in requires("modelarts_magics") or () if "extra ==" not in each)


def _link_package(python: Path) -> None:
    """Let the environment import the package from the source tree, without building its front end.

    The metadata is copied too: a Jupyter server reads the version of each extension.
    """
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run(  # noqa: S603 - fixed arguments
        [str(python), "-c", code], check=True, capture_output=True, text=True
    )
    library, package = Path(found.stdout.strip()), distribution("modelarts_magics")
    (library / "modelarts_magics.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    metadata = library / f"modelarts_magics-{package.version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(package.read_text("METADATA") or "", encoding="utf-8")
