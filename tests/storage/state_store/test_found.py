"""What is found in the place of the state file, and what becomes of it."""

from __future__ import annotations

import errno
import logging
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_file
from rockit.focuser.ok3z.storage.state_store import Entry

NIGHT = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)


def other_daemon() -> bytes:
    entry = Entry("/dev/focuser", -4000, -14176, None, 2544, 10176, NIGHT)
    return state_file.encode(entry, "day", NIGHT)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is cut, damaged, or was edited by hand"),
        (b'{"format": 1, "daem', "it is cut, damaged, or was edited by hand"),
        (b"\xff\x00" * 100, "it is cut, damaged, or was edited by hand"),
        (b" " * 70000, "it is larger than 64 KiB"),
        (b'{"format": 3, "daemon": "night"}', "another version of focusd wrote it"),
        (other_daemon(), "it is of another daemon"),
    ],
)
def test_a_file_that_is_no_entry_is_said_kept_aside_and_replaced(
    content: bytes, why: str, bench: Any
) -> None:
    bench.put(content)
    kept = bench.journal()

    assert kept.read() is None
    assert f"the state file was not used: {why}" in kept.problem
    assert "focus init" in kept.problem
    assert bench.beside() == {"night.json": content}
    kept.write(bench.entry_at(1), durable=True)
    kept.write(bench.entry, durable=True)
    assert kept.problem == ""
    bench.announced.wait_for(2)
    assert bench.announced.levels == [logging.WARNING, logging.INFO]
    assert bench.left() == bench.entry
    assert bench.beside()["night.json.unusable"] == content


@pytest.mark.parametrize("kind", ["directory", "full directory", "pipe", "link"])
def test_something_else_in_its_place_is_said_and_set_aside(kind: str, bench: Any, tmp_path: Path) -> None:
    bench.path.parent.mkdir(parents=True)
    if kind.endswith("directory"):
        bench.path.mkdir()
        if kind.startswith("full"):
            (bench.path / "something").write_text("in it")
    elif kind == "pipe":
        os.mkfifo(bench.path)
    else:
        (tmp_path / "target").write_bytes(bench.encoded())
        bench.path.symlink_to(tmp_path / "target")
    kept = bench.journal()

    assert kept.read() is None
    assert "it is a symbolic link" in kept.problem or "it is no regular file" in kept.problem
    kept.write(bench.entry_at(1), durable=True)
    assert kept.problem == ""
    assert bench.left() == bench.entry_at(1)


def test_a_file_of_a_later_time_is_used_and_the_clock_is_doubted(bench: Any) -> None:
    later = datetime.now(timezone.utc) + timedelta(days=400)
    bench.put(bench.encoded(later))
    kept = bench.journal()

    assert kept.read() == bench.entry
    assert kept.problem == ""
    (sentence,) = bench.announced.sentences
    assert f"{later:%Y-%m-%d %H:%M:%S} UTC" in sentence
    assert "look at the clock" in sentence


def test_a_clock_that_was_corrected_by_seconds_is_not_worth_a_word(bench: Any) -> None:
    bench.put(bench.encoded(datetime.now(timezone.utc) + timedelta(seconds=30)))

    assert bench.left() == bench.entry
    assert bench.announced.sentences == []


@pytest.mark.parametrize("content", [other_daemon(), b'{"format": 3}'])
def test_what_is_no_entry_of_this_daemon_is_not_removed(content: bytes, bench: Any, disk: Any) -> None:
    bench.put(content)
    kept = bench.journal()
    kept.read()
    disk.fail("write", number=errno.ENOSPC)
    kept.write(bench.entry, durable=True)

    assert bench.beside() == {"night.json": content}
