"""What the demo says in the terminal."""

from __future__ import annotations

import sys


def print_lines(*lines: str) -> None:
    """Write lines, at once: a demo may run for hours behind a pipe."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def print_error(line: str) -> None:
    """Write a line on the side of the errors."""
    sys.stderr.write(line.rstrip() + "\n")
