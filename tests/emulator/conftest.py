"""Fixtures of the emulator's tests: an emulator with a manual clock, and a client."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest

from modelarts_magics.emulator.auth import ALGORITHM, HttpRequest, compute_signature
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
ROOT = Path(__file__).parents[2]


class EmulatorClient:
    """Emulator with a client that has its token."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the fields of Options
        self.clock = ManualClock(START)
        self.emulator = LocalEmulator(clock=self.clock, **options)
        self.emulator.start()
        # Loading the root certificates would take longer than a test.
        no_roots = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.http = httpx.Client(
            base_url=self.emulator.endpoint, trust_env=False, timeout=30, verify=no_roots
        )
        self.token = {"X-Auth-Token": self.emulator.auth_token}
        project = f"/v1/{self.emulator.project_id}"
        self.instances_path = f"{project}/demanager/instances"
        self.instance_path = f"{self.instances_path}/{self.emulator.demanager_id}"
        self.notebooks_path = f"{project}/notebooks"
        self.notebook_path = f"{self.notebooks_path}/{self.emulator.notebook_id}"

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - the arguments of httpx
        """Send a request with the token."""
        headers = {**self.token, **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    def auto_stop(self) -> dict[str, Any]:
        """Return `auto_stop` of the demanager instance."""
        return self.request("GET", self.instance_path).json()["spec"]["auto_stop"]

    def put_auto_stop(self, **auto_stop: object) -> httpx.Response:
        """Change the auto-stop of the demanager instance."""
        return self.request(
            "PUT", self.instance_path, json={"description": "d", "spec": {"auto_stop": auto_stop}}
        )

    def lease(self) -> dict[str, Any]:
        """Return the lease of the notebook."""
        return self.request("GET", self.notebook_path + "/lease").json()

    def lease_time_left(self) -> timedelta:
        """Return the time until the lease ends."""
        found = self.lease()
        stop = timedelta(milliseconds=found["create_at"] + found["duration"])
        return stop - (self.clock.now() - datetime(1970, 1, 1, tzinfo=timezone.utc))

    def advance(self, **duration: float) -> None:
        """Advance the clock of the server."""
        self.emulator.advance(timedelta(**duration))

    def signed_request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        **options: Any,  # noqa: ANN401 - named in the docstring
    ) -> httpx.Response:
        """Send a signed request; a test may pass invalid `at`, `keys`, `headers` and `signed` (header names)."""
        at: datetime = options.get("at", self.clock.now())
        headers = {"Host": self.http.base_url.netloc.decode(), **options.get("headers", {})}
        headers["X-Sdk-Date"] = at.strftime("%Y%m%dT%H%M%SZ")
        if body:
            headers["Content-Type"] = "application/json"
        lower = {name.lower(): value for name, value in headers.items()}
        names = options.get("signed", sorted(lower))
        url, _, query = path.partition("?")
        request = HttpRequest(method=method, path=url, query=query, headers=lower, body=body)
        ak, sk = options.get("keys", (self.emulator.ak, self.emulator.sk))
        signature = compute_signature(request, signed_headers=names, sk=sk)
        headers["Authorization"] = (
            f"{ALGORITHM} Access={ak}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return self.http.request(method, path, headers=headers, content=body)

    def close(self) -> None:
        """Close the client and stop the emulator."""
        self.http.close()
        self.emulator.stop()


@pytest.fixture
def make_client() -> Iterator[Callable[..., EmulatorClient]]:
    """Return a function that creates a client for an emulator with options."""
    clients: list[EmulatorClient] = []

    def create(**options: object) -> EmulatorClient:
        clients.append(EmulatorClient(**options))
        return clients[-1]

    yield create
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., EmulatorClient]) -> EmulatorClient:
    """Return a client for an emulator with the default options."""
    return make_client()


@pytest.fixture
def status_and_code() -> Callable[[httpx.Response], tuple[int, str]]:
    """Return a function that returns status and short code of an error: (400, "6336"), (404, "APIGW.0101")."""

    def read(response: httpx.Response) -> tuple[int, str]:
        code = response.json().get("error_code", "")
        return response.status_code, code.replace("ModelArts.", "")

    return read


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _create_environment(folder: Path, *, pins: list[str]) -> None:
    """Create an environment under a temporary name and rename it, so that it is complete or absent."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
    subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, "-m", "venv", "--without-pip", str(temporary)], check=True
    )
    install = ["-m", "pip", "--python", str(_interpreter(temporary)), "install", "--quiet", *pins]
    subprocess.run([sys.executable, *install], check=True)  # noqa: S603 - fixed arguments
    try:
        temporary.rename(folder)
    except OSError:
        # Another process has created it meanwhile.
        shutil.rmtree(temporary)


@pytest.fixture(scope="session")
def run_external_client() -> Callable[..., dict[str, Any]]:
    """Return a function that runs a third-party client in a cached environment and returns its JSON."""

    def run(script: str, *arguments: str, pins: list[str]) -> dict[str, Any]:
        cache = ROOT / ".cache" / "external"
        cache.mkdir(parents=True, exist_ok=True)
        (cache / ".gitignore").write_text("*\n")
        folder = cache / "-".join(pins).replace("==", "-")
        if not folder.exists():
            _create_environment(folder, pins=pins)
        command = [str(_interpreter(folder)), str(Path(__file__).parent / script), *arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(  # noqa: S603 - fixed arguments
            command, capture_output=True, text=True, check=False, env=environment, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
