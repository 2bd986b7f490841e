"""The routes under `/emulator`: look at the world, move its clock, break it, set it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.emulator import errors
from modelarts_magics.emulator.checks import json_object
from modelarts_magics.emulator.clock import from_ms
from modelarts_magics.emulator.cloud import Reply
from modelarts_magics.emulator.demanager import DevInstance
from modelarts_magics.emulator.errors import ApiError
from modelarts_magics.emulator.faults import make
from modelarts_magics.emulator.http import BaseHandler
from modelarts_magics.emulator.notebooks import Notebook

if TYPE_CHECKING:
    from modelarts_magics.emulator.world import AnyInstance, World

LOOPBACK = ("127.0.0.1", "localhost")


def state(world: World) -> dict[str, Any]:
    """Return everything there is to see, secrets excepted."""
    with world.lock:
        return {
            "now": world.clock.now().isoformat(),
            "api": world.options.api,
            "edition": world.options.edition,
            "time_scale": world.options.time_scale,
            "project_id": world.credentials.project_id,
            "instances": [
                _seen(api, one) for api in ("demanager", "notebooks") for one in world.all_of(api)
            ],
            "faults": world.faults.listed(),
            "requests": list(world.log),
        }


def _seen(api: str, instance: AnyInstance) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "api": api,
        "id": instance.id,
        "name": instance.name,
        "description": instance.description,
        "status": instance.status,
        "running_since": instance.running_since and instance.running_since.isoformat(),
        "stops_at": instance.stops_at and instance.stops_at.isoformat(),
        "runs_down": instance.runs_down,
    }
    if isinstance(instance, DevInstance):
        seen["enable"], seen["prompt"] = instance.enable, instance.prompt
        seen["duration_s"] = instance.duration.total_seconds()
    else:
        lease = instance.lease
        seen["enable"], seen["type"] = lease.enable, lease.type
        seen["duration_s"] = lease.duration.total_seconds()
        seen["create_at"] = lease.create_at.isoformat()
    return seen


def set_instance(world: World, *, instance_id: str | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - checked by name
    """Put fields of an instance as they are given, legal or not, and return what is seen.

    Args:
        world: Whose instance.
        instance_id: Which one; the printed one if None.
        fields: `status`, `name`, `description`, `runs_down`, `minutes_left` (from now; None for
            no stop), `auto_stop` (`enable`, `duration` in s, `prompt`), `lease` (`create_at` and
            `duration` in ms, `enable`, `type`).

    Raises:
        ValueError: No such instance or field.
    """
    with world.lock:
        api, instance = _pick(world, instance_id)
        unknown = set(fields) - set(_SETTERS) - {"status"}
        if unknown:
            raise ValueError(f"no field {', '.join(sorted(unknown))}")
        for name, setter in _SETTERS.items():
            if name in fields:
                setter(world, instance, fields[name])
        if "status" in fields:
            instance.force(fields["status"], now=world.clock.now())
            if "minutes_left" in fields:
                _set_minutes_left(world, instance, fields["minutes_left"])
        instance.settle(world.clock.now())
        return _seen(api, instance)


def _pick(world: World, instance_id: str | None) -> tuple[str, AnyInstance]:
    default = world.demanager_id if world.options.api == "demanager" else world.notebook_id
    for api in ("demanager", "notebooks"):
        found = world.find(api, instance_id or default)
        if found is not None:
            return api, found
    raise ValueError(f"no instance {instance_id}")


def _set_plain(name: str) -> Callable[[World, AnyInstance, Any], None]:
    def put(_world: World, instance: AnyInstance, value: Any) -> None:  # noqa: ANN401 - as given
        setattr(instance, name, value)

    return put


def _set_auto_stop(_world: World, instance: AnyInstance, value: dict[str, Any]) -> None:
    if not isinstance(instance, DevInstance):
        raise ValueError("auto_stop belongs to demanager")  # noqa: TRY004 - one error for all
    instance.enable = value.get("enable", instance.enable)
    instance.prompt = value.get("prompt", instance.prompt)
    if "duration" in value:
        instance.duration = timedelta(seconds=value["duration"])
    if instance.running_since is not None:
        instance.run_started(instance.running_since)


def _set_lease(_world: World, instance: AnyInstance, value: dict[str, Any]) -> None:
    if not isinstance(instance, Notebook):
        raise ValueError("lease belongs to notebooks")  # noqa: TRY004 - one error for all
    lease = instance.lease
    if "create_at" in value:
        lease.create_at = from_ms(value["create_at"])
    if "duration" in value:
        lease.duration = timedelta(milliseconds=value["duration"])
    lease.enable = value.get("enable", lease.enable)
    lease.type = value.get("type", lease.type)
    instance.schedule()


def _set_minutes_left(world: World, instance: AnyInstance, minutes: float | None) -> None:
    now = world.clock.now()
    stops_at = None if minutes is None else now + timedelta(minutes=minutes)
    if isinstance(instance, Notebook):
        instance.lease.enable = minutes is not None
        if stops_at is not None:
            instance.lease.duration = stops_at - instance.lease.create_at
        instance.schedule()
        return
    instance.enable = minutes is not None
    if instance.status == "RUNNING":
        instance.stops_at = stops_at
        instance.running_since = now if stops_at is None else stops_at - instance.duration


_SETTERS: dict[str, Callable[[World, AnyInstance, Any], None]] = {
    "runs_down": _set_plain("runs_down"),
    "name": _set_plain("name"),
    "description": _set_plain("description"),
    "auto_stop": _set_auto_stop,
    "lease": _set_lease,
    "minutes_left": _set_minutes_left,
}


class ControlHandler(BaseHandler):
    """Answers the control routes, to programs on this machine only."""

    def prepare(self) -> None:
        """Refuse what a foreign web page could send: another host name, or no JSON."""
        if self.request.host_name not in LOOPBACK or "Origin" in self.request.headers:
            self.send_json(self.cloud.refuse(errors.NOT_AUTHORISED))

    def get(self, name: str) -> None:
        """Return the state, or the faults in force."""
        if name == "state":
            self.send_json(Reply(200, state(self.world)))
        elif name == "faults":
            self.send_json(Reply(200, {"faults": self.world.faults.listed()}))
        else:
            self.send_json(self.cloud.refuse(errors.NO_SUCH_API))

    def delete(self, name: str) -> None:
        """Clear the faults."""
        if name != "faults":
            self.send_json(self.cloud.refuse(errors.NO_SUCH_API))
            return
        with self.world.lock:
            self.world.faults.clear()
        self.send_json(Reply(200, {"faults": []}))

    def post(self, name: str) -> None:
        """Do what the route says, or explain with 400 what is wrong with the request."""
        if name not in _COMMANDS:
            self.send_json(self.cloud.refuse(errors.NO_SUCH_API))
            return
        kind = self.request.headers.get("Content-Type", "")
        try:
            body = json_object(self.request.body, content_type=kind, refusal=errors.BAD_PAYLOAD)
            with self.world.lock:
                answer = _COMMANDS[name](self.world, body)
        except (ValueError, TypeError, AttributeError, ApiError) as error:
            self.send_json(self.cloud.refuse(errors.BAD_PAYLOAD, message=str(error)))
        else:
            self.send_json(Reply(200, answer))


def _advance(world: World, body: dict[str, Any]) -> dict[str, Any]:
    world.clock.advance(timedelta(seconds=body.get("seconds", 0)))
    return {"now": world.clock.now().isoformat()}


def _add_fault(world: World, body: dict[str, Any]) -> dict[str, Any]:
    world.faults.add(make(body.pop("name", ""), **body))
    return {"faults": world.faults.listed()}


def _set(world: World, body: dict[str, Any]) -> dict[str, Any]:
    return set_instance(world, instance_id=body.pop("id", None), **body)


def _add(world: World, body: dict[str, Any]) -> dict[str, Any]:
    new_id = world.add(body.pop("api", world.options.api), **body)
    return set_instance(world, instance_id=new_id)


_COMMANDS: dict[str, Callable[[World, dict[str, Any]], dict[str, Any]]] = {
    "advance": _advance,
    "faults": _add_fault,
    "instance": _set,
    "instances": _add,
}
