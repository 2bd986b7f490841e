"""Import and ``%load_ext`` load only what they need and send no request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import modelarts_magics

HEAVY = {
    *(
        "httpx",
        "httpcore",
        "ipywidgets",
        "anywidget",
        "jsonschema",
        "ssl",
        "tornado",
        "jupyter_server",
    ),
    *("nbformat", "jupyter_events", "jupyter_core", "jupyter_client", "asyncio"),
}
LOADED = "sorted(name for name in sys.modules)"


def python(program: str, **environ: str) -> Any:  # noqa: ANN401 - what the program printed
    """Run a program in a new interpreter with warnings as errors; return the JSON it prints."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.process
def test_import_loads_no_other_module() -> None:
    """Importing the package loads no submodule and no heavy dependency."""
    program = f"import sys, json\nbefore = set({LOADED})\nimport modelarts_magics\n"
    program += f"print(json.dumps(sorted(set({LOADED}) - before)))"
    loaded = python(program)
    assert [name for name in loaded if name.startswith("modelarts_magics")] == ["modelarts_magics"]
    assert not set(loaded) & (HEAVY | {"IPython", "traitlets", "dataclasses"})


LOAD = f"""
import sys, json, socket
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config, ipython_dir={{folder!r}})

def no_network(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        raise RuntimeError(event)

before = set({LOADED})
sys.addaudithook(no_network)
result = shell.run_cell("%load_ext modelarts_magics")
assert result.success, result
loaded = sorted(set({LOADED}) - before)
print(json.dumps(loaded))
"""


@pytest.mark.process
def test_load_ext_imports_only_the_magics(tmp_path: object) -> None:
    """Loading the extension imports no HTTP client, widget or command, and opens no socket."""
    loaded = set(python(LOAD.replace("{folder!r}", repr(str(tmp_path)))))
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("modelarts_magics.")}
    settings = ("config", "config.setting_table", "config.setting_traits", "config.notify_folder")
    kernel = ("kernel", "kernel.magics", "kernel.completion", "kernel.display", "kernel.restart")
    kernel += ("kernel.keep_cell",)
    assert ours <= {
        f"modelarts_magics.{name}" for name in (*settings, *kernel, "kernel.current_session")
    }


@pytest.mark.process
def test_help_needs_no_http_client(tmp_path: object) -> None:
    """The help of the magic and of one command need neither HTTP nor widgets."""
    program = LOAD.replace("{folder!r}", repr(str(tmp_path))).replace(
        'shell.run_cell("%load_ext modelarts_magics")',
        'shell.run_cell("%load_ext modelarts_magics\\nx = %modelarts help\\ny = %modelarts describe -h")',
    )
    assert not set(python(program)) & {"ipywidgets", "anywidget", "jsonschema"}


@pytest.mark.process
def test_first_command_imports_no_other_commands(tmp_path: object) -> None:
    """Parsing and dispatching it loads neither the doctor nor the daemon nor prompts."""
    program = LOAD.replace("{folder!r}", repr(str(tmp_path))).replace(
        'shell.run_cell("%load_ext modelarts_magics")',
        'shell.run_cell("%load_ext modelarts_magics\\nx = %modelarts help")',
    )
    unneeded = ("doctor", "keepalive", "commands.prompts", "commands.setup", "commands.jobs")
    names = tuple(f"modelarts_magics.{name}" for name in unneeded)
    assert [name for name in python(program) if name.startswith(names)] == []


@pytest.mark.parametrize("name", modelarts_magics.__all__)
def test_public_name_is_documented(name: str) -> None:
    """Each exported name exists, has a docstring and is listed by dir()."""
    found = getattr(modelarts_magics, name)
    assert found.__doc__
    assert name in dir(modelarts_magics)


def test_unknown_name_raises_attribute_error() -> None:
    """The error is the one that Python raises for a module."""
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = modelarts_magics.nonsense


@pytest.mark.process
def test_version_is_available_without_package_metadata() -> None:
    """A Jupyter server reads the version, also where the source is only on the path."""
    root = str(Path(modelarts_magics.__file__).parents[1])
    program = "import sys, json\n"
    program += f"sys.path = [p for p in sys.path if 'site-packages' not in p] + [{root!r}]\n"
    program += "import modelarts_magics\nprint(json.dumps(modelarts_magics.__version__))"
    assert python(program) == "0+unknown"
