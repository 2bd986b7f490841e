"""Signing one request, compared with the vendor's signer."""

from __future__ import annotations

from datetime import datetime, timezone

from canned_api import PROJECT_ID, UNCHANGING_ID
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from measure import Figure, medians, time_interleaved

from modelarts_magics.api import signing

ROUNDS = 5000
ACCESS, SECRET = "AKBENCH0000000000001", "sk-of-the-bench"
HOST = "modelarts.cn-north-4.myhuaweicloud.com"
PATH = f"/v1/{PROJECT_ID}/demanager/instances/{UNCHANGING_ID}"
BODY = b'{"description": "bench", "spec": {"auto_stop": {"enable": true, "duration": 3600}}}'
TIMESTAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def headers() -> dict[str, str]:
    """Return the signed headers besides `Host`."""
    return {
        "Content-Type": "application/json",
        "X-Project-Id": PROJECT_ID,
        "X-Sdk-Date": signing.timestamp(TIMESTAMP),
    }


def sign() -> str:
    """Sign with this package."""
    return signing.authorization(
        method="PUT",
        path=PATH,
        query=(),
        headers={"Host": HOST, **headers()},
        body=BODY,
        access=ACCESS,
        secret=SECRET,
    )


def figures() -> list[Figure]:
    """Measure a signature, after checking that both signers return the same."""
    signer = Signer(BasicCredentials(ACCESS, SECRET, PROJECT_ID))

    def sign_with_vendor() -> str:
        request = SdkRequest(
            method="PUT",
            schema="https",
            host=HOST,
            resource_path=PATH,
            query_params=[],
            header_params=headers(),
            body=BODY,
        )
        signed: str = signer.sign(request).header_params["Authorization"]
        return signed

    if sign() != sign_with_vendor():
        raise RuntimeError("the two signatures differ")
    times = medians(time_interleaved({"ours": sign, "vendor": sign_with_vendor}, rounds=ROUNDS))
    name, other = "signing a request", "the vendor's signer"
    return [Figure(name, times["ours"], times["vendor"], other, max_ratio=1.0)]
