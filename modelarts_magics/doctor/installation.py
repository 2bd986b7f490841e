"""Checks of the installation: this environment, the Jupyter server, the sidebar, widgets and persistence."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.config.work_folder import (
    COPY_FOLDER,
    START_FILE,
    python_folder_name,
    work_folder,
)
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.doctor.kernel_environments import find_kernel_environments
from modelarts_magics.doctor.lab_extension import (
    EXTENSION_NAME,
    MARKER_FILE,
    WIDGET_MANAGER,
    LabExtension,
    is_disabled,
    served_extension,
)
from modelarts_magics.doctor.page_widgets import find_widget_obstacle
from modelarts_magics.messages import join_list, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import TypeGuard

    from modelarts_magics.doctor.jupyter_server import JupyterServer

OWN = "modelarts-magics"
KERNEL_PACKAGES = (OWN, "ipython", "ipywidgets", "anywidget", "httpcore")


def installation_findings(
    server: JupyterServer | None, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield which parts are in the environments of kernel and server and in ``~/work``, and what adds the rest.

    Args:
        server: The Jupyter server of this process; None if none was found.
        environ: The environment variables of this process.
    """
    yield Finding("python", Level.INFO, f"{platform.python_version()} · {sys.executable}")
    if is_own_process(server):
        yield from _kernel_findings(server, environ)
    else:
        yield Finding("kernel packages", Level.OK, _versions(KERNEL_PACKAGES))
    if server is None:
        yield Finding("server packages", Level.INFO, text("doctor.server.none"))
    else:
        yield from _server_findings(server, environ)
    yield from persistence_findings(environ, server)


def _server_findings(server: JupyterServer, environ: Mapping[str, str]) -> Iterator[Finding]:
    own = server.versions.get(OWN) or text("doctor.missing")
    message = text("doctor.server", page=server.page_name, python=server.python, own=own)
    yield Finding("server packages", Level.INFO, message)
    yield _sidebar_finding(server)
    if server.can_load_widgets:
        yield _widget_finding(server, environ)


def is_own_process(server: JupyterServer | None) -> TypeGuard[JupyterServer]:
    """Return whether this process is the server, which runs the checks for its pages."""
    return server is not None and server.pid == os.getpid()


def _kernel_findings(server: JupyterServer, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what the environment of each kernel has; the line that adds it only where none has it."""
    found = find_kernel_environments(server, environ)
    copies = _copied_versions(environ)
    versions = [each.version or copies.get(f"py{each.minor}", "") for each in found]
    for each, version in zip(found, versions):
        own = version or text("doctor.missing")
        names = join_list(each.names)
        message = text("doctor.server", page=names, python=each.python, own=own)
        level = Level.OK if version else Level.INFO
        hint = "" if any(versions) else text("doctor.kernel.install", python=each.python)
        yield Finding("kernel packages", level, message, hint)


def _versions(packages: tuple[str, ...]) -> str:
    return join_list(f"{each} {_version(each) or text('doctor.missing')}" for each in packages)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _sidebar_finding(server: JupyterServer) -> Finding:
    """Return which copy of the extension the server serves."""
    subject, install = "sidebar", text("doctor.sidebar.install")
    if not server.can_load_extension:
        message = text("doctor.sidebar.too_old", page=server.page_name)
        return Finding(subject, Level.INFO, message)
    served = served_extension(EXTENSION_NAME, server)
    if served is None:
        return Finding(subject, Level.INFO, text("doctor.sidebar.missing"), install)
    if is_disabled(EXTENSION_NAME, server):
        message = text("doctor.sidebar.disabled", path=served.folder)
        hint = text("doctor.sidebar.enable", python=server.python, name=EXTENSION_NAME)
        return Finding(subject, Level.INFO, message, hint)
    version = _version(OWN)
    if version and served.version != version:
        message = text(
            "doctor.sidebar.version", served=served.version, path=served.folder, own=version
        )
        return Finding(subject, Level.PROBLEM, message, _update_hint(served, server))
    message = text("doctor.sidebar.served", version=served.version, path=served.folder)
    return Finding(subject, Level.OK, message)


def _update_hint(served: LabExtension, server: JupyterServer) -> str:
    """Return the line that replaces a copy of another version."""
    if (served.folder / MARKER_FILE).is_file():
        return text("doctor.sidebar.install")
    if server.prefix in served.folder.parents:
        return text("doctor.sidebar.upgrade", python=server.python)
    return text("doctor.sidebar.delete", path=served.folder)


def _widget_finding(server: JupyterServer, environ: Mapping[str, str]) -> Finding:
    """Return whether the page can show the countdown and other widgets of the kernel."""
    # The server's own packages are none of a kernel.
    installed = "" if is_own_process(server) else _version("ipywidgets")
    obstacle = find_widget_obstacle(server, environ, ipywidgets=installed)
    if obstacle:
        return Finding("widgets", Level.INFO, obstacle.reason, obstacle.hint)
    manager = served_extension(WIDGET_MANAGER, server)
    version = manager.version if manager else text("word.empty")
    return Finding("widgets", Level.OK, text("doctor.widgets.ok", version=version))


def persistence_findings(
    environ: Mapping[str, str], server: JupyterServer | None = None
) -> Iterator[Finding]:
    """Yield whether the installation persists after a stop, as only ``~/work`` does.

    Args:
        environ: The environment variables of this process.
        server: The Jupyter server of this process; None if none was found.
    """
    package = Path(__file__).resolve().parents[1]
    work = work_folder(environ).resolve()
    copies = _copied_versions(environ)
    version = copies.get(python_folder_name())
    if version is None and is_own_process(server):
        # The copies are for kernels, which may have another Python version than the server.
        version = next(iter(copies.values()), None)
    if not work.is_dir():
        yield Finding("persistence", Level.INFO, text("doctor.persistence.unknown", path=package))
    elif version is not None:
        message = text("doctor.persistence.copy", version=version, path=work / START_FILE)
        is_current = version == _version(OWN)
        hint = "" if is_current else text("doctor.persistence.update")
        yield Finding("persistence", Level.OK if is_current else Level.INFO, message, hint)
    elif work in package.parents:
        yield Finding("persistence", Level.OK, text("doctor.persistence.yes", path=package))
    else:
        message = text("doctor.persistence.no", path=package)
        yield Finding("persistence", Level.INFO, message, text("doctor.persistence.hint"))


def _copied_versions(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the version that ``~/work`` has for each Python version, by the name of its folder."""
    work = work_folder(environ)
    if not (work / START_FILE).is_file():
        return {}
    folders = sorted((work / COPY_FOLDER).glob(f"py*/{OWN}"))
    return {each.parent.name: _copied_version(each) for each in folders}


def _copied_version(folder: Path) -> str:
    found = metadata.distributions(name=OWN, path=[str(folder)])
    return next((each.version for each in found), "")
