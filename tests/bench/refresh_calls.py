"""One API call: a session's refresh compared with a bare HTTP client and the vendor's SDK."""

from __future__ import annotations

import cProfile
import json
import os
import pstats
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from time import process_time
from typing import TYPE_CHECKING, Any, Callable

import httpx
from canned_api import CHANGING_ID, INSTANCE_NAME, PROJECT_ID, UNCHANGING_ID
from measure import Figure, least_disturbed, medians, time_interleaved

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Deadline
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.session.session import Session

TOKEN = {"MODELARTS_AUTH_TOKEN": "bench-token"}
KEYS = {"HUAWEICLOUD_SDK_AK": "AKBENCH0000000000001", "HUAWEICLOUD_SDK_SK": "sk-of-the-bench"}
ROUNDS, ELAPSED_ROUNDS = 600, 200
DISK_ROUNDS = 150
STEP_ROUNDS = 300
MAX_UNCHANGED_RATIO, MAX_WRITTEN_RATIO, MAX_SIGNED_RATIO = 1.15, 1.4, 0.6

INSTANCE_PATHS = {
    "demanager": f"/v1/{PROJECT_ID}/demanager/instances/",
    "notebooks": f"/v1/{PROJECT_ID}/notebooks/",
}
"""The path of the instances in each API."""
MEASURED_APIS = ("demanager", "notebooks")
"""The APIs whose refresh is measured."""


class ClientFactory:
    """Factory of the compared clients of one server.

    Args:
        endpoint: The URL of the server.
        memory_folder: The folder of the state stores, in memory if the machine supports that.
        disk_folder: A folder on disk.
        api: The API that all clients use.
    """

    def __init__(
        self, endpoint: str, *, memory_folder: Path, disk_folder: Path, api: str = "demanager"
    ) -> None:
        self._endpoint = endpoint
        self.api = api
        self.memory_folder = memory_folder
        self.disk_folder = disk_folder

    def with_api(self, api: str) -> ClientFactory:
        """Return a factory for another API."""
        return ClientFactory(
            self._endpoint, memory_folder=self.memory_folder, disk_folder=self.disk_folder, api=api
        )

    def session(
        self, instance: str, credentials: dict[str, str], *, folder: Path | None = None
    ) -> Session:
        """Return a session of this package with a store of its own."""
        values = {
            "endpoint": self._endpoint,
            "project_id": PROJECT_ID,
            "instance_id": instance,
        }
        state = (folder or self.memory_folder) / self.api / next(iter(credentials))
        settings = Settings.load({**values, "api": self.api, "state_dir": str(state)})
        return open_session(settings, environ={**credentials, "HOME": str(self.disk_folder)})

    def bare_get(self, instance: str) -> Callable[[], object]:
        """Return a call that sends a GET with httpx and parses the JSON."""
        client = httpx.Client()
        url = self._endpoint + INSTANCE_PATHS[self.api] + instance
        headers = {"X-Auth-Token": "bench-token", "X-Project-Id": PROJECT_ID}
        return lambda: client.get(url, headers=headers).json()

    def bare_get_and_write(self, instance: str) -> Callable[[], object]:
        """Return a call that sends a GET and atomically replaces a file on disk."""
        get = self.bare_get(instance)
        temporary, path = self.disk_folder / "bare.tmp", self.disk_folder / "bare.json"

        def run() -> None:
            temporary.write_text(json.dumps(get()))
            temporary.replace(path)

        return run

    def vendor_get(self, instance: str) -> Callable[[], object]:
        """Return a call of the vendor's SDK; its URL prefix selects the same response."""
        from huaweicloudsdkcore.auth.credentials import BasicCredentials  # noqa: PLC0415 - takes 0.4 s
        from huaweicloudsdkmodelarts.v1 import ModelArtsClient, ShowNotebookRequest  # noqa: PLC0415

        credentials = BasicCredentials(*KEYS.values(), PROJECT_ID)
        builder = ModelArtsClient.new_builder().with_credentials(credentials)
        client = builder.with_endpoints([f"{self._endpoint}/{self.api}"]).build()
        request = ShowNotebookRequest(id=instance)
        if client.show_notebook(request).name != INSTANCE_NAME:
            raise RuntimeError("the vendor's client received another response")
        return lambda: client.show_notebook(request)


def figures(clients: ClientFactory) -> list[Figure]:
    """Measure a refresh compared with its alternatives, and its parts."""
    by_api = [clients.with_api(api) for api in MEASURED_APIS]
    with _one_processor():
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


@contextmanager
def _one_processor() -> Iterator[None]:
    """Keep the threads that start meanwhile on one processor, as on a busy machine.

    A session sends its requests in a thread. To wake a thread on an idle processor takes CPU time that depends on
    the virtual machine: the ratio was 1.32 where all else was idle, and 1.02 beside other processes.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _compare_with_bare_client(clients: ClientFactory) -> list[Figure]:
    steady, changing = clients.session(UNCHANGING_ID, TOKEN), clients.session(CHANGING_ID, TOKEN)
    calls = {
        "bare": clients.bare_get(UNCHANGING_ID),
        "steady": steady.refresh,
        "bare changing": clients.bare_get(CHANGING_ID),
        "changing": changing.refresh,
    }
    times, elapsed = _measure_both_times(calls)
    get = "httpx GET + json()"
    figures: list[Figure] = []
    for name, ours, bare, max_ratio in (
        ("unchanged", "steady", "bare", MAX_UNCHANGED_RATIO),
        ("store written", "changing", "bare changing", MAX_WRITTEN_RATIO),
    ):
        full_name = f"{clients.api} refresh, {name}, CPU time"
        figures += [
            Figure(full_name, times[ours], times[bare], get, max_ratio=max_ratio),
            Figure("  elapsed", elapsed[ours], elapsed[bare], get),
        ]
    return figures


def _measure_both_times(
    calls: dict[str, Callable[[], object]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the lower CPU time of this process, in all threads, and the median of the elapsed time.

    The elapsed time depends on how fast the machine wakes a thread, which varies with what else it does.
    """
    times = least_disturbed(time_interleaved(calls, rounds=ROUNDS, clock=process_time))
    return times, medians(time_interleaved(calls, rounds=ELAPSED_ROUNDS))


def _compare_on_disk(clients: ClientFactory) -> list[Figure]:
    """Compare with a store on disk. Without a target, as the time depends on other use of the disk."""
    ours = clients.session(CHANGING_ID, TOKEN, folder=clients.disk_folder).refresh
    calls = {"ours": ours, "bare": clients.bare_get_and_write(CHANGING_ID)}
    times = medians(time_interleaved(calls, rounds=DISK_ROUNDS))
    name = "  store on this disk"
    return [Figure(name, times["ours"], times["bare"], "GET + json() + write + rename")]


def _compare_with_vendor(clients: ClientFactory) -> list[Figure]:
    """Compare signed requests. It runs last, as the SDK's 1,200 modules slow down garbage collection."""
    session = clients.session(UNCHANGING_ID, KEYS)
    calls = {
        "ours": session.refresh,
        "vendor": clients.vendor_get(UNCHANGING_ID),
        "bare": clients.bare_get(UNCHANGING_ID),
    }
    times, elapsed = _measure_both_times(calls)
    name, ours, vendor = f"{clients.api} refresh, signed, CPU time", times["ours"], "show_notebook"
    return [
        Figure(name, ours, times["vendor"], vendor, max_ratio=MAX_SIGNED_RATIO),
        Figure(name, ours, times["bare"], "httpx GET + json()"),
        Figure("  elapsed", elapsed["ours"], elapsed["vendor"], vendor),
    ]


def _measure_steps(clients: ClientFactory) -> list[Figure]:
    session = clients.session(UNCHANGING_ID, TOKEN)
    backend: Any = session._backend
    raw = json.loads(json.dumps(dict(session.refresh().raw)))
    observed_at = datetime.now(timezone.utc)
    instance = backend.parse(raw, observed_at=observed_at, demo=False)
    store = Store(clients.memory_folder / "parts", key=("bench", PROJECT_ID, UNCHANGING_ID))
    counter = iter(range(10**9))

    def send_request() -> object:
        path = INSTANCE_PATHS[clients.api] + UNCHANGING_ID
        return backend._client.request("GET", path, deadline=Deadline(30.0))

    calls = {
        "HTTP request alone": send_request,
        "parsing the response alone": lambda: backend.parse(
            raw, observed_at=observed_at, demo=False
        ),
        "unchanged store alone": lambda: session._cache.put(
            replace(instance, observed_at=observed_at)
        ),
        "store write alone": lambda: store.save({"raw": raw, "number": next(counter)}),
    }
    times = medians(time_interleaved(calls, rounds=STEP_ROUNDS))
    return [Figure(f"  {name}", seconds) for name, seconds in times.items()]


def profile(clients: ClientFactory) -> None:
    """Print where the calling thread of a refresh spends its time."""
    session = clients.session(UNCHANGING_ID, TOKEN)
    session.refresh()
    profiler = cProfile.Profile()
    with profiler:
        for _ in range(ROUNDS):
            session.refresh()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
