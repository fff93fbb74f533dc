"""A file that its disk kept as it was while the focuser was homed and moved: nobody believes it afterwards."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.storage.outdated import Outdated, note_for
from rockit.focuser.ok3z.storage.state_store import OUTDATED, StateStore


@pytest.fixture(name="note")
def fixture_note(bench: Any, tmp_path: Path) -> Outdated:
    bench.note = note_for(bench.path, {"XDG_RUNTIME_DIR": str(tmp_path / "run")})
    return bench.note


def fail_for_the_night(disk: Any) -> None:
    """Read-only: what is there can neither be replaced nor removed."""
    disk.fail("write", "unlink", number=errno.EROFS)


@pytest.fixture(name="kept")
def fixture_kept(bench: Any, note: Outdated) -> StateStore:
    kept = bench.journal()
    kept.write(bench.entry, durable=True)
    return kept


def test_what_reached_the_disk_is_not_out_of_date(bench: Any, note: Outdated, kept: StateStore) -> None:
    assert not note.is_set
    assert bench.left() == bench.entry


def test_a_night_on_a_read_only_disk_leaves_a_file_that_is_not_believed(
    bench: Any, note: Outdated, kept: StateStore, disk: Any
) -> None:
    fail_for_the_night(disk)
    kept.write(bench.entry_at(7), durable=True)
    assert note.is_set
    bench.end()
    disk.failing.clear()

    again = bench.journal()
    assert bench.path.exists()
    assert again.read() is None
    assert again.problem == OUTDATED
    again.write(bench.entry_at(8), durable=True)
    assert again.problem == ""
    assert not note.is_set
    assert bench.left() == bench.entry_at(8)


def test_a_position_that_was_lost_leaves_none(
    bench: Any, note: Outdated, kept: StateStore, disk: Any
) -> None:
    fail_for_the_night(disk)
    kept.write(replace(bench.entry, origin_register=None), durable=False)
    assert note.is_set


def test_the_end_of_a_move_leaves_its_beginning_as_true_as_it_was(
    bench: Any, note: Outdated, kept: StateStore, disk: Any
) -> None:
    fail_for_the_night(disk)
    kept.write(bench.entry_at(7), durable=False)
    assert not note.is_set


def test_only_what_was_awaited_last_takes_the_note_away(
    bench: Any, note: Outdated, kept: StateStore, disk: Any
) -> None:
    held = disk.hang("fsync")
    kept.write(bench.entry_at(1), durable=False)
    disk.await_hanging()
    kept.write(replace(bench.entry, origin_register=None), durable=False)
    assert note.is_set
    held.set()
    bench.end()
    assert not note.is_set
    assert bench.left().origin_register is None


def test_without_a_file_nothing_is_out_of_date(bench: Any, note: Outdated) -> None:
    note.set()
    kept = bench.journal()
    assert kept.read() is None
    assert kept.problem == ""


# Where the note is


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"RUNTIME_DIRECTORY": "/run/focusd/m06", "XDG_RUNTIME_DIR": "/x"}, "/run/focusd/m06"),
        ({"RUNTIME_DIRECTORY": "relative:/run/two", "XDG_RUNTIME_DIR": "/x"}, "/run/two"),
        ({"XDG_RUNTIME_DIR": "/x"}, "/x/focusd"),
        ({"XDG_RUNTIME_DIR": "x"}, f"/dev/shm/focusd-{os.getuid()}"),
        ({}, f"/dev/shm/focusd-{os.getuid()}"),
    ],
)
def test_the_folder_is_one_that_outlives_the_daemon_and_not_the_machine(
    environ: dict[str, str], folder: str
) -> None:
    path = note_for(Path("/var/lib/focusd/night.json"), environ)._path
    assert path is not None
    assert path.parent == Path(folder)


def test_each_state_file_has_a_note_of_its_own() -> None:
    paths = {note_for(Path(folder, "night.json"), {})._path for folder in ("/a", "/b", "/b/../b")}
    assert len(paths) == 2


def test_a_note_is_for_its_user_only(tmp_path: Path) -> None:
    note = note_for(tmp_path / "night.json", {"XDG_RUNTIME_DIR": str(tmp_path)})
    note.set()
    note.set()
    assert note.is_set
    assert note._path is not None
    assert stat.S_IMODE(note._path.stat().st_mode) == 0o600
    assert stat.S_IMODE(note._path.parent.stat().st_mode) == 0o700
    note.clear()
    note.clear()
    assert not note.is_set


def test_a_folder_that_cannot_be_used_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "focusd").write_text("a file")
    note = note_for(tmp_path / "night.json", {"XDG_RUNTIME_DIR": str(tmp_path)})
    note.set()
    note.clear()
    assert not note.is_set


def test_without_a_state_file_there_is_no_note() -> None:
    note = note_for(None, {})
    note.set()
    assert not note.is_set
