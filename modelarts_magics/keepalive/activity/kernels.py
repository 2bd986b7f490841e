"""Kernels: busy while an execute request is open, as the kernel itself reports on its IOPub channel.

Neither the state in ``GET /api/kernels`` nor the last status is sound: a kernel that runs a cell also reports
"idle" after a comm message in a subshell or after a request on its control channel. The set of execute requests
that have begun and not ended is.

A kernel that is found while it runs gets one ``kernel_info_request``: an idle kernel answers at once, a busy one
after its cell.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from modelarts_magics.config.jupyter_folders import jupyter_runtime_folder
from modelarts_magics.keepalive.activity.input_reports import (
    has_input_report,
    input_report,
    report_input,
)
from modelarts_magics.keepalive.activity.running_cell import KernelProgress
from modelarts_magics.keepalive.activity.source import KERNEL, Source
from modelarts_magics.keepalive.processes import is_process_alive
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from modelarts_magics.keepalive.kernel_channel import KernelChannel, KernelMessage

PAUSE_LIMIT = timedelta(hours=1)
"""How long a cell counts that waits at a breakpoint, or for ``input()``."""
WAITS_FOR_INPUT = "modelarts_magics_waits_for_input"
"""The field of a status by which our extension in the kernel reports that a cell waits for ``input()``."""
CONNECT_TIMEOUT_S = 10.0
"""After this time without a connection, a connection file is that of a kernel that has ended."""
RETRY_INTERVAL_S = 60.0
"""The time between two attempts to connect to such a kernel."""
OTHER_FOLDERS_INTERVAL_S = 10.0
"""The time after which a folder for temporary files, which seldom has connection files, is listed again."""
ANSWER_TIMEOUT_S = 2.0
"""An idle kernel answers within this time."""
_MAX_MESSAGES = 10_000
"""The most messages to read of a kernel at a time, so that one kernel never delays the others."""
_FILE_PREFIXES = ("kernel-", "tmp")
"""The beginnings of the names of connection files that Jupyter and its libraries choose."""
_MAX_FILE_BYTES = 10_000


class KernelProcess(NamedTuple):
    """The process of a kernel.

    Attributes:
        pid: Its ID.
        started: When it started, as `modelarts_magics.keepalive.processes.process_started` returns it.
        name: The name to show, for example ``train.ipynb``.
    """

    pid: int
    started: int | None
    name: str


FindProcess = Callable[[Path], "KernelProcess | None"]


def connection_file_folders(environ: Mapping[str, str]) -> list[Path]:
    """Return the folders of connection files: Jupyter's runtime folder and that of temporary files."""
    return list(dict.fromkeys((jupyter_runtime_folder(environ), Path(tempfile.gettempdir()))))


class KernelDetector:
    """The kernels of this user, by whichever program they were started.

    Args:
        folders: The folders to search for connection files.
        find_process: Finds the process of a connection file.
        monotonic: The monotonic clock, in seconds.
        page_reports: The folder in which pages report the prompts that they show; None for no reports.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        find_process: FindProcess = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        page_reports: Path | None = None,
    ) -> None:
        self.page_reports = page_reports
        self.find_process = find_process
        self.monotonic = monotonic
        self._files = _ConnectionFiles(folders, monotonic)
        self._kernels: dict[Path, _Kernel] = {}

    def add_files(self, paths: Iterable[Path]) -> None:
        """Add connection files in other folders, which the command lines of kernels name."""
        self._files.add(paths)

    def detect(self, now: datetime) -> list[Source]:
        """Read the reports of the kernels, and return those that run."""
        files = self._files.read()
        if files and not _has_pyzmq():
            return [Source(KERNEL, "Jupyter", None, now, Message("activity.kernel.no_pyzmq"))]
        for path, kernel in tuple(self._kernels.items()):
            if files.get(path) != kernel.modified:
                self._kernels.pop(path).close()
        for path, modified in files.items():
            if path not in self._kernels:
                self._kernels[path] = _Kernel(path, modified, self)
        sources = [kernel.update(now) for kernel in self._kernels.values()]
        return [source for source in sources if source is not None]

    def progress(self, path: Path) -> KernelProgress | None:
        """Return the cells of the kernel of a connection file, as read last; None if it does not run."""
        kernel = self._kernels.get(path)
        return kernel.progress if kernel is not None else None

    def close(self) -> None:
        """Disconnect from all kernels."""
        for kernel in self._kernels.values():
            kernel.close()
        self._kernels.clear()


class _ConnectionFiles:
    """The connection files in some folders, which are listed again when they change, and once a minute.

    The first folder is that of Jupyter. Others are for temporary files, and may change many times a second.
    """

    def __init__(self, folders: Sequence[Path], monotonic: Callable[[], float]) -> None:
        self._folders = [str(folder) for folder in folders]
        self._monotonic = monotonic
        self._states: list[int] = []
        self._other_states: list[int] = []
        self._others_due_s = 0.0
        self._files: dict[Path, int] = {}
        self._added: set[Path] = set()
        self._is_changed = False
        self._read_at_s = 0.0

    def add(self, paths: Iterable[Path]) -> None:
        """Add files in other folders."""
        new = set(paths) - set(self._files)
        self._is_changed = self._is_changed or bool(new)
        self._added |= new

    def read(self) -> dict[Path, int]:
        """Return the time of the last change of each file of this user, in nanoseconds, by path."""
        now_s = self._monotonic()
        first, *others = self._folders
        if now_s >= self._others_due_s:
            self._others_due_s = now_s + OTHER_FOLDERS_INTERVAL_S
            self._other_states = [self._modified(folder) for folder in others]
        states = [self._modified(first), *self._other_states]
        if (
            states != self._states
            or self._is_changed
            or now_s - self._read_at_s >= RETRY_INTERVAL_S
        ):
            self._states, self._is_changed, self._read_at_s = states, False, now_s
            listed = (path for folder in self._folders for path in _list(folder))
            self._files = _changes_of_own_files({*listed, *self._added})
            self._added &= set(self._files)
        return self._files

    def _modified(self, folder: str) -> int:
        try:
            return os.stat(folder).st_mtime_ns  # noqa: PTH116 - without the price of a Path at each look
        except OSError:
            return 0


def _list(folder: str) -> list[Path]:
    """Return the files of a folder with the names of connection files; quick also in a large temporary folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a Path for each of thousands of files takes its time
    except OSError:
        return []
    return [
        Path(folder, name)
        for name in names
        if name.endswith(".json") and name.startswith(_FILE_PREFIXES)
    ]


def _changes_of_own_files(paths: Iterable[Path]) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for path in sorted(paths):
        with suppress(OSError):
            status = path.stat()
            is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            if is_own and status.st_size < _MAX_FILE_BYTES:
                found[path] = status.st_mtime_ns
    return found


class _Kernel:
    """A connection file, and the reports of its kernel.

    Attributes:
        modified: When the file was changed, in nanoseconds.
    """

    def __init__(self, path: Path, modified: int, detector: KernelDetector) -> None:
        self.modified = modified
        self._path = path
        self._detector = detector
        self._channel: KernelChannel | None = None
        self._opened_at_s = -RETRY_INTERVAL_S
        self._is_new = False
        self._connections = 0
        self._process: KernelProcess | None = None
        self._state = ExecutionState()
        self._source: Source | None = None
        self._had_page_report = False

    def update(self, now: datetime) -> Source | None:
        """Read the messages that have arrived; return the kernel, None if it does not run."""
        if not self._needs_update():
            return self._source
        self._source = None
        if not self._is_connected():
            return None
        if self._is_new:
            self._is_new = False
            self._connections += 1
            self._process = self._detector.find_process(self._path)
            self._state = ExecutionState(now)
        self._read(now)
        self._read_page_report()
        if not self._state.is_foreign:
            self._source = self._create_source(now)
        return self._source

    def _needs_update(self) -> bool:
        """Return whether anything may have changed; most looks end here, at a hundredth of a millisecond."""
        channel = self._channel
        if channel is None:
            return self._detector.monotonic() - self._opened_at_s >= RETRY_INTERVAL_S
        if self._source is None or not self._state.is_settled or channel.has_news:
            return True
        if self._state.is_running and self._has_page_report != self._had_page_report:
            return True
        is_paused = self._had_page_report and bool(self._source.busy)
        return is_paused or (bool(self._source.busy) and self._has_ended())

    @property
    def _has_page_report(self) -> bool:
        folder = self._detector.page_reports
        return folder is not None and has_input_report(folder, kernel_id(self._path))

    def _read_page_report(self) -> None:
        """Take the report of a page into account; one of a cell that has ended is deleted."""
        folder = self._detector.page_reports
        if folder is None:
            return
        name = kernel_id(self._path)
        if not self._state.is_running:
            with suppress(OSError):
                report_input(folder, name, None)
        since = input_report(folder, name)
        self._had_page_report = since is not None
        self._state.note_page_report(since)

    def _create_source(self, now: datetime) -> Source:
        busy, counts, since, reason = self._state.summary(now, self._detector.monotonic())
        name = self._process.name if self._process else kernel_name(self._path)
        pids = frozenset([self._process.pid] if self._process else [])
        return Source(KERNEL, name, busy, since, reason, counts=counts, pids=pids)

    @property
    def progress(self) -> KernelProgress | None:
        """The cells, as read last; None if the kernel does not run."""
        if self._source is None:
            return None
        return KernelProgress(self._source.busy, (self._connections, self._state.ended))

    def close(self) -> None:
        """Disconnect."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _is_connected(self) -> bool:
        """Return whether the kernel runs and is connected; connect and disconnect as needed."""
        now_s = self._detector.monotonic()
        if self._channel is not None and (self._channel.is_lost or self._has_ended()):
            # Its next process publishes under another topic and begins without a cell.
            self.close()
            self._open(now_s)
        elif self._channel is None and now_s - self._opened_at_s >= RETRY_INTERVAL_S:
            self._open(now_s)
        if self._channel is None:
            return False
        if not self._channel.is_connected:
            if now_s - self._opened_at_s > CONNECT_TIMEOUT_S:
                self.close()
            return False
        return True

    def _has_ended(self) -> bool:
        """Return whether the process is known to have ended, while its children keep the connection open."""
        process = self._process
        return process is not None and not is_process_alive(process.pid, started=process.started)

    def _open(self, now_s: float) -> None:
        from modelarts_magics.keepalive.kernel_channel import (  # noqa: PLC0415 - needs pyzmq
            KernelChannel,
            KernelConnection,
        )

        self._opened_at_s, self._is_new, self._process = now_s, True, None
        with suppress(OSError, ValueError):
            connection = KernelConnection.read(self._path)
            self._channel = KernelChannel(connection, status_only=True)

    def _read(self, now: datetime) -> None:
        channel, state = self._channel, self._state
        if channel is None:
            return
        for _ in range(_MAX_MESSAGES):
            message = channel.receive()
            if message is None:
                break
            state.apply(message, now)
        state.is_foreign = channel.rejected > 0 and not state.is_observed
        if not state.is_observed and state.request_id is None:
            state.request_id = channel.send_kernel_info_request()
            state.requested_at_s = self._detector.monotonic()
        if channel.receive_reply() is not None:
            state.is_observed = True


class ExecutionState:
    """The cells that a kernel runs, by its reports.

    Args:
        now: When it was connected to.

    Attributes:
        is_observed: Whether all running cells are known; False until the first report that says so.
        is_foreign: Whether another kernel has the ports of the connection file.
        request_id: The ID of the request that asks the kernel for a report; None if it was not sent.
        requested_at_s: When it was sent, by the monotonic clock, in seconds.
        ended: How many cells have ended, and how often the kernel has restarted.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.is_observed = self.is_foreign = False
        self.request_id: str | None = None
        self.requested_at_s = 0.0
        self.ended = 0
        self._running: dict[str, datetime] = {}
        self._since = now
        self._cell_number: int | None = None
        self._breakpoint_since: datetime | None = None
        self._input_since: datetime | None = None
        self._reported_input_since: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the summary stays as it is until the next message."""
        return self.is_observed and self._breakpoint_since is None and self._input_since is None

    @property
    def is_running(self) -> bool:
        """Whether a cell is known to run."""
        return bool(self._running)

    def note_page_report(self, since: datetime | None) -> None:
        """Take the report of a page into account.

        Args:
            since: Since when a page shows a prompt of the kernel; None if none does.
        """
        self._reported_input_since = since

    def apply(self, message: KernelMessage, now: datetime) -> None:
        """Take a published message into account."""
        parent = message.parent_header
        if message.type == "status":
            self._apply_status(str(message.content.get("execution_state")), parent, now)
            self._apply_input_wait(message.content.get(WAITS_FOR_INPUT), now)
        elif message.type == "execute_input" and parent.get("msg_id") in self._running:
            number = message.content.get("execution_count")
            self._cell_number = number if isinstance(number, int) else None
        elif message.type == "debug_event":
            self._apply_debug_event(str(message.content.get("event")), now)

    def summary(self, now: datetime, now_s: float) -> tuple[bool | None, bool, datetime, Message]:
        """Return whether the kernel works, whether that counts, since when, and the reason.

        Args:
            now: The time by the clock of the API.
            now_s: The time by the monotonic clock, in seconds.
        """
        since = self._since or now
        if self._running:
            return self._cell_summary(now)
        if self.is_observed:
            return False, True, since, Message("activity.kernel.idle")
        if self.request_id is not None and now_s - self.requested_at_s > ANSWER_TIMEOUT_S:
            return True, True, since, Message("activity.kernel.unanswered")
        return None, True, since, Message("activity.kernel.unobserved")

    def _cell_summary(self, now: datetime) -> tuple[bool, bool, datetime, Message]:
        since = min(self._running.values())
        if self._breakpoint_since is not None:
            return _pause_summary("activity.kernel.breakpoint", self._breakpoint_since, now)
        input_since = self._input_since or self._reported_input_since
        if input_since is not None:
            return _pause_summary("activity.kernel.input", input_since, now)
        if self._cell_number is None:
            return True, True, since, Message("activity.kernel.running")
        return True, True, since, Message("activity.kernel.cell", {"number": self._cell_number})

    def _apply_status(self, state: str, parent: Mapping[str, object], now: datetime) -> None:
        request = str(parent.get("msg_id"))
        if state in ("starting", "restarting"):
            self._running.clear()
            self._end(now)
        elif parent.get("msg_type") == "execute_request":
            if state == "busy":
                self._running.setdefault(request, now)
                return
            self._running.pop(request, None)
            self._end(now)
        elif request == self.request_id:
            self.is_observed = True

    def _end(self, now: datetime) -> None:
        """Note that a cell has ended, and that the next one will be reported."""
        self.is_observed = True
        self.ended += 1
        self._cell_number = self._breakpoint_since = self._input_since = None
        self._since = now

    def _apply_input_wait(self, waits: object, now: datetime) -> None:
        if isinstance(waits, bool):
            self._input_since = now if waits and self._running else None

    def _apply_debug_event(self, event: str, now: datetime) -> None:
        if event == "stopped":
            self._breakpoint_since = now
        elif event in ("continued", "terminated", "exited"):
            self._breakpoint_since = None


def _pause_summary(
    code: str, since: datetime, now: datetime
) -> tuple[bool, bool, datetime, Message]:
    """Return the summary of a cell that waits for the user: after some time it does not count any more."""
    counts = now - since <= PAUSE_LIMIT
    return counts, counts, since, Message(code)


@cache
def _has_pyzmq() -> bool:
    return find_spec("zmq") is not None


def kernel_name(path: Path) -> str:
    """Return the name to show for a kernel without a notebook: the start of its ID."""
    return kernel_id(path)[:8]


def kernel_id(path: Path) -> str:
    """Return the ID of the kernel of a connection file."""
    return path.stem.replace("kernel-", "", 1)
