"""The form: one request for everything, nothing overwritten in silence, nothing lost, no error unseen."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import HTML_INJECTION
from widget_helpers import (
    DEMANAGER_2019,
    DEMANAGER_2021,
    NOTEBOOKS_2021,
    DeferredJobs,
    SessionWithHooks,
    every_api_version,
    open_widget_ids,
    parametrize_api_version,
    run_immediately,
    visible_text,
    widgets_in,
)

from modelarts_magics.domain.description import FULL_WIDTH_FORMS
from modelarts_magics.domain.models import Effect
from modelarts_magics.errors import (
    DescriptionError,
    DurationError,
    ForbiddenError,
    ModelArtsError,
    OutcomeUnknownError,
    RefusedError,
)
from modelarts_magics.kernel.form.form import InstanceForm
from modelarts_magics.messages import format_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from widget_helpers import ApiVersion

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
def session(make_session: Callable[..., Session]) -> Session:
    """A session on an instance that stops in 40 minutes, after one hour."""
    return make_session()


@pytest.fixture
def other(make_session: Callable[..., Session]) -> Session:
    """Another session with the same instance, in this process."""
    return make_session()


@pytest.fixture
def stranger(make_session: Callable[..., Session]) -> Session:
    """A session with the same instance on another machine: this one hears nothing of it."""
    return make_session(state="elsewhere")


@pytest.fixture
def make(session: Session) -> Iterator[Make]:
    """Make forms that answer at once, and close them afterwards."""
    made: list[InstanceForm] = []
    before = open_widget_ids()

    def form(given: Any = None, **how: Any) -> InstanceForm:  # noqa: ANN401 - a session, arguments
        how = {"schedule": run_immediately, "schedule_idle": run_immediately, **how}
        made.append(InstanceForm(given or session, **how))
        return made[-1]

    yield form
    for each in made:
        each.close()
    assert open_widget_ids() == before


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
    return form._widgets.conflict_buttons.layout.display != "none"


@every_api_version
def test_it_shows_what_holds_and_offers_no_apply(
    form: InstanceForm, api_version: ApiVersion, instance_state: Truth
) -> None:
    """And nothing that the API has not."""
    now = instance_state()
    assert form.description.value == now["description"]
    assert form.auto_stop.value is True
    assert form.mode.value == "TIMING"
    assert form.duration.value == ("" if api_version is NOTEBOOKS_2021 else "1:00")
    assert (form.remind.layout.display == "none") is (api_version is NOTEBOOKS_2021)
    assert (form.mode.layout.display == "none") is (api_version is not NOTEBOOKS_2021)
    assert button(form, "Apply").disabled
    assert not offered(form)
    assert form.countdown in form.children
    assert form.instance.id == now["id"]


@every_api_version
def test_one_request_sends_everything(
    form: InstanceForm, api_version: ApiVersion, instance_state: Truth, write_requests: Writes
) -> None:
    """Of the current API, which has one for each half, one each."""
    form.description.value = "ResNet 之后 ☕"
    form.duration.value = "2:30"
    if api_version is not NOTEBOOKS_2021:
        form.remind.value = False
    change = form.apply()
    now = instance_state()
    assert now["description"] == "ResNet 之后 ☕"
    assert api_version is NOTEBOOKS_2021 or now["duration_s"] == 9000
    assert api_version is NOTEBOOKS_2021 or now["prompt"] is False
    assert len(write_requests()) == (2 if api_version is NOTEBOOKS_2021 else 1)
    assert change.effect is (Effect.NEXT_START if api_version is DEMANAGER_2021 else Effect.NOW)
    assert "Description saved: “ResNet 之后 ☕”" in visible_text(form)
    assert ("This run is NOT affected" in visible_text(form)) is (api_version is DEMANAGER_2021)
    assert button(form, "Apply").disabled
    assert form.instance == form.countdown.instance == change.after


@every_api_version
def test_each_half_leaves_the_other_alone(
    form: InstanceForm, instance_state: Truth, api_version: ApiVersion
) -> None:
    """Whichever is changed first."""
    was = instance_state()
    form.description.value = "new"
    form.apply()
    assert instance_state() == {**was, "description": "new"}
    form.duration.value = "2h"
    form.apply()
    assert instance_state()["description"] == "new"
    if api_version is not DEMANAGER_2021:
        assert instance_state()["stops_at"] > was["stops_at"]


@every_api_version
def test_a_button_applies_like_code(form: InstanceForm, instance_state: Truth) -> None:
    """It is enabled as soon as there is something to apply, and off again after it."""
    apply = button(form, "Apply")
    form.description.value = "by a click"
    assert not apply.disabled
    form.description.value = form.instance.description
    assert apply.disabled
    form.description.value = "by a click"
    apply.click()
    assert instance_state()["description"] == "by a click"
    assert apply.disabled


@parametrize_api_version(DEMANAGER_2019)
@pytest.mark.parametrize("text", ["", "x" * 512, "☕" * 512, "👩‍🔬 e\u0301 训练"])
def test_the_count_is_of_code_points(form: InstanceForm, text: str) -> None:
    """As the API counts."""
    form.description.value = text
    assert f"{len(text)} / 512" in visible_text(form)
    assert not button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_too_long_is_said_while_typing(form: InstanceForm, write_requests: Writes) -> None:
    """And cannot be applied, by code either."""
    form.description.value = "x" * 514
    assert "514 / 512 · 2 too many" in visible_text(form)
    assert button(form, "Apply").disabled
    with pytest.raises(DescriptionError):
        form.apply()
    assert "514 characters" in visible_text(form)
    assert write_requests() == []


@parametrize_api_version(DEMANAGER_2019)
@pytest.mark.parametrize("character", FULL_WIDTH_FORMS)
def test_a_forbidden_character_is_named_and_can_be_widened(
    form: InstanceForm, character: str, instance_state: Truth
) -> None:
    """By a button that is there only then."""
    widen = button(form, "Use full-width characters")
    assert widen.layout.display == "none"
    form.description.value = f"ab{character}c"
    assert f"'{character}' (position 3) is not allowed" in visible_text(form)
    assert button(form, "Apply").disabled
    assert widen.layout.display is None
    widen.click()
    assert form.description.value == f"ab{FULL_WIDTH_FORMS[character]}c"
    assert widen.layout.display == "none"
    form.apply()
    assert instance_state()["description"] == f"ab{FULL_WIDTH_FORMS[character]}c"


@parametrize_api_version(DEMANAGER_2019)
def test_half_a_character_cannot_be_widened(form: InstanceForm) -> None:
    """It is named by its place alone, since nothing can show it."""
    form.description.value = "ab\ud83d"
    assert "Invalid character at position 3" in visible_text(form)
    assert button(form, "Use full-width characters").layout.display == "none"
    assert button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_a_stored_description_that_could_not_be_entered_hinders_nobody(
    make: Make, emulator: LocalEmulator
) -> None:
    """It is shown with its mistake, and what is changed beside it can be applied."""
    emulator.set_instance(description="a/b")
    form = make()
    form.remind.value = False
    assert "'/' (position 2)" in visible_text(form)
    assert not button(form, "Apply").disabled


@every_api_version
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "“soon” is not a valid duration."),
        ("90", "“90” is not a valid duration."),
        ("1:75", "“1:75” is not a valid duration."),
        ("0:00", "The duration must be greater than zero: “0:00”."),
        ("0.0001h", "“0.0001h” is not a whole number of seconds."),
        ("0:59", "59 min is out of range: this API accepts 1 h to "),
        ("72:01", "72 h 1 min is out of range: this API accepts 1 h to "),
        ("<b>", "“<b>” is not a valid duration."),
    ],
)
def test_a_duration_that_cannot_be_is_explained(
    form: InstanceForm, text: str, said: str, write_requests: Writes
) -> None:
    """While typing; code that applies it gets the same as an error."""
    form.duration.value = text
    assert said in visible_text(form)
    assert button(form, "Apply").disabled
    with pytest.raises(DurationError):
        form.apply()
    assert write_requests() == []


@every_api_version
@pytest.mark.parametrize("text", ["2:30", "2h30m", "150m", " 02:30 ", "2：30", "9000s"])  # noqa: RUF001
def test_durations_can_be_written_in_many_ways(
    form: InstanceForm, text: str, instance_state: Truth, api_version: ApiVersion
) -> None:
    """And the end is shown before it is asked for; it is the one that comes to be."""
    form.duration.value = text
    shown = visible_text(form)
    assert "Will stop at " in shown
    form.apply()
    end = instance_state()["stops_at"]
    if api_version is not DEMANAGER_2021:
        possible = {format_datetime(end + step * timedelta(minutes=1)) for step in (0, 1, -1)}
        assert any(f"Will stop at {each}" in shown for each in possible)


@every_api_version
def test_the_same_duration_written_otherwise_changes_nothing(
    form: InstanceForm, api_version: ApiVersion
) -> None:
    """Where it counts from the start of the run; from now it always does."""
    form.duration.value = "60m"
    assert button(form, "Apply").disabled is (api_version is not NOTEBOOKS_2021)


@every_api_version
def test_presets_are_those_that_the_api_takes(form: InstanceForm, api_version: ApiVersion) -> None:
    """A click writes it into the field."""
    labels = [each.description for each in form._widgets.preset_buttons.values()]
    assert labels[0] == "1 h"
    assert labels[-1] == ("72 h" if api_version is NOTEBOOKS_2021 else "24 h")
    button(form, "4 h").click()
    assert form.duration.value == "4:00"
    assert not button(form, "Apply").disabled


@every_api_version
def test_a_mistake_in_one_field_hides_nothing_of_the_other(form: InstanceForm) -> None:
    """The end is shown all the same, and there is no Apply."""
    form.duration.value = "2h"
    form.description.value = "a/b"
    assert "Will stop" in visible_text(form)
    assert "'/' (position 2)" in visible_text(form)
    assert button(form, "Apply").disabled
    form.duration.value = "soon"
    form.description.value = "ab"
    assert "is not a valid duration" in visible_text(form)
    assert button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2021)
def test_a_cloud_that_was_seen_to_wait_is_not_believed_again(form: InstanceForm) -> None:
    """The form says so before the second time."""
    form.duration.value = "2h"
    assert "Will stop" in visible_text(form)
    form.apply()
    form.duration.value = "3h"
    assert "this run will probably still stop at" in visible_text(form)
    assert "Will stop" not in visible_text(form)


@parametrize_api_version(DEMANAGER_2019, DEMANAGER_2021)
def test_off_and_on_again(form: InstanceForm, instance_state: Truth) -> None:
    """The run time that was set comes back; while it is off there is none to enter."""
    form.duration.value = "2h"
    form.apply()
    form.auto_stop.value = False
    assert form.duration.disabled
    assert "Will not stop automatically" in visible_text(form)
    form.apply()
    assert instance_state()["enable"] is False
    assert "Auto-stop is off" in visible_text(form)
    form.auto_stop.value = True
    assert not form.duration.disabled
    assert form.duration.value == "2:00"
    form.apply()
    assert (instance_state()["enable"], instance_state()["duration_s"]) == (True, 7200)


@parametrize_api_version(DEMANAGER_2019)
def test_a_run_time_without_auto_stop_is_refused(
    make: Make, emulator: LocalEmulator, write_requests: Writes
) -> None:
    """Code may enter it all the same; it would be for nothing."""
    emulator.set_instance(auto_stop={"enable": False})
    form = make()
    form.duration.value = "3h"
    assert "applies only if auto-stop is on" in visible_text(form)
    with pytest.raises(RefusedError):
        form.apply()
    assert write_requests() == []


@parametrize_api_version(NOTEBOOKS_2021)
def test_off_cannot_be_chosen_where_it_is_not_documented(
    form: InstanceForm, write_requests: Writes
) -> None:
    """The reason stands beside it, and code gets it as an error."""
    assert form.auto_stop.disabled
    assert "does not document how to turn auto-stop off" in visible_text(form)
    form.auto_stop.value = False
    with pytest.raises(RefusedError):
        form.apply()
    assert write_requests() == []


@parametrize_api_version(NOTEBOOKS_2021)
def test_the_idle_mode_and_back(form: InstanceForm, instance_state: Truth) -> None:
    """There is no time to enter with it."""
    form.mode.value = "IDLE"
    assert "Will stop when idle" in visible_text(form)
    assert form.duration.disabled
    form.apply()
    assert instance_state()["type"] == "IDLE"
    form.mode.value = "TIMING"
    form.duration.value = "2h"
    form.apply()
    assert instance_state()["type"] == "TIMING"


@every_api_version
def test_a_stopped_instance(
    make: Make, emulator: LocalEmulator, instance_state: Truth, api_version: ApiVersion
) -> None:
    """What is kept is set for the next start, what is not is refused."""
    emulator.set_instance(status="STOPPED")
    form = make()
    form.duration.value = "2h"
    if api_version is NOTEBOOKS_2021:
        assert "its run time can be changed only while it runs" in visible_text(form)
        assert button(form, "Apply").disabled
    else:
        assert "Takes effect at the next start: run time 2 h" in visible_text(form)
        assert form.apply().effect is Effect.NEXT_START
        assert instance_state()["duration_s"] == 7200


@every_api_version
def test_what_was_not_entered_follows_every_change(
    form: InstanceForm, other: Session, instance_state: Truth
) -> None:
    """Whoever in this process makes it; the countdown too."""
    other.update(description="theirs")
    assert form.description.value == "theirs"
    other.extend("80m")
    assert abs(form.instance.auto_stop.stops_at - instance_state()["stops_at"]) < NEAR
    assert form.countdown.instance == form.instance
    assert button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_news_that_seem_a_moment_older_are_news(form: InstanceForm) -> None:
    """The cloud tells its time in seconds, so what is read later may seem earlier by a part of one."""
    told = replace(
        form.instance,
        description="theirs",
        observed_at=form.instance.observed_at - timedelta(milliseconds=400),
    )
    form._on_instance_update(told)
    assert form.description.value == "theirs"
    form._on_instance_update(replace(told, description="old", observed_at=told.observed_at - HOUR))
    assert form.description.value == "theirs"


@every_api_version
def test_what_is_being_typed_is_never_replaced(
    form: InstanceForm, other: Session, write_requests: Writes
) -> None:
    """The form says what changed, sends nothing until it is decided, and offers both."""
    form.description.value = "mine"
    other.describe("theirs")
    sent = len(write_requests())
    assert form.description.value == "mine"
    assert "Current description: “theirs”. Yours: “mine”." in visible_text(form)
    assert offered(form)
    assert button(form, "Apply").disabled
    with pytest.raises(RefusedError):
        form.apply()
    assert len(write_requests()) == sent


@every_api_version
def test_keep_mine(form: InstanceForm, other: Session, instance_state: Truth) -> None:
    """Apply then sends it; nothing is sent before."""
    form.description.value = "mine"
    other.describe("theirs")
    button(form, "Keep mine").click()
    assert instance_state()["description"] == "theirs"
    assert not offered(form)
    button(form, "Apply").click()
    assert instance_state()["description"] == "mine"


@every_api_version
def test_take_theirs(form: InstanceForm, other: Session, instance_state: Truth) -> None:
    """Of what was entered only that is given up about which both differ."""
    form.description.value = "mine"
    form.duration.value = "3h"
    other.describe("theirs")
    button(form, "Use current").click()
    assert (form.description.value, form.duration.value) == ("theirs", "3h")
    assert not offered(form)
    form.apply()
    assert instance_state()["description"] == "theirs"


@every_api_version
def test_a_conflict_about_auto_stop(
    form: InstanceForm, other: Session, api_version: ApiVersion
) -> None:
    """In words of both sides."""
    form.duration.value = "5h"
    other.extend("80m")
    assert "Current auto-stop: " in visible_text(form)
    assert ". Yours: 5h." in visible_text(form)
    form.take_theirs()
    assert form.duration.value == ("" if api_version is NOTEBOOKS_2021 else "2:20")


@parametrize_api_version(DEMANAGER_2019)
def test_a_conflict_about_the_reminder(form: InstanceForm, make: Make, other: Session) -> None:
    """Both want it otherwise than it was, so both want the same: that is none."""
    form.remind.value = False
    second = make()
    second.remind.value = False
    second.apply()
    assert not offered(form)
    other.describe("x")
    assert not form.remind.value


@every_api_version
def test_the_same_change_elsewhere_is_no_conflict(form: InstanceForm, other: Session) -> None:
    """There is nothing left to apply."""
    form.description.value = "same"
    other.describe("same")
    assert not offered(form)
    assert button(form, "Apply").disabled


@every_api_version
def test_a_change_that_was_taken_back_is_no_conflict(form: InstanceForm, other: Session) -> None:
    """What was loaded holds again."""
    was = form.description.value
    form.description.value = "mine"
    other.describe("theirs")
    assert offered(form)
    other.describe(was)
    assert not offered(form)
    assert not button(form, "Apply").disabled


@every_api_version
def test_another_part_changed_elsewhere_does_not_stop_mine(
    form: InstanceForm, stranger: Session, instance_state: Truth
) -> None:
    """Both hold afterwards, although the form heard of it only when it applied."""
    stranger.extend("80m")
    end = instance_state()["stops_at"]
    form.description.value = "mine"
    form.apply()
    assert instance_state()["description"] == "mine"
    assert instance_state()["stops_at"] == end
    assert not offered(form)


@every_api_version
@pytest.mark.parametrize("part", ["description", "duration"])
def test_nothing_is_overwritten_that_the_form_has_not_seen(
    form: InstanceForm, stranger: Session, instance_state: Truth, write_requests: Writes, part: str
) -> None:
    """What it finds when it applies stops it, and both are offered then."""
    if part == "description":
        stranger.describe("theirs")
        form.description.value = "mine"
    else:
        stranger.extend("80m")
        form.duration.value = "5h"
    was, sent = instance_state(), len(write_requests())
    with pytest.raises(RefusedError) as raised:
        form.apply()
    assert raised.value.code == "refuse.edit_conflict"
    assert instance_state() == was
    assert len(write_requests()) == sent
    assert offered(form)
    form.keep_mine()
    form.apply()
    assert len(write_requests()) == sent + 1


@every_api_version
def test_the_click_tells_of_it_too(form: InstanceForm, stranger: Session) -> None:
    """Nobody would catch an error there."""
    stranger.describe("theirs")
    form.description.value = "mine"
    button(form, "Apply").click()
    assert "Nothing was sent." in visible_text(form)
    assert offered(form)


@every_api_version
def test_news_wait_until_the_page_was_heard(make: Make, other: Session) -> None:
    """What was typed while the kernel was busy arrives before the news may replace it."""
    queue = DeferredJobs()
    form = make(schedule_idle=queue)
    other.describe("theirs")
    assert form.countdown.instance.description == "theirs"
    form.description.value = "typed meanwhile"
    queue.run_all()
    assert form.description.value == "typed meanwhile"
    assert offered(form)


@every_api_version
def test_apply_hears_the_news_first(make: Make, other: Session, write_requests: Writes) -> None:
    """However long they have been waiting."""
    form = make(schedule_idle=DeferredJobs())
    other.describe("theirs")
    sent = len(write_requests())
    form.description.value = "mine"
    with pytest.raises(RefusedError):
        form.apply()
    assert len(write_requests()) == sent


@every_api_version
def test_what_is_typed_while_the_cloud_is_asked_stays(
    make: Make, session: Session, instance_state: Truth
) -> None:
    """It is one more change, to be applied after this one."""
    slow = SessionWithHooks(session)
    form = make(slow)
    form.description.value = "first"
    slow.before_update = lambda: setattr(form.description, "value", "second")
    form.apply()
    assert instance_state()["description"] == "first"
    assert form.description.value == "second"
    assert not offered(form)
    slow.before_update = lambda: None
    form.apply()
    assert instance_state()["description"] == "second"


@every_api_version
def test_a_change_that_lands_while_the_form_applies_shows_afterwards(
    make: Make, session: Session, other: Session
) -> None:
    """Here right after the answer."""
    slow = SessionWithHooks(session)
    form = make(slow)
    form.duration.value = "5h"
    slow.after_update = lambda: other.describe("theirs")
    form.apply()
    assert form.description.value == "theirs"
    assert form.instance.description == "theirs"


@every_api_version
def test_a_callback_during_a_cell(make: Make, session: Session, instance_state: Truth) -> None:
    """As ipykernel 7 calls it: in another thread, while this one waits for the cloud."""
    slow = SessionWithHooks(session)
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

    slow.before_update = busy
    form.duration.value = "2h"
    form.apply()
    assert done == ["came through"]
    assert form.description.value == "typed in the page"
    assert instance_state()["description"] != "typed in the page"  # the click found the form busy


@every_api_version
def test_a_callback_after_the_cell(make: Make, other: Session, instance_state: Truth) -> None:
    """As ipykernel 6 calls it: the clicks of a whole cell at once, when it is over."""
    queue = DeferredJobs()
    form = make(schedule=queue, schedule_idle=queue)
    form.description.value = "mine"
    button(form, "Apply").click()
    button(form, "Apply").click()
    other.extend("80m")  # by the cell
    queue.run_all()
    assert instance_state()["description"] == "mine"
    assert "✓ Done" in visible_text(form)
    assert abs(form.instance.auto_stop.stops_at - instance_state()["stops_at"]) < NEAR


@every_api_version
def test_two_threads_apply_once(make: Make, session: Session, write_requests: Writes) -> None:
    """The second is told that the form is waiting."""
    slow = SessionWithHooks(session)
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

    slow.before_update = busy
    form.description.value = "once"
    form.apply()
    assert refused == ["form.busy"]
    assert len(write_requests()) == 1


@parametrize_api_version(DEMANAGER_2019)
def test_many_threads_at_once(form: InstanceForm, other: Session, write_requests: Writes) -> None:
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
    sent = [each["body"].get("description") for each in write_requests()]
    assert form.description.value == "mine 7" or "mine 7" in sent
    form.keep_mine()
    other.refresh()
    form.reload()
    assert form.description.value == form.instance.description
    assert write_requests()


@every_api_version
def test_reload_asks_again_and_drops_what_was_not_applied(
    form: InstanceForm, stranger: Session, instance_state: Truth
) -> None:
    """Of this machine nobody had noticed the change."""
    stranger.describe("theirs")
    form.description.value = "a draft"
    form.duration.value = "4h"
    button(form, "Reload").click()
    assert form.description.value == "theirs"
    assert form.duration.value != "4h"
    assert "Reloaded." in visible_text(form)
    assert button(form, "Apply").disabled
    assert form.reload().description == instance_state()["description"]


@every_api_version
def test_a_reload_that_fails_drops_nothing(form: InstanceForm, emulator: LocalEmulator) -> None:
    """And says why."""
    form.description.value = "a draft"
    emulator.add_fault("403")
    with pytest.raises(ForbiddenError):
        form.reload()
    assert form.description.value == "a draft"
    assert "Permission denied." in visible_text(form)
    assert not button(form, "Reload").disabled


@every_api_version
@pytest.mark.parametrize("fault", ["401", "403", "404", "429", "html", "bad-json", "reset"])
def test_every_error_shows_and_can_be_tried_again(
    form: InstanceForm, emulator: LocalEmulator, fault: str, instance_state: Truth
) -> None:
    """By a click nothing is raised, by code it is; the entries stay."""
    form.description.value = "mine"
    emulator.add_fault(fault)
    button(form, "Apply").click()
    clicked = visible_text(form)
    with pytest.raises(ModelArtsError) as raised:
        form.apply()
    assert raised.value.hint in visible_text(form)
    assert raised.value.hint in clicked
    assert form.description.value == "mine"
    emulator.clear_faults()
    button(form, "Apply").click()
    assert instance_state()["description"] == "mine"


@parametrize_api_version(DEMANAGER_2019)
def test_an_open_outcome_is_not_called_a_failure(
    form: InstanceForm, emulator: LocalEmulator
) -> None:
    """It may or may not have taken effect."""
    form.description.value = "mine"
    emulator.add_fault("reset", methods=("GET",), skip=1)
    emulator.add_fault("500", methods=("PUT",))
    with pytest.raises(OutcomeUnknownError):
        form.apply()
    assert "It may or may not have taken effect." in visible_text(form)
    assert "Failed" not in visible_text(form)


@parametrize_api_version(DEMANAGER_2019)
def test_an_unread_change_is_said_to_be_unconfirmed(
    form: InstanceForm, emulator: LocalEmulator
) -> None:
    """The entry stays, since nobody knows."""
    form.description.value = "mine"
    emulator.add_fault("reset", methods=("GET",), skip=1)
    assert form.apply().effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in visible_text(form)
    assert form.description.value == "mine"


@every_api_version
def test_an_ignored_change_can_be_tried_again(form: InstanceForm, emulator: LocalEmulator) -> None:
    """The cloud did not do it, so what was entered is still to be applied."""
    form.description.value = "mine"
    emulator.add_fault("ignored")
    assert form.apply().effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in visible_text(form)
    assert form.description.value == "mine"
    assert not button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_what_nobody_foresaw_is_shown_logged_and_raised(
    make: Make, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """A click has nobody to raise it to."""
    slow = SessionWithHooks(session)
    form = make(slow)
    form.description.value = "mine"

    def fail() -> None:
        raise ZeroDivisionError("<i>unforeseen</i>")

    slow.before_update = fail
    button(form, "Apply").click()
    assert "Failed: ZeroDivisionError('<i>unforeseen</i>')" in visible_text(form)
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    with pytest.raises(ZeroDivisionError):
        form.apply()
    assert not button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_applying_nothing_is_an_error_to_code(form: InstanceForm, write_requests: Writes) -> None:
    """It was surely meant otherwise."""
    with pytest.raises(RefusedError) as raised:
        form.apply()
    assert raised.value.code == "form.no_changes"
    assert write_requests() == []


@every_api_version
def test_nothing_of_the_clouds_or_the_persons_is_markup(
    make: Make, emulator: LocalEmulator, other: Session
) -> None:
    """Everything that is shown is text."""
    emulator.set_instance(name=HTML_INJECTION, description=HTML_INJECTION)
    form = make()
    form.description.value = f"{HTML_INJECTION} mine"
    form.duration.value = HTML_INJECTION
    emulator.set_instance(description=f"{HTML_INJECTION} theirs")
    other.refresh()
    assert offered(form)
    shown = visible_text(form)  # strict
    assert f"“{HTML_INJECTION} theirs”" in shown
    html = form._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "&lt;script" in html


@every_api_version
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


@every_api_version
def test_everything_that_can_be_operated_has_a_name(form: InstanceForm) -> None:
    """And none of it is reached out of turn, or wider than the page."""
    fields = [each for each in widgets_in(form) if hasattr(each, "description")]
    named = [each for each in fields if type(each).__name__ != "HTML"]
    assert len(named) >= 12
    assert all(each.description for each in named)
    assert all(each.tabbable is None for each in named)
    boxes = [each for each in widgets_in(form) if each is not form.countdown]
    assert all(each.layout.max_width for each in boxes)


@every_api_version
def test_a_tone_is_never_colour_alone(form: InstanceForm, emulator: LocalEmulator) -> None:
    """A word and a sign say the same."""
    form.description.value = "mine"
    form.apply()
    assert "✓ Done · " in visible_text(form)
    form.description.value = "yours"
    emulator.add_fault("403")
    button(form, "Apply").click()
    assert "✗ Failed · " in visible_text(form)


@every_api_version
def test_a_cloud_that_cannot_be_asked_leaves_no_widget(make: Make, emulator: LocalEmulator) -> None:
    """The error is the caller's."""
    emulator.add_fault("403")
    before = open_widget_ids()
    with pytest.raises(ForbiddenError):
        make()
    assert open_widget_ids() == before


@every_api_version
def test_a_closed_form_hears_nothing(make: Make, other: Session) -> None:
    """Closing twice is fine."""
    form = make()
    form.close()
    form.close()
    was = form.instance
    other.describe("after")
    assert form.instance is was
