"""The copy of this package in ``~/work``, which is kept when the instance stops.

Each Python version has a folder of its own, with a folder for each distribution. `activate.py` adds those folders
to the path whose distribution the kernel's environment lacks or has in an older version.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from modelarts_magics.config.work_folder import python_folder_name
from modelarts_magics.doctor.lab_extension import DISTRIBUTIONS, packaged_extension
from modelarts_magics.keepalive.processes import process_started

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "modelarts-magics"
ACTIVATE_FILE_NAME = "activate.py"
MANIFEST_NAME = "distributions.json"
START_FILE_MARK = "Written by %modelarts setup."
"""Text in the start file, by which `setup` recognizes its own file."""
_TEMPLATES = Path(__file__).with_name("templates")
_OF_EVERY_KERNEL = ("ipython", "ipykernel", "traitlets", "jupyter-client", "jupyter-core")
"""Distributions without which there is no kernel."""
_FRONT_ENDS = ("jupyterlab-widgets", "widgetsnbextension")
"""Distributions that a kernel does not import."""
_INSTALL_TIME_S = 30.0
"""The time between the first and the last file of one installation."""


@dataclass(frozen=True)
class Part:
    """A distribution to copy.

    Attributes:
        distribution: The distribution.
        minimum: The oldest version that can be used; "" for any.
    """

    distribution: metadata.Distribution
    minimum: str

    @property
    def name(self) -> str:
        """The normalized name."""
        return normalized_name(self.distribution.metadata["Name"])


def normalized_name(name: str) -> str:
    """Return the name of a distribution as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parts_to_copy(
    *,
    boot_time_s: float | None = None,
    installed_at_s: Callable[[metadata.Distribution], float] | None = None,
) -> list[Part]:
    """Return this package and those of its requirements that the image does not have.

    The image has all that is older than the start of this container, or about as old as IPython, without which
    there would be no kernel.

    Args:
        boot_time_s: When this machine or container started, in seconds since 1970; None to find out.
        installed_at_s: Returns when a distribution was installed; None to find out.
    """
    installed_at_s = installed_at_s or _installed_at_s
    own = Part(metadata.distribution(OWN), metadata.version(OWN))
    image_time = installed_at_s(metadata.distribution("ipython")) + _INSTALL_TIME_S
    if installed_at_s(own.distribution) <= image_time:
        # All was installed together, so IPython's age says nothing.
        image_time = 0.0
    image_time = max(image_time, _boot_time_s() if boot_time_s is None else boot_time_s)
    others = [each for each in _requirements() if installed_at_s(each.distribution) > image_time]
    return [own, *others]


def _requirements() -> Iterator[Part]:
    """Yield the distributions that this package needs, each once."""
    seen = {OWN, *_OF_EVERY_KERNEL, *_FRONT_ENDS}
    waiting = [metadata.distribution(OWN)]
    while waiting:
        for line in waiting.pop().requires or ():
            name, minimum = _parse_requirement(line)
            if name in seen or not name:
                continue
            seen.add(name)
            try:
                found = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                # A requirement of another system or Python version.
                continue
            waiting.append(found)
            yield Part(found, minimum)


def _parse_requirement(line: str) -> tuple[str, str]:
    """Return the name and the oldest version of a requirement; an empty name for that of an extra."""
    requirement, _, marker = line.partition(";")
    found = re.match(r"[\w.-]+", requirement)
    if "extra" in marker or found is None:
        return "", ""
    minimum = re.search(r"[>=~]=\s*([\d.]*\d)", requirement)
    return normalized_name(found[0]), minimum[1] if minimum else ""


def _installed_at_s(distribution: metadata.Distribution) -> float:
    """Return when a distribution was installed, in seconds since 1970; infinity if that is not known."""
    for file in distribution.files or ():
        if file.name in ("INSTALLER", "METADATA"):
            try:
                return Path(str(distribution.locate_file(file))).stat().st_mtime
            except OSError:
                continue
    return float("inf")


def _boot_time_s() -> float:
    """Return when the first process of this machine or container started; 0 if that is not known."""
    started = process_started(1)
    try:
        status = Path("/proc/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    booted = re.search(r"^btime (\d+)$", status, re.MULTILINE)
    if started is None or booted is None:
        return 0.0
    return started / os.sysconf("SC_CLK_TCK") + int(booted[1])


def write_copy(folder: Path, parts: list[Part], *, widgets: bool) -> None:
    """Write the copy of this Python version, in place of an earlier one.

    Args:
        folder: The folder of all versions.
        parts: The distributions.
        widgets: Whether the ipywidgets front end is part of it.

    Raises:
        OSError: A file could not be written; an earlier copy remains.
    """
    target = folder / python_folder_name()
    new, old = (target.with_name(f"{target.name}{suffix}") for suffix in (".new", ".old"))
    shutil.rmtree(new, ignore_errors=True)
    try:
        for part in parts:
            _copy_distribution(part.distribution, new / part.name)
        for name in DISTRIBUTIONS:
            if widgets or normalized_name(DISTRIBUTIONS[name]) not in _FRONT_ENDS:
                _copy_extension(name, new / OWN)
        manifest = {
            "distributions": {part.name: part.minimum for part in parts},
            "widgets": widgets,
        }
        (new / MANIFEST_NAME).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        # Compiled now, so that the first cell after a start need not wait for it.
        compileall.compile_dir(new, quiet=2)
        shutil.copyfile(_TEMPLATES / "activate.py.txt", folder / ACTIVATE_FILE_NAME)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.replace(old)
        new.replace(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def start_file_text() -> str:
    """Return the text of the start file."""
    return (_TEMPLATES / "start.py.txt").read_text(encoding="utf-8")


def _copy_distribution(distribution: metadata.Distribution, target: Path) -> None:
    """Copy what Python imports, and the metadata."""
    files = [each for each in distribution.files or () if _is_imported(each)]
    if normalized_name(distribution.metadata["Name"]) == OWN:
        # The files of an editable installation are not listed.
        package = Path(__file__).parents[1]
        ignored = shutil.ignore_patterns("__pycache__", "labextension")
        shutil.copytree(package, target / package.name, ignore=ignored)
        files = [each for each in files if each.parts[0] != package.name]
    for file in files:
        destination = target / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(distribution.locate_file(file)), destination)


def _is_imported(file: metadata.PackagePath) -> bool:
    return not {"..", "__pycache__"}.intersection(file.parts) and file.suffix != ".pth"


def _copy_extension(name: str, target: Path) -> None:
    """Copy a JupyterLab extension to where `packaged_extension` finds it."""
    found = packaged_extension(name)
    if found:
        destination = target / "share" / "jupyter" / "labextensions" / name
        shutil.copytree(found.folder, destination)


def folder_size(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
