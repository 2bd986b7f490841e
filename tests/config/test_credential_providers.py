"""Access keys in the credentials file, the notebook session and the metadata service."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.config import credential_providers as key_sources
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.credentials import AccessKey, FoundCredential, Token
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import ConfigurationError, NoCredentialsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = AccessKey("NEWAK", "n%w=s3cret;#")
TEMPORARY = AccessKey("NEWAK", "n%w=s3cret", "sts%(ak)s")


# The credentials file.


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """An editor may add one; it stays out of the section's name."""
    path = tmp_path / "credentials"
    path.write_bytes(b"\xef\xbb\xbf[basic]\nak = FAKEACCESS\nsk = FAKESECRET\n")
    path.chmod(0o600)
    found = key_sources.load_credentials_file(path)
    assert found is not None
    assert found.credential == AccessKey("FAKEACCESS", "FAKESECRET")


@pytest.mark.parametrize("key", [KEY, TEMPORARY])
def test_saved_key_is_loaded(tmp_path: Path, key: AccessKey) -> None:
    """File and folder are private; every character is preserved."""
    path = tmp_path / ".huaweicloud" / "credentials"
    key_sources.save_access_key(key, path)
    found = CredentialChain({"HOME": str(tmp_path)}).find()
    assert found == FoundCredential(key, str(path))
    assert [each.name for each in path.parent.iterdir()] == ["credentials"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o400])
def test_save_preserves_other_content(tmp_path: Path, mode: int) -> None:
    """Other keys and sections keep their case; the file becomes private."""
    path = tmp_path / "credentials"
    path.write_text(
        "[basic]\nak = OLD\nSK = old-s3cret\nsecurity_token = old-sts\nproject_id = p%1\n"
        "[global]\nak = GLOBAL\ndomain_id = d\n[Endpoints]\nECS = https://ecs.example.com\n"
    )
    path.chmod(mode)
    key_sources.save_access_key(KEY, path)
    found = key_sources.load_credentials_file(path)
    assert found == FoundCredential(KEY, str(path), "p%1")
    text = path.read_text()
    assert "old" not in text.lower()
    assert "[global]\nak = GLOBAL\ndomain_id = d" in text
    assert "[Endpoints]\nECS = https://ecs.example.com" in text


@pytest.mark.parametrize(
    "text", [b"no ini\n", b"[basic\n", b"\xff\xfe", b"[basic]\nak = 1\nak = 2\n"]
)
def test_save_does_not_replace_an_invalid_file(tmp_path: Path, text: bytes) -> None:
    """It may contain something else."""
    path = tmp_path / "credentials"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError, match="Cannot read"):
        key_sources.save_access_key(KEY, path)
    assert path.read_bytes() == text
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("blocker", ["a folder in its place", "a file for a folder"])
def test_failed_save_leaves_no_file(tmp_path: Path, blocker: str) -> None:
    """In particular no temporary file with the secret."""
    path = tmp_path / "place" / "credentials"
    if blocker.startswith("a file"):
        path.parent.write_text("")
    else:
        (path / "full").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="Cannot write") as caught:
        key_sources.save_access_key(KEY, path)
    assert "s3cret" not in f"{caught.value} {caught.value.values}"
    left = [each for each in tmp_path.rglob("*") if each.is_file() and each.read_bytes()]
    assert left == []


def test_save_follows_a_symbolic_link(tmp_path: Path) -> None:
    """A link into a folder that is preserved stays a link."""
    kept = tmp_path / "work" / "credentials"
    kept.parent.mkdir()
    kept.write_text("[global]\nx = 1\n")
    link = tmp_path / "credentials"
    link.symlink_to(kept)
    key_sources.save_access_key(KEY, link)
    assert link.is_symlink()
    assert "[global]\nx = 1" in kept.read_text()
    assert key_sources.load_credentials_file(kept) == FoundCredential(KEY, str(kept))


# The notebook session.

SESSION = """
class Session:
    access_key = "SDKAK"
    secret_key = "sdk%s3cret"
    security_token = "sdk-sts"
    project_id = "p-sdk"
    region_name = "cn-north-4"
"""

LOOK = """
import json, sys
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.errors import ModelArtsError

class Recorder:
    asked = []

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "modelarts":
            self.asked.append(name)

sys.meta_path.insert(0, Recorder())
try:
    found = CredentialChain({"HOME": sys.argv[1]}).find()
    key = found and [found.credential.access_key_id, found.credential.secret_key,
                     found.credential.security_token]
    answer = {"key": key, "place": found and [found.source, found.project_id, found.region]}
except ModelArtsError as error:
    answer = {"code": error.code, "words": str(error)}
print(json.dumps({**answer, "imported": Recorder.asked, "loaded": "modelarts" in sys.modules}))
"""


def run_with_package(
    folder: Path, script: str, package: dict[str, str] | None = None, **variables: str
) -> Any:  # noqa: ANN401 - any JSON
    """Run a script in a process with a package `modelarts`; return the JSON that it prints."""
    place = folder / "site"
    for name, text in (package or {}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    ours = ("MODELARTS_", "HUAWEICLOUD_", "JUPYTER", "HOME", "PYTHON")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    environ = {**inherited, "PYTHONPATH": str(place), "HOME": str(folder), **variables}
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, "-W", "error", "-c", script, str(folder)],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def package(session: str) -> dict[str, str]:
    """Create a replacement for the platform's package."""
    return {"modelarts/__init__.py": "", "modelarts/session.py": session}


@pytest.mark.process
def test_notebook_session_provides_key_project_and_region(tmp_path: Path) -> None:
    """No setting is needed."""
    found = run_with_package(tmp_path, LOOK, package(SESSION))
    assert found["key"] == ["SDKAK", "sdk%s3cret", "sdk-sts"]
    assert found["place"] == ["modelarts.session.Session()", "p-sdk", "cn-north-4"]


@pytest.mark.process
def test_notebook_session_is_not_imported_if_file_has_key(tmp_path: Path) -> None:
    """The credentials file comes before it."""
    key_sources.save_access_key(KEY, tmp_path / ".huaweicloud" / "credentials")
    found = run_with_package(tmp_path, LOOK, package(SESSION))
    assert found["key"][0] == "NEWAK"
    assert (found["imported"], found["loaded"]) == ([], False)


@pytest.mark.process
@pytest.mark.parametrize(
    ("files", "looked"),
    [
        (None, ["modelarts"]),
        ({"modelarts/data.txt": "a folder of that name"}, ["modelarts", "modelarts.session"]),
        ({"modelarts/__init__.py": "x = 1"}, ["modelarts", "modelarts.session"]),
        ({"modelarts.py": "x = 1"}, None),
    ],
    ids=["absent", "a folder", "another package", "a module"],
)
def test_missing_notebook_session_is_not_an_error(
    tmp_path: Path, files: dict[str, str] | None, looked: list[str] | None
) -> None:
    """Neither an absent package nor another one of that name fails."""
    found = run_with_package(tmp_path, LOOK, files)
    assert found["key"] is None
    if looked is not None:
        assert list(dict.fromkeys(found["imported"])) == looked
    assert found["loaded"] is bool(files)


@pytest.mark.process
@pytest.mark.parametrize(
    "session",
    [
        SESSION.replace('"SDKAK"', '""').replace('"sdk%s3cret"', "None"),
        "class Session: pass",
        "class Session:\n    access_key = secret_key = 5",
    ],
    ids=["empty", "without attributes", "numbers"],
)
def test_notebook_session_without_key_is_skipped(tmp_path: Path, session: str) -> None:
    """The next source is used."""
    assert run_with_package(tmp_path, LOOK, package(session))["key"] is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("session", "code"),
    [
        (
            "class Session:\n    def __init__(self): raise OSError('s3cret')",
            "credentials.notebook_session",
        ),
        (
            "class Session:\n    @property\n    def access_key(self): raise RuntimeError('s3cret')",
            "credentials.notebook_session",
        ),
        ("import nothing_of_that_name", "credentials.notebook_session"),
        ("raise ValueError('s3cret')", "credentials.notebook_session"),
        ("Session = 's3cret'", "credentials.notebook_session"),
        (SESSION.replace('"sdk%s3cret"', '""'), "credentials.incomplete"),
        (SESSION.replace("sdk-sts", "s3cret sts"), "credentials.characters"),
    ],
    ids=["raises", "property", "import", "module", "no class", "half", "characters"],
)
def test_failing_notebook_session_is_reported_without_its_message(
    tmp_path: Path, session: str, code: str
) -> None:
    """The message of foreign code may contain a secret."""
    found = run_with_package(tmp_path, LOOK, package(session))
    assert found["code"] == code
    assert "s3cret" not in found["words"]
    assert len(found["words"].splitlines()) == 2


ROTATING = """
import json
made = []

class Session:
    def __init__(self):
        keys = json.loads({keys!r})
        self.access_key, self.secret_key = keys[min(len(made), len(keys) - 1)]
        self.project_id, self.region_name = "", "cn-north-4"
        made.append(self)
"""

ASK = """
import json, os, sys
from modelarts_magics import connect
from modelarts_magics.errors import ModelArtsError

session = None
try:
    session = connect(api="notebooks")
    answer = {"status": [session.refresh().status.value for _ in range(3)]}
except ModelArtsError as error:
    answer = {"code": error.code, "words": str(error)}
finally:
    if session:
        session.close()
from modelarts.session import made
print(json.dumps({**answer, "made": len(made)}))
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("keys", "fault", "made", "outcome"),
    [
        (["bad", "good"], None, 2, "RUNNING"),
        (["bad", "bad"], None, 2, "api.403.0206"),
        (["good", "good"], "401", 2, "api.401.0202"),
        pytest.param(["good"], None, 1, "RUNNING", marks=pytest.mark.soak),
        pytest.param(["other", "good"], "401", 2, "RUNNING", marks=pytest.mark.soak),
        pytest.param(["bad", "worse"], None, 2, "api.403.0206", marks=pytest.mark.soak),
    ],
)
def test_rotated_key_is_loaded_after_refusal(
    tmp_path: Path, keys: list[str], fault: str | None, made: int, outcome: str
) -> None:
    """It is loaded when it is refused, not at every request."""
    with LocalEmulator(api="notebooks") as emulator:
        pairs = {
            "good": (emulator.ak, emulator.sk),
            "other": (emulator.temporary_ak, emulator.temporary_sk),
            "bad": ("ROTATEDAWAY", "s3cret-of-old"),
            "worse": ("NEVERWAS", "s3cret-of-none"),
        }
        if fault:
            emulator.add_fault(fault, times=1)
        given = package(ROTATING.format(keys=json.dumps([pairs[name] for name in keys])))
        target = {
            name: text
            for name, text in emulator.environment().items()
            if name != "MODELARTS_AUTH_TOKEN"
        }
        found = run_with_package(
            tmp_path, ASK, given, **target, MODELARTS_STATE_DIR=str(tmp_path / "state")
        )
    assert found.get("code") or set(found["status"]) == {outcome}
    assert found.get("code", outcome) == outcome
    assert found["made"] == made
    assert "s3cret" not in json.dumps(found)


# The metadata service.

GOOD = {"credential": {"access": "METAAK", "secret": "meta-s3cret", "securitytoken": "meta-sts"}}


@contextmanager
def metadata(status: int, body: bytes, *, raw: bytes = b"") -> Iterator[tuple[str, list[str]]]:
    """Serve a response at every path of the loopback interface; return the address and the requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if raw:
                self.wfile.write(raw)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def chain(folder: Path, **variables: str) -> CredentialChain:
    """Return a chain with an empty home folder."""
    return CredentialChain({"HOME": str(folder), **variables})


@pytest.mark.parametrize("slash", ["", "/"])
def test_metadata_is_used_if_enabled(tmp_path: Path, slash: str) -> None:
    """It is requested once, until the key is refused."""
    with metadata(200, json.dumps(GOOD).encode()) as (endpoint, asked):
        asking = chain(tmp_path, MODELARTS_METADATA=endpoint + slash)
        for _ in range(2):
            assert asking.current() == AccessKey("METAAK", "meta-s3cret", "meta-sts")
        assert asked == ["/openstack/latest/securitykey"]
        assert not asking.renew(asking.current())
        assert len(asked) == 2


@pytest.mark.parametrize("variables", [{}, {"MODELARTS_METADATA": " "}])
def test_metadata_is_not_used_by_default(tmp_path: Path, variables: dict[str, str]) -> None:
    """Outside a cloud server the request would hang."""
    names = [link.name for link in chain(tmp_path, **variables).providers()]
    assert "MODELARTS_METADATA" not in names
    with pytest.raises(NoCredentialsError):
        chain(tmp_path, **variables).current()


def test_metadata_is_the_last_source(tmp_path: Path) -> None:
    """Any other source is used first."""
    with metadata(200, json.dumps(GOOD).encode()) as (endpoint, asked):
        found = chain(tmp_path, MODELARTS_METADATA=endpoint, MODELARTS_AUTH_TOKEN="t").find()
        assert found == FoundCredential(Token("t"), "MODELARTS_AUTH_TOKEN")
        assert asked == []
    assert [link.name for link in chain(tmp_path, MODELARTS_METADATA="on").providers()][-1] == (
        "MODELARTS_METADATA"
    )


@pytest.mark.parametrize(
    ("status", "body", "raw"),
    [
        (404, b"{}", b""),
        (200, b"", b""),
        (200, b"<html>", b""),
        (200, b"[]", b""),
        (200, b'{"credential": null}', b""),
        (200, b'{"credential": {"access": "A"}}', b""),
        (200, b"[" * 60_000, b""),
        (200, b"", b"no http at all\r\n\r\n"),
        (200, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    ],
)
def test_invalid_metadata_is_an_error(tmp_path: Path, status: int, body: bytes, raw: bytes) -> None:
    """It was enabled, so a failure is reported."""
    with metadata(status, body, raw=raw) as (endpoint, _):
        asking = chain(tmp_path, MODELARTS_METADATA=endpoint)
        with pytest.raises(ConfigurationError) as caught:
            asking.find()
    assert caught.value.code == "credentials.metadata"
    assert endpoint in caught.value.message


# The chain of all sources.


def test_order_of_all_sources(tmp_path: Path) -> None:
    """Each source is used only if those before it have nothing."""
    key_sources.save_access_key(KEY, tmp_path / ".huaweicloud" / "credentials")
    environ = {
        "HOME": str(tmp_path),
        "MODELARTS_AUTH_TOKEN": "t",
        "HUAWEICLOUD_SDK_AK": "ENVAK",
        "HUAWEICLOUD_SDK_SK": "env-s3cret",
    }
    entered = FoundCredential(AccessKey("TYPED", "typed-s3cret"), "login")
    found: list[str] = []
    take: list[Callable[[], object]] = [
        lambda: environ.pop("MODELARTS_AUTH_TOKEN"),
        lambda: (environ.pop("HUAWEICLOUD_SDK_AK"), environ.pop("HUAWEICLOUD_SDK_SK")),
    ]
    first = CredentialChain(environ, interactive=entered).find()
    assert first == entered
    for away in [lambda: None, *take]:
        away()
        each = CredentialChain(environ).find()
        assert each is not None
        found.append(each.source)
    assert found == [
        "MODELARTS_AUTH_TOKEN",
        "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
        str(tmp_path / ".huaweicloud" / "credentials"),
    ]
