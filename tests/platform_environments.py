"""Environments as on the platform: a Jupyter server of one version, a kernel of another one, and the frameworks.

They are built from the package index and kept in ``.cache/platform``, because they do not depend on this package.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from wheel_builds import ROOT, find_interpreters, run_uv

if TYPE_CHECKING:
    from pathlib import Path

CACHE = ROOT / ".cache" / "platform"
_JUPYTERLAB_3_2 = (
    *("jupyterlab==3.2.*", "jupyter_server<2", "nbclassic<0.4", "jinja2<3.1", "ipywidgets<8"),
    *("pyzmq<25", "tornado<6.2", "traitlets<5.9", "jsonschema<4.18", "nbconvert<7", "mistune<1"),
    "lxml[html-clean]",
)
"""The requirements of a JupyterLab that is older than the first incompatible version of each."""
SERVERS = {
    "3.2": ("3.9", _JUPYTERLAB_3_2),
    "3.6": ("3.9", ("jupyterlab==3.6.*", "jupyter_server<2.8", "ipywidgets<9")),
    "4.0": ("3.10", ("jupyterlab==4.0.*",)),
    "4.2": ("3.10", ("jupyterlab==4.2.*",)),
    "newest": ("", ("jupyterlab>=4.2,<5",)),
}
"""Python version and packages of each server environment."""
KERNELS = {
    "7.34": (
        "3.9",
        ("ipython==7.34.0", "ipykernel==6.7.0", "ipywidgets==7.7.0", "jupyter_client<8"),
    ),
    "8.10": (
        "3.10",
        ("ipython==8.10.0", "ipykernel==6.29.5", "jupyter_client==8.6.3", "jupyter_core==5.7.2"),
    ),
    "8.18": ("3.9", ("ipython==8.18.1", "ipykernel>=6.29")),
    "newest": ("", ("ipykernel", "ipywidgets")),
}
"""Python version and packages of each kernel environment, by the version of IPython."""
FRAMEWORKS = {
    "checkpoints": (
        "3.11",
        ("torch", "transformers", "accelerate", "mindspore>=2.5", "numpy<2", "ipykernel"),
    )
}
"""Python version and packages of a kernel with the frameworks of a notebook; MindSpore has no wheel for 3.13."""
BUILD_TIMEOUT_S = 1800.0
"""Seconds that uv may take for one environment: without its index of CPU builds, PyTorch is some gigabytes."""


def build_environment(kind: str, name: str) -> Path:
    """Return the folder of a cached environment, and build it if it is missing."""
    environments = {"server": SERVERS, "kernel": KERNELS, "frameworks": FRAMEWORKS}
    minor, packages = environments[kind][name]
    interpreters = find_interpreters()
    interpreter = interpreters.get(minor) or list(interpreters.values())[-1]
    folder = CACHE / f"{kind}-{name}"
    if not (folder / "complete").exists():
        # Another process may build it at the same time.
        temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
        _make(temporary, interpreter, packages)
        (temporary / "complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    return folder


def add_wheel(image: Path, target: Path, wheel: Path) -> Path:
    """Copy a kernel environment, install the wheel in it, and return the interpreter."""
    shutil.copytree(image, target, symlinks=True)
    python = target / "bin" / "python"
    run_uv("pip", "install", "--python", str(python), str(wheel))
    return python


def installed_versions(environment: Path) -> dict[str, str]:
    """Return the versions of all distributions of an environment by name."""
    (packages,) = environment.glob("lib/python*/site-packages")
    names = [each.name.removesuffix(".dist-info") for each in packages.glob("*.dist-info")]
    return dict(each.rsplit("-", 1) for each in names)


def _make(folder: Path, interpreter: str, packages: tuple[str, ...]) -> None:
    run_uv("venv", "--relocatable", "--python", interpreter, str(folder))
    install = ("pip", "install", "--python", str(folder / "bin" / "python"))
    if "torch" in packages:
        # The small builds of PyTorch have an index of their own, which may be out of reach.
        with contextlib.suppress(AssertionError):
            return run_uv(*install, "--torch-backend", "cpu", *packages, timeout_s=BUILD_TIMEOUT_S)
    return run_uv(*install, *packages, timeout_s=BUILD_TIMEOUT_S)
