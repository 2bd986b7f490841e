"""Search for the Jupyter server of a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from modelarts_magics.doctor.jupyter_server import (
    JupyterServer,
    find_jupyter_server,
    find_server_of_kernel,
)

SHELL, KERNEL = ["/bin/bash"], [sys.executable, "-m", "ipykernel_launcher", "-f", "k.json"]


class FakeProcesses:
    """A folder with processes, as Linux shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, pid: int, parent: int, command: list[str], **environ: str) -> None:
        """Add a process."""
        folder = self.folder / str(pid)
        folder.mkdir(parents=True)
        (folder / "stat").write_text(f"{pid} (a ) b) S {parent} 1 1")
        (folder / "cmdline").write_bytes("\0".join([*command, ""]).encode())
        pairs = [f"{name}={value}" for name, value in environ.items()]
        (folder / "environ").write_bytes("\0".join(pairs).encode())
        (folder / "exe").symlink_to(sys.executable)

    def find(self, pid: int, **environ: str) -> JupyterServer | None:
        """Return the server of a process."""
        variables = {"HOME": str(self.folder), **environ}
        return find_jupyter_server(variables, pid=pid, processes=self.folder)


@pytest.fixture
def processes(tmp_path: Path) -> FakeProcesses:
    """Return a machine without processes."""
    return FakeProcesses(tmp_path / "proc")


@pytest.mark.process
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "jupyterlab", "--no-browser"],
        ["-m", "jupyter", "lab"],
        ["/x/bin/jupyter-lab", "--port=1"],
        ["/x/bin/jupyter", "notebook"],
        ["/x/bin/jupyter-labhub"],
        ["-m", "jupyterhub.singleuser"],
        ["-u", "/x/bin/jupyter-server"],
    ],
    ids=" ".join,
)
def test_server_is_found_among_the_ancestors(processes: FakeProcesses, command: list[str]) -> None:
    """In a kernel and in a terminal of JupyterLab; it is asked for its versions and folders."""
    processes.add(10, 1, [sys.executable, *command], JUPYTER_DATA_DIR="/the/data", SECRET="s3cret")
    processes.add(11, 10, KERNEL)
    processes.add(12, 10, SHELL)
    processes.add(13, 12, [sys.executable, "-m", "modelarts_magics"])
    for pid in (10, 11, 13):
        server = processes.find(pid)
        assert server is not None
        assert (server.pid, server.python) == (10, sys.executable)
        assert server.prefix == Path(sys.prefix)
        assert server.data_folder == Path("/the/data")
        assert Path("/the/data/labextensions") in server.extension_folders
        assert server.can_load_extension
        assert server.page_name.startswith("JupyterLab 4.")


@pytest.mark.process
def test_server_is_found_by_its_file(processes: FakeProcesses, tmp_path: Path) -> None:
    """In a shell that it has not started; files of servers that have ended do not count."""
    processes.add(20, 1, ["start-platform"])
    processes.add(21, 1, SHELL)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for pid in (20, 99):
        (runtime / f"jpserver-{pid}.json").write_text("{}")
    server = processes.find(21, JUPYTER_RUNTIME_DIR=str(runtime))
    assert server is not None
    assert server.pid == 20
    assert processes.find(21) is None


@pytest.mark.process
@pytest.mark.parametrize(
    "command", [SHELL, KERNEL, ["jupyter", "console"], ["vim", "jupyter-lab.py"]]
)
def test_other_ancestors_are_no_server(processes: FakeProcesses, command: list[str]) -> None:
    """A kernel without a server, such as that of an editor or of a script."""
    processes.add(30, 1, command)
    processes.add(31, 30, KERNEL)
    assert processes.find(31) is None


@pytest.mark.process
def test_server_that_cannot_be_asked_is_unknown(processes: FakeProcesses) -> None:
    """Its interpreter is gone, or answers something else."""
    processes.add(40, 1, ["/gone/bin/python", "-m", "jupyterlab"])
    (processes.folder / "40" / "exe").unlink()
    (processes.folder / "40" / "exe").symlink_to("/bin/true")
    assert processes.find(40) is None


@pytest.mark.process
def test_server_that_does_not_answer_is_asked_once(
    processes: FakeProcesses, tmp_path: Path
) -> None:
    """It is an ancestor and has written a file; a question may take 20 s."""
    python, asked = tmp_path / "python", tmp_path / "asked"
    python.write_text(f"#!/bin/sh\necho >> '{asked}'\n")
    python.chmod(0o700)
    processes.add(41, 1, [str(python), "-m", "jupyterlab"])
    processes.add(42, 41, KERNEL)
    (tmp_path / "jpserver-41.json").write_text("{}")
    assert processes.find(42, JUPYTER_RUNTIME_DIR=str(tmp_path)) is None
    assert asked.read_text() == "\n"


@pytest.mark.process
def test_server_of_kernel_is_the_process_that_started_it(
    processes: FakeProcesses, tmp_path: Path
) -> None:
    """Also one that is started by a program of the platform; an editor or a script is none."""
    processes.add(50, 1, [sys.executable, "-m", "jupyterlab"])
    processes.add(51, 50, [sys.executable, "script.py"])
    processes.add(52, 1, [sys.executable, "start-platform"])
    (tmp_path / "jpserver-52.json").write_text("{}")
    found = {}
    for parent in ("50", "51", "52", "99", "", "x"):
        environ = {"JUPYTER_RUNTIME_DIR": str(tmp_path), "JPY_PARENT_PID": parent}
        server = find_server_of_kernel(environ, processes=processes.folder)
        found[parent] = server.pid if server else None
    assert found == {"50": 50, "51": None, "52": 52, "99": None, "": None, "x": None}


def test_machine_without_process_folder_has_no_server(tmp_path: Path) -> None:
    """On other systems nothing is known."""
    environ = {"HOME": str(tmp_path)}
    assert find_jupyter_server(environ, processes=tmp_path / "none") is None
    assert find_jupyter_server(environ, pid=os.getpid(), processes=tmp_path) is None
