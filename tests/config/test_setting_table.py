"""The table of settings: traits, variables and the tables in the README follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import Float, Unicode

from modelarts_magics.config.setting_table import SETTINGS, SettingDefinition
from modelarts_magics.config.setting_traits import setting_traits
from modelarts_magics.config.settings import Settings
from modelarts_magics.config.settings_file import STORABLE
from modelarts_magics.errors import ConfigurationError, UsageError
from modelarts_magics.kernel.magics import ModelArts
from modelarts_magics.server.extension import ModelArtsServer

ROOT = Path(__file__).parent.parent.parent
HEADERS = {
    "README.md": "| Environment variable | Setting | Default | Meaning |",
    "README.zh-CN.md": "| 环境变量 | 配置项 | 默认值 | 说明 |",
}


def _row(name: str, definition: SettingDefinition, readme: str) -> str:
    variables = ", ".join(f"`{variable}`" for variable in definition.variables)
    default = f"`{definition.default}`" if definition.default else ""
    meaning = definition.help if readme == "README.md" else definition.help_zh
    return f"| {variables} | `{name}` | {default} | {meaning} |".replace("|  |", "| |")


def markdown_table(readme: str) -> str:
    """Return the table of settings as the README of that name must contain it."""
    rows = [_row(name, definition, readme) for name, definition in SETTINGS.items()]
    return "\n".join([HEADERS[readme], "|---|---|---|---|", *rows])


@pytest.mark.parametrize("readme", [name for name in HEADERS if (ROOT / name).exists()])
def test_readme_contains_the_table_of_settings(readme: str) -> None:
    """The table in each README is the one made from the settings; paste it from the failure."""
    expected = markdown_table(readme)
    assert expected in (ROOT / readme).read_text(encoding="utf-8"), f"\n{expected}\n"


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("owner", [ModelArts, ModelArtsServer])
def test_each_setting_is_a_trait_with_help(owner: type[ModelArts], name: str) -> None:
    """``%config ModelArts`` and ``c.ModelArtsServer`` both have every setting."""
    trait = owner.class_own_traits(config=True)[name]
    assert isinstance(trait, Float if SETTINGS[name].is_seconds else Unicode)
    assert trait.help.startswith(SETTINGS[name].help)
    assert SETTINGS[name].default in trait.help


def test_setting_traits_are_new_objects() -> None:
    """A trait belongs to one class, so two calls share none."""
    assert setting_traits()["region"] is not setting_traits()["region"]


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_has_help_in_both_languages(name: str) -> None:
    """The English text ends with a full stop, the Chinese text with an ideographic one."""
    assert SETTINGS[name].help.endswith(".")
    assert SETTINGS[name].help_zh.endswith("。")
    assert SETTINGS[name].variables


def test_secrets_and_timeouts_are_not_storable() -> None:
    """The settings file holds what identifies the instance, and the language."""
    assert set(STORABLE) < set(SETTINGS)
    assert not any(SETTINGS[name].is_seconds for name in STORABLE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", "modelarts.example"),
        ("region", "north 4"),
        ("project_id", "a b"),
        ("instance_id", "a/b"),
        ("iam_endpoint", "ftp://iam.example"),
        ("api", "soap"),
        ("timezone", "Mars/Olympus"),
        ("language", "fr"),
        ("connect_timeout", "0"),
        ("read_timeout", "soon"),
        ("total_timeout", "601"),
    ],
)
def test_check_refuses_an_invalid_value(name: str, value: str) -> None:
    """Each setting can be validated by itself, before it is stored."""
    with pytest.raises((ConfigurationError, UsageError)):
        Settings.load({name: value}, environ={}).check(name)


def test_check_accepts_any_state_folder() -> None:
    """A setting without rules is valid."""
    Settings.load({"state_dir": "anywhere"}, environ={}).check("state_dir")
