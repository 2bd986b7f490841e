"""The form widget: description and auto-stop of the instance, changed with one request.

Both pages and code use the form. Edits arrive in the thread in which the kernel handles messages, updates of the
instance in any thread. One lock guards all state; it is never held during a request.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable

import ipywidgets  # type: ignore[import-untyped]

from modelarts_magics.commands.dispatch import undo_last_change
from modelarts_magics.commands.later_starts import planned_message
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.description import to_full_width
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE, Change, Effect
from modelarts_magics.errors import ModelArtsError, RefusedError
from modelarts_magics.kernel import widget_lifetime
from modelarts_magics.kernel.countdown_widget import Countdown
from modelarts_magics.kernel.current_session import current_session
from modelarts_magics.kernel.form import draft
from modelarts_magics.kernel.form.view import FormView, static_mimebundle
from modelarts_magics.kernel.form.widgets import FormWidgets, form_layout, note_html
from modelarts_magics.kernel.scheduling import run_after_delay, when_idle
from modelarts_magics.kernel.widget_display import (
    FRAME_CLASS,
    StaticDisplay,
    countdown_fallback,
    find_page_obstacle,
    obstacle_lines,
    show_as_text,
)
from modelarts_magics.messages import text
from modelarts_magics.session.history import find_undo
from modelarts_magics.session.restore import find_restore, plan_restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.doctor.page_widgets import WidgetObstacle
    from modelarts_magics.domain.models import Instance, PendingRestore
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.session.session import Session

Scheduler = Callable[[Callable[[], None]], None]

_LOG = logging.getLogger(__name__)


class InstanceForm(StaticDisplay, ipywidgets.VBox):
    """A form to view and change the description and auto-stop of this instance.

    Args:
        session: The session to show and change; by default the session of the magics, or one from the settings.
        schedule: Runs the callback of a click after a short delay; tests run it immediately.
        schedule_idle: Runs a callback once pending edits of the pages have arrived; tests run it immediately.
        find_obstacle: Returns why the page cannot show the countdown; a line of text is then in its place.

    Attributes:
        description: The description (``.value``).
        auto_stop: Whether auto-stop is on (``.value``).
        mode: The stop mode, ``"TIMING"`` or ``"IDLE"`` (``.value``), if the API has both.
        duration: The run time as ``2:30``, ``90m`` or ``2h30m`` (``.value``), from the start of the run or from
            now, as the API counts it.
        remind: Whether the console reminds before the stop (``.value``), if the API has that setting.
        countdown: The `Countdown` at the top of the form.

    Raises:
        ModelArtsError: The instance could not be read.

    Example:
        Without a page: ``form.description.value = "…"; form.duration.value = "2h"; form.apply()``
    """

    def __init__(
        self,
        session: Session | None = None,
        *,
        schedule: Scheduler = run_after_delay,
        schedule_idle: Scheduler = when_idle,
        find_obstacle: Callable[[], WidgetObstacle | None] = find_page_obstacle,
    ) -> None:
        self._find_obstacle, self._obstacle = find_obstacle, find_obstacle()
        self._get_session = current_session if session is None else lambda: session
        self._schedule, self._schedule_idle = schedule, schedule_idle
        self._lock = threading.RLock()
        self._busy = self._writing_fields = False
        self._scheduled_actions: set[object] = set()
        self._pending_update: Instance | None = None
        self._session = opened = self._get_session()
        self.countdown = Countdown(session, schedule=schedule)
        instance = self.countdown.instance
        self._form_state = draft.FormState(
            instance, draft.fields_from_context(self._plan_context(instance))
        )
        self._widgets = FormWidgets(opened.capabilities, lock=self._lock)
        self._view = FormView(self._widgets)
        self._line = countdown_fallback(self._line_html(instance))
        rows = self._widgets.rows(None if self._obstacle else self.countdown, self._line)
        super().__init__(rows, layout=form_layout())
        self.add_class(FRAME_CLASS)
        self.description, self.auto_stop = self._widgets.description, self._widgets.auto_stop
        self.mode, self.duration = self._widgets.mode, self._widgets.duration
        self.remind = self._widgets.remind
        self._write_fields(self._form_state.base)
        self._update_offers()
        self._connect_handlers()
        self._unsubscribe = opened.subscribe(
            widget_lifetime.weak_callback(self._on_instance_update)
        )
        self.countdown.shown_as = self.model_id or ""
        widget_lifetime.close_when_unreferenced(self)

    @property
    def instance(self) -> Instance:
        """The latest instance."""
        return self._form_state.instance

    def apply(self) -> Change:
        """Send all edits in one request.

        Returns:
            The change, which the form shows too.

        Raises:
            InputError: A value is invalid; nothing was sent.
            RefusedError: There is nothing to apply, the change is not possible now, the same value was changed
                elsewhere, or the form is closed; nothing was sent.
            ModelArtsError: The request failed.
        """
        with self._showing_errors():
            self._apply_pending_update()
            sent, changes, seen = self._prepare_changes()
            try:
                change = self._get_session().update(
                    description=changes.description, auto_stop=changes.auto_stop, seen=seen
                )
            finally:
                self._busy = False
            self._show_change(change, sent)
            return change

    def reload(self) -> Instance:
        """Read the instance again and discard all edits.

        Raises:
            ModelArtsError: The request failed; the edits remain.
        """
        with self._showing_errors():
            entered = self._mark_busy()
            try:
                instance = self._get_session().refresh()
            finally:
                self._busy = False
            with self._lock:
                self._load_instance(instance, entered)
                self._view.show_outcome("success", [text("form.loaded")])
            return instance

    def undo(self) -> Change:
        """Undo the last change of the instance, whoever made it.

        Returns:
            The change, which the form shows too.

        Raises:
            RefusedError: There is nothing to undo, or the API cannot restore the state before.
            ModelArtsError: The request failed.
        """
        change = self._run_change(lambda: undo_last_change(self._get_session()))
        assert isinstance(change, Change)  # noqa: S101 - for the type checker: undoing is a change
        return change

    def restore_run_time(self) -> None:
        """Restore the usual run time for later starts; this run keeps its stop time.

        Raises:
            RefusedError: The run time was not changed in this run.
            ModelArtsError: The request failed.
        """
        self._run_change(lambda: plan_restore(self._get_session()))

    def _run_change(
        self, make_change: Callable[[], Change | PendingRestore]
    ) -> Change | PendingRestore:
        """Make a change that is not an edit of the fields, and show it."""
        with self._showing_errors():
            self._mark_busy()
            try:
                result = make_change()
            finally:
                self._busy = False
            if isinstance(result, Change):
                # Edits of the fields have not been sent, so all of them remain.
                self._show_change(result, None)
                return result
            with self._lock:
                self._view.show_outcome("success", [str(planned_message(result))])
                self._update_offers()
                self._update_view()
            return result

    def keep_mine(self) -> None:
        """Resolve all conflicts in favour of the edits of this form, without sending them."""
        with self._lock:
            self._form_state.rebase()
            self._update_view()

    def take_theirs(self) -> None:
        """Resolve all conflicts in favour of the changes made elsewhere."""
        with self._lock:
            self._write_fields(self._form_state.take_theirs(self._read_fields()))

    def use_full_width(self) -> None:
        """Replace characters that a description may not contain by their full-width forms."""
        self.description.value = to_full_width(self.description.value)

    def close(self) -> None:
        """Remove all views and stop following changes; later edits are not sent. Closing twice does nothing."""
        if hasattr(self, "_unsubscribe") and self.comm is not None:
            self._unsubscribe()
            widget_lifetime.release(self.countdown.shown_as)
            for child in self.children:
                widget_lifetime.close_tree(child)
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
        parts.undo_button.on_click(lambda _: self._schedule_action(self.undo))
        parts.restore_button.on_click(lambda _: self._schedule_action(self.restore_run_time))
        parts.keep_mine_button.on_click(lambda _: self._run_suppressing_errors(self.keep_mine))
        parts.take_theirs_button.on_click(lambda _: self._run_suppressing_errors(self.take_theirs))
        parts.full_width_button.on_click(
            lambda _: self._run_suppressing_errors(self.use_full_width)
        )
        for button in parts.preset_buttons.values():
            button.on_click(self._apply_preset)

    def _apply_preset(self, button: ipywidgets.Button) -> None:
        durations = {each: text for text, each in self._widgets.preset_buttons.items()}
        self.duration.value = durations[button]

    def _run_suppressing_errors(self, action: Callable[[], None]) -> None:
        """Run a callback that has no caller to raise to; show and log its errors."""
        with contextlib.suppress(Exception), self._showing_errors():
            action()

    def _schedule_action(self, action: Callable[[], object]) -> None:
        """Schedule an action that sends a request, unless it is scheduled already or one is running."""

        def run_action() -> None:
            self._scheduled_actions.discard(action)
            # The action itself shows and logs its errors.
            with contextlib.suppress(Exception):
                action()

        if not self._busy and action not in self._scheduled_actions:
            self._scheduled_actions.add(action)
            self._schedule(run_action)

    @contextlib.contextmanager
    def _showing_errors(self) -> Iterator[None]:
        """Show, log and re-raise errors."""
        try:
            yield
        except ModelArtsError as error:
            _LOG.info("Form: %s", error.message)
            self._show_error(error)
            raise
        except Exception as error:
            _LOG.exception("Unexpected error in the form")
            self._show_error(error)
            raise

    def _show_error(self, error: Exception) -> None:
        with self._lock:
            self._view.show_error(error)
            # An error during the update must not replace the one that is shown.
            with contextlib.suppress(Exception):
                self._apply_pending_update()
                self._update_view()

    def _prepare_changes(self) -> tuple[draft.FormFields, draft.FormChanges, Instance]:
        """Mark the form as busy; return the values, the changes to send and the instance they are based on."""
        with self._lock:
            if self._form_state.conflicts:
                raise RefusedError("refuse.edit_conflict")
            changes = draft.changes_to_send(self._form_state.base, self._read_fields())
            if changes == draft.FormChanges():
                raise RefusedError("form.no_changes")
            return self._mark_busy(), changes, self._form_state.base_instance

    def _mark_busy(self) -> draft.FormFields:
        with self._lock:
            if self.comm is None:
                raise RefusedError("form.closed")
            if self._busy:
                raise RefusedError("form.busy")
            self._busy = True
            self._view.show_outcome("pending", [text("form.asking")])
            self._update_view()
            return self._read_fields()

    def _show_change(self, change: Change, sent: draft.FormFields | None) -> None:
        """Show the outcome of a change; edits made since `sent` remain, or all edits if it is None."""
        with self._lock:
            if change.after is not None:
                confirmed = change.effect is not Effect.UNCONFIRMED
                self._load_instance(change.after, sent if confirmed else None)
            self._view.show_change(change)
            self._apply_pending_update()
            self._update_view()

    def _load_instance(self, instance: Instance, sent: draft.FormFields | None) -> None:
        """Show an instance with the edits made since `sent`, or with all edits if it is None."""
        self._set_instance(instance)
        self._write_fields(self._form_state.reload(self._read_fields(), sent))

    def _on_instance_update(self, instance: Instance) -> None:
        """Schedule an update of the fields; called in any thread."""
        with self._lock:
            outdated = instance.observed_at < self.instance.observed_at - STOP_TIME_TOLERANCE
            if outdated:
                return
            self._pending_update = instance
        self._schedule_idle(lambda: self._run_suppressing_errors(self._apply_pending_update))

    def _apply_pending_update(self) -> None:
        """Update the fields that were not edited, unless a request of the form is running."""
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
        self._line.value = self._line_html(instance)
        self._update_offers()

    def _line_html(self, instance: Instance) -> str:
        """Return the line in place of a countdown that the page does not show."""
        lines = obstacle_lines(self._obstacle) if self._obstacle else ()
        return "".join(map(note_html, (str(stop_message(instance)), *lines)))

    def _update_offers(self) -> None:
        """Show what can be undone, and the run time that can be restored for later starts."""
        history = self._session.history
        undo = find_undo(history, self.instance) if history else None
        self._view.show_offers(undo, find_restore(self._session, self.instance))

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
        """Show the preview, the errors, the conflicts and the enabled buttons for the current edits."""
        state, mine = self._form_state, self._read_fields()
        self._view.show_entries(
            state.base,
            mine,
            self._plan_context(self.instance),
            notices=(self._session.deferral_notice, self._session.later_starts_notice),
            busy=self._busy,
        )
        self._view.show_conflicts(state.conflicts, mine, self.instance)

    def _plan_context(self, instance: Instance) -> PlanContext:
        """Return the context for planning a change of the instance now."""
        now = self._session.now()
        return self._session.plan_context(replace(instance, observed_at=now))

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - IPython's hook
        """Return the widget and, for front ends without widgets, the instance as text."""
        data = super()._repr_mimebundle_(**options)
        if data is not None:
            widget_lifetime.keep_while_shown(self)
            data.update(static_mimebundle(self.instance))
            obstacle = self._find_obstacle()
            if obstacle and not obstacle.shows_controls:
                show_as_text(data, obstacle)
        return data
