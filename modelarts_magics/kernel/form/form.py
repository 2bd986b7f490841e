"""The form: description and auto-stop of the instance, changed by one request.

It is used by a person in a page and by code alike. Entries come in whichever thread the kernel answers
its pages in, news in whichever thread learned them, so all that the form holds is behind one lock, which is
never held while the cloud is asked.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable

import ipywidgets  # type: ignore[import-untyped]

from modelarts_magics.domain.description import to_full_width
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE, Effect
from modelarts_magics.errors import ModelArtsError, RefusedError
from modelarts_magics.kernel.clicks import run_after_delay
from modelarts_magics.kernel.countdown_widget import Countdown
from modelarts_magics.kernel.current_session import current_session
from modelarts_magics.kernel.form import draft
from modelarts_magics.kernel.form.state import FormState
from modelarts_magics.kernel.form.view import FormView, static_mimebundle
from modelarts_magics.kernel.form.widgets import FormWidgets, close_tree, form_layout
from modelarts_magics.kernel.scheduling import when_idle
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.session.session import Session

Scheduler = Callable[[Callable[[], None]], None]

_LOG = logging.getLogger(__name__)


class InstanceForm(ipywidgets.VBox):
    """Description and auto-stop of this instance, to see and to change.

    Works without a page too: ``form.description.value = "…"; form.duration.value = "2h"; form.apply()``.

    Args:
        session: What to show and change; by default the session of the magics, or of the settings.
        schedule: Does a clicked job a moment later; for tests, at once.
        schedule_idle: Does what news bring when no page has anything unsaid; for tests, at once.

    Attributes:
        description: The text (``.value``).
        auto_stop: Whether auto-stop is on (``.value``).
        mode: What stops the instance, ``"TIMING"`` or ``"IDLE"`` (``.value``), where the API has both.
        duration: The run time as ``2:30``, ``90m`` or ``2h30m`` (``.value``); counted from where the API counts.
        remind: Whether the console shall remind (``.value``), where the API keeps that.
        countdown: The `Countdown` inside.

    Raises:
        ModelArtsError: The cloud could not be asked.
    """

    def __init__(
        self,
        session: Session | None = None,
        *,
        schedule: Scheduler = run_after_delay,
        schedule_idle: Scheduler = when_idle,
    ) -> None:
        self._get_session = current_session if session is None else lambda: session
        self._schedule, self._schedule_idle = schedule, schedule_idle
        self._lock = threading.RLock()
        self._busy = self._writing_fields = False
        self._scheduled_actions: set[object] = set()
        self._pending_update: Instance | None = None
        self._session = opened = self._get_session()
        self.countdown = Countdown(session, schedule=schedule)
        instance = self.countdown.instance
        self._form_state = FormState(
            instance, draft.fields_from_context(self._plan_context(instance))
        )
        self._widgets = FormWidgets(opened.capabilities, lock=self._lock)
        self._view = FormView(self._widgets)
        super().__init__(self._widgets.rows(self.countdown), layout=form_layout())
        self.description, self.auto_stop = self._widgets.description, self._widgets.auto_stop
        self.mode, self.duration = self._widgets.mode, self._widgets.duration
        self.remind = self._widgets.remind
        self._write_fields(self._form_state.base)
        self._connect_handlers()
        self._unsubscribe = opened.subscribe(self._on_instance_update)

    @property
    def instance(self) -> Instance:
        """The instance as last heard of."""
        return self._form_state.instance

    def apply(self) -> Change:
        """Send all that was changed, in one request.

        Returns:
            What became of it; it is shown in the form too.

        Raises:
            InputError: An entry is not valid; nothing was sent.
            RefusedError: Nothing was changed, it makes no sense now, or somebody else changed the same
                meanwhile; nothing was sent.
            ModelArtsError: The cloud could not be asked, or refused.
        """
        with self._showing_errors():
            self._apply_pending_update()
            sent, wanted, seen = self._prepare_changes()
            try:
                change = self._get_session().update(
                    description=wanted.description, auto_stop=wanted.auto_stop, seen=seen
                )
            finally:
                self._busy = False
            self._show_change(change, sent)
            return change

    def reload(self) -> Instance:
        """Ask the cloud for the instance again, and drop what was entered and not applied.

        Raises:
            ModelArtsError: The cloud could not be asked; the entries stay.
        """
        with self._showing_errors():
            entered = self._mark_busy()
            try:
                instance = self._get_session().refresh()
            finally:
                self._busy = False
            with self._lock:
                self._load_instance(instance, entered)
                self._view.show_outcome("good", [text("form.loaded")])
            return instance

    def keep_mine(self) -> None:
        """Where somebody else changed the same, keep what is entered here; nothing is sent yet."""
        with self._lock:
            self._form_state.rebase()
            self._update_view()

    def take_theirs(self) -> None:
        """Where somebody else changed the same, show that instead of what is entered here."""
        with self._lock:
            self._write_fields(self._form_state.take_theirs(self._read_fields()))

    def use_full_width(self) -> None:
        """Write what a description may not contain in its full-width form."""
        self.description.value = to_full_width(self.description.value)

    def close(self) -> None:
        """Remove all views, and listen no more."""
        if hasattr(self, "_unsubscribe"):
            self._unsubscribe()
            for child in self.children:
                close_tree(child)
            self.layout.close()
        super().close()

    def _connect_handlers(self) -> None:
        parts = self._widgets
        for field in (self.description, self.auto_stop, self.mode, self.duration, self.remind):
            field.observe(
                lambda _change: self._run_suppressing_errors(self._on_edit), names="value"
            )
        parts.apply_button.on_click(lambda _: self._schedule_action(self.apply))
        parts.reload_button.on_click(lambda _: self._schedule_action(self.reload))
        parts.keep_mine_button.on_click(lambda _: self._run_suppressing_errors(self.keep_mine))
        parts.take_theirs_button.on_click(lambda _: self._run_suppressing_errors(self.take_theirs))
        parts.full_width_button.on_click(
            lambda _: self._run_suppressing_errors(self.use_full_width)
        )
        for button in parts.preset_buttons.values():
            button.on_click(self._apply_preset)

    def _apply_preset(self, button: ipywidgets.Button) -> None:
        written = {each: text for text, each in self._widgets.preset_buttons.items()}
        self.duration.value = written[button]

    def _run_suppressing_errors(self, action: Callable[[], None]) -> None:
        """Do what nobody waits for; what fails is shown and logged."""
        with contextlib.suppress(Exception), self._showing_errors():
            action()

    def _schedule_action(self, action: Callable[[], object]) -> None:
        """Do what asks the cloud beside the pages' messages; of the clicks until then only the first counts."""

        def run_action() -> None:
            self._scheduled_actions.discard(action)
            with contextlib.suppress(Exception):  # it is shown and logged already
                action()

        if not self._busy and action not in self._scheduled_actions:
            self._scheduled_actions.add(action)
            self._schedule(run_action)

    @contextlib.contextmanager
    def _showing_errors(self) -> Iterator[None]:
        """Show what fails; raise it all the same, for whoever called."""
        try:
            yield
        except ModelArtsError as error:
            _LOG.info("the form: %s", error.message)
            self._show_error(error)
            raise
        except Exception as error:
            _LOG.exception("the form failed")
            self._show_error(error)
            raise

    def _show_error(self, error: Exception) -> None:
        with self._lock:
            self._view.show_error(error)
            with contextlib.suppress(Exception):  # that something failed is shown already
                self._apply_pending_update()
                self._update_view()

    def _prepare_changes(self) -> tuple[draft.FormFields, draft.FormChanges, Instance]:
        """What to send, on the ground of what; from here on the form waits for the cloud."""
        with self._lock:
            if self._form_state.conflicts:
                raise RefusedError("refuse.changed_elsewhere")
            wanted = draft.changes_to_send(self._form_state.base, self._read_fields())
            if wanted == draft.FormChanges():
                raise RefusedError("form.nothing")
            return self._mark_busy(), wanted, self._form_state.base_instance

    def _mark_busy(self) -> draft.FormFields:
        with self._lock:
            if self._busy:
                raise RefusedError("form.busy")
            self._busy = True
            self._view.show_outcome("wait", [text("form.asking")])
            self._update_view()
            return self._read_fields()

    def _show_change(self, change: Change, sent: draft.FormFields) -> None:
        """Show what became of it; what was typed meanwhile stays."""
        with self._lock:
            if change.after is not None:
                held = change.effect is not Effect.UNCONFIRMED
                self._load_instance(change.after, sent if held else None)
            self._view.show_change(change)
            self._apply_pending_update()
            self._update_view()

    def _load_instance(self, instance: Instance, sent: draft.FormFields | None) -> None:
        """Show an instance; what was typed since `sent` stays, and without it all that was typed."""
        self._set_instance(instance)
        self._write_fields(self._form_state.reload(self._read_fields(), sent))

    def _on_instance_update(self, instance: Instance) -> None:
        """Note what somebody in this process heard of the instance."""
        with self._lock:
            if (
                instance.observed_at < self.instance.observed_at - STOP_TIME_TOLERANCE
            ):  # overtaken by a later look
                return
            self._pending_update = instance
        self._schedule_idle(lambda: self._run_suppressing_errors(self._apply_pending_update))

    def _apply_pending_update(self) -> None:
        """Show the news, where nothing was entered; never while the form itself changes the instance."""
        with self._lock:
            instance = self._pending_update
            if self._busy or instance is None:
                return
            self._pending_update = None
            self._set_instance(instance)
            self._write_fields(self._form_state.merge_latest(self._read_fields()))

    def _set_instance(self, instance: Instance) -> None:
        self._form_state.set_latest(
            instance, draft.fields_from_context(self._plan_context(instance))
        )

    def _read_fields(self) -> draft.FormFields:
        return self._view.read_fields(self._form_state.base)

    def _write_fields(self, fields: draft.FormFields) -> None:
        self._writing_fields = True
        try:
            self._view.write_fields(fields)
        finally:
            self._writing_fields = False
        self._update_view()

    def _on_edit(self) -> None:
        with self._lock:
            if not self._writing_fields:
                self._update_view()

    def _update_view(self) -> None:
        """Show what follows from the entries: what they mean, and what can be done."""
        ground, mine = self._form_state, self._read_fields()
        given, waits = self._plan_context(self.instance), self._session.deferral_notice
        self._view.show_entries(ground.base, mine, given, expect_wait=waits, busy=self._busy)
        self._view.show_conflicts(ground.conflicts, mine, self.instance)

    def _plan_context(self, instance: Instance) -> PlanContext:
        """What a change would depend on if it were made now."""
        now = self._session.now()
        return self._session.plan_context(replace(instance, observed_at=now))

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - IPython's hook
        """The widget, and beside it the instance in words where there are no widgets."""
        data = super()._repr_mimebundle_(**options)
        if data is not None:
            data.update(static_mimebundle(self.instance))
        return data
