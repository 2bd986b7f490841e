"""Control routes under `/emulator`: read the state, change the clock, the faults and the instances."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.emulator import errors
from modelarts_magics.emulator.api import JsonResponse
from modelarts_magics.emulator.clock import from_ms
from modelarts_magics.emulator.demanager import DemanagerInstance
from modelarts_magics.emulator.errors import EmulatedApiError
from modelarts_magics.emulator.faults import make_fault
from modelarts_magics.emulator.http import BaseHandler
from modelarts_magics.emulator.notebooks import EmulatedNotebook
from modelarts_magics.emulator.validation import parse_json_object

if TYPE_CHECKING:
    from modelarts_magics.emulator.account import AnyInstance, EmulatedAccount

LOOPBACK_HOSTS = ("127.0.0.1", "localhost")


def emulator_state(account: EmulatedAccount) -> dict[str, Any]:
    """Return the whole state as JSON, without credentials."""
    with account.lock:
        return {
            "now": account.clock.now().isoformat(),
            "api": account.options.api,
            "edition": account.options.edition,
            "time_scale": account.options.time_scale,
            "project_id": account.credentials.project_id,
            "instances": [
                _instance_state(api, one)
                for api in ("demanager", "notebooks")
                for one in account.list_instances(api)
            ],
            "faults": account.faults.to_json(),
            "requests": list(account.log),
        }


def _instance_state(api: str, instance: AnyInstance) -> dict[str, Any]:
    state: dict[str, Any] = {
        "api": api,
        "id": instance.id,
        "name": instance.name,
        "description": instance.description,
        "status": instance.status,
        "running_since": instance.running_since and instance.running_since.isoformat(),
        "stops_at": instance.stops_at and instance.stops_at.isoformat(),
        "stops_on_time": instance.stops_on_time,
    }
    if isinstance(instance, DemanagerInstance):
        state["enable"], state["prompt"] = instance.enable, instance.prompt
        state["duration_s"] = instance.duration.total_seconds()
    else:
        lease = instance.lease
        state["enable"], state["type"] = lease.enable, lease.type
        state["duration_s"] = lease.duration.total_seconds()
        state["create_at"] = lease.create_at.isoformat()
    return state


def set_instance(
    account: EmulatedAccount,
    *,
    instance_id: str | None = None,
    **fields: Any,  # noqa: ANN401 - values of any JSON type
) -> dict[str, Any]:
    """Set fields of an instance without checking them, and return its state.

    Args:
        account: The account.
        instance_id: The instance; the one of the chosen API if None.
        fields: `status`, `name`, `description`, `stops_on_time`, `minutes_left` (from now; None
            without a stop), `auto_stop` (`enable`, `duration` in s, `prompt`), `lease` (`create_at`
            and `duration` in ms, `enable`, `type`).

    Raises:
        ValueError: The instance or a field does not exist.
    """
    with account.lock:
        api, instance = _find_instance(account, instance_id)
        unknown = set(fields) - set(_SETTERS) - {"status"}
        if unknown:
            raise ValueError(f"no field {', '.join(sorted(unknown))}")
        for name, setter in _SETTERS.items():
            if name in fields:
                setter(account, instance, fields[name])
        if "status" in fields:
            instance.set_status(fields["status"], now=account.clock.now())
            if "minutes_left" in fields:
                _set_minutes_left(account, instance, fields["minutes_left"])
        instance.advance_to(account.clock.now())
        return _instance_state(api, instance)


def _find_instance(account: EmulatedAccount, instance_id: str | None) -> tuple[str, AnyInstance]:
    default = account.demanager_id if account.options.api == "demanager" else account.notebook_id
    for api in ("demanager", "notebooks"):
        found = account.find(api, instance_id or default)
        if found is not None:
            return api, found
    raise ValueError(f"no instance {instance_id}")


def _attribute_setter(name: str) -> Callable[[EmulatedAccount, AnyInstance, Any], None]:
    def set_attribute(_account: EmulatedAccount, instance: AnyInstance, value: Any) -> None:  # noqa: ANN401 - as given
        setattr(instance, name, value)

    return set_attribute


def _set_auto_stop(_account: EmulatedAccount, instance: AnyInstance, value: dict[str, Any]) -> None:
    if not isinstance(instance, DemanagerInstance):
        raise ValueError("auto_stop belongs to demanager")  # noqa: TRY004 - documented as ValueError
    instance.enable = value.get("enable", instance.enable)
    instance.prompt = value.get("prompt", instance.prompt)
    if "duration" in value:
        instance.duration = timedelta(seconds=value["duration"])
    if instance.running_since is not None:
        instance.start_run(instance.running_since)


def _set_lease(_account: EmulatedAccount, instance: AnyInstance, value: dict[str, Any]) -> None:
    if not isinstance(instance, EmulatedNotebook):
        raise ValueError("lease belongs to notebooks")  # noqa: TRY004 - documented as ValueError
    lease = instance.lease
    if "create_at" in value:
        lease.create_at = from_ms(value["create_at"])
    if "duration" in value:
        lease.duration = timedelta(milliseconds=value["duration"])
    lease.enable = value.get("enable", lease.enable)
    lease.type = value.get("type", lease.type)
    instance.update_stop_time()


def _set_minutes_left(
    account: EmulatedAccount, instance: AnyInstance, minutes: float | None
) -> None:
    now = account.clock.now()
    stops_at = None if minutes is None else now + timedelta(minutes=minutes)
    if isinstance(instance, EmulatedNotebook):
        instance.lease.enable = minutes is not None
        if stops_at is not None:
            instance.lease.duration = stops_at - instance.lease.create_at
        instance.update_stop_time()
        return
    instance.enable = minutes is not None
    if instance.status == "RUNNING":
        instance.stops_at = stops_at
        instance.running_since = now if stops_at is None else stops_at - instance.duration


_SETTERS: dict[str, Callable[[EmulatedAccount, AnyInstance, Any], None]] = {
    "stops_on_time": _attribute_setter("stops_on_time"),
    "name": _attribute_setter("name"),
    "description": _attribute_setter("description"),
    "auto_stop": _set_auto_stop,
    "lease": _set_lease,
    "minutes_left": _set_minutes_left,
}


class ControlHandler(BaseHandler):
    """Handler of the control routes; it serves only programs on this machine."""

    def prepare(self) -> None:
        """Refuse requests that a web page in a browser could send."""
        if self.request.host_name not in LOOPBACK_HOSTS or "Origin" in self.request.headers:
            self.send_json(self.api.error_response(errors.NOT_AUTHORISED))

    def get(self, name: str) -> None:
        """Return the state, or the active faults."""
        if name == "state":
            self.send_json(JsonResponse(200, emulator_state(self.account)))
        elif name == "faults":
            self.send_json(JsonResponse(200, {"faults": self.account.faults.to_json()}))
        else:
            self.send_json(self.api.error_response(errors.NO_SUCH_API))

    def delete(self, name: str) -> None:
        """Remove all faults."""
        if name != "faults":
            self.send_json(self.api.error_response(errors.NO_SUCH_API))
            return
        with self.account.lock:
            self.account.faults.clear()
        self.send_json(JsonResponse(200, {"faults": []}))

    def post(self, name: str) -> None:
        """Execute a command, or respond with 400 and the reason."""
        if name not in _POST_HANDLERS:
            self.send_json(self.api.error_response(errors.NO_SUCH_API))
            return
        content_type = self.request.headers.get("Content-Type", "")
        try:
            body = parse_json_object(
                self.request.body, content_type=content_type, error_spec=errors.BAD_PAYLOAD
            )
            with self.account.lock:
                response = _POST_HANDLERS[name](self.account, body)
        except (ValueError, TypeError, AttributeError, EmulatedApiError) as error:
            self.send_json(self.api.error_response(errors.BAD_PAYLOAD, message=str(error)))
        else:
            self.send_json(JsonResponse(200, response))


def _advance(account: EmulatedAccount, body: dict[str, Any]) -> dict[str, Any]:
    account.clock.advance(timedelta(seconds=body.get("seconds", 0)))
    return {"now": account.clock.now().isoformat()}


def _add_fault(account: EmulatedAccount, body: dict[str, Any]) -> dict[str, Any]:
    account.faults.add(make_fault(body.pop("name", ""), **body))
    return {"faults": account.faults.to_json()}


def _set_instance_fields(account: EmulatedAccount, body: dict[str, Any]) -> dict[str, Any]:
    return set_instance(account, instance_id=body.pop("id", None), **body)


def _add_instance(account: EmulatedAccount, body: dict[str, Any]) -> dict[str, Any]:
    new_id = account.add_instance(body.pop("api", account.options.api), **body)
    return set_instance(account, instance_id=new_id)


_POST_HANDLERS: dict[str, Callable[[EmulatedAccount, dict[str, Any]], dict[str, Any]]] = {
    "advance": _advance,
    "faults": _add_fault,
    "instance": _set_instance_fields,
    "instances": _add_instance,
}
