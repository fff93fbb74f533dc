"""The history on a disk that is good, full, frozen or damaged, and in a process that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rockit.focuser.ok3z.service.history import Now
from rockit.focuser.ok3z.service.moved import NO, UNKNOWN, YES, judge
from rockit.focuser.ok3z.storage import history_file, history_store, outdated
from rockit.focuser.ok3z.storage.history_file import Beat, HistoryFile, Moment, Motion, Stretch
from rockit.focuser.ok3z.storage.history_store import HistoryStore
from rockit.focuser.ok3z.storage.holds_file import Hold, HoldsFile
from tests.support.waiting import BOUND_S, wait_until

NIGHT_S = 1_790_000_000.0
BOOT, ANOTHER_BOOT = "this boot", "another boot"


def at(seconds: float) -> Moment:
    return Moment(NIGHT_S + seconds, 1000.0 + seconds)


def move(number: int, begin_s: float, end_s: float | None) -> Motion:
    return Motion(
        number, "move", at(begin_s), None if end_s is None else at(end_s), 0, 5088, 5088, 1, "arrived"
    )


def rest(number: int, begin_s: float, end_s: float) -> Stretch:
    return Stretch(number, at(begin_s), at(end_s), 4710, 5088)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "focuser.history.sqlite"


@pytest.fixture
def open_file(path: Path) -> Iterator[Callable[..., HistoryFile]]:
    """Begins a run of the daemon on the file; the one before has no end."""
    files: list[HistoryFile] = []

    def open_file(begin_s: float = 0.0, boot: str = BOOT) -> HistoryFile:
        files.append(HistoryFile(path, "3.0", at(begin_s), boot))
        return files[-1]

    yield open_file
    for file in files:
        file.close()


@pytest.fixture
def announced() -> list[str]:
    return []


@pytest.fixture
def make_store(path: Path, announced: list[str]) -> Iterator[Callable[..., HistoryStore]]:
    stores: list[HistoryStore] = []

    def make(where: Path | None = path) -> HistoryStore:
        store = HistoryStore(where, lambda _, sentence: announced.append(sentence), lambda: at(0.0), BOOT)
        store.start()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()
        if store._thread.ident:
            store._thread.join(BOUND_S)


def rows(store: HistoryStore) -> list[Motion]:
    return store.ask(lambda file: file.rows(0.0, 4e9, 1000)).result(BOUND_S)


def moved(file: HistoryFile, begin_s: float, end_s: float) -> str:
    return judge(file, Now(), NIGHT_S + begin_s, NIGHT_S + end_s).moved


# What is written is there


def test_a_row_comes_back_as_it_was_written(open_file: Callable[..., HistoryFile]) -> None:
    file = open_file()
    row = replace(
        move(1, 1.0, 2.5),
        sentence="a",
        whole="b",
        address="10.0.0.1",
        door="pyro",
        why="filter R",
        holds="cam1",
    )
    file.write([row, rest(2, 3.0, 4.0), Beat(at(5.0))])
    start, found = file.rows(0.0, 4e9, 10)
    assert start.kind == "start"
    assert found == replace(row, run=file.run)
    assert file.stretches(NIGHT_S + 3.5) == [replace(rest(2, 3.0, 4.0), run=file.run)]


def test_only_its_owner_may_read_it(open_file: Callable[..., HistoryFile], path: Path) -> None:
    open_file()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_run_without_an_end_is_told_by_the_next(open_file: Callable[..., HistoryFile]) -> None:
    open_file(0.0).write([Beat(at(60.0))])
    open_file(70.0).write([Beat(at(80.0), ends=True)])
    first, second, third = (row.sentence for row in open_file(90.0).rows(0.0, 4e9, 10))
    assert "no end" not in first
    assert "The one before it had no end: it was last heard of at 2026-09-21 14:14:20 UTC." in second
    assert "no end" not in third


def test_it_keeps_a_year(open_file: Callable[..., HistoryFile]) -> None:
    file = open_file(0.0)
    old_s = -history_file.KEPT_S
    file.write([move(1, old_s - 10, old_s - 5), rest(2, old_s - 4, old_s - 1), rest(3, old_s - 1, old_s + 9)])
    file.write([move(4, old_s + 10, old_s + 11)])
    file.prune(NIGHT_S)
    assert [row.number for row in file.rows(0.0, 4e9, 10) if row.kind == "move"] == [4]
    assert [one.number for one in file.stretches(NIGHT_S)] == [3]


def test_of_too_much_the_oldest_goes(
    make_store: Callable[..., HistoryStore], monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setattr(history_file, "MOST_BYTES", 400_000)
    store = make_store()
    for number in range(1, 4001):
        store.put(replace(move(number, number, number + 0.5), why="w" * 100))
        if number % 500 == 0:
            rows(store) if number < 1500 else store.ask(lambda _: None).exception(BOUND_S)
            store._retry_at_s = 0.0
    wait_until(lambda: store.ask(lambda _: None).exception(BOUND_S) is None)
    kept = [row.number for row in rows(store)]
    assert 0 < len(kept) <= 1000
    assert path.stat().st_size <= 400_000
    # What came last of those that are kept is younger than the first that were written.
    assert min(number for number in kept if number > 0) > 1


# A disk that does not do as it should


def test_without_a_folder_there_is_none(make_store: Callable[..., HistoryStore]) -> None:
    store = make_store(None)
    store.put(move(1, 0.0, 1.0))
    with pytest.raises(OSError, match="there is no folder"):
        rows(store)


@pytest.mark.parametrize("damage", ["no database", "a page", "cut"])
def test_a_damaged_file_is_put_aside_and_that_is_said(
    make_store: Callable[..., HistoryStore], path: Path, announced: list[str], damage: str
) -> None:
    with HistoryFileOf(path) as file:
        file.write([move(number, number, number + 0.5) for number in range(1, 2000)])
    content = bytearray(path.read_bytes())
    if damage == "no database":
        content[:] = b"this is something else" * 400
    elif damage == "a page":
        content[4096:] = b"\xff" * (len(content) - 4096)
    else:
        del content[len(content) // 2 :]
    path.write_bytes(bytes(content))
    store = make_store()
    store.put(move(1, 0.0, 1.0))
    wait_until(lambda: announced)
    assert "could not be used" in announced[0]
    assert f"{path}.unusable" in announced[0]
    assert bytes(content) == Path(f"{path}.unusable").read_bytes()
    store.put(move(2, 2.0, 3.0))
    wait_until(lambda: 2 in [row.number for row in rows(store)])


class HistoryFileOf:
    """A file that is closed in the end."""

    def __init__(self, path: Path, begin_s: float = 0.0) -> None:
        self._file = HistoryFile(path, "3.0", at(begin_s), BOOT)

    def __enter__(self) -> HistoryFile:
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()


def test_a_full_disk_loses_rows_and_says_so_once(
    make_store: Callable[..., HistoryStore], monkeypatch: pytest.MonkeyPatch, announced: list[str]
) -> None:
    store = make_store()
    assert rows(store)
    full = True
    write = HistoryFile.write

    def refuse(self: HistoryFile, some: list[object]) -> None:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        write(self, some)  # type: ignore[arg-type]

    monkeypatch.setattr(HistoryFile, "write", refuse)
    for number in range(1, 4):
        store.put(move(number, number, number + 0.5))
        with pytest.raises(OSError, match="cannot be used: database or disk is full"):
            rows(store)
    full = False
    store._retry_at_s = 0.0
    store.put(move(9, 9.0, 9.5))
    assert [row.number for row in rows(store) if row.kind == "move"] == [9]
    assert len(announced) == 2
    assert "disk is full" in announced[0]
    assert "can be used again. 3 rows are missing" in announced[1]


def test_a_frozen_disk_holds_nobody_up(
    make_store: Callable[..., HistoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    thawed, reached = threading.Event(), threading.Event()
    monkeypatch.setattr(history_store, "MOST_WAITING", 100)
    monkeypatch.setattr(history_store, "MOST_QUESTIONS", 3)
    write = HistoryFile.write

    def hang(self: HistoryFile, some: list[object]) -> None:
        reached.set()
        thawed.wait(BOUND_S)
        write(self, some)  # type: ignore[arg-type]

    store = make_store()
    assert rows(store)
    monkeypatch.setattr(HistoryFile, "write", hang)
    store.put(move(1, 0.0, 1.0))
    assert reached.wait(BOUND_S)
    # No thread but its own waits: all of this returns while the disk does not.
    for number in range(2, 1000):
        store.put(move(number, number, number + 0.5))
    waiting = [store.ask(lambda file: file.run) for _ in range(3)]
    with pytest.raises(OSError, match="too many ask"):
        store.ask(lambda file: file.run).result(0)
    assert not any(one.done() for one in waiting)
    thawed.set()
    assert all(one.result(BOUND_S) == 1 for one in waiting)
    # The queue is bounded, and the oldest of it was first.
    assert max(row.number for row in rows(store)) == 101


def test_a_mistake_is_an_answer_too(make_store: Callable[..., HistoryStore]) -> None:
    store = make_store()

    def mistaken(_: HistoryFile) -> None:
        raise ZeroDivisionError

    with pytest.raises(OSError, match="mistake"):
        store.ask(mistaken).result(BOUND_S)
    assert rows(store)


WRITER = """
import sys
from pathlib import Path
from tests.storage.test_history import BOOT, at, move, rest
from rockit.focuser.ok3z.storage.history_file import Beat, HistoryFile
file = HistoryFile(Path(sys.argv[1]), "3.0", at(0.0), BOOT)
number = 1
while True:
    file.write([move(number, number, number + 0.4), rest(number + 1, number + 0.5, number + 0.9), Beat(at(number))])
    print(number, flush=True)
    number += 2
"""


def test_a_kill_in_a_write_leaves_all_that_was_written(path: Path, some_of: Callable[..., list[int]]) -> None:
    kept = 0
    for delay_ms in some_of(range(1, 60, 2), every=6):
        for left in path.parent.glob("*.sqlite*"):
            left.unlink()
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        # No outcome depends on where in a write it dies.
        time.sleep(delay_ms / 1000)
        os.kill(writer.pid, signal.SIGKILL)
        told = [1, *map(int, writer.stdout.read().split())]
        writer.stdout.close()
        writer.wait()
        with HistoryFileOf(path, 1e6) as file:
            found = {row.number for row in file.rows(0.0, 4e9, 100_000) if row.kind == "move"}
            kept += len(found)
            # At most the one that was being written is there and was not told.
            assert set(told) <= found <= {*told, told[-1] + 2}
            assert moved(file, told[-1] + 0.6, told[-1] + 0.8) == NO
            # What nobody has told is not known.
            assert moved(file, told[-1] + 5.0, told[-1] + 6.0) == UNKNOWN
    assert kept


def test_a_clock_that_was_set_is_no_matter_of_another_boot(open_file: Callable[..., HistoryFile]) -> None:
    """What stands now stands since this boot: seconds since another one are others."""
    file = open_file(0.0, ANOTHER_BOOT)
    file.write([rest(1, 30.0, 100.0), Motion(2, "clock", at(150.0), Moment(NIGHT_S + 190.0, 1150.0))])
    file = open_file(1000.0)
    stretch = Stretch(1, Moment(NIGHT_S + 2000.0, 0.0), Moment(NIGHT_S + 9000.0, 7000.0), 4710, 5088)
    now = Now(stretch, None, stretch.end)
    asked = [judge(file, now, NIGHT_S + begin_s, NIGHT_S + begin_s + 10.0).moved for begin_s in (80.0, 50.0)]
    assert asked == [NO, UNKNOWN]


# Which boot it is


def test_a_sandbox_that_hides_the_boot_has_a_word_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told_by_the_kernel = outdated.this_boot(outdated.Outdated(None))
    assert told_by_the_kernel == outdated.BOOT_ID.read_text().strip()
    monkeypatch.setattr(outdated, "BOOT_ID", tmp_path / "hidden")
    note = outdated.Outdated(tmp_path / "run" / "focuser.outdated")
    word = outdated.this_boot(note)
    # The next daemon on this boot, and the first on the next one.
    assert outdated.this_boot(note) == word
    shutil.rmtree(tmp_path / "run")
    assert outdated.this_boot(note) != word
    assert outdated.this_boot(outdated.Outdated(None)) != outdated.this_boot(outdated.Outdated(None))


# How fast


def test_a_year_is_asked_in_less_than_5_ms(open_file: Callable[..., HistoryFile]) -> None:
    file = open_file(-history_file.KEPT_S)
    period_s = 100.0
    count = int(365 * 86400 / period_s)
    first_s = -count * period_s
    many: list[Motion | Stretch] = []
    for index in range(count):
        begin_s = first_s + index * period_s
        many += [move(2 * index, begin_s, begin_s + 4.0), rest(2 * index + 1, begin_s + 4.5, begin_s + 99.0)]
    for start in range(0, len(many), 50_000):
        file.write(many[start : start + 50_000])
    questions = {
        (first_s + 10.0, first_s + 60.0): NO,
        (first_s / 2 + 10.0, first_s / 2 + 60.0): NO,
        (-80.0, -30.0): NO,
        (first_s / 2 - 50.0, first_s / 2 + 60.0): YES,
        (first_s, 0.0): YES,
        (-2.0, 100.0): UNKNOWN,
    }
    for (begin_s, end_s), answer in questions.items():
        took_s = []
        for _ in range(9):
            began_s = time.thread_time()
            assert moved(file, begin_s, end_s) == answer
            took_s.append(time.thread_time() - began_s)
        # Of this thread, and the best of some: what the machine does besides is not asked.
        assert min(took_s) < 0.005, f"{begin_s} to {end_s}: {min(took_s) * 1000:.1f} ms"


# Holds


def test_holds_outlive_the_daemon_and_not_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "run" / "focuser.holds"
    holds = [Hold("cam1", "abc", NIGHT_S, 10.0, 70.0, 3, "127.0.0.1", "pyro")]
    HoldsFile(path, BOOT).write(holds)
    assert HoldsFile(path, BOOT).read() == holds
    assert HoldsFile(path, ANOTHER_BOOT).read() == []
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"boot": "this boot"}', '{"boot": "this boot", "holds": [1]}']
)
def test_holds_that_cannot_be_read_are_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "focuser.holds"
    path.write_text(content)
    assert HoldsFile(path, BOOT).read() == []


def test_holds_without_a_place_are_not_kept(tmp_path: Path) -> None:
    HoldsFile(None, BOOT).write([])
    assert HoldsFile(None, BOOT).read() == []
    (tmp_path / "a file").touch()
    HoldsFile(tmp_path / "a file" / "holds", BOOT).write([])
    assert shutil.os.listdir(tmp_path) == ["a file"]  # type: ignore[attr-defined]
