"""Third-party clients work with the emulator, so that it is not only tested with the project's own client."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest

if TYPE_CHECKING:
    from conftest import EmulatorClient

    RunClient = Callable[..., dict[str, Any]]

pytestmark = [pytest.mark.process, pytest.mark.soak]

OTC = ["otcextensions==0.34.8", "openstacksdk==4.4.1"]
HUAWEI = ["huaweicloudsdkmodelarts==3.1.219", "huaweicloudsdkcore==3.1.219"]
HOUR_MS = 3_600_000


@pytest.mark.parametrize(("edition", "remaining_s"), [("2019", 7200 - 1200), ("2021", 2400)])
def test_t_cloud_sdk_works(
    make_client: Callable[..., EmulatorClient],
    run_external_client: RunClient,
    edition: str,
    remaining_s: int,
) -> None:
    """List, paging, get, update, an error and stop return the expected values."""
    client = make_client(edition=edition)
    emulator = client.emulator
    second = emulator.add_instance("demanager", name="another")
    arguments = (emulator.endpoint, emulator.project_id, emulator.auth_token, emulator.instance_id)
    report = run_external_client("client_otc.py", *arguments, pins=OTC)
    assert report["listed"] == [second, emulator.instance_id]
    assert report["paged"] == [second]
    assert report["got"]["id"] == emulator.instance_id
    assert report["got"]["de_type"] == "Notebook"
    assert report["got"]["storage"] == "obs"
    assert report["after"]["description"] == "from T Cloud"
    assert report["after"]["auto_stop"] == {"enable": True, "duration": 7200}
    stop_time_ms = client.clock.now().timestamp() * 1000 + remaining_s * 1000
    assert report["after"]["stop_timestamp"] == stop_time_ms
    assert report["refused"] == [400, "ModelArts.6334"]
    assert report["stopped"] == "STOPPING"
    assert {entry["auth"] for entry in emulator.requests} == {"token"}


@pytest.mark.parametrize("temporary", [False, True])
def test_vendor_sdk_works(
    make_client: Callable[..., EmulatorClient],
    run_external_client: RunClient,
    temporary: bool,
) -> None:
    """The emulator accepts the requests that the vendor's SDK signs."""
    client = make_client(api="notebooks")
    emulator = client.emulator
    keys = (emulator.ak, emulator.sk, "")
    if temporary:
        keys = (emulator.temporary_ak, emulator.temporary_sk, emulator.security_token)
    # The vendor's client signs with the real time.
    emulator.advance(datetime.now(timezone.utc).replace(microsecond=0) - client.clock.now())
    emulator.set_instance(status="RUNNING", minutes_left=40)
    before = client.lease()
    arguments = (emulator.endpoint, emulator.project_id, *keys, emulator.notebook_id)
    report = run_external_client("client_huawei.py", *arguments, pins=HUAWEI)
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
    signed = [entry for entry in emulator.requests if entry["auth"] == "signature"]
    assert len(signed) == 10
