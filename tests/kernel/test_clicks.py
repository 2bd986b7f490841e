"""Clicks that the kernel answers: each once, never after its cancellation, and with the reason when refused."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import NOW
from widget_helpers import DEMANAGER_2021, DeferredJobs, every_api_version, run_immediately

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import ConfigurationError
from modelarts_magics.kernel.countdown_widget import CountdownMessageHandler
from modelarts_magics.kernel.scheduling import run_after_delay

if TYPE_CHECKING:
    from widget_helpers import ApiVersion

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Writes = Callable[[], list[dict[str, Any]]]

JOIN_S = 60


class FakePages:
    """The pages' side: what they were sent."""

    def __init__(self, session: Session, schedule: Callable[..., None] = run_immediately) -> None:
        self.heard: list[dict[str, Any]] = []
        self.session = session
        self.clicks = CountdownMessageHandler(
            lambda: session, now=session.now, send=self.heard.append, schedule=schedule
        )
        self.end = session.refresh().auto_stop.stops_at

    def click(self, number: str = "1", **changes: Any) -> None:  # noqa: ANN401 - any field
        """Ask for 80 minutes more."""
        base = datetime_to_ms(self.end) if self.end else 0
        message = {
            "type": "request",
            "id": number,
            "action": "extend",
            "seconds": 4800,
            "base_stops_at_ms": base,
        }
        self.clicks.handle_message({**message, **changes})


@pytest.fixture
def session(make_session: Callable[..., Session]) -> Session:
    """A session on an instance that stops in 40 minutes."""
    return make_session()


@pytest.fixture
def pages(session: Session) -> FakePages:
    """Pages whose clicks are done at once."""
    return FakePages(session)


@every_api_version
def test_a_fresh_page_is_told_the_time(pages: FakePages, session: Session) -> None:
    """The cloud's, by which it sets its own."""
    before = datetime_to_ms(session.now())
    pages.clicks.handle_message({"type": "hello"})
    assert pages.heard[0]["type"] == "now"
    assert before <= pages.heard[0]["server_now_ms"] <= datetime_to_ms(session.now())


def test_the_time_is_told_whatever_is_wrong_with_the_settings_by_now() -> None:
    """A page that wakes up opens no session; a click does, and says what is wrong."""
    heard: list[dict[str, Any]] = []

    def session() -> Session:
        raise ConfigurationError("config.api", value="x", choices="auto")

    clicks = CountdownMessageHandler(
        session, now=lambda: NOW, send=heard.append, schedule=run_immediately
    )
    clicks.handle_message({"type": "hello"})
    clicks.handle_message({"type": "request", "id": "1"})
    assert heard[0] == {"type": "now", "server_now_ms": datetime_to_ms(NOW)}
    assert (heard[1]["ok"], heard[1]["code"]) == (False, "config.api")


@every_api_version
def test_a_click_is_answered(
    pages: FakePages, write_requests: Writes, api_version: ApiVersion
) -> None:
    """By what became of it, under its number."""
    pages.click("7")
    (answer,) = pages.heard
    assert (answer["type"], answer["id"], answer["ok"]) == ("result", "7", True)
    assert answer["effect"] == ("next-start" if api_version is DEMANAGER_2021 else "now")
    assert len(write_requests()) == 1


@every_api_version
def test_shorter_too(pages: FakePages, api_version: ApiVersion) -> None:
    """After longer, back again; where a new end waits for the next start, what is saved for that."""
    pages.click()
    longer = pages.session.refresh().auto_stop
    pages.end = longer.stops_at
    pages.click(action="shorten", seconds=600)
    shorter = pages.session.refresh().auto_stop
    before, after = (longer.stops_at, shorter.stops_at)
    if api_version is DEMANAGER_2021:
        before, after = (longer.duration, shorter.duration)
    assert pages.heard[-1]["ok"] is True
    assert abs(before - after - timedelta(minutes=10)) < timedelta(seconds=5)


@every_api_version
def test_cancelled_before_it_was_done(session: Session, write_requests: Writes) -> None:
    """It is answered once, as cancelled, and the cloud is not asked."""
    queue = DeferredJobs()
    pages = FakePages(session, queue)
    pages.click()
    pages.clicks.handle_message({"type": "cancel", "id": "1"})
    queue.run_all()
    (answer,) = pages.heard
    assert (answer["type"], answer["id"]) == ("result", "1")
    assert (answer["ok"], answer["code"]) == (False, "cancelled")
    assert write_requests() == []


@every_api_version
def test_cancelled_too_late(pages: FakePages, write_requests: Writes) -> None:
    """It was done; the answer stands."""
    pages.click()
    pages.clicks.handle_message({"type": "cancel", "id": "1"})
    assert [each["ok"] for each in pages.heard] == [True]
    assert len(write_requests()) == 1


@every_api_version
def test_an_end_that_moved_meanwhile_drops_the_click(
    pages: FakePages, write_requests: Writes
) -> None:
    """The person saw another one."""
    pages.click(base_stops_at_ms=datetime_to_ms(pages.end) - 600_000)
    assert pages.heard[0]["code"] == "changed"
    assert write_requests() == []


@every_api_version
@pytest.mark.parametrize(
    ("fault", "code"), [("403", "no-permission"), ("reset", "unreachable.connection_lost")]
)
def test_a_failure_names_its_reason(
    pages: FakePages, emulator: LocalEmulator, fault: str, code: str
) -> None:
    """As a code that the page words itself, and as a sentence where it has none."""
    emulator.add_fault(fault)
    pages.click()
    assert pages.heard[0]["ok"] is False
    assert pages.heard[0]["code"] == code
    assert pages.heard[0]["text"]


@every_api_version
@pytest.mark.parametrize("broken", [{"seconds": "many"}, {"base_stops_at_ms": None}])
def test_what_nobody_foresaw_is_answered_and_logged(
    pages: FakePages, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A click is never left without an answer."""
    pages.click(**broken)
    assert (pages.heard[0]["ok"], pages.heard[0]["code"]) == (False, "failed")
    assert len(caplog.records) == 1


def test_a_later_moment_is_another_thread() -> None:
    """So that the messages behind a click are heard before it is done; no kernel waits for it to end."""
    done = threading.Event()
    threads: list[threading.Thread] = []

    def job() -> None:
        threads.append(threading.current_thread())
        done.set()

    run_after_delay(job)
    assert done.wait(JOIN_S)
    assert threads != [threading.current_thread()]
    assert threads[0].daemon
