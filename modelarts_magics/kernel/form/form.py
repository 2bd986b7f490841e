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

from modelarts_magics.domain.description import full_width
from modelarts_magics.domain.models import SAME, Effect
from modelarts_magics.errors import ModelArtsError, RefusedError
from modelarts_magics.kernel.clicks import soon
from modelarts_magics.kernel.countdown_widget import Countdown
from modelarts_magics.kernel.current_session import current_session
from modelarts_magics.kernel.form import draft
from modelarts_magics.kernel.form.state import Ground
from modelarts_magics.kernel.form.view import View, fallback
from modelarts_magics.kernel.form.widgets import Widgets, close_all, form_layout
from modelarts_magics.kernel.scheduling import when_quiet
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.domain.planning import Circumstances
    from modelarts_magics.session.session import Session

Later = Callable[[Callable[[], None]], None]

_LOG = logging.getLogger(__name__)


class InstanceForm(ipywidgets.VBox):
    """Description and auto-stop of this instance, to see and to change.

    Works without a page too: ``form.description.value = "…"; form.duration.value = "2h"; form.apply()``.

    Args:
        session: What to show and change; by default the session of the magics, or of the settings.
        schedule: Does a clicked job a moment later; for tests, at once.
        follow: Does what news bring when no page has anything unsaid; for tests, at once.

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
        self, session: Session | None = None, *, schedule: Later = soon, follow: Later = when_quiet
    ) -> None:
        self._open = current_session if session is None else lambda: session
        self._schedule, self._follow = schedule, follow
        self._lock = threading.RLock()
        self._busy = self._filling = False
        self._queued: set[object] = set()
        self._news: Instance | None = None
        self._opened = opened = self._open()
        self.countdown = Countdown(session, schedule=schedule)
        instance = self.countdown.instance
        self._ground = Ground(instance, draft.fields_of(self._given(instance)))
        self._widgets = Widgets(opened.capabilities, lock=self._lock)
        self._view = View(self._widgets)
        super().__init__(self._widgets.rows(self.countdown), layout=form_layout())
        self.description, self.auto_stop = self._widgets.description, self._widgets.auto_stop
        self.mode, self.duration = self._widgets.mode, self._widgets.duration
        self.remind = self._widgets.remind
        self._fill(self._ground.base)
        self._connect()
        self._unsubscribe = opened.subscribe(self._learn)

    @property
    def instance(self) -> Instance:
        """The instance as last heard of."""
        return self._ground.instance

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
        with self._reporting():
            self._catch_up()
            sent, wanted, seen = self._begin()
            try:
                change = self._open().update(
                    description=wanted.description, auto_stop=wanted.auto_stop, seen=seen
                )
            finally:
                self._busy = False
            self._settle(change, sent)
            return change

    def reload(self) -> Instance:
        """Ask the cloud for the instance again, and drop what was entered and not applied.

        Raises:
            ModelArtsError: The cloud could not be asked; the entries stay.
        """
        with self._reporting():
            entered = self._wait_for_cloud()
            try:
                instance = self._open().refresh()
            finally:
                self._busy = False
            with self._lock:
                self._load(instance, entered)
                self._view.say("good", [text("form.loaded")])
            return instance

    def keep_mine(self) -> None:
        """Where somebody else changed the same, keep what is entered here; nothing is sent yet."""
        with self._lock:
            self._ground.accept()
            self._render()

    def take_theirs(self) -> None:
        """Where somebody else changed the same, show that instead of what is entered here."""
        with self._lock:
            self._fill(self._ground.taken(self._entered()))

    def use_full_width(self) -> None:
        """Write what a description may not contain in its full-width form."""
        self.description.value = full_width(self.description.value)

    def close(self) -> None:
        """Remove all views, and listen no more."""
        if hasattr(self, "_unsubscribe"):
            self._unsubscribe()
            for child in self.children:
                close_all(child)
            self.layout.close()
        super().close()

    def _connect(self) -> None:
        parts = self._widgets
        for field in (self.description, self.auto_stop, self.mode, self.duration, self.remind):
            field.observe(lambda _change: self._quietly(self._edited), names="value")
        parts.apply.on_click(lambda _: self._clicked(self.apply))
        parts.reload.on_click(lambda _: self._clicked(self.reload))
        parts.keep_mine.on_click(lambda _: self._quietly(self.keep_mine))
        parts.take_theirs.on_click(lambda _: self._quietly(self.take_theirs))
        parts.full_width.on_click(lambda _: self._quietly(self.use_full_width))
        for button in parts.presets.values():
            button.on_click(self._choose)

    def _choose(self, button: ipywidgets.Button) -> None:
        written = {each: text for text, each in self._widgets.presets.items()}
        self.duration.value = written[button]

    def _quietly(self, job: Callable[[], None]) -> None:
        """Do what nobody waits for; what fails is shown and logged."""
        with contextlib.suppress(Exception), self._reporting():
            job()

    def _clicked(self, job: Callable[[], object]) -> None:
        """Do what asks the cloud beside the pages' messages; of the clicks until then only the first counts."""

        def quietly() -> None:
            self._queued.discard(job)
            with contextlib.suppress(Exception):  # it is shown and logged already
                job()

        if not self._busy and job not in self._queued:
            self._queued.add(job)
            self._schedule(quietly)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Show what fails; raise it all the same, for whoever called."""
        try:
            yield
        except ModelArtsError as error:
            _LOG.info("the form: %s", error.message)
            self._failed(error)
            raise
        except Exception as error:
            _LOG.exception("the form failed")
            self._failed(error)
            raise

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self._view.say_error(error)
            with contextlib.suppress(Exception):  # that something failed is shown already
                self._catch_up()
                self._render()

    def _begin(self) -> tuple[draft.Fields, draft.Wanted, Instance]:
        """What to send, on the ground of what; from here on the form waits for the cloud."""
        with self._lock:
            if self._ground.conflicts:
                raise RefusedError("refuse.changed_elsewhere")
            wanted = draft.wanted(self._ground.base, self._entered())
            if wanted == draft.Wanted():
                raise RefusedError("form.nothing")
            return self._wait_for_cloud(), wanted, self._ground.seen

    def _wait_for_cloud(self) -> draft.Fields:
        with self._lock:
            if self._busy:
                raise RefusedError("form.busy")
            self._busy = True
            self._view.say("wait", [text("form.asking")])
            self._render()
            return self._entered()

    def _settle(self, change: Change, sent: draft.Fields) -> None:
        """Show what became of it; what was typed meanwhile stays."""
        with self._lock:
            if change.after is not None:
                held = change.effect is not Effect.UNCONFIRMED
                self._load(change.after, sent if held else None)
            self._view.say_change(change)
            self._catch_up()
            self._render()

    def _load(self, instance: Instance, done: draft.Fields | None) -> None:
        """Show an instance; what was typed since `done` stays, and without it all that was typed."""
        self._hear(instance)
        self._fill(self._ground.settled(self._entered(), done))

    def _learn(self, instance: Instance) -> None:
        """Note what somebody in this process heard of the instance."""
        with self._lock:
            if instance.observed_at < self.instance.observed_at - SAME:  # overtaken by a later look
                return
            self._news = instance
        self._follow(lambda: self._quietly(self._catch_up))

    def _catch_up(self) -> None:
        """Show the news, where nothing was entered; never while the form itself changes the instance."""
        with self._lock:
            instance = self._news
            if self._busy or instance is None:
                return
            self._news = None
            self._hear(instance)
            self._fill(self._ground.followed(self._entered()))

    def _hear(self, instance: Instance) -> None:
        self._ground.hear(instance, draft.fields_of(self._given(instance)))

    def _entered(self) -> draft.Fields:
        return self._view.read(self._ground.base)

    def _fill(self, fields: draft.Fields) -> None:
        self._filling = True
        try:
            self._view.write(fields)
        finally:
            self._filling = False
        self._render()

    def _edited(self) -> None:
        with self._lock:
            if not self._filling:
                self._render()

    def _render(self) -> None:
        """Show what follows from the entries: what they mean, and what can be done."""
        ground, mine = self._ground, self._entered()
        given, waits = self._given(self.instance), self._opened.expect_wait
        self._view.show_entries(ground.base, mine, given, waits=waits, busy=self._busy)
        self._view.show_conflicts(ground.conflicts, mine, self.instance)

    def _given(self, instance: Instance) -> Circumstances:
        """What a change would depend on if it were made now."""
        now = self._opened.now()
        return self._opened.circumstances(replace(instance, observed_at=now))

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - IPython's hook
        """The widget, and beside it the instance in words where there are no widgets."""
        data = super()._repr_mimebundle_(**options)
        if data is not None:
            data.update(fallback(self.instance))
        return data
