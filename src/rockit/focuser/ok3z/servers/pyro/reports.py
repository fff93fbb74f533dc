"""What is published of a snapshot, as dicts of plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Callable

from ...constants import UTC_FORMAT, FocuserStatus
from ...driver.planning import mm_from_steps
from ...errors import whole
from ...service.motion_log import Record, RecordedMotion, Result
from ...service.status import Snapshot, State, Trust, notable_ratio
from ...version import VERSION


def report(
    snapshot: Snapshot,
    reading_age_s: float | None,
    now: datetime,
    may_control: bool = False,
    alpaca_problem: str = "",
    range_mm: float | None = None,
    temperature: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The published dict of a snapshot. Keys of the contract first; the others are additions.

    Args:
        snapshot: what is known.
        reading_age_s: how old it is; None without a link.
        now: the time of the report, UTC.
        may_control: whether it is for somebody who may read whole sentences.
        alpaca_problem: why Alpaca programs are not served though they should be; empty if they are.
        range_mm: the outermost position that may be asked for.
        temperature: how the focus follows the temperature; None: it does not.
    """
    # In either case a plain str: serpent knows no others.
    told: Callable[[str], str] = whole if may_control else str
    answer: dict[str, Any] = {
        "date": now.strftime(UTC_FORMAT),
        "status": snapshot.status,
        "status_label": FocuserStatus.label(snapshot.status),
        "state": snapshot.state.value,
        "moving": snapshot.motor_may_run,
    }
    if snapshot.reason:
        answer["reason"] = told(snapshot.reason)
    if reading_age_s is not None:
        answer["reading_age_s"] = round(reading_age_s, 3)
    if snapshot.motor_may_run and not snapshot.motion_unproven:
        answer |= _motion_keys(snapshot)
    if snapshot.status != FocuserStatus.Disabled:
        answer |= _position_keys(snapshot)
    answer |= _trust_keys(snapshot, told) | _rate_keys(snapshot)
    if alpaca_problem:
        answer["alpaca_problem"] = told(alpaca_problem)
    if range_mm is not None:
        answer["focus_range_mm"] = range_mm
    if temperature is not None:
        answer["temperature"] = temperature
    answer["base_mm"] = None if snapshot.status == FocuserStatus.Disabled else snapshot.base_mm
    answer["terms_mm"] = snapshot.terms_mm
    return answer | {"version": VERSION}


def _trust_keys(snapshot: Snapshot, told: Callable[[str], str]) -> dict[str, Any]:
    confidence = snapshot.confidence
    keys: dict[str, Any] = {"position_trust": confidence.trust.value}
    if confidence.homed_at:
        keys["homed_at"] = confidence.homed_at
    if confidence.reason:
        keys["trust_reason"] = told(confidence.reason)
    if snapshot.audit is not None:
        lost_steps = snapshot.audit.lost_steps
        keys["audit"] = {
            "date": snapshot.audit.at,
            "since": snapshot.audit.since or None,
            "lost_steps": lost_steps,
            "lost_mm": None if lost_steps is None else _published_mm(lost_steps),
        }
    if snapshot.state_file_problem:
        keys["state_file_problem"] = snapshot.state_file_problem
    return keys


def _rate_keys(snapshot: Snapshot) -> dict[str, float]:
    ratios = snapshot.ratios
    if ratios is None:
        return {}
    told = {"rate_ratio": notable_ratio(ratios.legs), "homing_rate_ratio": notable_ratio(ratios.homing)}
    return {key: ratio for key, ratio in told.items() if ratio is not None}


def _position_keys(snapshot: Snapshot) -> dict[str, Any]:
    current_steps = snapshot.current_steps or 0
    keys: dict[str, Any] = {
        "current_mm": _published_mm(current_steps),
        "target_mm": _published_target_mm(snapshot, current_steps),
        "current_steps": current_steps,
    }
    if snapshot.shortfall_steps:
        keys["backlash_shortfall_mm"] = _published_mm(snapshot.shortfall_steps)
    return keys


def _motion_keys(snapshot: Snapshot) -> dict[str, Any]:
    keys: dict[str, Any] = {"speed_mm_sec": round(snapshot.speed_mm_sec, 3)}
    if snapshot.time_left_s is not None:
        keys["time_left_s"] = round(snapshot.time_left_s, 1)
    if snapshot.leg is not None:
        keys["leg"] = "overshoot" if snapshot.leg.overshoot else "approach"
    if snapshot.state is State.HOMING and snapshot.homing_travelled_mm is not None:
        keys["homing_travelled_mm"] = round(snapshot.homing_travelled_mm, 3)
    return keys


def _published_target_mm(snapshot: Snapshot, current_steps: int) -> float:
    """What was asked for, to the last digit: sweeps compare it as text."""
    if snapshot.target_mm is not None:
        return snapshot.target_mm
    return _published_mm(current_steps if snapshot.target_steps is None else snapshot.target_steps)


def _published_mm(steps: int) -> float:
    # Not -0.0: it would be printed so.
    return round(mm_from_steps(steps), 3) + 0.0


def measurement(
    snapshot: Snapshot, motions: Record, settled_s: float | None, now: datetime
) -> dict[str, Any]:
    """What loggers and environment monitors take: every key always, each value with whether it is valid.

    Args:
        snapshot: what is known.
        motions: the motions that belong to it.
        settled_s: how long ago the last motion was seen to end, in seconds; None if that is not known.
        now: the time of the report, UTC.
    """
    known = snapshot.status != FocuserStatus.Disabled
    position = _position_keys(snapshot) if known else {}
    last = last_ended(motions)
    values: dict[str, tuple[Any, Any]] = {
        # What to say of each, and in its place if it is not known.
        "current_mm": (position.get("current_mm"), 0.0),
        "current_steps": (position.get("current_steps"), 0),
        "target_mm": (position.get("target_mm"), 0.0),
        "moving": (snapshot.motor_may_run, False),
        "homed": (
            None if snapshot.state is State.FAULT else snapshot.confidence.trust is not Trust.UNKNOWN,
            False,
        ),
        "position_trust": (snapshot.confidence.trust.value, ""),
        "settled_s": (
            None if settled_s is None or snapshot.motor_may_run else round(settled_s, 3),
            0.0,
        ),
        "last_from_mm": (_mm_or_none(last.from_steps if last else None), 0.0),
        "last_to_mm": (_mm_or_none(last.at_steps if last else None), 0.0),
    }
    answer: dict[str, Any] = {"date": now.strftime(UTC_FORMAT)}
    for key, (value, instead) in values.items():
        answer[key] = instead if value is None else value
        answer[f"{key}_valid"] = value is not None
    return answer


def last_ended(motions: Record) -> RecordedMotion | None:
    """The last motion that has ended."""
    return next((motion for motion in reversed(motions) if motion.result is not Result.RUNNING), None)


def _mm_or_none(steps: int | None) -> float | None:
    return None if steps is None else _published_mm(steps)
