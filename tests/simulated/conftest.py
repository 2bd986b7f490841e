"""An instance as the platform makes it, as far as that is known, around an emulator."""

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
    """An instance from inside: a home whose work folder lasts, a host name, a preinstalled package.

    Attributes:
        emulator: The cloud that it belongs to.
        home: Its home folder.
        environ: All that its kernels find set; nothing in it is a setting of ours.
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
        """What must be seen nowhere."""
        return self.emulator.temporary_sk, self.emulator.security_token

    def sdk_session_count(self) -> int:
        """How often the preinstalled package was asked for a session."""
        path = self.home / "sessions"
        return len(path.read_text()) if path.exists() else 0


@pytest.fixture(scope="module")
def simulated_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedInstance]:
    """An instance on which somebody has said, in an earlier kernel, where the cloud is.

    The endpoint follows from the region on a real one; no test can have that.
    """
    made = SimulatedInstance(tmp_path_factory.mktemp("home"))
    first_session = KernelSession(made.environ)
    first_session.run("%load_ext modelarts_magics")
    status, shown = first_session.run(f"%modelarts configure endpoint={made.emulator.endpoint}")
    first_session.close()
    assert status == "ok", shown
    yield made
    made.emulator.stop()


@pytest.fixture(scope="module")
def kernel_session(simulated_instance: SimulatedInstance) -> Iterator[KernelSession]:
    """Somebody with a new kernel on that instance."""
    someone = KernelSession(simulated_instance.environ)
    yield someone
    someone.close()
