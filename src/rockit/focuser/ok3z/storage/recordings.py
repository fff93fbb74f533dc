"""Recordings of the wire, as files: gzipped JSON lines.

The first line says what a recording is of; each other is one record, `t` seconds after the beginning:

    {"t": 0.0, "asked": {"command": "move", "mm": 2.5, "left": {"register": 4710, ...}, ...}}
    {"t": 0.0, "sent": "#S001 F $\\n"}
    {"t": 0.011, "received": "#S002 F  S$\\n"}
    {"t": 0.012, "concluded": "idle at 2.500 mm."}

Bytes stand as the characters of Latin-1, which has one for each. Threads of their own write all this: a disk that
hangs, or is full, loses a recording and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import logging
import os
import queue
import re
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Callable

from ..driver.clock import WallClock
from ..driver.recorder import Kind, Record, Recording, unpacked
from ..version import VERSION
from .state_file import write_durably

_log = logging.getLogger(__name__)

FORMAT = 1
# In the folder of one daemon.
MOST_FILES = 20
MOST_BYTES = 20_000_000
# Recordings that wait for the disk; one more is lost, and that is said.
MOST_WAITING = 4
CLOSE_PATIENCE_S = 0.2
# Of a whole session ten minutes may wait for the disk.
MOST_RECORDS_WAITING = 50_000
SESSION_CLOSE_PATIENCE_S = 0.5
FLUSH_PERIOD_S = 2.0

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z\.jsonl\.gz")
_GZIP = b"\x1f\x8b"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


@dataclass(frozen=True)
class _Order:
    """A recording that is to be written, why, and the end of that."""

    recording: Recording
    why: str
    written: Future[str]


class Recordings:
    """The folder of the recordings of one daemon. Nothing raises, and nothing but `close` waits.

    The thread that writes is there only while there is something to write.

    Args:
        folder: where they lie; None: there is no place for them, and none is kept.
        about: whose they are, and with which settings: for the first line of each.
        announce: passes a message on: a level of `logging` and a sentence. Must not wait.
    """

    def __init__(
        self, folder: Path | None, about: Mapping[str, object], announce: Callable[[int, str], None]
    ) -> None:
        self._folder = folder
        self._about = about
        self._announce = announce
        self._lock = threading.Lock()
        self._waiting: queue.Queue[_Order] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def keep(self, recording: Recording, why: str) -> Future[str]:
        """Write a recording.

        Args:
            why: what it is of, a sentence.

        Returns:
            The name of its file, or an OSError that says why there is none.
        """
        written: Future[str] = Future()
        with self._lock:
            try:
                self._waiting.put_nowait(_Order(recording, why, written))
                lost = False
            except queue.Full:
                lost = True
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="recordings", daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError:
                    # The system has no thread for it. The next one tries again.
                    _log.warning("a recording of the wire waits, for the system has no thread for it.")
        if lost:
            self._lose(written, "the disk does not take those before it. Look at it.")
        return written

    def close(self) -> None:
        """Let what is being written come to its end, for at most CLOSE_PATIENCE_S."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_PATIENCE_S)

    def _work(self) -> None:
        while True:
            with self._lock:
                try:
                    order = self._waiting.get_nowait()
                except queue.Empty:
                    self._thread = None
                    return
            self._write(order)

    def _write(self, order: _Order) -> None:
        if self._folder is None:
            self._lose(order.written, "there is no folder for it.")
            return
        try:
            name = write(self._folder, self._about, order.recording, order.why)
        except OSError as error:
            self._lose(order.written, f"{error.strerror or error}. Look at its disk.")
        except Exception as error:
            _log.exception("a mistake in this program, in writing a recording")
            self._lose(
                order.written, f"the daemon made a mistake ({type(error).__name__}); its log has more."
            )
        else:
            self._announce(logging.INFO, f"what went over the wire is recorded in {self._folder / name}.")
            order.written.set_result(name)

    def _lose(self, written: Future[str], why: str) -> None:
        sentence = f"a recording of the wire cannot be written: {why}"
        self._announce(logging.WARNING, sentence)
        written.set_exception(OSError(sentence))


class SessionFile:
    """All that goes over the wire, into one file, as it comes. What the disk does not take in time is lost, and how
    much that was is said at the end.

    Args:
        path: the file; an earlier recording is replaced, and no other file.
        about: whose session it is, and with which settings: for its first line.
        clock: the clock of the records.
        announce: passes a message on: a level of `logging` and a sentence. Must not wait.

    Raises OSError if it cannot be made.
    """

    def __init__(
        self,
        path: str | Path,
        about: Mapping[str, object],
        clock: WallClock,
        announce: Callable[[int, str], None],
    ) -> None:
        self._path = path
        self._announce = announce
        self._begun_s = clock.monotonic()
        self._compressed = os.fdopen(_emptied(path), "wb")
        self._file = gzip.GzipFile(fileobj=self._compressed, mode="wb")
        self._file.write(_head(about, "a whole session.", clock.utc_now()))
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_RECORDS_WAITING)
        self._lost = 0
        self._failed = False
        self._flushed_s = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="session-recording", daemon=True)
        self._thread.start()

    def add(self, packed: bytes) -> None:
        """One more record. Does not wait."""
        if self._failed:
            return
        try:
            self._waiting.put_nowait(packed)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Write what there is, for at most SESSION_CLOSE_PATIENCE_S."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=SESSION_CLOSE_PATIENCE_S)
        self._thread.join(SESSION_CLOSE_PATIENCE_S)
        if self._lost:
            self._announce(
                logging.WARNING, f"{self._lost} records are missing in {self._path}: its disk was too slow."
            )

    def _work(self) -> None:
        try:
            with self._compressed, self._file:
                while (packed := self._waiting.get()) is not None:
                    for line in _lines([unpacked(packed)], self._begun_s):
                        self._file.write(line)
                    self._flush_now_and_then()
        except OSError as error:
            self._failed = True
            self._announce(
                logging.WARNING,
                f"the session is not recorded any more: {error}. Look at the disk of {self._path}.",
            )

    def _flush_now_and_then(self) -> None:
        """A daemon that is killed loses the last seconds only."""
        if time.monotonic() >= self._flushed_s + FLUSH_PERIOD_S:
            self._file.flush()
            self._compressed.flush()
            self._flushed_s = time.monotonic()


def folder_beside(state_file: Path | None) -> Path | None:
    """Where the recordings of a daemon lie; None if it has no state file."""
    return None if state_file is None else state_file.with_suffix(".recordings")


def write(folder: Path, about: Mapping[str, object], recording: Recording, why: str) -> str:
    """Write a recording into a folder that keeps the last MOST_FILES of them, and MOST_BYTES. Raises OSError.

    Returns:
        The name of its file.
    """
    os.makedirs(folder, _FOLDER_MODE, exist_ok=True)
    content = gzip.compress(encode(recording, about, why), compresslevel=6, mtime=0)
    _make_room(folder, len(content))
    path = _free_path(folder, recording.taken_at)
    new = path.with_name(f".{path.name}.new")
    try:
        write_durably(new, content)
        os.replace(new, path)
    except OSError:
        # A full disk has better use for its room.
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    return path.name


def _make_room(folder: Path, needed_bytes: int) -> None:
    """Remove what a crash has left, and the oldest recordings until there is room for one more."""
    for left in folder.glob(".*.new"):
        left.unlink()
    paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    sizes = [path.lstat().st_size for path in paths]
    while paths and (len(paths) >= MOST_FILES or sum(sizes) + needed_bytes > MOST_BYTES):
        paths.pop(0).unlink()
        sizes.pop(0)


def _free_path(folder: Path, taken_at: datetime) -> Path:
    """A name that is not taken: of two in one millisecond the second counts as a millisecond later."""
    while True:
        path = folder / f"{taken_at:%Y%m%dT%H%M%S}.{taken_at.microsecond // 1000:03d}Z.jsonl.gz"
        if not os.path.lexists(path):
            return path
        taken_at += timedelta(milliseconds=1)


def encode(recording: Recording, about: Mapping[str, object], why: str) -> bytes:
    """A recording as JSON lines."""
    records = recording.records()
    first_s = records[0].at_s if records else recording.taken_at_s
    began_at = recording.taken_at - timedelta(seconds=recording.taken_at_s - first_s)
    return b"".join((_head(about, why, began_at), *_lines(records, first_s)))


def _emptied(path: str | Path) -> int:
    """Open a file for a recording: a new one, or an earlier recording. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if os.pread(descriptor, len(_GZIP), 0) not in (b"", _GZIP):
                raise FileExistsError(errno.EEXIST, "it is there, and is no recording")
            os.ftruncate(descriptor, 0)
            # One that was there before may have been open to others.
            os.fchmod(descriptor, _FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _head(about: Mapping[str, object], why: str, began_at: datetime) -> bytes:
    values = {"format": FORMAT, "version": VERSION, "began_at": began_at.isoformat(), "why": why}
    return _line({**values, **about})


def _lines(records: Iterable[Record], first_s: float) -> Iterator[bytes]:
    for record in records:
        yield _line({"t": round(record.at_s - first_s, 6), record.kind.value: _told(record)})


def _told(record: Record) -> object:
    if record.kind in (Kind.SENT, Kind.RECEIVED):
        return record.data.decode("latin-1")
    text = record.data.decode("utf-8", "replace")
    return json.loads(text) if record.kind is Kind.ASKED else text


def _line(values: dict[str, object]) -> bytes:
    return f"{json.dumps(values)}\n".encode("ascii")
