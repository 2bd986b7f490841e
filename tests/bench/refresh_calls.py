"""One call to the cloud: a session's refresh beside a bare client's and the vendor's."""

from __future__ import annotations

import cProfile
import json
import pstats
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

import httpx
from canned_api import CHANGING_ID, INSTANCE_NAME, PROJECT_ID, UNCHANGING_ID
from measure import Figure, medians, time_interleaved

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
STEP_ROUNDS = 600


INSTANCE_PATHS = {
    "demanager": f"/v1/{PROJECT_ID}/demanager/instances/",
    "notebooks": f"/v1/{PROJECT_ID}/notebooks/",
}
"""Where each API has its instances."""
MEASURED_APIS = ("demanager", "notebooks")
"""The APIs that a session can be opened with."""


class ClientFactory:
    """What makes the clients that are compared, all of the same server.

    Args:
        endpoint: The server.
        memory_folder: Where stores are kept; in memory where the machine has such a place.
        disk_folder: A folder on disk.
        api: The API that is asked, by everybody.
    """

    def __init__(
        self, endpoint: str, *, memory_folder: Path, disk_folder: Path, api: str = "demanager"
    ) -> None:
        self._endpoint = endpoint
        self.api = api
        self.memory_folder = memory_folder
        self.disk_folder = disk_folder

    def with_api(self, api: str) -> ClientFactory:
        """Return the same with another API."""
        return ClientFactory(
            self._endpoint, memory_folder=self.memory_folder, disk_folder=self.disk_folder, api=api
        )

    def session(
        self, instance: str, credentials: dict[str, str], *, folder: Path | None = None
    ) -> Session:
        """Return a session of this package, with a store of its own."""
        settings_given = {
            "endpoint": self._endpoint,
            "project_id": PROJECT_ID,
            "instance_id": instance,
        }
        state = (folder or self.memory_folder) / self.api / next(iter(credentials))
        settings = Settings.load({**settings_given, "api": self.api, "state_dir": str(state)})
        return open_session(settings, environ={**credentials, "HOME": str(self.disk_folder)})

    def bare_get(self, instance: str) -> Callable[[], object]:
        """Return a GET with nothing around it."""
        client = httpx.Client()
        url = self._endpoint + INSTANCE_PATHS[self.api] + instance
        headers = {"X-Auth-Token": "bench-token", "X-Project-Id": PROJECT_ID}
        return lambda: client.get(url, headers=headers).json()

    def bare_get_and_write(self, instance: str) -> Callable[[], object]:
        """Return a GET whose answer replaces a file on disk, in the fewest steps that are atomic."""
        get = self.bare_get(instance)
        temporary, path = self.disk_folder / "least.draft", self.disk_folder / "least.json"

        def run() -> None:
            temporary.write_text(json.dumps(get()))
            temporary.replace(path)

        return run

    def vendor_get(self, instance: str) -> Callable[[], object]:
        """Return the vendor's call; the start of its path has it answered with the very same payload."""
        from huaweicloudsdkcore.auth.credentials import BasicCredentials  # noqa: PLC0415 - 0.4 s
        from huaweicloudsdkmodelarts.v1 import ModelArtsClient, ShowNotebookRequest  # noqa: PLC0415

        credentials = BasicCredentials(*KEYS.values(), PROJECT_ID)
        builder = ModelArtsClient.new_builder().with_credentials(credentials)
        client = builder.with_endpoints([f"{self._endpoint}/{self.api}"]).build()
        request = ShowNotebookRequest(id=instance)
        if client.show_notebook(request).name != INSTANCE_NAME:
            raise RuntimeError("the vendor's client got something else: nothing is compared")
        return lambda: client.show_notebook(request)


def figures(clients: ClientFactory) -> list[Figure]:
    """Return what a refresh takes beside its alternatives, and what its parts take."""
    by_api = [clients.with_api(api) for api in MEASURED_APIS]
    bare = [
        figure
        for each in by_api
        for figure in (*_compare_with_bare_client(each), *_compare_on_disk(each))
    ]
    return [
        *bare,
        *(figure for each in by_api for figure in _compare_with_vendor(each)),
        *(figure for each in by_api for figure in _measure_steps(each)),
    ]


def _compare_with_bare_client(clients: ClientFactory) -> list[Figure]:
    steady, changing = clients.session(UNCHANGING_ID, TOKEN), clients.session(CHANGING_ID, TOKEN)
    calls = {
        "bare": clients.bare_get(UNCHANGING_ID),
        "steady": steady.refresh,
        "bare changing": clients.bare_get(CHANGING_ID),
        "changing": changing.refresh,
    }
    taken = medians(time_interleaved(calls, rounds=ROUNDS))
    get = "httpx GET + json()"
    nothing, written = taken["steady"], taken["changing"]
    return [
        Figure(f"{clients.api} refresh, nothing new", nothing, taken["bare"], get, max_ratio=1.25),
        Figure(
            f"{clients.api} refresh, store written",
            written,
            taken["bare changing"],
            get,
            max_ratio=1.6,
        ),
    ]


def _compare_on_disk(clients: ClientFactory) -> list[Figure]:
    """What a disk takes is not ours and changes with all else that it does: shown, not judged."""
    ours = clients.session(CHANGING_ID, TOKEN, folder=clients.disk_folder).refresh
    calls = {"ours": ours, "least": clients.bare_get_and_write(CHANGING_ID)}
    taken = medians(time_interleaved(calls, rounds=DISK_ROUNDS))
    name = "  the same on this disk"
    return [Figure(name, taken["ours"], taken["least"], "GET + json() + write + rename")]


def _compare_with_vendor(clients: ClientFactory) -> list[Figure]:
    """With keys, as the vendor's client has them; later, since its 1200 modules weigh on everything."""
    session = clients.session(UNCHANGING_ID, KEYS)
    calls = {
        "ours": session.refresh,
        "vendor": clients.vendor_get(UNCHANGING_ID),
        "bare": clients.bare_get(UNCHANGING_ID),
    }
    taken = medians(time_interleaved(calls, rounds=ROUNDS))
    ours = taken["ours"]
    return [
        Figure(
            f"{clients.api} refresh, signed", ours, taken["vendor"], "show_notebook", max_ratio=0.6
        ),
        Figure(f"{clients.api} refresh, signed", ours, taken["bare"], "httpx GET + json()"),
    ]


def _measure_steps(clients: ClientFactory) -> list[Figure]:
    session = clients.session(UNCHANGING_ID, TOKEN)
    backend: Any = session._backend
    raw = json.loads(json.dumps(dict(session.refresh().raw)))
    observed_at = datetime.now(timezone.utc)
    instance = backend.parse(raw, observed_at=observed_at, demo=False)
    store = Store(clients.memory_folder / "parts", key=("bench", PROJECT_ID, UNCHANGING_ID))
    counter = iter(range(10**9))

    def transport() -> object:
        path = INSTANCE_PATHS[clients.api] + UNCHANGING_ID
        return backend._transport.request("GET", path, deadline=Deadline(30.0))

    calls = {
        "transport alone": transport,
        "reading the answer alone": lambda: backend.parse(raw, observed_at=observed_at, demo=False),
        "store, nothing new, alone": lambda: session._cache.put(
            replace(instance, observed_at=observed_at)
        ),
        "store write alone": lambda: store.save({"raw": raw, "number": next(counter)}),
    }
    taken = medians(time_interleaved(calls, rounds=STEP_ROUNDS))
    return [Figure(f"  {name}", seconds) for name, seconds in taken.items()]


def profile(clients: ClientFactory) -> None:
    """Print where a refresh spends its time, in the thread that waits for it."""
    session = clients.session(UNCHANGING_ID, TOKEN)
    session.refresh()
    profiler = cProfile.Profile()
    with profiler:
        for _ in range(ROUNDS):
            session.refresh()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
