"""Clicks that the kernel answers: each once, never after its cancellation, and with the reason when refused."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable

import pytest
from pages import NEW, Later, at_once, every_api

from modelarts_magics.durations import moment_to_ms
from modelarts_magics.kernel.clicks import Clicks, soon

if TYPE_CHECKING:
    from pages import Generation

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session import Session

    Writes = Callable[[], list[dict[str, Any]]]

JOIN_S = 60


class Pages:
    """The pages' side: what they were sent."""

    def __init__(self, session: Session, schedule: Callable[..., None] = at_once) -> None:
        self.heard: list[dict[str, Any]] = []
        self.session = session
        self.clicks = Clicks(lambda: session, send=self.heard.append, schedule=schedule)
        self.end = session.refresh().auto_stop.stops_at

    def click(self, number: str = "1", **changes: Any) -> None:  # noqa: ANN401 - any field
        """Ask for 80 minutes more."""
        base = moment_to_ms(self.end) if self.end else 0
        message = {
            "type": "request",
            "id": number,
            "action": "extend",
            "seconds": 4800,
            "base_stops_at_ms": base,
        }
        self.clicks.handle({**message, **changes})


@pytest.fixture
def session(connected: Callable[..., Session]) -> Session:
    """A session on an instance that stops in 40 minutes."""
    return connected()


@pytest.fixture
def pages(session: Session) -> Pages:
    """Pages whose clicks are done at once."""
    return Pages(session)


@every_api
def test_a_fresh_page_is_told_the_time(pages: Pages, session: Session) -> None:
    """The cloud's, by which it sets its own."""
    before = moment_to_ms(session.now())
    pages.clicks.handle({"type": "hello"})
    assert pages.heard[0]["type"] == "now"
    assert before <= pages.heard[0]["server_now_ms"] <= moment_to_ms(session.now())


@every_api
def test_a_click_is_answered(pages: Pages, writes: Writes, generation: Generation) -> None:
    """By what became of it, under its number."""
    pages.click("7")
    (answer,) = pages.heard
    assert (answer["type"], answer["id"], answer["ok"]) == ("result", "7", True)
    assert answer["effect"] == ("next-start" if generation is NEW else "now")
    assert len(writes()) == 1


@every_api
def test_shorter_too(pages: Pages) -> None:
    """After longer, back again."""
    pages.click()
    pages.end = pages.session.refresh().auto_stop.stops_at
    pages.click(action="shorten", seconds=600)
    assert pages.heard[-1]["type"] == "result"


@every_api
def test_cancelled_before_it_was_done(session: Session, writes: Writes) -> None:
    """It is answered once, as cancelled, and the cloud is not asked."""
    queue = Later()
    pages = Pages(session, queue)
    pages.click()
    pages.clicks.handle({"type": "cancel", "id": "1"})
    queue.do()
    assert [(each["ok"], each["code"]) for each in pages.heard] == [(False, "cancelled")]
    assert writes() == []


@every_api
def test_cancelled_too_late(pages: Pages, writes: Writes) -> None:
    """It was done; the answer stands."""
    pages.click()
    pages.clicks.handle({"type": "cancel", "id": "1"})
    assert [each["ok"] for each in pages.heard] == [True]
    assert len(writes()) == 1


@every_api
def test_an_end_that_moved_meanwhile_drops_the_click(pages: Pages, writes: Writes) -> None:
    """The person saw another one."""
    pages.click(base_stops_at_ms=moment_to_ms(pages.end) - 600_000)
    assert pages.heard[0]["code"] == "changed"
    assert writes() == []


@every_api
@pytest.mark.parametrize(
    ("fault", "code"), [("403", "no-permission"), ("reset", "unreachable.broken")]
)
def test_a_failure_names_its_reason(
    pages: Pages, emulator: LocalEmulator, fault: str, code: str
) -> None:
    """As a code that the page words itself, and as a sentence where it has none."""
    emulator.fault(fault)
    pages.click()
    assert pages.heard[0]["ok"] is False
    assert pages.heard[0]["code"] == code
    assert pages.heard[0]["text"]


@every_api
@pytest.mark.parametrize("broken", [{"seconds": "many"}, {"base_stops_at_ms": None}])
def test_what_nobody_foresaw_is_answered_and_logged(
    pages: Pages, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A click is never left without an answer."""
    pages.click(**broken)
    assert (pages.heard[0]["ok"], pages.heard[0]["code"]) == (False, "failed")
    assert len(caplog.records) == 1


def test_a_later_moment_is_another_thread() -> None:
    """So that the messages behind a click are heard before it is done."""
    done = threading.Event()
    names: list[str] = []

    def job() -> None:
        names.append(threading.current_thread().name)
        done.set()

    soon(job)
    assert done.wait(JOIN_S)
    assert names != [threading.current_thread().name]
