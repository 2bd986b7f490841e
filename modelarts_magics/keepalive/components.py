"""The parts of the daemon besides the renewals, each of which may fail without taking the others along."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Callable, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.keepalive.guards import Guard

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

    # A component may also have a method `working`, which returns what works on the instance as texts to show.


@dataclass(frozen=True)
class ComponentContext:
    """The environment of a component.

    Attributes:
        folder: The folder of the daemon, on a local disk.
        environ: The environment variables of the daemon.
        time_scale: By how much waits are divided; 1 except in tests.
    """

    folder: Path
    environ: Mapping[str, str]
    time_scale: float = 1.0


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
        for name, component in self._components.items():
            working = getattr(component, "working", None)
            if working is not None:
                self._call(name, partial(_extend, found, working))
        return tuple(found)

    def update(self, guards: Sequence[Guard], now: datetime) -> None:
        """Call each component once."""
        for name, component in self._components.items():
            self._call(name, partial(component.update, guards, now))

    def close(self) -> None:
        """Close each component."""
        for name, component in self._components.items():
            self._call(name, component.close)

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


def _extend(found: list[str], working: Callable[[], Sequence[str]]) -> None:
    found.extend(working())
