"""Run the daemon: ``python -m modelarts_magics.keepalive FOLDER``, started by `keepalive.launch`."""

import sys

from modelarts_magics.keepalive.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
