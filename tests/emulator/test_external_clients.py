"""Clients of other people work against the emulator: it is not only our own idea of the API."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest

if TYPE_CHECKING:
    from conftest import EmulatorClient

    RunForeign = Callable[..., dict[str, Any]]

OTC = ["otcextensions==0.34.8", "openstacksdk==4.4.1"]
HUAWEI = ["huaweicloudsdkmodelarts==3.1.219", "huaweicloudsdkcore==3.1.219"]
HOUR_MS = 3_600_000


@pytest.mark.parametrize(("edition", "remaining_s"), [("2019", 7200 - 1200), ("2021", 2400)])
def test_the_t_cloud_sdk_works(
    make_client: Callable[..., EmulatorClient],
    run_external_client: RunForeign,
    edition: str,
    remaining_s: int,
) -> None:
    """List, page, get, update, a refusal, stop; it understands what it gets."""
    client = make_client(edition=edition)
    emulator = client.emulator
    second = emulator.add_instance("demanager", name="another")
    place = (emulator.endpoint, emulator.project_id, emulator.auth_token, emulator.instance_id)
    report = run_external_client("client_otc.py", *place, pins=OTC)
    assert report["listed"] == [second, emulator.instance_id]
    assert report["paged"] == [second]
    assert report["got"]["id"] == emulator.instance_id
    assert report["got"]["de_type"] == "Notebook"
    assert report["got"]["storage"] == "obs"
    assert report["after"]["description"] == "from T Cloud"
    assert report["after"]["auto_stop"] == {"enable": True, "duration": 7200}
    end_ms = client.clock.now().timestamp() * 1000 + remaining_s * 1000
    assert report["after"]["stop_timestamp"] == end_ms
    assert report["refused"] == [400, "ModelArts.6334"]
    assert report["stopped"] == "STOPPING"
    assert {entry["auth"] for entry in emulator.requests} == {"token"}


@pytest.mark.parametrize("temporary", [False, True])
def test_the_vendors_sdk_works(
    make_client: Callable[..., EmulatorClient],
    run_external_client: RunForeign,
    temporary: bool,
) -> None:
    """Show, lease, renew, update, list, stop; every request signed by it and checked by us."""
    client = make_client(api="notebooks")
    emulator = client.emulator
    keys = (emulator.ak, emulator.sk, "")
    if temporary:
        keys = (emulator.temporary_ak, emulator.temporary_sk, emulator.security_token)
    # The vendor's client signs with the real time.
    emulator.advance(datetime.now(timezone.utc).replace(microsecond=0) - client.clock.now())
    emulator.set_instance(status="RUNNING", minutes_left=40)
    before = client.lease()
    place = (emulator.endpoint, emulator.project_id, *keys, emulator.notebook_id)
    report = run_external_client("client_huawei.py", *place, pins=HUAWEI)
    assert report["shown"] == [emulator.notebook_id, "RUNNING", "TIMING", "EFS"]
    assert report["lease"] == before
    passed_ms = int(client.clock.now().timestamp() * 1000) - before["create_at"]
    assert report["renewed"]["duration"] == passed_ms + 2 * HOUR_MS
    assert report["query"]["duration"] == passed_ms + HOUR_MS
    assert report["updated"] == "von 华为 ☕"
    assert report["listed"] == [1, [emulator.notebook_id]]
    assert report["refused"] == [400, "ModelArts.6400", True]
    assert report["unknown"] == [400, "ModelArts.6404", True]
    assert report["stopped"] == "STOPPING"
    assert report["start_too_early"] == [400, "ModelArts.6357", True]
    asked = [entry for entry in emulator.requests if entry["auth"] == "signature"]
    assert len(asked) == 10
