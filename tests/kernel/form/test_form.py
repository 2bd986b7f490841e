"""The form: all edits in one request, conflicts shown, no edit lost, every error visible."""

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

from modelarts_magics.doctor.page_widgets import WidgetObstacle
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
"""Seconds after which a thread is considered stuck."""


@pytest.fixture
def session(make_session: Callable[..., Session]) -> Session:
    """Return a session with an instance that stops in 40 minutes, after one hour."""
    return make_session()


@pytest.fixture
def other(make_session: Callable[..., Session]) -> Session:
    """Return a second session with the same instance in this process."""
    return make_session()


@pytest.fixture
def stranger(make_session: Callable[..., Session]) -> Session:
    """Return a session with the same instance on another machine, whose changes are not noticed here."""
    return make_session(state="elsewhere")


@pytest.fixture
def make(session: Session) -> Iterator[Make]:
    """Return a function that makes forms whose callbacks run immediately; all are closed afterwards."""
    made: list[InstanceForm] = []
    before = open_widget_ids()

    def form(given_session: Any = None, **options: Any) -> InstanceForm:  # noqa: ANN401 - any arguments
        options = {"schedule": run_immediately, "schedule_idle": run_immediately, **options}
        made.append(InstanceForm(given_session or session, **options))
        return made[-1]

    yield form
    for each in made:
        each.close()
    assert open_widget_ids() == before


@pytest.fixture
def form(make: Make) -> InstanceForm:
    """Return a new form."""
    return make()


def button(form: InstanceForm, label: str) -> Any:  # noqa: ANN401 - ipywidgets has no types
    """Return the button with a label."""
    found = [each for each in widgets_in(form) if type(each).__name__ == "Button"]
    return next(each for each in found if each.description == label)


def offers_resolution(form: InstanceForm) -> bool:
    """Return whether the buttons that resolve a conflict are visible."""
    return form._widgets.conflict_buttons.layout.display != "none"


@every_api_version
def test_new_form_shows_the_instance(
    form: InstanceForm, api_version: ApiVersion, instance_state: Truth
) -> None:
    """Apply is disabled, and controls that the API does not support are hidden."""
    now = instance_state()
    assert form.description.value == now["description"]
    assert form.auto_stop.value is True
    assert form.mode.value == "TIMING"
    assert form.duration.value == ("" if api_version is NOTEBOOKS_2021 else "1 h")
    assert (form.remind.layout.display == "none") is (api_version is NOTEBOOKS_2021)
    assert (form.mode.layout.display == "none") is (api_version is not NOTEBOOKS_2021)
    assert button(form, "Apply").disabled
    assert not offers_resolution(form)
    assert form.countdown in form.children
    assert form.instance.id == now["id"]


@every_api_version
def test_apply_sends_all_edits_in_one_request(
    form: InstanceForm, api_version: ApiVersion, instance_state: Truth, write_requests: Writes
) -> None:
    """The current API needs two: one for the description, one for auto-stop."""
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
def test_unedited_part_is_not_changed(
    form: InstanceForm, instance_state: Truth, api_version: ApiVersion
) -> None:
    """Description and auto-stop can be changed separately, in any order."""
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
def test_apply_button_is_enabled_while_there_are_edits(
    form: InstanceForm, instance_state: Truth
) -> None:
    """A click does the same as `apply`."""
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
def test_description_length_counts_code_points(form: InstanceForm, text: str) -> None:
    """This is how the API counts."""
    form.description.value = text
    assert f"{len(text)} / 512" in visible_text(form)
    assert not button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_too_long_description_is_shown_while_typing(
    form: InstanceForm, write_requests: Writes
) -> None:
    """It cannot be applied, neither by the button nor by code."""
    form.description.value = "x" * 514
    assert "514 / 512 · 2 too many" in visible_text(form)
    assert button(form, "Apply").disabled
    with pytest.raises(DescriptionError):
        form.apply()
    assert "514 characters" in visible_text(form)
    assert write_requests() == []


@parametrize_api_version(DEMANAGER_2019)
@pytest.mark.parametrize("character", FULL_WIDTH_FORMS)
def test_forbidden_character_can_be_replaced_by_full_width(
    form: InstanceForm, character: str, instance_state: Truth
) -> None:
    """The button is visible only if there is such a character."""
    widen = button(form, "Use full-width characters")
    assert widen.layout.display == "none"
    form.description.value = f"ab{character}c"
    assert f"“{character}” (position 3) is not allowed" in visible_text(form)
    assert button(form, "Apply").disabled
    assert widen.layout.display is None
    widen.click()
    assert form.description.value == f"ab{FULL_WIDTH_FORMS[character]}c"
    assert widen.layout.display == "none"
    form.apply()
    assert instance_state()["description"] == f"ab{FULL_WIDTH_FORMS[character]}c"


@parametrize_api_version(DEMANAGER_2019)
def test_control_character_is_replaced_by_its_picture(form: InstanceForm) -> None:
    """It is named by an escape."""
    form.description.value = "ab\x1bc"
    assert "“\\x1b” (position 3) is not allowed" in visible_text(form)
    assert button(form, "Apply").disabled
    button(form, "Use full-width characters").click()
    assert form.description.value == "ab\u241bc"


@parametrize_api_version(DEMANAGER_2019)
def test_direction_marks_are_shown_escaped(form: InstanceForm) -> None:
    """The field itself cannot show them."""
    assert "invisible marks" not in visible_text(form)
    form.description.value = "ab\u202ecd"
    assert "direction of text: ab\\u202ecd" in visible_text(form)


@parametrize_api_version(DEMANAGER_2019)
def test_unpaired_surrogate_is_named_by_its_position(form: InstanceForm) -> None:
    """It cannot be displayed or replaced."""
    form.description.value = "ab\ud83d"
    assert "Invalid character at position 3" in visible_text(form)
    assert button(form, "Use full-width characters").layout.display == "none"
    assert button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_invalid_stored_description_does_not_block_other_edits(
    make: Make, emulator: LocalEmulator
) -> None:
    """The error is shown, and edits of other fields can be applied."""
    emulator.set_instance(description="a/b")
    form = make()
    form.remind.value = False
    assert "“/” (position 2)" in visible_text(form)
    assert not button(form, "Apply").disabled


@every_api_version
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soon", "“soon” is not a valid duration."),
        ("90", "“90” has no unit."),
        ("1:75", "“1:75” is not a valid duration."),
        ("18:00", "“18:00” is a time of day, not a duration."),
        ("0:00", "The duration must be greater than zero: “0:00”."),
        ("0.0001h", "“0.0001h” is not a whole number of seconds."),
        ("0:59", "59 min is out of range: this API accepts 1 h to "),
        ("72:01", "72 h 1 min is out of range: this API accepts 1 h to "),
        ("<b>", "“<b>” is not a valid duration."),
    ],
)
def test_invalid_duration_is_explained(
    form: InstanceForm, text: str, expected: str, write_requests: Writes
) -> None:
    """The error is shown while typing; code gets it as an exception."""
    form.duration.value = text
    assert expected in visible_text(form)
    assert button(form, "Apply").disabled
    with pytest.raises(DurationError):
        form.apply()
    assert write_requests() == []


@every_api_version
@pytest.mark.parametrize("text", ["2:30", "2h30m", "150m", " 02:30 ", "2：30", "9000s"])  # noqa: RUF001
def test_duration_formats_are_equivalent(
    form: InstanceForm, text: str, instance_state: Truth, api_version: ApiVersion
) -> None:
    """The preview shows the stop time that applying sets."""
    form.duration.value = text
    shown = visible_text(form)
    assert "Will stop at " in shown
    form.apply()
    end = instance_state()["stops_at"]
    if api_version is not DEMANAGER_2021:
        possible = {format_datetime(end + step * timedelta(minutes=1)) for step in (0, 1, -1)}
        assert any(f"Will stop at {each}" in shown for each in possible)


@every_api_version
def test_equal_duration_in_another_format_is_no_edit(
    form: InstanceForm, api_version: ApiVersion
) -> None:
    """Where a run time counts from now, it is always a change."""
    form.duration.value = "60m"
    assert button(form, "Apply").disabled is (api_version is not NOTEBOOKS_2021)


@every_api_version
def test_presets_are_within_the_limits_of_the_api(
    form: InstanceForm, api_version: ApiVersion
) -> None:
    """A click writes the duration into the field."""
    labels = [each.description for each in form._widgets.preset_buttons.values()]
    assert labels[0] == "1 h"
    assert labels[-1] == ("72 h" if api_version is NOTEBOOKS_2021 else "24 h")
    button(form, "4 h").click()
    assert form.duration.value == "4 h"
    assert not button(form, "Apply").disabled


@every_api_version
def test_invalid_field_does_not_hide_the_preview(form: InstanceForm) -> None:
    """The preview and the error are both shown, and Apply is disabled."""
    form.duration.value = "2h"
    form.description.value = "a/b"
    assert "Will stop" in visible_text(form)
    assert "“/” (position 2)" in visible_text(form)
    assert button(form, "Apply").disabled
    form.duration.value = "soon"
    form.description.value = "ab"
    assert "is not a valid duration" in visible_text(form)
    assert button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2021)
def test_preview_warns_after_a_deferred_change(form: InstanceForm) -> None:
    """The form warns that the change may apply at the next start only."""
    form.duration.value = "2h"
    assert "Will stop" in visible_text(form)
    form.apply()
    form.duration.value = "3h"
    assert "this run will probably still stop at" in visible_text(form)
    assert "Will stop" not in visible_text(form)


@parametrize_api_version(DEMANAGER_2019, DEMANAGER_2021)
def test_auto_stop_can_be_turned_off_and_on(form: InstanceForm, instance_state: Truth) -> None:
    """The previous run time is restored; while auto-stop is off, the field is disabled."""
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
    assert form.duration.value == "2 h"
    form.apply()
    assert (instance_state()["enable"], instance_state()["duration_s"]) == (True, 7200)


@parametrize_api_version(DEMANAGER_2019)
def test_duration_is_refused_while_auto_stop_is_off(
    make: Make, emulator: LocalEmulator, write_requests: Writes
) -> None:
    """Code can enter a run time, but it would have no effect."""
    emulator.set_instance(auto_stop={"enable": False})
    form = make()
    form.duration.value = "3h"
    assert "applies only if auto-stop is on" in visible_text(form)
    with pytest.raises(RefusedError):
        form.apply()
    assert write_requests() == []


@parametrize_api_version(NOTEBOOKS_2021)
def test_auto_stop_cannot_be_turned_off_on_current_api(
    form: InstanceForm, write_requests: Writes
) -> None:
    """The reason is shown beside the control; code gets it as an exception."""
    assert form.auto_stop.disabled
    assert "does not document how to turn auto-stop off" in visible_text(form)
    form.auto_stop.value = False
    with pytest.raises(RefusedError):
        form.apply()
    assert write_requests() == []


@parametrize_api_version(NOTEBOOKS_2021)
def test_idle_mode_has_no_duration(form: InstanceForm, instance_state: Truth) -> None:
    """The field is disabled in idle mode and enabled again in timed mode."""
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
def test_stopped_instance_accepts_only_stored_settings(
    make: Make, emulator: LocalEmulator, instance_state: Truth, api_version: ApiVersion
) -> None:
    """A run time that the API stores applies at the next start; a lease is refused."""
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
def test_unedited_fields_follow_changes(
    form: InstanceForm, other: Session, instance_state: Truth
) -> None:
    """Fields and countdown show changes made anywhere in this process."""
    other.update(description="theirs")
    assert form.description.value == "theirs"
    other.extend("80m")
    assert abs(form.instance.auto_stop.stops_at - instance_state()["stops_at"]) < NEAR
    assert form.countdown.instance == form.instance
    assert button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_slightly_older_update_is_accepted(form: InstanceForm) -> None:
    """The API reports whole seconds, so a later reading can appear up to one second older."""
    update = replace(
        form.instance,
        description="theirs",
        observed_at=form.instance.observed_at - timedelta(milliseconds=400),
    )
    form._on_instance_update(update)
    assert form.description.value == "theirs"
    outdated = replace(update, description="old", observed_at=update.observed_at - HOUR)
    form._on_instance_update(outdated)
    assert form.description.value == "theirs"


@every_api_version
def test_edited_field_is_not_overwritten(
    form: InstanceForm, other: Session, write_requests: Writes
) -> None:
    """The form shows the conflict, offers both values, and sends nothing until it is resolved."""
    form.description.value = "mine"
    other.describe("theirs")
    sent = len(write_requests())
    assert form.description.value == "mine"
    assert "Current description: “theirs”. Yours: “mine”." in visible_text(form)
    assert offers_resolution(form)
    assert button(form, "Apply").disabled
    with pytest.raises(RefusedError):
        form.apply()
    assert len(write_requests()) == sent


@every_api_version
def test_keep_mine_applies_the_edit(
    form: InstanceForm, other: Session, instance_state: Truth
) -> None:
    """Nothing is sent before Apply."""
    form.description.value = "mine"
    other.describe("theirs")
    button(form, "Keep mine").click()
    assert instance_state()["description"] == "theirs"
    assert not offers_resolution(form)
    button(form, "Apply").click()
    assert instance_state()["description"] == "mine"


@every_api_version
def test_take_theirs_replaces_only_conflicting_parts(
    form: InstanceForm, other: Session, instance_state: Truth
) -> None:
    """Other edits remain."""
    form.description.value = "mine"
    form.duration.value = "3h"
    other.describe("theirs")
    button(form, "Use current").click()
    assert (form.description.value, form.duration.value) == ("theirs", "3h")
    assert not offers_resolution(form)
    form.apply()
    assert instance_state()["description"] == "theirs"


@every_api_version
def test_conflict_about_auto_stop_shows_both_values(
    form: InstanceForm, other: Session, api_version: ApiVersion
) -> None:
    """Taking the other value restores the field."""
    form.duration.value = "5h"
    other.extend("80m")
    assert "Current auto-stop: " in visible_text(form)
    assert ". Yours: 5h." in visible_text(form)
    form.take_theirs()
    assert form.duration.value == ("" if api_version is NOTEBOOKS_2021 else "2 h 20 min")


@parametrize_api_version(DEMANAGER_2019)
def test_same_change_of_the_reminder_is_no_conflict(
    form: InstanceForm, make: Make, other: Session
) -> None:
    """Two changes of a checkbox always agree."""
    form.remind.value = False
    second = make()
    second.remind.value = False
    second.apply()
    assert not offers_resolution(form)
    other.describe("x")
    assert not form.remind.value


@every_api_version
def test_same_change_elsewhere_is_no_conflict(form: InstanceForm, other: Session) -> None:
    """There is nothing left to apply."""
    form.description.value = "same"
    other.describe("same")
    assert not offers_resolution(form)
    assert button(form, "Apply").disabled


@every_api_version
def test_reverted_change_elsewhere_is_no_conflict(form: InstanceForm, other: Session) -> None:
    """The loaded value is valid again."""
    was = form.description.value
    form.description.value = "mine"
    other.describe("theirs")
    assert offers_resolution(form)
    other.describe(was)
    assert not offers_resolution(form)
    assert not button(form, "Apply").disabled


@every_api_version
def test_change_of_another_part_elsewhere_is_merged(
    form: InstanceForm, stranger: Session, instance_state: Truth
) -> None:
    """Both changes are effective, although the form did not notice the other one."""
    stranger.extend("80m")
    end = instance_state()["stops_at"]
    form.description.value = "mine"
    form.apply()
    assert instance_state()["description"] == "mine"
    assert instance_state()["stops_at"] == end
    assert not offers_resolution(form)


@every_api_version
@pytest.mark.parametrize("part", ["description", "duration"])
def test_apply_refuses_to_overwrite_an_unseen_change(
    form: InstanceForm, stranger: Session, instance_state: Truth, write_requests: Writes, part: str
) -> None:
    """The conflict found while applying is shown, and can be resolved."""
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
    assert offers_resolution(form)
    form.keep_mine()
    form.apply()
    assert len(write_requests()) == sent + 1


@every_api_version
def test_click_shows_an_unseen_change_as_conflict(form: InstanceForm, stranger: Session) -> None:
    """A click has no caller to raise an error to."""
    stranger.describe("theirs")
    form.description.value = "mine"
    button(form, "Apply").click()
    assert "Nothing was sent." in visible_text(form)
    assert offers_resolution(form)


@every_api_version
def test_update_waits_for_pending_edits(make: Make, other: Session) -> None:
    """Text typed while the kernel was busy arrives before an update can replace it."""
    queue = DeferredJobs()
    form = make(schedule_idle=queue)
    other.describe("theirs")
    assert form.countdown.instance.description == "theirs"
    form.description.value = "typed meanwhile"
    queue.run_all()
    assert form.description.value == "typed meanwhile"
    assert offers_resolution(form)


@every_api_version
def test_apply_processes_pending_updates_first(
    make: Make, other: Session, write_requests: Writes
) -> None:
    """The conflict is found without a request."""
    form = make(schedule_idle=DeferredJobs())
    other.describe("theirs")
    sent = len(write_requests())
    form.description.value = "mine"
    with pytest.raises(RefusedError):
        form.apply()
    assert len(write_requests()) == sent


@every_api_version
def test_edit_during_a_request_remains(make: Make, session: Session, instance_state: Truth) -> None:
    """It can be applied with the next request."""
    hooked = SessionWithHooks(session)
    form = make(hooked)
    form.description.value = "first"
    hooked.before_update = lambda: setattr(form.description, "value", "second")
    form.apply()
    assert instance_state()["description"] == "first"
    assert form.description.value == "second"
    assert not offers_resolution(form)
    hooked.before_update = lambda: None
    form.apply()
    assert instance_state()["description"] == "second"


@every_api_version
def test_change_elsewhere_during_a_request_is_shown(
    make: Make, session: Session, other: Session
) -> None:
    """It is shown after the response."""
    hooked = SessionWithHooks(session)
    form = make(hooked)
    form.duration.value = "5h"
    hooked.after_update = lambda: other.describe("theirs")
    form.apply()
    assert form.description.value == "theirs"
    assert form.instance.description == "theirs"


@every_api_version
def test_callbacks_may_run_during_a_cell(
    make: Make, session: Session, instance_state: Truth
) -> None:
    """In ipykernel 7 they run in another thread while this one waits for a response."""
    hooked = SessionWithHooks(session)
    form = make(hooked)
    done: list[str] = []

    def page() -> None:
        form.description.value = "typed in the page"
        button(form, "Apply").click()
        # The update arrives in this thread.
        session.refresh()
        done.append("completed")

    def busy() -> None:
        thread = threading.Thread(target=page)
        thread.start()
        thread.join(JOIN_S)

    hooked.before_update = busy
    form.duration.value = "2h"
    form.apply()
    assert done == ["completed"]
    assert form.description.value == "typed in the page"
    # The click was ignored, since the form was busy.
    assert instance_state()["description"] != "typed in the page"


@every_api_version
def test_callbacks_may_run_after_the_cell(
    make: Make, other: Session, instance_state: Truth
) -> None:
    """In ipykernel 6 all clicks made during a cell are handled after it."""
    queue = DeferredJobs()
    form = make(schedule=queue, schedule_idle=queue)
    form.description.value = "mine"
    button(form, "Apply").click()
    button(form, "Apply").click()
    # The cell makes a change, too.
    other.extend("80m")
    queue.run_all()
    assert instance_state()["description"] == "mine"
    assert "✓ Done" in visible_text(form)
    assert abs(form.instance.auto_stop.stops_at - instance_state()["stops_at"]) < NEAR


@every_api_version
def test_second_apply_is_refused_while_busy(
    make: Make, session: Session, write_requests: Writes
) -> None:
    """Only one request is sent."""
    hooked = SessionWithHooks(session)
    form = make(hooked)
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

    hooked.before_update = busy
    form.description.value = "once"
    form.apply()
    assert refused == ["form.busy"]
    assert len(write_requests()) == 1


@parametrize_api_version(DEMANAGER_2019)
def test_concurrent_edits_and_updates_lose_nothing(
    form: InstanceForm, other: Session, write_requests: Writes
) -> None:
    """Updates, edits and applying in several threads neither deadlock nor lose a value."""
    failed: list[BaseException] = []

    def repeating(job: Callable[[int], object]) -> threading.Thread:
        def work() -> None:
            for number in range(8):
                try:
                    job(number)
                except ModelArtsError:
                    pass
                except BaseException as error:  # noqa: BLE001 - reported by the test
                    failed.append(error)

        return threading.Thread(target=work)

    threads = [
        repeating(lambda number: other.describe(f"theirs {number}")),
        repeating(lambda number: setattr(form.description, "value", f"mine {number}")),
        repeating(lambda _: form.apply()),
        repeating(lambda _: form.keep_mine()),
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
def test_reload_reads_the_instance_and_discards_edits(
    form: InstanceForm, stranger: Session, instance_state: Truth
) -> None:
    """The change on another machine is found."""
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
def test_failed_reload_discards_nothing(form: InstanceForm, emulator: LocalEmulator) -> None:
    """The error is shown."""
    form.description.value = "a draft"
    emulator.add_fault("403")
    with pytest.raises(ForbiddenError):
        form.reload()
    assert form.description.value == "a draft"
    assert "Permission denied." in visible_text(form)
    assert not button(form, "Reload").disabled


@every_api_version
@pytest.mark.parametrize("fault", ["401", "403", "404", "429", "html", "bad-json", "reset"])
def test_error_is_shown_and_apply_can_be_repeated(
    form: InstanceForm, emulator: LocalEmulator, fault: str, instance_state: Truth
) -> None:
    """Clicks show the error, code gets it as an exception, and the edits remain."""
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
def test_unknown_outcome_is_not_shown_as_failure(
    form: InstanceForm, emulator: LocalEmulator
) -> None:
    """The change may have been applied."""
    form.description.value = "mine"
    emulator.add_fault("reset", methods=("GET",), skip=1)
    emulator.add_fault("500", methods=("PUT",))
    with pytest.raises(OutcomeUnknownError):
        form.apply()
    assert "It may or may not have taken effect." in visible_text(form)
    assert "Failed" not in visible_text(form)


@parametrize_api_version(DEMANAGER_2019)
def test_unreadable_change_is_unconfirmed(form: InstanceForm, emulator: LocalEmulator) -> None:
    """The edit remains, since the change may not have been applied."""
    form.description.value = "mine"
    emulator.add_fault("reset", methods=("GET",), skip=1)
    assert form.apply().effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in visible_text(form)
    assert form.description.value == "mine"


@every_api_version
def test_ignored_change_can_be_applied_again(form: InstanceForm, emulator: LocalEmulator) -> None:
    """ModelArts did not apply it, so the edit remains."""
    form.description.value = "mine"
    emulator.add_fault("ignored")
    assert form.apply().effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in visible_text(form)
    assert form.description.value == "mine"
    assert not button(form, "Apply").disabled


@parametrize_api_version(DEMANAGER_2019)
def test_unexpected_error_is_shown_logged_and_raised(
    make: Make, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """A click shows and logs it, since it has no caller to raise it to."""
    hooked = SessionWithHooks(session)
    form = make(hooked)
    form.description.value = "mine"

    def fail() -> None:
        raise ZeroDivisionError("<i>unforeseen</i>")

    hooked.before_update = fail
    button(form, "Apply").click()
    assert "Failed: ZeroDivisionError('<i>unforeseen</i>')" in visible_text(form)
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    with pytest.raises(ZeroDivisionError):
        form.apply()
    assert not button(form, "Apply").disabled


@every_api_version
def test_last_change_is_undone_by_one_click(form: InstanceForm, instance_state: Truth) -> None:
    """The button is there after a change only, and an edit that was not applied remains."""
    before = instance_state()["description"]
    assert form._widgets.undo_button.layout.display == "none"
    form.description.value = "something else"
    form.apply()
    assert form._widgets.offers.layout.display is None
    assert before in form._widgets.undo_button.tooltip
    form.duration.value = "3h"
    button(form, "Undo").click()
    assert instance_state()["description"] == before
    assert (form.description.value, form.duration.value) == (before, "3h")


@parametrize_api_version(DEMANAGER_2019)
def test_usual_run_time_of_later_starts_is_restored_by_one_click(
    form: InstanceForm, instance_state: Truth
) -> None:
    """It is said before and after the change that later starts run longer, too."""
    form.duration.value = "3h"
    assert "Later starts will also run for 3 h (now 1 h)." in visible_text(form)
    form.apply()
    assert "also applies to later starts" in visible_text(form)
    stops_at = instance_state()["stops_at"]
    button(form, "Restore 1 h for later starts").click()
    assert "Later starts run 1 h again" in visible_text(form)
    assert instance_state()["stops_at"] == stops_at
    assert form._widgets.restore_button.layout.display == "none"


@every_api_version
def test_error_is_the_description_of_its_field(form: InstanceForm) -> None:
    """Screen readers read it with the field; without an error, the tip is there."""
    tips = form.duration.tooltip, form.description.tooltip
    form.duration.value, form.description.value = "soon", "a<b"
    assert "“soon” is not a valid duration." in form.duration.tooltip
    assert "“<” (position 2)" in form.description.tooltip
    form.duration.value, form.description.value = "2h", "ab"
    assert (form.duration.tooltip, form.description.tooltip) == tips


@parametrize_api_version(DEMANAGER_2019)
def test_apply_without_edits_raises(form: InstanceForm, write_requests: Writes) -> None:
    """Calling it without edits is a mistake."""
    with pytest.raises(RefusedError) as raised:
        form.apply()
    assert raised.value.code == "form.no_changes"
    assert write_requests() == []


@every_api_version
def test_all_values_are_escaped(make: Make, emulator: LocalEmulator, other: Session) -> None:
    """Names and descriptions from the API and from the user are shown as text."""
    emulator.set_instance(name=HTML_INJECTION, description=HTML_INJECTION)
    form = make()
    form.description.value = f"{HTML_INJECTION} mine"
    form.duration.value = HTML_INJECTION
    emulator.set_instance(description=f"{HTML_INJECTION} theirs")
    other.refresh()
    assert offers_resolution(form)
    shown = visible_text(form)
    assert f"“{HTML_INJECTION} theirs”" in shown
    html = form._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "&lt;script" in html


@every_api_version
def test_front_ends_without_widgets_get_text(form: InstanceForm) -> None:
    """It says how to make changes there."""
    bundle = form._repr_mimebundle_()
    assert set(bundle) == {
        "text/plain",
        "text/html",
        "application/vnd.jupyter.widget-view+json",
    }
    assert "Stops " in bundle["text/plain"]
    assert "%modelarts describe TEXT" in bundle["text/plain"]


@parametrize_api_version(DEMANAGER_2019)
def test_page_without_countdown_gets_the_form_with_a_line(session: Session) -> None:
    """The line follows the instance; the countdown, which the page would show as an error, is left out."""
    obstacle = WidgetObstacle("no front end", "Add it.", shows_controls=True)
    form = InstanceForm(session, schedule=run_immediately, find_obstacle=lambda: obstacle)
    assert form.countdown not in form.children
    assert "No live countdown: no front end." in visible_text(form)
    assert "application/vnd.jupyter.widget-view+json" in form._repr_mimebundle_()
    before = form.children[0].value
    form.duration.value = "3h"
    form.apply()
    assert form.children[0].value != before
    form.close()


@every_api_version
def test_page_without_widgets_gets_the_reason(session: Session) -> None:
    """Only text is displayed."""
    obstacle = WidgetObstacle("no front end", "Add it.", shows_controls=False)
    form = InstanceForm(session, find_obstacle=lambda: obstacle)
    bundle = form._repr_mimebundle_()
    form.close()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "No live countdown: no front end.\nAdd it." in bundle["text/plain"]


@every_api_version
def test_every_control_has_a_label(form: InstanceForm) -> None:
    """The tab order is unchanged, and nothing is wider than the page."""
    fields = [each for each in widgets_in(form) if hasattr(each, "description")]
    named = [each for each in fields if type(each).__name__ != "HTML"]
    assert len(named) >= 12
    assert all(each.description for each in named)
    assert all(each.tabbable is None for each in named)
    boxes = [each for each in widgets_in(form) if each is not form.countdown]
    assert all(each.layout.max_width for each in boxes)


@every_api_version
def test_outcome_has_icon_and_word(form: InstanceForm, emulator: LocalEmulator) -> None:
    """Colour is not the only sign."""
    form.description.value = "mine"
    form.apply()
    assert "✓ Done · " in visible_text(form)
    form.description.value = "yours"
    emulator.add_fault("403")
    button(form, "Apply").click()
    assert "✗ Failed · " in visible_text(form)


@every_api_version
def test_failed_first_read_leaves_no_widget(make: Make, emulator: LocalEmulator) -> None:
    """The error is raised to the caller."""
    emulator.add_fault("403")
    before = open_widget_ids()
    with pytest.raises(ForbiddenError):
        make()
    assert open_widget_ids() == before


@every_api_version
def test_closed_form_follows_no_changes(make: Make, other: Session) -> None:
    """Closing twice does nothing."""
    form = make()
    form.close()
    form.close()
    was = form.instance
    other.describe("after")
    assert form.instance is was


@parametrize_api_version(DEMANAGER_2019)
@pytest.mark.parametrize("how", ["apply", "scheduled click", "later click"])
def test_closed_form_sends_nothing(
    make: Make, write_requests: Writes, emulator: LocalEmulator, how: str
) -> None:
    """A click that waits is dropped, and code gets an error."""
    queue = DeferredJobs()
    form = make(schedule=queue)
    form.description.value = "typed before"
    apply_button = button(form, "Apply")
    if how == "scheduled click":
        apply_button.click()
    form.close()
    emulator.clear_requests()
    if how == "apply":
        for action in (form.apply, form.reload):
            with pytest.raises(RefusedError) as caught:
                action()
            assert caught.value.message == "This form is closed. Nothing was sent."
    else:
        apply_button.click()
    queue.run_all()
    assert write_requests() == []
    assert emulator.requests == []
