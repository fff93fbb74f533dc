"""The record of motions: homing runs and moves with their results, whoever asked for them.

It is made of the snapshots as they are published, each of them and in their order, so no motion is too short for it.
Pure: a record and two snapshots in, a record out. A record is replaced whole and never changed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from .status import Snapshot, State

MOST_MOTIONS = 30
UNANSWERED = "nothing was heard of the focuser for too long."

_BEGINNINGS = (State.HOMING, State.MOVING)


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
        from_steps, to_steps: whence and where to, in steps out; None where that is not known. Homing has no target.
        at_steps: where it stands, in steps out; None while it runs, and where that is not known. After an end that was
            not seen, where it was found once the link was back.
        result: what became of it.
        reason: one sentence for a human, if there is something to say of its end; as that of a snapshot.
        ended_s: when it was seen standing, on the service's clock; None while it runs, and if nobody saw that.
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


Record = tuple[RecordedMotion, ...]
"""The last motions, the newest last."""


def recorded(record: Record, before: Snapshot, snapshot: Snapshot, now_utc: str) -> Record:
    """The record after one more snapshot was published.

    Args:
        record: what it was; the same object is returned where nothing has changed.
        before: what was published before.
        snapshot: what is published now.
        now_utc: UTC time, as published.
    """
    last = record[-1] if record else None
    if last is not None:
        followed = _followed(last, before, snapshot)
        if followed is not last:
            record = (*record[:-1], followed)
        if followed.result is Result.RUNNING:
            return record
    if snapshot.state in _BEGINNINGS:
        number = last.number + 1 if last else 1
        record = (*record[1 - MOST_MOTIONS :], _begun(number, before, snapshot, now_utc))
    return record


def unanswered(record: Record) -> Record:
    """The record where the service does not answer for the focuser any more: a motion that ran may run still."""
    if not record or record[-1].result is not Result.RUNNING:
        return record
    return (*record[:-1], replace(record[-1], result=Result.UNSEEN, reason=UNANSWERED))


def _begun(number: int, before: Snapshot, snapshot: Snapshot, now_utc: str) -> RecordedMotion:
    # Homing takes the position down before it starts.
    start = before if before.state is State.IDLE else snapshot
    homing = snapshot.state is State.HOMING
    return RecordedMotion(
        number=number,
        homing=homing,
        began_at=now_utc,
        from_steps=start.current_steps,
        to_steps=None if homing else snapshot.target_steps,
    )


def _followed(motion: RecordedMotion, before: Snapshot, snapshot: Snapshot) -> RecordedMotion:
    """The last motion in the light of one more snapshot."""
    if motion.result is Result.RUNNING:
        return motion if _is_part_of(motion, snapshot) else _ended(motion, before, snapshot)
    if motion.result is Result.UNSEEN and motion.at_steps is None and snapshot.state is State.IDLE:
        # Nothing else was begun since.
        return replace(motion, at_steps=snapshot.current_steps)
    return motion


def _is_part_of(motion: RecordedMotion, snapshot: Snapshot) -> bool:
    if snapshot.state is State.STOPPING:
        return True
    if motion.homing:
        return snapshot.state is State.HOMING
    return snapshot.state is State.MOVING and snapshot.target_steps == motion.to_steps


def _ended(motion: RecordedMotion, before: Snapshot, snapshot: Snapshot) -> RecordedMotion:
    # A halt that was not proven said why; what lets go of the link afterwards says nothing.
    reason = snapshot.reason or before.reason
    if snapshot.state is State.IDLE:
        # A move that was halted has not arrived, wherever it stands: its caller was told so.
        arrived = before.state is not State.STOPPING
        result = Result.ARRIVED if arrived else Result.SHORT
        return replace(
            motion,
            at_steps=snapshot.current_steps,
            result=result,
            reason=reason,
            ended_s=snapshot.read_at_s,
        )
    result = _without_a_position(snapshot)
    ended_s = None if result is Result.UNSEEN else snapshot.read_at_s
    return replace(motion, result=result, reason=reason, ended_s=ended_s)


def _without_a_position(snapshot: Snapshot) -> Result:
    if snapshot.state is not State.UNHOMED:
        return Result.UNSEEN
    return Result.STOPPED if snapshot.stopped else Result.FAILED
