"""The state file: complete, private, and written only if necessary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import LockTimeoutError
from modelarts_magics.session.instance_lock import try_lock, unlock
from modelarts_magics.session.store import FORMAT_VERSION, Store

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import InstantSleepClock

KEY = ("https://modelarts.example", "project", "instance")
SOON = timedelta(seconds=30)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store in a folder that does not exist yet."""
    return Store(tmp_path / "new" / "state", key=KEY)


@pytest.fixture
def unwritable(tmp_path: Path) -> Store:
    """Return a store whose folder cannot be created, because a file is in its place."""
    (tmp_path / "file").write_text("")
    return Store(tmp_path / "file" / "state", key=KEY)


def now() -> datetime:
    """Return the current time."""
    return datetime.now(timezone.utc)


def other(store: Store) -> Store:
    """Return the same store as in another process."""
    return Store(store.path.parent, key=KEY)


def age_of(store: Store) -> timedelta:
    """Return the age, which must be known."""
    age = store.age(now())
    assert age is not None
    return age


def test_saved_data_is_loaded_by_another_process(store: Store) -> None:
    """Before the first save there is nothing."""
    assert store.load() == {}
    assert store.age(now()) is None
    assert store.save({"a": [1, {"b": "华为 ☕"}]})
    assert other(store).load() == {"a": [1, {"b": "华为 ☕"}]}


@given(
    data=st.dictionaries(
        st.text(max_size=5).filter(lambda key: key != "version"),
        st.text(st.characters(), max_size=20) | st.none() | st.booleans() | st.integers(),
        max_size=4,
    )
)
def test_any_text_is_preserved(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    """Also an unpaired surrogate, which JSON can represent and UTF-8 cannot."""
    store = Store(tmp_path_factory.mktemp("any"), key=KEY)
    data = {"x": "\ud83d", **data}
    assert store.save(data)
    assert other(store).load() == data


def test_file_and_folder_are_private(store: Store) -> None:
    """Only the owner can read them."""
    store.save({"a": 1})
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_each_key_has_its_own_file(tmp_path: Path) -> None:
    """Endpoint, project and instance are the key."""
    keys = [("e", "p", "i"), ("e2", "p", "i"), ("e", "p2", "i"), ("e", "p", "i2")]
    paths = {Store(tmp_path, key=key).path for key in keys}
    assert len(paths) == 4


def test_save_replaces_the_file(store: Store) -> None:
    """Each save makes a new inode and leaves no temporary file."""
    store.save({"a": 1})
    before = store.path.stat().st_ino
    with store.path.open() as reader:
        store.save({"a": 2})
        assert json.load(reader)["a"] == 1
    assert store.path.stat().st_ino != before
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


def test_reader_never_sees_a_partial_file(store: Store) -> None:
    """While another process writes large and small content."""
    store.save({"text": ""})
    end = threading.Event()

    def write() -> None:
        for turn in range(200):
            store.save({"text": "x" * (turn % 2 * 100_000)})
        end.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not end.is_set():
            assert set(other(store).load()["text"]) <= {"x"}
        writing.result()


def test_unchanged_data_is_not_written(store: Store) -> None:
    """Inode and time stay the same."""
    store.save({"a": 1})
    before = store.path.stat()
    assert store.save({"a": 1})
    assert other(store).save({"a": 1})
    after = store.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_touch_resets_the_age_only(store: Store) -> None:
    """For every process, without writing content."""
    store.save({"a": 1})
    old = store.path.stat()
    os.utime(store.path, (old.st_mtime - 3600, old.st_mtime - 3600))
    assert timedelta(minutes=59) < age_of(store) < timedelta(minutes=61)
    loaded = store.load()
    store.touch()
    assert age_of(store) < SOON
    assert age_of(other(store)) < SOON
    assert store.path.stat().st_ino == old.st_ino
    assert store.load() is loaded


@pytest.mark.parametrize("times", [1, 2, 3])
def test_touch_does_not_hide_a_write_of_another_process(store: Store, times: int) -> None:
    """The unread file must not look read, even if it reuses the inode."""
    store.save({"a": 0})
    for number in range(1, times + 1):
        other(store).save({"a": number})
    store.touch()
    assert store.load() == {"a": times}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a": 1}',
        json.dumps({"version": FORMAT_VERSION - 1, "a": 1}).encode(),
        json.dumps({"version": FORMAT_VERSION + 1, "a": 1}).encode(),
        json.dumps({"version": str(FORMAT_VERSION), "a": 1}).encode(),
    ],
)
def test_invalid_file_counts_as_missing(store: Store, content: bytes) -> None:
    """A broken file or another version is ignored, and replaced by the next save."""
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(content)
    assert store.load() == {}
    assert store.save({"a": 2})
    assert other(store).load() == {"a": 2}


def test_folder_in_place_of_the_file_is_tolerated(store: Store) -> None:
    """The process works without sharing."""
    store.path.mkdir(parents=True)
    assert store.load() == {}
    assert not store.save({"a": 1})
    assert store.load() == {"a": 1}


def test_store_works_without_a_folder(unwritable: Store) -> None:
    """This object has the data and its age."""
    assert unwritable.load() == {}
    assert not unwritable.save({"a": 1})
    assert unwritable.load() == {"a": 1}
    unwritable.touch()
    assert age_of(unwritable) < SOON
    with unwritable.lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
        unwritable.save({"a": 2})
    assert unwritable.load() == {"a": 2}
    assert other(unwritable).load() == {}


@pytest.fixture
def overtaken(store: Store) -> Store:
    """Return a store that could not save, and whose file another process then saved."""
    store.path.parent.parent.mkdir(parents=True)
    store.path.parent.write_text("in the way")
    assert not store.save({"a": 1})
    store.path.parent.unlink()
    other(store).save({"a": 2})
    return store


def test_file_of_another_process_replaces_unsaved_data(overtaken: Store) -> None:
    """It is read once it exists."""
    assert overtaken.load() == {"a": 2}
    assert age_of(overtaken) < SOON
    assert overtaken.save({"a": 3})
    assert other(overtaken).load() == {"a": 3}


def test_age_is_that_of_the_file_of_another_process(overtaken: Store) -> None:
    """Also before the file is read."""
    an_hour_ago = (now() - timedelta(hours=1)).timestamp()
    os.utime(overtaken.path, (an_hour_ago, an_hour_ago))
    assert age_of(overtaken) > timedelta(minutes=59)


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o702, 0o1777])
def test_folder_that_others_may_write_is_not_used(store: Store, mode: int) -> None:
    """The process works alone: what others put there is neither read nor replaced."""
    store.save({"a": "of others"})
    store.path.parent.chmod(mode)
    names = set(store.path.parent.iterdir())
    alone = other(store)
    assert alone.load() == {}
    assert alone.age(now()) is None
    assert not alone.save({"a": 1})
    assert alone.load() == {"a": 1}
    alone.touch()
    assert age_of(alone) < SOON
    with alone.lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
        pass
    assert set(store.path.parent.iterdir()) == names
    assert "of others" in store.path.read_text()
    assert Store.latest(store.path.parent) is None


def test_file_that_others_may_write_is_replaced(store: Store) -> None:
    """It is not read, and the next save makes it private."""
    store.save({"a": 1})
    store.path.chmod(0o666)
    assert other(store).load() == {}
    assert other(store).age(now()) is None
    assert Store.latest(store.path.parent) is None
    assert other(store).save({"a": 2})
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.load() == {"a": 2}


@pytest.mark.parametrize("suffix", [".json", ".lock"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_link_or_pipe_in_the_folder_is_not_opened(store: Store, suffix: str, kind: str) -> None:
    """What it leads to stays as it is, and nothing waits."""
    target = store.path.parent.parent / "target"
    store.path.parent.mkdir(parents=True, mode=0o700)
    path = store.path.with_suffix(suffix)
    if kind == "link":
        target.write_text(json.dumps({"version": FORMAT_VERSION, "a": "target"}))
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    before = target.read_bytes() if target.exists() else None
    assert store.load() == {}
    store.touch()
    with store.lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
        assert store.save({"a": 1})
    assert other(store).load() == {"a": 1}
    assert (target.read_bytes() if target.exists() else None) == before


@pytest.mark.parametrize("seconds", [-(2**31), 0, 2**34 - 2, 253_402_300_800])
def test_far_time_of_a_file_is_tolerated(store: Store, seconds: int) -> None:
    """Beyond the last year of a `datetime`, too."""
    store.save({"a": 1})
    try:
        os.utime(store.path, (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system has no such time")
    assert other(store).load() == {"a": 1}
    assert abs(age_of(other(store))) > timedelta(days=365)
    store.touch()
    assert age_of(store) < SOON


def test_byte_order_mark_is_accepted(store: Store) -> None:
    """An editor may add one."""
    store.save({"a": 1})
    store.path.write_bytes(b"\xef\xbb\xbf" + store.path.read_bytes())
    assert other(store).load() == {"a": 1}


def test_lock_file_is_private(store: Store) -> None:
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        with store.lock(deadline=Deadline(1), clock=SYSTEM_CLOCK):
            pass
    finally:
        os.umask(before)
    assert store.path.with_suffix(".lock").stat().st_mode & 0o777 == 0o600


def test_lock_excludes_and_times_out(store: Store, instant_clock: InstantSleepClock) -> None:
    """The error names the lock file."""
    waiting = other(store).lock(
        deadline=Deadline(2, clock=instant_clock.clock), clock=instant_clock.clock
    )
    held = store.lock(deadline=Deadline(5), clock=SYSTEM_CLOCK)
    with held, pytest.raises(LockTimeoutError) as caught, waiting:
        pass
    assert sum(instant_clock.sleeps) >= 1.9
    assert ".lock" in caught.value.hint
    with other(store).lock(deadline=Deadline(0.1), clock=SYSTEM_CLOCK):
        pass


def test_error_releases_the_lock(store: Store) -> None:
    """Any exception inside."""
    with pytest.raises(KeyError), store.lock(deadline=Deadline(1), clock=SYSTEM_CLOCK):
        raise KeyError
    with store.lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
        pass


def test_file_system_without_locks_is_tolerated(tmp_path: Path) -> None:
    """Represented by a handle that is not a file."""
    target = tmp_path / "x"
    target.write_text("")
    with os.fdopen(os.open(target, os.O_RDONLY | os.O_PATH), "rb", closefd=True) as handle:
        assert try_lock(handle)
        unlock(handle)


COUNT = """
import sys
from pathlib import Path
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.session.store import Store
store = Store(Path(sys.argv[1]), key=("e", "p", "i"))
for _ in range(100):
    with store.lock(deadline=Deadline(30), clock=SYSTEM_CLOCK):
        store.save({"count": store.load().get("count", 0) + 1})
"""


FORK = """
import os, sys, time
from pathlib import Path
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import LockTimeoutError
from modelarts_magics.session.store import Store

def is_free():
    try:
        with Store(Path(sys.argv[1]), key=("e", "p", "i")).lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
            return True
    except LockTimeoutError:
        return False

child = None
try:
    with Store(Path(sys.argv[1]), key=("e", "p", "i")).lock(deadline=Deadline(9), clock=SYSTEM_CLOCK):
        child = os.fork()
        if child == 0:
            raise KeyError
        os.waitpid(child, 0)
        assert not is_free(), "the child has released the lock of its parent"
except KeyError:
    os._exit(0)
assert is_free()

reading, writing = os.pipe()
holder = os.fork()
if holder == 0:
    with Store(Path(sys.argv[1]), key=("e", "p", "i")).lock(deadline=Deadline(9), clock=SYSTEM_CLOCK):
        orphan = os.fork()
        if orphan == 0:
            os.write(writing, b"%d" % os.getpid())
            time.sleep(30)
            os._exit(0)
        os.kill(os.getpid(), 9)
orphan = int(os.read(reading, 20))
os.waitpid(holder, 0)
try:
    assert is_free(), "an orphan holds the lock of its killed parent"
finally:
    os.kill(orphan, 9)
print("done")
"""


@pytest.mark.process
def test_forked_child_neither_releases_nor_keeps_the_lock(tmp_path: Path) -> None:
    """The lock belongs to the process that took it, and ends with it."""
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (done.stdout.strip(), done.stderr) == ("done", "")


@pytest.mark.process
def test_processes_exclude_each_other(tmp_path: Path) -> None:
    """Three processes count together without losing a count."""
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    running = [subprocess.Popen(command) for _ in range(3)]  # noqa: S603 - a fixed script
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert Store(tmp_path, key=("e", "p", "i")).load() == {"count": 300}


class TestWithoutFolder:
    """Data that cannot be written is kept in this object until it can be."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return a path at which a file is in the place of the folder."""
        (tmp_path / "state").write_text("")
        return tmp_path / "state"

    @pytest.fixture
    def alone(self, folder: Path) -> Store:
        """Return a store that could not write."""
        store = Store(folder, key=("e", "p", "i"))
        assert store.save({"a": 1}) is False
        return store

    def test_same_data_is_written_once_possible(self, alone: Store, folder: Path) -> None:
        """Although it is unchanged."""
        folder.unlink()
        assert alone.save({"a": 1})
        assert Store(folder, key=("e", "p", "i")).load() == {"a": 1}

    def test_unsaved_data_can_be_touched(self, alone: Store) -> None:
        """Otherwise each process would send requests again and again."""
        now = datetime.now(timezone.utc)
        before = alone.age(now)
        alone.touch()
        after = alone.age(now)
        assert before is not None
        assert after is not None
        assert after < before

    def test_file_of_another_process_counts(self, alone: Store, folder: Path) -> None:
        """With the time at which it was confirmed."""
        folder.unlink()
        other = Store(folder, key=("e", "p", "i"))
        other.save({"b": 2})
        os.utime(other.path, (1, 1))
        assert alone.load() == {"b": 2}
        age = alone.age(datetime.now(timezone.utc))
        assert age is not None
        assert age > timedelta(days=365)
