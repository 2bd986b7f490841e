"""Terminal output of the demo."""

from __future__ import annotations

import sys


def print_lines(*lines: str) -> None:
    """Print lines and flush them, as standard output may be a pipe."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def print_error(line: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(line.rstrip() + "\n")
