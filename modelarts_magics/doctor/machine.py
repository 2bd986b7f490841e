"""This machine: its time zone, what is kept and installed on it, and whether that lasts."""

from __future__ import annotations

import os
import platform
import sys
from datetime import timedelta
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.config import settings_file
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.clock import Clock

KERNEL_PACKAGES = ("modelarts-magics", "ipython", "ipywidgets", "anywidget", "httpx")
SERVER_PACKAGES = ("jupyterlab", "jupyter_server")


def time_zone_findings(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """The zone of clock times; UTC in a Chinese region is hardly meant."""
    try:
        now = clock.now().astimezone(settings.timezone)
    except ModelArtsError:
        return  # already among the settings
    where = f"{settings.get('region')} {settings.get('endpoint')}"
    chinese = "cn-" in where and "ap-" not in where
    if chinese and now.utcoffset() == timedelta(0):
        words = text("doctor.zone.utc")
        yield Finding("time zone", Level.PROBLEM, words, text("doctor.zone.hint"))
        return
    yield Finding("time zone", Level.OK, text("doctor.zone", now=now, name=now.tzname() or ""))


def store_findings(settings: Settings) -> Iterator[Finding]:
    """Where the last known state is kept."""
    written = settings.get("state_dir")
    if _is_writable_folder(written):
        yield Finding("store", Level.OK, str(settings_file.expand_user(written)))
    else:
        words = text("doctor.store", path=written)
        yield Finding("store", Level.PROBLEM, words, text("doctor.store.hint"))


def _is_writable_folder(path: str) -> bool:
    """Whether the folder can be written, or made in the nearest one that exists."""
    try:
        folder = settings_file.expand_user(path).absolute()
        place = next(each for each in (folder, *folder.parents) if each.exists())
    except (OSError, RuntimeError):  # a home that nobody has, a loop of links
        return False
    return place.is_dir() and os.access(place, os.W_OK)


def installation_findings() -> Iterator[Finding]:
    """Which halves are installed, with their versions."""
    python = f"{platform.python_version()} · {sys.executable}"
    yield Finding("python", Level.INFO, python)
    yield Finding("kernel half", Level.OK, _versions(KERNEL_PACKAGES))
    if util.find_spec("jupyter_server"):
        yield Finding(
            "server half",
            Level.INFO,
            text("doctor.server.here", versions=_versions(SERVER_PACKAGES)),
        )
    else:
        words, hint = text("doctor.server.elsewhere"), text("doctor.server.elsewhere.hint")
        yield Finding("server half", Level.INFO, words, hint)


def _versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return text("doctor.missing")


def persistence_findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the installation survives a stop."""
    here = Path(__file__).resolve().parents[1]
    work = (settings_file.expand_user(environ.get("HOME") or "~") / "work").resolve()
    if not work.is_dir():
        yield Finding("survives a stop", Level.INFO, text("doctor.survives.unknown", path=here))
    elif work in here.parents:
        yield Finding("survives a stop", Level.OK, text("doctor.survives.yes", path=here))
    else:
        words = text("doctor.survives.no", path=here)
        yield Finding("survives a stop", Level.INFO, words, text("doctor.survives.hint"))
