"""The daemon of one instance: a background process that keeps it running for the guards.

It is elected by a lock, started by any process that needs it, and independent of all of them. Each pass looks at
the guards, lets go of those whose work has ended, asks the keeper for the next call of the API, calls the
components and writes the state file. Calls of the API run in a thread, so that a slow one delays nothing else.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive import guards as guard_files
from modelarts_magics.keepalive import pages, requests, switched_mode
from modelarts_magics.keepalive.components import RunView
from modelarts_magics.keepalive.guards import RUNNING_CELL, WHILE_BUSY
from modelarts_magics.keepalive.idle_stop import IdleStopper
from modelarts_magics.keepalive.keeper import JobKind
from modelarts_magics.keepalive.notifications.results import ENDING_KINDS, note_end
from modelarts_magics.keepalive.state import (
    DaemonState,
    GuardState,
    PlannedStop,
    StateWriter,
    memory_to_json,
)
from modelarts_magics.keepalive.terminal_warning import warn_terminals
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.keepalive.components import ComponentRunner
    from modelarts_magics.keepalive.daemon_host import DaemonHost
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.idle_stop import Announce
    from modelarts_magics.keepalive.keeper import Job, Keeper
    from modelarts_magics.keepalive.stopping import PendingStop

PASS_INTERVAL_S = 1.0
"""The longest time between two looks at the guards."""
_WAITS_IF_WATCHED, _WAITS_IF_UNWATCHED = 2, 4
"""The number of these times between two passes for everything else. A mark has to be noticed within 5 s."""
IDLE_TIME = timedelta(seconds=30)
"""How long the daemon waits for the next guard before it ends."""


@dataclass(frozen=True)
class Identity:
    """The daemon, for those who read its state.

    Attributes:
        pid: The process.
        since: When it was started, by the clock of this machine.
        package: The version of this package.
    """

    pid: int
    since: datetime
    package: str


class Daemon:
    """Run passes until nothing needs the daemon any more.

    Args:
        folder: The folder of the daemon.
        keeper: Keeps the instance.
        host: The events of the keeper.
        components: The other parts.
        identity: The entries about itself in the state file.
        monotonic: Returns seconds that are scaled like all waits.
        start_thread: Makes a call in the background; replaced in tests.
        announce: Warns of a stop because nothing works; replaced in tests.

    Attributes:
        wakeup: Set when the next pass is due.
        is_replaced: Whether a successor has asked this daemon to make room.
    """

    def __init__(  # noqa: PLR0913 - its parts, each replaced in tests
        self,
        folder: Path,
        *,
        keeper: Keeper,
        host: DaemonHost,
        components: ComponentRunner,
        identity: Identity,
        monotonic: Callable[[], float],
        start_thread: Callable[[Callable[[], None]], None],
        announce: Announce = warn_terminals,
    ) -> None:
        self._folder = folder
        self._keeper = keeper
        self._host = host
        self._components = components
        self._identity = identity
        self._monotonic = monotonic
        self._start_thread = start_thread
        self._writer = StateWriter(folder)
        self._idle_stopper = IdleStopper(folder, keeper, announce=announce)
        self._job: Job | None = None
        self._result: object = None
        self._job_done = False
        self._idle_since_s = monotonic()
        self._is_asked_to_end = False
        self._guards: list[Guard] = []
        self.wakeup = threading.Event()
        self.is_replaced = False

    def run_pass(self) -> bool:
        """Do the next step; return whether to go on."""
        request = requests.take_request(self._folder)
        if request == requests.REPLACE:
            self.is_replaced = True
            return False
        if request == requests.END:
            self._is_asked_to_end = True
        guards = self._guards = self._current_guards()
        self._finish_job(guards)
        self._idle_stopper.update(guards, self._components.report())
        self._start_job(guards)
        self._components.observe(self._view(guards))
        self._components.update(guards, self._keeper.now)
        self._write_state(guards)
        return self._is_needed(guards)

    def wait_for_next_pass(self, interval_s: float) -> None:
        """Wait for a request, for the end of guarded work, or until everything has to be looked at again.

        Args:
            interval_s: The longest time until the end of the work is noticed, in seconds.
        """
        waits = _WAITS_IF_WATCHED if self._is_watched() else _WAITS_IF_UNWATCHED
        is_woken = self.wakeup.wait(interval_s)
        for _ in range(waits - 1):
            if is_woken or not self._is_quiet():
                break
            is_woken = self.wakeup.wait(interval_s)
        self.wakeup.clear()

    def _is_watched(self) -> bool:
        """Return whether what works is of use now: for a stop, a guard, or a question within the last minutes."""
        return (
            self._idle_stopper.is_on
            or any(guard.kind == WHILE_BUSY for guard in self._guards)
            or requests.is_daemon_requested(self._folder, SYSTEM_CLOCK.now())
        )

    def _is_quiet(self) -> bool:
        """Return whether no stop is near and the guarded work goes on, which takes little time to find out."""
        return self._keeper.pending_stop is None and all(
            guard.kind != RUNNING_CELL and guard_files.is_alive(self._folder, guard)
            for guard in self._guards
        )

    def close(self) -> None:
        """Close the components and the session."""
        self._components.close()
        if self._keeper.session is not None:
            self._keeper.session.close()

    def _current_guards(self) -> list[Guard]:
        """Return the guards whose work goes on, and let go of the others."""
        current = []
        now = self._keeper.now
        for guard in guard_files.read_guards(self._folder):
            if not guard_files.is_alive(self._folder, guard):
                if guard.kind in ENDING_KINDS:
                    note_end(self._folder, guard, now)
                guard_files.discard_files(self._folder, guard)
                self._keeper.work_ended(guard)
            elif self._keeper.session is not None and now >= guard.until:
                self._end_at_bound(guard)
            else:
                current.append(guard)
        return current

    def _end_at_bound(self, guard: Guard) -> None:
        self._host.report(Message("keep.bound_reached", {"until": guard.until}), (guard,))
        self._host.end_guard(guard)
        self._keeper.work_ended(guard)

    def _finish_job(self, guards: Sequence[Guard]) -> None:
        if self._job is not None and self._job_done:
            job, self._job, self._job_done = self._job, None, False
            self._keeper.finish(job, self._result, guards)

    def _start_job(self, guards: Sequence[Guard]) -> None:
        if self._job is not None:
            return
        is_switched = switched_mode.is_mode_switched(self._folder)
        is_idle = not guards and self._keeper.pending_stop is None and not is_switched
        if is_idle and self._keeper.instance is not None and not self._components.need_daemon():
            return
        if self._components.want_reading(self._keeper.now):
            self._keeper.read_soon()
        self._sync_pending_stop()
        # Only a stop depends on what else works, and finding that out takes longer than the rest of a pass.
        pending = self._keeper.pending_stop
        busy = self._components.working() if pending is not None else ()
        is_saved = pending is None or pages.are_pages_saved(self._folder, pending.since)
        job = self._keeper.next_job(guards, busy=busy, is_saved=is_saved)
        if job is None:
            return
        self._job = job
        # A renewal is in the state file before it is sent, so that a successor knows it as its own.
        self._write_state(guards)
        self._start_thread(lambda: self._make_call(job))

    def _sync_pending_stop(self) -> None:
        """Cancel the stop if its file was deleted, for example by ``keep end``."""
        if self._keeper.pending_stop is not None and not requests.is_stop_pending(self._folder):
            self._keeper.set_pending_stop(None)

    def _make_call(self, job: Job) -> None:
        try:
            self._result = job.call()
        except ModelArtsError as error:
            self._result = error.with_traceback(None)
        # A bug must not end the daemon: the call counts as failed, and is repeated.
        except Exception as error:  # noqa: BLE001 - see above
            self._result = ModelArtsError("keep.internal_error", cause=repr(error))
        self._job_done = True
        self.wakeup.set()

    def _is_needed(self, guards: Sequence[Guard]) -> bool:
        if guards:
            self._is_asked_to_end = False
        # Reading is no need of its own: without credentials, for example, it is tried again and again.
        is_writing = self._job is not None and self._job.kind not in (JobKind.OPEN, JobKind.READ)
        is_busy = is_writing or self._keeper.pending_stop is not None
        is_watching = self._idle_stopper.is_on or self._components.need_daemon()
        if guards or is_busy or is_watching:
            self._idle_since_s = self._monotonic()
            return True
        if switched_mode.is_mode_switched(self._folder) and not (
            self._is_asked_to_end and self._keeper.problem is not None
        ):
            self._idle_since_s = self._monotonic()
            return True
        if self._is_asked_to_end:
            return False
        if requests.is_daemon_requested(self._folder, SYSTEM_CLOCK.now()):
            return True
        return self._monotonic() - self._idle_since_s < IDLE_TIME.total_seconds()

    def _view(self, guards: Sequence[Guard]) -> RunView:
        """Return what the components may know about the run."""
        keeper = self._keeper
        is_urgent = keeper.is_problem_urgent(guards)
        return RunView(
            instance=keeper.instance,
            started_at=keeper.started_at,
            kept=keeper.kept(guards),
            pending_stop=keeper.pending_stop,
            announced_stop=requests.announced_stop(self._folder),
            problem=keeper.problem_message if is_urgent else None,
            events=tuple(self._host.events),
        )

    def _write_state(self, guards: Sequence[Guard]) -> None:
        keeper, identity = self._keeper, self._identity
        pending = keeper.pending_stop
        self._writer.write(
            DaemonState(
                pid=identity.pid,
                since=identity.since,
                package=identity.package,
                covered_until=keeper.covered_until(guards),
                guards={guard.id: self._guard_state(guard) for guard in guards},
                problem=keeper.problem_message,
                problem_urgent=keeper.is_problem_urgent(guards),
                events=tuple(self._host.events),
                stop=_planned_stop(pending) if pending else None,
                components=dict(self._components.errors),
                memory=memory_to_json(keeper.memory),
            )
        )

    def _guard_state(self, guard: Guard) -> GuardState:
        admission = self._keeper.admissions.get(guard.id)
        if admission is None or admission.needs_proof:
            return GuardState(None, guard.until)
        return GuardState(
            admission.refusal is None, admission.until, admission.refusal, admission.notes
        )


def _planned_stop(pending: PendingStop) -> PlannedStop:
    is_saving = pending.saving_since is not None
    return PlannedStop(
        pending.name,
        pending.stops_at,
        pending.waiting_for,
        pending.since,
        is_saving=is_saving,
        idle_time=pending.idle_time,
    )
