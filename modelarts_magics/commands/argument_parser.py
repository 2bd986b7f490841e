"""Argument parser with usage, help and errors in the language of the reader."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from modelarts_magics import messages
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterable

USAGE_ERROR_STATUS = 2
MISSING = "the following arguments are required: {}"
"""The error of argparse for an argument that was not given."""


class _HelpFormatter(argparse.HelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(
            usage, actions, groups, text("usage.prefix") if prefix is None else prefix
        )


class ArgumentParser(argparse.ArgumentParser):
    """Parser of the options of a subcommand.

    The language is that of ``MODELARTS_LANGUAGE``, else of the locale.

    Args:
        program: The command as it is typed, for example ``modelarts-magics demo``.
        description: The message code of the description.
    """

    def __init__(self, program: str, description: str) -> None:
        messages.use_language(os.environ.get("MODELARTS_LANGUAGE"))
        super().__init__(
            prog=program,
            description=text(description),
            formatter_class=_HelpFormatter,
            add_help=False,
        )
        self._optionals.title = text("usage.options")
        self.add_argument("-h", "--help", action="help", help=text("usage.help"))

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to get help, and exit with status 2."""
        # The text of argparse is English. It begins or ends with the argument that is wrong.
        named = re.match(r"argument ([^:]+): ", message)
        argument = named[1] if named else message.rpartition(": ")[2]
        code = "usage.required" if message == MISSING.format(argument) else "usage.argument"
        line = text(code, argument=argument, command=f"{self.prog} --help")
        sys.stderr.write(f"{line}\n")
        sys.exit(USAGE_ERROR_STATUS)
