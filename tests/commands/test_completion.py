"""The completion scripts, run by the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelarts_magics.cli import main
from modelarts_magics.commands.completion import PROGRAMS, SHELLS, find_candidates, shell_script
from modelarts_magics.commands.grammar import COMMANDS

ASK = {
    "bash": """source <("$0" completion bash); COMP_WORDS=(modelarts-magics "$@"); COMP_CWORD=$#
compopt() { :; }; _modelarts_magics; printf '%s\\n' "${COMPREPLY[@]}"
""",
    "zsh": """compdef() { :; }; source <("$0" completion zsh); _describe() { print -rl -- "${(@)${(@P)3}%%:*}"; }
words=(modelarts-magics "$@"); CURRENT=$#words; _modelarts_magics""",
    "fish": """source (modelarts-magics completion fish | psub)
complete -C "modelarts-magics $argv" | string split -f1 \\t""",
}
"""A program of each shell that prints what it offers after some words."""
INSTALLED = [shell for shell in SHELLS if shutil.which(shell)]


def offered(shell: str, *words: str) -> list[str]:
    """Return the words that a shell offers after some words, the last of which is being typed."""
    folder = Path(sys.executable).parent
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    name = [] if shell == "fish" else [str(folder / "modelarts-magics")]
    run = subprocess.run(  # noqa: S603 - a shell and our own command
        [shell, *options, "-c", ASK[shell], *name, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "MODELARTS_LANGUAGE": "en"},
    )
    assert run.stderr == ""
    return run.stdout.split()


@pytest.mark.process
@pytest.mark.parametrize("shell", INSTALLED)
def test_shell_offers_values_before_options(shell: str) -> None:
    """The order is the natural one."""
    shown = offered(shell, "extend", "")
    assert shown[:4] == ["30m", "1h", "2h", "4h"]
    assert "--json" in shown[4:]


@pytest.mark.parametrize(
    ("preceding", "word", "expected"),
    [
        ([], "exte", ["extend"]),
        (["extend"], "--js", ["--json"]),
        (["extend", "--json"], "--js", []),
        (["extend", "1h"], "3", []),
    ],
)
def test_typed_words_limit_the_candidates(
    preceding: list[str], word: str, expected: list[str]
) -> None:
    """A word is offered where it can stand, and once."""
    assert list(find_candidates(preceding, word, terminal=True) or {}) == expected


def test_bash_is_among_the_tested_shells() -> None:
    """A machine that has no shell at all would make the test above empty."""
    assert "bash" in INSTALLED


def test_terminal_is_offered_what_it_can_run() -> None:
    """Widgets and Python variables need a kernel; the programs need a terminal."""
    names = set(find_candidates([], "", terminal=True) or {})
    assert names == {name for name, each in COMMANDS.items() if not each.kernel_only} | {*PROGRAMS}
    assert "--from" not in (find_candidates(["describe"], "", terminal=True) or {})
    assert find_candidates(["describe", "a"], "", terminal=True) is None
    assert set(PROGRAMS).isdisjoint(find_candidates([], "") or {})


@pytest.mark.parametrize("arguments", [["completion"], ["completion", "tcsh"]])
def test_unknown_shell_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage names the shells."""
    assert main(arguments) == 2
    assert "bash | zsh | fish" in capsys.readouterr().err


def test_scripts_name_the_command() -> None:
    """No placeholder is left."""
    for shell in SHELLS:
        assert "PROGRAM" not in shell_script(shell)
        assert "modelarts-magics completion words" in shell_script(shell)
