"""The component that notifies the user: which events, when, to which sinks, and how often."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE, NOW
from notification_world import OK, FakeAttempt, NotificationWorld, make_guard

from modelarts_magics.keepalive.notifications.deliveries import load_deliveries
from modelarts_magics.keepalive.notifications.results import JobResult, save_result
from modelarts_magics.keepalive.notifications.send import NOT_SENT, REFUSED, UNKNOWN
from modelarts_magics.keepalive.notifications.sender import Result
from modelarts_magics.keepalive.notifications.sinks import EVENTS
from modelarts_magics.keepalive.state import Event
from modelarts_magics.keepalive.stopping import PendingStop
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from pathlib import Path

SECOND = timedelta(seconds=1)
CAUSE = Message("notify.cause.status", {"status": 500})


@pytest.fixture
def world(tmp_path: Path) -> NotificationWorld:
    """Return a notifier with one webhook."""
    made = NotificationWorld(tmp_path)
    made.add_sink()
    return made


def test_marks_are_announced_once_before_an_unguarded_stop(world: NotificationWorld) -> None:
    """At 30, 10 and one minute, each within a pass, and again after an extension."""
    world.run(31 * MINUTE)
    for _ in range(31 * 60 // 5):
        world.advance(5 * SECOND)
    assert world.events() == ["time-left", "time-left", "stopping"]
    stop_time = NOW + 31 * MINUTE
    lefts = [stop_time - at for at, _, _ in world.sent]
    for left, mark in zip(lefts, (30, 10, 1)):
        assert timedelta(0) <= mark * MINUTE - left <= 5 * SECOND
    world.run(30 * MINUTE)
    world.advance(SECOND)
    assert world.events()[3:] == ["time-left"]


def test_text_names_instance_stop_time_with_zone_and_advice(world: NotificationWorld) -> None:
    """The webhook's document has them as values, too."""
    world.run(29 * MINUTE)
    world.advance(SECOND)
    payload = world.sent[0][2]
    instance = world.view.instance
    assert instance is not None
    assert payload["stops_at"] == "2026-11-23T17:21:00+08:00"
    assert payload["instance"] == {"id": instance.id, "name": instance.name}
    for part in (instance.name, "2026-11-23 17:21 +08:00", "%modelarts extend 2h"):
        assert part in payload["text"]
    assert payload["title"] == f"{instance.name} stops in 28 min"


def test_text_is_in_the_users_language(tmp_path: Path) -> None:
    """It is that of the setting, not that of the process."""
    world = NotificationWorld(tmp_path, {"MODELARTS_LANGUAGE": "zh_CN"})
    world.add_sink()
    world.run(29 * MINUTE)
    world.advance(SECOND)
    assert "即将停止" in world.sent[0][2]["title"]


def test_late_start_announces_the_last_mark_only(world: NotificationWorld) -> None:
    """With nine minutes left, the mark at 30 minutes is of no use."""
    world.run(9 * MINUTE)
    world.advance(SECOND)
    world.advance(SECOND)
    assert world.events() == ["time-left"]


def test_guard_that_covers_the_stop_silences_the_marks(world: NotificationWorld) -> None:
    """Only the mark at one minute, before a stop that nothing has prevented, is announced."""
    world.run(29 * MINUTE, make_guard(NOW + 8 * HOUR))
    for _ in range(28):
        world.advance(MINUTE)
    assert world.events() == ["stopping"]


def test_mark_waits_for_a_reading_that_is_not_old(world: NotificationWorld) -> None:
    """The run may have been extended in the console; without an answer the mark is announced 30 s late."""
    world.run(31 * MINUTE)
    world.advance(MINUTE + SECOND, reads=False)
    assert world.notifier.wants_reading(world.now)
    world.advance(SECOND, reads=False)
    assert not world.sent
    world.advance(30 * SECOND, reads=False)
    assert world.events() == ["time-left"]


def test_extension_just_before_a_mark_prevents_it(world: NotificationWorld) -> None:
    """The reading that the mark waits for shows the extension."""
    world.run(31 * MINUTE)
    world.advance(MINUTE + SECOND, reads=False)
    world.run(2 * HOUR)
    world.advance(SECOND)
    assert not world.sent


def test_bound_and_mark_at_once_are_both_sent(world: NotificationWorld) -> None:
    """A guard that ends before the stop does not keep the instance until then."""
    world.run(30 * MINUTE, make_guard(NOW + 20 * MINUTE))
    world.advance(SECOND)
    world.advance(SECOND)
    assert sorted(world.events()) == ["bound-near", "time-left"]
    assert "keep --up-to 4h train" in world.sent[0][2]["text"] + world.sent[1][2]["text"]


def test_stop_after_work_is_announced_before_it(world: NotificationWorld) -> None:
    """The notification is sent in the grace period, and names the work."""
    world.run(4 * HOUR, pending_stop=PendingStop("train", NOW, NOW))
    world.advance(SECOND)
    assert world.events() == ["stopping"]
    assert "train" in world.sent[0][2]["title"]


def test_requested_stop_is_announced_once(world: NotificationWorld) -> None:
    """A stop that the user has asked for is sent once, also by the next daemon, and not long afterwards."""
    world.run(4 * HOUR, announced_stop=NOW)
    world.advance(SECOND)
    world.advance(SECOND)
    world.start_daemon()
    world.advance(SECOND)
    assert world.events() == ["stopping"]
    assert "You asked to stop the instance" in world.sent[0][2]["text"]
    world.run(4 * HOUR, announced_stop=NOW + 10 * MINUTE)
    world.advance(16 * MINUTE)
    assert world.events() == ["stopping"]


def test_waiting_stop_is_not_announced(world: NotificationWorld) -> None:
    """Other work postpones it."""
    world.run(4 * HOUR, pending_stop=PendingStop("train", NOW, NOW, waiting_for=("bash",)))
    world.advance(SECOND)
    assert not world.sent


def test_trouble_is_announced_once_per_stop_time(world: NotificationWorld) -> None:
    """An urgent problem that goes on is no new event; one of the keep-alive's own events is."""
    problem = Message("keep.problem", {"cause": "HTTP 503", "since": NOW})
    world.run(25 * MINUTE, make_guard(NOW + HOUR), problem=problem)
    for _ in range(5):
        world.advance(SECOND)
    assert world.events() == ["keepalive-trouble"]
    changed = Message("keep.changed.earlier", {"stop_time": NOW + HOUR, "status": "RUNNING"})
    world.run(3 * HOUR, events=(Event(1, changed, ("a",)),))
    world.advance(SECOND)
    world.advance(SECOND)
    assert world.events() == ["keepalive-trouble"] * 2
    assert "changed elsewhere" in world.sent[1][2]["text"]


@pytest.mark.parametrize(
    ("failed", "status", "line", "event", "part"),
    [
        (False, 0, "accuracy 0.93", "job-finished", "Last line: accuracy 0.93"),
        (True, 1, "ValueError: x", "job-failed", "(exit status 1). Last line: ValueError: x"),
        (True, 3, "", "job-failed", "(exit status 3)"),
        (True, None, "", "job-failed", "was killed"),
        (False, None, "", "job-finished", "has finished after 1 h"),
    ],
)
def test_result_of_work_is_sent(  # noqa: PLR0913 - a table
    world: NotificationWorld,
    *,
    failed: bool,
    status: int | None,
    line: str,
    event: str,
    part: str,
) -> None:
    """With its duration and last line, once, also if it was written before the daemon started."""
    result = JobResult("g1", "train", NOW - HOUR, NOW, failed, status, line)
    save_result(world.daemon_folder, result)
    world.run(3 * HOUR)
    world.advance(SECOND)
    world.advance(SECOND)
    world.start_daemon()
    world.advance(SECOND)
    assert world.events() == [event]
    payload = world.sent[0][2]
    assert part in payload["text"]
    assert payload["job"] == {
        "name": "train",
        "duration_s": 3600,
        "exit_status": status,
        "last_line": line,
    }


def test_last_run_is_reported_after_the_next_start(tmp_path: Path) -> None:
    """Auto-stop, a stop after work and an unknown end are told apart; local files are lost with the run."""
    for number, (left, pending, part) in enumerate(
        (
            (MINUTE, None, "ended by auto-stop at 2026-11-23 16:53"),
            (3 * HOUR, PendingStop("train", NOW, NOW), "stopped after “train”"),
            (3 * HOUR, None, "how it ended is unknown"),
        )
    ):
        later = NotificationWorld(tmp_path / str(number))
        later.add_sink()
        later.mute("stopping", "time-left")
        later.run(left, pending_stop=pending)
        later.make_pass()
        assert not later.sent
        later.now += 5 * HOUR
        later.daemon_folder = tmp_path / str(number) / "next" / later.daemon_folder.name
        later.start_daemon()
        later.run(HOUR, started_at=later.now - MINUTE)
        later.make_pass()
        later.make_pass()
        assert later.events() == ["last-run"]
        assert part in later.sent[0][2]["text"]


@pytest.mark.parametrize("event", EVENTS)
def test_muted_event_is_not_sent(world: NotificationWorld, event: str) -> None:
    """All others are."""
    world.mute(event)
    save_result(world.daemon_folder, JobResult("a", "a", NOW, NOW))
    save_result(world.daemon_folder, JobResult("b", "b", NOW, NOW, failed=True))
    problem = Message("keep.problem", {"cause": "x", "since": NOW})
    guard = make_guard(NOW + 10 * MINUTE)
    world.run(25 * MINUTE, guard, problem=problem, pending_stop=PendingStop("t", NOW, NOW))
    for _ in range(8):
        world.advance(SECOND)
    assert set(world.events()) == set(EVENTS) - {event, "last-run"}


def test_failing_sink_delays_no_other(world: NotificationWorld) -> None:
    """One hangs, one refuses, and the third gets each message at once."""
    hanging, refusing, good = "1", world.add_sink("https://b/"), world.add_sink("https://c/")
    world.attempts = {
        hanging: deque([FakeAttempt(None)]),
        refusing: deque([FakeAttempt(Result(REFUSED, CAUSE))] * 2),
    }
    world.run(31 * MINUTE)
    for _ in range(31 * 6):
        world.advance(10 * SECOND)
    assert world.events(good) == ["time-left", "time-left", "stopping"]
    assert world.events(hanging) == ["time-left"]
    assert len(world.events(refusing)) == 3


def test_retries_back_off_until_delivered(world: NotificationWorld) -> None:
    """A message that certainly did not arrive is not marked, and the wait that was asked for is kept."""
    results = [Result(NOT_SENT, CAUSE), Result(NOT_SENT, CAUSE, 60.0), OK]
    world.attempts = {"1": deque(FakeAttempt(each) for each in results)}
    save_result(world.daemon_folder, JobResult("a", "a", NOW, NOW))
    world.run(3 * HOUR)
    for _ in range(200):
        world.advance(SECOND)
    times = [at for at, _, _ in world.sent]
    assert [5 <= (b - a).total_seconds() <= 8 for a, b in zip(times, times[1:2])] == [True]
    assert 60 <= (times[2] - times[1]).total_seconds() <= 63
    assert [payload["repeated"] for _, _, payload in world.sent] == [False] * 3
    assert len({payload["id"] for _, _, payload in world.sent}) == 1
    last = load_deliveries(world.shared_folder)["1"]
    assert (last.state, last.attempts) == ("done", 3)


def test_unknown_outcome_is_repeated_as_such(world: NotificationWorld) -> None:
    """The receiver finds the same key, and attempts end after some."""
    world.attempts = {"1": deque(FakeAttempt(Result(UNKNOWN, CAUSE)) for _ in range(20))}
    save_result(world.daemon_folder, JobResult("a", "a", NOW, NOW))
    world.run(5 * HOUR)
    for _ in range(240):
        world.advance(MINUTE)
    repeated = [payload["repeated"] for _, _, payload in world.sent]
    assert repeated == [False, True, True, True, True, True]
    assert world.sent[1][2]["title"].endswith("(repeated)")
    assert load_deliveries(world.shared_folder)["1"].state == "failed"


def test_daemon_killed_during_a_delivery_repeats_it(world: NotificationWorld) -> None:
    """Its outcome is unknown; the claim and the message are on disk."""
    world.attempts = {"1": deque([FakeAttempt(None)])}
    world.run(29 * MINUTE)
    world.advance(SECOND)
    world.start_daemon()
    world.advance(SECOND)
    world.advance(SECOND)
    assert [payload["repeated"] for _, _, payload in world.sent] == [False, True]
    assert len({payload["id"] for _, _, payload in world.sent}) == 1


def test_second_daemon_sends_nothing_again(world: NotificationWorld) -> None:
    """Each event is claimed over all processes."""
    world.run(29 * MINUTE)
    world.advance(SECOND)
    world.advance(SECOND)
    for _ in range(3):
        world.start_daemon()
        world.advance(SECOND)
    assert world.events() == ["time-left"]


def test_message_about_a_moved_stop_time_is_dropped(world: NotificationWorld) -> None:
    """The first attempt failed, then the run was extended."""
    world.attempts = {"1": deque([FakeAttempt(Result(NOT_SENT, CAUSE))])}
    world.run(29 * MINUTE)
    world.advance(SECOND)
    world.advance(SECOND)
    world.run(5 * HOUR)
    for _ in range(30):
        world.advance(SECOND)
    assert world.events() == ["time-left"]
    assert load_deliveries(world.shared_folder)["1"].state == "dropped"


def test_quiet_hours_hold_back_what_is_still_of_use(tmp_path: Path) -> None:
    """The result of a job is sent after them, a mark whose stop has passed is not."""
    world = NotificationWorld(tmp_path, {"MODELARTS_NOTIFY_QUIET_HOURS": "16:30-18:00"})
    world.add_sink()
    save_result(world.daemon_folder, JobResult("a", "a", NOW, NOW))
    world.run(29 * MINUTE)
    for _ in range(66):
        world.advance(MINUTE, reads=False)
    assert not world.sent
    for _ in range(5):
        world.advance(MINUTE, reads=False)
    assert world.events() == ["job-finished"]


def test_limit_per_hour_prefers_what_expires_first(tmp_path: Path) -> None:
    """The rest follows when the hour is over."""
    world = NotificationWorld(tmp_path, {"MODELARTS_NOTIFY_LIMIT": "3"})
    world.add_sink()
    for number in range(6):
        save_result(world.daemon_folder, JobResult(str(number), "a", NOW, NOW))
    world.run(29 * MINUTE)
    for _ in range(20):
        world.advance(SECOND)
    assert len(world.events()) == 3
    assert world.events()[0] == "time-left"
    world.run(9 * HOUR)
    for _ in range(61):
        world.advance(MINUTE)
    assert len(world.events()) > 3


def test_removed_sink_gets_nothing_more(tmp_path: Path) -> None:
    """Without any sink, results are discarded and the daemon is not needed."""
    world = NotificationWorld(tmp_path)
    save_result(world.daemon_folder, JobResult("a", "a", NOW, NOW))
    world.run(29 * MINUTE)
    world.advance(SECOND)
    assert not world.notifier.needs_daemon()
    assert not list(world.daemon_folder.glob("result-*"))
    assert not world.sent
