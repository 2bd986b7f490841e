"""Checks of this machine: time zone, state store, installed packages and persistence."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from modelarts_magics.config import settings_file
from modelarts_magics.config.private_file import is_exposed
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.messages import text
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.clock import Clock


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
