"""Responses of the historical API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import errors, validation
from modelarts_magics.emulator.clock import to_ms
from modelarts_magics.emulator.demanager import DemanagerInstance, auto_stop_json
from modelarts_magics.emulator.errors import EmulatedApiError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelarts_magics.emulator.auth import HttpRequest
    from modelarts_magics.emulator.options import Options

PROFILE = "ML-1.0.0-python3.6"


def _provision(edition: str) -> dict[str, Any]:
    """Return `provision` of a profile.

    Source: tables 7 to 9; `annotations` is the string `"NULL"` unless set.
    """
    annotations: object = "NULL" if edition == "2019" else {}
    params = {
        "namespace": "atelier",
        "image_name": "mls_singleuser_python",
        "image_tag": "4",
        "annotations": annotations,
    }
    spec = {"engine": "CCE", "params": params}
    return {"type": "Docker", "spec": spec, "annotations": annotations}


def _profile(edition: str) -> dict[str, Any]:
    """Return `profile` of an instance.

    Source: table 6.
    """
    return {
        "id": PROFILE,
        "name": PROFILE,
        "description": "machine learning python3.6 notebook",
        "de_type": "Notebook",
        "provision": _provision(edition),
        "labels": {"emulator": "modelarts-magics"},
    }


def _spec(instance: DemanagerInstance, *, now: datetime) -> dict[str, Any]:
    """Return `spec` of an instance.

    Source: tables 10 and 11.
    """
    url = f"https://127.0.0.1:8080/modelarts/internal/hub/notebook/user/{instance.id}"
    return {
        "storage": {"type": "obs", "location": {"path": "obs-bucket/test/"}},
        "auto_stop": auto_stop_json(instance, now=now),
        "annotations": {"url": url},
    }


def instance_response(
    instance: DemanagerInstance, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return an instance.

    Source: tables 5 and 12; edition 2021 adds four fields.
    """
    body: dict[str, Any] = {
        "id": instance.id,
        "name": instance.name,
        "description": instance.description,
        "status": instance.status,
        "creation_timestamp": str(to_ms(instance.created_at)),
        "profile": _profile(options.edition),
        "flavor": "modelarts.vm.cpu.2u",
        "spec": _spec(instance, now=now),
        "workspace": {"id": "0"},
    }
    if options.edition == "2021":
        body["latest_update_timestamp"] = str(to_ms(instance.updated_at))
        body["flavor_details"] = {"name": "modelarts.vm.cpu.2u", "type": "CPU", "status": "onSale"}
        body["ai_project"] = {"id": "default-ai-project"}
        body["user"] = {"id": "fa4e0000fa4e0000fa4e0000fa4e0000", "name": "demo"}
    return body


def update_response(
    instance: DemanagerInstance, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return the response to a PUT.

    Source: the example of the page from 2025 has no `spec`.
    """
    body = instance_response(instance, now=now, options=options)
    by_edition = options.put_answer == "edition" and options.edition == "2021"
    if by_edition or options.put_answer == "without-spec":
        del body["spec"]
    return body


def action_response(
    instance: DemanagerInstance, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return the response to an action."""
    # Neither changes the response; all response functions have the same parameters.
    del now, options
    return {"current_status": instance.status, "previous_state": instance.previous_status}


def list_response(
    instances: Sequence[DemanagerInstance], request: HttpRequest, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return the instances that a query selects.

    Source: the page "Querying the List": `de_type` is required, `limit` 0 means all.
    """
    query = validation.parse_query(request.query)
    _check_query(query)
    found = [one for one in instances if query.get("status") in (None, "", one.status)]
    by_name = query.get("sortby", "name") == "name"
    found.sort(
        key=lambda one: (one.name if by_name else "", one.created_at),
        reverse=query.get("order") == "desc",
    )
    wrong_type, wrong_value = errors.WRONG_TYPE, errors.WRONG_VALUE
    offset = validation.parse_query_integer(
        query, "offset", default=0, wrong_type=wrong_type, wrong_value=wrong_value
    )
    limit = validation.parse_query_integer(
        query, "limit", default=0, wrong_type=wrong_type, wrong_value=wrong_value
    )
    page = found[offset : offset + limit] if limit else found[offset:]
    return {
        "total_count": len(found),
        "instances": [instance_response(one, now=now, options=options) for one in page],
    }


def _check_query(query: dict[str, str]) -> None:
    if "de_type" not in query:
        raise EmulatedApiError(errors.MISSING, "de_type is mandatory.")
    allowed = {
        "de_type": ("Notebook",),
        "provision_type": ("Docker",),
        "sortby": ("name", "creation_timestamp"),
        "order": ("asc", "desc"),
    }
    for name, values in allowed.items():
        if name in query and query[name] not in values:
            raise EmulatedApiError(errors.WRONG_VALUE, f"{name} is {' or '.join(values)}.")
