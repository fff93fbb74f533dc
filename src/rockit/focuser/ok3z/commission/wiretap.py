"""What went over the wire in one trial, with the times at which its bytes came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from ..driver.clock import Clock
from ..driver.recorder import Recorder

# So many commands, and so many frames of the end of a trial, are evidence.
MOST_COMMANDS, LAST_FRAMES = 6, 4
# Beside motions, so many of the other commands.
MOST_SETTINGS = 2

_ANSWER = re.compile(rb"#(S004|S052|P081) F( *)(.*?)( *)\$([\r\n]*)\Z", re.DOTALL)
_HEADER = re.compile(rb"#[A-Z][0-9]{3} F")
_MOTION = re.compile(rb"#(P092|P103|P021)")
_ENDS = b"\r\n"
_LETTERS = re.compile(rb"#S004 F *(.*)\$", re.DOTALL)


@dataclass
class Frame:
    """What was sent, or all that came until something was sent again.

    Args:
        at_s: when it was sent, or when its first byte came.
        until_s: when its last byte came.
    """

    sent: bool
    data: bytes
    at_s: float
    until_s: float

    @property
    def is_question(self) -> bool:
        """Whether it is to be answered."""
        return self.data.rstrip().endswith(b"F$")

    def told(self) -> dict[str, object]:
        """For a report."""
        return {"t": round(self.at_s, 4), "sent" if self.sent else "received": self.data.decode("latin-1")}


@dataclass(frozen=True)
class Form:
    """How one answer is written."""

    code: str
    spaces: int
    argument: bytes
    trailing: int
    end: bytes
    echoed: bool


@dataclass(frozen=True)
class Exchange:
    """One question, and what came of it. Times are seconds after the question."""

    sent: bytes
    received: bytes
    first_s: float
    last_s: float

    @property
    def spoilt(self) -> str:
        """What is wrong with what came; "" for nothing."""
        if self.form is not None:
            return ""
        if not self.received:
            return "silence"
        if len(_HEADER.findall(self.received)) > 1:
            return "two at once"
        return "garbled" if b"$" in self.received else "cut"

    @property
    def form(self) -> Form | None:
        """How its answer is written; None if it is none."""
        data, echoed = self.received, False
        for end in (b"\r\n", b"\n", b"\r", b""):
            echo = self.sent.rstrip() + end
            if data.startswith(echo):
                data, echoed = data[len(echo) :], True
                break
        found = _ANSWER.fullmatch(data)
        if found is None or len(_HEADER.findall(data)) > 1:
            return None
        code, spaces, argument, trailing, end = found.groups()
        return Form(code.decode(), len(spaces), argument, len(trailing), end, echoed)


class Wiretap(Recorder):
    """A recorder that also keeps the frames of one trial as they went.

    Args:
        clock, follow: as for a Recorder.
    """

    def __init__(self, clock: Clock, follow: Callable[[bytes], None] | None = None) -> None:
        super().__init__(clock, follow)
        self.frames: list[Frame] = []
        self.letters = ""
        """The last state text."""
        self.asked_again = 0

    def sent(self, data: bytes) -> None:
        super().sent(data)
        now_s = self._clock.monotonic()
        self.frames.append(Frame(True, data, now_s, now_s))

    def received(self, data: bytes) -> None:
        super().received(data)
        if not data:
            return
        now_s = self._clock.monotonic()
        answered = [frame for frame in self.frames[-2:] if not frame.sent]
        if answered and answered[0] is not self.frames[-1] and data.lstrip(_ENDS) != data:
            # What belongs behind the `$` of the answer before may come after the next question.
            rest = data.lstrip(_ENDS)
            answered[0].data += data[: len(data) - len(rest)]
            data = rest
        if not data:
            return
        if self.frames and not self.frames[-1].sent:
            self.frames[-1].data += data
            self.frames[-1].until_s = now_s
        else:
            self.frames.append(Frame(False, data, now_s, now_s))
        if letters := _LETTERS.search(self.frames[-1].data):
            self.letters = letters[1].decode("latin-1").rstrip(" ")

    def concluded(self, sentence: str) -> None:
        super().concluded(sentence)
        self.asked_again += sentence.startswith("asked again")

    def evidence(self, since: int = 0, showing: tuple[bytes, ...] = ()) -> list[dict[str, object]]:
        """Frames for a report, since one of them: each of a text with what was sent before it, then the commands with
        what was answered last before them, those that move the motor first, and the last ones."""
        frames = self.frames[since:]
        shown: set[int] = set()
        for text in showing:
            found = next((number for number, one in enumerate(frames) if text in one.data), None)
            if found is not None:
                shown |= {max(0, found - 1), found}
        commands = [number for number, one in enumerate(frames) if one.sent and not one.is_question]
        motions = [number for number in commands if _MOTION.match(frames[number].data)]
        for number in {*motions[-MOST_COMMANDS:], *commands[-MOST_SETTINGS if motions else -MOST_COMMANDS :]}:
            shown |= {max(0, number - 1), number}
        shown |= set(range(max(0, len(frames) - LAST_FRAMES), len(frames)))
        return [frames[number].told() for number in sorted(shown)]

    def exchanges(self) -> Iterator[Exchange]:
        """Each question that was sent alone, with what came before the next frame was sent."""
        for sent, received in zip(self.frames, [*self.frames[1:], None]):
            if sent.sent and sent.is_question:
                if received is None or received.sent:
                    yield Exchange(sent.data, b"", 0.0, 0.0)
                else:
                    first_s, last_s = received.at_s - sent.at_s, received.until_s - sent.at_s
                    yield Exchange(sent.data, received.data, first_s, last_s)
