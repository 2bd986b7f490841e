"""The key of the platform's session, with fakes of the platform's folders."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
import venv
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.credentials import AccessKey
from modelarts_magics.config.platform_session import (
    ENVIRONMENTS_FOLDER,
    FOLDER_VARIABLE,
    SDK_FOLDER,
    load_platform_session,
)
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

SESSION = """
import json, os, sys
from pathlib import Path
print("a banner")
class Session:
    def __init__(self):
        here = Path(__file__).parent
        keys = json.loads((here / "keys.json").read_text())
        self.access_key, self.secret_key = keys
        self.security_token, self.project_id = "sts", "p-1"
        self.region_name = "cn-north-4"
        seen = {"argv": sys.orig_argv if hasattr(sys, "orig_argv") else sys.argv,
                "environ": dict(os.environ), "prefix": sys.prefix}
        (here / "seen.json").write_text(json.dumps(seen))
"""
"""A session that prints, reads its key from a file and records what it can see."""
SECRET = "s3cret"


class FakePlatform:
    """The folders of the platform.

    Attributes:
        environ: The environment variables that name them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {FOLDER_VARIABLE: str(folder), "HOME": str(folder), "PATH": os.defpath}

    def add_environment(self, name: str = "jp3") -> Path:
        """Create an environment with an interpreter, and return its package folder."""
        root = self.folder / ENVIRONMENTS_FOLDER / "envs" / name
        venv.create(root, symlinks=True, with_pip=False)
        (packages,) = root.glob("lib/python*/site-packages")
        return packages

    def add_sdk(self, session: str = SESSION) -> Path:
        """Create the folder of the SDK with the package, and return the package."""
        return add_package(self.folder / SDK_FOLDER, session)

    def find(self) -> AccessKey | None:
        """Return the key that a chain finds."""
        found = CredentialChain(self.environ).find()
        return found.credential if found else None


def add_package(folder: Path, session: str = SESSION) -> Path:
    """Create the vendor's package in a folder, and return the package."""
    package = folder / "modelarts"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "session.py").write_text(session)
    set_keys(package, "AK1", f"{SECRET}-1")
    return package


def set_keys(package: Path, ak: str, sk: str) -> None:
    """Set the key of the session."""
    (package / "keys.json").write_text(json.dumps([ak, sk]))


@pytest.fixture
def platform(tmp_path: Path) -> FakePlatform:
    """Return a platform without packages."""
    folder = tmp_path / "modelarts"
    folder.mkdir()
    return FakePlatform(folder)


@pytest.mark.process
@pytest.mark.parametrize("place", ["site-packages", "sdk", "sdk without environment"])
def test_key_is_found_in_the_platform_folders(platform: FakePlatform, place: str) -> None:
    """With the platform's interpreter where there is one, else with this one."""
    if place == "site-packages":
        package = add_package(platform.add_environment())
    else:
        package = platform.add_sdk()
        if place == "sdk":
            platform.add_environment()
    found = load_platform_session(platform.environ)
    assert found is not None
    assert found.credential == AccessKey("AK1", f"{SECRET}-1", "sts")
    assert (found.project_id, found.region) == ("p-1", "cn-north-4")
    prefix = json.loads((package / "seen.json").read_text())["prefix"]
    expected = sys.prefix if place == "sdk without environment" else str(platform.folder)
    assert prefix.startswith(expected)
    assert "modelarts" not in sys.modules


@pytest.mark.process
def test_child_gets_no_secret(platform: FakePlatform) -> None:
    """Neither in its arguments nor in its environment."""
    package = platform.add_sdk()
    environ = {
        **platform.environ,
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": SECRET,
        "MODELARTS_AUTH_TOKEN": SECRET,
        "PYTHONHOME": "/nowhere",
    }
    assert load_platform_session(environ)
    seen = json.loads((package / "seen.json").read_text())
    assert SECRET not in json.dumps([seen["argv"], seen["environ"]])


@pytest.mark.process
def test_key_is_read_again_after_refusal(platform: FakePlatform) -> None:
    """A rotated key is used without a restart of the kernel."""
    package = platform.add_sdk()
    chain = CredentialChain(platform.environ)
    first = chain.current()
    set_keys(package, "AK2", f"{SECRET}-2")
    assert chain.current() == first
    assert chain.renew(first)
    assert chain.current() == AccessKey("AK2", f"{SECRET}-2", "sts")
    assert not chain.renew(chain.current())


@pytest.mark.process
def test_next_interpreter_is_tried_after_a_failure(platform: FakePlatform) -> None:
    """A broken environment does not hide a working one."""
    add_package(platform.add_environment("jp3"), f"raise ValueError({SECRET!r})")
    add_package(platform.add_environment("jp4"))
    assert platform.find() == AccessKey("AK1", f"{SECRET}-1", "sts")


@pytest.mark.process
@pytest.mark.parametrize(
    ("session", "reason"),
    [
        (f"raise ValueError({SECRET!r})", "ValueError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("import os; os._exit(3)", "JSONDecodeError"),
    ],
)
def test_failing_session_is_an_error_without_secret(
    platform: FakePlatform, session: str, reason: str
) -> None:
    """The message has the type of the error only."""
    platform.add_sdk(session)
    with pytest.raises(ConfigurationError) as caught:
        load_platform_session(platform.environ)
    assert caught.value.code == "credentials.notebook_session"
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.process
def test_interpreter_that_cannot_start_is_an_error(platform: FakePlatform) -> None:
    """A script without permission or a missing program."""
    packages = platform.add_environment()
    add_package(packages)
    python = packages.parents[2] / "bin" / "python"
    python.unlink()
    python.write_text("no program")
    python.chmod(stat.S_IRUSR)
    with pytest.raises(ConfigurationError, match="provided no access key"):
        load_platform_session(platform.environ)


@pytest.mark.process
def test_session_without_key_is_no_error(platform: FakePlatform) -> None:
    """The next source is used."""
    set_keys(platform.add_sdk(), "", "")
    assert platform.find() is None


@pytest.mark.parametrize("exists", [False, True])
def test_absent_package_costs_no_time(platform: FakePlatform, exists: bool) -> None:
    """Without the folders, or with other content, no process is started."""
    if not exists:
        platform.folder.rmdir()
    assert load_platform_session(platform.environ) is None
    times = []
    for _ in range(5):
        started = time.perf_counter()
        load_platform_session(platform.environ)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.005
