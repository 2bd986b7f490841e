"""What is configured, found, reachable and installed, and what to do about each problem.

Asked by the kernel, the terminal and the server; it never raises and never shows a secret.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import settings_file
from modelarts_magics.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.config import NAMES, Settings
from modelarts_magics.connection import open_session
from modelarts_magics.credentials import Chain
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from modelarts_magics.keys import Found
    from modelarts_magics.models import Instance
    from modelarts_magics.session import Session

PACKAGES = ("modelarts-magics", "ipython", "ipywidgets", "anywidget", "httpx")
LAB_PACKAGES = ("jupyterlab", "jupyter_server")
NOTICEABLE_SKEW = timedelta(seconds=30)


class Level(str, Enum):
    """How a finding is meant."""

    OK = "ok"
    INFO = "info"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing found out: what about, how it is, and what to do where it is a problem."""

    about: str
    level: Level
    words: str
    hint: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which a request needs them."""

    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that want something done."""
        return tuple(each for each in self.findings if each.level is Level.PROBLEM)

    def lines(self) -> list[str]:
        """The report as text, a line for each finding and one for each hint."""
        width = max(len(each.about) for each in self.findings)
        count = len(self.problems)
        lines = [text("doctor.title", count=count) if count else text("doctor.fine")]
        for each in self.findings:
            mark = text(f"doctor.{each.level.value}")
            lines.append(f"{mark} {each.about:<{width}}  {each.words}")
            if each.hint:
                lines.append(f"  {'':<{width}}  → {each.hint}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "problems": len(self.problems),
            "findings": [
                {"about": e.about, "level": e.level.value, "words": e.words, "hint": e.hint}
                for e in self.findings
            ],
        }


def examine(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    entered: Found | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Report:
    """Look at everything and ask the cloud once.

    Args:
        settings: What would be used.
        environ: Where credentials are looked for; None for the process's environment.
        entered: The credential that a person entered, if one did.
        clock: Time, for tests.
    """
    environ = os.environ if environ is None else environ
    opened: Session | ModelArtsError
    try:
        opened = open_session(settings, environ=environ, entered=entered, clock=clock)
        settings = opened.settings or settings
    except ModelArtsError as error:
        opened = error
    before = [*_settings(settings), *_credentials(Chain(environ, entered=entered))]
    told = {each.words for each in before}
    findings = [
        *before,
        *_cloud(opened, clock, told=told),
        *_time_zone(settings, clock),
        *_store(settings),
        *_installation(),
        *_persistence(environ),
    ]
    return Report(tuple(findings))


def _settings(settings: Settings) -> Iterator[Finding]:
    required: dict[str, Callable[[], object]] = {
        "endpoint": lambda: settings.endpoint,
        "project_id": lambda: settings.get("project_id") and settings.project_id,
        "instance_id": lambda: settings.instance_id,
        "api": lambda: settings.api,
        "timezone": lambda: settings.zone,
        "connect_timeout": lambda: settings.seconds("connect_timeout"),
        "read_timeout": lambda: settings.seconds("read_timeout"),
        "total_timeout": lambda: settings.seconds("total_timeout"),
    }
    for name in NAMES:
        problem = _problem_of(required.get(name, str))
        if problem:
            yield Finding(name, Level.PROBLEM, problem.message, problem.hint)
        elif settings.get(name):
            words = text("doctor.setting", value=settings.get(name), source=settings.source(name))
            yield Finding(name, Level.OK, words)


def _problem_of(check: Callable[[], object]) -> ModelArtsError | None:
    try:
        check()
    except ModelArtsError as error:
        return error
    return None


def _credentials(chain: Chain) -> Iterator[Finding]:
    used = False
    for link in chain.links():
        try:
            found = link.look()
        except ModelArtsError as error:
            yield Finding("credentials", Level.PROBLEM, error.message, error.hint)
            used = True  # a request stops here, too
            continue
        if found is None:
            yield Finding("credentials", Level.INFO, text("doctor.nothing", place=link.name))
            continue
        yield _found(found, used=used)
        used = True
    if not used:
        yield Finding(
            "credentials", Level.PROBLEM, text("credentials.none"), text("credentials.none.hint")
        )


def _found(found: Found, *, used: bool) -> Finding:
    code = "doctor.shadowed" if used else "doctor.used"
    words = text(code, credential=repr(found.credential), place=found.source)
    if found.warning:
        return Finding("credentials", Level.PROBLEM, words, text(found.warning, path=found.source))
    return Finding("credentials", Level.INFO if used else Level.OK, words)


def _cloud(
    opened: Session | ModelArtsError, clock: Clock, *, told: AbstractSet[str]
) -> Iterator[Finding]:
    if isinstance(opened, ModelArtsError) and opened.message in told:
        yield Finding("cloud", Level.INFO, text("doctor.not_asked"))
        return
    if isinstance(opened, ModelArtsError):
        yield Finding("cloud", Level.PROBLEM, opened.message, opened.hint)
        return
    session = opened
    began = clock.monotonic()
    try:
        instance = session.refresh()
    except ModelArtsError as error:
        yield Finding("cloud", Level.PROBLEM, error.message, error.hint)
        return
    finally:
        skew = session.skew
        session.close()
    took_ms = round((clock.monotonic() - began) * 1000)
    name, status = " ".join(instance.name.split()), instance.status.value
    words = text("doctor.answered", name=name, status=status, api=instance.api, ms=took_ms)
    yield Finding("cloud", Level.OK, words)
    yield from _end(instance)
    yield _clock(skew)


def _end(instance: Instance) -> Iterator[Finding]:
    unknown = instance.auto_stop.end_unknown
    if unknown is None:
        return
    stop = instance.auto_stop
    remain = "—" if stop.remain_time is None else stop.remain_time
    values = {"stamp": stop.stop_timestamp or "—", "remain": remain}
    words = text(f"doctor.end.{unknown.value}", **values)
    yield Finding("auto-stop", Level.PROBLEM, words, text("doctor.end.hint"))


def _clock(skew: timedelta) -> Finding:
    if abs(skew) <= NOTICEABLE_SKEW:
        return Finding("clock", Level.OK, text("doctor.clock"))
    direction = "doctor.clock.behind" if skew > timedelta(0) else "doctor.clock.ahead"
    words = text(direction, skew=abs(skew))
    return Finding("clock", Level.PROBLEM, words, text("doctor.clock.hint"))


def _time_zone(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        now = clock.now().astimezone(settings.zone)
    except ModelArtsError:
        return  # already among the settings
    where = f"{settings.get('region')} {settings.get('endpoint')}"
    chinese = "cn-" in where and "ap-" not in where
    if chinese and now.utcoffset() == timedelta(0):
        words = text("doctor.zone.utc")
        yield Finding("time zone", Level.PROBLEM, words, text("doctor.zone.hint"))
        return
    yield Finding("time zone", Level.OK, text("doctor.zone", now=now, name=now.tzname() or ""))


def _store(settings: Settings) -> Iterator[Finding]:
    written = settings.get("state_dir")
    if _can_hold_files(written):
        yield Finding("store", Level.OK, str(settings_file.expanded(written)))
    else:
        words = text("doctor.store", path=written)
        yield Finding("store", Level.PROBLEM, words, text("doctor.store.hint"))


def _can_hold_files(written: str) -> bool:
    """Whether the folder can be written, or made in the nearest one that exists."""
    try:
        folder = settings_file.expanded(written).absolute()
        place = next(each for each in (folder, *folder.parents) if each.exists())
    except (OSError, RuntimeError):  # a home that nobody has, a loop of links
        return False
    return place.is_dir() and os.access(place, os.W_OK)


def _installation() -> Iterator[Finding]:
    python = f"{platform.python_version()} · {sys.executable}"
    yield Finding("python", Level.INFO, python)
    yield Finding("kernel half", Level.OK, _versions(PACKAGES))
    if util.find_spec("jupyter_server"):
        yield Finding(
            "server half", Level.INFO, text("doctor.server.here", versions=_versions(LAB_PACKAGES))
        )
    else:
        yield Finding("server half", Level.INFO, text("doctor.server.elsewhere"))


def _versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return text("doctor.missing")


def _persistence(environ: Mapping[str, str]) -> Iterator[Finding]:
    here = Path(__file__).resolve().parent
    work = (Path(environ.get("HOME") or Path.home()) / "work").resolve()
    if not work.is_dir():
        yield Finding("survives a stop", Level.INFO, text("doctor.survives.unknown", path=here))
    elif work in here.parents:
        yield Finding("survives a stop", Level.OK, text("doctor.survives.yes", path=here))
    else:
        words = text("doctor.survives.no", path=here)
        yield Finding("survives a stop", Level.INFO, words, text("doctor.survives.hint"))
