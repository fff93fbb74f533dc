"""The record of motions: homing runs and moves with their results, whoever asked for them.

It is told that a motion begins and how it ended. The record is replaced whole and never changed, so it is read without
a lock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Callable

MOST_MOTIONS = 30
UNANSWERED = "nothing was heard of the focuser for too long."


class Result(enum.Enum):
    """What became of a motion."""

    RUNNING = "running"
    ARRIVED = "arrived"
    """It was proven to stand at its target; homing, at 0 mm."""
    SHORT = "short"
    """It was halted before its arrival was proven, and its position is known."""
    STOPPED = "stopped"
    """It was halted because somebody wanted that, and its position is not known: a homing run."""
    FAILED = "failed"
    """It stands, and its position is not known."""
    UNSEEN = "unseen"
    """The link was lost or let go before it was proven to stand."""


@dataclass(frozen=True)
class RecordedMotion:
    """One homing run, or one move with all its legs.

    Args:
        number: counts from 1 in one process; the same motion keeps it.
        homing: whether it is a homing run.
        began_at: UTC time, as published.
        from_steps, to_steps: whence and where to, in steps out; None if that is not known. Homing has no target.
        at_steps: where it stands, in steps out; None while it runs, and where that is not known. After an end that was
            not seen, where it was found once the link was back.
        result: what became of it.
        reason: one sentence for a human, if there is something to say of its end; as that of a snapshot.
        ended_s: when it was seen standing, on the service's clock; None while it runs, and if nobody saw that.
        was_stopped: it was halted because somebody wanted that, and not after a fault, whether its position is known or
            not.
    """

    number: int
    homing: bool
    began_at: str
    from_steps: int | None
    to_steps: int | None
    at_steps: int | None = None
    result: Result = Result.RUNNING
    reason: str = ""
    ended_s: float | None = None
    was_stopped: bool = False


Record = tuple[RecordedMotion, ...]
"""The last motions, the newest last."""


class MotionLog:
    """Keeps the record. Belongs to the thread that owns the port; `record` may be read by all.

    Args:
        ended: is told each motion once, when it has a result.
    """

    def __init__(self, ended: Callable[[RecordedMotion], None] = lambda _: None) -> None:
        self._ended = ended
        self.record: Record = ()

    def begins(self, homing: bool, began_at: str, from_steps: int | None, to_steps: int | None) -> None:
        """A motion begins; one that has had no end was not seen to its end."""
        self.unseen("")
        number = self.record[-1].number + 1 if self.record else 1
        motion = RecordedMotion(number, homing, began_at, from_steps, to_steps)
        self.record = (*self.record[1 - MOST_MOTIONS :], motion)

    def stands(
        self,
        result: Result,
        at_steps: int | None,
        reason: str,
        ended_s: float | None,
        was_stopped: bool = False,
    ) -> None:
        """The motor is proven to stand. Ends the motion that runs; one that nobody has seen ending is found there."""
        if not self.record:
            return
        last = self.record[-1]
        if last.result is Result.RUNNING:
            self._replace_last(
                replace(
                    last,
                    result=result,
                    at_steps=at_steps,
                    reason=reason,
                    ended_s=ended_s,
                    was_stopped=was_stopped,
                )
            )
        elif last.result is Result.UNSEEN and last.at_steps is None and at_steps is not None:
            # Nothing else was begun since.
            self._replace_last(replace(last, at_steps=at_steps))

    def unseen(self, reason: str) -> None:
        """Nobody sees the motor any more: the motion that runs has no end that is known."""
        if self.record and self.record[-1].result is Result.RUNNING:
            self._replace_last(replace(self.record[-1], result=Result.UNSEEN, reason=reason))

    def _replace_last(self, motion: RecordedMotion) -> None:
        was_running = self.record[-1].result is Result.RUNNING
        self.record = (*self.record[:-1], motion)
        if was_running:
            self._ended(motion)


def unanswered(record: Record) -> Record:
    """The record where the service does not answer for the focuser any more: a motion that ran may run still."""
    if not record or record[-1].result is not Result.RUNNING:
        return record
    return (*record[:-1], replace(record[-1], result=Result.UNSEEN, reason=UNANSWERED))
