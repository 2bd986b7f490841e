"""What is configured, found, reachable and installed, and what to do about each problem.

Asked by the kernel, the terminal and the server; it never raises and never shows a secret.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import Chain
from modelarts_magics.config.settings import ENVIRONMENT, NAMES, Settings
from modelarts_magics.doctor import machine
from modelarts_magics.doctor.findings import Finding, Level, columns, padded
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.errors import ConfigurationError, ModelArtsError
from modelarts_magics.messages import source_name, text
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from modelarts_magics.config.credentials import Found
    from modelarts_magics.domain.models import AutoStop
    from modelarts_magics.session.session import Session

NOTICEABLE_SKEW = timedelta(seconds=30)


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
        width = max(columns(each.label) for each in self.findings)
        count = len(self.problems)
        lines = [text("doctor.title", count=count) if count else text("doctor.fine")]
        for each in self.findings:
            mark = text(f"doctor.{each.level.value}")
            lines.append(f"{mark} {padded(each.label, width)}  {each.words}")
            if each.advice:
                lines.append(f"  {'':<{width}}  → {each.advice}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "problems": len(self.problems),
            "findings": [
                {"about": e.label, "level": e.level.value, "words": e.words, "hint": e.advice}
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
    before = [
        *_settings_file(settings, environ),
        *_settings(settings, project_unknown=_lacks_project(settings, opened)),
        *_credentials(Chain(environ, entered=entered)),
    ]
    told = {each.words for each in before}
    findings = [
        *before,
        *_cloud(opened, clock, told=told),
        *machine.time_zone(settings, clock),
        *machine.store(settings),
        *machine.installation(),
        *machine.persistence(environ),
    ]
    return Report(tuple(findings))


def _settings_file(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which one is used, and which is not."""
    about, path = "settings file", settings_file.location(environ)
    if settings.problem:
        yield Finding(about, Level.PROBLEM, settings.problem.message, settings.problem.hint)
    elif path and path.is_file():
        yield Finding(about, Level.OK, str(path))
    elif path:
        yield Finding(about, Level.INFO, text("doctor.file.none", path=path))
    for each in settings_file.ignored(environ):
        words = text("doctor.file.ignored", path=each, used=path)
        yield Finding(about, Level.INFO, words, text("doctor.file.ignored.hint"))


def _lacks_project(settings: Settings, opened: Session | ModelArtsError) -> bool:
    """Whether the project is neither set, nor found, nor would be found once the rest is mended."""
    if not isinstance(opened, ConfigurationError) or settings.get("project_id"):
        return False
    names = opened.values.get("names", "") if settings.get("endpoint") else ""
    return opened.code == "config.missing_project_id" or ENVIRONMENT["project_id"][0] in names


def _settings(settings: Settings, *, project_unknown: bool) -> Iterator[Finding]:
    look_up = not settings.get("project_id") and not project_unknown
    required: dict[str, Callable[[], object]] = {
        "endpoint": lambda: settings.endpoint,
        "project_id": lambda: look_up or settings.project_id,
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
            source = source_name(settings.source(name))
            words = text("doctor.setting", value=settings.get(name), source=source)
            yield Finding(name, Level.OK, words)
        elif name == "project_id":
            yield Finding(name, Level.INFO, text("doctor.lookup"))


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
            words = text("doctor.nothing", place=source_name(link.name))
            yield Finding("credentials", Level.INFO, words)
            continue
        yield _found(found, used=used)
        used = True
    if not used:
        yield Finding(
            "credentials", Level.PROBLEM, text("credentials.none"), text("credentials.none.hint")
        )


def _found(found: Found, *, used: bool) -> Finding:
    code = "doctor.shadowed" if used else "doctor.used"
    words = text(code, credential=repr(found.credential), place=source_name(found.source))
    if found.warning:
        return Finding("credentials", Level.PROBLEM, words, text(found.warning, path=found.source))
    return Finding("credentials", Level.INFO if used else Level.OK, words)


def _cloud(
    opened: Session | ModelArtsError, clock: Clock, *, told: AbstractSet[str]
) -> Iterator[Finding]:
    if isinstance(opened, ModelArtsError) and (
        opened.message in told or opened.code == "config.missing_several"
    ):
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
    yield from about_end(instance.auto_stop)
    yield _clock(skew)


def about_end(stop: AutoStop) -> Iterator[Finding]:
    """Why the end of this run is not known although it should be."""
    if stop.end_unknown is None:
        return
    reason = stop.end_unknown.value if stop.stated else "unstated"
    remain = "—" if stop.remain_time is None else stop.remain_time
    words = text(f"doctor.end.{reason}", stamp=_named_end(stop) or "—", remain=remain)
    yield Finding("auto-stop", Level.PROBLEM, words, text("doctor.end.hint"))


def _named_end(stop: AutoStop) -> datetime | None:
    """The end that the cloud names; a lease names it by its start and duration."""
    if stop.stop_timestamp or not stop.counts_from or not stop.duration:
        return stop.stop_timestamp
    return stop.counts_from + stop.duration


def _clock(skew: timedelta) -> Finding:
    if abs(skew) <= NOTICEABLE_SKEW:
        return Finding("clock", Level.OK, text("doctor.clock"))
    direction = "doctor.clock.behind" if skew > timedelta(0) else "doctor.clock.ahead"
    words = text(direction, skew=abs(skew))
    return Finding("clock", Level.PROBLEM, words, text("doctor.clock.hint"))
