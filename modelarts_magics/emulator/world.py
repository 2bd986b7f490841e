"""The emulated account: its instances, its clock, its faults, and a log of what was asked."""

from __future__ import annotations

import copy
import math
import threading
import uuid
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Union

from modelarts_magics.emulator.auth import Credentials, Gate
from modelarts_magics.emulator.demanager import DevInstance
from modelarts_magics.emulator.faults import Faults
from modelarts_magics.emulator.notebooks import Lease, Notebook

if TYPE_CHECKING:
    from modelarts_magics.emulator.clock import Clock
    from modelarts_magics.emulator.options import Options

AnyInstance = Union[DevInstance, Notebook]
LOG_LENGTH = 5000
AGE = timedelta(days=3)


class World:
    """Everything that one emulator knows; use it under its lock.

    Args:
        options: The choices at the start.
        clock: The server's clock.
    """

    def __init__(self, options: Options, *, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.lock = threading.RLock()
        self.credentials = Credentials()
        expires = (
            clock.now() + timedelta(hours=options.token_hours) if options.token_hours else None
        )
        self.gate = Gate(self.credentials, token_expires=expires)
        self.faults = Faults()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self._instances: dict[str, dict[str, AnyInstance]] = {"demanager": {}, "notebooks": {}}
        self._before: dict[str, AnyInstance] = {}
        self.demanager_id = self.add("demanager", instance_id=options.instance_id)
        self.notebook_id = self.add("notebooks", instance_id=options.notebook_id)

    def add(
        self,
        api: str,
        *,
        instance_id: str | None = None,
        name: str | None = None,
        minutes_left: float | None = None,
    ) -> str:
        """Make one more instance, RUNNING, and return its id."""
        form = self.options.id_form if api == "demanager" else "uuid"
        made_up = f"DE-{uuid.uuid1()}" if form == "de" else str(uuid.uuid4())
        new_id = instance_id or made_up
        left = timedelta(minutes=minutes_left or self.options.minutes_left)
        make = self._dev_instance if api == "demanager" else self._notebook
        self._instances[api][new_id] = make(new_id, name=name or self.options.name, left=left)
        return new_id

    def find(self, api: str, instance_id: str) -> AnyInstance | None:
        """Return an instance as it is now, or None."""
        found = self._instances[api].get(instance_id)
        if found is not None:
            found.settle(self.clock.now())
        return found

    def find_before(self, api: str, instance_id: str) -> AnyInstance | None:
        """Return an instance as it was before its last write, for a stale read."""
        before = self._before.get(instance_id)
        return self.find(api, instance_id) if before is None else before

    def all_of(self, api: str) -> list[AnyInstance]:
        """Return every instance of one API as it is now."""
        now = self.clock.now()
        for instance in self._instances[api].values():
            instance.settle(now)
        return list(self._instances[api].values())

    def remember(self, before: AnyInstance) -> None:
        """Keep how an instance was before its last write."""
        self._before[before.id] = before

    def put_back(self, api: str, instance: AnyInstance) -> None:
        """Undo a write by putting the earlier copy in place."""
        self._instances[api][instance.id] = copy.deepcopy(instance)

    def _dev_instance(self, new_id: str, *, name: str, left: timedelta) -> DevInstance:
        now = self.clock.now()
        hours = max(1, math.ceil(left / timedelta(hours=1)))
        duration = timedelta(hours=hours)
        return DevInstance(
            id=new_id,
            name=name,
            description=self.options.description,
            created_at=now - AGE,
            updated_at=now - AGE,
            transition=timedelta(seconds=self.options.transition_s),
            running_since=now + left - duration,
            stops_at=now + left if self.options.auto_stop else None,
            enable=self.options.auto_stop,
            duration=duration,
        )

    def _notebook(self, new_id: str, *, name: str, left: timedelta) -> Notebook:
        now = self.clock.now()
        hours = max(1, math.ceil(left / timedelta(hours=1)))
        renewed_at = now + left - timedelta(hours=hours)
        lease = Lease(
            create_at=now - AGE,
            duration=left + AGE,
            enable=self.options.auto_stop,
            type="TIMING",
            update_at=renewed_at,
        )
        notebook = Notebook(
            id=new_id,
            name=name,
            description=self.options.description,
            created_at=now - AGE,
            updated_at=now - AGE,
            transition=timedelta(seconds=self.options.transition_s),
            running_since=renewed_at,
            lease=lease,
        )
        notebook.schedule()
        return notebook
