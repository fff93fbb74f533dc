"""A recording of the wire that answers a driver again.

A driver that has changed since asks other questions, in another order and at other moments. So it is not answered
frame by frame, but by kind of question and by time: with what was answered to such a question in that moment of the
recording. Motion commands tie the two times together: when the driver sends the one that comes next in the
recording, it is the time of that one. Until then the recording waits before it. If nothing there can be an answer,
the port hangs up with a sentence that says so, for an answer that was made up would prove nothing.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import math
import re
import threading
import zlib
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .clock import Clock, SystemClock
from .controller import HungUpError, PortBusyError

FORMAT = 1
MOST_BYTES = 200_000_000
CHUNK_BYTES = 1 << 16
"""Of a recording, unpacked."""

ANSWERS = {"S001": "S004", "S051": "S052", "P081": "P081"}
"""The questions, and the codes of their answers."""

MOTIONS = ("P092", "P103", "P021")
"""Go to, home, halt: what ties the driver's time to that of the recording."""

HALT = "P021"
IDENTIFY = "S051"

AHEAD_S = 0.1
"""A question that was asked so soon afterwards in the recording is answered in that moment: the value is then as old
as it was."""

LATE_S = 2.5
"""An answer that comes later is none."""

MOST_OPEN = 8
"""Questions that may be under way at a time."""

LONGEST_FRAME = 64
"""More bytes without a frame are noise."""

_FRAME = re.compile(rb"#([A-Z][0-9]{3}) F[^$]*\$[\r\n ]*")

WAITS_S = 30.0
"""So long the recording waits for the driver's next motion command, or is over, before it cannot answer any more."""


class RecordingError(ValueError):
    """A file is no recording, or one that this version cannot read. The text says why."""


@dataclass
class Question:
    """A question in the recording.

    Args:
        code: which one.
        at_s: when it was sent.
        leg: how many motion commands came before it.
        answer: what came after it, and how many seconds after it; empty if nothing came.
    """

    code: str
    at_s: float
    leg: int
    answer: bytes = b""
    after_s: float = 0.01


WHO_IT_IS = Question(IDENTIFY, 0.0, 0, f"#{ANSWERS[IDENTIFY]} F $\n".encode())
"""Of a recording that begins in the middle of a night."""


@dataclass(frozen=True)
class Motion:
    """A motion command in the recording."""

    frame: str
    at_s: float


@dataclass(frozen=True)
class Loss:
    """The port hung up in the recording.

    Args:
        at_s: when.
        until_s: when it was opened again.
        why: what it said.
    """

    at_s: float
    until_s: float
    why: str


@dataclass
class Recorded:
    """What a recording holds, in seconds since its beginning."""

    questions: dict[str, list[Question]] = field(default_factory=lambda: {code: [] for code in ANSWERS})
    motions: list[Motion] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    begin_s: float = 0.0
    """When the first frame was sent: a daemon may have waited long before it was initialised."""
    end_s: float = 0.0


def load(path: Path) -> Recorded:
    """Read a recording: JSON lines, gzipped or not. Raises RecordingError, OSError."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            content = _whole_lines(file)
        if len(content) > MOST_BYTES:
            raise RecordingError(f"{path} is larger than {MOST_BYTES} bytes.")
        lines = [json.loads(line) for line in io.BytesIO(content)]
        if not lines or lines[0].get("format") != FORMAT:
            raise RecordingError(f"{path} is no recording of format {FORMAT}.")
        reader = _Reader()
        for line in lines[1:]:
            reader.take(line)
        return reader.end()
    except (EOFError, zlib.error, gzip.BadGzipFile, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{path} is no recording: {error}") from None


def _whole_lines(file: io.BufferedIOBase) -> bytes:
    """What a file holds, up to where the recording was broken off: a process that was killed ends it anywhere."""
    content = bytearray()
    with contextlib.suppress(EOFError):
        while len(content) <= MOST_BYTES and (more := file.read1(CHUNK_BYTES)):
            content += more
    return bytes(content[: content.rfind(b"\n") + 1])


class _Reader:
    """Makes a `Recorded` of the lines of a recording, one after the other."""

    def __init__(self) -> None:
        self.recorded = Recorded()
        self._is_begun = False
        # Those that may still be answered.
        self._asked: deque[Question] = deque(maxlen=MOST_OPEN)
        self._heard = b""
        self._lost: Loss | None = None

    def take(self, line: dict[str, Any]) -> None:
        """One line. Raises KeyError, TypeError, ValueError."""
        at_s = self.recorded.end_s = float(line["t"])
        if "sent" in line:
            for frame in _frames(line["sent"]):
                self._sent(frame, at_s)
        elif "received" in line:
            self._heard += line["received"].encode("latin-1")
            self._share_out(at_s)
        elif "lost" in line:
            self._lost = Loss(at_s, math.inf, line["lost"])
        elif "opened" in line and self._lost is not None:
            self.recorded.losses.append(replace(self._lost, until_s=at_s))
            self._lost = None

    def end(self) -> Recorded:
        """All lines were taken."""
        if self._lost is not None:
            self.recorded.losses.append(self._lost)
        return self.recorded

    def _sent(self, frame: str, at_s: float) -> None:
        code = frame[1:5]
        if not self._is_begun:
            self._is_begun = True
            self.recorded.begin_s = at_s
            # Of those before that the driver sees nothing.
            self.recorded.losses.clear()
            self._lost = None
        if code in ANSWERS:
            self._asked.append(Question(code, at_s, len(self.recorded.motions)))
            self.recorded.questions[code].append(self._asked[-1])
        elif code in MOTIONS:
            self.recorded.motions.append(Motion(frame, at_s))

    def _share_out(self, at_s: float) -> None:
        """Each answer that is whole to its question, with what came before it; what is no answer to the last one."""
        while match := _FRAME.search(self._heard):
            piece, self._heard = self._heard[: match.end()], self._heard[match.end() :]
            code = match.group(1).decode()
            late_s = at_s - LATE_S
            waits = [
                one
                for one in self._asked
                if ANSWERS[one.code] == code and one.at_s >= late_s and not one.answer
            ]
            if waits:
                # The last one: a question is asked again if the one before it was not answered.
                waits[-1].answer, waits[-1].after_s = piece, at_s - waits[-1].at_s
            elif self._asked:
                self._asked[-1].answer += piece
        if len(self._heard) > LONGEST_FRAME:
            if self._asked:
                self._asked[-1].answer += self._heard
            self._heard = b""


def _frames(sent: str) -> list[str]:
    """The frames in what was written at once, each from its # to its $."""
    return [f"#{part.split('$')[0]}$" for part in sent.split("#")[1:]]


class Replay:
    """A controller made of a recording, as the handler of a port sees one.

    Args:
        recorded: what it answers with.
        clock: the time; a virtual one makes it as fast as the driver is.
    """

    def __init__(self, recorded: Recorded, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.condition = threading.Condition(threading.RLock())
        self._recorded = recorded
        self._is_open = False
        self._begun = bytearray()
        # Ready for the host: when, and what.
        self._ready: deque[tuple[float, bytes]] = deque()
        self._next_motion = 0
        self._losses = deque(recorded.losses)
        self._lost: Loss | None = None
        self._tied_s: tuple[float, float] | None = None
        self._waited_since_s: float | None = None

    # The port

    def claim_port(self) -> int:
        """Open it. Raises PortBusyError; HungUpError while the recorded one was away."""
        with self.condition:
            if self._lost is not None and self._recorded_s() < self._lost.until_s:
                raise HungUpError(self._lost.why)
            self._lost = None
            if self._is_open:
                raise PortBusyError("The recording's port is open already: close it there first.")
            self._is_open = True
            self._ready.clear()
            return 1

    def release_port(self, ticket: int) -> None:  # noqa: ARG002
        """Close it."""
        self._is_open = False

    def check_port(self, ticket: int) -> None:  # noqa: ARG002
        """Raise HungUpError if the recorded port has hung up by now."""
        if self._losses and self._tied_s is not None and self._now_s() >= self._losses[0].at_s:
            self._lost = self._losses.popleft()
        if self._lost is not None:
            raise HungUpError(self._lost.why)

    def write(self, data: bytes) -> int:
        """Take bytes from the host. Raises HungUpError, which says why, where the recording cannot answer them."""
        with self.condition:
            self._begun += data
            while (end := self._begun.find(b"$")) >= 0:
                frames = _frames(self._begun[: end + 1].decode("latin-1"))
                del self._begun[: end + 1]
                for frame in frames[-1:]:
                    self._take(frame)
            self.condition.notify_all()
            return len(data)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes that are ready."""
        data = b""
        while len(data) < size and self._ready and self._ready[0][0] <= self.clock.monotonic():
            at_s, chunk = self._ready.popleft()
            room = size - len(data)
            data += chunk[:room]
            if chunk[room:]:
                self._ready.appendleft((at_s, chunk[room:]))
        return data

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""
        now_s = self.clock.monotonic()
        return sum(len(chunk) for at_s, chunk in self._ready if at_s <= now_s)

    @property
    def next_event_s(self) -> float | None:
        """When something can next be read."""
        return self._ready[0][0] if self._ready else None

    @property
    def next_departure_s(self) -> float | None:
        """Bytes leave at once."""
        return None

    @property
    def out_waiting(self) -> int:
        """Bytes leave at once."""
        return 0

    def drop_unread(self) -> None:
        """Forget what is ready."""
        now_s = self.clock.monotonic()
        while self._ready and self._ready[0][0] <= now_s:
            self._ready.popleft()

    def drop_unsent(self) -> None:
        """There is never anything."""

    # The recording

    def _take(self, frame: str) -> None:
        if self._tied_s is None:
            self._tied_s = (self.clock.monotonic(), self._recorded.begin_s)
        code = frame[1:5]
        if code in ANSWERS:
            self._answer(code)
        elif code in MOTIONS:
            self._tie(frame)

    def _tie(self, frame: str) -> None:
        """The driver sends a motion command: it is the moment of that command in the recording."""
        motions = self._recorded.motions
        # A halt may be repeated more or less often than it was: only the next one is meant.
        last = self._next_motion + 1 if frame[1:5] == HALT else len(motions)
        for number in range(self._next_motion, min(last, len(motions))):
            if motions[number].frame == frame:
                self._next_motion = number + 1
                self._tied_s = (self.clock.monotonic(), motions[number].at_s)
                self._waited_since_s = None
                return
        if frame[1:5] == HALT or self._was_just_sent(frame):
            # It changes nothing, of a motor that stands or stops; and a command that was not heard is sent again.
            return
        due = self._due()
        expected = f"then comes {due.frame}" if due else "no motion follows"
        raise HungUpError(f"the recording cannot answer {frame} at {self._now_s():.3f} s: in it {expected}.")

    def _was_just_sent(self, frame: str) -> bool:
        return self._next_motion > 0 and self._recorded.motions[self._next_motion - 1].frame == frame

    def _due(self) -> Motion | None:
        motions = self._recorded.motions
        return motions[self._next_motion] if self._next_motion < len(motions) else None

    def _recorded_s(self) -> float:
        """The time of the recording, if it waited for nothing."""
        assert self._tied_s is not None
        clock_s, recording_s = self._tied_s
        return recording_s + self.clock.monotonic() - clock_s

    def _now_s(self) -> float:
        """The time of the recording; it waits before the next motion command, and at its end."""
        due = self._due()
        return min(self._recorded_s(), due.at_s if due else self._recorded.end_s)

    def _answer(self, code: str) -> None:
        now_s = self._now_s()
        question = self._question(code, now_s)
        if question is None:
            raise HungUpError(f"the recording cannot answer {code} at {now_s:.3f} s: it was not asked there.")
        self._require_patience(code, now_s)
        ahead_s = max(0.0, question.at_s - now_s)
        if question.answer:
            self._ready.append((self.clock.monotonic() + ahead_s + question.after_s, question.answer))

    def _question(self, code: str, now_s: float) -> Question | None:
        """The next such question if it comes soon, else the last one; of this leg, for a motion command changes all."""
        every = self._recorded.questions[code]
        asked = [question for question in every if question.leg == self._next_motion]
        if not asked:
            # Who it is depends on nothing, and any text will do: the driver may believe none of it.
            return next((one for one in every if one.answer), WHO_IT_IS) if code == IDENTIFY else None
        place = bisect_left([question.at_s for question in asked], now_s)
        is_soon = place < len(asked) and asked[place].at_s <= now_s + AHEAD_S
        return asked[place] if is_soon or place == 0 else asked[place - 1]

    def _require_patience(self, code: str, now_s: float) -> None:
        """While the recording waits it repeats its last answers, but not for ever."""
        due = self._due()
        if now_s < (due.at_s if due else self._recorded.end_s):
            self._waited_since_s = None
            return
        clock_s = self.clock.monotonic()
        if self._waited_since_s is None:
            self._waited_since_s = clock_s
        if clock_s - self._waited_since_s > WAITS_S:
            why = f"in it {due.frame} comes next" if due else "it ends there"
            raise HungUpError(f"the recording cannot answer {code} after {now_s:.3f} s: {why}.")
