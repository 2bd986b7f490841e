"""The settings file: its path, content and precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.credential_providers import save_access_key
from modelarts_magics.config.credentials import AccessKey
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.findings import Level
from modelarts_magics.doctor.report import run_checks
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.session import notify
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.store import Store

ABOUT = "settings file"
VALUES = {
    "endpoint": "https://modelarts.example.com",
    "region": "cn-north-4",
    "project_id": "p1",
    "instance_id": "i1",
    "api": "notebooks",
    "timezone": "Asia/Shanghai",
    "language": "zh_CN",
    "keep_up_to": "6h",
    "keep_idle_time": "20m",
    "idle_programs": "tail",
    "work_programs": "*train.py*",
    "notify_quiet_hours": "22:00-07:30",
    "notify_limit": "5",
    "before_stop": "10m: python checkpoint.py",
}


@pytest.mark.parametrize("home", ["~", "relative", "./x"])
def test_relative_home_is_no_home(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written to the current folder, above all no folder that is named ~."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", home)
    environ = {"HOME": home}
    assert settings_file.current_path(environ) is None
    with pytest.raises(ConfigurationError):
        settings_file.write(environ, VALUES)
    for path in ("~", "~/state", "~nobody-of-that-name/state", "~/../state"):
        with pytest.raises(OSError, match="null"):
            settings_file.expand_user(path).mkdir(parents=True)
    store = Store(settings_file.expand_user("~/state"), key=("e", "p", "i"))
    assert not store.save({"a": 1})
    assert store.load() == {"a": 1}
    with store.lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
        notify.subscribe(store.path.parent, lambda: None)()
    chain = CredentialChain(environ)
    assert chain.find() is None
    with pytest.raises(ConfigurationError):
        save_access_key(AccessKey("AK", "SK"), chain.credentials_file)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["", None])
def test_missing_home_is_that_of_the_account(
    home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absolute path, or none."""
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    folder = settings_file.expand_user("~/state")
    assert folder.is_absolute()
    assert folder != Path("/state")
    assert "~" not in folder.parts or settings_file.NO_FOLDER in folder.parents


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """An editor may add one."""
    path = tmp_path / "settings.ini"
    path.write_bytes(b"\xef\xbb\xbf[modelarts]\nregion = cn-north-4\n")
    environ = {"MODELARTS_CONFIG": str(path)}
    assert settings_file.read(environ) == {"region": "cn-north-4"}


@pytest.mark.parametrize("variable", ["HOME", "USERPROFILE"])
def test_file_is_written_to_work_folder(tmp_path: Path, variable: str) -> None:
    """If there is no ~/work, it is written to the home folder."""
    environ = {variable: str(tmp_path)}
    assert settings_file.current_path(environ) == tmp_path / ".modelarts-magics.ini"
    (tmp_path / "work").write_text("a file of that name is no folder")
    assert settings_file.current_path(environ) == tmp_path / ".modelarts-magics.ini"
    (tmp_path / "work").unlink()
    (tmp_path / "work").mkdir()
    assert settings_file.current_path(environ) == tmp_path / "work" / ".modelarts-magics.ini"


def test_config_variable_sets_the_path(tmp_path: Path) -> None:
    """It comes before the home folder, and its folder is created."""
    named = tmp_path / "deep" / "er" / "settings.ini"
    environ = {"HOME": str(tmp_path), "MODELARTS_CONFIG": str(named)}
    assert settings_file.write(environ, {"region": "cn-north-4"}) == named
    assert settings_file.read(environ) == {"region": "cn-north-4"}
    assert settings_file.read({"HOME": str(tmp_path)}) == {}


def test_write_needs_a_home_folder() -> None:
    """A kernel may have no home folder; reading then returns nothing."""
    assert settings_file.current_path({}) is None
    assert settings_file.read({}) == {}
    with pytest.raises(ConfigurationError, match="no home") as caught:
        settings_file.write({}, VALUES)
    assert "MODELARTS_CONFIG" in caught.value.hint


def test_written_settings_are_read(tmp_path: Path) -> None:
    """Other names and empty values are left out."""
    environ = {"HOME": str(tmp_path)}
    settings_file.write(environ, {**VALUES, "api": "", "sk": "s3cret", "read_timeout": "9"})
    expected = {name: value for name, value in VALUES.items() if name != "api"}
    assert settings_file.read(environ) == expected
    assert "s3cret" not in (tmp_path / ".modelarts-magics.ini").read_text(encoding="utf-8")


def test_percent_sign_is_literal(tmp_path: Path) -> None:
    """A value is not a template."""
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
def test_invalid_file_is_an_error(tmp_path: Path, text: bytes) -> None:
    """The error is raised when a session is opened."""
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
def test_other_sections_are_ignored(tmp_path: Path, text: str) -> None:
    """Only the section of this package counts."""
    (tmp_path / ".modelarts-magics.ini").write_text(text)
    assert settings_file.read({"HOME": str(tmp_path)}) == {}


def test_unwritable_path_is_an_error(tmp_path: Path) -> None:
    """Its folder is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Cannot write"):
        settings_file.write({"MODELARTS_CONFIG": str(tmp_path / "file" / "x.ini")}, VALUES)


@pytest.mark.parametrize("name", settings_file.STORABLE)
def test_file_comes_between_environment_and_default(tmp_path: Path, name: str) -> None:
    """Each value has the path of the file as its source."""
    environ = {"HOME": str(tmp_path)}
    path = settings_file.write(environ, VALUES)
    kept = Settings.load(environ=environ)
    assert (kept.get(name), kept.source(name)) == (VALUES[name], str(path))
    variable = f"MODELARTS_{name.upper()}"
    other = Settings.load(environ={**environ, variable: "other"})
    assert (other.get(name), other.source(name)) == ("other", variable)
    given = Settings.load({name: "given"}, environ={**environ, variable: "other"})
    assert (given.get(name), given.source(name)) == ("given", "argument")


def test_doctor_shows_which_file_is_used(tmp_path: Path) -> None:
    """The file in ~/work is used, the one in the home folder is not."""
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


def test_doctor_shows_the_path_of_a_new_file(tmp_path: Path) -> None:
    """If there is no file yet."""
    environ = {"HOME": str(tmp_path)}
    report = run_checks(Settings.load(environ=environ), environ=environ)
    (found,) = (each for each in report.findings if each.subject == ABOUT)
    assert found.message == f"none; “%modelarts configure” creates {tmp_path}/.modelarts-magics.ini"


def test_file_in_home_counts_until_work_has_one(tmp_path: Path) -> None:
    """The folder may be newer than the file."""
    environ = {"HOME": str(tmp_path)}
    beside = settings_file.write(environ, VALUES)
    (tmp_path / "work").mkdir()
    assert settings_file.current_path(environ) == beside
    assert settings_file.read(environ) == VALUES
    path = settings_file.write(environ, {"region": "cn-east-3"})
    assert path == tmp_path / "work" / ".modelarts-magics.ini"
    assert settings_file.read(environ) == {"region": "cn-east-3"}


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """No part of the new file and no temporary file remains."""
    environ = {"HOME": str(tmp_path)}
    path = settings_file.write(environ, {"region": "cn-north-4"})
    with pytest.raises(ConfigurationError, match="Cannot write"):
        settings_file.write(environ, {"region": "cn-east-3", "project_id": "\ud800"})
    assert settings_file.read(environ) == {"region": "cn-north-4"}
    assert list(tmp_path.iterdir()) == [path]


def test_write_follows_a_symbolic_link(tmp_path: Path) -> None:
    """A link into a folder that is preserved stays a link."""
    target = tmp_path / "target.ini"
    target.write_text("")
    (tmp_path / ".modelarts-magics.ini").symlink_to(target)
    path = settings_file.write({"HOME": str(tmp_path)}, {"region": "cn-north-4"})
    assert path.is_symlink()
    assert "cn-north-4" in target.read_text(encoding="utf-8")


def test_language_of_the_page_is_used_unless_one_is_set(tmp_path: Path) -> None:
    """`configure` keeps it, and does not list it."""
    environ = {"HOME": str(tmp_path)}
    settings_file.write_page_language(environ, "zh_CN")
    assert Settings.load(environ=environ).get("language") == "zh_CN"
    settings_file.write(environ, {"region": "cn-north-4"})
    assert settings_file.read(environ) == {"region": "cn-north-4"}
    assert Settings.load(environ=environ).get("language") == "zh_CN"
    settings_file.write(environ, {"language": "en"})
    assert Settings.load(environ=environ).get("language") == "en"
    settings_file.write(environ, {})
    variables = {**environ, "MODELARTS_LANGUAGE": "en"}
    assert Settings.load(environ=variables).get("language") == "en"
