"""The parts of the daemon besides the renewals, each of which may fail without taking the others along."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.keepalive.activity.report import ActivityReport
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.state import Event
    from modelarts_magics.keepalive.stopping import PendingStop
    from modelarts_magics.messages import Message

_LOG = logging.getLogger(__name__)


class Component(Protocol):
    """A part of the daemon that its loop calls."""

    def update(self, guards: Sequence[Guard], now: datetime) -> None:
        """Do the next step and return at once; called at least every 2 s while guards exist.

        Args:
            guards: The guards whose work goes on.
            now: The time by the clock of the API.
        """

    def close(self) -> None:
        """Release everything; the daemon ends."""

    # A component may also have these methods: `working` returns what works on the instance as texts to show;
    # `observe(view)` takes a `RunView` before each update; `needs_daemon` returns whether the daemon has to run
    # although nothing is guarded; `wants_reading(now)` returns whether the instance should be read now; the
    # property `report` has everything that works or may work.


@dataclass(frozen=True)
class RunView:
    """The run of the instance, as the daemon knows it.

    Attributes:
        instance: The instance as read last; None before the first reading.
        started_at: When this run started; None if that is unknown.
        kept: The guards that the instance is kept for.
        pending_stop: The stop after the work; None if there is none.
        announced_stop: When the user asked to stop the instance at once; None if that did not happen.
        problem: Why the instance may not be kept; None if no problem is urgent.
        events: The last events, oldest first.
    """

    instance: Instance | None = None
    started_at: datetime | None = None
    kept: tuple[Guard, ...] = ()
    pending_stop: PendingStop | None = None
    announced_stop: datetime | None = None
    problem: Message | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class ComponentContext:
    """The environment of a component.

    Attributes:
        folder: The folder of the daemon, on a local disk.
        environ: The environment variables of the daemon.
        time_scale: By how much waits are divided; 1 except in tests.
        history: The path of the history; None to keep none.
        get_instance: Returns the instance as any process of this machine has read it last; None if none has.
        report: Adds an event that the users of guards are shown, by the IDs of the guards, which may have ended.
    """

    folder: Path
    environ: Mapping[str, str]
    time_scale: float = 1.0
    history: Path | None = None
    get_instance: Callable[[], Instance | None] = lambda: None
    report: Callable[[Message, Sequence[str]], None] = lambda _message, _guard_ids: None


Factory = Callable[[ComponentContext], Component]


class ComponentRunner:
    """Call the components, and record which of them fail.

    Args:
        context: The environment of the components.
        factories: A function that creates each component, by the name to show for it.

    Attributes:
        errors: The last error of each component that failed in its last call, by name.
    """

    def __init__(
        self,
        context: ComponentContext,
        factories: Mapping[str, Factory],
    ) -> None:
        self.errors: dict[str, str] = {}
        self._components: dict[str, Component] = {}
        for name, create in factories.items():
            self._call(name, partial(self._add, name, create, context))

    def working(self) -> tuple[str, ...]:
        """Return what works on the instance besides guards, as far as components know it."""
        found: list[str] = []
        self._call_optional("working", lambda working: found.extend(working()))
        return tuple(found)

    def observe(self, view: RunView) -> None:
        """Show the run to the components that look at it."""
        self._call_optional("observe", lambda observe: observe(view))

    def need_daemon(self) -> bool:
        """Return whether a component needs the daemon although nothing is guarded."""
        found: list[bool] = []
        self._call_optional("needs_daemon", lambda needs_daemon: found.append(needs_daemon()))
        return any(found)

    def want_reading(self, now: datetime) -> bool:
        """Return whether a component needs an up-to-date reading of the instance."""
        found: list[bool] = []
        self._call_optional("wants_reading", lambda wants: found.append(wants(now)))
        return any(found)

    def report(self) -> ActivityReport | None:
        """Return the report of what works; None if there is none, also after a failure."""
        reports = (
            getattr(component, "report", None)
            for name, component in self._components.items()
            if name not in self.errors
        )
        return next((report for report in reports if report is not None), None)

    def update(self, guards: Sequence[Guard], now: datetime) -> None:
        """Call each component once."""
        for name, component in self._components.items():
            self._call(name, partial(component.update, guards, now))

    def close(self) -> None:
        """Close each component."""
        for name, component in self._components.items():
            self._call(name, component.close)

    def _call_optional(self, method: str, call: Callable[[Callable[..., Any]], None]) -> None:
        for name, component in self._components.items():
            found = getattr(component, method, None)
            if found is not None:
                # An error of this method is shown until the next update.
                self._call(name, partial(call, found))

    def _add(self, name: str, create: Factory, context: ComponentContext) -> None:
        self._components[name] = create(context)

    def _call(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        # A component may raise anything, and the renewals must go on.
        except Exception as error:  # noqa: BLE001 - see above
            if name not in self.errors:
                _LOG.exception("The component %s failed", name)
            self.errors[name] = f"{type(error).__name__}: {error}"
        else:
            self.errors.pop(name, None)
