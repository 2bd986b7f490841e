"""Opening and closing the session of a server."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.messages import Message
from modelarts_magics.server.session_provider import SessionFactory, SessionProvider

if TYPE_CHECKING:
    from modelarts_magics.config.credential_chain import CredentialChain
    from modelarts_magics.session.session import Session

LONG_S = 20.0


class BlockingSessionFactory(SessionFactory):
    """A factory whose sessions open only when the test allows it, as with a silent API."""

    opening_started = threading.Event()
    may_open = threading.Event()

    def open(self, chain: CredentialChain) -> Session:
        """Open a session when the test allows it."""
        self.opening_started.set()
        assert self.may_open.wait(LONG_S)
        return super().open(chain)


@pytest.fixture
def blocking_factory(environ: dict[str, str]) -> BlockingSessionFactory:
    """Return such a factory."""
    BlockingSessionFactory.opening_started.clear()
    BlockingSessionFactory.may_open.clear()
    return BlockingSessionFactory({}, environ, SYSTEM_CLOCK)


def test_close_does_not_wait_for_an_opening_session(
    blocking_factory: BlockingSessionFactory,
) -> None:
    """The session is closed as soon as it is open."""
    provider = SessionProvider(blocking_factory, on_change=lambda _instance: None)
    opening = threading.Thread(target=provider.get_session)
    opening.start()
    assert blocking_factory.opening_started.wait(LONG_S)
    closing = threading.Thread(target=provider.close)
    closing.start()
    closing.join(LONG_S / 4)
    waits = closing.is_alive()
    blocking_factory.may_open.set()
    for each in (opening, closing):
        each.join(LONG_S)
    assert not waits
    assert provider.current is None


def test_folder_of_the_keep_alive_is_followed_where_it_is_elsewhere(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Record locks do not work below ``~/work``, so a state folder there has the guards in another place."""
    followed: list[Path] = []

    def follow(folder: Path, _callback: Callable[[], object]) -> Callable[[], None]:
        followed.append(folder)
        return lambda: followed.remove(folder)

    for state_dir, count in ((tmp_path / "state", 1), (Path("~/work/state"), 2)):
        factory = SessionFactory(
            {}, {**environ, "MODELARTS_STATE_DIR": str(state_dir)}, SYSTEM_CLOCK
        )
        provider = SessionProvider(factory, on_change=lambda _instance: None, follow_folder=follow)
        session = provider.get_session()
        assert session.settings is not None
        assert len(followed) == count
        assert followed[-1] == daemon_folder(session.settings).parent
        provider.close()
        assert followed == []


def test_folder_of_the_keep_alive_is_followed_after_an_error(environ: dict[str, str]) -> None:
    """A thread or a socket can be refused once; the session that was opened by then is kept."""
    followed: list[Path] = []
    refusals = [OSError(24, "")]

    def follow(folder: Path, _callback: Callable[[], object]) -> Callable[[], None]:
        if followed and refusals:
            raise refusals.pop()
        followed.append(folder)
        return lambda: followed.remove(folder)

    factory = SessionFactory({}, {**environ, "MODELARTS_STATE_DIR": "~/work/state"}, SYSTEM_CLOCK)
    provider = SessionProvider(factory, on_change=lambda _instance: None, follow_folder=follow)
    with pytest.raises(OSError, match="24"):
        provider.get_session()
    session = provider.get_session()
    assert session.settings is not None
    assert followed[1:] == [daemon_folder(session.settings).parent]
    provider.close()
    assert followed == []


def test_credential_is_tried_once_without_settings(environ: dict[str, str]) -> None:
    """The missing setting is the problem, not the credential."""
    del environ["MODELARTS_PROJECT_ID"], environ["MODELARTS_INSTANCE_ID"]
    provider = SessionProvider(
        SessionFactory({}, environ, SYSTEM_CLOCK), on_change=lambda _instance: None
    )
    for renewed in (True, False):
        with pytest.raises(ConfigurationError):
            provider.get_session()
        assert provider.has_new_credential() is renewed


def test_notices_are_kept_for_the_pages(environ: dict[str, str]) -> None:
    """One that is repeated appears once, and those about a single write are not kept."""
    told: list[object] = []
    provider = SessionProvider(
        SessionFactory({}, environ, SYSTEM_CLOCK),
        on_change=lambda _instance: None,
        on_notice=lambda: told.append(provider.notices),
    )
    session = provider.get_session()
    try:
        values = {"old": "the environment", "new": "a file"}
        for _ in range(2):
            session.on_notice(Message("notice.expired", values))
        session.on_notice(Message("notice.raised", {"stop_time": "18:00"}))
        assert [str(each) for each in provider.notices] == [
            "The credentials from the environment have expired; those from a file are used instead."
        ]
        assert len(told) == 2
    finally:
        provider.close()
