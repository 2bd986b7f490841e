"""The demo as a person runs it: in a terminal, with a real JupyterLab and a real kernel."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest

from modelarts_magics import demo
from modelarts_magics.demo import check
from modelarts_magics.demo.workspace import (
    QUICKSTART,
    example_notebooks_folder,
    temporary_workspace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 60
DEMO = [sys.executable, "-m", "modelarts_magics", "demo"]


class DemoProcess:
    """A running demo, with a home of its own to see that nothing is left in it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.home, self.temporary = folder, folder / "home", folder / "temporary"
        self.home.mkdir()
        self.temporary.mkdir()
        own = {"HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONUTF8": "1"}
        foreign = {"MODELARTS_ENDPOINT": "https://elsewhere.example", "JUPYTER_TOKEN": "theirs"}
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [*DEMO, *options],
            cwd=folder,
            env={**os.environ, **own, **foreign},
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
        """Do what a person does in the terminal."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_for(self, words: str) -> str:
        """Return the line that has the words, once it is there."""
        with self._more:
            self._more.wait_for(lambda: any(words in line for line in self.lines), PATIENCE_S)
            found = [line for line in self.lines if words in line]
        assert found, f"no line with {words!r} in {self.lines}"
        return found[0]

    def get(self, path: str, *, method: str = "GET") -> Any:  # noqa: ANN401 - any JSON value
        """Ask JupyterLab, as the page would."""
        parts = urlsplit(self.wait_for("http").strip())
        url = f"{parts.scheme}://{parts.netloc}{path}?{parts.query}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(url, method=method)  # noqa: S310 - the demo's own address
        with direct.open(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if path.startswith("/api") else body.decode()

    def end(self, number: signal.Signals) -> list[psutil.Process]:
        """Send a signal and return the children that outlive the demo."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return psutil.wait_procs(children, timeout=PATIENCE_S)[1]

    def close(self) -> None:
        """Leave nothing behind, also after a failed test."""
        if self.process.poll() is None:
            for left in self.end(signal.SIGTERM):
                left.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., DemoProcess]]:
    """Return what starts a demo in an empty folder."""
    made: list[DemoProcess] = []

    def run(*options: str) -> DemoProcess:
        made.append(DemoProcess(tmp_path, *options))
        return made[-1]

    yield run
    for one in made:
        one.close()


def test_it_opens_one_address_and_leaves_nothing_behind(start: Callable[..., DemoProcess]) -> None:
    """The address shows the quickstart; Ctrl-C ends the server and its kernels and clears up."""
    running = start()
    address = urlsplit(running.wait_for("http").strip())
    running.wait_for("Ctrl-C to end the demo")
    assert sum("http" in line for line in running.lines) == 1
    assert any("DEMO · local emulator" in line for line in running.lines)
    assert address.path == f"/lab/tree/{QUICKSTART}"
    assert "JupyterLab" in running.get(address.path)
    assert QUICKSTART in [one["name"] for one in running.get("/api/contents")["content"]]
    running.get("/api/kernels", method="POST")
    assert running.end(signal.SIGINT) == []
    assert running.process.returncode == 0
    assert running.lines[-1] == "Demo ended; all its processes have been stopped.\n"
    with socket.socket() as probe:
        assert probe.connect_ex((str(address.hostname), int(address.port or 0))) != 0
    assert not (running.folder / ".demo").exists()
    assert list(running.temporary.iterdir()) == []
    assert [one.name for one in running.home.iterdir() if "jupyter" in one.name.lower()] == []
    assert not (running.home / ".ipython").exists()
    assert not (running.home / ".modelarts-magics").exists()


def test_the_instance_can_be_started_again(start: Callable[..., DemoProcess]) -> None:
    """The emulated stop is told; Enter starts a new run; an edited notebook survives the demo."""
    running = start("--edition", "2021", "--time-scale", "1200")
    running.wait_for("http")
    running.wait_for("The instance was stopped")
    running.press_enter()
    running.wait_for("The instance is running again.")
    notebook = running.folder / ".demo" / QUICKSTART
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("ResNet", "VGG"), "utf-8")
    assert running.end(signal.SIGTERM) == []
    assert running.process.returncode == 0
    assert "VGG" in notebook.read_text(encoding="utf-8")
    assert list(running.temporary.iterdir()) == []


@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_check_tells_what_each_cell_did(tmp_path: Path, api: str) -> None:
    """`demo --check` needs no browser, prints every cell with its output, and leaves no file."""
    command = [*DEMO, "--check", "--api", api]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        env=environment,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [line for line in done.stdout.splitlines() if line[:1] in ("✓", "✗")]
    assert all(line.startswith(f"✓ [{n}]") for n, line in enumerate(cells, start=1))
    assert f"{len(cells)} cells run, 0 with unexpected results." in done.stdout
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
def test_check_fails_where_a_cell_surprises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, tags: list[str], status: int
) -> None:
    """A cell that fails is a failure, and so is one that should fail and does not."""
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    with temporary_workspace({}) as place:
        assert check.run_notebook(path, place) == status
    shown = capsys.readouterr().out
    assert shown.startswith(f"{'✗' if status else '✓'} [1] {source}\n")
    assert ("ZeroDivisionError" in shown) is ("/" in source)
    assert "\x1b" not in shown


def test_what_is_missing_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its extra the demo says how to get it."""
    monkeypatch.setattr(demo, "REQUIRED_PACKAGES", ("no_such_module_at_all",))
    assert demo.main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "The demo needs JupyterLab: pip install 'modelarts-magics[demo]'"
    ]


@pytest.mark.parametrize(
    "arguments", [["--time-scale", "0"], ["--edition", "2020"], ["--api", "x"]]
)
def test_wrong_arguments_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """As every program does: usage, the reason, exit status 2."""
    with pytest.raises(SystemExit) as exited:
        demo.main(arguments)
    assert exited.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_the_notebooks_are_there() -> None:
    """Installed or in a source tree, the quickstart is found."""
    assert (example_notebooks_folder() / QUICKSTART).is_file()
