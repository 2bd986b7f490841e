"""Detect an IPython that was replaced on disk while this kernel runs, for example by ``%pip install``."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Callable


def check_loaded_ipython(
    loaded: str | None = None, *, installed: Callable[[str], str] = metadata.version
) -> None:
    """Refuse to load the magics into an IPython whose files are those of another version.

    Its modules are imported when they are needed, so such a kernel fails in unrelated places.

    Args:
        loaded: The version in memory; None for that of this process.
        installed: Returns the version on disk of a distribution.

    Raises:
        ConfigurationError: The versions differ; the message says to restart the kernel.
    """
    if loaded is None:
        ipython: Any = sys.modules["IPython"]
        loaded = str(ipython.__version__)
        # The usual case; reading the metadata takes milliseconds.
        if (Path(ipython.__file__).parents[1] / f"ipython-{loaded}.dist-info").is_dir():
            return
    try:
        found = installed("ipython")
    except metadata.PackageNotFoundError:
        return
    if found != loaded:
        from modelarts_magics.errors import ConfigurationError  # noqa: PLC0415 - keeps %load_ext fast

        raise ConfigurationError("ipython.replaced", loaded=loaded, installed=found)
