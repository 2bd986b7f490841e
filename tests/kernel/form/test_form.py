"""The form: one request for everything, nothing overwritten in silence, nothing lost, no error unseen."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from pages import (
    LEASE,
    NEW,
    OLD,
    Later,
    Meanwhile,
    at_once,
    every_api,
    generations,
    open_widgets,
    widgets_in,
    words,
)
from stage import EVIL

from modelarts_magics.domain.description import FULL_WIDTH
from modelarts_magics.domain.models import Effect
from modelarts_magics.errors import (
    DescriptionError,
    DurationError,
    ForbiddenError,
    ModelArtsError,
    RefusedError,
    UnsettledError,
)
from modelarts_magics.kernel.form.form import InstanceForm
from modelarts_magics.messages import when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pages import Generation

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Make = Callable[..., InstanceForm]
    Truth = Callable[[], dict[str, Any]]
    Writes = Callable[[], list[dict[str, Any]]]

HOUR = timedelta(hours=1)
NEAR = timedelta(seconds=5)
JOIN_S = 60
"""How long a thread may take that is not stuck."""


@pytest.fixture
def session(connected: Callable[..., Session]) -> Session:
    """A session on an instance that stops in 40 minutes, after one hour."""
    return connected()


@pytest.fixture
def other(connected: Callable[..., Session]) -> Session:
    """Another session with the same instance, in this process."""
    return connected()


@pytest.fixture
def stranger(connected: Callable[..., Session]) -> Session:
    """A session with the same instance on another machine: this one hears nothing of it."""
    return connected(state="elsewhere")


@pytest.fixture
def make(session: Session) -> Iterator[Make]:
    """Make forms that answer at once, and close them afterwards."""
    made: list[InstanceForm] = []
    before = open_widgets()

    def form(given: Any = None, **how: Any) -> InstanceForm:  # noqa: ANN401 - a session, arguments
        how = {"schedule": at_once, "follow": at_once, **how}
        made.append(InstanceForm(given or session, **how))
        return made[-1]

    yield form
    for each in made:
        each.close()
    assert open_widgets() == before


@pytest.fixture
def form(make: Make) -> InstanceForm:
    """A form that was just opened."""
    return make()


def button(form: InstanceForm, label: str) -> Any:  # noqa: ANN401 - ipywidgets has no types
    """The button of that name."""
    found = [each for each in widgets_in(form) if type(each).__name__ == "Button"]
    return next(each for each in found if each.description == label)


def offered(form: InstanceForm) -> bool:
    """Whether both sides of a conflict are offered."""
    return form._widgets.choice.layout.display != "none"


@every_api
def test_it_shows_what_holds_and_offers_no_apply(
    form: InstanceForm, generation: Generation, truth: Truth
) -> None:
    """And nothing that the API has not."""
    now = truth()
    assert form.description.value == now["description"]
    assert form.auto_stop.value is True
    assert form.mode.value == "TIMING"
    assert form.duration.value == ("" if generation is LEASE else "1:00")
    assert (form.remind.layout.display == "none") is (generation is LEASE)
    assert (form.mode.layout.display == "none") is (generation is not LEASE)
    assert button(form, "Apply").disabled
    assert not offered(form)
    assert form.countdown in form.children
    assert form.instance.id == now["id"]


@every_api
def test_one_request_sends_everything(
    form: InstanceForm, generation: Generation, truth: Truth, writes: Writes
) -> None:
    """Of the current API, which has one for each half, one each."""
    form.description.value = "ResNet 之后 ☕"
    form.duration.value = "2:30"
    if generation is not LEASE:
        form.remind.value = False
    change = form.apply()
    now = truth()
    assert now["description"] == "ResNet 之后 ☕"
    assert generation is LEASE or now["duration_s"] == 9000
    assert generation is LEASE or now["prompt"] is False
    assert len(writes()) == (2 if generation is LEASE else 1)
    assert change.effect is (Effect.NEXT_START if generation is NEW else Effect.NOW)
    assert "Description saved: “ResNet 之后 ☕”" in words(form)
    assert ("This run does NOT follow" in words(form)) is (generation is NEW)
    assert button(form, "Apply").disabled
    assert form.instance == form.countdown.instance == change.after


@every_api
def test_each_half_leaves_the_other_alone(
    form: InstanceForm, truth: Truth, generation: Generation
) -> None:
    """Whichever is changed first."""
    was = truth()
    form.description.value = "new"
    form.apply()
    assert truth() == {**was, "description": "new"}
    form.duration.value = "2h"
    form.apply()
    assert truth()["description"] == "new"
    if generation is not NEW:
        assert truth()["stops_at"] > was["stops_at"]


@every_api
def test_a_button_applies_like_code(form: InstanceForm, truth: Truth) -> None:
    """It is enabled as soon as there is something to apply, and off again after it."""
    apply = button(form, "Apply")
    form.description.value = "by a click"
    assert not apply.disabled
    form.description.value = form.instance.description
    assert apply.disabled
    form.description.value = "by a click"
    apply.click()
    assert truth()["description"] == "by a click"
    assert apply.disabled


@generations(OLD)
@pytest.mark.parametrize("text", ["", "x" * 512, "☕" * 512, "👩‍🔬 e\u0301 训练"])
def test_the_count_is_of_code_points(form: InstanceForm, text: str) -> None:
    """As the API counts."""
    form.description.value = text
    assert f"{len(text)} / 512" in words(form)
    assert not button(form, "Apply").disabled


@generations(OLD)
def test_too_long_is_said_while_typing(form: InstanceForm, writes: Writes) -> None:
    """And cannot be applied, by code either."""
    form.description.value = "x" * 514
    assert "514 / 512 · 2 too many" in words(form)
    assert button(form, "Apply").disabled
    with pytest.raises(DescriptionError):
        form.apply()
    assert "514 characters" in words(form)
    assert writes() == []


@generations(OLD)
@pytest.mark.parametrize("character", FULL_WIDTH)
def test_a_forbidden_character_is_named_and_can_be_widened(
    form: InstanceForm, character: str, truth: Truth
) -> None:
    """By a button that is there only then."""
    widen = button(form, "Use full-width characters")
    assert widen.layout.display == "none"
    form.description.value = f"ab{character}c"
    assert f"'{character}' at position 3 is not allowed" in words(form)
    assert button(form, "Apply").disabled
    assert widen.layout.display is None
    widen.click()
    assert form.description.value == f"ab{FULL_WIDTH[character]}c"
    assert widen.layout.display == "none"
    form.apply()
    assert truth()["description"] == f"ab{FULL_WIDTH[character]}c"


@generations(OLD)
def test_half_a_character_cannot_be_widened(form: InstanceForm) -> None:
    """It is named by its place alone, since nothing can show it."""
    form.description.value = "ab\ud83d"
    assert "position 3 is half of a character" in words(form)
    assert button(form, "Use full-width characters").layout.display == "none"
    assert button(form, "Apply").disabled


@generations(OLD)
def test_a_stored_description_that_could_not_be_entered_hinders_nobody(
    make: Make, emulator: LocalEmulator
) -> None:
    """It is shown with its mistake, and what is changed beside it can be applied."""
    emulator.set_instance(description="a/b")
    form = make()
    form.remind.value = False
    assert "'/' at position 2" in words(form)
    assert not button(form, "Apply").disabled


@every_api
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "“soon” is not a duration."),
        ("90", "“90” is not a duration."),
        ("1:75", "“1:75” is not a duration."),
        ("0:00", "“0:00” is not a usable duration."),
        ("0.0001h", "“0.0001h” is not a whole number of seconds."),
        ("0:59", "59 min is outside what this API takes: 1 h to "),
        ("72:01", "72 h 1 min is outside what this API takes: 1 h to "),
        ("<b>", "“<b>” is not a duration."),
    ],
)
def test_a_duration_that_cannot_be_is_explained(
    form: InstanceForm, text: str, said: str, writes: Writes
) -> None:
    """While typing; code that applies it gets the same as an error."""
    form.duration.value = text
    assert said in words(form)
    assert button(form, "Apply").disabled
    with pytest.raises(DurationError):
        form.apply()
    assert writes() == []


@every_api
@pytest.mark.parametrize("text", ["2:30", "2h30m", "150m", " 02:30 ", "2：30", "9000s"])  # noqa: RUF001
def test_durations_can_be_written_in_many_ways(
    form: InstanceForm, text: str, truth: Truth, generation: Generation
) -> None:
    """And the end is shown before it is asked for; it is the one that comes to be."""
    form.duration.value = text
    shown = words(form)
    assert "Would stop " in shown
    form.apply()
    end = truth()["stops_at"]
    if generation is not NEW:
        possible = {when(end + step * timedelta(minutes=1)) for step in (0, 1, -1)}
        assert any(f"Would stop {each}" in shown for each in possible)


@every_api
def test_the_same_duration_written_otherwise_changes_nothing(
    form: InstanceForm, generation: Generation
) -> None:
    """Where it counts from the start of the run; from now it always does."""
    form.duration.value = "60m"
    assert button(form, "Apply").disabled is (generation is not LEASE)


@every_api
def test_presets_are_those_that_the_api_takes(form: InstanceForm, generation: Generation) -> None:
    """A click writes it into the field."""
    labels = [each.description for each in form._widgets.presets.values()]
    assert labels[0] == "1 h"
    assert labels[-1] == ("72 h" if generation is LEASE else "24 h")
    button(form, "4 h").click()
    assert form.duration.value == "4:00"
    assert not button(form, "Apply").disabled


@every_api
def test_a_mistake_in_one_field_hides_nothing_of_the_other(form: InstanceForm) -> None:
    """The end is shown all the same, and there is no Apply."""
    form.duration.value = "2h"
    form.description.value = "a/b"
    assert "Would stop" in words(form)
    assert "'/' at position 2" in words(form)
    assert button(form, "Apply").disabled
    form.duration.value = "soon"
    form.description.value = "ab"
    assert "is not a duration" in words(form)
    assert button(form, "Apply").disabled


@generations(NEW)
def test_a_cloud_that_was_seen_to_wait_is_not_believed_again(form: InstanceForm) -> None:
    """The form says so before the second time."""
    form.duration.value = "2h"
    assert "Would stop" in words(form)
    form.apply()
    form.duration.value = "3h"
    assert "this run will probably still stop at" in words(form)
    assert "Would stop" not in words(form)


@generations(OLD, NEW)
def test_off_and_on_again(form: InstanceForm, truth: Truth) -> None:
    """The run time that was set comes back; while it is off there is none to enter."""
    form.duration.value = "2h"
    form.apply()
    form.auto_stop.value = False
    assert form.duration.disabled
    assert "Would not stop by itself" in words(form)
    form.apply()
    assert truth()["enable"] is False
    assert "Auto-stop is off" in words(form)
    form.auto_stop.value = True
    assert not form.duration.disabled
    assert form.duration.value == "2:00"
    form.apply()
    assert (truth()["enable"], truth()["duration_s"]) == (True, 7200)


@generations(OLD)
def test_a_run_time_without_auto_stop_is_refused(
    make: Make, emulator: LocalEmulator, writes: Writes
) -> None:
    """Code may enter it all the same; it would be for nothing."""
    emulator.set_instance(auto_stop={"enable": False})
    form = make()
    form.duration.value = "3h"
    assert "counts only where auto-stop is on" in words(form)
    with pytest.raises(RefusedError):
        form.apply()
    assert writes() == []


@generations(LEASE)
def test_off_cannot_be_chosen_where_it_is_not_documented(
    form: InstanceForm, writes: Writes
) -> None:
    """The reason stands beside it, and code gets it as an error."""
    assert form.auto_stop.disabled
    assert "does not document turning auto-stop off" in words(form)
    form.auto_stop.value = False
    with pytest.raises(RefusedError):
        form.apply()
    assert writes() == []


@generations(LEASE)
def test_the_idle_mode_and_back(form: InstanceForm, truth: Truth) -> None:
    """There is no time to enter with it."""
    form.mode.value = "IDLE"
    assert "Would stop when it is little used" in words(form)
    assert form.duration.disabled
    form.apply()
    assert truth()["type"] == "IDLE"
    form.mode.value = "TIMING"
    form.duration.value = "2h"
    form.apply()
    assert truth()["type"] == "TIMING"


@every_api
def test_a_stopped_instance(
    make: Make, emulator: LocalEmulator, truth: Truth, generation: Generation
) -> None:
    """What is kept is set for the next start, what is not is refused."""
    emulator.set_instance(status="STOPPED")
    form = make()
    form.duration.value = "2h"
    if generation is LEASE:
        assert "its lease can be set only while it runs" in words(form)
        assert button(form, "Apply").disabled
    else:
        assert "Would hold from the next start: 2 h a run" in words(form)
        assert form.apply().effect is Effect.NEXT_START
        assert truth()["duration_s"] == 7200


@every_api
def test_what_was_not_entered_follows_every_change(
    form: InstanceForm, other: Session, truth: Truth
) -> None:
    """Whoever in this process makes it; the countdown too."""
    other.update(description="theirs")
    assert form.description.value == "theirs"
    other.extend("80m")
    assert abs(form.instance.auto_stop.stops_at - truth()["stops_at"]) < NEAR
    assert form.countdown.instance == form.instance
    assert button(form, "Apply").disabled


@generations(OLD)
def test_news_that_seem_a_moment_older_are_news(form: InstanceForm) -> None:
    """The cloud tells its time in seconds, so what is read later may seem earlier by a part of one."""
    told = replace(
        form.instance,
        description="theirs",
        observed_at=form.instance.observed_at - timedelta(milliseconds=400),
    )
    form._learn(told)
    assert form.description.value == "theirs"
    form._learn(replace(told, description="old", observed_at=told.observed_at - HOUR))
    assert form.description.value == "theirs"


@every_api
def test_what_is_being_typed_is_never_replaced(
    form: InstanceForm, other: Session, writes: Writes
) -> None:
    """The form says what changed, sends nothing until it is decided, and offers both."""
    form.description.value = "mine"
    other.describe("theirs")
    sent = len(writes())
    assert form.description.value == "mine"
    assert "The description is now “theirs”; here stands “mine”." in words(form)
    assert offered(form)
    assert button(form, "Apply").disabled
    with pytest.raises(RefusedError):
        form.apply()
    assert len(writes()) == sent


@every_api
def test_keep_mine(form: InstanceForm, other: Session, truth: Truth) -> None:
    """Apply then sends it; nothing is sent before."""
    form.description.value = "mine"
    other.describe("theirs")
    button(form, "Keep mine").click()
    assert truth()["description"] == "theirs"
    assert not offered(form)
    button(form, "Apply").click()
    assert truth()["description"] == "mine"


@every_api
def test_take_theirs(form: InstanceForm, other: Session, truth: Truth) -> None:
    """Of what was entered only that is given up about which both differ."""
    form.description.value = "mine"
    form.duration.value = "3h"
    other.describe("theirs")
    button(form, "Take theirs").click()
    assert (form.description.value, form.duration.value) == ("theirs", "3h")
    assert not offered(form)
    form.apply()
    assert truth()["description"] == "theirs"


@every_api
def test_a_conflict_about_auto_stop(
    form: InstanceForm, other: Session, generation: Generation
) -> None:
    """In words of both sides."""
    form.duration.value = "5h"
    other.extend("80m")
    assert "Auto-stop is now: " in words(form)
    assert "; here stands: 5h." in words(form)
    form.take_theirs()
    assert form.duration.value == ("" if generation is LEASE else "2:20")


@generations(OLD)
def test_a_conflict_about_the_reminder(form: InstanceForm, make: Make, other: Session) -> None:
    """Both want it otherwise than it was, so both want the same: that is none."""
    form.remind.value = False
    second = make()
    second.remind.value = False
    second.apply()
    assert not offered(form)
    other.describe("x")
    assert not form.remind.value


@every_api
def test_the_same_change_elsewhere_is_no_conflict(form: InstanceForm, other: Session) -> None:
    """There is nothing left to apply."""
    form.description.value = "same"
    other.describe("same")
    assert not offered(form)
    assert button(form, "Apply").disabled


@every_api
def test_a_change_that_was_taken_back_is_no_conflict(form: InstanceForm, other: Session) -> None:
    """What was loaded holds again."""
    was = form.description.value
    form.description.value = "mine"
    other.describe("theirs")
    assert offered(form)
    other.describe(was)
    assert not offered(form)
    assert not button(form, "Apply").disabled


@every_api
def test_another_part_changed_elsewhere_does_not_stop_mine(
    form: InstanceForm, stranger: Session, truth: Truth
) -> None:
    """Both hold afterwards, although the form heard of it only when it applied."""
    stranger.extend("80m")
    end = truth()["stops_at"]
    form.description.value = "mine"
    form.apply()
    assert truth()["description"] == "mine"
    assert truth()["stops_at"] == end
    assert not offered(form)


@every_api
@pytest.mark.parametrize("part", ["description", "duration"])
def test_nothing_is_overwritten_that_the_form_has_not_seen(
    form: InstanceForm, stranger: Session, truth: Truth, writes: Writes, part: str
) -> None:
    """What it finds when it applies stops it, and both are offered then."""
    if part == "description":
        stranger.describe("theirs")
        form.description.value = "mine"
    else:
        stranger.extend("80m")
        form.duration.value = "5h"
    was, sent = truth(), len(writes())
    with pytest.raises(RefusedError) as raised:
        form.apply()
    assert raised.value.code == "refuse.changed_elsewhere"
    assert truth() == was
    assert len(writes()) == sent
    assert offered(form)
    form.keep_mine()
    form.apply()
    assert len(writes()) == sent + 1


@every_api
def test_the_click_tells_of_it_too(form: InstanceForm, stranger: Session) -> None:
    """Nobody would catch an error there."""
    stranger.describe("theirs")
    form.description.value = "mine"
    button(form, "Apply").click()
    assert "Nothing was sent." in words(form)
    assert offered(form)


@every_api
def test_news_wait_until_the_page_was_heard(make: Make, other: Session) -> None:
    """What was typed while the kernel was busy arrives before the news may replace it."""
    queue = Later()
    form = make(follow=queue)
    other.describe("theirs")
    assert form.countdown.instance.description == "theirs"
    form.description.value = "typed meanwhile"
    queue.do()
    assert form.description.value == "typed meanwhile"
    assert offered(form)


@every_api
def test_apply_hears_the_news_first(make: Make, other: Session, writes: Writes) -> None:
    """However long they have been waiting."""
    form = make(follow=Later())
    other.describe("theirs")
    sent = len(writes())
    form.description.value = "mine"
    with pytest.raises(RefusedError):
        form.apply()
    assert len(writes()) == sent


@every_api
def test_what_is_typed_while_the_cloud_is_asked_stays(
    make: Make, session: Session, truth: Truth
) -> None:
    """It is one more change, to be applied after this one."""
    slow = Meanwhile(session)
    form = make(slow)
    form.description.value = "first"
    slow.before = lambda: setattr(form.description, "value", "second")
    form.apply()
    assert truth()["description"] == "first"
    assert form.description.value == "second"
    assert not offered(form)
    slow.before = lambda: None
    form.apply()
    assert truth()["description"] == "second"


@every_api
def test_a_change_that_lands_while_the_form_applies_shows_afterwards(
    make: Make, session: Session, other: Session
) -> None:
    """Here right after the answer."""
    slow = Meanwhile(session)
    form = make(slow)
    form.duration.value = "5h"
    slow.after = lambda: other.describe("theirs")
    form.apply()
    assert form.description.value == "theirs"
    assert form.instance.description == "theirs"


@every_api
def test_a_callback_during_a_cell(make: Make, session: Session, truth: Truth) -> None:
    """As ipykernel 7 calls it: in another thread, while this one waits for the cloud."""
    slow = Meanwhile(session)
    form = make(slow)
    done: list[str] = []

    def page() -> None:
        form.description.value = "typed in the page"
        button(form, "Apply").click()
        session.refresh()  # news, in that thread
        done.append("came through")

    def busy() -> None:
        thread = threading.Thread(target=page)
        thread.start()
        thread.join(JOIN_S)

    slow.before = busy
    form.duration.value = "2h"
    form.apply()
    assert done == ["came through"]
    assert form.description.value == "typed in the page"
    assert truth()["description"] != "typed in the page"  # the click found the form busy


@every_api
def test_a_callback_after_the_cell(make: Make, other: Session, truth: Truth) -> None:
    """As ipykernel 6 calls it: the clicks of a whole cell at once, when it is over."""
    queue = Later()
    form = make(schedule=queue, follow=queue)
    form.description.value = "mine"
    button(form, "Apply").click()
    button(form, "Apply").click()
    other.extend("80m")  # by the cell
    queue.do()
    assert truth()["description"] == "mine"
    assert "✓ Done" in words(form)
    assert abs(form.instance.auto_stop.stops_at - truth()["stops_at"]) < NEAR


@every_api
def test_two_threads_apply_once(make: Make, session: Session, writes: Writes) -> None:
    """The second is told that the form is waiting."""
    slow = Meanwhile(session)
    form = make(slow)
    refused: list[str] = []

    def second() -> None:
        try:
            form.apply()
        except RefusedError as error:
            refused.append(error.code)

    def busy() -> None:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(JOIN_S)

    slow.before = busy
    form.description.value = "once"
    form.apply()
    assert refused == ["form.busy"]
    assert len(writes()) == 1


@generations(OLD)
def test_many_threads_at_once(form: InstanceForm, other: Session, writes: Writes) -> None:
    """News from one, entries from another, applied by a third: nothing gets stuck or lost, and it settles."""
    failed: list[BaseException] = []

    def doing(job: Callable[[int], object]) -> threading.Thread:
        def work() -> None:
            for number in range(8):
                try:
                    job(number)
                except ModelArtsError:
                    pass
                except BaseException as error:  # noqa: BLE001 - the test's own report
                    failed.append(error)

        return threading.Thread(target=work)

    threads = [
        doing(lambda number: other.describe(f"theirs {number}")),
        doing(lambda number: setattr(form.description, "value", f"mine {number}")),
        doing(lambda _: form.apply()),
        doing(lambda _: form.keep_mine()),
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(JOIN_S)
    assert not any(each.is_alive() for each in threads)
    assert failed == []
    sent = [each["body"].get("description") for each in writes()]
    assert form.description.value == "mine 7" or "mine 7" in sent
    form.keep_mine()
    other.refresh()
    form.reload()
    assert form.description.value == form.instance.description
    assert writes()


@every_api
def test_reload_asks_again_and_drops_what_was_not_applied(
    form: InstanceForm, stranger: Session, truth: Truth
) -> None:
    """Of this machine nobody had noticed the change."""
    stranger.describe("theirs")
    form.description.value = "a draft"
    form.duration.value = "4h"
    button(form, "Reload").click()
    assert form.description.value == "theirs"
    assert form.duration.value != "4h"
    assert "Loaded anew." in words(form)
    assert button(form, "Apply").disabled
    assert form.reload().description == truth()["description"]


@every_api
def test_a_reload_that_fails_drops_nothing(form: InstanceForm, emulator: LocalEmulator) -> None:
    """And says why."""
    form.description.value = "a draft"
    emulator.fault("403")
    with pytest.raises(ForbiddenError):
        form.reload()
    assert form.description.value == "a draft"
    assert "You are not allowed to do this." in words(form)
    assert not button(form, "Reload").disabled


@every_api
@pytest.mark.parametrize("fault", ["401", "403", "404", "429", "html", "bad-json", "reset"])
def test_every_error_shows_and_can_be_tried_again(
    form: InstanceForm, emulator: LocalEmulator, fault: str, truth: Truth
) -> None:
    """By a click nothing is raised, by code it is; the entries stay."""
    form.description.value = "mine"
    emulator.fault(fault)
    button(form, "Apply").click()
    clicked = words(form)
    with pytest.raises(ModelArtsError) as raised:
        form.apply()
    assert raised.value.hint in words(form)
    assert raised.value.hint in clicked
    assert form.description.value == "mine"
    emulator.clear_faults()
    button(form, "Apply").click()
    assert truth()["description"] == "mine"


@generations(OLD)
def test_an_open_outcome_is_not_called_a_failure(
    form: InstanceForm, emulator: LocalEmulator
) -> None:
    """It may hold or not."""
    form.description.value = "mine"
    emulator.fault("reset", methods=("GET",), skip=1)
    emulator.fault("500", methods=("PUT",))
    with pytest.raises(UnsettledError):
        form.apply()
    assert "It may hold or not." in words(form)
    assert "Failed" not in words(form)


@generations(OLD)
def test_an_unread_change_is_said_to_be_unconfirmed(
    form: InstanceForm, emulator: LocalEmulator
) -> None:
    """The entry stays, since nobody knows."""
    form.description.value = "mine"
    emulator.fault("reset", methods=("GET",), skip=1)
    assert form.apply().effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in words(form)
    assert form.description.value == "mine"


@every_api
def test_an_ignored_change_can_be_tried_again(form: InstanceForm, emulator: LocalEmulator) -> None:
    """The cloud did not do it, so what was entered is still to be applied."""
    form.description.value = "mine"
    emulator.fault("ignored")
    assert form.apply().effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in words(form)
    assert form.description.value == "mine"
    assert not button(form, "Apply").disabled


@generations(OLD)
def test_what_nobody_foresaw_is_shown_logged_and_raised(
    make: Make, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """A click has nobody to raise it to."""
    slow = Meanwhile(session)
    form = make(slow)
    form.description.value = "mine"

    def fail() -> None:
        raise ZeroDivisionError("<i>unforeseen</i>")

    slow.before = fail
    button(form, "Apply").click()
    assert "It did not work: ZeroDivisionError('<i>unforeseen</i>')" in words(form)
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    with pytest.raises(ZeroDivisionError):
        form.apply()
    assert not button(form, "Apply").disabled


@generations(OLD)
def test_applying_nothing_is_an_error_to_code(form: InstanceForm, writes: Writes) -> None:
    """It was surely meant otherwise."""
    with pytest.raises(RefusedError) as raised:
        form.apply()
    assert raised.value.code == "form.nothing"
    assert writes() == []


@every_api
def test_nothing_of_the_clouds_or_the_persons_is_markup(
    make: Make, emulator: LocalEmulator, other: Session
) -> None:
    """Everything that is shown is text."""
    emulator.set_instance(name=EVIL, description=EVIL)
    form = make()
    form.description.value = f"{EVIL} mine"
    form.duration.value = EVIL
    emulator.set_instance(description=f"{EVIL} theirs")
    other.refresh()
    assert offered(form)
    shown = words(form)  # strict
    assert f"“{EVIL} theirs”" in shown
    html = form._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "&lt;script" in html


@every_api
def test_where_there_are_no_widgets_there_are_words(form: InstanceForm) -> None:
    """As text and as HTML, and how to change it there."""
    bundle = form._repr_mimebundle_()
    assert set(bundle) == {
        "text/plain",
        "text/html",
        "application/vnd.jupyter.widget-view+json",
    }
    assert "Stops " in bundle["text/plain"]
    assert "%modelarts describe TEXT" in bundle["text/plain"]


@every_api
def test_everything_that_can_be_operated_has_a_name(form: InstanceForm) -> None:
    """And none of it is reached out of turn, or wider than the page."""
    fields = [each for each in widgets_in(form) if hasattr(each, "description")]
    named = [each for each in fields if type(each).__name__ != "HTML"]
    assert len(named) >= 12
    assert all(each.description for each in named)
    assert all(each.tabbable is None for each in named)
    boxes = [each for each in widgets_in(form) if each is not form.countdown]
    assert all(each.layout.max_width for each in boxes)


@every_api
def test_a_tone_is_never_colour_alone(form: InstanceForm, emulator: LocalEmulator) -> None:
    """A word and a sign say the same."""
    form.description.value = "mine"
    form.apply()
    assert "✓ Done · " in words(form)
    form.description.value = "yours"
    emulator.fault("403")
    button(form, "Apply").click()
    assert "✗ Failed · " in words(form)


@every_api
def test_a_cloud_that_cannot_be_asked_leaves_no_widget(make: Make, emulator: LocalEmulator) -> None:
    """The error is the caller's."""
    emulator.fault("403")
    before = open_widgets()
    with pytest.raises(ForbiddenError):
        make()
    assert open_widgets() == before


@every_api
def test_a_closed_form_hears_nothing(make: Make, other: Session) -> None:
    """Closing twice is fine."""
    form = make()
    form.close()
    form.close()
    was = form.instance
    other.describe("after")
    assert form.instance is was
