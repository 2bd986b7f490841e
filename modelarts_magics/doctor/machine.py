"""Checks of this machine: time zone, state store, installed packages and persistence."""

from __future__ import annotations

import os
import platform
import sys
from datetime import timedelta
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.config import settings_file
from modelarts_magics.config.private_file import is_exposed
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.messages import join_list, text
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.clock import Clock

KERNEL_PACKAGES = ("modelarts-magics", "ipython", "ipywidgets", "anywidget", "httpx")
SERVER_PACKAGES = ("jupyterlab", "jupyter_server")


def time_zone_findings(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield the time zone; UTC in a Chinese region is a problem, since it is hardly intended."""
    try:
        now = clock.now().astimezone(settings.timezone)
    except ModelArtsError:
        # The checks of the settings report it.
        return
    region_and_host = f"{settings.get('region')} {settings.get('endpoint')}"
    chinese = "cn-" in region_and_host and "ap-" not in region_and_host
    if chinese and now.utcoffset() == timedelta(0):
        message = text("doctor.zone.utc")
        yield Finding("time zone", Level.PROBLEM, message, text("doctor.zone.hint"))
        return
    yield Finding(
        "time zone",
        Level.OK,
        text("doctor.zone", now=now, name=getattr(now.tzinfo, "key", None) or now.tzname() or ""),
    )


def store_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the folder of the state store, and what of it is ignored because others may write it."""
    state_dir = settings.get("state_dir")
    folder = settings_file.expand_user(state_dir)
    paths = dict.fromkeys((folder, *folder.glob("*.json"), run_file_path(settings, environ)))
    exposed = [path for path in paths if is_exposed(path)]
    for path in exposed:
        message = text("doctor.store.exposed", path=path)
        yield Finding(
            "state store", Level.PROBLEM, message, text("doctor.store.exposed.hint", path=path)
        )
    if exposed:
        return
    if _is_writable_folder(state_dir):
        yield Finding("state store", Level.OK, str(folder))
    else:
        message = text("file.not_writable", path=state_dir)
        yield Finding("state store", Level.PROBLEM, message, text("doctor.store.hint"))


def _is_writable_folder(path: str) -> bool:
    """Return whether the folder is writable, or can be created."""
    try:
        folder = settings_file.expand_user(path).absolute()
        existing = next(each for each in (folder, *folder.parents) if each.exists())
    except (OSError, RuntimeError):
        # An unknown user's home, or a loop of symbolic links.
        return False
    return existing.is_dir() and os.access(existing, os.W_OK)


def installation_findings() -> Iterator[Finding]:
    """Yield the installed packages of the kernel and of the Jupyter server, with versions."""
    python = f"{platform.python_version()} · {sys.executable}"
    yield Finding("python", Level.INFO, python)
    yield Finding("kernel packages", Level.OK, _versions(KERNEL_PACKAGES))
    if util.find_spec("jupyter_server"):
        yield Finding(
            "server packages",
            Level.INFO,
            text("doctor.server.here", versions=_versions(SERVER_PACKAGES)),
        )
    else:
        message, hint = text("doctor.server.elsewhere"), text("doctor.server.elsewhere.hint")
        yield Finding("server packages", Level.INFO, message, hint)


def _versions(packages: tuple[str, ...]) -> str:
    return join_list(f"{package} {_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return text("doctor.missing")


def persistence_findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield whether the installation persists after a stop, as only ``~/work`` does."""
    package = Path(__file__).resolve().parents[1]
    work = (settings_file.expand_user(environ.get("HOME") or "~") / "work").resolve()
    if not work.is_dir():
        yield Finding("persistence", Level.INFO, text("doctor.persistence.unknown", path=package))
    elif work in package.parents:
        yield Finding("persistence", Level.OK, text("doctor.persistence.yes", path=package))
    else:
        message = text("doctor.persistence.no", path=package)
        yield Finding("persistence", Level.INFO, message, text("doctor.persistence.hint"))
