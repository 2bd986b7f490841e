"""The demo as a user runs it: in a terminal, with JupyterLab and a kernel."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from modelarts_magics import demo, messages
from modelarts_magics.demo import check
from modelarts_magics.demo.workspace import (
    QUICKSTART,
    copy_with_kernel,
    example_notebooks_folder,
    quickstart_name,
    temporary_workspace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

TIMEOUT_S = 60
DEMO = [sys.executable, "-m", "modelarts_magics", "demo"]


class DemoProcess:
    """Running demo with a home directory of its own, to check that no file is left in it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.home, self.temporary = folder, folder / "home", folder / "temporary"
        self.home.mkdir()
        self.temporary.mkdir()
        private = {"HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONUTF8": "1"}
        misleading = {"MODELARTS_ENDPOINT": "https://elsewhere.example", "JUPYTER_TOKEN": "theirs"}
        self.process = subprocess.Popen(  # noqa: S603 - fixed arguments
            [*DEMO, *options],
            cwd=folder,
            env={**os.environ, **private, **misleading},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def press_enter(self) -> None:
        """Send Enter to the terminal."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_for(self, expected: str) -> str:
        """Wait for a line that contains a text and return it."""
        with self._more:
            self._more.wait_for(lambda: any(expected in line for line in self.lines), TIMEOUT_S)
            found = [line for line in self.lines if expected in line]
        assert found, f"no line with {expected!r} in {self.lines}"
        return found[0]

    def get(self, path: str, *, method: str = "GET") -> Any:  # noqa: ANN401 - any JSON value
        """Send a request to JupyterLab as the page does."""
        parts = urlsplit(self.wait_for("http").strip())
        url = f"{parts.scheme}://{parts.netloc}{path}?{parts.query}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(url, method=method)  # noqa: S310 - the demo's own URL
        with direct.open(request, timeout=30) as response:
            body = response.read()
        return json.loads(body) if path.startswith("/api") else body.decode()

    def end(self, number: signal.Signals) -> list[psutil.Process]:
        """Send a signal and return the child processes that are still running after the demo."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        return psutil.wait_procs(children, timeout=TIMEOUT_S)[1]

    def close(self) -> None:
        """Stop the demo and its children, also after a failed test."""
        if self.process.poll() is None:
            for left in self.end(signal.SIGTERM):
                left.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., DemoProcess]]:
    """Return a function that starts a demo in an empty folder."""
    demos: list[DemoProcess] = []

    def run(*options: str) -> DemoProcess:
        demos.append(DemoProcess(tmp_path, *options))
        return demos[-1]

    yield run
    for one in demos:
        one.close()


def test_demo_prints_one_url_and_cleans_up(start_demo: Callable[..., DemoProcess]) -> None:
    """The URL shows the quickstart; Ctrl-C ends the server and its kernels and removes all files."""
    demo_process = start_demo()
    address = urlsplit(demo_process.wait_for("http").strip())
    demo_process.wait_for("Ctrl-C to end the demo")
    assert sum("http" in line for line in demo_process.lines) == 1
    assert any("DEMO · local emulator" in line for line in demo_process.lines)
    assert address.path == f"/lab/tree/{QUICKSTART}"
    assert "JupyterLab" in demo_process.get(address.path)
    assert QUICKSTART in [one["name"] for one in demo_process.get("/api/contents")["content"]]
    demo_process.get("/api/kernels", method="POST")
    assert demo_process.end(signal.SIGINT) == []
    assert demo_process.process.returncode == 0
    assert demo_process.lines[-1] == "Demo ended; all its processes have been stopped.\n"
    with socket.socket() as probe:
        assert probe.connect_ex((str(address.hostname), int(address.port or 0))) != 0
    assert not (demo_process.folder / ".demo").exists()
    assert list(demo_process.temporary.iterdir()) == []
    assert [one.name for one in demo_process.home.iterdir() if "jupyter" in one.name.lower()] == []
    assert not (demo_process.home / ".ipython").exists()
    assert not (demo_process.home / ".modelarts-magics").exists()


def test_enter_starts_the_stopped_instance(start_demo: Callable[..., DemoProcess]) -> None:
    """The stop is printed, Enter starts a new run, and an edited notebook is kept."""
    demo_process = start_demo("--edition", "2021", "--time-scale", "1200")
    demo_process.wait_for("http")
    demo_process.wait_for("The instance was stopped")
    demo_process.press_enter()
    demo_process.wait_for("The instance is running again.")
    notebook = demo_process.folder / ".demo" / QUICKSTART
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("ResNet", "VGG"), "utf-8")
    assert demo_process.end(signal.SIGTERM) == []
    assert demo_process.process.returncode == 0
    assert "VGG" in notebook.read_text(encoding="utf-8")
    assert list(demo_process.temporary.iterdir()) == []


@pytest.mark.parametrize("api", ["demanager", pytest.param("notebooks", marks=pytest.mark.soak)])
def test_check_prints_the_result_of_each_cell(tmp_path: Path, api: str) -> None:
    """`demo --check` runs without a browser and leaves no file."""
    command = [*DEMO, "--check", "--api", api]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603 - fixed arguments
        command,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        env=environment,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [line for line in done.stdout.splitlines() if line[:1] in ("✓", "✗")]
    assert all(line.startswith(f"✓ [{n}]") for n, line in enumerate(cells, start=1))
    assert f"Cells run: {len(cells)}. With unexpected results: 0." in done.stdout
    assert "DEMO · local emulator" in done.stdout
    assert "Extended." in done.stdout
    assert "add --replace" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "tags", "status"),
    [
        ("print(6 * 7)", [], 0),
        ("1 / 0", [], 1),
        ("1 / 0", ["raises-exception"], 0),
        ("print(6 * 7)", ["raises-exception"], 1),
    ],
)
def test_check_fails_on_an_unexpected_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, tags: list[str], status: int
) -> None:
    """A cell that fails is an error, and so is a cell that should fail but does not."""
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    with temporary_workspace({}) as workspace:
        assert check.run_notebook(path, workspace) == status
    output = capsys.readouterr().out
    assert output.startswith(f"{'✗' if status else '✓'} [1] {source}\n")
    assert ("ZeroDivisionError" in output) is ("/" in source)
    assert "\x1b" not in output


def test_missing_package_prints_the_install_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its extra, the demo prints how to install it."""
    monkeypatch.setattr(demo, "REQUIRED_PACKAGES", ("no_such_module_at_all",))
    assert demo.main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "The demo needs JupyterLab: pip install 'modelarts-magics[demo]'"
    ]


@pytest.mark.parametrize(
    "arguments", [["--time-scale", "0"], ["--edition", "2020"], ["--api", "x"]]
)
def test_invalid_arguments_exit_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """The error names the argument."""
    with pytest.raises(SystemExit) as exited:
        demo.main(arguments)
    assert exited.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_example_notebooks_are_found() -> None:
    """The quickstart is found in the package or the source tree."""
    assert (example_notebooks_folder() / QUICKSTART).is_file()


def test_copy_opens_unmodified(tmp_path: Path) -> None:
    """A kernel that starts finds in the copy what JupyterLab would fill in."""
    copy = tmp_path / QUICKSTART
    copy_with_kernel(example_notebooks_folder() / QUICKSTART, copy)
    notebook = nbformat.read(copy, as_version=4)
    before = dict(notebook.metadata)
    assert before["kernelspec"]["display_name"] == "Python 3 (ipykernel)"
    notebook.cells = []
    NotebookClient(notebook, timeout=TIMEOUT_S).execute()
    assert notebook.metadata == before


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_demo_opens_the_quickstart_of_the_language(language: str) -> None:
    """The quickstart has the language of the messages, and exists."""
    context = copy_context()
    context.run(messages.use_request_language, language)
    name = context.run(quickstart_name)
    assert name.endswith(".zh-CN.ipynb") is (language == "zh_CN")
    assert (example_notebooks_folder() / name).is_file()
