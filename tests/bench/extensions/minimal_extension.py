"""Smallest possible extension with one line magic, to measure `%load_ext` itself."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython's shell
    """Register a magic that does nothing."""
    shell.register_magic_function(lambda _line: None, "line", "minimal")
