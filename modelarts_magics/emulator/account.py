"""Emulated account: its instances, clock, active faults and request log."""

from __future__ import annotations

import copy
import math
import threading
import uuid
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Union

from modelarts_magics.emulator.auth import Authenticator, FakeCredentials
from modelarts_magics.emulator.demanager import DemanagerInstance
from modelarts_magics.emulator.faults import ActiveFaults
from modelarts_magics.emulator.notebooks import EmulatedLease, EmulatedNotebook

if TYPE_CHECKING:
    from modelarts_magics.emulator.clock import AdjustableClock
    from modelarts_magics.emulator.options import Options

AnyInstance = Union[DemanagerInstance, EmulatedNotebook]
MAX_LOG_ENTRIES = 5000
INSTANCE_AGE = timedelta(days=3)


class EmulatedAccount:
    """State of one emulator. Access it under its `lock`.

    Args:
        options: The options of the emulator.
        clock: The clock of the emulated server.
    """

    def __init__(self, options: Options, *, clock: AdjustableClock) -> None:
        self.options = options
        self.clock = clock
        self.lock = threading.RLock()
        self.credentials = FakeCredentials()
        expires = (
            clock.now() + timedelta(hours=options.token_hours) if options.token_hours else None
        )
        self.authenticator = Authenticator(self.credentials, token_expires=expires)
        self.faults = ActiveFaults()
        self.log: deque[dict[str, Any]] = deque(maxlen=MAX_LOG_ENTRIES)
        self._instances: dict[str, dict[str, AnyInstance]] = {"demanager": {}, "notebooks": {}}
        self._previous: dict[str, AnyInstance] = {}
        self.demanager_id = self.add_instance("demanager", instance_id=options.instance_id)
        self.notebook_id = self.add_instance("notebooks", instance_id=options.notebook_id)

    def add_instance(
        self,
        api: str,
        *,
        instance_id: str | None = None,
        name: str | None = None,
        minutes_left: float | None = None,
    ) -> str:
        """Add a RUNNING instance and return its id.

        Args:
            api: "demanager" or "notebooks".
            instance_id: The id; generated if None.
            name: The name; the one of the options if None.
            minutes_left: Minutes until it stops; those of the options if None.
        """
        form = self.options.id_form if api == "demanager" else "uuid"
        generated_id = f"DE-{uuid.uuid1()}" if form == "de" else str(uuid.uuid4())
        new_id = instance_id or generated_id
        left = timedelta(minutes=minutes_left or self.options.minutes_left)
        make = self._make_demanager_instance if api == "demanager" else self._make_notebook
        self._instances[api][new_id] = make(new_id, name=name or self.options.name, left=left)
        return new_id

    def find(self, api: str, instance_id: str) -> AnyInstance | None:
        """Return the current state of an instance, or None if it does not exist."""
        found = self._instances[api].get(instance_id)
        if found is not None:
            found.advance_to(self.clock.now())
        return found

    def find_previous(self, api: str, instance_id: str) -> AnyInstance | None:
        """Return an instance as it was before its last write, for a stale read."""
        before = self._previous.get(instance_id)
        return self.find(api, instance_id) if before is None else before

    def list_instances(self, api: str) -> list[AnyInstance]:
        """Return the current state of all instances of an API."""
        now = self.clock.now()
        for instance in self._instances[api].values():
            instance.advance_to(now)
        return list(self._instances[api].values())

    def save_previous(self, before: AnyInstance) -> None:
        """Save the state of an instance before a write."""
        self._previous[before.id] = before

    def restore(self, api: str, instance: AnyInstance) -> None:
        """Undo a write by restoring an earlier copy of the instance."""
        self._instances[api][instance.id] = copy.deepcopy(instance)

    def _make_demanager_instance(
        self, new_id: str, *, name: str, left: timedelta
    ) -> DemanagerInstance:
        now = self.clock.now()
        hours = max(1, math.ceil(left / timedelta(hours=1)))
        duration = timedelta(hours=hours)
        return DemanagerInstance(
            id=new_id,
            name=name,
            description=self.options.description,
            created_at=now - INSTANCE_AGE,
            updated_at=now - INSTANCE_AGE,
            transition_time=timedelta(seconds=self.options.transition_s),
            running_since=now + left - duration,
            stops_at=now + left if self.options.auto_stop else None,
            enable=self.options.auto_stop,
            duration=duration,
        )

    def _make_notebook(self, new_id: str, *, name: str, left: timedelta) -> EmulatedNotebook:
        now = self.clock.now()
        hours = max(1, math.ceil(left / timedelta(hours=1)))
        renewed_at = now + left - timedelta(hours=hours)
        lease = EmulatedLease(
            create_at=now - INSTANCE_AGE,
            duration=left + INSTANCE_AGE,
            enable=self.options.auto_stop,
            type="TIMING",
            update_at=renewed_at,
        )
        notebook = EmulatedNotebook(
            id=new_id,
            name=name,
            description=self.options.description,
            created_at=now - INSTANCE_AGE,
            updated_at=now - INSTANCE_AGE,
            transition_time=timedelta(seconds=self.options.transition_s),
            running_since=renewed_at,
            lease=lease,
        )
        notebook.update_stop_time()
        return notebook
