"""What the emulator's tests share: an emulator with a clock that stands still, and a client."""

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

from modelarts_magics.emulator.auth import ALGORITHM, Call, signature
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
ROOT = Path(__file__).parents[2]


class Lab:
    """An emulator and a client that has its token."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the fields of Options
        self.clock = ManualClock(START)
        self.emulator = LocalEmulator(clock=self.clock, **options)
        self.emulator.start()
        no_roots = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading them takes longer than a test
        self.http = httpx.Client(
            base_url=self.emulator.endpoint, trust_env=False, timeout=30, verify=no_roots
        )
        self.token = {"X-Auth-Token": self.emulator.auth_token}
        project = f"/v1/{self.emulator.project_id}"
        self.dev_list = f"{project}/demanager/instances"
        self.dev = f"{self.dev_list}/{self.emulator.demanager_id}"
        self.note_list = f"{project}/notebooks"
        self.note = f"{self.note_list}/{self.emulator.notebook_id}"

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Send one request with the token."""
        headers = {**self.token, **how.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **how)

    def auto_stop(self) -> dict[str, Any]:
        """Return `auto_stop` as a GET shows it."""
        return self.ask("GET", self.dev).json()["spec"]["auto_stop"]

    def put(self, **auto_stop: object) -> httpx.Response:
        """Change the auto-stop of the demanager instance."""
        return self.ask(
            "PUT", self.dev, json={"description": "d", "spec": {"auto_stop": auto_stop}}
        )

    def lease(self) -> dict[str, Any]:
        """Return the lease as its GET shows it."""
        return self.ask("GET", self.note + "/lease").json()

    def left(self) -> timedelta:
        """Return what the lease says is left."""
        found = self.lease()
        end = timedelta(milliseconds=found["create_at"] + found["duration"])
        return end - (self.clock.now() - datetime(1970, 1, 1, tzinfo=timezone.utc))

    def pass_time(self, **span: float) -> None:
        """Move the server's clock."""
        self.emulator.advance(timedelta(**span))

    def signed(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        **how: Any,  # noqa: ANN401 - named in the docstring
    ) -> httpx.Response:
        """Send a signed request; `at`, `keys`, `headers` and `signed` (the names) may be wrong."""
        at: datetime = how.get("at", self.clock.now())
        headers = {"Host": self.http.base_url.netloc.decode(), **how.get("headers", {})}
        headers["X-Sdk-Date"] = at.strftime("%Y%m%dT%H%M%SZ")
        if body:
            headers["Content-Type"] = "application/json"
        lower = {name.lower(): value for name, value in headers.items()}
        names = how.get("signed", sorted(lower))
        url, _, query = path.partition("?")
        call = Call(method=method, path=url, query=query, headers=lower, body=body)
        ak, sk = how.get("keys", (self.emulator.ak, self.emulator.sk))
        hexed = signature(call, signed=names, sk=sk)
        headers["Authorization"] = (
            f"{ALGORITHM} Access={ak}, SignedHeaders={';'.join(names)}, Signature={hexed}"
        )
        return self.http.request(method, path, headers=headers, content=body)

    def close(self) -> None:
        """Close the client and stop the emulator."""
        self.http.close()
        self.emulator.stop()


@pytest.fixture
def make_lab() -> Iterator[Callable[..., Lab]]:
    """Make labs with options, and close them afterwards."""
    made: list[Lab] = []

    def make(**options: object) -> Lab:
        made.append(Lab(**options))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """Return a lab with the default options."""
    return make_lab()


@pytest.fixture
def error_of() -> Callable[[httpx.Response], tuple[int, str]]:
    """Return what reads status and number of a refusal: (400, "6336"), (404, "APIGW.0101")."""

    def read(response: httpx.Response) -> tuple[int, str]:
        code = response.json().get("error_code", "")
        return response.status_code, code.replace("ModelArts.", "")

    return read


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _build(folder: Path, *, pins: list[str]) -> None:
    """Make an environment beside its place and move it there, so that it is whole or absent."""
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, "-m", "venv", "--without-pip", str(draft)], check=True
    )
    install = ["-m", "pip", "--python", str(_python_of(draft)), "install", "--quiet", *pins]
    subprocess.run([sys.executable, *install], check=True)  # noqa: S603 - fixed words
    try:
        draft.rename(folder)
    except OSError:  # another run was faster
        shutil.rmtree(draft)


@pytest.fixture(scope="session")
def run_foreign() -> Callable[..., dict[str, Any]]:
    """Return what runs a client of somebody else, in an environment made once, and reads its JSON."""

    def run(script: str, *arguments: str, pins: list[str]) -> dict[str, Any]:
        cache = ROOT / ".cache" / "foreign"
        cache.mkdir(parents=True, exist_ok=True)
        (cache / ".gitignore").write_text("*\n")
        folder = cache / "-".join(pins).replace("==", "-")
        if not folder.exists():
            _build(folder, pins=pins)
        command = [str(_python_of(folder)), str(Path(__file__).parent / script), *arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(  # noqa: S603 - a script of ours
            command, capture_output=True, text=True, check=False, env=environment, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
