"""Messages between a countdown and its pages: each click is answered once, also if refused or cancelled."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import NOW
from widget_helpers import DEMANAGER_2021, DeferredJobs, every_api_version, run_immediately

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.kernel.countdown_widget import CountdownMessageHandler

if TYPE_CHECKING:
    from widget_helpers import ApiVersion

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Writes = Callable[[], list[dict[str, Any]]]


class FakePages:
    """The pages that show a countdown, with the messages sent to them."""

    def __init__(self, session: Session, schedule: Callable[..., None] = run_immediately) -> None:
        self.sent: list[dict[str, Any]] = []
        self.session = session
        self.handler = CountdownMessageHandler(
            lambda: session, now=session.now, send=self.sent.append, schedule=schedule
        )
        self.stop_time = session.refresh().auto_stop.stops_at

    def click(self, request_id: str = "1", **changes: Any) -> None:  # noqa: ANN401 - any field
        """Send a click that extends the run by 80 minutes."""
        base = datetime_to_ms(self.stop_time) if self.stop_time else 0
        message = {
            "type": "request",
            "id": request_id,
            "action": "extend",
            "seconds": 4800,
            "base_stops_at_ms": base,
        }
        self.handler.handle_message({**message, **changes})


@pytest.fixture
def session(make_session: Callable[..., Session]) -> Session:
    """Return a session with an instance that stops in 40 minutes."""
    return make_session()


@pytest.fixture
def pages(session: Session) -> FakePages:
    """Return pages whose clicks run immediately."""
    return FakePages(session)


@every_api_version
def test_hello_is_answered_with_the_time(pages: FakePages, session: Session) -> None:
    """The page adjusts its own clock to the time by the API's clock."""
    before = datetime_to_ms(session.now())
    pages.handler.handle_message({"type": "hello"})
    assert pages.sent[0]["type"] == "now"
    assert before <= pages.sent[0]["server_now_ms"] <= datetime_to_ms(session.now())


def test_hello_is_answered_with_a_terminal_command(
    pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path with a space is one word of the command."""
    monkeypatch.setattr(sys, "executable", "/opt/my env/bin/python")
    pages.handler.handle_message({"type": "hello"})
    assert pages.sent[0]["terminal_prefix"] == "'/opt/my env/bin/python' -m modelarts_magics"


def test_hello_needs_no_session_but_a_click_does() -> None:
    """A page gets the time even if the settings are invalid; a click gets the error."""
    sent: list[dict[str, Any]] = []

    def session() -> Session:
        raise ConfigurationError("config.api", value="x", choices="auto")

    handler = CountdownMessageHandler(
        session, now=lambda: NOW, send=sent.append, schedule=run_immediately
    )
    handler.handle_message({"type": "hello"})
    handler.handle_message({"type": "request", "id": "1"})
    assert (sent[0]["type"], sent[0]["server_now_ms"]) == ("now", datetime_to_ms(NOW))
    assert (sent[1]["ok"], sent[1]["code"]) == (False, "config.api")


@every_api_version
def test_click_is_answered_with_its_effect(
    pages: FakePages, write_requests: Writes, api_version: ApiVersion
) -> None:
    """The response has the id of the request."""
    pages.click("7")
    (response,) = pages.sent
    assert (response["type"], response["id"], response["ok"]) == ("result", "7", True)
    assert response["effect"] == ("next-start" if api_version is DEMANAGER_2021 else "now")
    assert len(write_requests()) == 1


@every_api_version
def test_click_shortens_the_run(pages: FakePages, api_version: ApiVersion) -> None:
    """The stop time moves back, or the stored duration where a change applies at the next start."""
    pages.click()
    longer = pages.session.refresh().auto_stop
    pages.stop_time = longer.stops_at
    pages.click(action="shorten", seconds=600)
    shorter = pages.session.refresh().auto_stop
    before, after = (longer.stops_at, shorter.stops_at)
    if api_version is DEMANAGER_2021:
        before, after = (longer.duration, shorter.duration)
    assert pages.sent[-1]["ok"] is True
    assert abs(before - after - timedelta(minutes=10)) < timedelta(seconds=5)


@every_api_version
def test_cancelled_click_sends_no_request(session: Session, write_requests: Writes) -> None:
    """A click that is cancelled before it runs is answered once, as cancelled."""
    queue = DeferredJobs()
    pages = FakePages(session, queue)
    pages.click()
    pages.handler.handle_message({"type": "cancel", "id": "1"})
    queue.run_all()
    (response,) = pages.sent
    assert (response["type"], response["id"]) == ("result", "1")
    assert (response["ok"], response["code"]) == (False, "cancelled")
    assert write_requests() == []


@every_api_version
def test_late_cancellation_has_no_effect(pages: FakePages, write_requests: Writes) -> None:
    """A change that was made is answered once, as successful."""
    pages.click()
    pages.handler.handle_message({"type": "cancel", "id": "1"})
    assert [each["ok"] for each in pages.sent] == [True]
    assert len(write_requests()) == 1


@every_api_version
def test_click_is_refused_after_the_stop_time_moved(
    pages: FakePages, write_requests: Writes
) -> None:
    """The user decided by another stop time, so nothing is sent."""
    pages.click(base_stops_at_ms=datetime_to_ms(pages.stop_time) - 600_000)
    assert pages.sent[0]["code"] == "changed"
    assert write_requests() == []


@every_api_version
@pytest.mark.parametrize(
    ("fault", "code"), [("403", "no-permission"), ("reset", "unreachable.connection_lost")]
)
def test_failed_click_is_answered_with_code_and_text(
    pages: FakePages, emulator: LocalEmulator, fault: str, code: str
) -> None:
    """The page has its own text for some codes and shows the text of the message for all others."""
    emulator.add_fault(fault)
    pages.click()
    assert pages.sent[0]["ok"] is False
    assert pages.sent[0]["code"] == code
    assert pages.sent[0]["text"]


@every_api_version
@pytest.mark.parametrize("broken", [{"seconds": "many"}, {"base_stops_at_ms": None}])
def test_unexpected_error_is_answered_and_logged(
    pages: FakePages, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A click is always answered."""
    pages.click(**broken)
    assert (pages.sent[0]["ok"], pages.sent[0]["code"]) == (False, "failed")
    assert len(caplog.records) == 1
