"""The settings file that ``configure`` writes. It holds no secrets.

On ModelArts only ``~/work`` is preserved when the instance stops, so the file is written there if that
folder exists. A file that was written to the home folder earlier is read as long as it is the only one.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    import configparser
    from collections.abc import Mapping

PATH_VARIABLE = "MODELARTS_CONFIG"
FILE_NAME = ".modelarts-magics.ini"
SECTION = "modelarts"
STORABLE = tuple(name for name, definition in SETTINGS.items() if definition.storable)
"""The settings that the file may hold."""
PAGE_LANGUAGE = "page_language"
"""The entry with the language of the page that was last open; the setting ``language`` overrides it."""


NO_FOLDER = Path(os.devnull)
"""The parent of a path that cannot exist: what needs it works as with a folder that cannot be written."""


def expand_user(path: str) -> Path:
    """Return the path with a leading ``~`` expanded.

    Without a home, and for an unknown user, it is a path below `NO_FOLDER`: a folder that is named ``~`` is
    never meant.
    """
    if not path.startswith("~"):
        return Path(path)
    user, separator, rest = path.partition("/")
    if user == "~":
        home = home_folder(os.environ)
        return (home or NO_FOLDER / user) / rest
    # Path.expanduser raises an exception for an unknown user.
    expanded = os.path.expanduser(user) + separator + rest  # noqa: PTH111 - see above
    return Path(expanded) if Path(expanded).is_absolute() else NO_FOLDER / expanded


def home_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the home folder; None if it is relative, or if neither the environment nor the system has one."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or _home_of_account()
    return Path(home) if Path(home).is_absolute() else None


def _home_of_account() -> str:
    try:
        from pwd import getpwuid  # noqa: PLC0415 - does not exist on Windows

        return getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def current_path(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the file, or the path where it would be written; None without a home."""
    paths = _candidate_paths(environ)
    return next((path for path in paths if path.is_file()), paths[0] if paths else None)


def unused_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the settings files that exist and are not read."""
    return tuple(path for path in _candidate_paths(environ) if path.is_file())[1:]


def _candidate_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the possible paths of the file; it is written to the first one."""
    explicit = environ.get(PATH_VARIABLE)
    if explicit:
        return (expand_user(explicit),)
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "")
    if not home.is_absolute():
        return ()
    work, in_home = home / "work", home / FILE_NAME
    return (work / FILE_NAME, in_home) if work.is_dir() else (in_home,)


def read(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings in the file by name; empty if there is no file.

    Raises:
        ConfigurationError: The file is not a valid settings file.
    """
    return {name: value for name, value in read_all(environ).items() if name in STORABLE}


def read_all(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings and `PAGE_LANGUAGE`; errors as for `read`."""
    path = current_path(environ)
    if path is None or not path.is_file():
        return {}
    import configparser  # noqa: PLC0415 - takes 2 ms, and most users have no such file

    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8-sig")
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise ConfigurationError("config.file", path=str(path)) from None
    section = parser[SECTION] if parser.has_section(SECTION) else {}
    names = (*STORABLE, PAGE_LANGUAGE)
    return {name: section[name] for name in names if section.get(name, "").strip()}


def write_page_language(environ: Mapping[str, str], tag: str) -> None:
    """Save the language of the page, so that kernels and terminals use it, too.

    Raises:
        ConfigurationError: The file cannot be read or written.
    """
    values = read_all(environ)
    if values.get(PAGE_LANGUAGE) != tag:
        _write_section(environ, {**values, PAGE_LANGUAGE: tag})


def write(environ: Mapping[str, str], values: Mapping[str, str]) -> Path:
    """Replace the content of the file; a setting with an empty value is left out.

    Returns:
        The path of the file.

    Raises:
        ConfigurationError: There is no home folder, or the file cannot be written.
    """
    try:
        kept = read_all(environ).get(PAGE_LANGUAGE, "")
    except ConfigurationError:
        # A file that cannot be read is replaced.
        kept = ""
    return _write_section(environ, {**values, PAGE_LANGUAGE: kept})


def _write_section(environ: Mapping[str, str], values: Mapping[str, str]) -> Path:
    paths = _candidate_paths(environ)
    if not paths:
        raise ConfigurationError("config.no_home", variable=PATH_VARIABLE)
    import configparser  # noqa: PLC0415 - as above

    names = (*STORABLE, PAGE_LANGUAGE)
    parser = configparser.RawConfigParser()
    parser[SECTION] = {name: values[name] for name in names if values.get(name)}
    try:
        write_ini(paths[0], parser)
    except (OSError, UnicodeError):
        raise ConfigurationError("config.unwritable", path=str(paths[0])) from None
    return paths[0]


def write_ini(path: Path, parser: configparser.RawConfigParser) -> None:
    """Replace an INI file atomically, with mode 0600; a symbolic link stays one.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
        UnicodeError: A value cannot be encoded; the old file is unchanged.
    """
    buffer = io.StringIO()
    parser.write(buffer)
    replace_file(path, buffer.getvalue().encode())
