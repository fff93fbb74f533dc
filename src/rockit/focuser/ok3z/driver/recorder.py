"""What went over the wire, and what was concluded from it: the last frames, in memory, always.

A fault in the field is understood by its frames. Each record is packed into one bytes object of its time, its kind and
its data: the last LONGEST_RECORDING of them take half a MB, and never more than MOST_BYTES. Nothing is asked of the
controller for it.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Callable

from .clock import Clock

LONGEST_RECORDING = 8000
# In memory, all together: a babbling line fills it sooner.
MOST_BYTES = 900_000
# Of noise and of long sentences so many bytes are kept.
LONGEST_RECORD = 2000

# A port gives an answer out byte by byte. What comes without a longer pause, and nothing in between, is one record.
PAUSE_S = 0.05

# What a bytes object and its place in the queue take beside its content.
_OVERHEAD_BYTES = 42

_HEAD = struct.Struct("<dB")


class Kind(Enum):
    """What a record is of. The value is that of a recording's files."""

    SENT = "sent"
    RECEIVED = "received"
    CONCLUDED = "concluded"
    ASKED = "asked"
    OPENED = "opened"
    LOST = "lost"


_KINDS = tuple(Kind)


@dataclass(frozen=True)
class Record:
    """Some bytes on the wire, a sentence, what was asked of the daemon, as JSON; or that the port was opened, or lost.

    Args:
        at_s: when, in seconds of the clock; of what was received, when its last byte was read.
        kind: what it is.
        data: the bytes, or the text in UTF-8; LONGEST_RECORD at most.
    """

    at_s: float
    kind: Kind
    data: bytes


@dataclass(frozen=True)
class Recording:
    """The records of one stretch of time, the oldest first.

    Args:
        taken_at: when it was taken, UTC.
        taken_at_s: the same moment, in seconds of the clock of the records.
        packed: the records; `records` unpacks them.
    """

    taken_at: datetime
    taken_at_s: float
    packed: tuple[bytes, ...]

    def records(self) -> list[Record]:
        """The records, unpacked: 8000 take some milliseconds."""
        return [unpacked(one) for one in self.packed]


class Recorder:
    """Keeps the last LONGEST_RECORDING records. The thread that owns the port adds to them; any thread may take a copy.

    Args:
        clock: the time.
        follow: is given each record, packed, as it comes; must not wait. None: nobody follows.
    """

    def __init__(self, clock: Clock, follow: Callable[[bytes], None] | None = None) -> None:
        self._clock = clock
        self._follow = follow
        # Held for microseconds: a copy of all takes 50.
        self._lock = threading.Lock()
        self._packed: deque[bytes] = deque(maxlen=LONGEST_RECORDING)
        self._bytes = 0
        self._coming = b""
        self._came_at_s = 0.0

    def sent(self, data: bytes) -> None:
        """These bytes were written."""
        with self._lock:
            self._add(Kind.SENT, data)

    def received(self, data: bytes) -> None:
        """These bytes were read."""
        if not data:
            return
        now_s = self._clock.monotonic()
        with self._lock:
            if now_s - self._came_at_s > PAUSE_S or len(self._coming) + len(data) > LONGEST_RECORD:
                self._end_received()
            self._coming += data
            self._came_at_s = now_s

    def concluded(self, sentence: str) -> None:
        """This was concluded from what came before it."""
        with self._lock:
            self._add(Kind.CONCLUDED, sentence.encode("utf-8", "backslashreplace"))

    def asked(self, text: str) -> None:
        """The daemon was asked for this, in JSON."""
        with self._lock:
            self._add(Kind.ASKED, text.encode())

    def opened(self) -> None:
        """The port was opened."""
        with self._lock:
            self._add(Kind.OPENED, b"")

    def lost(self, why: str) -> None:
        """The port hung up."""
        with self._lock:
            self._add(Kind.LOST, why.encode("utf-8", "backslashreplace"))

    def recording(self, taken_at: datetime) -> Recording:
        """What there is now; `taken_at` is the time of day, UTC."""
        with self._lock:
            self._end_received()
            return Recording(taken_at, self._clock.monotonic(), tuple(self._packed))

    # With the lock

    def _add(self, kind: Kind, data: bytes) -> None:
        self._end_received()
        self._append(self._clock.monotonic(), kind, data)

    def _end_received(self) -> None:
        if self._coming:
            coming, self._coming = self._coming, b""
            self._append(self._came_at_s, Kind.RECEIVED, coming)

    def _append(self, at_s: float, kind: Kind, data: bytes) -> None:
        packed = _HEAD.pack(at_s, _KINDS.index(kind)) + data[:LONGEST_RECORD]
        if len(self._packed) == LONGEST_RECORDING:
            self._forget_oldest()
        self._packed.append(packed)
        self._bytes += len(packed) + _OVERHEAD_BYTES
        while self._bytes > MOST_BYTES:
            self._forget_oldest()
        if self._follow is not None:
            self._follow(packed)

    def _forget_oldest(self) -> None:
        self._bytes -= len(self._packed.popleft()) + _OVERHEAD_BYTES


def unpacked(packed: bytes) -> Record:
    """The record in what a recorder's follower is given."""
    at_s, kind = _HEAD.unpack_from(packed)
    return Record(at_s, _KINDS[kind], packed[_HEAD.size :])
