"""The file that `configure` writes: where it is, what is in it, and what it yields to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelarts_magics.config import settings_file
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor import Level, run_checks
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = "settings file"
VALUES = {
    "endpoint": "https://modelarts.example.com",
    "region": "cn-north-4",
    "project_id": "p1",
    "instance_id": "i1",
    "api": "notebooks",
    "timezone": "Asia/Shanghai",
    "language": "zh_CN",
}


@pytest.mark.parametrize("variable", ["HOME", "USERPROFILE"])
def test_it_is_where_it_survives_a_stop(tmp_path: Path, variable: str) -> None:
    """In ~/work if there is one, else at home."""
    environ = {variable: str(tmp_path)}
    assert settings_file.current_path(environ) == tmp_path / ".modelarts-magics.ini"
    (tmp_path / "work").write_text("a file of that name is no folder")
    assert settings_file.current_path(environ) == tmp_path / ".modelarts-magics.ini"
    (tmp_path / "work").unlink()
    (tmp_path / "work").mkdir()
    assert settings_file.current_path(environ) == tmp_path / "work" / ".modelarts-magics.ini"


def test_another_place_can_be_named(tmp_path: Path) -> None:
    """It wins over every home, and its folder is made."""
    named = tmp_path / "deep" / "er" / "settings.ini"
    environ = {"HOME": str(tmp_path), "MODELARTS_CONFIG": str(named)}
    assert settings_file.write(environ, {"region": "cn-north-4"}) == named
    assert settings_file.read(environ) == {"region": "cn-north-4"}
    assert settings_file.read({"HOME": str(tmp_path)}) == {}


def test_without_a_home_nothing_is_read_and_writing_says_so() -> None:
    """A kernel may have no home at all."""
    assert settings_file.current_path({}) is None
    assert settings_file.read({}) == {}
    with pytest.raises(ConfigurationError, match="no home") as caught:
        settings_file.write({}, VALUES)
    assert "MODELARTS_CONFIG" in caught.value.hint


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """All that may be kept; anything else, and what is empty, is left out."""
    environ = {"HOME": str(tmp_path)}
    settings_file.write(environ, {**VALUES, "api": "", "sk": "s3cret", "read_timeout": "9"})
    expected = {name: value for name, value in VALUES.items() if name != "api"}
    assert settings_file.read(environ) == expected
    assert "s3cret" not in (tmp_path / ".modelarts-magics.ini").read_text(encoding="utf-8")


def test_a_percent_sign_is_itself(tmp_path: Path) -> None:
    """A value is text, not a template."""
    environ = {"HOME": str(tmp_path)}
    settings_file.write(environ, {"instance_id": "100%", "project_id": "%(region)s"})
    assert settings_file.read(environ) == {"instance_id": "100%", "project_id": "%(region)s"}


@pytest.mark.parametrize(
    "text",
    [
        b"region = cn-north-4\n",
        b"[modelarts\n",
        b"[modelarts]\nregion = a\nregion = b\n",
        b"\xff\xfe[modelarts]",
        b"[modelarts]\nnonsense\n",
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: bytes) -> None:
    """Instead of running with half of the settings; only who opens a session is stopped by it."""
    path = tmp_path / ".modelarts-magics.ini"
    path.write_bytes(text)
    environ = {"HOME": str(tmp_path), "MODELARTS_REGION": "cn-north-4"}
    settings = Settings.load(environ=environ)
    assert settings.get("region") == "cn-north-4"
    with pytest.raises(ConfigurationError) as caught:
        open_session(settings, environ=environ)
    assert caught.value.code == "config.file"
    assert str(path) in caught.value.message
    (found,) = (e for e in run_checks(settings, environ=environ).problems if e.subject == ABOUT)
    assert (found.message, found.hint) == (caught.value.message, caught.value.hint)


@pytest.mark.parametrize("text", ["", "[other]\nregion = x\n", "[modelarts]\nregion =  \n"])
def test_a_file_without_our_settings_has_none(tmp_path: Path, text: str) -> None:
    """Other sections are nobody's business here."""
    (tmp_path / ".modelarts-magics.ini").write_text(text)
    assert settings_file.read({"HOME": str(tmp_path)}) == {}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Its folder is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Cannot write"):
        settings_file.write({"MODELARTS_CONFIG": str(tmp_path / "file" / "x.ini")}, VALUES)


@pytest.mark.parametrize("name", settings_file.STORABLE)
def test_the_file_yields_to_the_environment_and_wins_over_the_default(
    tmp_path: Path, name: str
) -> None:
    """Each value knows which file it came from."""
    environ = {"HOME": str(tmp_path)}
    path = settings_file.write(environ, VALUES)
    kept = Settings.load(environ=environ)
    assert (kept.get(name), kept.source(name)) == (VALUES[name], str(path))
    variable = f"MODELARTS_{name.upper()}"
    other = Settings.load(environ={**environ, variable: "other"})
    assert (other.get(name), other.source(name)) == ("other", variable)
    given = Settings.load({name: "given"}, environ={**environ, variable: "other"})
    assert (given.get(name), given.source(name)) == ("given", "argument")


def test_doctor_shows_which_file_won(tmp_path: Path) -> None:
    """Of the one in ~/work and the one beside it, the one that is read."""
    environ = {"HOME": str(tmp_path), "MODELARTS_REGION": "cn-east-3"}
    beside = settings_file.write(environ, {"instance_id": "beside", "timezone": "UTC"})
    (tmp_path / "work").mkdir()
    path = settings_file.write(
        environ, {"instance_id": "i1", "project_id": "p1", "region": "cn-north-4"}
    )
    assert path != beside
    report = run_checks(Settings.load(environ=environ), environ=environ)
    found = {each.subject: each.message for each in report.findings if each.level is Level.OK}
    assert found["instance_id"] == f"i1 ({path})"
    assert found["region"] == "cn-east-3 (MODELARTS_REGION)"
    files = [each for each in report.findings if each.subject == ABOUT]
    assert [each.message for each in files] == [str(path), f"{beside} is ignored; {path} is used"]
    assert [each.level for each in files] == [Level.OK, Level.INFO]


def test_doctor_tells_where_a_file_would_be(tmp_path: Path) -> None:
    """Where there is none yet."""
    environ = {"HOME": str(tmp_path)}
    report = run_checks(Settings.load(environ=environ), environ=environ)
    (found,) = (each for each in report.findings if each.subject == ABOUT)
    assert found.message == f"none; “%modelarts configure” creates {tmp_path}/.modelarts-magics.ini"


def test_one_beside_a_work_folder_counts_until_there_is_one_in_it(tmp_path: Path) -> None:
    """The folder may be younger than the file; what is written next survives a stop."""
    environ = {"HOME": str(tmp_path)}
    beside = settings_file.write(environ, VALUES)
    (tmp_path / "work").mkdir()
    assert settings_file.current_path(environ) == beside
    assert settings_file.read(environ) == VALUES
    path = settings_file.write(environ, {"region": "cn-east-3"})
    assert path == tmp_path / "work" / ".modelarts-magics.ini"
    assert settings_file.read(environ) == {"region": "cn-east-3"}


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    """Half of a file is never seen, and nothing is left beside it."""
    environ = {"HOME": str(tmp_path)}
    path = settings_file.write(environ, {"region": "cn-north-4"})
    with pytest.raises(ConfigurationError, match="Cannot write"):
        settings_file.write(environ, {"region": "cn-east-3", "project_id": "\ud800"})
    assert settings_file.read(environ) == {"region": "cn-north-4"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """It leads into a folder that lasts, say."""
    target = tmp_path / "target.ini"
    target.write_text("")
    (tmp_path / ".modelarts-magics.ini").symlink_to(target)
    path = settings_file.write({"HOME": str(tmp_path)}, {"region": "cn-north-4"})
    assert path.is_symlink()
    assert "cn-north-4" in target.read_text(encoding="utf-8")
