"""The table of commands and options, used by the parser, the help, the completion and the README's test."""

from __future__ import annotations

from typing import NamedTuple

MAGIC_PREFIX = "%modelarts"
"""The text before a command in a notebook."""


class Option(NamedTuple):
    """An option of a command.

    Attributes:
        name: The name as typed, with its dashes.
        metavar: The name of its value, in capitals; "" for an option without a value.
        kernel_only: Whether it is available in a kernel only.
    """

    name: str
    metavar: str = ""
    kernel_only: bool = False


class Command(NamedTuple):
    """A command.

    Attributes:
        name: The name as typed; messages ``help.NAME`` and ``help.NAME.examples`` describe it.
        usage: The arguments and options, in the notation of a manual page.
        options: The options.
        completions: Arguments offered by tab completion.
        free_text: Whether everything after the options is one text, used verbatim.
        kernel_only: Whether it is available in a kernel only.
    """

    name: str
    usage: str = ""
    options: tuple[Option, ...] = ()
    completions: tuple[str, ...] = ()
    free_text: bool = False
    kernel_only: bool = False

    @property
    def synopsis(self) -> str:
        """The name followed by the usage."""
        return f"{self.name} {self.usage}".rstrip()

    @property
    def without_kernel_options(self) -> Command:
        """The command without the options that need a kernel."""
        options = tuple(option for option in self.options if not option.kernel_only)
        usage = self.usage
        for option in set(self.options) - set(options):
            usage = usage.replace(f" | {option.name} {option.metavar}", "")
        return self._replace(usage=usage, options=options)

    def find_option(self, name: str) -> Option | None:
        """Return the option of that name, or None."""
        return next((option for option in self.options if option.name == name), None)


JSON = Option("--json")
ALL = Option("--all")
REPLACE = Option("--replace")
CLEAR = Option("--clear")
FROM = Option("--from", "PYTHON_NAME", kernel_only=True)
REMIND = Option("--remind")
NO_REMIND = Option("--no-remind")
TRY = Option("--try")
SAVE = Option("--save")
YES = Option("--yes")
WAIT = Option("--wait")
QUIET = Option("--quiet")
"""An option of every command in a terminal."""
WIDGETS = Option("--widgets")
REMOVE = Option("--remove")
UP_TO = Option("--up-to", "DURATION")
THEN = Option("--then", "leave|stop")
SIGNAL = Option("--signal", "NAME")
PID = Option("--pid", "PID")
WHILE_BUSY = Option("--while-busy")
WHEN_IDLE = Option("--when-idle", "DURATION|off|keep")
SWITCH_MODE = Option("--switch-mode")
ANYWAY = Option("--anyway")
NO_RECORD = Option("--no-record", kernel_only=True)
COMMAND = Option("--command", "CMD")
NOTEBOOK = Option("--notebook", "PATH")

STATUS = Command("status", "[--all] [--json]", (ALL, JSON))
DESCRIBE = Command(
    "describe",
    "[--replace] TEXT | --clear | --from PYTHON_NAME [--wait] [--json]",
    (REPLACE, CLEAR, FROM, WAIT, JSON),
    free_text=True,
)
AUTO_STOP = Command(
    "auto-stop",
    "[DURATION | in DURATION | at CLOCK | on | off | idle] [--remind | --no-remind] [--try] [--wait] "
    "[--json]",
    (REMIND, NO_REMIND, TRY, WAIT, JSON),
    completions=("in", "at", "on", "off", "idle", "1h", "2h", "4h", "8h", "24h"),
)
EXTEND = Command(
    "extend",
    "[DURATION] [--yes] [--wait] [--json]",
    (YES, WAIT, JSON),
    completions=("30m", "1h", "2h", "4h"),
)
SHORTEN = Command(
    "shorten", "[DURATION] [--wait] [--json]", (WAIT, JSON), completions=("30m", "1h", "2h")
)
STOP = Command(
    "stop",
    "[--yes] [--wait] [--json] | --when-idle DURATION|off|keep [--json]",
    (WHEN_IDLE, YES, WAIT, JSON),
)
LOGIN = Command("login", "[--save | --clear]", (SAVE, CLEAR))
CONFIGURE = Command(
    "configure",
    "[NAME=VALUE …]",
    completions=(
        "region=",
        "project_id=",
        "instance_id=",
        "api=",
        "timezone=",
        "language=",
        "endpoint=",
    ),
)
COUNTDOWN = Command("countdown", kernel_only=True)
FORM = Command("form", kernel_only=True)
KEEP = Command(
    "keep",
    "[--up-to DURATION [NAME]] | start NAME | --pid PID | --while-busy | end [NAME | --all] "
    "[--then leave|stop] [--switch-mode] [--anyway] [--no-record] [--json]",
    (UP_TO, THEN, PID, WHILE_BUSY, ALL, SWITCH_MODE, ANYWAY, NO_RECORD, JSON),
    completions=("start", "end"),
)
BEFORE = Command(
    "before",
    "[DURATION --signal NAME | end] [--json]",
    (SIGNAL, JSON),
    completions=("10m", "30m", "end"),
    kernel_only=True,
)
JOBS = Command(
    "jobs", "[show ID [--notebook PATH]] [--json]", (NOTEBOOK, JSON), completions=("show",)
)
NOTIFY = Command(
    "notify",
    "[add [--command CMD] | list | test [ID] | remove [ID] | on EVENT… | off EVENT…] [--json]",
    (COMMAND, JSON),
    completions=(
        *("add", "list", "test", "remove", "all"),
        *("time-left", "keepalive-trouble", "job-finished", "job-failed"),
        *("bound-near", "stopping", "last-run"),
    ),
)
SETUP = Command("setup", "[--yes] [--widgets] [--remove]", (YES, WIDGETS, REMOVE))
ACTIVITY = Command("activity", "[--json]", (JSON,))
INSTALL_LAB = Command("install-lab", "[--widgets] [--remove]", (WIDGETS, REMOVE))
HISTORY = Command("history", "[--json]", (JSON,))
UNDO = Command("undo", "[--wait] [--json]", (WAIT, JSON))
RESTORE = Command("restore", "[--wait] [--json]", (WAIT, JSON))
DOCTOR = Command("doctor", "[--all] [--json]", (ALL, JSON))
HELP = Command("help", "[COMMAND]")

COMMANDS = {
    command.name: command
    for command in (
        STATUS,
        DESCRIBE,
        AUTO_STOP,
        EXTEND,
        SHORTEN,
        COUNTDOWN,
        FORM,
        STOP,
        KEEP,
        BEFORE,
        JOBS,
        NOTIFY,
        ACTIVITY,
        LOGIN,
        CONFIGURE,
        SETUP,
        INSTALL_LAB,
        HISTORY,
        UNDO,
        RESTORE,
        DOCTOR,
        HELP,
    )
}
"""All commands by name, in the order of the help."""
