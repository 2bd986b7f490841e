"""News of an instance reach everybody in the process who asked for them, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from factories import make_instance

from modelarts_magics.session import news

if TYPE_CHECKING:
    import pytest

    from modelarts_magics.domain.models import Instance


def test_who_listens_hears() -> None:
    """In the order of asking, about the one instance."""
    heard: list[tuple[str, Instance]] = []
    ends = [
        news.subscribe("a", lambda each: heard.append(("first", each))),
        news.subscribe("a", lambda each: heard.append(("second", each))),
        news.subscribe("b", lambda each: heard.append(("other", each))),
    ]
    told = make_instance()
    news.publish("a", told)
    assert heard == [("first", told), ("second", told)]
    for end in ends:
        end()


def test_who_ended_it_hears_no_more() -> None:
    """Ending twice is fine, and ends nobody else's."""
    heard: list[str] = []
    first = news.subscribe("a", lambda _: heard.append("first"))
    second = news.subscribe("a", lambda _: heard.append("second"))
    first()
    first()
    news.publish("a", make_instance())
    assert heard == ["second"]
    second()


def test_a_listener_may_end_its_own_while_it_hears() -> None:
    """The others hear all the same."""
    heard: list[str] = []

    def once(_: Instance) -> None:
        heard.append("once")
        end()

    end = news.subscribe("a", once)
    last = news.subscribe("a", lambda _: heard.append("last"))
    news.publish("a", make_instance())
    news.publish("a", make_instance())
    assert heard == ["once", "last", "last"]
    last()


def test_one_that_fails_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Least of all who asked the cloud; it is logged."""
    heard: list[str] = []

    def broken(_: Instance) -> None:
        raise ZeroDivisionError

    ends = [news.subscribe("a", broken), news.subscribe("a", lambda _: heard.append("second"))]
    news.publish("a", make_instance())
    assert heard == ["second"]
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]
    for end in ends:
        end()


def test_nobody_listens() -> None:
    """Nothing happens."""
    news.publish("nobody", make_instance())
