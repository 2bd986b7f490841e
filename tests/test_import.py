"""Importing and loading are cheap: nothing is imported before it is used, and no cloud is asked."""

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
    *("httpx", "ipywidgets", "anywidget", "jsonschema", "ssl", "tornado", "jupyter_server"),
    *("nbformat", "jupyter_events", "jupyter_core", "jupyter_client", "asyncio"),
}
LOADED = "sorted(name for name in sys.modules)"


def python(program: str, **environ: str) -> Any:  # noqa: ANN401 - what the program printed
    """Run a program in a fresh interpreter in which warnings are errors, and read its JSON."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_importing_loads_nothing_else() -> None:
    """Of ours, or of anybody's but the little that the interpreter has not loaded anyway."""
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


def test_loading_imports_no_more_than_it_needs(tmp_path: object) -> None:
    """No HTTP, no widgets, no schemas, none of our commands; and opens no socket."""
    loaded = set(python(LOAD.replace("{folder!r}", repr(str(tmp_path)))))
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("modelarts_magics.")}
    assert ours <= {
        f"modelarts_magics.kernel{part}"
        for part in ("", ".magics", ".completion", ".display", ".here")
    }


def test_help_and_a_slip_need_no_http(tmp_path: object) -> None:
    """They are answered without the client."""
    program = LOAD.replace("{folder!r}", repr(str(tmp_path))).replace(
        'shell.run_cell("%load_ext modelarts_magics")',
        'shell.run_cell("%load_ext modelarts_magics\\nx = %modelarts help\\ny = %modelarts describe -h")',
    )
    assert not set(python(program)) & {"ipywidgets", "anywidget", "jsonschema"}


@pytest.mark.parametrize("name", modelarts_magics.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """And documented."""
    found = getattr(modelarts_magics, name)
    assert found.__doc__
    assert name in dir(modelarts_magics)


def test_there_is_nothing_else() -> None:
    """A name that is none is told as Python tells it."""
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = modelarts_magics.nonsense


def test_a_path_to_the_source_is_no_failure() -> None:
    """A Jupyter server asks for the version, and is not to fail for want of the package's metadata."""
    root = str(Path(modelarts_magics.__file__).parents[1])
    program = "import sys, json\n"
    program += f"sys.path = [p for p in sys.path if 'site-packages' not in p] + [{root!r}]\n"
    program += "import modelarts_magics\nprint(json.dumps(modelarts_magics.__version__))"
    assert python(program) == "0+unknown"
