"""Codes that share the text of another code.

Error codes stay distinct because callers compare them; a text is written once.
"""

from __future__ import annotations

SHARED = {
    "refuse.too_soon.hint": "refuse.duration_elapsed.hint",
    "change.now.update": "change.now.auto-stop",
    "change.idle": "change.now.auto-stop",
    "change.next_start.update": "change.next_start.auto-stop",
    "duration.not_whole_seconds.hint": "duration.invalid.hint",
    "usage.command_near": "usage.command",
    "usage.option_near": "usage.option",
    "usage.extra.hint": "usage.option.hint",
    "usage.missing.hint": "usage.option.hint",
    "usage.conflict.hint": "usage.option.hint",
    "config.candidates_not_running.hint": "config.several_instances.hint",
    "config.choose_instance.hint": "config.several_instances.hint",
    "config.unwritable": "file.not_writable",
    "config.api.hint": "usage.language.hint",
    "credentials.unwritable": "file.not_writable",
    "refuse.edit_conflict.hint": "refuse.stop_time_changed.hint",
    "api.400.6404": "api.400.6309",
    "api.400.6404.hint": "api.400.6309.hint",
    "api.400.6335.hint": "api.400.6332.hint",
    "api.400.6336.hint": "api.400.6332.hint",
    "api.400.6400.hint": "api.400.6332.hint",
    "api.401.6401": "api.401.0203",
    "api.401.6401.hint": "api.401.0203.hint",
    "api.429.0308.hint": "api.429.6101.hint",
    "api.500.6102": "api.500.0010",
    "api.500.6102.hint": "api.500.0010.hint",
    "api.WrongStateError.hint": "refuse.already_stopped.hint",
    "api.ThrottledError.hint": "api.429.6101.hint",
    "api.ServerError.hint": "api.429.6101.hint",
    "api.forbidden.change.hint": "api.forbidden.description.hint",
    "api.forbidden.action.hint": "api.forbidden.description.hint",
    "api.forbidden.stop.hint": "api.forbidden.description.hint",
    "unreachable.connection_lost.hint": "unreachable.read_timeout.hint",
    "response.redirect.hint": "api.ApiError.hint",
    "response.missing.hint": "response.type.hint",
    "response.range.hint": "response.type.hint",
    "outcome_unknown.not_stopped.hint": "partial.description.hint",
    "outcome_unknown.not_applied.hint": "partial.description.hint",
    "form.duration": "duration.invalid",
    "request.wrong_type.hint": "api.RejectedValueError.hint",
    "server.hint.http.403": "server.hint.http.401",
    "server.hint.refuse.edit_conflict": "server.hint.refuse.stop_time_changed",
    "server.hint.refuse.too_soon": "server.hint.refuse.duration_elapsed",
    "server.hint.outcome_unknown.not_applied": "server.hint.partial.description",
}
"""The code that has the text, by the code that shares it."""
