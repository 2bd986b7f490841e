"""Fire the marks: the component of the daemon that signals commands and runs the command of the settings.

The handlers in a kernel are called by the kernel itself, see `modelarts_magics.kernel.cell_marks`. The daemon then
only records that a kernel which is stuck in a long call has not confirmed it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Callable

from modelarts_magics.config.work_folder import work_folder
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive.claims import Claims
from modelarts_magics.keepalive.marks.mark import (
    CELL,
    COMMAND,
    FRESH,
    Mark,
    command_mark,
    is_near,
    late_by,
    marks_folder,
    read_marks,
    remove_mark,
    signal_number,
)
from modelarts_magics.keepalive.marks.process_group import signal_group
from modelarts_magics.keepalive.marks.result import (
    ENDED,
    FAILED,
    NOT_CONFIRMED,
    RAN,
    Result,
    record,
)
from modelarts_magics.keepalive.marks.shell_command import run_command
from modelarts_magics.keepalive.requests import current_settings
from modelarts_magics.keepalive.stopping import ANNOUNCED_STOP_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelarts_magics.keepalive.claims import Claim
    from modelarts_magics.keepalive.components import ComponentContext, RunView
    from modelarts_magics.keepalive.guards import Guard

    ActOutcome = tuple[str, int | None, str]
    """The outcome, an exit status and output."""

CONFIRMATION_TIME = timedelta(seconds=15)
"""The time after its mark in which a kernel confirms that it has called a handler."""
COMMAND_RESERVE = timedelta(minutes=1)
"""A command has to end this long before the stop."""
SHORT_RESERVE = timedelta(seconds=5)
"""The same before a stop after the work, or by the user, which is known a minute before."""
SETTINGS_INTERVAL = timedelta(seconds=5)


class Marks:
    """Fire each mark once per stop time.

    Args:
        context: The environment of the components.
        load_command: Returns the mark of the command of the settings; None if there is none.
        start_thread: Makes a call in the background; replaced in tests.
        act: Does what a mark says, given the time limit of a command; replaced in tests.
    """

    def __init__(
        self,
        context: ComponentContext,
        *,
        load_command: Callable[[], Mark | None],
        start_thread: Callable[[Callable[[], None]], None],
        act: Callable[[Mark, timedelta], ActOutcome] | None = None,
    ) -> None:
        self._context = context
        self._load_command = load_command
        self._start_thread = start_thread
        self._do = act or self._outcome
        self._claims = Claims(marks_folder(context.folder))
        self._command: Mark | None = None
        self._command_read_at: datetime | None = None
        self._marks: list[Mark] = []
        self._now: datetime | None = None
        self._planned: datetime | None = None
        self._announced: datetime | None = None
        self._reserve = COMMAND_RESERVE
        self._due: dict[str, tuple[datetime, datetime]] = {}

    def observe(self, view: RunView) -> None:
        """Take the stop that the daemon will carry out, or that the user has asked for."""
        pending, announced = view.pending_stop, view.announced_stop
        self._planned = pending.stops_at if pending else None
        self._reserve = COMMAND_RESERVE if pending and pending.idle_time else SHORT_RESERVE
        self._announced = announced + ANNOUNCED_STOP_LIMIT if announced else None

    def needs_daemon(self) -> bool:
        """Return whether there is a mark whose work goes on, also after the end of its guard."""
        return bool(self._marks)

    def wants_reading(self, now: datetime) -> bool:
        """Return whether a mark is near and the last reading is too old for it."""
        instance = self._context.get_instance()
        stops_at = instance.auto_stop.stops_at if instance else None
        if instance is None or stops_at is None or now - instance.observed_at <= FRESH:
            return False
        return any(is_near(mark.before, stops_at, now) for mark in self._marks)

    def update(self, guards: Sequence[Guard], now: datetime) -> None:  # noqa: ARG002 - the interface
        """Fire what is due; a command runs in a thread.

        Args:
            guards: Not used: the users of a guard are shown what came of its marks also after its end.
            now: The time by the clock of the API.
        """
        self._now = now
        self._marks = self._current_marks(now)
        instance = self._context.get_instance()
        if instance is None or not instance.running:
            return
        for mark in self._marks:
            ends_at = self._next_stop(mark, instance.auto_stop.stops_at, now)
            if ends_at is not None:
                self._fire_if_due(mark, ends_at, now)

    def close(self) -> None:
        """Do nothing: a command that runs goes on without the daemon."""

    def _next_stop(self, mark: Mark, stops_at: datetime | None, now: datetime) -> datetime | None:
        """Return the stop that a mark belongs to: auto-stop, or a stop by us if that is earlier.

        A cell postpones the daemon's own stop, so that its marks belong to auto-stop only. After a stop time, the
        instance may have been started again, or not have stopped.
        """
        own = () if mark.kind == CELL else (self._planned, self._announced)
        stops = (each for each in (stops_at, *own) if each is not None and now < each)
        return min(stops, default=None)

    def _current_marks(self, now: datetime) -> list[Mark]:
        """Return the marks whose work goes on, and delete the files of the others."""
        marks = []
        for mark in read_marks(self._context.folder):
            if mark.is_alive:
                marks.append(mark)
            else:
                remove_mark(self._context.folder, mark)
        if self._command_read_at is None or now - self._command_read_at >= SETTINGS_INTERVAL:
            self._command, self._command_read_at = self._load_command(), now
        return [*marks, self._command] if self._command else marks

    def _fire_if_due(self, mark: Mark, stops_at: datetime, now: datetime) -> None:
        if stops_at != self._announced and late_by(mark, stops_at, now) < timedelta(0):
            return
        if mark.kind == CELL and now - self._due_since(mark, stops_at, now) < CONFIRMATION_TIME:
            return
        if self._claims.is_done(mark.claim_name, stops_at):
            return
        # The claim of the call itself is that of the kernel.
        name = f"{mark.claim_name}/unconfirmed" if mark.kind == CELL else mark.claim_name
        claim = self._claims.claim(name, stops_at=stops_at, now=now)
        if claim is None:
            return
        call = partial(self._act, claim, mark, stops_at, now)
        if mark.kind == COMMAND:
            self._start_thread(call)
        else:
            call()

    def _due_since(self, mark: Mark, stops_at: datetime, now: datetime) -> datetime:
        """Return since when a mark is due: it may have been set, or the stop time moved, after its time."""
        known, since = self._due.get(mark.claim_name, (None, now))
        if not same_stop_time(known, stops_at):
            since = now
        self._due[mark.claim_name] = (stops_at, since)
        return since

    def _act(self, claim: Claim, mark: Mark, stops_at: datetime, now: datetime) -> None:
        left, reserve = stops_at - now, COMMAND_RESERVE
        if stops_at in (self._planned, self._announced):
            # A stop that was not known before is no reason to say that the mark was set too late.
            mark = replace(mark, before=min(mark.before, left))
            reserve = SHORT_RESERVE if stops_at == self._announced else self._reserve
        with claim:
            outcome, status, output = self._do(mark, left - reserve)
            claim.finish(outcome)
        result = Result(mark, outcome, left, status, output, repeated=claim.is_repeat)
        record(self._context.history, result, now=self._now or now)
        self._context.report(result.message(), (mark.guard,) if mark.guard else ())

    def _outcome(self, mark: Mark, limit: timedelta) -> ActOutcome:
        """Do what a mark says."""
        if mark.kind == CELL:
            return NOT_CONFIRMED, None, ""
        if mark.kind == COMMAND:
            return self._run(mark.command, limit)
        try:
            is_sent = signal_group(mark.pid, signal_number(mark.signal), started=mark.started)
        except OSError as error:
            return FAILED, None, str(error)
        return (RAN if is_sent else ENDED), None, ""

    def _run(self, command: str, limit: timedelta) -> ActOutcome:
        work = work_folder(self._context.environ)
        return run_command(
            command,
            timeout_s=max(0.0, limit.total_seconds() / self._context.time_scale),
            folder=work if work.is_dir() else work.parent,
            environ=self._context.environ,
        )


def create_marks(context: ComponentContext) -> Marks:
    """Return the component of a daemon."""
    return Marks(
        context,
        load_command=lambda: load_command(context),
        start_thread=lambda call: threading.Thread(target=call, daemon=True).start(),
    )


def load_command(context: ComponentContext) -> Mark | None:
    """Return the mark of the setting ``before_stop`` as it is now; None if it is not set or invalid."""
    settings = current_settings(context.folder, context.environ)
    try:
        return command_mark(settings.before_stop) if settings.before_stop else None
    except ModelArtsError:
        return None
