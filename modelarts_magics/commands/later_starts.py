"""``restore``: set the usual run time again for later starts, after this run was extended."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.as_json import change_json, restore_json
from modelarts_magics.commands.results import JsonResult, TextResult
from modelarts_magics.domain.models import Change
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.domain.models import Instance, PendingRestore
    from modelarts_magics.session.session import Session


def restore(request: CommandRequest, context: CommandContext) -> object:
    """Restore the usual run time: at once if this moves no stop time, else at the next start.

    Raises:
        UsageError: Arguments were given.
        RefusedError: The run time was not changed in this run.
        ModelArtsError: The instance cannot be read, or the change failed.
    """
    request.reject_arguments()
    session = context.get_session()
    result: Change | PendingRestore = _restore_module().plan_restore(session)
    if not isinstance(result, Change):
        if request.has_option("--json"):
            return JsonResult(restore=restore_json(result))
        return TextResult(planned_message(result))
    if request.has_option("--wait"):
        result = session.wait_until_confirmed(result)
    return change_json(result) if request.has_option("--json") else result


def restore_on_read(session: Session, instance: Instance) -> Instance:
    """Restore the usual run time if that is due now; return the instance as it then is."""
    if session.pending_restores is None or not session.pending_restores.exists():
        return instance
    change: Change | None = _restore_module().restore_if_due(session, instance)
    return change.after if change and change.after else instance


def find_planned(session: Session, instance: Instance) -> PendingRestore | None:
    """Return the run time that will be restored for later starts; None if there is none."""
    if session.pending_restores is None or not session.pending_restores.exists():
        return None
    found: PendingRestore | None = _restore_module().find_restore(session, instance)
    return found if found and found.planned else None


def planned_message(pending: PendingRestore) -> Message:
    """Return a message that the usual run time will be restored."""
    return Message("restore.planned", {"duration": pending.duration})


def _restore_module() -> Any:  # noqa: ANN401 - a module
    """Import what few commands need."""
    return import_module("modelarts_magics.session.restore")
