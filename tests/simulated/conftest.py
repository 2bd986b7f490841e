"""A simulated ModelArts instance with an emulator of its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel_session import KernelSession

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

INSTANCE_ID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
REGION = "cn-north-4"
SDK_SOURCE = """
import os

class Session:
    access_key = {ak!r}
    secret_key = {sk!r}
    security_token = {token!r}
    project_id = {project!r}
    region_name = {region!r}

    def __init__(self):
        with open(os.path.join(os.environ["HOME"], "sessions"), "a") as file:
            file.write(".")
"""


class SimulatedInstance:
    """An instance as seen by its processes: home with a work folder, host name, preinstalled package.

    Attributes:
        emulator: The emulator of its API.
        home: The home directory.
        environ: The environment of its processes, without any setting of this package.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.emulator = LocalEmulator(api="notebooks", notebook_id=INSTANCE_ID)
        self.emulator.start()
        (home / "work").mkdir()
        package = home / "site" / "modelarts"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        session = SDK_SOURCE.format(
            ak=self.emulator.temporary_ak,
            sk=self.emulator.temporary_sk,
            token=self.emulator.security_token,
            project=self.emulator.project_id,
            region=REGION,
        )
        (package / "session.py").write_text(session)
        self.environ: Mapping[str, str] = {
            "HOME": str(home),
            "HOSTNAME": f"notebook-{INSTANCE_ID}",
            "JUPYTERHUB_SERVICE_PREFIX": f"/{INSTANCE_ID}/",
            "PYTHONPATH": str(home / "site"),
            "LANG": "C.UTF-8",
            "TZ": "Asia/Shanghai",
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, which must not appear anywhere."""
        return self.emulator.temporary_sk, self.emulator.security_token

    def sdk_session_count(self) -> int:
        """Return how often a session of the preinstalled package was created."""
        path = self.home / "sessions"
        return len(path.read_text()) if path.exists() else 0


@pytest.fixture(scope="module")
def simulated_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedInstance]:
    """Return an instance whose endpoint was configured in an earlier kernel.

    On a real instance the endpoint follows from the region, which no test can have.
    """
    instance = SimulatedInstance(tmp_path_factory.mktemp("home"))
    first_session = KernelSession(instance.environ)
    first_session.run("%load_ext modelarts_magics")
    status, shown = first_session.run(f"%modelarts configure endpoint={instance.emulator.endpoint}")
    first_session.close()
    assert status == "ok", shown
    yield instance
    instance.emulator.stop()


@pytest.fixture(scope="module")
def kernel_session(simulated_instance: SimulatedInstance) -> Iterator[KernelSession]:
    """Return a new kernel on that instance."""
    session = KernelSession(simulated_instance.environ)
    yield session
    session.close()
