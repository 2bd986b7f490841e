"""The README is held to the program: what exists is in it, and what is in it works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from modelarts_magics.commands.grammar import COMMANDS
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.config.credential_chain import (
    ACCESS_KEY_VARIABLES,
    FILE_VARIABLE,
    METADATA_VARIABLE,
    TOKEN_VARIABLE,
)
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.settings_file import PATH_VARIABLE
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.kernel.magics import ModelArts

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEMA = ROOT / "labextension" / "schema" / "manager.json"
TOKENS = ROOT / "labextension" / "src" / "tokens.ts"
FIRST_LINES = 40


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def _typed() -> list[str]:
    """Every command in the table's first column, without what is optional."""
    rows = re.findall(r"^\| (`%modelarts.*?) \|", README, re.MULTILINE)
    written = [each for row in rows for each in re.findall(r"`(%modelarts[^`]*)`", row)]
    return [re.sub(r"\s*\[.*?\]", "", each).removeprefix("%modelarts").strip() for each in written]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    """Whoever reads it has seen all commands."""
    assert f"%modelarts {name}" in README


@pytest.mark.parametrize(
    ("command", "option"),
    [(command.name, option.name) for command in COMMANDS.values() for option in command.options],
)
def test_every_option_is_in_the_readme(command: str, option: str) -> None:
    """…and all their options."""
    assert option in README, command


@pytest.mark.parametrize(
    "variable",
    [
        *(variable for setting in SETTINGS.values() for variable in setting.variables),
        TOKEN_VARIABLE,
        *ACCESS_KEY_VARIABLES,
        FILE_VARIABLE,
        METADATA_VARIABLE,
        PATH_VARIABLE,
    ],
)
def test_every_variable_is_in_the_readme(variable: str) -> None:
    """…and every variable that is read."""
    assert variable in README


@pytest.mark.parametrize("name", json.loads(SCHEMA.read_text("utf-8"))["properties"])
def test_every_setting_of_the_sidebar_is_in_the_readme(name: str) -> None:
    """…and what can be set in the page."""
    assert f"`{name}`" in README


@pytest.mark.parametrize(
    "command", re.findall(r"'(modelarts-magics:.*?)'", TOKENS.read_text("utf-8"))
)
def test_every_command_of_the_sidebar_is_in_the_readme(command: str) -> None:
    """…and what can be called there."""
    assert f"`{command}`" in README


@pytest.mark.parametrize("option", ["--remove", "--widgets"])
def test_every_option_of_install_lab_is_in_the_readme(option: str) -> None:
    """…and what a terminal takes for it."""
    assert option in README


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_can_be_set_in_config(name: str) -> None:
    """A setting of the environment is one of ``%config ModelArts`` too."""
    assert name in ModelArts.class_trait_names(config=True)


@pytest.mark.parametrize("line", _typed())
def test_every_command_in_the_table_can_be_parsed(line: str) -> None:
    """No line of the table is a usage error."""
    assert parse_line(line).command.name in COMMANDS


def test_the_first_cell_is_near_the_top_and_begins_with_pip() -> None:
    """A newcomer meets it on the first page; without ``%pip`` it would not survive a stop."""
    first = _blocks("python")[0]
    assert README.splitlines().index("%load_ext modelarts_magics") < FIRST_LINES
    assert first.startswith("%pip install -q modelarts-magics\n")


def test_the_program_in_the_readme_does_what_it_says(tmp_path: Path) -> None:
    """It extends this run by an hour, and prints that it holds and until when."""
    script = tmp_path / "program.py"
    script.write_text(_blocks("python")[1], encoding="utf-8")
    with LocalEmulator() as emulator:
        environment = {**os.environ, **emulator.environment(), "HOME": str(tmp_path)}
        done = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, str(script)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        extended = emulator.state()["instances"][0]
    end = datetime.fromisoformat(extended["stops_at"]).replace(microsecond=0)
    assert done.stderr == ""
    assert done.stdout.startswith(f"True {end:%Y-%m-%d %H:%M:%S}")
    assert extended["duration_s"] == timedelta(hours=2).total_seconds()
