"""Recordings as files: what is in them, how many there are, and what a bad disk does."""

from __future__ import annotations

import errno
import gzip
import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.recorder import LONGEST_RECORDING, Recorder, Recording
from rockit.focuser.ok3z.simulator import VirtualClock
from rockit.focuser.ok3z.storage import recordings
from rockit.focuser.ok3z.storage.recordings import Recordings, SessionFile, folder_beside

NOON = datetime(2026, 11, 30, 12, 0, 0, tzinfo=timezone.utc)
ABOUT = {"daemon": "dome", "settings": {"focus_range_mm": 6.0}}


class NoonClock(VirtualClock):
    def utc_now(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic() - 1000.0)


@pytest.fixture
def announced() -> list[tuple[int, str]]:
    return []


@pytest.fixture
def kept(tmp_path: Path, announced: list[tuple[int, str]]) -> Iterator[Recordings]:
    kept = Recordings(tmp_path / "dome.recordings", ABOUT, lambda *news: announced.append(news))
    yield kept
    kept.close()


def some(taken_at: datetime = NOON) -> Recording:
    clock = VirtualClock()
    recorder = Recorder(clock)
    recorder.opened()
    recorder.asked('{"command": "move", "mm": 2.5}')
    recorder.sent(b"#P081 F$\n")
    clock.sleep(0.01)
    recorder.received(b"\xff#P081 F ")
    clock.sleep(0.001)
    recorder.received(b"-12$\n")
    recorder.concluded("idle at 2.500 mm. “fine”")
    return recorder.recording(taken_at)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.open(path)]


def test_it_says_what_it_is_of_and_then_what_came_when(tmp_path: Path, kept: Recordings) -> None:
    name = kept.keep(some(), "the motor stalled.").result(20)
    path = tmp_path / "dome.recordings" / name
    head, *lines = lines_of(path)
    assert head.pop("version")
    assert head == {
        **ABOUT,
        "format": 1,
        "why": "the motor stalled.",
        "began_at": "2026-11-30T11:59:59.989000+00:00",
    }
    assert lines == [
        {"t": 0.0, "opened": ""},
        {"t": 0.0, "asked": {"command": "move", "mm": 2.5}},
        {"t": 0.0, "sent": "#P081 F$\n"},
        {"t": 0.011, "received": "\xff#P081 F -12$\n"},
        {"t": 0.011, "concluded": "idle at 2.500 mm. “fine”"},
    ]


def test_no_stranger_may_read_it(tmp_path: Path, kept: Recordings) -> None:
    old = os.umask(0)
    try:
        name = kept.keep(some(), "").result(20)
    finally:
        os.umask(old)
    folder = tmp_path / "dome.recordings"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_last_twenty_are_kept(tmp_path: Path, kept: Recordings) -> None:
    folder = tmp_path / "dome.recordings"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / ".20261130T000000.000Z.jsonl.gz.new").write_bytes(b"left by a crash")
    names = [kept.keep(some(NOON + timedelta(minutes=n)), "").result(20) for n in range(23)]
    assert sorted(path.name for path in folder.iterdir()) == [*names[3:], "notes.txt"]


def test_two_in_one_millisecond_are_two(kept: Recordings) -> None:
    assert len({kept.keep(some(), "").result(20) for _ in range(3)}) == 3


def test_all_together_take_twenty_megabytes_at_most(
    tmp_path: Path, kept: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (tmp_path / "dome.recordings" / kept.keep(some(), "").result(20)).stat().st_size
    monkeypatch.setattr(recordings, "MOST_BYTES", 4 * size)
    for n in range(8):
        kept.keep(some(NOON + timedelta(minutes=n + 1)), "").result(20)
        assert sum(path.stat().st_size for path in (tmp_path / "dome.recordings").iterdir()) <= 4 * size
    # Of the largest that there can be, so many have room.
    recorder = Recorder(VirtualClock())
    for n in range(LONGEST_RECORDING):
        recorder.concluded(os.urandom(30).hex() + str(n))
    largest = len(gzip.compress(recordings.encode(recorder.recording(NOON), ABOUT, "")))
    assert 20 * largest < 20_000_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_bad_disk_loses_only_this(
    number: int,
    tmp_path: Path,
    kept: Recordings,
    announced: list[tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(recordings, "write_durably", refuse)
        with pytest.raises(OSError, match=os.strerror(number)):
            kept.keep(some(), "").result(20)
    ((level, sentence),) = announced
    assert level == logging.WARNING
    assert sentence.endswith("Look at its disk.")
    assert list((tmp_path / "dome.recordings").iterdir()) == []
    assert kept.keep(some(), "").result(20)


def test_a_disk_that_hangs_holds_nobody_up(
    kept: Recordings, announced: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answers = threading.Event(), threading.Event()
    write = recordings.write

    def hang(*args: Any) -> str:
        begun.set()
        answers.wait(30)
        return write(*args)

    monkeypatch.setattr(recordings, "write", hang)
    first = kept.keep(some(), "")
    assert begun.wait(20)
    waiting = [kept.keep(some(), "") for _ in range(recordings.MOST_WAITING + 3)]
    kept.close()
    lost = [one for one in waiting if one.done()]
    assert len(lost) == 3
    assert "does not take those before it" in announced[0][1]
    answers.set()
    for one in (first, *waiting):
        if one not in lost:
            assert one.result(20)


def test_without_a_folder_there_is_none(announced: list[tuple[int, str]]) -> None:
    kept = Recordings(folder_beside(None), ABOUT, lambda *news: announced.append(news))
    with pytest.raises(OSError, match="no folder"):
        kept.keep(some(), "").result(20)
    kept.close()


def test_a_whole_session(tmp_path: Path, announced: list[tuple[int, str]]) -> None:
    clock = NoonClock()
    path = tmp_path / "session.jsonl.gz"
    session = SessionFile(path, ABOUT, clock, lambda *news: announced.append(news))
    recorder = Recorder(clock, session.add)
    for _ in range(LONGEST_RECORDING + 10):
        recorder.sent(b"#S001 F$\n")
        clock.sleep(0.01)
    session.close()
    head, *lines = lines_of(path)
    assert head["began_at"] == NOON.isoformat()
    assert len(lines) == LONGEST_RECORDING + 10
    assert lines[-1]["t"] == pytest.approx((LONGEST_RECORDING + 9) * 0.01)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert announced == []


def test_a_session_that_the_disk_does_not_take_says_so(announced: list[tuple[int, str]]) -> None:
    session = SessionFile(Path("/dev/full"), ABOUT, NoonClock(), lambda *news: announced.append(news))
    recorder = Recorder(VirtualClock(), session.add)
    for n in range(20_000):
        recorder.concluded(os.urandom(50).hex() + str(n))
    session.close()
    assert announced[0][0] == logging.WARNING
    assert "is not recorded any more" in announced[0][1]


def test_a_session_replaces_a_recording_and_no_other_file(tmp_path: Path) -> None:
    path, other = tmp_path / "session.jsonl.gz", tmp_path / "focuser.json"
    for _ in range(2):
        SessionFile(path, ABOUT, NoonClock(), lambda *_: None).close()
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 1
    other.write_text("{}")
    with pytest.raises(FileExistsError, match="it is there, and is no recording"):
        SessionFile(other, ABOUT, NoonClock(), lambda *_: None)
    assert other.read_text() == "{}"


def test_a_session_needs_a_place(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        SessionFile(tmp_path / "absent" / "file", ABOUT, NoonClock(), lambda *_: None)
