"""Start the daemon of an instance from any process, and watch that it runs."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.config.credential_chain import LOGIN
from modelarts_magics.config.credentials import AccessKey, Token
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.folder import FOLDER_SUFFIX, daemon_folder
from modelarts_magics.keepalive.guards import read_guards
from modelarts_magics.keepalive.idle_stop import load_idle_stop
from modelarts_magics.keepalive.marks.mark import needs_daemon
from modelarts_magics.keepalive.notifications.sinks import has_sinks, notify_folder
from modelarts_magics.keepalive.state import is_daemon_running, package_version, read_state
from modelarts_magics.keepalive.switched_mode import is_mode_switched

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.credentials import Credential, FoundCredential
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.session.session import Session

_LOG = logging.getLogger(__name__)
CHECK_INTERVAL_S = 20.0
"""Seconds between two checks of a process that guards run under a daemon; it is restarted within 60 s."""
START_TIMEOUT_S = 20.0
_CURRENT_SETTINGS = frozenset(
    (
        *("before_stop", "idle_programs", "work_programs", "keep_idle_time"),
        *("notify_quiet_hours", "notify_limit", "language", "timezone"),
    )
)
"""The settings that take effect while the daemon runs; one that is removed must not come back."""
_SUFFIXES = ("dev", "a", "b", "rc", "", "post")
_VERSION = re.compile(
    r"v?(?P<release>\d+(?:\.\d+)*)(?:[-_.]?(?P<suffix>dev|a|b|rc|post)[a-z]*[-_.]?(?P<number>\d*))?"
)


def ensure_daemon(folder: Path, session: Session, environ: Mapping[str, str]) -> None:
    """Start the daemon with the credentials of a session, unless one of this or a newer version runs.

    Args:
        folder: The folder of the daemon.
        session: The session whose settings and source of credentials the daemon uses.
        environ: The environment variables of the daemon.

    Raises:
        ModelArtsError: The daemon cannot be started.
    """
    replace = False
    if is_daemon_running(folder):
        state = read_state(folder)
        replace = state is not None and is_older(state.package, package_version())
        if not replace:
            return
    handover = make_handover(session)
    try:
        requests.save_handover(folder, handover)
    except OSError as error:
        raise ModelArtsError("keep.cannot_write", path=str(folder), cause=error.strerror) from None
    start_daemon(folder, environ, handover, replace=replace)


def start_daemon(
    folder: Path,
    environ: Mapping[str, str],
    handover: Mapping[str, Any] | None = None,
    *,
    replace: bool = False,
) -> None:
    """Start the process of the daemon, and wait until it is independent of this one.

    Args:
        folder: The folder of the daemon.
        environ: The environment variables of the daemon.
        handover: The settings, and the credentials that were typed in; they go through a pipe.
        replace: Whether the new daemon takes over from a running one.

    Raises:
        ModelArtsError: The process cannot be started.
    """
    command = [sys.executable, "-m", "modelarts_magics.keepalive", str(folder)]
    if replace:
        command.append("--replace")
    content = json.dumps(dict(handover or {})).encode()
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            cwd=os.sep,
            start_new_session=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelArtsError("keep.cannot_start", cause=str(error)) from None
    if done.returncode:
        raise ModelArtsError("keep.cannot_start", cause=f"exit status {done.returncode}")


def restart_all_if_needed(
    state_folder: Path,
    environ: Mapping[str, str],
    *,
    start: Callable[[Path, Mapping[str, str]], None] | None = None,
) -> None:
    """Start each daemon that guards or a stop need and that does not run; errors are logged.

    Args:
        state_folder: The folder of the state files.
        environ: The environment variables of the daemons.
        start: Starts a daemon; replaced in tests.
    """
    start = start or start_daemon
    for folder in state_folder.glob(f"*{FOLDER_SUFFIX}"):
        try:
            if _is_missing(folder):
                start(folder, environ)
        except Exception:  # noqa: BLE001 - a damaged file of one daemon must not keep the others from running
            _LOG.warning("The keep-alive process could not be restarted", exc_info=True)


def restart_if_needed(folder: Path, session: Session, environ: Mapping[str, str]) -> None:
    """Start the daemon with the credentials of a session if guards or a stop need it and none runs.

    Raises:
        ModelArtsError: The process cannot be started.
    """
    if _is_missing(folder):
        ensure_daemon(folder, session, environ)


def is_wanted(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Return whether the settings need the daemon: for notifications, or for a command before each stop."""
    return bool(settings.get("before_stop")) or has_sinks(notify_folder(settings, environ))


def needs_notifier(session: Session) -> bool:
    """Return whether the settings of a session need the daemon."""
    return session.settings is not None and is_wanted(session.settings, os.environ)


def ensure_notifier(session: Session, environ: Mapping[str, str]) -> None:
    """Start the daemon if the settings need it; a failure is logged.

    Args:
        session: The session whose settings and source of credentials the daemon uses.
        environ: The environment variables of the daemon.
    """
    settings = session.settings
    if settings is None or not is_wanted(settings, environ):
        return
    try:
        ensure_daemon(daemon_folder(settings), session, environ)
    except ModelArtsError:
        _LOG.warning("The process that sends notifications could not be started", exc_info=True)


def _is_missing(folder: Path) -> bool:
    """Return whether guards, a stop or a mode to restore need the daemon and none runs."""
    if is_daemon_running(folder):
        return False
    is_stop_possible = requests.is_stop_pending(folder) or load_idle_stop(folder) is not None
    has_to_act = bool(read_guards(folder)) or needs_daemon(folder)
    return has_to_act or is_stop_possible or is_mode_switched(folder)


def make_handover(session: Session) -> dict[str, Any]:
    """Return the settings of a session, and its credential if it was typed in."""
    values = given_values(session.settings) if session.settings is not None else {}
    # The API is known, and the state file is that of this user.
    values["api"] = session.capabilities.api
    chain, source = session.credentials, credential_source(session)
    handover: dict[str, Any] = {"settings": values, "source": source}
    if chain is not None and source == LOGIN and chain.interactive is not None:
        handover["interactive"] = credential_fields(chain.interactive)
    return handover


def given_values(settings: Settings) -> dict[str, str]:
    """Return the settings that are set, without those of the file that the daemon reads again itself.

    A default stays one: a state folder that is set holds all state.
    """
    return {
        name: each.value
        for name, each in settings.values.items()
        if each.value
        and each.source != "default"
        and not (name in _CURRENT_SETTINGS and settings.is_from_file(name))
    }


def credential_source(session: Session) -> str:
    """Return the name of the source of the credentials of a session; "" if there is none."""
    chain = session.credentials
    provider = chain.find_provider() if chain is not None else None
    return provider.name if provider is not None else ""


def credential_fields(found: FoundCredential) -> dict[str, str]:
    """Return a credential as JSON for `read_credential`; it goes through a pipe only."""
    credential = found.credential
    if isinstance(credential, Token):
        return {"token": credential.value}
    return {
        "ak": credential.access_key_id,
        "sk": credential.secret_key,
        "security_token": credential.security_token,
    }


def read_credential(fields: Mapping[str, str]) -> Credential:
    """Return the credential of `credential_fields`."""
    if "token" in fields:
        return Token(fields["token"])
    return AccessKey(fields["ak"], fields["sk"], fields.get("security_token", ""))


def is_older(package: str, than: str) -> bool:
    """Return whether a version of this package is older than another one.

    Source: PEP 440: development releases and pre-releases come before the release, post-releases after it.
    """
    return _version_key(package) < _version_key(than)


def _version_key(version: str) -> tuple[list[int], int, int]:
    found = _VERSION.match(version.lower())
    if found is None:
        return [], _SUFFIXES.index(""), 0
    release = [int(part) for part in found["release"].split(".")]
    while release and release[-1] == 0:
        del release[-1]
    return release, _SUFFIXES.index(found["suffix"] or ""), int(found["number"] or 0)
