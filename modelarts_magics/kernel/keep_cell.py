"""Run a cell that begins with ``%%modelarts keep`` under a guard.

The first line is replaced by a call that begins the guard, and the rest of the cell runs as it is: its last value,
its traceback, ``await`` and magics are those of an ordinary cell. The guard ends when IPython has run the cell.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from modelarts_magics.keepalive.client import Kept
    from modelarts_magics.messages import Message
    from modelarts_magics.session.session import Session

_FIRST_LINE = r"%%modelarts\s+keep(?:\s+(?P<options>.*?))?\s*"
"""As text: `re` compiles it at the first cell, which keeps %load_ext fast."""
_BEGIN = "get_ipython().magics_manager.registry['ModelArts'].keep_cells.begin({options!r})\n"


class KeepCells:
    """The guarded cells of a kernel.

    Args:
        shell: The shell.
        get_session: Returns the session.
        prepare: Sets the language of messages.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        *,
        get_session: Callable[[], Session],
        prepare: Callable[[], None],
    ) -> None:
        self._shell = shell
        self._get_session = get_session
        self._prepare = prepare
        self._running: list[object] = []
        self._guards: list[tuple[object, ExitStack, Callable[[object], None]]] = []

    def begin(self, options: str) -> None:
        """Begin to keep the instance running until the current cell ends, and print the guarantee.

        Args:
            options: The options of ``%%modelarts keep``.

        Raises:
            InputError: An option is invalid.
            RefusedError: The guarantee cannot be given, and ``--anyway`` is not among the options.
        """
        from modelarts_magics.commands.keep import requested_limit, requested_then  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.commands.parser import parse_line  # noqa: PLC0415
        from modelarts_magics.errors import ModelArtsError  # noqa: PLC0415
        from modelarts_magics.keepalive.client import KeepRequest, keep_alive  # noqa: PLC0415
        from modelarts_magics.keepalive.guards import CELL  # noqa: PLC0415
        from modelarts_magics.keepalive.recorder import DETAIL  # noqa: PLC0415
        from modelarts_magics.keepalive.switched_mode import DETAIL as SWITCH_MODE  # noqa: PLC0415
        from modelarts_magics.messages import text  # noqa: PLC0415

        self._prepare()
        request = parse_line(f"keep {options}")
        request.reject_arguments()
        recording = None if request.has_option("--no-record") else self._recording()
        details: dict[str, Any] = {DETAIL: recording} if recording else {}
        if request.has_option("--switch-mode"):
            details[SWITCH_MODE] = True
        wanted = KeepRequest(
            CELL,
            f"cell-{self._shell.execution_count}",
            requested_limit(request),
            requested_then(request),
            details=details,
        )
        stack = ExitStack()
        try:
            kept: Kept = stack.enter_context(
                keep_alive(self._get_session(), wanted, report=_print_message)
            )
        except ModelArtsError as error:
            if not request.has_option("--anyway"):
                raise
            _print_message(text("keep.unguarded", cause=error.message))
            return
        record = f"{recording['folder']}/{recording['id']}" if recording else ""
        save_result = partial(_save_result, self._get_session(), kept, record)
        self._guards.append((self._running[-1] if self._running else None, stack, save_result))
        # The recorder has to be there before the first output.
        note = self._wait_for_recording(recording) if recording else ""
        _print_message(f"{kept}\n{note}".rstrip())

    def before_cell(self, info: object = None) -> None:
        """Take note that a cell begins; IPython's hook."""
        self._running.append(info)

    def after_cell(self, result: Any = None) -> None:  # noqa: ANN401 - IPython's type
        """End the guard of a cell that has ended; IPython's hook, also for a cell within another."""
        info = getattr(result, "info", None)
        if self._running:
            self._running.pop()
        for entry in [each for each in self._guards if each[0] is info or not self._running]:
            self._guards.remove(entry)
            entry[2](result)
            entry[1].close()

    def close(self) -> None:
        """End all guards."""
        for _, stack, _ in self._guards:
            stack.close()
        self._guards.clear()

    def _recording(self) -> dict[str, Any] | None:
        """Return the recording of this cell; None outside a Jupyter kernel."""
        from modelarts_magics.config.settings import Settings  # noqa: PLC0415 - as below
        from modelarts_magics.keepalive.records import records_folder  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.kernel.recorded_cell import recording_of_cell  # noqa: PLC0415

        settings, info = self._get_session().settings, self._running[-1] if self._running else None
        folder = records_folder(settings or Settings.load(), os.environ)
        return recording_of_cell(self._shell, str(getattr(info, "raw_cell", "")), folder=folder)

    def _wait_for_recording(self, recording: dict[str, Any]) -> str:
        """Wait until this cell is recorded; return how to read the record."""
        from modelarts_magics.kernel.recorded_cell import wait_until_recorded  # noqa: PLC0415 - keeps %load_ext fast
        from modelarts_magics.messages import text  # noqa: PLC0415

        is_recorded = wait_until_recorded(self._shell, recording)
        return text("record.started" if is_recorded else "record.delayed", id=recording["id"])


def transform_cell(lines: list[str]) -> list[str]:
    """Replace the first line ``%%modelarts keep`` of a cell; a transformer of IPython's input."""
    from IPython.core.inputtransformer2 import cell_magic  # noqa: PLC0415 - loaded already, in a kernel

    found = re.fullmatch(_FIRST_LINE, lines[0].rstrip("\n")) if lines else None
    if found is None:
        return lines
    body = lines[1:]
    first = next((number for number, line in enumerate(body) if line.strip()), len(body))
    begin = _BEGIN.format(options=found["options"] or "")
    # A cell magic stands at the beginning of a cell only.
    return [begin, *body[:first], *cell_magic(body[first:])]


# IPython also transforms a cell to find out whether it is complete, for which its first line has to stay.
transform_cell.has_side_effects = True  # type: ignore[attr-defined]


def _save_result(session: Session, kept: Kept, record: str, result: Any) -> None:  # noqa: ANN401 - IPython's type
    """Save how the cell has ended, for notifications."""
    from modelarts_magics.keepalive.client import save_work_result  # noqa: PLC0415 - keeps %load_ext fast

    error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
    last_line = f"{type(error).__name__}: {error}" if error is not None else ""
    save_work_result(session, kept, failed=error is not None, last_line=last_line, record=record)


def _print_message(message: Message | Kept | str) -> None:
    print(message, flush=True)  # noqa: T201 - the output of the cell
