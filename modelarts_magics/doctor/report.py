"""The report of all checks, each with a hint for a problem.

`run_checks` returns a `DoctorReport`; it never raises and never includes a secret. Imports `session` and the
layers below. The commands and the server extension use it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.credentials import Token, mask
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.doctor import installation, machine
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.doctor.jupyter_server import JupyterServer, find_jupyter_server
from modelarts_magics.doctor.keep_alive import keep_alive_findings
from modelarts_magics.doctor.notifications import notification_findings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.domain.rich_output import RichResult
from modelarts_magics.errors import ConfigurationError, ModelArtsError
from modelarts_magics.messages import join_list, source_label, text
from modelarts_magics.messages.columns import display_width, pad_label
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.discovery import fill_from_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from modelarts_magics.config.credentials import Credential, FoundCredential
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import AutoStop
    from modelarts_magics.session.session import Session

CLOCK_SKEW_TOLERANCE = timedelta(seconds=30)
"""The largest difference from the API's clock that is no problem."""


@dataclass(frozen=True)
class DoctorReport(RichResult):
    """All findings, in the order in which a request uses what they are about.

    Attributes:
        findings: The findings.
        show_all: Whether the report is shown with all findings, and not only with the problems.
    """

    findings: tuple[Finding, ...]
    show_all: bool = False

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are problems."""
        return tuple(each for each in self.findings if each.level is Level.PROBLEM)

    def lines(self, *, show_all: bool = True) -> list[str]:
        """Return the report as text, one line for each finding and each hint.

        Args:
            show_all: Whether to list all findings; otherwise one line counts those that are no problems.
        """
        shown, count = self.findings if show_all else self.problems, len(self.problems)
        width = max((display_width(each.label) for each in shown), default=0)
        lines = [text("doctor.title", count=count) if count else text("doctor.no_problems")]
        for each in shown:
            mark = text(f"doctor.{each.level.value}")
            lines.append(f"{mark} {pad_label(each.label, width)}  {each.message}")
            if each.short_hint:
                lines.append(f"  {'':<{width}}  → {each.short_hint}")
        if not show_all:
            lines.append(text("doctor.rest", count=len(self.findings) - count))
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON, in the language of the reader."""
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
    find_server: Callable[[Mapping[str, str]], JupyterServer | None] = find_jupyter_server,
) -> DoctorReport:
    """Run all checks, with one request to the API.

    Args:
        settings: The settings to check.
        environ: The environment that credentials are read from; None for that of the process.
        interactive: The credential entered by ``login``, if any.
        clock: The source of time.
        find_server: Returns the Jupyter server of this process.
    """
    environ = os.environ if environ is None else environ
    # Before a response is saved, which replaces a file that others may write.
    store_findings = list(machine.store_findings(settings, environ))
    chain = CredentialChain(environ, interactive=interactive)
    opened: Session | ModelArtsError
    connection_findings: list[Finding] = []
    try:
        opened = open_session(settings, environ=environ, chain=chain, clock=clock)
        settings = opened.settings or settings
        # Before the credentials are listed: the response shows which of them has expired.
        connection_findings = list(_connection_findings(opened, clock))
    except ModelArtsError as error:
        opened = error
        with contextlib.suppress(ModelArtsError):
            settings = fill_from_credentials(settings, chain)
    is_unknown = _is_project_unknown(settings, opened)
    local_findings = list(_local_findings(settings, environ, chain, project_unknown=is_unknown))
    if isinstance(opened, ModelArtsError):
        reported = {each.message for each in local_findings}
        connection_findings = [_unopened_finding(opened, reported=reported)]
    findings = [
        *local_findings,
        *connection_findings,
        *machine.time_zone_findings(settings, clock),
        *store_findings,
        *installation.installation_findings(find_server(environ), environ),
        *keep_alive_findings(settings),
        *notification_findings(settings, environ),
    ]
    return DoctorReport(tuple(findings))


def _local_findings(
    settings: Settings,
    environ: Mapping[str, str],
    chain: CredentialChain,
    *,
    project_unknown: bool,
) -> Iterator[Finding]:
    """Yield what is known without the API: the settings file, the settings, and the credentials."""
    yield from _settings_file_findings(settings, environ)
    yield from _setting_findings(settings, project_unknown=project_unknown)
    yield from _credential_findings(chain)


def _settings_file_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the settings file in use, and those that are ignored."""
    subject, path = "settings file", settings_file.current_path(environ)
    if settings.file_error:
        yield Finding(subject, Level.PROBLEM, settings.file_error.message, settings.file_error.hint)
    elif path and path.is_file():
        yield Finding(subject, Level.OK, str(path))
    elif path:
        yield Finding(subject, Level.INFO, text("doctor.file.none", path=path))
    for each in settings_file.unused_paths(environ):
        message = text("doctor.file.ignored", path=each, used=path)
        yield Finding(subject, Level.INFO, message, text("doctor.file.ignored.hint"))


def _is_project_unknown(settings: Settings, session_or_error: Session | ModelArtsError) -> bool:
    """Return whether the project is not set and could not be looked up even if all else was correct."""
    if not isinstance(session_or_error, ConfigurationError) or settings.get("project_id"):
        return False
    names = session_or_error.values.get("names", "") if settings.get("endpoint") else ""
    return (
        session_or_error.code == "config.missing_project_id"
        or SETTINGS["project_id"].variable in names
    )


def _setting_findings(settings: Settings, *, project_unknown: bool) -> Iterator[Finding]:
    look_up = not settings.get("project_id") and not project_unknown
    required: dict[str, Callable[[], object]] = {
        "endpoint": lambda: settings.endpoint,
        "project_id": lambda: look_up or settings.project_id,
        "instance_id": lambda: settings.instance_id,
        "verify_tls": lambda: settings.verify_tls,
        "api": lambda: settings.api,
        "timezone": lambda: settings.timezone,
        "connect_timeout": lambda: settings.timeout_s("connect_timeout"),
        "read_timeout": lambda: settings.timeout_s("read_timeout"),
        "total_timeout": lambda: settings.timeout_s("total_timeout"),
    }
    for name in SETTINGS:
        problem = _error_raised_by(required.get(name, str))
        if problem:
            yield Finding(name, Level.PROBLEM, problem.message, problem.hint)
        elif settings.get(name):
            source = source_label(settings.source(name))
            message = text("doctor.setting", value=settings.get(name), source=source)
            yield Finding(name, Level.OK, message)
        elif name == "project_id":
            yield Finding(name, Level.INFO, text("doctor.looked_up"))


def _error_raised_by(check: Callable[[], object]) -> ModelArtsError | None:
    try:
        check()
    except ModelArtsError as error:
        return error
    return None


def _credential_findings(chain: CredentialChain) -> Iterator[Finding]:
    used = False
    for provider in chain.providers():
        try:
            found = provider.load()
        except ModelArtsError as error:
            yield Finding("credentials", Level.PROBLEM, error.message, error.hint)
            # A request fails with this error, too, instead of using a later provider.
            used = True
            continue
        if found is None:
            place = source_label(provider.name)
            message = (
                text("doctor.not_set.places", place=place, places=join_list(provider.places))
                if provider.places
                else text("doctor.not_set", place=place)
            )
            yield Finding("credentials", Level.INFO, message)
            continue
        if chain.is_replaced(found):
            yield _replaced_finding(found)
            continue
        yield _credential_finding(found, shadowed=used)
        used = True
    if not used:
        yield Finding(
            "credentials",
            Level.PROBLEM,
            text("credentials.not_found"),
            text("credentials.not_found.hint"),
        )


def _credential_text(credential: Credential) -> str:
    """Return the kind of a credential, and as much of an access key ID as may be shown."""
    if isinstance(credential, Token):
        return text("credential.token")
    kind = "temporary_key" if credential.security_token else "access_key"
    return text(f"credential.{kind}", ak=mask(credential.access_key_id))


def _replaced_finding(found: FoundCredential) -> Finding:
    credential = _credential_text(found.credential)
    message = text("doctor.replaced", credential=credential, place=source_label(found.source))
    return Finding("credentials", Level.PROBLEM, message, text("doctor.replaced.hint"))


def _credential_finding(found: FoundCredential, *, shadowed: bool) -> Finding:
    code = "doctor.shadowed" if shadowed else "doctor.used"
    message = text(
        code, credential=_credential_text(found.credential), place=source_label(found.source)
    )
    if found.warning:
        hint = text(found.warning, path=found.source)
        return Finding("credentials", Level.PROBLEM, message, hint)
    return Finding("credentials", Level.INFO if shadowed else Level.OK, message)


def _unopened_finding(error: ModelArtsError, *, reported: AbstractSet[str]) -> Finding:
    """Return why there is no connection, unless another finding says so already."""
    if error.message in reported or error.code == "config.missing_several":
        return Finding("connection", Level.INFO, text("doctor.not_checked"))
    return Finding("connection", Level.PROBLEM, error.message, error.hint)


def _connection_findings(session: Session, clock: Clock) -> Iterator[Finding]:
    started = clock.monotonic()
    try:
        instance = session.refresh()
    except ModelArtsError as error:
        yield Finding("connection", Level.PROBLEM, error.message, error.hint)
        return
    finally:
        skew = session.skew
        session.close()
    elapsed_ms = round((clock.monotonic() - started) * 1000)
    name, status = " ".join(instance.name.split()), instance.status.value
    message = text("doctor.answered", name=name, status=status, api=instance.api, ms=elapsed_ms)
    yield Finding("connection", Level.OK, message)
    yield from unknown_stop_time_findings(instance.auto_stop)
    yield _clock_finding(skew)


def unknown_stop_time_findings(stop: AutoStop) -> Iterator[Finding]:
    """Yield a problem if the stop time is unknown although auto-stop is on."""
    if stop.stop_time_unknown is None:
        return
    reason = stop.stop_time_unknown.value if stop.is_known else "not_reported"
    remain = "—" if stop.remain_time is None else stop.remain_time
    message = text(
        f"doctor.stop_time.{reason}", stamp=_reported_stop_time(stop) or "—", remain=remain
    )
    yield Finding("auto-stop", Level.PROBLEM, message, text("doctor.stop_time.hint"))


def _reported_stop_time(stop: AutoStop) -> datetime | None:
    """Return the stop time in the API's response; for a lease, its start plus its duration."""
    if stop.stop_timestamp or not stop.duration_start or not stop.duration:
        return stop.stop_timestamp
    return stop.duration_start + stop.duration


def _clock_finding(skew: timedelta) -> Finding:
    if abs(skew) <= CLOCK_SKEW_TOLERANCE:
        return Finding("clock", Level.OK, text("doctor.clock"))
    direction = "doctor.clock.behind" if skew > timedelta(0) else "doctor.clock.ahead"
    message = text(direction, skew=abs(skew))
    return Finding("clock", Level.PROBLEM, message, text("doctor.clock.hint"))
