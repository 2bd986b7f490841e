"""Discovery: which requests are sent, how often, and what is never guessed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import httpx
import pytest
from httpx_transport import HttpxTransport

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    ModelArtsError,
    NoCredentialsError,
    NoSuchInstanceError,
    UnreachableError,
)
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.session.session import Session

ONE = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
TWO = "16fd2706-8baf-433b-82eb-8c7fada847da"
OLD = "DE-7e8b6e88-4a5a-11ea-b77f-2e728ce88125"
NOWHERE = "laptop"
INSTANT = Clock(sleep=lambda _: None)
"""A clock whose sleeps end at once."""


class DiscoveryHarness:
    """An emulator and sessions in a home folder of their own, with the settings of the test.

    Attributes:
        emulator: The emulator.
        environ: The environment, which a test may change.
    """

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - the fields of Options
        self.emulator = LocalEmulator(**options)
        self.emulator.start()
        self._opened: list[Session] = []
        self.environ = {
            "HOME": str(folder),
            "MODELARTS_ENDPOINT": self.emulator.endpoint,
            "MODELARTS_PROJECT_ID": self.emulator.project_id,
            "MODELARTS_AUTH_TOKEN": self.emulator.auth_token,
            "MODELARTS_STATE_DIR": str(folder / "state"),
        }

    def open(self, *, hostname: str = NOWHERE, **variables: str) -> Session:
        """Open a session as another process would; an empty variable is not set."""
        environ = {**self.environ, **variables}
        self._opened.append(
            open_session(
                Settings.load(environ=environ),
                environ=environ,
                clock=INSTANT,
                hostname=hostname,
            )
        )
        return self._opened[-1]

    def refusal(self, **how: str) -> ConfigurationError:
        """Return the error of opening a session; its message and hint are one line each."""
        with pytest.raises(ConfigurationError) as caught:
            self.open(**how)
        assert len(str(caught.value).splitlines()) == 2
        return caught.value

    @property
    def requests(self) -> list[str]:
        """Return the requests as (API, resource)."""
        words = []
        for one in self.emulator.requests:
            parts = one["path"].strip("/").split("/")
            words.append("iam" if parts[0] == "v3" else " ".join([parts[2], *parts[-1:]]))
        return words

    def close(self) -> None:
        """Close the sessions and stop the emulator."""
        for session in self._opened:
            session.close()
        self.emulator.stop()


@pytest.fixture
def make_discovery(tmp_path: Path) -> Iterator[Callable[..., DiscoveryHarness]]:
    """Create harnesses with options, and close them after the test."""
    made: list[DiscoveryHarness] = []

    def make(**options: object) -> DiscoveryHarness:
        made.append(DiscoveryHarness(tmp_path, **options))
        return made[-1]

    yield make
    for discovery in made:
        discovery.close()


@pytest.fixture
def discovery(make_discovery: Callable[..., DiscoveryHarness]) -> DiscoveryHarness:
    """Return an emulator with an instance of each API."""
    return make_discovery(instance_id=TWO, notebook_id=ONE)


# The API.


@pytest.mark.parametrize(
    ("instance_id", "api", "probes"),
    [(ONE, "notebooks", 1), (TWO, "demanager", 1)],
)
def test_api_is_determined_once_and_stored(
    discovery: DiscoveryHarness, instance_id: str, api: str, probes: int
) -> None:
    """Later processes send only their own requests."""
    session = discovery.open(MODELARTS_INSTANCE_ID=instance_id)
    assert discovery.requests == [f"notebooks {instance_id}"] * probes
    discovery.emulator.clear_requests()
    instance = session.refresh()
    assert (instance.id, instance.api, session.capabilities.api) == (instance_id, api, api)
    discovery.emulator.clear_requests()
    later = discovery.open(MODELARTS_INSTANCE_ID=instance_id)
    assert discovery.requests == []
    assert later.refresh().api == api
    assert len(discovery.requests) == 1


def test_form_of_the_id_determines_the_api(make_discovery: Callable[..., DiscoveryHarness]) -> None:
    """No request is needed."""
    discovery = make_discovery(instance_id=OLD)
    session = discovery.open(MODELARTS_INSTANCE_ID=OLD)
    assert discovery.requests == []
    assert session.refresh().api == "demanager"


@pytest.mark.parametrize("api", ["notebooks", "demanager"])
def test_api_setting_is_used_without_request(discovery: DiscoveryHarness, api: str) -> None:
    """The state file is not read either."""
    instance_id = {"notebooks": ONE, "demanager": TWO}[api]
    discovery.open(MODELARTS_INSTANCE_ID=instance_id).refresh()
    discovery.emulator.clear_requests()
    other = {"notebooks": "demanager", "demanager": "notebooks"}[api]
    session = discovery.open(MODELARTS_INSTANCE_ID=instance_id, MODELARTS_API=other)
    assert (discovery.requests, session.capabilities.api) == ([], other)
    with pytest.raises(NoSuchInstanceError):
        session.refresh()


def test_stored_api_of_another_instance_does_not_count(discovery: DiscoveryHarness) -> None:
    """The state file is that of one endpoint, project and ID."""
    discovery.open(MODELARTS_INSTANCE_ID=ONE).refresh()
    discovery.emulator.clear_requests()
    discovery.open(MODELARTS_INSTANCE_ID=TWO)
    assert discovery.requests == [f"notebooks {TWO}"]


def test_unknown_id_is_reported(discovery: DiscoveryHarness) -> None:
    """Neither API has the instance."""
    session = discovery.open(MODELARTS_INSTANCE_ID=ONE.replace("6", "7"))
    with pytest.raises(NoSuchInstanceError, match="Instance not found"):
        session.refresh()


def test_unknown_id_is_reported_without_historical_api(discovery: DiscoveryHarness) -> None:
    """The missing historical API is not the reason."""
    discovery.emulator.add_fault("404", path="/demanager")
    session = discovery.open(MODELARTS_INSTANCE_ID=ONE.replace("6", "7"))
    for _ in range(2):
        with pytest.raises(NoSuchInstanceError, match="Instance not found"):
            session.refresh()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", AuthenticationError), ("403", ForbiddenError), ("reset", UnreachableError)],
)
def test_failed_request_does_not_determine_the_api(
    discovery: DiscoveryHarness, fault: str, error: type[ModelArtsError]
) -> None:
    """Nothing wrong is stored."""
    discovery.emulator.add_fault(fault, methods=("GET",), path="/notebooks/")
    with pytest.raises(error):
        discovery.open(MODELARTS_INSTANCE_ID=ONE, MODELARTS_TOTAL_TIMEOUT="2")
    assert not any(word.startswith("demanager") for word in discovery.requests)
    discovery.emulator.clear_faults()
    assert discovery.open(MODELARTS_INSTANCE_ID=ONE).refresh().api == "notebooks"


def test_unreachable_endpoint_is_reported(discovery: DiscoveryHarness) -> None:
    """At once, with the host."""
    discovery.emulator.stop()
    with pytest.raises(UnreachableError, match="Cannot connect"):
        discovery.open(MODELARTS_INSTANCE_ID=ONE, MODELARTS_TOTAL_TIMEOUT="0.5")


@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_only_available_api_is_found(
    make_discovery: Callable[..., DiscoveryHarness], api: str
) -> None:
    """A path that no longer exists is not a missing instance."""
    discovery = make_discovery(instance_id=TWO, notebook_id=ONE)
    retired = {"demanager": "/notebooks", "notebooks": "/demanager"}[api]
    discovery.emulator.add_fault("404", path=retired)
    instance_id = {"demanager": TWO, "notebooks": ONE}[api]
    assert discovery.open(MODELARTS_INSTANCE_ID=instance_id).refresh().api == api


# The instance.


@pytest.mark.parametrize(("instance_id", "api"), [(ONE, "notebooks"), (TWO, "demanager")])
def test_running_candidate_is_used(discovery: DiscoveryHarness, instance_id: str, api: str) -> None:
    """The API confirms it; its source is named."""
    session = discovery.open(hostname=f"notebook-{instance_id.upper()}")
    assert session.settings is not None
    assert session.settings.get("instance_id") == instance_id
    assert session.settings.source("instance_id") == "host name"
    assert session.refresh().api == api


def test_instance_id_setting_is_used_without_request(discovery: DiscoveryHarness) -> None:
    """Candidates are not collected."""
    session = discovery.open(
        hostname=f"notebook-{ONE}", MODELARTS_INSTANCE_ID=TWO, MODELARTS_API="demanager"
    )
    assert discovery.requests == []
    assert session.settings is not None
    assert session.settings.source("instance_id") == "MODELARTS_INSTANCE_ID"
    assert session.refresh().id == TWO


@pytest.mark.parametrize("status", ["STOPPED", "STARTING", "STOPPING"])
def test_stopped_candidate_is_not_used(discovery: DiscoveryHarness, status: str) -> None:
    """The code runs on the instance, so the instance runs."""
    discovery.emulator.set_instance(ONE, status=status)
    error = discovery.refusal(hostname=f"notebook-{ONE}")
    assert ONE in error.message or "choose" in error.code


def test_unknown_candidate_is_skipped(discovery: DiscoveryHarness) -> None:
    """The next one is tried."""
    session = discovery.open(
        hostname="notebook-00000000-0000-4000-8000-000000000000",
        JUPYTERHUB_SERVICE_PREFIX=f"/notebook/user/{ONE}",
    )
    assert session.settings is not None
    assert session.settings.source("instance_id") == "JUPYTERHUB_SERVICE_PREFIX"
    assert session.refresh().id == ONE


def test_response_with_another_id_does_not_confirm(tmp_path: Path) -> None:
    """The ID in the response counts."""
    environ = {
        "HOME": str(tmp_path),
        "MODELARTS_STATE_DIR": str(tmp_path / "state"),
        "MODELARTS_ENDPOINT": "http://127.0.0.1:9",
        "MODELARTS_PROJECT_ID": "p",
        "MODELARTS_AUTH_TOKEN": "t",
    }
    other = {"id": TWO, "status": "RUNNING", "lease": {}, "data": []}
    http = httpx.MockTransport(lambda _: httpx.Response(200, json=other))
    with pytest.raises(ConfigurationError) as caught:
        open_session(
            Settings.load(environ=environ),
            environ=environ,
            transport=HttpxTransport(http),
            hostname=f"notebook-{ONE}",
        )
    assert caught.value.code == "config.candidates_unconfirmed"


def test_several_running_candidates_are_listed(discovery: DiscoveryHarness) -> None:
    """None of them is chosen."""
    error = discovery.refusal(hostname=f"notebook-{ONE}", JUPYTERHUB_USER=TWO)
    assert error.code == "config.several_instances"
    assert f"demo-notebook ({ONE}), demo-notebook ({TWO})" in error.message
    assert "configure instance_id=" in error.hint
    chosen = discovery.open(hostname=f"notebook-{ONE}", MODELARTS_INSTANCE_ID=TWO)
    assert chosen.refresh().id == TWO


def test_running_instances_are_listed_without_candidates(discovery: DiscoveryHarness) -> None:
    """A single one may belong to another user, so it is not chosen."""
    more = discovery.emulator.add_instance("notebooks", name="second")
    stopped = discovery.emulator.add_instance("notebooks", name="third")
    discovery.emulator.set_instance(stopped, status="STOPPED")
    error = discovery.refusal()
    assert error.code == "config.choose_instance"
    assert f"demo-notebook ({ONE}), second ({more})" in error.message
    assert stopped not in error.message


def test_instances_of_the_other_api_are_not_listed(discovery: DiscoveryHarness) -> None:
    """With the historical API set, an ID of the current one would be of no use."""
    error = discovery.refusal(MODELARTS_API="demanager")
    assert error.code == "config.missing_instance_id"
    assert discovery.requests == []


def test_tried_candidates_and_running_instances_are_both_named(discovery: DiscoveryHarness) -> None:
    """One does not explain the other."""
    error = discovery.refusal(hostname=f"notebook-{OLD[3:]}")
    assert error.code == "config.candidates_not_running"
    assert f"{OLD[3:]} (host name) is not running" in error.message
    assert f"demo-notebook ({ONE})" in error.message


def test_tried_candidates_are_named_if_nothing_runs(discovery: DiscoveryHarness) -> None:
    """Each with its source."""
    discovery.emulator.set_instance(ONE, status="STOPPED")
    error = discovery.refusal(hostname=f"notebook-{ONE}", JUPYTERHUB_USER=OLD)
    assert error.code == "config.candidates_unconfirmed"
    assert f"{ONE} (host name), {OLD} (JUPYTERHUB_USER)" in error.message


@pytest.mark.parametrize("fault", ["403", "404", "500"])
def test_setting_is_requested_if_instances_cannot_be_listed(
    discovery: DiscoveryHarness, fault: str
) -> None:
    """A missing permission to list is not the error."""
    discovery.emulator.add_fault(fault, path="/notebooks")
    error = discovery.refusal(MODELARTS_TOTAL_TIMEOUT="1")
    assert error.code == "config.missing_instance_id"
    assert "MODELARTS_INSTANCE_ID" in error.message


@pytest.mark.parametrize(
    ("fault", "error"), [("401", AuthenticationError), ("403", ForbiddenError)]
)
def test_refused_candidate_is_reported(
    discovery: DiscoveryHarness, fault: str, error: type[ModelArtsError]
) -> None:
    """Refused credentials are not a missing instance."""
    discovery.emulator.add_fault(fault, path="/notebooks/")
    with pytest.raises(error):
        discovery.open(hostname=f"notebook-{ONE}")


# Endpoint, region and project.


class ScriptedHosts:
    """Scripted responses for IAM and ModelArts.

    Attributes:
        requests: The URLs.
        limits: The timeouts of the last request.
    """

    def __init__(self, **iam: Any) -> None:  # noqa: ANN401 - status and JSON of IAM
        self.requests: list[str] = []
        self.limits: dict[str, float] = {}
        self._iam = {"status_code": 200, "json": {"projects": [self.project]}, **iam}
        self.transport = httpx.MockTransport(self._answer)

    project = {"name": "cn-north-4", "id": "p-of-iam"}  # noqa: RUF012 - read only

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(str(request.url))
        self.limits = request.extensions["timeout"]
        if "/v3/projects" in request.url.path:
            return httpx.Response(**self._iam)
        return httpx.Response(200, json={"id": ONE, "status": "RUNNING", "lease": {}})

    @property
    def hosts(self) -> list[str]:
        """Return the hosts of the requests."""
        return [urlsplit(url).hostname or "" for url in self.requests]


SET = {"MODELARTS_INSTANCE_ID": ONE, "MODELARTS_API": "notebooks"}
KEY = {"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "s3cret"}


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Open sessions with scripted hosts in a home folder of their own, and close them after the test."""
    opened: list[Session] = []

    def start(clouds: ScriptedHosts, **variables: str) -> Session:
        environ = {
            "HOME": str(tmp_path),
            "MODELARTS_STATE_DIR": str(tmp_path / "state"),
            **SET,
            **variables,
        }
        settings = Settings.load(environ=environ)
        opened.append(
            open_session(
                settings,
                environ=environ,
                transport=HttpxTransport(clouds.transport),
                hostname=NOWHERE,
            )
        )
        return opened[-1]

    yield start
    for session in opened:
        session.close()


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-4", "modelarts.cn-north-4.myhuaweicloud.com"),
        ("CN-North-4", "modelarts.cn-north-4.myhuaweicloud.com"),
        ("ap-southeast-1", "modelarts.ap-southeast-1.myhuaweicloud.cn"),
    ],
)
def test_region_determines_the_endpoint(
    look: Callable[..., Session], region: str, host: str
) -> None:
    """As in the table of the vendor."""
    clouds = ScriptedHosts()
    look(clouds, MODELARTS_REGION=region, MODELARTS_PROJECT_ID="p", **KEY).refresh()
    assert clouds.hosts == [host]


def test_each_timeout_is_used_for_its_purpose(look: Callable[..., Session]) -> None:
    """One for a connection, one for each part of a response."""
    clouds = ScriptedHosts()
    limits = {"MODELARTS_CONNECT_TIMEOUT": "3", "MODELARTS_READ_TIMEOUT": "4"}
    look(clouds, MODELARTS_REGION="cn-north-4", MODELARTS_PROJECT_ID="p", **KEY, **limits).refresh()
    assert (clouds.limits["connect"], clouds.limits["read"]) == (3, 4)


@pytest.mark.parametrize("where", ["MODELARTS_REGION", "MODELARTS_ENDPOINT"])
def test_credentials_are_not_loaded_without_need(look: Callable[..., Session], where: str) -> None:
    """Loading may be slow; an incomplete key is reported with the first request."""
    value = "cn-north-4" if where == "MODELARTS_REGION" else "https://modelarts.example"
    half = {**KEY, "HUAWEICLOUD_SDK_SK": ""}
    session = look(ScriptedHosts(), MODELARTS_PROJECT_ID="p", **{where: value}, **half)
    with pytest.raises(ConfigurationError):
        session.refresh()


def test_failed_discovery_closes_its_connections(look: Callable[..., Session]) -> None:
    """Those to IAM and to ModelArts."""
    before = set(threading.enumerate())
    clouds = ScriptedHosts()
    with pytest.raises(ConfigurationError):
        look(clouds, MODELARTS_REGION="cn-north-4", MODELARTS_INSTANCE_ID="", **KEY)
    assert len(clouds.hosts) == 2
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("region", ["cn-north-4", "CN-North-4"])
def test_project_is_looked_up_in_iam_once(look: Callable[..., Session], region: str) -> None:
    """By the name of the region; the source is named."""
    clouds = ScriptedHosts()
    session = look(clouds, MODELARTS_REGION=region, **KEY)
    session.refresh()
    session.refresh()
    assert clouds.hosts == ["iam.cn-north-4.myhuaweicloud.com"] + 2 * [
        "modelarts.cn-north-4.myhuaweicloud.com"
    ]
    assert clouds.requests[0].endswith("/v3/projects?name=cn-north-4")
    assert session.settings is not None
    assert session.settings.get("project_id") == "p-of-iam"
    assert session.settings.source("project_id") == "IAM, cn-north-4"


@pytest.mark.parametrize(
    ("variables", "file", "project", "source"),
    [
        ({"MODELARTS_PROJECT_ID": "p1", **KEY}, "", "p1", "MODELARTS_PROJECT_ID"),
        ({"HUAWEICLOUD_SDK_PROJECT_ID": "p2", **KEY}, "", "p2", "HUAWEICLOUD_SDK_PROJECT_ID"),
        (
            {"MODELARTS_PROJECT_ID": "p1", "HUAWEICLOUD_SDK_PROJECT_ID": "p2", **KEY},
            "",
            "p1",
            "MODELARTS_PROJECT_ID",
        ),
        ({}, "project_id = p3", "p3", None),
        ({"MODELARTS_PROJECT_ID": "p1"}, "project_id = p3", "p1", "MODELARTS_PROJECT_ID"),
    ],
)
def test_known_project_is_not_looked_up(  # noqa: PLR0913 - the columns of a table
    look: Callable[..., Session],
    tmp_path: Path,
    variables: dict[str, str],
    file: str,
    project: str,
    source: str | None,
) -> None:
    """The setting comes first, then the project stored with the key."""
    path = tmp_path / ".huaweicloud" / "credentials"
    if file:
        path.parent.mkdir()
        path.write_text(f"[basic]\nak = AK\nsk = s3cret\n{file}\n")
    clouds = ScriptedHosts()
    session = look(clouds, MODELARTS_REGION="cn-north-4", **variables)
    session.refresh()
    assert clouds.requests == [
        f"https://modelarts.cn-north-4.myhuaweicloud.com/v1/{project}/notebooks/{ONE}"
    ]
    assert session.settings is not None
    assert session.settings.source("project_id") == (source or str(path))


def test_project_of_another_key_is_not_used(look: Callable[..., Session], tmp_path: Path) -> None:
    """The project in the file belongs to the key in the file."""
    path = tmp_path / ".huaweicloud" / "credentials"
    path.parent.mkdir()
    path.write_text("[basic]\nak = AK\nsk = s3cret\nproject_id = p3\n")
    session = look(ScriptedHosts(), MODELARTS_REGION="cn-north-4", **KEY)
    assert session.settings is not None
    assert session.settings.get("project_id") == "p-of-iam"


@pytest.mark.parametrize(
    "iam",
    [
        {"json": {"projects": []}},
        {"json": {"projects": [{"name": "cn-north-4_sub", "id": "p"}]}},
        {"status_code": 403},
    ],
)
def test_project_setting_is_requested_if_iam_has_none(
    look: Callable[..., Session], iam: dict[str, Any]
) -> None:
    """The message says what to set."""
    with pytest.raises(ConfigurationError) as caught:
        look(ScriptedHosts(**iam), MODELARTS_REGION="cn-north-4", **KEY)
    assert caught.value.code == "config.missing_project_id"
    assert "MODELARTS_PROJECT_ID" in caught.value.message


def test_credentials_refused_by_iam_are_reported(look: Callable[..., Session]) -> None:
    """A project setting would not help."""
    with pytest.raises(AuthenticationError):
        look(ScriptedHosts(status_code=401), MODELARTS_REGION="cn-north-4", **KEY)


REGION, PROJECT, INSTANCE = "MODELARTS_REGION", "MODELARTS_PROJECT_ID", "MODELARTS_INSTANCE_ID"


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, f"{REGION}, credentials, {PROJECT}"),
        ({INSTANCE: ""}, f"{REGION}, credentials, {PROJECT}, {INSTANCE}"),
        ({PROJECT: "p"}, f"{REGION}, credentials"),
        ({PROJECT: "p", INSTANCE: "", **KEY}, f"{REGION}, {INSTANCE}"),
        ({REGION: "cn-north-4", INSTANCE: ""}, f"credentials, {INSTANCE}"),
        ({REGION: "cn-north-4", PROJECT: "p", INSTANCE: ""}, f"credentials, {INSTANCE}"),
        ({"MODELARTS_ENDPOINT": "https://modelarts.example.com"}, f"credentials, {PROJECT}"),
        (
            {"MODELARTS_ENDPOINT": "https://modelarts.example.com", INSTANCE: "", **KEY},
            f"{PROJECT}, {INSTANCE}",
        ),
    ],
)
def test_all_missing_settings_are_named_at_once(
    look: Callable[..., Session], variables: dict[str, str], names: str
) -> None:
    """In one line; what can be looked up does not count as missing."""
    clouds = ScriptedHosts()
    with pytest.raises(ConfigurationError) as caught:
        look(clouds, **variables)
    assert caught.value.message == f"Missing: {names}."
    assert len(str(caught.value).splitlines()) == 2
    assert "%modelarts login" in caught.value.hint
    assert clouds.requests == []


@pytest.mark.parametrize(
    ("variables", "code", "error"),
    [
        ({"MODELARTS_PROJECT_ID": "p", **KEY}, "config.missing_endpoint", ConfigurationError),
        ({"MODELARTS_REGION": "cn-north-4"}, "credentials.not_found", NoCredentialsError),
        (
            {"MODELARTS_ENDPOINT": "https://modelarts.example.com", **KEY},
            "config.missing_project_id",
            ConfigurationError,
        ),
        ({"MODELARTS_REGION": "not a valid region", **KEY}, "config.region", ConfigurationError),
    ],
)
def test_single_missing_setting_has_its_own_message(
    look: Callable[..., Session],
    variables: dict[str, str],
    code: str,
    error: type[ConfigurationError],
) -> None:
    """No request is sent."""
    clouds = ScriptedHosts()
    with pytest.raises(error) as caught:
        look(clouds, **variables)
    assert caught.value.code == code
    assert clouds.requests == []


def test_iam_endpoint_can_be_set(look: Callable[..., Session]) -> None:
    """For a cloud that is not the public one."""
    clouds = ScriptedHosts()
    look(
        clouds,
        MODELARTS_REGION="cn-north-4",
        MODELARTS_IAM_ENDPOINT="https://iam.example.com/",
        **KEY,
    )
    assert clouds.hosts == ["iam.example.com"]
