"""The file of one instance: whole or absent, private, quiet, and never in the way."""

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
from factories import property_settings
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import LockTimeoutError
from modelarts_magics.session import store as stores
from modelarts_magics.session.store import FORMAT_VERSION, Store

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import InstantSleepClock

KEY = ("https://modelarts.example", "project", "instance")
SOON = timedelta(seconds=30)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in a folder that is not there yet."""
    return Store(tmp_path / "new" / "state", key=KEY)


@pytest.fixture
def unwritable(tmp_path: Path) -> Store:
    """A store whose folder cannot be made, by anybody: a file is in its place."""
    (tmp_path / "file").write_text("")
    return Store(tmp_path / "file" / "state", key=KEY)


def now() -> datetime:
    """The present."""
    return datetime.now(timezone.utc)


def other(store: Store) -> Store:
    """The same store as another process has it."""
    return Store(store.path.parent, key=KEY)


def age_of(store: Store) -> timedelta:
    """Return how old it says to be, which it has to."""
    age = store.age(now())
    assert age is not None
    return age


def test_what_is_saved_is_found_by_another_process(store: Store) -> None:
    """Nothing before, everything afterwards."""
    assert store.load() == {}
    assert store.age(now()) is None
    assert store.save({"a": [1, {"b": "华为 ☕"}]})
    assert other(store).load() == {"a": [1, {"b": "华为 ☕"}]}


@property_settings
@given(
    data=st.dictionaries(
        st.text(max_size=5).filter(lambda key: key != "version"),
        st.text(st.characters(), max_size=20) | st.none() | st.booleans() | st.integers(),
        max_size=4,
    )
)
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    """Also half of a surrogate pair, which JSON can carry and UTF-8 cannot."""
    store = Store(tmp_path_factory.mktemp("any"), key=KEY)
    data = {"x": "\ud83d", **data}
    assert store.save(data)
    assert other(store).load() == data


def test_it_is_private(store: Store) -> None:
    """The file is for its owner alone, and so is the folder."""
    store.save({"a": 1})
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_each_instance_has_a_file_of_its_own(tmp_path: Path) -> None:
    """By endpoint, project and instance."""
    keys = [("e", "p", "i"), ("e2", "p", "i"), ("e", "p2", "i"), ("e", "p", "i2")]
    paths = {Store(tmp_path, key=key).path for key in keys}
    assert len(paths) == 4


def test_it_is_replaced_and_nothing_is_left_over(store: Store) -> None:
    """A new inode each time, so that a reader sees the old or the new, and no draft stays."""
    store.save({"a": 1})
    before = store.path.stat().st_ino
    with store.path.open() as reader:
        store.save({"a": 2})
        assert json.load(reader)["a"] == 1
    assert store.path.stat().st_ino != before
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


def test_a_reader_never_sees_half_a_file(store: Store) -> None:
    """While another writes large and small by turns."""
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


def test_the_same_again_is_not_written(store: Store) -> None:
    """Only on change: an inode and a time that stay."""
    store.save({"a": 1})
    before = store.path.stat()
    assert store.save({"a": 1})
    assert other(store).save({"a": 1})
    after = store.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_touch_renews_the_age_and_nothing_else(store: Store) -> None:
    """What is confirmed is young again, for every process, without a byte written."""
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
def test_a_touch_does_not_hide_what_another_process_wrote(store: Store, times: int) -> None:
    """The touch of who has not read it yet must not make it look read; the inode may be the old one again."""
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
def test_a_foreign_file_is_as_none(store: Store, content: bytes) -> None:
    """Broken, of another version, of another program: ignored, and replaced by the next save."""
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(content)
    assert store.load() == {}
    assert store.save({"a": 2})
    assert other(store).load() == {"a": 2}


def test_a_folder_in_the_files_place_is_no_obstacle(store: Store) -> None:
    """It cannot be read and not be replaced; the process goes on alone."""
    store.path.mkdir(parents=True)
    assert store.load() == {}
    assert not store.save({"a": 1})
    assert store.load() == {"a": 1}


def test_without_a_folder_it_works_alone(unwritable: Store) -> None:
    """What is known is known to this object, with its age."""
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
    """A store that could not save, of which another process then saved something else."""
    store.path.parent.parent.mkdir(parents=True)
    store.path.parent.write_text("in the way")
    assert not store.save({"a": 1})
    store.path.parent.unlink()
    other(store).save({"a": 2})
    return store


def test_what_another_process_saved_counts_more_than_what_could_not_be(overtaken: Store) -> None:
    """Once there is a file again, it is read."""
    assert overtaken.load() == {"a": 2}
    assert age_of(overtaken) < SOON
    assert overtaken.save({"a": 3})
    assert other(overtaken).load() == {"a": 3}


def test_the_age_is_that_of_what_another_process_saved(overtaken: Store) -> None:
    """Also where it was not read yet, and this one could not save."""
    an_hour_ago = (now() - timedelta(hours=1)).timestamp()
    os.utime(overtaken.path, (an_hour_ago, an_hour_ago))
    assert age_of(overtaken) > timedelta(minutes=59)


def test_the_lock_excludes_and_times_out(store: Store, instant_clock: InstantSleepClock) -> None:
    """Who waits in vain hears which lock it was."""
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


def test_an_error_gives_the_lock_back(store: Store) -> None:
    """Whatever happened inside."""
    with pytest.raises(KeyError), store.lock(deadline=Deadline(1), clock=SYSTEM_CLOCK):
        raise KeyError
    with store.lock(deadline=Deadline(0), clock=SYSTEM_CLOCK):
        pass


def test_a_file_system_without_locks_does_not_lock_everybody_out(tmp_path: Path) -> None:
    """What cannot be locked is not locked by somebody else; a handle that is no file plays it."""
    target = tmp_path / "x"
    target.write_text("")
    with os.fdopen(os.open(target, os.O_RDONLY | os.O_PATH), "rb", closefd=True) as handle:
        assert stores._try_lock(handle)
        stores._unlock(handle)


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


@pytest.mark.process
def test_processes_wait_for_each_other(tmp_path: Path) -> None:
    """Three of them count together, and no count is lost."""
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    running = [subprocess.Popen(command) for _ in range(3)]  # noqa: S603 - a script of ours
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert Store(tmp_path, key=("e", "p", "i")).load() == {"count": 300}


class TestWithoutAFolder:
    """What cannot be written is known to this object alone, until it can be."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Where a file is in the way of a folder."""
        (tmp_path / "state").write_text("")
        return tmp_path / "state"

    @pytest.fixture
    def alone(self, folder: Path) -> Store:
        """A store that could not write."""
        store = Store(folder, key=("e", "p", "i"))
        assert store.save({"a": 1}) is False
        return store

    def test_the_same_is_written_once_it_can_be(self, alone: Store, folder: Path) -> None:
        """Although it is known already."""
        folder.unlink()
        assert alone.save({"a": 1})
        assert Store(folder, key=("e", "p", "i")).load() == {"a": 1}

    def test_it_is_confirmed_like_any_other(self, alone: Store) -> None:
        """Else the cloud would be asked again and again."""
        now = datetime.now(timezone.utc)
        before = alone.age(now)
        alone.touch()
        after = alone.age(now)
        assert before is not None
        assert after is not None
        assert after < before

    def test_what_another_process_could_write_counts(self, alone: Store, folder: Path) -> None:
        """With the moment of which it is."""
        folder.unlink()
        other = Store(folder, key=("e", "p", "i"))
        other.save({"b": 2})
        os.utime(other.path, (1, 1))
        assert alone.load() == {"b": 2}
        age = alone.age(datetime.now(timezone.utc))
        assert age is not None
        assert age > timedelta(days=365)
