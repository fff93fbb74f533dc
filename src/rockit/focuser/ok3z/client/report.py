"""Reads a status report, which may come from a daemon of any version.

Pure. A value that is absent, or not of the kind that was expected, is as good as none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..constants import FocuserStatus


def number_in(report: Mapping[str, Any], key: str) -> float | None:
    """A finite number of a report, or None if there is none."""
    value = report.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def text_in(report: Mapping[str, Any], key: str) -> str:
    """A text of a report on one line without control characters; empty if there is none."""
    value = report.get(key)
    if not isinstance(value, str):
        return ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())


def status_of(report: Mapping[str, Any]) -> int:
    """The FocuserStatus of a report; -1, which has no label, if it is none."""
    status = report.get("status")
    return status if isinstance(status, int) and not isinstance(status, bool) else -1


@dataclass(frozen=True)
class Status:
    """One status report. What the daemon did not say is None, or empty for a text.

    Args:
        status: a FocuserStatus: 0 offline, 1 idle, 2 moving.
        date: UTC time of the report, `2026-11-22T20:00:00Z`.
        state: `idle`, `moving`, `homing`, `unhomed` and so on, as in docs/pyro.md.
        moving: whether the motor may be running.
        reason: one sentence: why it is offline, what went wrong last, or that it was stopped.
        current_mm, target_mm: where it stands or is, and where it shall stand; None while it is offline.
        current_steps: whole steps outward from the inner limit switch.
        speed_mm_sec: measured, positive outward.
        time_left_s: until the running command ends; while homing, at worst.
        reading_age_s: how old the reading is.
        position_trust: `homed`, `resumed` or `unknown`.
        homed_at: UTC time of the homing that the position rests on.
        lost_steps: what the last audit found; None if there was none, or if its end was not seen.
        version: of the daemon.
        report: everything that the daemon said, with keys of tomorrow too.
    """

    status: int
    date: str = ""
    state: str = ""
    moving: bool = False
    reason: str = ""
    current_mm: float | None = None
    target_mm: float | None = None
    current_steps: int | None = None
    speed_mm_sec: float | None = None
    time_left_s: float | None = None
    reading_age_s: float | None = None
    position_trust: str = ""
    homed_at: str = ""
    lost_steps: int | None = None
    version: str = ""
    report: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Status:
        """What a report says."""
        audit = report.get("audit")
        moving = report.get("moving")
        return cls(
            status=status_of(report),
            date=text_in(report, "date"),
            state=text_in(report, "state"),
            # Earlier daemons have no such key.
            moving=moving if isinstance(moving, bool) else status_of(report) == FocuserStatus.Moving,
            reason=text_in(report, "reason"),
            current_mm=number_in(report, "current_mm"),
            target_mm=number_in(report, "target_mm"),
            current_steps=_whole_number_in(report, "current_steps"),
            speed_mm_sec=number_in(report, "speed_mm_sec"),
            time_left_s=number_in(report, "time_left_s"),
            reading_age_s=number_in(report, "reading_age_s"),
            position_trust=text_in(report, "position_trust"),
            homed_at=text_in(report, "homed_at"),
            lost_steps=_whole_number_in(audit, "lost_steps") if isinstance(audit, dict) else None,
            version=text_in(report, "version"),
            report=report,
        )

    @property
    def label(self) -> str:
        """`OFFLINE`, `IDLE` or `MOVING`."""
        return FocuserStatus.label(self.status)

    @property
    def idle(self) -> bool:
        """Whether it is at rest at a known position, and answers."""
        return self.status == FocuserStatus.Idle


def _whole_number_in(report: Mapping[str, Any], key: str) -> int | None:
    number = number_in(report, key)
    return int(number) if number is not None and number.is_integer() else None
