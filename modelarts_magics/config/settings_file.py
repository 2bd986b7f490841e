"""The small file that ``configure`` writes: settings without secrets, where they survive a stop.

On the platform only ``~/work`` survives a stop, so the file lives there if there is such a folder. One
that was written beside it, before there was, counts as long as it is the only one.
"""

from __future__ import annotations

import configparser
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH_VARIABLE = "MODELARTS_CONFIG"
FILE_NAME = ".modelarts-magics.ini"
SECTION = "modelarts"
STORABLE = ("endpoint", "region", "project_id", "instance_id", "api", "timezone", "language")
"""The settings that the file may hold."""


def expand_user(path: str) -> Path:
    """A path with its ``~`` resolved; one that names nobody stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises for a stranger's ~


def current_path(environ: Mapping[str, str]) -> Path | None:
    """Where the file is, or would be; None where there is no home."""
    places = _candidate_paths(environ)
    return next((path for path in places if path.is_file()), places[0] if places else None)


def unused_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The settings files that are there and not used."""
    return tuple(path for path in _candidate_paths(environ) if path.is_file())[1:]


def _candidate_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the file may be; the first is where it is written."""
    named = environ.get(PATH_VARIABLE)
    if named:
        return (expand_user(named),)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        return ()
    work, beside = Path(home) / "work", Path(home) / FILE_NAME
    return (work / FILE_NAME, beside) if work.is_dir() else (beside,)


def read(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in the file, by name; empty if there is none.

    Raises:
        ConfigurationError: The file cannot be read as one.
    """
    path = current_path(environ)
    if path is None or not path.is_file():
        return {}
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise ConfigurationError("config.file", path=str(path)) from None
    section = parser[SECTION] if parser.has_section(SECTION) else {}
    return {name: section[name] for name in STORABLE if section.get(name, "").strip()}


def write(environ: Mapping[str, str], values: Mapping[str, str]) -> Path:
    """Replace what is in the file; an empty value leaves its setting out.

    Raises:
        ConfigurationError: There is no home, or the file cannot be written.
    """
    places = _candidate_paths(environ)
    if not places:
        raise ConfigurationError("config.no_home", variable=PATH_VARIABLE)
    path = places[0]
    parser = configparser.RawConfigParser()
    parser[SECTION] = {name: values[name] for name in STORABLE if values.get(name)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_ini(path, parser)
    except (OSError, UnicodeError):
        raise ConfigurationError("config.unwritable", path=str(path)) from None
    return path


def replace_ini(path: Path, parser: configparser.RawConfigParser) -> None:
    """Put a whole new file, mode 0600, in the place of an old one; a link stays one.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    target = path.resolve()  # of a link, into a folder that lasts say
    descriptor, name = tempfile.mkstemp(dir=target.parent)  # mode 0600 from the start
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            parser.write(handle)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
