"""Check the documents against the program: what exists is documented, and what is documented works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextvars import copy_context
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import unquote

import pytest
from factories import make_instance, timed_auto_stop

from modelarts_magics import messages
from modelarts_magics.commands.as_text import instance_lines
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
from modelarts_magics.messages import en, zh_cn

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in (ENGLISH, CHINESE)}
DOCUMENTS = (*READMES, "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PANEL_SETTINGS = json.loads(
    (ROOT / "labextension" / "schema" / "manager.json").read_text(encoding="utf-8")
)["properties"]
PAGE_COMMANDS = re.findall(
    r"'(modelarts-magics:[\w-]+)'",
    (ROOT / "labextension" / "src" / "tokens.ts").read_text(encoding="utf-8"),
)
PLUGINS = re.findall(
    r"id: `\$\{EXTENSION_ID\}(:\w+)`",
    (ROOT / "labextension" / "src" / "plugins.ts").read_text(encoding="utf-8"),
)
VARIABLES = (
    *(variable for setting in SETTINGS.values() for variable in setting.variables),
    TOKEN_VARIABLE,
    *ACCESS_KEY_VARIABLES,
    FILE_VARIABLE,
    METADATA_VARIABLE,
    PATH_VARIABLE,
)
EXTRAS = ("lab", "notify", "zh", "demo")
FIRST_LINES = 40
MAX_PICTURE_BYTES = 150_000
MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(params=READMES)
def readme(request: pytest.FixtureRequest) -> str:
    """Return the text of README.md and of README.zh-CN.md."""
    return READMES[request.param]


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_has_every_command(readme: str, name: str) -> None:
    """Every command of the magic is listed."""
    assert f"%modelarts {name}" in readme


@pytest.mark.parametrize(
    ("command", "option"),
    [(command.name, option.name) for command in COMMANDS.values() for option in command.options],
)
def test_readme_has_every_option(readme: str, command: str, option: str) -> None:
    """Every option of every command is listed."""
    assert option in readme, command


@pytest.mark.parametrize("variable", VARIABLES)
def test_readme_has_every_environment_variable(readme: str, variable: str) -> None:
    """Every environment variable that the program reads is listed."""
    assert f"`{variable}`" in readme or f"`{variable}=on`" in readme


@pytest.mark.parametrize("name", PANEL_SETTINGS)
def test_readme_has_every_panel_setting(readme: str, name: str) -> None:
    """Every setting of the JupyterLab settings editor is listed."""
    assert f"`{name}`" in readme


@pytest.mark.parametrize("command", PAGE_COMMANDS)
def test_readme_has_every_page_command(readme: str, command: str) -> None:
    """Every command of the command palette is listed."""
    assert f"`{command}`" in readme


@pytest.mark.parametrize("plugin", PLUGINS)
def test_readme_has_every_plugin(readme: str, plugin: str) -> None:
    """Every part of the page that can be disabled is listed."""
    assert f"`{plugin}`" in readme or f"`modelarts-magics-lab{plugin}`" in readme


def test_plugins_are_found() -> None:
    """The source has the plugins where the tests look for them."""
    assert len(PLUGINS) > 3
    assert len(PAGE_COMMANDS) > 3


@pytest.mark.parametrize("option", ["--remove", "--widgets"])
def test_readme_has_every_install_lab_option(readme: str, option: str) -> None:
    """Every option of ``install-lab`` is listed."""
    assert option in readme


@pytest.mark.parametrize("extra", EXTRAS)
def test_readme_has_every_extra(readme: str, extra: str) -> None:
    """Every extra for users is listed, and exists in pyproject.toml."""
    assert f"\n| `{extra}` |" in readme
    assert f"\n{extra} = [\n" in PROJECT


@pytest.mark.parametrize(
    ("name", "texts"), [(ENGLISH, en.TEXTS), (CHINESE, zh_cn.TEXTS)], ids=READMES
)
def test_readme_explains_every_doctor_finding(name: str, texts: dict[str, str]) -> None:
    """Every subject of the doctor has a row in the troubleshooting tables."""
    subjects = [text for code, text in texts.items() if code.startswith("doctor.about.")]
    assert len(subjects) > 5
    missing = [subject for subject in subjects if f"\n| {subject} |" not in READMES[name]]
    assert missing == []


def test_every_command_of_the_table_can_be_parsed(readme: str) -> None:
    """No command in the table is a usage error."""
    for line in _table_commands(readme):
        assert parse_line(line).command.name in COMMANDS


def test_first_cell_is_near_the_top(readme: str) -> None:
    """The first cell is within the first 40 lines and begins with the installation."""
    assert readme.splitlines().index("%load_ext modelarts_magics") < FIRST_LINES
    assert _code_blocks(readme, "python")[0].startswith("%pip install -q ")


def test_readmes_link_to_each_other() -> None:
    """The first line of each language links to the other one."""
    assert f"]({CHINESE})" in READMES[ENGLISH].splitlines()[0]
    assert f"]({ENGLISH})" in READMES[CHINESE].splitlines()[0]


def test_readmes_have_the_same_sections() -> None:
    """Both languages have the same headings, tables and code blocks in the same order."""
    shapes = [re.findall(r"^(#+ |\|---|```\w*)", text, re.MULTILINE) for text in READMES.values()]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_rows_have_the_columns_of_their_table(name: str) -> None:
    """No row of a table has a cell more or less than the line below its heading."""
    columns, wrong = 0, []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1 if line.startswith("|") else 0
        if line.startswith("|---"):
            columns = cells
        elif columns and cells and cells != columns:
            wrong.append(line)
        columns = columns if cells else 0
    assert wrong == []


def test_uninstall_lists_every_file_of_the_folder_that_survives(readme: str) -> None:
    """Every file that the program keeps beyond a stop is in the table of what is left to delete."""
    names = {
        name
        for path in (ROOT / "modelarts_magics").rglob("*.py")
        for name in re.findall(r'"(\.modelarts-magics[-.][a-z.]+)"', path.read_text("utf-8"))
    }
    assert len(names) > 4
    table = readme[readme.index("pip uninstall") :]
    assert [name for name in sorted(names) if f"/{name}`" not in table] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_documents_exist(name: str) -> None:
    """Every relative link leads to a file, and its anchor to a heading."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in MARKDOWN_LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = ROOT / path if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_in_documents_exist(name: str) -> None:
    """Every ``make`` command in a document is a target of the Makefile."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_files_in_documents_exist(name: str) -> None:
    """Every file or folder in backticks with a slash exists."""
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:modelarts_magics|labextension|tests|notebooks)/[\w./-]+)`", text)
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert paths
    assert missing == []


def test_wheel_name_has_the_current_version(readme: str) -> None:
    """The wheel in the documents has the version of pyproject.toml."""
    version = re.search(r'^version = "(.+)"$', PROJECT, re.MULTILINE)
    assert version is not None
    names = set(re.findall(r"modelarts_magics-[\w.]+-py3-none-any\.whl", readme))
    assert names == {f"modelarts_magics-{version[1]}-py3-none-any.whl"}


def test_pictures_are_small_and_used() -> None:
    """Every picture of the folder is in a README, and none is larger than 150 kB."""
    pictures = sorted((ROOT / "labextension" / "pictures").iterdir())
    links = {link for text in READMES.values() for link in MARKDOWN_LINK.findall(text)}
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size <= MAX_PICTURE_BYTES
        assert picture.relative_to(ROOT).as_posix() in links


@pytest.mark.parametrize(
    ("name", "language", "description"),
    [(ENGLISH, "en", "ResNet baseline, owner Li"), (CHINESE, "zh_CN", "ResNet 基线实验")],
    ids=READMES,
)
def test_output_of_the_first_cell_is_current(name: str, language: str, description: str) -> None:
    """The output below the first cell is what the program prints in that language."""
    stop = timed_auto_stop(timedelta(hours=1, minutes=12))
    instance = make_instance(stop, name="resnet-baseline", description=description)
    messages.use_timezone(timezone(timedelta(hours=8)))
    context = copy_context()
    context.run(messages.use_request_language, language)
    output = context.run(lambda: "\n".join(instance_lines(instance)))
    assert f"```\n{output}\n```" in READMES[name]


@pytest.mark.process
def test_program_of_the_readme_extends_the_run(tmp_path: Path, readme: str) -> None:
    """The program extends the run by an hour and prints the new stop time."""
    script = tmp_path / "program.py"
    script.write_text(_code_blocks(readme, "python")[1], encoding="utf-8")
    with LocalEmulator() as emulator:
        environment = {**os.environ, **emulator.environment(), "HOME": str(tmp_path)}
        result = subprocess.run(  # noqa: S603 - the text is ours
            [sys.executable, str(script)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        extended = emulator.state()["instances"][0]
    stops_at = datetime.fromisoformat(extended["stops_at"]).replace(microsecond=0)
    assert result.stderr == ""
    assert result.stdout.startswith(f"True {stops_at:%Y-%m-%d %H:%M:%S}")
    assert extended["duration_s"] == timedelta(hours=2).total_seconds()


def _code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _table_commands(text: str) -> list[str]:
    """Return every command of the first column, without its optional parts."""
    rows = re.findall(r"^\| (`%modelarts.*?) \|", text, re.MULTILINE)
    commands = [each for row in rows for each in re.findall(r"`(%modelarts[^`]*)`", row)]
    assert len(commands) > len(COMMANDS)
    return [re.sub(r"\s*\[.*?\]", "", each).removeprefix("%modelarts").strip() for each in commands]


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
