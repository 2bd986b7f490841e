"""Entry point of ``python -m modelarts_magics``."""

from __future__ import annotations

import sys

from modelarts_magics.cli import main

if __name__ == "__main__":
    status = main()
    # A kernel, which runs this with `%run -m`, would show the exit as a traceback.
    if "IPython" not in sys.modules:
        sys.exit(status)
