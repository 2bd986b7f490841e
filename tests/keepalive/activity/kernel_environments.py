"""Kernels of several versions, and one that is not Python, each in a cached environment of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

CACHE_FOLDER = Path(__file__).resolve().parents[3] / ".cache" / "kernels"
NEWEST, DENO = "newest", "deno"
REQUIREMENTS = {
    "ipykernel 6.31": "ipykernel==6.31.0",
    "ipykernel 7.1": "ipykernel==7.1.0",
    # A kernel in Rust for TypeScript, which publishes without topics.
    DENO: "deno==2.9.8",
}
"""The package of each kernel besides that of the tests' own environment."""


def kernel_command(name: str) -> list[str]:
    """Return the command that starts a kernel; install it into the cache the first time.

    Args:
        name: `NEWEST`, which is the kernel of the tests' own environment, or a key of `REQUIREMENTS`.
    """
    if name == NEWEST:
        return [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    folder = _environment(REQUIREMENTS[name])
    if name == DENO:
        return [str(folder / "bin" / "deno"), "jupyter", "--kernel", "--conn", "{connection_file}"]
    return [str(folder / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def kernel_metadata(name: str) -> dict[str, Any]:
    """Return what the specification of a kernel says about it, such as how it can encrypt; empty without one.

    Args:
        name: As in `kernel_command`.
    """
    prefix = Path(kernel_command(name)[0]).parents[1]
    path = prefix / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    return dict(json.loads(path.read_text())["metadata"]) if path.exists() else {}


def _environment(requirement: str) -> Path:
    folder = CACHE_FOLDER / hashlib.sha256(f"{sys.version}{requirement}".encode()).hexdigest()[:12]
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
        (CACHE_FOLDER / ".gitignore").write_text("*\n")
        uv = [sys.executable, "-m", "uv"]
        python = str(folder / "bin" / "python")
        for command in (
            ["venv", "--quiet", "--python", sys.executable, str(folder)],
            ["pip", "install", "--quiet", "--python", python, requirement],
        ):
            subprocess.run([*uv, *command], check=True)  # noqa: S603 - fixed arguments
        (folder / "complete").touch()
    return folder
