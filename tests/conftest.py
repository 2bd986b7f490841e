"""Fixtures of all tests: emulators of each edition, sessions with them, and clocks."""

from __future__ import annotations

import signal
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import hypothesis
import pytest
from api_versions import API_VERSIONS
from emulator_harness import EmulatorHarness
from httpx_transport import HttpxTransport
from wheel_builds import BuiltPackages, build_packages

from modelarts_magics import messages
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api_versions import ApiVersion

    from modelarts_magics.session.session import Session

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell that runs the tests in the background lets them, and what they start, ignore it."""


hypothesis.settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
"""The default: the same examples every time, so that no change is refused by chance."""
hypothesis.settings.register_profile(
    "soak",
    parent=hypothesis.settings.get_profile("repeatable"),
    derandomize=False,
    max_examples=2000,
)
"""New random examples in each run, and many of them."""

PROCESS_EVENTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn")
_current_test: pytest.Item | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of ``make soak``."""
    parser.addoption("--soak", action="store_true", help="also run the cases marked `soak`")


def pytest_configure(config: pytest.Config) -> None:
    """Describe the markers, choose the examples, and watch for processes."""
    config.addinivalue_line("markers", "process: starts a process; `make quick` leaves it out")
    config.addinivalue_line("markers", "soak: runs with --soak only; a cell of a large matrix")
    if not config.getoption("--hypothesis-profile"):
        hypothesis.settings.load_profile("repeatable")
    sys.addaudithook(_require_process_marker)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the cases out that are marked `soak`, unless they are asked for."""
    if config.getoption("--soak"):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    items[:] = [item for item in items if not item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember which test runs."""
    global _current_test  # noqa: PLW0603 - an audit hook gets no argument of ours
    _current_test = item
    result = yield
    _current_test = None
    return result


def _require_process_marker(event: str, _arguments: object) -> None:
    """Fail a test that starts a process without saying so: `make quick` would run it."""
    if _current_test is None or event not in PROCESS_EVENTS:
        return
    if not _current_test.get_closest_marker("process"):
        raise RuntimeError(f"{_current_test.nodeid} starts a process: mark it with `process`")


class InstantSleepClock:
    """A real clock whose sleeps end at once; they are recorded and added to the time."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self.clock = Clock(now=self._now, monotonic=self._monotonic, sleep=self.sleeps.append)
        self.offset = timedelta(0)

    def _now(self) -> datetime:
        return datetime.now(timezone.utc) + self.offset

    def _monotonic(self) -> float:
        return time.monotonic() + sum(self.sleeps)


@pytest.fixture(autouse=True)
def _english_messages() -> Iterator[None]:
    """Use English messages; the language that a session sets is reset after each test."""
    messages.use_language("en")
    yield
    messages.use_language(None)
    messages.use_timezone(None)
    messages.use_command_prefix("%modelarts")


@pytest.fixture(scope="session")
def built_packages(tmp_path_factory: pytest.TempPathFactory) -> BuiltPackages:
    """Build the source archive and the wheel from it."""
    return build_packages(tmp_path_factory.mktemp("dist"))


@pytest.fixture
def instant_clock() -> InstantSleepClock:
    """Return a clock whose sleeps end at once."""
    return InstantSleepClock()


@pytest.fixture
def make_harness(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., EmulatorHarness]]:
    """Return a function that starts an emulator with options; all are stopped after the test."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path_factory.mktemp("emulator"), **options))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: Callable[..., EmulatorHarness]) -> EmulatorHarness:
    """Return an emulator with default options."""
    return make_harness()


@pytest.fixture(params=API_VERSIONS, ids=str)
def api_version(request: pytest.FixtureRequest) -> ApiVersion:
    """Return each API in each edition."""
    return request.param


@pytest.fixture
def make_emulator(api_version: ApiVersion) -> Iterator[Callable[..., LocalEmulator]]:
    """Create emulators of the API with options, and stop them after the test."""
    made: list[LocalEmulator] = []

    def make(**options: Any) -> LocalEmulator:  # noqa: ANN401 - the fields of Options
        emulator = LocalEmulator(api=api_version.api, edition=api_version.edition, **options)
        emulator.start()
        made.append(emulator)
        return emulator

    yield make
    for emulator in made:
        emulator.stop()


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator]) -> LocalEmulator:
    """Return an emulator whose instance has auto-stop on and 40 of 60 minutes left."""
    return make_emulator()


@pytest.fixture
def make_session(
    emulator: LocalEmulator, tmp_path: Path, instant_clock: InstantSleepClock
) -> Iterator[Callable[..., Session]]:
    """Create sessions with the emulator, and close them after the test.

    Keywords: `auth`, `state` (the name of a state folder, to share it), `clock`, `http`, `environ`
    (additional variables), and any setting.
    """
    opened: list[Session] = []

    def open_one(
        *,
        auth: str = "token",
        state: str = "state",
        clock: Clock = instant_clock.clock,
        environ: dict[str, str] | None = None,
        **rest: Any,  # noqa: ANN401 - settings, and `http`
    ) -> Session:
        http = rest.pop("http", None)
        transport = HttpxTransport(http) if http else None
        variables = {**emulator.environment(auth=auth), "HOME": str(tmp_path), **(environ or {})}
        settings = Settings.load(
            {"state_dir": str(tmp_path / state), "timezone": "+08:00", **rest}, environ=variables
        )
        opened.append(open_session(settings, environ=variables, clock=clock, transport=transport))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def set_instance(emulator: LocalEmulator, api_version: ApiVersion) -> Callable[..., dict[str, Any]]:
    """Return a function that sets the state of the emulated instance; see `ApiVersion.emulator_state`."""
    return lambda **state: emulator.set_instance(**api_version.emulator_state(**state))


@pytest.fixture
def instance_state(emulator: LocalEmulator) -> Callable[[], dict[str, Any]]:
    """Return a function that returns the instance according to the emulator, without HTTP and faults."""

    def read() -> dict[str, Any]:
        found = next(
            one for one in emulator.state()["instances"] if one["id"] == emulator.instance_id
        )
        for name in ("stops_at", "running_since"):
            found[name] = found[name] and datetime.fromisoformat(found[name])
        return found

    return read


@pytest.fixture
def write_requests(emulator: LocalEmulator) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that returns the writes that the emulator received."""
    return lambda: [one for one in emulator.requests if one["method"] != "GET"]
