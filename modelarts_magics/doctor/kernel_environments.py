"""Find the environments of the kernels that a Jupyter server can start, and which of them have this package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.doctor.jupyter_server import ask_interpreter, probe_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.doctor.jupyter_server import JupyterServer

_OWN = "modelarts-magics"
_NATIVE_PROGRAMS = ("python", "python3")
"""Programs of a kernel spec that Jupyter replaces by the server's own interpreter."""
_MAX_ENVIRONMENTS = 8
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class KernelEnvironment:
    """An environment with kernels.

    Attributes:
        names: The names of its kernel specs.
        python: Its interpreter.
        minor: The Python version, for example ``3.10``; "" if the interpreter cannot be asked.
        version: The version of this package; "" if it is not installed.
    """

    names: tuple[str, ...]
    python: str
    minor: str
    version: str


def find_kernel_environments(
    server: JupyterServer, environ: Mapping[str, str]
) -> list[KernelEnvironment]:
    """Ask the interpreters of the server's Python kernels, each once.

    Args:
        server: The server.
        environ: The environment variables that its kernels get.
    """
    names: dict[str, list[str]] = {}
    for name, python in _interpreters(server).items():
        names.setdefault(python, []).append(name)
    found = []
    for python in [*names][:_MAX_ENVIRONMENTS]:
        answer = ask_interpreter(python, probe_variables(environ), timeout_s=_TIMEOUT_S) or {}
        minor = ".".join(str(answer.get("python", "")).split(".")[:2])
        version = answer.get("versions", {}).get(_OWN, "")
        found.append(KernelEnvironment(tuple(names[python]), python, minor, version))
    return found


def _interpreters(server: JupyterServer) -> dict[str, str]:
    """Return the interpreter of each Python kernel spec by its name; the first folder has precedence."""
    found: dict[str, str] = {}
    for folder in server.data_path:
        for file in sorted((folder / "kernels").glob("*/kernel.json")):
            name = file.parent.name
            try:
                program = str(json.loads(file.read_text(encoding="utf-8"))["argv"][0])
            except (OSError, ValueError, KeyError, IndexError, TypeError):
                continue
            program = server.python if program in _NATIVE_PROGRAMS else program
            if Path(program).is_absolute() and "python" in Path(program).name:
                found.setdefault(name, program)
    return found
