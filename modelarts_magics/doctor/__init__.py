"""What is configured, found, reachable and installed, and what to do about each problem.

Asked by the kernel, the terminal and the server; it never raises and never shows a secret.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.settings import ENVIRONMENT_VARIABLES, SETTING_NAMES, Settings
from modelarts_magics.doctor import machine
from modelarts_magics.doctor.findings import Finding, Level, display_width, pad_label
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.errors import ConfigurationError, ModelArtsError
from modelarts_magics.messages import source_label, text
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from modelarts_magics.config.credentials import FoundCredential
    from modelarts_magics.domain.models import AutoStop
    from modelarts_magics.session.session import Session

CLOCK_SKEW_TOLERANCE = timedelta(seconds=30)


@dataclass(frozen=True)
class DoctorReport:
    """All findings, in the order in which a request needs them."""

    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that want something done."""
        return tuple(each for each in self.findings if each.level is Level.PROBLEM)

    def lines(self) -> list[str]:
        """The report as text, a line for each finding and one for each hint."""
        width = max(display_width(each.label) for each in self.findings)
        count = len(self.problems)
        lines = [text("doctor.title", count=count) if count else text("doctor.fine")]
        for each in self.findings:
            mark = text(f"doctor.{each.level.value}")
            lines.append(f"{mark} {pad_label(each.label, width)}  {each.message}")
            if each.short_hint:
                lines.append(f"  {'':<{width}}  → {each.short_hint}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "problems": len(self.problems),
            "findings": [
                {
                    "label": e.label,
                    "level": e.level.value,
                    "message": e.message,
                    "hint": e.short_hint,
                }
                for e in self.findings
            ],
        }


def run_checks(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    interactive: FoundCredential | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> DoctorReport:
    """Look at everything and ask the cloud once.

    Args:
        settings: What would be used.
        environ: Where credentials are looked for; None for the process's environment.
        interactive: The credential that a person entered, if one did.
        clock: Time, for tests.
    """
    environ = os.environ if environ is None else environ
    opened: Session | ModelArtsError
    try:
        opened = open_session(settings, environ=environ, interactive=interactive, clock=clock)
        settings = opened.settings or settings
    except ModelArtsError as error:
        opened = error
    before = [
        *_settings_file_findings(settings, environ),
        *_setting_findings(settings, project_unknown=_is_project_unknown(settings, opened)),
        *_credential_findings(CredentialChain(environ, interactive=interactive)),
    ]
    told = {each.message for each in before}
    findings = [
        *before,
        *_connection_findings(opened, clock, reported=told),
        *machine.time_zone_findings(settings, clock),
        *machine.store_findings(settings),
        *machine.installation_findings(),
        *machine.persistence_findings(environ),
    ]
    return DoctorReport(tuple(findings))


def _settings_file_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which one is used, and which is not."""
    about, path = "settings file", settings_file.current_path(environ)
    if settings.file_error:
        yield Finding(about, Level.PROBLEM, settings.file_error.message, settings.file_error.hint)
    elif path and path.is_file():
        yield Finding(about, Level.OK, str(path))
    elif path:
        yield Finding(about, Level.INFO, text("doctor.file.none", path=path))
    for each in settings_file.unused_paths(environ):
        words = text("doctor.file.ignored", path=each, used=path)
        yield Finding(about, Level.INFO, words, text("doctor.file.ignored.hint"))


def _is_project_unknown(settings: Settings, session_or_error: Session | ModelArtsError) -> bool:
    """Whether the project is neither set, nor found, nor would be found once the rest is mended."""
    if not isinstance(session_or_error, ConfigurationError) or settings.get("project_id"):
        return False
    names = session_or_error.values.get("names", "") if settings.get("endpoint") else ""
    return (
        session_or_error.code == "config.missing_project_id"
        or ENVIRONMENT_VARIABLES["project_id"][0] in names
    )


def _setting_findings(settings: Settings, *, project_unknown: bool) -> Iterator[Finding]:
    look_up = not settings.get("project_id") and not project_unknown
    required: dict[str, Callable[[], object]] = {
        "endpoint": lambda: settings.endpoint,
        "project_id": lambda: look_up or settings.project_id,
        "instance_id": lambda: settings.instance_id,
        "api": lambda: settings.api,
        "timezone": lambda: settings.timezone,
        "connect_timeout": lambda: settings.timeout_s("connect_timeout"),
        "read_timeout": lambda: settings.timeout_s("read_timeout"),
        "total_timeout": lambda: settings.timeout_s("total_timeout"),
    }
    for name in SETTING_NAMES:
        problem = _error_raised_by(required.get(name, str))
        if problem:
            yield Finding(name, Level.PROBLEM, problem.message, problem.hint)
        elif settings.get(name):
            source = source_label(settings.source(name))
            words = text("doctor.setting", value=settings.get(name), source=source)
            yield Finding(name, Level.OK, words)
        elif name == "project_id":
            yield Finding(name, Level.INFO, text("doctor.lookup"))


def _error_raised_by(check: Callable[[], object]) -> ModelArtsError | None:
    try:
        check()
    except ModelArtsError as error:
        return error
    return None


def _credential_findings(chain: CredentialChain) -> Iterator[Finding]:
    used = False
    for link in chain.providers():
        try:
            found = link.load()
        except ModelArtsError as error:
            yield Finding("credentials", Level.PROBLEM, error.message, error.hint)
            used = True  # a request stops here, too
            continue
        if found is None:
            words = text("doctor.nothing", place=source_label(link.name))
            yield Finding("credentials", Level.INFO, words)
            continue
        yield _credential_finding(found, shadowed=used)
        used = True
    if not used:
        yield Finding(
            "credentials", Level.PROBLEM, text("credentials.none"), text("credentials.none.hint")
        )


def _credential_finding(found: FoundCredential, *, shadowed: bool) -> Finding:
    code = "doctor.shadowed" if shadowed else "doctor.used"
    words = text(code, credential=repr(found.credential), place=source_label(found.source))
    if found.warning:
        return Finding("credentials", Level.PROBLEM, words, text(found.warning, path=found.source))
    return Finding("credentials", Level.INFO if shadowed else Level.OK, words)


def _connection_findings(
    session_or_error: Session | ModelArtsError, clock: Clock, *, reported: AbstractSet[str]
) -> Iterator[Finding]:
    if isinstance(session_or_error, ModelArtsError) and (
        session_or_error.message in reported or session_or_error.code == "config.missing_several"
    ):
        yield Finding("cloud", Level.INFO, text("doctor.not_asked"))
        return
    if isinstance(session_or_error, ModelArtsError):
        yield Finding("cloud", Level.PROBLEM, session_or_error.message, session_or_error.hint)
        return
    session = session_or_error
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
    yield from unknown_stop_time_findings(instance.auto_stop)
    yield _clock_finding(skew)


def unknown_stop_time_findings(stop: AutoStop) -> Iterator[Finding]:
    """Why the end of this run is not known although it should be."""
    if stop.stop_time_unknown is None:
        return
    reason = stop.stop_time_unknown.value if stop.is_known else "unstated"
    remain = "—" if stop.remain_time is None else stop.remain_time
    words = text(f"doctor.end.{reason}", stamp=_reported_stop_time(stop) or "—", remain=remain)
    yield Finding("auto-stop", Level.PROBLEM, words, text("doctor.end.hint"))


def _reported_stop_time(stop: AutoStop) -> datetime | None:
    """The end that the cloud names; a lease names it by its start and duration."""
    if stop.stop_timestamp or not stop.duration_start or not stop.duration:
        return stop.stop_timestamp
    return stop.duration_start + stop.duration


def _clock_finding(skew: timedelta) -> Finding:
    if abs(skew) <= CLOCK_SKEW_TOLERANCE:
        return Finding("clock", Level.OK, text("doctor.clock"))
    direction = "doctor.clock.behind" if skew > timedelta(0) else "doctor.clock.ahead"
    words = text(direction, skew=abs(skew))
    return Finding("clock", Level.PROBLEM, words, text("doctor.clock.hint"))
