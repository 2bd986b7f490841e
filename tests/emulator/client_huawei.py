"""Drive the emulator with the vendor's SDK; runs in an environment of its own, prints JSON.

Arguments: endpoint, project id, access key, secret key, security token or "", notebook id.
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


def client(endpoint: str, *, project_id: str, keys: list[str]) -> ModelArtsClient:
    """Return the vendor's client, pointed at the emulator."""
    credentials = BasicCredentials(keys[0], keys[1], project_id)
    if keys[2]:
        credentials = credentials.with_security_token(keys[2])
    builder = ModelArtsClient.new_builder().with_credentials(credentials)
    return builder.with_endpoints([endpoint]).build()


def refusal(act: Callable[[], object]) -> list[Any]:
    """Return status, code and request id of the refusal that a call gets."""
    try:
        act()
    except ClientRequestException as error:
        return [error.status_code, error.error_code, bool(error.request_id)]
    return []


def main(endpoint: str, project_id: str, *rest: str) -> None:
    """Show, lease, renew, update, list, stop, start; print what came back."""
    cloud = client(endpoint, project_id=project_id, keys=list(rest[:3]))
    notebook = rest[3]
    shown = cloud.show_notebook(ShowNotebookRequest(id=notebook))
    lease = cloud.show_lease(ShowLeaseRequest(id=notebook))
    body = LeaseReq(duration=7_200_000, type="TIMING")
    renewed = cloud.renew_lease(RenewLeaseRequest(id=notebook, body=body))
    query = cloud.renew_lease(RenewLeaseRequest(id=notebook, duration=3_600_000))
    text = NotebookUpdateRequest(description="von 华为 ☕")
    updated = cloud.update_notebook(UpdateNotebookRequest(id=notebook, body=text))
    listed = cloud.list_notebooks(ListNotebooksRequest(limit=5, offset=0, name="demo", tags="a b"))
    bad = NotebookUpdateRequest(description="a/b")
    refused = refusal(lambda: cloud.update_notebook(UpdateNotebookRequest(id=notebook, body=bad)))
    unknown = refusal(lambda: cloud.show_notebook(ShowNotebookRequest(id="unknown")))
    stopped = cloud.stop_notebook(StopNotebookRequest(id=notebook))
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
        "start_too_early": refusal(lambda: cloud.start_notebook(start)),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
