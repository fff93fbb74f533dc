"""What went over the wire, as the virtual controller saw it: when commands came, and how long the line was busy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

BAUD = 38400
# 8N1: a start bit, eight bits, a stop bit.
BYTE_S = 10 / BAUD

TO_CONTROLLER, TO_HOST = ">", "<"
HALT, GO_TO = "P021", "P092"


@dataclass(frozen=True)
class Line:
    """One frame. Frames to the controller have the time at which their last byte was there; answers the time at
    which their first byte goes out. Times are those of the machine's monotonic clock, in seconds."""

    at_s: float
    direction: str
    text: str

    @property
    def code(self) -> str:
        """Such as P092."""
        return self.text[1:5]

    @property
    def wire_s(self) -> float:
        """How long its bytes take on the line."""
        return len(self.text) * BYTE_S

    @property
    def begin_s(self) -> float:
        """When its first byte is on the line."""
        return self.at_s if self.direction == TO_HOST else self.at_s - self.wire_s

    @property
    def end_s(self) -> float:
        """When its last byte has gone over the line."""
        return self.begin_s + self.wire_s


class WireLog:
    """The frames of a stretch of time, of the virtual controller's trace as its control socket gives it."""

    def __init__(self, trace: Sequence[Sequence[Any]]) -> None:
        self.lines = [Line(float(at_s), direction, text) for at_s, direction, text, _ in trace]

    def times_s(self, code: str, since_s: float = 0.0) -> list[float]:
        """When frames with this code reached the controller."""
        return [
            line.at_s
            for line in self.lines
            if line.direction == TO_CONTROLLER and line.code == code and line.at_s >= since_s
        ]

    def between(self, from_s: float, to_s: float) -> list[Line]:
        """The frames of a stretch of time."""
        return [line for line in self.lines if from_s <= line.at_s <= to_s]

    def busy_s(self, from_s: float, to_s: float) -> float:
        """For how much of a stretch of time, in seconds, bytes were on the line, in either direction.

        Of a frame that was under way when the stretch began or ended, only what lies within counts.
        """
        busy_s, counted_until_s = 0.0, from_s
        for line in sorted(self.lines, key=lambda line: line.begin_s):
            end_s = min(line.end_s, to_s)
            busy_s += max(0.0, end_s - max(line.begin_s, counted_until_s))
            counted_until_s = max(counted_until_s, end_s)
        return busy_s


def questions(lines: Iterable[Line]) -> int:
    """How many of these frames are questions: all that go to the controller and move nothing."""
    return sum(line.direction == TO_CONTROLLER and line.text.endswith("F$\n") for line in lines)


def longest_exchange_s(lines: Sequence[Line]) -> float:
    """The longest question with its answer, in seconds on the line."""
    return max(
        (
            question.wire_s + answer.wire_s
            for question, answer in zip(lines, lines[1:])
            if question.direction == TO_CONTROLLER and answer.direction == TO_HOST
        ),
        default=0.0,
    )
