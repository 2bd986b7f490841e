"""The first five minutes on an instance where nothing is set."""

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


def truth(place: SimulatedInstance) -> dict[str, Any]:
    """The instance as the emulator itself sees it."""
    wanted = place.emulator.notebook_id
    return next(one for one in place.emulator.state()["instances"] if one["id"] == wanted)


def test_nothing_is_set_but_the_file_that_configure_wrote(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """In the folder that survives a stop; no variable of ours reaches the kernel."""
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
    """Load, ask: name, end, what is set."""
    simulated_instance.emulator.clear_requests()
    status, _ = kernel_session.run("%load_ext modelarts_magics")
    assert (status, simulated_instance.emulator.requests) == ("ok", [])
    status, shown = kernel_session.run("%modelarts")
    assert status == "ok", shown
    assert "demo-notebook · RUNNING" in shown
    assert "min left" in shown
    assert all(one["auth"] == "signature" for one in simulated_instance.emulator.requests)


def test_the_words_of_every_day_work(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """What is said is what the cloud holds."""
    kernel_session.run("%load_ext modelarts_magics")
    before = datetime.fromisoformat(truth(simulated_instance)["stops_at"])
    status, shown = kernel_session.run("%modelarts extend 2h")
    assert status == "ok", shown
    assert "Extended." in shown
    moved = datetime.fromisoformat(truth(simulated_instance)["stops_at"]) - before
    assert abs(moved - timedelta(hours=2)) < timedelta(seconds=30)
    status, shown = kernel_session.run("%modelarts describe first steps")
    assert (status, truth(simulated_instance)["description"]) == ("ok", "first steps")


def test_the_key_is_asked_for_once_in_a_kernel(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """Asking the preinstalled package may be slow: it is kept until it is refused."""
    kernel_session.run("%load_ext modelarts_magics")
    kernel_session.run("%modelarts")
    made = simulated_instance.sdk_session_count()
    for _ in range(3):
        assert kernel_session.run("%modelarts")[0] == "ok"
    assert simulated_instance.sdk_session_count() == made


def test_doctor_says_where_everything_came_from(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """The id from the host name, key, project and region from the session, the end of it all masked."""
    kernel_session.run("%load_ext modelarts_magics")
    status, shown = kernel_session.run("%modelarts doctor")
    assert status == "ok"
    file = simulated_instance.home / "work" / ".modelarts-magics.ini"
    for value, source in (
        (simulated_instance.emulator.notebook_id, "HOSTNAME"),
        (simulated_instance.emulator.project_id, "modelarts.session.Session()"),
        (simulated_instance.emulator.endpoint, str(file)),
        ("AccessKey(FAKE…, temporary)", "modelarts.session.Session()"),
        ("credentials", "MODELARTS_AUTH_TOKEN"),
    ):
        assert [line for line in shown.splitlines() if value in line and source in line]


def test_the_package_can_be_used_from_python(kernel_session: KernelSession) -> None:
    """The same search, without a magic."""
    cell = "import modelarts_magics as m\ns = m.connect()\nprint(s.refresh().name)\ns.close()"
    status, shown = kernel_session.run(cell)
    assert status == "ok", shown
    assert "demo-notebook" in shown


@pytest.mark.parametrize("command", [["status"], ["auto-stop", "5h"], ["doctor"]])
def test_a_terminal_of_the_instance_finds_the_same(
    simulated_instance: SimulatedInstance, command: list[str]
) -> None:
    """With the environment that the kernels have."""
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


def test_no_secret_was_ever_published(
    simulated_instance: SimulatedInstance, kernel_session: KernelSession
) -> None:
    """Not by any of the above, nor by looking at the objects themselves, nor onto the disk."""
    kernel_session.run("%load_ext modelarts_magics")
    kernel_session.run(
        "import modelarts_magics as m\ns = m.connect()\nvars(s), s.settings, s\ns.close()"
    )
    kernel_session.run("%modelarts status --all")
    seen = kernel_session.published_text()
    ours = [
        path
        for path in simulated_instance.home.rglob("*")
        if path.is_file() and "site" not in path.relative_to(simulated_instance.home).parts
    ]
    assert any(path.suffix == ".json" for path in ours)
    for secret in simulated_instance.secrets:
        assert secret not in seen
        assert not [path for path in ours if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PYTHONPATH": ""}, ("No credentials were found.", "login")),
        (
            {"HOSTNAME": "laptop", "JUPYTERHUB_SERVICE_PREFIX": "/"},
            (
                "Nothing tells which instance this is. Running in this project: demo-notebook",
                "configure",
            ),
        ),
    ],
    ids=["no package", "no name"],
)
def test_what_is_missing_is_said_in_one_line(
    simulated_instance: SimulatedInstance, change: dict[str, str], words: tuple[str, str]
) -> None:
    """And one hint what to do."""
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
    assert message.startswith(words[0])
    assert words[1] in hint
    assert os.linesep not in message
