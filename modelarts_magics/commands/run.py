"""``modelarts-magics run``: run a command under a guard, with its output recorded.

All words of its own go to the standard error, so that the standard output is that of the command.
"""

from __future__ import annotations

import argparse
import codecs
import os
import shlex
import shutil
import signal
import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, Callable

from modelarts_magics.commands.argument_parser import MISSING, ArgumentParser
from modelarts_magics.commands.command_marks import CommandMarks
from modelarts_magics.commands.dispatch import configure_messages
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive.client import KeepRequest, keep_alive, save_work_result
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.guards import LEAVE, RUN, STOP
from modelarts_magics.keepalive.record_writer import RecordWriter
from modelarts_magics.keepalive.records import COMMAND, Record, new_record_id, records_folder
from modelarts_magics.keepalive.switched_mode import DETAIL as SWITCH_MODE
from modelarts_magics.messages import text
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.keepalive.client import Kept
    from modelarts_magics.keepalive.command_runner import CommandRunner

NOT_STARTED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
"""Exit statuses if the command did not run, as of env(1)."""
_MAX_NAME = 60
_MAX_TAIL_BYTES = 4096
_MAX_CHARACTER_BYTES = 4
_INTERPRETERS = ("python", "bash", "sh", "zsh", "node", "perl", "Rscript", "torchrun")


def main(arguments: Sequence[str], *, prefix: str) -> int:
    """Run a command, and return its exit status; end by the signal that has killed it.

    Args:
        arguments: The arguments after ``run``.
        prefix: The text before a command in hints.
    """
    options = _parse(list(arguments), prefix)
    if sys.platform == "win32":
        return _fail(text("run.not_on_windows"))
    if shutil.which(options.command[0]) is None:
        return _fail(text("run.not_found", command=options.command[0]), NOT_FOUND)
    from modelarts_magics.keepalive.command_runner import exit_like  # noqa: PLC0415 - POSIX only

    try:
        status = _run(options, prefix)
    except ModelArtsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        _fail(text("cli.interrupted"))
        status = -signal.SIGINT
    return exit_like(status)


def _parse(arguments: list[str], prefix: str) -> argparse.Namespace:
    parser = ArgumentParser(f"{prefix} run", "run.help")
    parser.add_argument("--up-to", metavar="DURATION", help=text("run.help.up_to"))
    parser.add_argument("--then", choices=(LEAVE, STOP), default=LEAVE, help=text("run.help.then"))
    parser.add_argument("--switch-mode", action="store_true", help=text("run.help.switch_mode"))
    parser.add_argument(
        "--signal", action="append", metavar="NAME@DURATION", help=text("run.help.signal")
    )
    parser.add_argument("--anyway", action="store_true", help=text("run.help.anyway"))
    parser.add_argument("--no-record", action="store_true", help=text("run.help.no_record"))
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD ARG…")
    # Whether argparse removes the dashes before the rest depends on the version of Python.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.command += arguments[end + 1 :]
    if not options.command:
        parser.error(MISSING.format("CMD"))
    return options


def _fail(message: str, status: int = NOT_STARTED) -> int:
    sys.stderr.write(f"{message}\n")
    return status


def _run(options: argparse.Namespace, prefix: str) -> int:
    from modelarts_magics.keepalive.command_runner import CommandRunner  # noqa: PLC0415 - POSIX only

    settings = Settings.load()
    configure_messages(settings, prefix)
    up_to = parse_duration(options.up_to) if options.up_to else None
    marks = CommandMarks(options.signal or ())
    recorder = None if options.no_record else CommandRecorder(options.command, settings)
    tail = OutputTail()

    def on_output(stream: str, data: bytes) -> None:
        tail.add(data)
        if recorder:
            recorder.add(stream, data)

    runner = CommandRunner(
        options.command,
        on_output=on_output,
        on_tick=recorder.tick if recorder else lambda: None,
        on_start=marks.set,
    )
    details = {SWITCH_MODE: True} if options.switch_mode else {}
    name = guard_name(options.command)
    request = KeepRequest(RUN, name, up_to, options.then, details=details)
    with ExitStack() as stack:
        stack.callback(marks.remove)
        save_status = _keep(stack, settings, request, runner, options, marks)
        if recorder:
            recorder.start(runner)
        try:
            status = runner.run()
        except OSError as error:
            runner.say(text("run.not_executable", command=options.command[0], cause=error.strerror))
            status = NOT_EXECUTABLE
        finally:
            if recorder:
                recorder.close(runner)
        save_status(status, tail.last_line())
    return status


def _keep(  # noqa: PLR0913 - the parts of a run
    stack: ExitStack,
    settings: Settings,
    request: KeepRequest,
    runner: CommandRunner,
    options: argparse.Namespace,
    marks: CommandMarks,
) -> Callable[[int, str], None]:
    """Begin the guard and print the guarantee.

    Returns:
        A function that saves exit status and last line of the command, for notifications.

    Raises:
        ModelArtsError: The guarantee cannot be given, and ``--anyway`` was not given.
    """
    try:
        session = open_session(settings)
        session.on_notice = lambda notice: runner.say(str(notice))
        try:
            kept: Kept = stack.enter_context(
                keep_alive(session, request, report=lambda message: runner.say(str(message)))
            )
        finally:
            # Its thread would receive signals that are meant for the command.
            session.close()
    except ModelArtsError as error:
        if not options.anyway:
            raise
        runner.say(text("keep.unguarded", cause=error.message))
        marks.attach(None, runner.say)
        return lambda _status, _line: None
    runner.say(str(kept))
    marks.attach((folder_of_session(session), kept.guard), runner.say)
    return lambda status, line: save_work_result(
        session, kept, failed=status != 0, exit_status=status, last_line=line
    )


class OutputTail:
    """The end of the output of a command."""

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> None:
        """Take what was printed."""
        self._data = (self._data + data[-_MAX_TAIL_BYTES:])[-_MAX_TAIL_BYTES:]

    def last_line(self) -> str:
        """Return the last line that is not empty, as a terminal shows it; "" if there is none."""
        lines = self._data.decode(errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "")


class CommandRecorder:
    """The record of a command.

    Args:
        command: The words of the command.
        settings: The settings, which name the folder of the records.
    """

    def __init__(self, command: Sequence[str], settings: Settings) -> None:
        line = shlex.join(command)
        name = line if len(line) <= _MAX_NAME else f"{line[: _MAX_NAME - 1]}…"
        folder = records_folder(settings, os.environ)
        now = datetime.now(timezone.utc)
        self._record = Record(new_record_id(), name, COMMAND, folder, now)
        self._line = line
        self._incomplete: dict[str, bytes] = {}
        self._writer: RecordWriter | None = None
        self._problem = ""

    def start(self, runner: CommandRunner) -> None:
        """Create the record, and say how to read it."""
        self._writer = RecordWriter(self._record)
        self._writer.add_entry("start", {"code": f"!{self._line}"})
        runner.say(text("record.started", id=self._record.id))

    def add(self, stream: str, data: bytes) -> None:
        """Record output of the command."""
        whole, self._incomplete[stream] = split_incomplete(self._incomplete.get(stream, b"") + data)
        if self._writer:
            self._writer.add_text(stream, whole)

    def tick(self) -> None:
        """Keep the index up to date while the command prints nothing."""
        if self._writer:
            self._writer.save_index_if_due()

    def close(self, runner: CommandRunner) -> None:
        """Complete the record, and say if something is missing in it."""
        if self._writer is None:
            return
        for stream, rest in self._incomplete.items():
            self._writer.add_text(stream, rest)
        self._writer.close()
        if self._writer.problem or self._writer.record.missed:
            missed = self._writer.record.missed
            runner.say(text("run.record_incomplete", bytes=missed, cause=self._writer.problem))


def split_incomplete(data: bytes) -> tuple[bytes, bytes]:
    """Split off the bytes of a character that has not been read in whole."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data[-_MAX_CHARACTER_BYTES:])
    incomplete, _ = decoder.getstate()
    return data[: len(data) - len(incomplete)], incomplete


def guard_name(command: Sequence[str]) -> str:
    """Return the name of the guard of a command: its program, or the script that it runs, and our process."""
    program = PurePath(command[0]).name
    is_interpreter = program.rstrip("0123456789.") in _INTERPRETERS
    script = command[1] if is_interpreter and len(command) > 1 else ""
    name = PurePath(script).name if script and not script.startswith("-") else program
    return f"{'-'.join(name.split())}-{os.getpid()}"
