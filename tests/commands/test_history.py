"""``history`` and ``undo``: recorded changes, and the way back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import NOW

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import open_private
from modelarts_magics.domain.models import Effect
from modelarts_magics.errors import OutcomeUnknownError, RefusedError
from modelarts_magics.session.history import (
    KEEP_ALIVE,
    MAX_BYTES,
    append_entry,
    find_undo,
    read_entries,
    record_changes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from emulator_harness import EmulatorHarness

HOUR = timedelta(hours=1)


def entries(harness: EmulatorHarness) -> list[dict[str, Any]]:
    """Return the recorded entries, newest first."""
    assert harness.session.history is not None
    return list(read_entries(harness.session.history))


def test_each_change_is_recorded_newest_first(harness: EmulatorHarness) -> None:
    """An entry has who, what, before, after and the effect; a refused change leaves none."""
    harness.run_magic("extend 1h")
    harness.run_magic("describe new")
    with pytest.raises(RefusedError):
        harness.run_magic("auto-stop at today 00:00")
    newest, oldest = entries(harness)
    assert (newest["action"], oldest["action"]) == ("describe", "extend")
    assert newest["after"]["description"] == "new"
    assert (oldest["actor"], oldest["effect"]) == ("python", "now")
    assert oldest["before"]["stops_at"] < oldest["after"]["stops_at"]


def test_change_of_unknown_outcome_is_recorded(harness: EmulatorHarness) -> None:
    """It may have taken effect, so it must not be missing."""
    harness.emulator.add_fault("500", methods=("PUT", "PATCH", "POST"))
    harness.emulator.add_fault("500", methods=("GET",), skip=1)
    with pytest.raises(OutcomeUnknownError):
        harness.run_magic("describe new")
    assert [(each["effect"], each["after"]) for each in entries(harness)] == [("unconfirmed", None)]


def test_file_is_private_and_bounded(tmp_path: Path) -> None:
    """The oldest entries are dropped, and a damaged line is ignored."""
    path = tmp_path / "history.jsonl"
    entry = {"at": "2026-11-28T06:00:00+00:00", "filler": "x" * 2000}
    for number in range(MAX_BYTES // 2000 + 5):
        append_entry(path, {**entry, "number": number})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size <= MAX_BYTES
    with path.open("a") as file:
        file.write("{damaged\n")
    assert next(read_entries(path))["number"] == MAX_BYTES // 2000 + 4


def test_entry_survives_a_cut_by_another_process(tmp_path: Path) -> None:
    """The file may be replaced between opening and writing it."""
    path, at = tmp_path / "history.jsonl", NOW.isoformat()
    append_entry(path, {"at": at, "number": 1})

    def open_then_cut(opened: Path, **options: int) -> int:
        descriptor = open_private(opened, **options)
        if b'"number": 3' not in path.read_bytes():
            replace_file(path, path.read_bytes() + b'{"at": "%s", "number": 3}\n' % at.encode())
        return descriptor

    append_entry(path, {"at": at, "number": 2}, open_file=open_then_cut)
    assert [entry["number"] for entry in read_entries(path)] == [2, 3, 1]


def test_cut_keeps_what_another_process_adds_meanwhile(tmp_path: Path) -> None:
    """The other process has found nothing wrong, so it does not try again."""
    path, at = tmp_path / "history.jsonl", NOW.isoformat()
    append_entry(path, {"at": at, "reason": "x" * (MAX_BYTES - 200)})

    def add_then_replace(replaced: Path, content: bytes) -> None:
        append_entry(path, {"at": at, "number": 2}, replace=lambda *_: None)
        replace_file(replaced, content)

    append_entry(path, {"at": at, "reason": "y" * 200, "number": 1}, replace=add_then_replace)
    assert [entry["number"] for entry in read_entries(path)] == [2, 1]


def test_unwritable_history_does_not_fail_a_change(
    harness: EmulatorHarness, tmp_path: Path
) -> None:
    """The change is what the user asked for."""
    record_changes(harness.session, tmp_path / "folder" / os.devnull.lstrip("/"), actor="notebook")
    (tmp_path / "folder").write_text("no folder")
    assert harness.run_magic("extend 1h").effect is Effect.NOW


@pytest.mark.parametrize(
    "line", ["describe new", "describe --clear", "extend 90m", "auto-stop 5h", "auto-stop off"]
)
def test_undo_restores_the_state_before(harness: EmulatorHarness, line: str) -> None:
    """It says what it restores, and an undo can be undone."""
    before = harness.instance_state()
    harness.run_magic(line)
    changed = harness.instance_state()
    assert harness.run_magic("undo").effect is Effect.NOW
    assert harness.instance_state() == before
    assert "Restores: " in harness.notices[-1]
    assert ("description" in harness.notices[-1]) is line.startswith("describe")
    harness.run_magic("undo")
    assert harness.instance_state() == changed


def test_undo_is_refused_after_another_change(harness: EmulatorHarness) -> None:
    """A change made elsewhere would be overwritten."""
    harness.run_magic("describe mine")
    record = harness.session.on_change
    harness.session.on_change = lambda _change: None
    harness.run_magic("describe theirs")
    harness.session.on_change = record
    with pytest.raises(RefusedError, match="nothing to undo"):
        harness.run_magic("undo")
    assert harness.instance_state()["description"] == "theirs"


def test_undo_without_a_change_is_refused(harness: EmulatorHarness) -> None:
    """Nothing is sent."""
    with pytest.raises(RefusedError, match="nothing to undo"):
        harness.run_magic("undo")


def test_undo_names_what_the_api_cannot_restore(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """A lease cannot be renewed to a stop time that is less than an hour away."""
    harness = make_harness(api="notebooks")
    harness.clock.advance(timedelta(minutes=30))
    harness.run_magic("extend 1h")
    with pytest.raises(RefusedError) as caught:
        harness.run_magic("undo")
    assert caught.value.code == "refuse.cannot_undo"
    assert "auto-stop at" in str(caught.value.hint)


def test_entry_of_another_instance_is_not_undone(harness: EmulatorHarness) -> None:
    """Several instances may share the folder that survives a stop."""
    harness.run_magic("describe new")
    path, instance = harness.session.history, harness.session.refresh()
    assert path is not None
    assert find_undo(path, instance) is not None
    assert find_undo(path, replace(instance, id="another")) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"stops_at": "soon"},
        {"stops_at": 5},
        {"stops_at": "2026-11-28T06:00:00"},
        {"duration_s": 1e30},
        {"duration_s": "long"},
    ],
    ids=str,
)
@pytest.mark.parametrize("part", ["before", "after"])
def test_entry_with_a_damaged_state_is_ignored(
    harness: EmulatorHarness, part: str, damage: dict[str, Any]
) -> None:
    """A file may hold anything, and the page shows the undo with every state."""
    harness.run_magic("describe new")
    path = harness.session.history
    assert path is not None
    (entry,) = entries(harness)
    append_entry(path, {**entry, part: {**entry[part], **damage}})
    assert entries(harness) == [entry]
    assert len(str(harness.run_magic("history")).splitlines()) == 1
    assert find_undo(path, harness.session.refresh()) is not None


def test_renewal_of_the_keep_alive_is_not_undone(harness: EmulatorHarness) -> None:
    """It would be renewed again; letting go ends it."""
    path = harness.session.history
    assert path is not None
    record_changes(harness.session, path, actor=KEEP_ALIVE)
    harness.run_magic("extend 1h")
    assert find_undo(path, harness.session.refresh()) is None


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", ["extend (Python): ", "run time", "→"]), ("zh_CN", ["extend", "运行时长", "→"])],
)
def test_history_is_shown_in_both_languages(
    harness: EmulatorHarness, language: str, expected: list[str]
) -> None:
    """The text is one line for each change; JSON has the documented fields."""
    harness.run_magic("extend 1h")
    harness.environ["MODELARTS_LANGUAGE"] = language
    shown = str(harness.run_magic("history"))
    assert len(shown.splitlines()) == 1
    assert all(each in shown for each in expected)
    listed = json.loads(repr(harness.run_magic("history --json")))
    assert [sorted(each) for each in listed] == [
        ["action", "actor", "after", "at", "before", "effect", "reason"]
    ]
