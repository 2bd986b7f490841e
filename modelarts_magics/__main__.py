"""Entry point of ``python -m modelarts_magics``."""

from __future__ import annotations

import sys

from modelarts_magics.cli import main

if __name__ == "__main__":
    sys.exit(main())
