"""A disk that refuses: what is said of it, when, and what is left on it."""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_store
from rockit.focuser.ok3z.storage.state_store import StateStore
from tests.support.waiting import wait_until

WRITING = ("makedirs", "open", "write", "fsync", "replace")


@pytest.mark.parametrize(
    ("call", "number"),
    list(zip(WRITING, (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO, errno.EDQUOT))),
)
def test_a_disk_that_takes_nothing_is_said_once_and_again_when_it_does(
    call: str, number: int, bench: Any, disk: Any
) -> None:
    kept = bench.journal()
    kept.write(bench.entry_at(1), durable=True)
    disk.fail(call, number=number)
    for count in range(5):
        kept.write(bench.entry_at(count), durable=True)

    assert kept.problem.startswith(f"the state file cannot be written: {os.strerror(number)}. ")
    assert "homed after a restart" in kept.problem
    bench.announced.wait_for(1)
    disk.failing.clear()
    kept.write(bench.entry_at(7), durable=True)
    assert kept.problem == ""
    bench.announced.wait_for(2)
    assert bench.announced.levels == [logging.WARNING, logging.INFO]
    assert str(bench.path) in bench.announced.sentences[0]
    assert bench.left() == bench.entry_at(7)


def test_the_problem_that_everybody_may_read_names_no_path(bench: Any, disk: Any) -> None:
    disk.fail("open", number=errno.EACCES)
    kept = bench.journal()
    kept.write(bench.entry, durable=True)

    assert kept.problem
    assert "/" not in kept.problem.replace("I/O", "")


def test_another_kind_of_problem_is_said_too(bench: Any, disk: Any) -> None:
    kept = bench.journal()
    for number in (errno.ENOSPC, errno.EROFS, errno.ENOSPC, errno.EROFS):
        disk.fail("write", number=number)
        kept.write(bench.entry, durable=True)
    bench.end()

    # Each once: a problem that comes and goes must not fill the log.
    assert [os.strerror(errno.ENOSPC) in said for said in bench.announced.sentences] == [True, False]


def test_a_problem_that_comes_and_goes_is_not_said_each_time(bench: Any, disk: Any) -> None:
    kept = bench.journal()
    for _ in range(20):
        disk.fail("write", number=errno.ENOSPC)
        kept.write(bench.entry, durable=True)
        assert kept.problem
        disk.failing.clear()
        kept.write(bench.entry, durable=True)
        assert not kept.problem
    bench.end()

    assert bench.announced.levels == [logging.WARNING, logging.INFO]


def test_an_old_problem_that_returns_after_a_while_is_news(
    bench: Any, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "QUIET_S", 0.0)
    kept = bench.journal()
    for _ in range(2):
        disk.fail("write", number=errno.ENOSPC)
        kept.write(bench.entry, durable=True)
        disk.failing.clear()
        kept.write(bench.entry, durable=True)
    bench.end()

    assert bench.announced.levels == 2 * [logging.WARNING, logging.INFO]


@pytest.mark.parametrize("call", WRITING)
def test_an_entry_that_could_not_be_replaced_is_removed(call: str, bench: Any, disk: Any) -> None:
    kept = bench.journal()
    kept.write(bench.entry_at(1), durable=True)
    disk.fail(call, number=errno.ENOSPC)
    kept.write(bench.entry_at(2), durable=True)
    assert bench.beside() == {}
    disk.failing.clear()

    # Whether the last words came to the disk or not: what is past is not told again.
    assert bench.left() in (None, bench.entry_at(2))


@pytest.mark.parametrize(
    ("call", "number"), [("write", errno.ENOSPC), ("open", errno.EROFS), ("fsync", errno.EIO)]
)
def test_an_entry_on_a_disk_that_takes_nothing_is_not_given_for_it_may_be_of_the_past(
    call: str, number: int, bench: Any, disk: Any
) -> None:
    kept = bench.journal()
    kept.write(bench.entry, durable=True)
    kept = bench.journal()
    if call == "open":
        # Only reading works.
        disk.fail("makedirs", number=number)
    else:
        disk.fail(call, number=number)

    assert kept.read() is None
    assert kept.problem.startswith(f"the state file cannot be written: {os.strerror(number)}. ")
    disk.failing.clear()
    assert kept.read() == bench.entry
    assert kept.problem == ""


def test_a_file_that_cannot_be_read_is_said(bench: Any, disk: Any) -> None:
    kept = bench.journal()
    kept.write(bench.entry, durable=True)
    for number in (errno.EACCES, errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EMFILE):
        disk.fail("open", number=number)
        assert kept.read() is None
        assert kept.problem.startswith(f"the state file cannot be read: {os.strerror(number)}. ")


def test_a_file_in_the_place_of_the_folder_is_said(bench: Any) -> None:
    bench.path.parent.parent.mkdir()
    bench.path.parent.write_text("no folder")
    kept = bench.journal()

    assert kept.read() is None
    assert "a file where a folder was expected: remove that" in kept.problem
    kept.write(bench.entry, durable=True)
    assert "a file where a folder was expected: remove that" in kept.problem
    bench.path.parent.unlink()
    kept.write(bench.entry, durable=True)
    assert kept.problem == ""
    assert bench.left() == bench.entry


def test_a_folder_that_was_removed_is_made_anew(bench: Any) -> None:
    kept = bench.journal()
    kept.write(bench.entry_at(1), durable=True)
    bench.path.unlink()
    bench.path.parent.rmdir()
    kept.write(bench.entry_at(2), durable=True)

    assert kept.problem == ""
    assert bench.left() == bench.entry_at(2)


def test_a_path_that_is_too_long_is_said(bench: Any) -> None:
    bench.path = bench.path.with_name("x" * 300 + ".json")
    kept = bench.journal()

    assert kept.read() is None
    assert "File name too long. Choose a state folder with a shorter path." in kept.problem
    kept.write(bench.entry, durable=True)
    assert "File name too long. Choose a state folder with a shorter path." in kept.problem


def test_what_failed_is_tried_again_unasked(bench: Any, disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_store, "RETRY_AFTER_S", 0.01)
    kept = bench.journal()
    disk.fail("write", number=errno.ENOSPC)
    kept.write(bench.entry, durable=True)
    wait_until(lambda: disk.calls.count("write") > 3)
    disk.failing.clear()
    wait_until(lambda: kept.problem == "")

    assert bench.announced.levels[0] == logging.WARNING
    calls = len(disk.calls)
    assert bench.left() == bench.entry
    # What is written is not written again: only the reading above came after it.
    assert disk.calls[calls:].count("replace") == 0


def test_without_a_folder_nothing_is_kept_and_that_is_said_once(bench: Any) -> None:
    kept = StateStore(None, bench.announced)
    kept.start()
    for _ in range(3):
        kept.write(bench.entry, durable=True)
        assert kept.read() is None
    kept.close()

    assert "no folder for a state file" in kept.problem
    assert bench.announced.sentences == [kept.problem]
