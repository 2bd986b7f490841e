"""Start the daemon for notifications in the background, from a process that does not wait for it.

The process that this starts finds the instance, which may take a call of the API, and then starts the daemon.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.credential_chain import LOGIN, CredentialChain
from modelarts_magics.config.credentials import FoundCredential
from modelarts_magics.config.settings import Settings
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.errors import ConfigurationError, ModelArtsError
from modelarts_magics.keepalive.folder import FOLDER_SUFFIX, daemon_folder
from modelarts_magics.keepalive.launch import (
    credential_fields,
    ensure_notifier,
    given_values,
    is_wanted,
    read_credential,
)
from modelarts_magics.keepalive.notifications.child_process import start_module
from modelarts_magics.keepalive.state import is_daemon_running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

MODULE = "modelarts_magics.keepalive.notifications.start"


def start_in_background(
    settings: Settings, interactive: FoundCredential | None, environ: Mapping[str, str]
) -> subprocess.Popen[bytes] | None:
    """Start the daemon if the settings need it and none runs; return at once.

    Args:
        settings: The settings, which need not identify the instance.
        interactive: The credential entered by ``login``, if any.
        environ: The environment variables.

    Returns:
        The process that starts it; None if none is needed.
    """
    if not is_wanted(settings, environ) or _is_running(settings):
        return None
    request: dict[str, Any] = {"settings": given_values(settings)}
    if interactive is not None:
        request["interactive"] = credential_fields(interactive)
    process = start_module(MODULE, request, environ)
    # Otherwise a kernel would keep a zombie.
    threading.Thread(target=process.wait, name="modelarts-notify-start", daemon=True).start()
    return process


def _is_running(settings: Settings) -> bool:
    """Return whether the daemon runs; without an instance in the settings, whether any one does."""
    try:
        return is_daemon_running(daemon_folder(settings))
    except ConfigurationError:
        folder = expand_user(settings.get("state_dir"))
        return any(map(is_daemon_running, folder.glob(f"*{FOLDER_SUFFIX}")))


def main() -> None:
    """Find the instance and start the daemon; nothing is shown, because nothing waits for it."""
    from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - slow to import

    request = json.load(sys.stdin)
    fields = request.get("interactive")
    interactive = FoundCredential(read_credential(fields), LOGIN) if fields else None
    settings = Settings.load(request["settings"])
    chain = CredentialChain(os.environ, interactive=interactive)
    with contextlib.suppress(ModelArtsError):
        session = open_session(settings, chain=chain, actor="")
        try:
            ensure_notifier(session, os.environ)
        finally:
            session.close()


if __name__ == "__main__":
    main()
