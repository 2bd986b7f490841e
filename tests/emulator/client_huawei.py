"""Use the emulator with the vendor's SDK and print the results as JSON.

Runs in an environment of its own. Arguments: endpoint, project id, access key, secret key, security token
or "", notebook id.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmodelarts.v1 import (
    LeaseReq,
    ListNotebooksRequest,
    ModelArtsClient,
    NotebookUpdateRequest,
    RenewLeaseRequest,
    ShowLeaseRequest,
    ShowNotebookRequest,
    StartNotebookRequest,
    StopNotebookRequest,
    UpdateNotebookRequest,
)


def create_client(endpoint: str, *, project_id: str, keys: list[str]) -> ModelArtsClient:
    """Return the vendor's client, connected to the emulator."""
    credentials = BasicCredentials(keys[0], keys[1], project_id)
    if keys[2]:
        credentials = credentials.with_security_token(keys[2])
    builder = ModelArtsClient.new_builder().with_credentials(credentials)
    return builder.with_endpoints([endpoint]).build()


def error_of(call: Callable[[], object]) -> list[Any]:
    """Return status, code and whether there is a request id of the error that a call raises."""
    try:
        call()
    except ClientRequestException as error:
        return [error.status_code, error.error_code, bool(error.request_id)]
    return []


def main(endpoint: str, project_id: str, *arguments: str) -> None:
    """Show, renew, update, list, stop and start a notebook, and print the responses."""
    modelarts = create_client(endpoint, project_id=project_id, keys=list(arguments[:3]))
    notebook = arguments[3]
    shown = modelarts.show_notebook(ShowNotebookRequest(id=notebook))
    lease = modelarts.show_lease(ShowLeaseRequest(id=notebook))
    body = LeaseReq(duration=7_200_000, type="TIMING")
    renewed = modelarts.renew_lease(RenewLeaseRequest(id=notebook, body=body))
    query = modelarts.renew_lease(RenewLeaseRequest(id=notebook, duration=3_600_000))
    text = NotebookUpdateRequest(description="von 华为 ☕")
    updated = modelarts.update_notebook(UpdateNotebookRequest(id=notebook, body=text))
    listed = modelarts.list_notebooks(
        ListNotebooksRequest(limit=5, offset=0, name="demo", tags="a b")
    )
    bad = NotebookUpdateRequest(description="a/b")
    refused = error_of(
        lambda: modelarts.update_notebook(UpdateNotebookRequest(id=notebook, body=bad))
    )
    unknown = error_of(lambda: modelarts.show_notebook(ShowNotebookRequest(id="unknown")))
    stopped = modelarts.stop_notebook(StopNotebookRequest(id=notebook))
    start = StartNotebookRequest(id=notebook, duration=3_600_000, type="TIMING")
    report = {
        "shown": [shown.id, shown.status, shown.lease.type, shown.volume.category],
        "lease": lease.to_json_object(),
        "renewed": renewed.to_json_object(),
        "query": query.to_json_object(),
        "updated": updated.description,
        "listed": [listed.total, [one.id for one in listed.data]],
        "refused": refused,
        "unknown": unknown,
        "stopped": stopped.status,
        "start_too_early": error_of(lambda: modelarts.start_notebook(start)),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
