"""Read the access key of the platform's own session, also where the kernel cannot import its package.

On ModelArts the vendor's package `modelarts` is in the platform's environments, which a kernel does not search.
It is then imported in a child process of the platform's interpreter, which returns the key through a pipe.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.config.credential_providers import load_notebook_session
from modelarts_magics.config.credentials import FoundCredential, make_access_key
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER_VARIABLE = "MODELARTS_PLATFORM_DIR"
"""Names the folder of the platform's software where it is not the default."""
DEFAULT_FOLDER = "/modelarts"
SDK_FOLDER = "tools/sdk"
ENVIRONMENTS_FOLDER = "authoring/notebook-conda"
"""The folders that contain the vendor's package. Source: observed in public scripts and images."""
TIMEOUT_S = 20.0
"""The time that all child processes may take together."""
_SECRET_VARIABLES = (
    "MODELARTS_AUTH_TOKEN",
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
)
_CHILD_CODE = """
import json, os, sys
# Whatever the package prints must not get into the answer.
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path[:0] = sys.argv[1:]
try:
    from modelarts.session import Session
    session = Session()
    names = ("access_key", "secret_key", "security_token", "project_id", "region_name")
    values = [getattr(session, name, None) for name in names]
    result = [value if isinstance(value, str) else "" for value in values]
except BaseException as error:
    result = type(error).__name__
json.dump(result, answer)
answer.close()
"""


class PlatformPython(NamedTuple):
    """An interpreter with the vendor's package.

    Attributes:
        python: The interpreter.
        folders: Folders to add to its path.
    """

    python: str
    folders: tuple[str, ...]


def platform_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the platform's software; it exists on an instance only."""
    return Path(environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


def searched_places(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders that are searched for the vendor's package."""
    folder = platform_folder(environ)
    return (sys.prefix, str(folder / SDK_FOLDER), str(folder / ENVIRONMENTS_FOLDER))


def load_platform_session(environ: Mapping[str, str]) -> FoundCredential | None:
    """Return the key of the platform's session, read again at each call.

    Args:
        environ: The environment variables of this process, for the child processes.

    Returns:
        The key; None if there is no such package, or its session has no key.

    Raises:
        ConfigurationError: The package fails in every interpreter, or the key is incomplete.
    """
    failure: ConfigurationError | None = None
    try:
        found = load_notebook_session()
        if found:
            return found
    except ConfigurationError as error:
        failure = error
    deadline = time.monotonic() + TIMEOUT_S
    for candidate in _platform_pythons(platform_folder(environ)):
        try:
            found = _load_from(candidate, environ, timeout_s=deadline - time.monotonic())
        except ConfigurationError as error:
            failure = error
        else:
            if found:
                return found
            failure = None
    if failure:
        raise failure.with_traceback(None)
    return None


def _platform_pythons(folder: Path) -> Iterator[PlatformPython]:
    """Yield the interpreters that can be expected to import the package, the platform's own ones first."""
    if not folder.is_dir():
        return
    sdk = folder / SDK_FOLDER
    folders = (str(sdk),) if (sdk / "modelarts").is_dir() else ()
    root = folder / ENVIRONMENTS_FOLDER
    for environment in (*sorted(root.glob("envs/*")), root):
        python = environment / "bin" / "python"
        has_package = any(environment.glob("lib/python*/site-packages/modelarts"))
        if python.exists() and (folders or has_package):
            yield PlatformPython(str(python), folders)
    if folders:
        yield PlatformPython(sys.executable, folders)


def _load_from(
    candidate: PlatformPython, environ: Mapping[str, str], *, timeout_s: float
) -> FoundCredential | None:
    source = f"modelarts.session.Session() ({candidate.python})"
    values = _ask_child(candidate, environ, timeout_s=timeout_s)
    if isinstance(values, str):
        raise ConfigurationError("credentials.notebook_session", reason=values)
    ak, sk, security_token, project, region = values
    key = make_access_key(ak, sk, security_token, source=source)
    return FoundCredential(key, source, project.strip(), region.strip()) if key else None


def _ask_child(
    candidate: PlatformPython, environ: Mapping[str, str], *, timeout_s: float
) -> list[str] | str:
    """Return the attributes of the session, or the name of an error."""
    # The interpreter is another one, so the settings of this one would only harm.
    variables = {
        name: value
        for name, value in environ.items()
        if name not in _SECRET_VARIABLES and not name.startswith("PYTHON")
    }
    try:
        completed = subprocess.run(  # noqa: S603 - a fixed command of the platform's interpreter
            # Isolated, so that a module in the current folder cannot replace one of the library.
            [candidate.python, "-I", "-c", _CHILD_CODE, *candidate.folders],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max(timeout_s, 0),
            check=False,
        )
        values: list[str] | str = json.loads(completed.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return type(error).__name__
    return values
