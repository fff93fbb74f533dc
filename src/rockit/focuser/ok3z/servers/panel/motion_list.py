"""The service's record of motions in words, for the page."""

from __future__ import annotations

from typing import Any

from ...constants import utc_for_people
from ...service.motion_log import Record, RecordedMotion, Result
from .view import sentence, shown_mm, told


class MotionList:
    """The record as it was last looked at."""

    def __init__(self) -> None:
        self._record: Record = ()

    def see(self, record: Record) -> bool:
        """Take in the record. Whether it has changed."""
        changed = record != self._record
        self._record = record
        return changed

    def shown(self, may_control: bool = False) -> list[dict[str, Any]]:
        """What the page shows, the newest first; `may_control`: to somebody who may read whole sentences."""
        return [_shown(motion, may_control) for motion in reversed(self._record)]


def _shown(motion: RecordedMotion, may_control: bool) -> dict[str, Any]:
    return {
        "number": motion.number,
        "at": utc_for_people(motion.began_at),
        "what": "Homing" if motion.homing else f"{_mm(motion.from_steps)} → {_mm(motion.to_steps)}",
        "result": motion.result.value,
        "words": _result_words(motion),
        "reason": sentence(told(motion.reason, may_control)),
    }


def _result_words(motion: RecordedMotion) -> str:
    if motion.result is Result.ARRIVED:
        return "homed" if motion.homing else "arrived"
    if motion.result is Result.SHORT:
        return f"ended at {_mm(motion.at_steps)}"
    if motion.result is Result.UNSEEN:
        found = "" if motion.at_steps is None else f", found at {_mm(motion.at_steps)}"
        return f"end not seen{found}"
    return "under way" if motion.result is Result.RUNNING else motion.result.value


def _mm(steps: int | None) -> str:
    return "?" if steps is None else f"{shown_mm(steps):.3f}"
