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
from server import CHANGING, NAME, PROJECT, STEADY

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Deadline
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.session.session import Session

TOKEN = {"MODELARTS_AUTH_TOKEN": "bench-token"}
KEYS = {"HUAWEICLOUD_SDK_AK": "AKBENCH0000000000001", "HUAWEICLOUD_SDK_SK": "sk-of-the-bench"}
ROUNDS = 1200
DISK_ROUNDS = 300
PARTS_ROUNDS = 600


PATHS = {
    "demanager": f"/v1/{PROJECT}/demanager/instances/",
    "notebooks": f"/v1/{PROJECT}/notebooks/",
}
"""Where each API has its instances."""
MEASURED = ("demanager", "notebooks")
"""The APIs that a session can be opened with."""


class Desk:
    """What makes the clients that are compared, all of the same server.

    Args:
        endpoint: The server.
        memory: Where stores are kept; in memory where the machine has such a place.
        disk: A folder on disk.
        api: The API that is asked, by everybody.
    """

    def __init__(self, endpoint: str, *, memory: Path, disk: Path, api: str = "demanager") -> None:
        self._endpoint = endpoint
        self.api = api
        self.memory = memory
        self.disk = disk

    def asking(self, api: str) -> Desk:
        """Return the same with another API."""
        return Desk(self._endpoint, memory=self.memory, disk=self.disk, api=api)

    def session(
        self, instance: str, login: dict[str, str], *, folder: Path | None = None
    ) -> Session:
        """Return a session of this package, with a store of its own."""
        given = {"endpoint": self._endpoint, "project_id": PROJECT, "instance_id": instance}
        state = (folder or self.memory) / self.api / next(iter(login))
        settings = Settings.gather({**given, "api": self.api, "state_dir": str(state)})
        return open_session(settings, environ={**login, "HOME": str(self.disk)})

    def bare(self, instance: str) -> Callable[[], object]:
        """Return a GET with nothing around it."""
        client = httpx.Client()
        url = self._endpoint + PATHS[self.api] + instance
        headers = {"X-Auth-Token": "bench-token", "X-Project-Id": PROJECT}
        return lambda: client.get(url, headers=headers).json()

    def bare_and_written(self, instance: str) -> Callable[[], object]:
        """Return a GET whose answer replaces a file on disk, in the fewest steps that are atomic."""
        get = self.bare(instance)
        draft, path = self.disk / "least.draft", self.disk / "least.json"

        def run() -> None:
            draft.write_text(json.dumps(get()))
            draft.replace(path)

        return run

    def vendor(self, instance: str) -> Callable[[], object]:
        """Return the vendor's call; the start of its path has it answered with the very same payload."""
        from huaweicloudsdkcore.auth.credentials import BasicCredentials  # noqa: PLC0415 - 0.4 s
        from huaweicloudsdkmodelarts.v1 import ModelArtsClient, ShowNotebookRequest  # noqa: PLC0415

        credentials = BasicCredentials(*KEYS.values(), PROJECT)
        builder = ModelArtsClient.new_builder().with_credentials(credentials)
        client = builder.with_endpoints([f"{self._endpoint}/{self.api}"]).build()
        request = ShowNotebookRequest(id=instance)
        if client.show_notebook(request).name != NAME:
            raise RuntimeError("the vendor's client got something else: nothing is compared")
        return lambda: client.show_notebook(request)


def figures(desk: Desk) -> list[Figure]:
    """Return what a refresh takes beside its alternatives, and what its parts take."""
    desks = [desk.asking(api) for api in MEASURED]
    bare = [figure for each in desks for figure in (*_beside_bare(each), *_on_disk(each))]
    return [
        *bare,
        *(figure for each in desks for figure in _beside_vendor(each)),
        *(figure for each in desks for figure in _parts(each)),
    ]


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
        Figure(f"{desk.api} refresh, nothing new", nothing, taken["bare"], get, most_ratio=1.25),
        Figure(
            f"{desk.api} refresh, store written",
            written,
            taken["bare changing"],
            get,
            most_ratio=1.6,
        ),
    ]


def _on_disk(desk: Desk) -> list[Figure]:
    """What a disk takes is not ours and changes with all else that it does: shown, not judged."""
    ours = desk.session(CHANGING, TOKEN, folder=desk.disk).refresh
    calls = {"ours": ours, "least": desk.bare_and_written(CHANGING)}
    taken = medians(side_by_side(calls, rounds=DISK_ROUNDS))
    name = "  the same on this disk"
    return [Figure(name, taken["ours"], taken["least"], "GET + json() + write + rename")]


def _beside_vendor(desk: Desk) -> list[Figure]:
    """With keys, as the vendor's client has them; later, since its 1200 modules weigh on everything."""
    session = desk.session(STEADY, KEYS)
    calls = {"ours": session.refresh, "vendor": desk.vendor(STEADY), "bare": desk.bare(STEADY)}
    taken = medians(side_by_side(calls, rounds=ROUNDS))
    ours = taken["ours"]
    return [
        Figure(
            f"{desk.api} refresh, signed", ours, taken["vendor"], "show_notebook", most_ratio=0.6
        ),
        Figure(f"{desk.api} refresh, signed", ours, taken["bare"], "httpx GET + json()"),
    ]


def _parts(desk: Desk) -> list[Figure]:
    session = desk.session(STEADY, TOKEN)
    backend: Any = session._backend
    raw = json.loads(json.dumps(dict(session.refresh().raw)))
    observed_at = datetime.now(timezone.utc)
    instance = backend.parse(raw, observed_at=observed_at, demo=False)
    store = Store(desk.memory / "parts", key=("bench", PROJECT, STEADY))
    counted = iter(range(10**9))

    def transport() -> object:
        path = PATHS[desk.api] + STEADY
        return backend._transport.request("GET", path, deadline=Deadline(30.0))

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
