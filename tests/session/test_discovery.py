"""From what is set to what is meant: what is asked of the cloud, how often, and what is never guessed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import httpx
import pytest

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
IMPATIENT = Clock(sleep=lambda _: None)
"""Time in which nobody waits before asking again."""


class Finder:
    """An emulator and sessions with it, in a home of their own, with only what a test sets.

    Attributes:
        emulator: The local cloud.
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
        """Open a session as another process would; what a variable is empty for is not set."""
        environ = {**self.environ, **variables}
        self._opened.append(
            open_session(
                Settings.load(environ=environ),
                environ=environ,
                clock=IMPATIENT,
                hostname=hostname,
            )
        )
        return self._opened[-1]

    def refusal(self, **how: str) -> ConfigurationError:
        """Why a session cannot be opened; its words are one line each."""
        with pytest.raises(ConfigurationError) as caught:
            self.open(**how)
        assert len(str(caught.value).splitlines()) == 2
        return caught.value

    @property
    def asked(self) -> list[str]:
        """What the cloud was asked: the generation, and what of it."""
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
def make_finder(tmp_path: Path) -> Iterator[Callable[..., Finder]]:
    """Make finders with options, and close them afterwards."""
    made: list[Finder] = []

    def make(**options: object) -> Finder:
        made.append(Finder(tmp_path, **options))
        return made[-1]

    yield make
    for finder in made:
        finder.close()


@pytest.fixture
def finder(make_finder: Callable[..., Finder]) -> Finder:
    """An emulator with an instance of each generation."""
    return make_finder(instance_id=TWO, notebook_id=ONE)


# which generation


@pytest.mark.parametrize(
    ("instance_id", "api", "probes"),
    [(ONE, "notebooks", 1), (TWO, "demanager", 1)],
)
def test_one_probe_tells_the_generation_and_is_remembered(
    finder: Finder, instance_id: str, api: str, probes: int
) -> None:
    """Later processes ask nothing but what they are asked for."""
    session = finder.open(MODELARTS_INSTANCE_ID=instance_id)
    assert finder.asked == [f"notebooks {instance_id}"] * probes
    finder.emulator.clear_requests()
    instance = session.refresh()
    assert (instance.id, instance.api, session.capabilities.api) == (instance_id, api, api)
    finder.emulator.clear_requests()
    later = finder.open(MODELARTS_INSTANCE_ID=instance_id)
    assert finder.asked == []
    assert later.refresh().api == api
    assert len(finder.asked) == 1


def test_the_old_form_of_an_id_tells_the_generation(make_finder: Callable[..., Finder]) -> None:
    """No probe at all."""
    finder = make_finder(instance_id=OLD)
    session = finder.open(MODELARTS_INSTANCE_ID=OLD)
    assert finder.asked == []
    assert session.refresh().api == "demanager"


@pytest.mark.parametrize("api", ["notebooks", "demanager"])
def test_a_generation_that_is_set_is_not_asked_for(finder: Finder, api: str) -> None:
    """Nor is what is remembered looked at: the setting wins."""
    instance_id = {"notebooks": ONE, "demanager": TWO}[api]
    finder.open(MODELARTS_INSTANCE_ID=instance_id).refresh()
    finder.emulator.clear_requests()
    other = {"notebooks": "demanager", "demanager": "notebooks"}[api]
    session = finder.open(MODELARTS_INSTANCE_ID=instance_id, MODELARTS_API=other)
    assert (finder.asked, session.capabilities.api) == ([], other)
    with pytest.raises(NoSuchInstanceError):
        session.refresh()


def test_what_was_remembered_of_another_instance_does_not_count(finder: Finder) -> None:
    """The memory is of one endpoint, project and id."""
    finder.open(MODELARTS_INSTANCE_ID=ONE).refresh()
    finder.emulator.clear_requests()
    finder.open(MODELARTS_INSTANCE_ID=TWO)
    assert finder.asked == [f"notebooks {TWO}"]


def test_a_wrong_id_is_no_instance_in_the_end(finder: Finder) -> None:
    """Neither generation knows it, which is said as such."""
    session = finder.open(MODELARTS_INSTANCE_ID=ONE.replace("6", "7"))
    with pytest.raises(NoSuchInstanceError, match="Instance not found"):
        session.refresh()


def test_a_wrong_id_is_no_instance_where_only_the_current_api_is_served(finder: Finder) -> None:
    """That the historical one is retired there is not what is wrong."""
    finder.emulator.add_fault("404", path="/demanager")
    session = finder.open(MODELARTS_INSTANCE_ID=ONE.replace("6", "7"))
    for _ in range(2):
        with pytest.raises(NoSuchInstanceError, match="Instance not found"):
            session.refresh()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", AuthenticationError), ("403", ForbiddenError), ("reset", UnreachableError)],
)
def test_a_probe_that_fails_is_no_answer(
    finder: Finder, fault: str, error: type[ModelArtsError]
) -> None:
    """It is not taken for the other generation, and nothing wrong is remembered."""
    finder.emulator.add_fault(fault, methods=("GET",), path="/notebooks/")
    with pytest.raises(error):
        finder.open(MODELARTS_INSTANCE_ID=ONE, MODELARTS_TOTAL_TIMEOUT="2")
    assert not any(word.startswith("demanager") for word in finder.asked)
    finder.emulator.clear_faults()
    assert finder.open(MODELARTS_INSTANCE_ID=ONE).refresh().api == "notebooks"


def test_an_endpoint_that_is_down_is_said_so(finder: Finder) -> None:
    """At once, with the host."""
    finder.emulator.stop()
    with pytest.raises(UnreachableError, match="Cannot connect"):
        finder.open(MODELARTS_INSTANCE_ID=ONE, MODELARTS_TOTAL_TIMEOUT="0.5")


@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_where_only_one_generation_is_served_it_is_found(
    make_finder: Callable[..., Finder], api: str
) -> None:
    """A retired path is no instance either."""
    finder = make_finder(instance_id=TWO, notebook_id=ONE)
    retired = {"demanager": "/notebooks", "notebooks": "/demanager"}[api]
    finder.emulator.add_fault("404", path=retired)
    instance_id = {"demanager": TWO, "notebooks": ONE}[api]
    assert finder.open(MODELARTS_INSTANCE_ID=instance_id).refresh().api == api


# which instance


@pytest.mark.parametrize(("instance_id", "api"), [(ONE, "notebooks"), (TWO, "demanager")])
def test_a_candidate_that_runs_is_this_instance(finder: Finder, instance_id: str, api: str) -> None:
    """Confirmed by the API, with the place where it was seen."""
    session = finder.open(hostname=f"notebook-{instance_id.upper()}")
    assert session.settings is not None
    assert session.settings.get("instance_id") == instance_id
    assert session.settings.source("instance_id") == "host name"
    assert session.refresh().api == api


def test_what_is_set_is_not_looked_for(finder: Finder) -> None:
    """Neither candidates nor the network, whatever the host is called."""
    session = finder.open(
        hostname=f"notebook-{ONE}", MODELARTS_INSTANCE_ID=TWO, MODELARTS_API="demanager"
    )
    assert finder.asked == []
    assert session.settings is not None
    assert session.settings.source("instance_id") == "MODELARTS_INSTANCE_ID"
    assert session.refresh().id == TWO


@pytest.mark.parametrize("status", ["STOPPED", "STARTING", "STOPPING"])
def test_a_candidate_that_does_not_run_is_not_this_instance(finder: Finder, status: str) -> None:
    """This code runs, so the instance it runs on does."""
    finder.emulator.set_instance(ONE, status=status)
    error = finder.refusal(hostname=f"notebook-{ONE}")
    assert ONE in error.message or "choose" in error.code


def test_a_candidate_that_nobody_knows_is_passed_over(finder: Finder) -> None:
    """The next one is asked about."""
    session = finder.open(
        hostname="notebook-00000000-0000-4000-8000-000000000000",
        JUPYTERHUB_SERVICE_PREFIX=f"/notebook/user/{ONE}",
    )
    assert session.settings is not None
    assert session.settings.source("instance_id") == "JUPYTERHUB_SERVICE_PREFIX"
    assert session.refresh().id == ONE


def test_an_answer_about_another_instance_confirms_nothing(tmp_path: Path) -> None:
    """The id in the answer is the one that counts."""
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
            transport=http,
            hostname=f"notebook-{ONE}",
        )
    assert caught.value.code == "config.candidates_unconfirmed"


def test_several_running_candidates_are_listed_to_choose_from(finder: Finder) -> None:
    """None of them is a fact."""
    error = finder.refusal(hostname=f"notebook-{ONE}", JUPYTERHUB_USER=TWO)
    assert error.code == "config.several_instances"
    assert f"demo-notebook ({ONE}), demo-notebook ({TWO})" in error.message
    assert "configure instance_id=" in error.hint
    chosen = finder.open(hostname=f"notebook-{ONE}", MODELARTS_INSTANCE_ID=TWO)
    assert chosen.refresh().id == TWO


def test_without_candidates_the_running_instances_are_listed(finder: Finder) -> None:
    """Even if there is but one: it may be another person's."""
    more = finder.emulator.add_instance("notebooks", name="second")
    stopped = finder.emulator.add_instance("notebooks", name="third")
    finder.emulator.set_instance(stopped, status="STOPPED")
    error = finder.refusal()
    assert error.code == "config.choose_instance"
    assert f"demo-notebook ({ONE}), second ({more})" in error.message
    assert stopped not in error.message


def test_an_instance_of_another_generation_is_no_choice(finder: Finder) -> None:
    """Where the historical API is set, an id of the current one would lead nowhere."""
    error = finder.refusal(MODELARTS_API="demanager")
    assert error.code == "config.missing_instance_id"
    assert finder.asked == []


def test_what_was_tried_and_what_runs_are_both_named(finder: Finder) -> None:
    """The one does not explain away the other."""
    error = finder.refusal(hostname=f"notebook-{OLD[3:]}")
    assert error.code == "config.candidates_not_running"
    assert f"{OLD[3:]} (host name) is not running" in error.message
    assert f"demo-notebook ({ONE})" in error.message


def test_where_nothing_runs_what_was_tried_is_said(finder: Finder) -> None:
    """With each place, so that a wrong one is seen."""
    finder.emulator.set_instance(ONE, status="STOPPED")
    error = finder.refusal(hostname=f"notebook-{ONE}", JUPYTERHUB_USER=OLD)
    assert error.code == "config.candidates_unconfirmed"
    assert f"{ONE} (host name), {OLD} (JUPYTERHUB_USER)" in error.message


@pytest.mark.parametrize("fault", ["403", "404", "500"])
def test_where_nothing_can_be_listed_the_setting_is_asked_for(finder: Finder, fault: str) -> None:
    """A missing right to list is no reason to fail with its name."""
    finder.emulator.add_fault(fault, path="/notebooks")
    error = finder.refusal(MODELARTS_TOTAL_TIMEOUT="1")
    assert error.code == "config.missing_instance_id"
    assert "MODELARTS_INSTANCE_ID" in error.message


@pytest.mark.parametrize(
    ("fault", "error"), [("401", AuthenticationError), ("403", ForbiddenError)]
)
def test_a_candidate_that_may_not_be_read_is_said(
    finder: Finder, fault: str, error: type[ModelArtsError]
) -> None:
    """Refused credentials are not a missing instance."""
    finder.emulator.add_fault(fault, path="/notebooks/")
    with pytest.raises(error):
        finder.open(hostname=f"notebook-{ONE}")


# endpoint, region and project


class Clouds:
    """Answers for every host: IAM with a project, ModelArts with an instance.

    Attributes:
        asked: The URLs.
        limits: The time limits of the last request.
    """

    def __init__(self, **iam: Any) -> None:  # noqa: ANN401 - status and JSON of IAM's answer
        self.asked: list[str] = []
        self.limits: dict[str, float] = {}
        self._iam = {"status_code": 200, "json": {"projects": [self.project]}, **iam}
        self.transport = httpx.MockTransport(self._answer)

    project = {"name": "cn-north-4", "id": "p-of-iam"}  # noqa: RUF012 - read only

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        self.limits = request.extensions["timeout"]
        if "/v3/projects" in request.url.path:
            return httpx.Response(**self._iam)
        return httpx.Response(200, json={"id": ONE, "status": "RUNNING", "lease": {}})

    @property
    def hosts(self) -> list[str]:
        """Whom it was asked as."""
        return [urlsplit(url).hostname or "" for url in self.asked]


SET = {"MODELARTS_INSTANCE_ID": ONE, "MODELARTS_API": "notebooks"}
KEY = {"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "s3cret"}


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Open sessions with made-up clouds, in a home of their own, and close them afterwards."""
    opened: list[Session] = []

    def start(clouds: Clouds, **variables: str) -> Session:
        environ = {
            "HOME": str(tmp_path),
            "MODELARTS_STATE_DIR": str(tmp_path / "state"),
            **SET,
            **variables,
        }
        settings = Settings.load(environ=environ)
        opened.append(
            open_session(settings, environ=environ, transport=clouds.transport, hostname=NOWHERE)
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
def test_the_region_gives_the_endpoint(
    look: Callable[..., Session], region: str, host: str
) -> None:
    """As in the vendor's table."""
    clouds = Clouds()
    look(clouds, MODELARTS_REGION=region, MODELARTS_PROJECT_ID="p", **KEY).refresh()
    assert clouds.hosts == [host]


def test_each_time_limit_is_for_its_own(look: Callable[..., Session]) -> None:
    """For a connection, and for each piece of an answer."""
    clouds = Clouds()
    limits = {"MODELARTS_CONNECT_TIMEOUT": "3", "MODELARTS_READ_TIMEOUT": "4"}
    look(clouds, MODELARTS_REGION="cn-north-4", MODELARTS_PROJECT_ID="p", **KEY, **limits).refresh()
    assert (clouds.limits["connect"], clouds.limits["read"]) == (3, 4)


@pytest.mark.parametrize("where", ["MODELARTS_REGION", "MODELARTS_ENDPOINT"])
def test_credentials_are_not_looked_at_where_nothing_is_to_be_found_there(
    look: Callable[..., Session], where: str
) -> None:
    """That may take a while; that half of one is at fault shows when the cloud is asked."""
    value = "cn-north-4" if where == "MODELARTS_REGION" else "https://modelarts.example"
    half = {**KEY, "HUAWEICLOUD_SDK_SK": ""}
    session = look(Clouds(), MODELARTS_PROJECT_ID="p", **{where: value}, **half)
    with pytest.raises(ConfigurationError):
        session.refresh()


def test_a_search_without_success_leaves_no_connection_open(look: Callable[..., Session]) -> None:
    """Neither that to IAM nor that to ModelArts."""
    before = set(threading.enumerate())
    clouds = Clouds()
    with pytest.raises(ConfigurationError):
        look(clouds, MODELARTS_REGION="cn-north-4", MODELARTS_INSTANCE_ID="", **KEY)
    assert len(clouds.hosts) == 2
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("region", ["cn-north-4", "CN-North-4"])
def test_iam_is_asked_once_for_a_project_that_nothing_names(
    look: Callable[..., Session], region: str
) -> None:
    """By the region's own name; the answer's source is named."""
    clouds = Clouds()
    session = look(clouds, MODELARTS_REGION=region, **KEY)
    session.refresh()
    session.refresh()
    assert clouds.hosts == ["iam.cn-north-4.myhuaweicloud.com"] + 2 * [
        "modelarts.cn-north-4.myhuaweicloud.com"
    ]
    assert clouds.asked[0].endswith("/v3/projects?name=cn-north-4")
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
def test_a_project_that_is_known_is_not_asked_for(  # noqa: PLR0913 - the columns of a table
    look: Callable[..., Session],
    tmp_path: Path,
    variables: dict[str, str],
    file: str,
    project: str,
    source: str | None,
) -> None:
    """A setting, then what stands beside the key; the session says which."""
    path = tmp_path / ".huaweicloud" / "credentials"
    if file:
        path.parent.mkdir()
        path.write_text(f"[basic]\nak = AK\nsk = s3cret\n{file}\n")
    clouds = Clouds()
    session = look(clouds, MODELARTS_REGION="cn-north-4", **variables)
    session.refresh()
    assert clouds.asked == [
        f"https://modelarts.cn-north-4.myhuaweicloud.com/v1/{project}/notebooks/{ONE}"
    ]
    assert session.settings is not None
    assert session.settings.source("project_id") == (source or str(path))


def test_the_project_beside_another_key_is_not_taken(
    look: Callable[..., Session], tmp_path: Path
) -> None:
    """The file's project belongs to the file's key, which is not the one in use."""
    path = tmp_path / ".huaweicloud" / "credentials"
    path.parent.mkdir()
    path.write_text("[basic]\nak = AK\nsk = s3cret\nproject_id = p3\n")
    session = look(Clouds(), MODELARTS_REGION="cn-north-4", **KEY)
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
def test_a_project_that_iam_does_not_name_is_asked_for(
    look: Callable[..., Session], iam: dict[str, Any]
) -> None:
    """Only the person knows it then; the message says what to set."""
    with pytest.raises(ConfigurationError) as caught:
        look(Clouds(**iam), MODELARTS_REGION="cn-north-4", **KEY)
    assert caught.value.code == "config.missing_project_id"
    assert "MODELARTS_PROJECT_ID" in caught.value.message


def test_credentials_that_iam_refuses_are_said_to_be_refused(look: Callable[..., Session]) -> None:
    """No project could be found with them, and none would help."""
    with pytest.raises(AuthenticationError):
        look(Clouds(status_code=401), MODELARTS_REGION="cn-north-4", **KEY)


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
def test_all_that_is_missing_is_named_at_once(
    look: Callable[..., Session], variables: dict[str, str], names: str
) -> None:
    """In one line, so that one run is enough to learn it; what can be looked up is not missing."""
    clouds = Clouds()
    with pytest.raises(ConfigurationError) as caught:
        look(clouds, **variables)
    assert caught.value.message == f"Missing: {names}."
    assert len(str(caught.value).splitlines()) == 2
    assert "%modelarts login" in caught.value.hint
    assert clouds.asked == []


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
def test_one_thing_that_is_missing_is_named_and_nobody_is_asked(
    look: Callable[..., Session],
    variables: dict[str, str],
    code: str,
    error: type[ConfigurationError],
) -> None:
    """One line, one hint."""
    clouds = Clouds()
    with pytest.raises(error) as caught:
        look(clouds, **variables)
    assert caught.value.code == code
    assert clouds.asked == []


def test_another_iam_can_be_named(look: Callable[..., Session]) -> None:
    """For a cloud that is not the public one."""
    clouds = Clouds()
    look(
        clouds,
        MODELARTS_REGION="cn-north-4",
        MODELARTS_IAM_ENDPOINT="https://iam.example.com/",
        **KEY,
    )
    assert clouds.hosts == ["iam.example.com"]
