"""One call to the cloud: a session's refresh beside a bare client's and the vendor's."""

from __future__ import annotations

import cProfile
import json
import pstats
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

import httpx
from measure import Figure, medians, side_by_side
from server import CHANGING, PROJECT, STEADY

from modelarts_magics.clock import Deadline
from modelarts_magics.config import Settings
from modelarts_magics.connect import open_session
from modelarts_magics.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.session import Session

TOKEN = {"MODELARTS_AUTH_TOKEN": "bench-token"}
KEYS = {"HUAWEICLOUD_SDK_AK": "AKBENCH0000000000001", "HUAWEICLOUD_SDK_SK": "sk-of-the-bench"}
ROUNDS = 1500
PARTS_ROUNDS = 1000


def path_of(instance: str) -> str:
    """Return where the `demanager` API has an instance."""
    return f"/v1/{PROJECT}/demanager/instances/{instance}"


class Desk:
    """What makes the clients that are compared, all of the same server.

    Args:
        endpoint: The server.
        folder: Where stores are kept.
    """

    def __init__(self, endpoint: str, *, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder

    def session(self, instance: str, login: dict[str, str]) -> Session:
        """Return a session of this package, with a store of its own."""
        given = {"endpoint": self._endpoint, "project_id": PROJECT, "instance_id": instance}
        state = self._folder / next(iter(login))
        settings = Settings.gather({**given, "api": "demanager", "state_dir": str(state)})
        return open_session(settings, environ={**login, "HOME": str(self._folder)})

    def bare(self, instance: str) -> Callable[[], object]:
        """Return a GET with nothing around it."""
        client = httpx.Client()
        url = self._endpoint + path_of(instance)
        headers = {"X-Auth-Token": "bench-token", "X-Project-Id": PROJECT}
        return lambda: client.get(url, headers=headers).json()

    def vendor(self, instance: str) -> Callable[[], object]:
        """Return the vendor's call; it is answered with the very same payload."""
        from huaweicloudsdkcore.auth.credentials import BasicCredentials  # noqa: PLC0415 - 0.4 s
        from huaweicloudsdkmodelarts.v1 import ModelArtsClient, ShowNotebookRequest  # noqa: PLC0415

        credentials = BasicCredentials(*KEYS.values(), PROJECT)
        builder = ModelArtsClient.new_builder().with_credentials(credentials)
        client = builder.with_endpoints([self._endpoint + "/demanager"]).build()
        request = ShowNotebookRequest(id=instance)
        return lambda: client.show_notebook(request)


def figures(desk: Desk) -> list[Figure]:
    """Return what a refresh takes beside its alternatives, and what its parts take."""
    return [*_beside_bare(desk), *_beside_vendor(desk), *_parts(desk)]


def _beside_bare(desk: Desk) -> list[Figure]:
    steady, changing = desk.session(STEADY, TOKEN), desk.session(CHANGING, TOKEN)
    calls = {
        "bare": desk.bare(STEADY),
        "steady": steady.refresh,
        "bare changing": desk.bare(CHANGING),
        "changing": changing.refresh,
    }
    taken = medians(side_by_side(calls, rounds=ROUNDS))
    get = "httpx GET + json()"
    nothing, written = taken["steady"], taken["changing"]
    return [
        Figure("refresh, nothing new", nothing, taken["bare"], get, most_ratio=1.25),
        Figure("refresh, store written", written, taken["bare changing"], get, most_ratio=1.6),
    ]


def _beside_vendor(desk: Desk) -> list[Figure]:
    """With keys, as the vendor's client has them; later, since its 1200 modules weigh on everything."""
    session = desk.session(STEADY, KEYS)
    calls = {"ours": session.refresh, "vendor": desk.vendor(STEADY), "bare": desk.bare(STEADY)}
    taken = medians(side_by_side(calls, rounds=ROUNDS))
    ours = taken["ours"]
    return [
        Figure("refresh, signed", ours, taken["vendor"], "show_notebook", most_ratio=0.6),
        Figure("refresh, signed", ours, taken["bare"], "httpx GET + json()"),
    ]


def _parts(desk: Desk) -> list[Figure]:
    session = desk.session(STEADY, TOKEN)
    backend: Any = session._backend
    raw = json.loads(json.dumps(dict(session.refresh().raw)))
    observed_at = datetime.now(timezone.utc)
    instance = backend.parse(raw, observed_at=observed_at, demo=False)
    store = Store(desk._folder / "parts", key=("bench", PROJECT, STEADY))
    counted = iter(range(10**9))

    def transport() -> object:
        return backend._transport.request("GET", path_of(STEADY), deadline=Deadline(30.0))

    calls = {
        "transport alone": transport,
        "reading the answer alone": lambda: backend.parse(raw, observed_at=observed_at, demo=False),
        "store, nothing new, alone": lambda: session._memory.remember(
            replace(instance, observed_at=observed_at)
        ),
        "store write alone": lambda: store.save({"raw": raw, "number": next(counted)}),
    }
    taken = medians(side_by_side(calls, rounds=PARTS_ROUNDS))
    return [Figure(f"  {name}", seconds) for name, seconds in taken.items()]


def profile(desk: Desk) -> None:
    """Print where a refresh spends its time, in the thread that waits for it."""
    session = desk.session(STEADY, TOKEN)
    session.refresh()
    profiler = cProfile.Profile()
    with profiler:
        for _ in range(ROUNDS):
            session.refresh()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
