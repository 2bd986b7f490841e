"""The session of a server: who opens it, and what becomes of it when the server ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.server.session_provider import SessionFactory, SessionProvider

if TYPE_CHECKING:
    from modelarts_magics.config.credential_chain import CredentialChain
    from modelarts_magics.session.session import Session

LONG_S = 20.0


class BlockingSessionFactory(SessionFactory):
    """A place where a session opens only when the test lets it, as with a cloud that does not answer."""

    opening_started = threading.Event()
    may_open = threading.Event()

    def open(self, chain: CredentialChain) -> Session:
        """Open a session, in a while."""
        self.opening_started.set()
        assert self.may_open.wait(LONG_S)
        return super().open(chain)


@pytest.fixture
def blocking_factory(environ: dict[str, str]) -> BlockingSessionFactory:
    """Return such a place."""
    BlockingSessionFactory.opening_started.clear()
    BlockingSessionFactory.may_open.clear()
    return BlockingSessionFactory({}, environ, SYSTEM_CLOCK)


def test_closing_does_not_wait_for_a_session_that_is_being_opened(
    blocking_factory: BlockingSessionFactory,
) -> None:
    """Else a silent cloud would keep a server from ending; the session is closed as soon as it is there."""
    door = SessionProvider(blocking_factory, on_change=lambda _instance: None)
    opening = threading.Thread(target=door.get_session)
    opening.start()
    assert blocking_factory.opening_started.wait(LONG_S)
    closing = threading.Thread(target=door.close)
    closing.start()
    closing.join(LONG_S / 4)
    waits = closing.is_alive()
    blocking_factory.may_open.set()
    for each in (opening, closing):
        each.join(LONG_S)
    assert not waits
    assert door.current is None


def test_a_credential_that_no_session_could_use_is_tried_once(environ: dict[str, str]) -> None:
    """It is not what is at fault, where no session can be opened for want of a setting."""
    del environ["MODELARTS_PROJECT_ID"], environ["MODELARTS_INSTANCE_ID"]
    door = SessionProvider(
        SessionFactory({}, environ, SYSTEM_CLOCK), on_change=lambda _instance: None
    )
    for renewed in (True, False):
        with pytest.raises(ConfigurationError):
            door.get_session()
        assert door.has_new_credential() is renewed
