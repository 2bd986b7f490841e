"""Responses of the current API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import errors, validation
from modelarts_magics.emulator.clock import to_ms
from modelarts_magics.emulator.errors import EmulatedApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.emulator.auth import HttpRequest
    from modelarts_magics.emulator.notebooks import EmulatedNotebook
    from modelarts_magics.emulator.options import Options

JUPYTER_TOKEN = "FAKE-JUPYTER-TOKEN-OF-THE-LOCAL-EMULATOR"  # noqa: S105 - a fake token
DEFAULT_PAGE_SIZE = 10

_IMAGE = {
    "id": "e1a07296-0000-4000-8000-000000000000",
    "name": "notebook2.0-mul-kernel-cpu",
    "swr_path": "swr.example.com/atelier/notebook2.0-mul-kernel-cpu:emulator",
    "tag": "emulator",
    "type": "BUILD_IN",
    "service_type": "UNKNOWN",
}


def lease_response(
    notebook: EmulatedNotebook, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return the lease.

    Source: the page "Obtaining the Available Duration"; in some published responses `type` is absent
    or in lower case.
    """
    # A lease contains no time left.
    del now
    lease = notebook.lease
    body: dict[str, Any] = {
        "create_at": to_ms(lease.create_at),
        "duration": lease.duration // timedelta(milliseconds=1),
        "enable": lease.enable,
        "type": lease.type.lower() if options.lease_type == "lower" else lease.type,
        "update_at": to_ms(lease.update_at),
    }
    if options.lease_type == "absent":
        del body["type"]
    return body


def notebook_response(
    notebook: EmulatedNotebook, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return a notebook with its lease and, as in ModelArts, its Jupyter token.

    Source: the page "Querying Details of a Notebook Instance".
    """
    url = f"https://authoring-modelarts.example.com/{notebook.id}/lab"
    return {
        "id": notebook.id,
        "name": notebook.name,
        "description": notebook.description,
        "status": notebook.status,
        "feature": "NOTEBOOK",
        "flavor": "modelarts.vm.cpu.2u",
        "image": dict(_IMAGE),
        "lease": lease_response(notebook, now=now, options=options),
        "token": JUPYTER_TOKEN,
        "url": url,
        "endpoints": [{"dev_service": "NOTEBOOK", "service": "NOTEBOOK", "uri": url}],
        "volume": {"category": "EFS", "ownership": "MANAGED", "mount_path": "/home/ma-user/work/"},
        "workspace_id": "0",
        "billing_items": ["COMPUTE"],
        "create_at": to_ms(notebook.created_at),
        "update_at": to_ms(notebook.updated_at),
        "user_id": "fa4e0000fa4e0000fa4e0000fa4e0000",
        "jupyter_version": "3.6.5",
        "tags": [],
    }


def list_response(
    notebooks: Sequence[EmulatedNotebook], request: HttpRequest, *, now: datetime, options: Options
) -> dict[str, Any]:
    """Return the page of notebooks that a query selects.

    Source: the page "Querying Notebook Instances"; the name is matched as a substring.
    """
    query = validation.parse_query(request.query)
    invalid = errors.BAD_PAYLOAD
    offset = validation.parse_query_integer(
        query, "offset", default=0, wrong_type=invalid, wrong_value=invalid
    )
    size = validation.parse_query_integer(
        query, "limit", default=DEFAULT_PAGE_SIZE, wrong_type=invalid, wrong_value=invalid
    )
    if not size:
        raise EmulatedApiError(invalid, "limit is above 0.")
    found = [one for one in notebooks if _matches_query(one, query)]
    found.sort(key=lambda one: one.created_at, reverse=query.get("sort_dir") == "DESC")
    data = [
        notebook_response(one, now=now, options=options) for one in found[offset : offset + size]
    ]
    return {
        "current": offset // size,
        "data": data,
        "pages": -(-len(found) // size),
        "size": len(data),
        "total": len(found),
    }


def _matches_query(notebook: EmulatedNotebook, query: dict[str, str]) -> bool:
    return (
        query.get("status") in (None, "", notebook.status)
        and query.get("id") in (None, "", notebook.id)
        and query.get("name", "") in notebook.name
        and query.get("feature") in (None, "", "NOTEBOOK")
        and query.get("workspace_id") in (None, "", "0")
    )
