"""Candidates for the ID of this instance."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.session.instance_id import Candidate, find_candidates

if TYPE_CHECKING:
    from pathlib import Path

ONE = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
TWO = "16fd2706-8baf-433b-82eb-8c7fada847da"
OLD = "DE-7e8b6e88-4a5a-11ea-b77f-2e728ce88125"
NOWHERE = "laptop"


@pytest.fixture
def write_server(tmp_path: Path) -> Callable[..., Path]:
    """Write the runtime file of a Jupyter server, in a home folder or in a given one."""

    def write(content: Any, *, name: str = "jpserver-17.json", folder: str = "") -> Path:  # noqa: ANN401 - any JSON, or bytes
        place = tmp_path / (folder or ".local/share/jupyter/runtime")
        place.mkdir(parents=True, exist_ok=True)
        path = place / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def found_ids(
    folder: Path, variables: dict[str, str] | None = None, hostname: str = NOWHERE
) -> list[tuple[str, str]]:
    """Return the candidates in this home folder as (ID, source)."""
    found = find_candidates({"HOME": str(folder), **(variables or {})}, hostname=hostname)
    assert all(isinstance(one, Candidate) for one in found)
    return [(one.instance_id, one.source) for one in found]


@pytest.mark.parametrize(
    ("hostname", "variables", "found"),
    [
        (f"notebook-{ONE}", {}, [(ONE, "host name")]),
        (f"notebook-{ONE.upper()}", {}, [(ONE, "host name")]),
        (f"NOTEBOOK-{ONE}", {}, [(ONE, "host name")]),
        (f"notebook-{ONE}.pods.example.com", {}, [(ONE, "host name")]),
        (NOWHERE, {"HOSTNAME": f"notebook-{ONE}"}, [(ONE, "HOSTNAME")]),
        (
            NOWHERE,
            {"JUPYTERHUB_SERVICE_PREFIX": f"/user/{ONE}/"},
            [(ONE, "JUPYTERHUB_SERVICE_PREFIX")],
        ),
        (
            NOWHERE,
            {"JUPYTERHUB_SERVICE_PREFIX": f"/notebook/user/{ONE}"},
            [(ONE, "JUPYTERHUB_SERVICE_PREFIX")],
        ),
        (
            NOWHERE,
            {"JUPYTERHUB_SERVICE_PREFIX": f"/{OLD.lower()}/lab"},
            [(OLD, "JUPYTERHUB_SERVICE_PREFIX")],
        ),
        (NOWHERE, {"JUPYTERHUB_SERVER_NAME": ONE}, [(ONE, "JUPYTERHUB_SERVER_NAME")]),
        (NOWHERE, {"JUPYTERHUB_USER": OLD}, [(OLD, "JUPYTERHUB_USER")]),
        (NOWHERE, {"JUPYTERHUB_USER": OLD.upper()}, [(OLD, "JUPYTERHUB_USER")]),
    ],
)
def test_each_source_gives_a_candidate(
    tmp_path: Path, hostname: str, variables: dict[str, str], found: list[tuple[str, str]]
) -> None:
    """The ID is in lower case; the old form keeps its prefix DE."""
    assert found_ids(tmp_path, variables, hostname) == found


@pytest.mark.parametrize(
    ("hostname", "variables"),
    [
        (NOWHERE, {}),
        ("", {}),
        (ONE, {}),
        (f"node-{ONE}", {}),
        (f"notebook-{ONE[:-1]}", {}),
        (f"notebook-{ONE.replace('-', '')}", {}),
        ("notebook-" + "g" * 36, {}),
        (NOWHERE, {"HOSTNAME": ""}),
        (NOWHERE, {"HOSTNAME": ONE}),
        (NOWHERE, {"JUPYTERHUB_SERVICE_PREFIX": "/user/li/"}),
        (NOWHERE, {"JUPYTERHUB_USER": f"a{ONE}"}),
        (NOWHERE, {"JUPYTERHUB_USER": f"{ONE}0"}),
        (NOWHERE, {"JUPYTERHUB_USER": f"{ONE}-0"}),
        (NOWHERE, {"SOME_OTHER_ID": ONE}),
    ],
)
def test_other_text_is_no_candidate(
    tmp_path: Path, hostname: str, variables: dict[str, str]
) -> None:
    """A host name counts only in the form of instances."""
    assert found_ids(tmp_path, variables, hostname or NOWHERE) == []


def test_candidates_are_ordered_and_unique(
    tmp_path: Path, write_server: Callable[..., Path]
) -> None:
    """The first source of an ID is kept."""
    write_server({"base_url": f"/{OLD}/"})
    variables = {
        "HOSTNAME": f"notebook-{ONE.upper()}",
        "JUPYTERHUB_SERVICE_PREFIX": f"/{TWO}/",
        "JUPYTERHUB_USER": OLD.lower(),
    }
    assert found_ids(tmp_path, variables, f"notebook-{ONE}") == [
        (ONE, "host name"),
        (TWO, "JUPYTERHUB_SERVICE_PREFIX"),
        (OLD, "JUPYTERHUB_USER"),
    ]


@pytest.mark.parametrize("base_url", [f"/{ONE}/", f"/notebook/user/{ONE}", f"/x/{ONE.upper()}/lab"])
@pytest.mark.parametrize(
    ("folder", "variable", "value"),
    [
        ("", "", ""),
        ("runtime", "JUPYTER_RUNTIME_DIR", "runtime"),
        ("data/runtime", "JUPYTER_DATA_DIR", "data"),
        ("xdg/jupyter/runtime", "XDG_DATA_HOME", "xdg"),
    ],
)
def test_base_url_of_a_server_gives_a_candidate(  # noqa: PLR0913 - a row of the table
    tmp_path: Path,
    write_server: Callable[..., Path],
    base_url: str,
    folder: str,
    variable: str,
    value: str,
) -> None:
    """From the default runtime folder or the one in the environment."""
    write_server({"base_url": base_url, "token": "t"}, folder=folder)
    variables = {variable: str(tmp_path / value)} if variable else {}
    assert found_ids(tmp_path, variables) == [(ONE, "Jupyter server")]


def test_runtime_folder_variable_replaces_the_default(
    tmp_path: Path, write_server: Callable[..., Path]
) -> None:
    """As it does for Jupyter."""
    write_server({"base_url": f"/{ONE}/"})
    assert found_ids(tmp_path, {"JUPYTER_RUNTIME_DIR": str(tmp_path / "empty")}) == []


def test_only_the_base_url_is_read(tmp_path: Path, write_server: Callable[..., Path]) -> None:
    """Other IDs in the file or in other files do not count."""
    write_server({"base_url": "/", "root_dir": f"/{ONE}", "token": TWO, "url": f"http://h/{ONE}/"})
    write_server({"base_url": f"/{TWO}/"}, name="kernel-1.json")
    write_server({"base_url": f"/{TWO}/"}, name="nbserver-1.html")
    assert found_ids(tmp_path) == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'"/x/"',
        json.dumps({"base_url": 7}).encode(),
        json.dumps({"base_url": None}).encode(),
        json.dumps({"base_url": [f"/{ONE}/"]}).encode(),
        b"{}",
    ],
)
def test_invalid_runtime_file_is_skipped(
    tmp_path: Path, write_server: Callable[..., Path], garbage: bytes
) -> None:
    """A valid file beside it is still read."""
    write_server(garbage, name="jpserver-1.json")
    (tmp_path / ".local/share/jupyter/runtime/jpserver-2.json").mkdir()
    write_server({"base_url": f"/{TWO}/"}, name="jpserver-3.json")
    assert found_ids(tmp_path) == [(TWO, "Jupyter server")]


def test_only_the_newest_runtime_files_are_read(
    tmp_path: Path, write_server: Callable[..., Path]
) -> None:
    """At most five files are read."""
    for number in range(9):
        path = write_server({"base_url": f"/{ONE[:-1]}{number}/"}, name=f"jpserver-{number}.json")
        os.utime(path, (1000 + number, 1000 + number))
    found = [each for each, _ in found_ids(tmp_path)]
    assert found == [f"{ONE[:-1]}{number}" for number in (8, 7, 6, 5, 4)]
