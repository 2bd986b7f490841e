"""Start the daemon again from any process of ours, if it is needed and was killed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive.folder import daemon_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.session.session import Session

_LOG = logging.getLogger(__name__)


def resume(session: Session, environ: Mapping[str, str]) -> None:
    """Start the daemon of a session that was just opened if it is needed and does not run; an error is logged.

    Args:
        session: The session, whose credentials the daemon uses.
        environ: The environment variables of the daemon.
    """
    if session.settings is None:
        return
    folder = daemon_folder(session.settings)
    # Nothing is kept in most processes, which import nothing more.
    if not folder.exists():
        return
    from modelarts_magics.keepalive.launch import restart_if_needed  # noqa: PLC0415 - see above

    try:
        restart_if_needed(folder, session, environ)
    except ModelArtsError:
        _LOG.warning("The keep-alive process could not be restarted", exc_info=True)
