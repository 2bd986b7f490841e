"""The first steps on an instance without any configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from kernel_session import KernelSession, environment_without_settings

if TYPE_CHECKING:
    from conftest import SimulatedInstance

pytestmark = pytest.mark.process


def instance_state(simulated: SimulatedInstance) -> dict[str, Any]:
    """Return the state of the instance in the emulator."""
    notebook_id = simulated.emulator.notebook_id
    instances = simulated.emulator.state()["instances"]
    return next(one for one in instances if one["id"] == notebook_id)


def test_only_the_settings_file_is_set(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """It is in the persistent folder; no variable of this package is in the environment."""
    assert (simulated_instance.home / "work" / ".modelarts-magics.ini").read_text().split() == [
        "[modelarts]",
        "endpoint",
        "=",
        simulated_instance.emulator.endpoint,
    ]
    found = "[n for n in os.environ if n.startswith(('MODELARTS', 'HUAWEICLOUD'))]"
    assert kernel_session.run(f"import os\n{found}") == ("ok", "[]")


def test_two_lines_show_the_instance(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """They load the extension and read the instance."""
    simulated_instance.emulator.clear_requests()
    status, _ = kernel_session.run("%load_ext modelarts_magics")
    assert (status, simulated_instance.emulator.requests) == ("ok", [])
    status, shown = kernel_session.run("%modelarts")
    assert status == "ok", shown
    assert "demo-notebook · RUNNING" in shown
    assert "min left" in shown
    assert all(one["auth"] == "signature" for one in simulated_instance.emulator.requests)


def test_common_commands_work(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """The output agrees with the state of the instance."""
    kernel_session.run("%load_ext modelarts_magics")
    before = datetime.fromisoformat(instance_state(simulated_instance)["stops_at"])
    status, shown = kernel_session.run("%modelarts extend 2h")
    assert status == "ok", shown
    assert "Extended." in shown
    moved = datetime.fromisoformat(instance_state(simulated_instance)["stops_at"]) - before
    assert abs(moved - timedelta(hours=2)) < timedelta(seconds=30)
    status, shown = kernel_session.run("%modelarts describe first steps")
    assert (status, instance_state(simulated_instance)["description"]) == ("ok", "first steps")


def test_access_key_is_read_once_per_kernel(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """The preinstalled package may be slow, so the key is cached until it is rejected."""
    kernel_session.run("%load_ext modelarts_magics")
    kernel_session.run("%modelarts")
    count = simulated_instance.sdk_session_count()
    for _ in range(3):
        assert kernel_session.run("%modelarts")[0] == "ok"
    assert simulated_instance.sdk_session_count() == count


def test_doctor_names_all_sources(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """The id is from the host name; key, project and region are from the session; secrets are masked."""
    kernel_session.run("%load_ext modelarts_magics")
    status, shown = kernel_session.run("%modelarts doctor --all")
    assert status == "ok"
    file = simulated_instance.home / "work" / ".modelarts-magics.ini"
    for value, source in (
        (simulated_instance.emulator.notebook_id, "HOSTNAME"),
        (simulated_instance.emulator.project_id, "modelarts.session.Session()"),
        (simulated_instance.emulator.endpoint, str(file)),
        ("temporary access key FAKE…", "modelarts.session.Session()"),
        ("credentials", "MODELARTS_AUTH_TOKEN"),
    ):
        assert [line for line in shown.splitlines() if value in line and source in line]


def test_package_can_be_used_from_python(kernel_session: KernelSession) -> None:
    """The sources are the same as those of the magics."""
    cell = "import modelarts_magics as m\ns = m.connect()\nprint(s.refresh().name)\ns.close()"
    status, shown = kernel_session.run(cell)
    assert status == "ok", shown
    assert "demo-notebook" in shown


@pytest.mark.parametrize("command", [["status"], ["auto-stop", "5h"], ["doctor"]])
def test_terminal_uses_the_same_sources(
    simulated_instance: SimulatedInstance, command: list[str]
) -> None:
    """It has the environment of the kernels."""
    done = subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, "-m", "modelarts_magics", *command],
        env={**environment_without_settings(), **simulated_instance.environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(secret in done.stdout for secret in simulated_instance.secrets)


def test_no_secret_is_published(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """Secrets are neither in output nor in representations of objects nor in files."""
    kernel_session.run("%load_ext modelarts_magics")
    kernel_session.run(
        "import modelarts_magics as m\ns = m.connect()\nvars(s), s.settings, s\ns.close()"
    )
    kernel_session.run("%modelarts status --all")
    seen = kernel_session.published_text()
    files = [
        path
        for path in simulated_instance.home.rglob("*")
        if path.is_file() and "site" not in path.relative_to(simulated_instance.home).parts
    ]
    assert any(path.suffix == ".json" for path in files)
    for secret in simulated_instance.secrets:
        assert secret not in seen
        assert not [path for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"PYTHONPATH": ""}, ("No credentials found.", "login")),
        (
            {"HOSTNAME": "laptop", "JUPYTERHUB_SERVICE_PREFIX": "/"},
            (
                "Cannot identify this instance. Running instances in this project: demo-notebook",
                "configure",
            ),
        ),
    ],
    ids=["no package", "no name"],
)
def test_missing_value_is_one_line_and_one_hint(
    simulated_instance: SimulatedInstance, change: dict[str, str], expected: tuple[str, str]
) -> None:
    """The hint says what to do."""
    environ = {
        **simulated_instance.environ,
        "MODELARTS_PROJECT_ID": simulated_instance.emulator.project_id,
        **change,
    }
    done = subprocess.run(
        [sys.executable, "-m", "modelarts_magics"],
        env={**environment_without_settings(), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    message, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert message.startswith(expected[0])
    assert expected[1] in hint
    assert os.linesep not in message
