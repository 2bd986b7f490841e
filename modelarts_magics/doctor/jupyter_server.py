"""Find the Jupyter server that serves the pages of this process: its interpreter, versions and folders.

On ModelArts the server runs in another environment than the kernels. It is found as an ancestor of this process,
or by the files that Jupyter servers write, and its own interpreter is asked what it has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.jupyter_folders import jupyter_data_folder, jupyter_runtime_folder
from modelarts_magics.keepalive.processes import PARENT_FIELD, stat_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PACKAGES = (
    "modelarts-magics",
    "jupyterlab",
    "notebook",
    "jupyter_server",
    "jupyterlab_widgets",
    "anywidget",
)
"""The packages of the server's environment that matter for its pages."""
OLDEST_JUPYTERLAB = 4
"""The first major version of JupyterLab that can load the extension."""
_OLDEST_PREBUILT = 3
"""The first major version of JupyterLab that loads extensions from the user's folder, such as those of widgets."""
_PARENT_VARIABLE = "JPY_PARENT_PID"
"""Names the process that has started a kernel. Source: jupyter_client."""
_PROGRAMS = re.compile(
    r"^jupyter(hub-singleuser|-(lab|labhub|notebook|server|nbclassic|singleuser))?(\.exe)?$"
)
_MODULES = re.compile(r"^(jupyterlab|jupyter_server|notebook|nbclassic|jupyterhub\.singleuser)\b")
_SUBCOMMANDS = ("lab", "labhub", "notebook", "server", "nbclassic")
_PROBE_VARIABLES = re.compile(
    r"^(HOME|USER|PATH|LANG|LC_\w+|LD_LIBRARY_PATH|PYTHON\w*|XDG_\w+|JUPYTER_\w*(DIR|PATH)|CONDA_\w+|VIRTUAL_ENV)$"
)
"""The variables that decide what an interpreter finds; the environment of a server also has secrets."""
_PROBE_CODE = """
import json, os, sys
try:
    from importlib import metadata
except ImportError:
    metadata = None
def version(name):
    try:
        return metadata.version(name) if metadata else __import__(name).__version__
    except Exception:
        return ""
python = "{}.{}".format(*sys.version_info)
found = {"prefix": sys.prefix, "python": python, "versions": {name: version(name) for name in sys.argv[1:]}}
try:
    from jupyter_core import paths
    found["data"] = paths.jupyter_data_dir()
    found["data_path"] = paths.jupyter_path()
    found["config_path"] = paths.jupyter_config_path()
except Exception:
    pass
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True)
class JupyterServer:
    """A running Jupyter server.

    Attributes:
        pid: Its process ID.
        python: Its interpreter.
        prefix: The folder of its environment.
        versions: The installed version of each of `PACKAGES`; "" if it is not installed.
        data_folder: The user's data folder.
        data_path: The folders with data, such as extensions and kernel specs, in the order of precedence.
        config_path: The folders with configuration, in the order of precedence.
    """

    pid: int
    python: str
    prefix: Path
    versions: Mapping[str, str]
    data_folder: Path
    data_path: tuple[Path, ...] = ()
    config_path: tuple[Path, ...] = field(default=())

    @property
    def extension_folders(self) -> tuple[Path, ...]:
        """The folders whose JupyterLab extensions it serves, in the order of precedence."""
        return tuple(each / "labextensions" for each in self.data_path)

    @property
    def can_load_extension(self) -> bool:
        """Whether its JupyterLab is new enough."""
        return major_version(self.versions.get("jupyterlab", "")) >= OLDEST_JUPYTERLAB

    @property
    def can_load_widgets(self) -> bool:
        """Whether its JupyterLab loads front ends of widgets from the user's folder."""
        return major_version(self.versions.get("jupyterlab", "")) >= _OLDEST_PREBUILT

    @property
    def page_name(self) -> str:
        """The name and version of what it serves."""
        for package, name in (("jupyterlab", "JupyterLab"), ("notebook", "Notebook")):
            if self.versions.get(package):
                return f"{name} {self.versions[package]}"
        return f"Jupyter Server {self.versions.get('jupyter_server', '')}".rstrip()


def major_version(version: str) -> int:
    """Return the first number of a version; 0 if there is none."""
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def find_jupyter_server(
    environ: Mapping[str, str], *, pid: int | None = None, processes: Path = Path("/proc")
) -> JupyterServer | None:
    """Return the Jupyter server that this process belongs to; None if there is none, or it cannot be asked.

    Args:
        environ: The environment variables of this process.
        pid: The process to start from; None for this one.
        processes: The folder with a folder for each process, as on Linux.
    """
    for each in _candidates(environ, os.getpid() if pid is None else pid, processes):
        server = _ask(each, processes)
        if server:
            return server
    return None


def find_server_of_kernel(
    environ: Mapping[str, str], *, processes: Path = Path("/proc"), timeout_s: float = 15.0
) -> JupyterServer | None:
    """Return the Jupyter server that has started this kernel; None if another program has, or it is not known.

    Args:
        environ: The environment variables of this process.
        processes: The folder with a folder for each process, as on Linux.
        timeout_s: The longest time to wait for the server's interpreter, in seconds.
    """
    parent = environ.get(_PARENT_VARIABLE, "")
    if not parent.isdigit():
        return None
    pid, runtime = int(parent), jupyter_runtime_folder(environ)
    files = (runtime / f"jpserver-{pid}.json", runtime / f"nbserver-{pid}.json")
    is_server = _is_server_command(_command(pid, processes)) or any(map(Path.is_file, files))
    return _ask(pid, processes, timeout_s=timeout_s) if is_server else None


def _candidates(environ: Mapping[str, str], pid: int, processes: Path) -> Iterator[int]:
    """Yield the processes that may be the server: ancestors first, then the ones that wrote a file."""
    ancestors = list(_ancestors(pid, processes))
    servers = [each for each in ancestors if _is_server_command(_command(each, processes))]
    yield from servers
    runtime = jupyter_runtime_folder(environ)
    files = [*runtime.glob("jpserver-*.json"), *runtime.glob("nbserver-*.json")]
    found = [
        int(name) for name in (each.stem.partition("-")[2] for each in files) if name.isdigit()
    ]
    # The newest server has the greatest number, unless the numbers have started again.
    others = sorted(set(found).difference(servers), reverse=True)
    alive = [each for each in others if _command(each, processes)]
    yield from sorted(alive, key=lambda each: each not in ancestors)


def _ancestors(pid: int, processes: Path) -> Iterator[int]:
    """Yield a process and those that started it."""
    while pid > 1:
        yield pid
        fields = stat_fields(pid, processes=processes)
        if fields is None:
            return
        pid = int(fields[PARENT_FIELD])


def _command(pid: int, processes: Path) -> list[str]:
    """Return the command line of a process; an empty list if it does not exist."""
    try:
        raw = (processes / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode(errors="replace").rstrip("\0").split("\0") if raw else []


def _is_server_command(command: Sequence[str]) -> bool:
    """Return whether a command line starts a Jupyter server."""
    for index, word in enumerate(command[:4]):
        following = command[index + 1] if index + 1 < len(command) else ""
        name = Path(word).name
        if word == "-m" and (
            _MODULES.match(following)
            or (following == "jupyter" and command[index + 2 :][:1] in [[s] for s in _SUBCOMMANDS])
        ):
            return True
        if _PROGRAMS.match(name) and (name != "jupyter" or following in _SUBCOMMANDS):
            return True
    return False


def _ask(pid: int, processes: Path, *, timeout_s: float = 20.0) -> JupyterServer | None:
    """Ask the interpreter of a process what it has."""
    variables = _environment(pid, processes)
    python = _interpreter(pid, processes, variables)
    if not python:
        return None
    answer = ask_interpreter(python, variables, timeout_s=timeout_s)
    return _read_answer(pid, python, answer, variables) if answer else None


def ask_interpreter(
    python: str, environ: Mapping[str, str], *, timeout_s: float = 20.0
) -> Mapping[str, Any] | None:
    """Return what an interpreter answers about itself; None if it cannot be asked.

    Args:
        python: The interpreter.
        environ: Its environment variables, see `probe_variables`.
        timeout_s: The longest time to wait, in seconds.

    Returns:
        Its ``prefix``, ``python`` version and the ``versions`` of `PACKAGES`; with Jupyter, also its folders.
    """
    try:
        completed = subprocess.run(  # noqa: S603 - a fixed command of the interpreter
            [python, "-c", _PROBE_CODE, *PACKAGES],
            env=environ,
            # Python searches the current folder first.
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
        answer: dict[str, Any] = json.loads(completed.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return answer if isinstance(answer, dict) and "prefix" in answer else None


def _read_answer(
    pid: int, python: str, answer: Mapping[str, Any], variables: Mapping[str, str]
) -> JupyterServer | None:
    versions: Mapping[str, str] = answer["versions"]
    if not versions["jupyter_server"] and not versions["notebook"]:
        return None
    return JupyterServer(
        pid,
        python,
        Path(answer["prefix"]),
        versions,
        Path(answer.get("data") or jupyter_data_folder(variables)),
        tuple(map(Path, answer.get("data_path", ()))),
        tuple(map(Path, answer.get("config_path", ()))),
    )


def _environment(pid: int, processes: Path) -> dict[str, str]:
    try:
        raw = (processes / str(pid) / "environ").read_bytes().decode(errors="surrogateescape")
    except OSError:
        raw = ""
    pairs = (each.partition("=") for each in raw.split("\0"))
    return probe_variables({name: value for name, _, value in pairs})


def probe_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that decide what an interpreter finds."""
    return {name: value for name, value in environ.items() if _PROBE_VARIABLES.match(name)}


def _interpreter(pid: int, processes: Path, variables: Mapping[str, str]) -> str:
    """Return the interpreter of a process; "" if there is none.

    The name in the command line is preferred to the link of the program, which leads out of a virtual environment.
    """
    command = _command(pid, processes)
    program = shutil.which(command[0], path=variables.get("PATH")) if command else None
    if program and Path(program).is_absolute() and "python" in Path(program).name:
        return program
    try:
        return os.readlink(processes / str(pid) / "exe")  # noqa: PTH115 - Path.readlink resolves nothing more
    except OSError:
        return ""
