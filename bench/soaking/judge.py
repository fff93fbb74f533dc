"""The invariants, as pure judgement: what was said, and what was true. A text says what is wrong, None nothing."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Union

from bench.rig import Usage
from rockit.focuser.ok3z.driver.registers import POSITION_TOLERANCE_STEPS

from .truth import STEPS_PER_MM, Truth

Report = Mapping[str, Any]

# One step, and the rounding of what the control socket says.
STEP_MM = 1 / STEPS_PER_MM + 2e-6
# Published millimetres have three decimals.
PUBLISHED_MM = 0.0005
# The switch closes somewhere within a step, in each of two homing runs.
AUDIT_STEPS = 2
# A running motor turns around between two looks.
MOTION_MARGIN_MM = 0.05
# A reading is as old as its last answer; its first question was asked at most so long before.
READING_S = 0.5
# Above what a daemon held once it was warm.
MEMORY_MARGIN_MB = 8.0
THREADS_MARGIN = 2
FILES_MARGIN = 2
# What it may log while its link is away: at once, and from then on.
LINES_AT_ONCE = 12
LINES_A_MINUTE = 20


class Open(enum.Enum):
    """No judgement is possible."""

    UNDECIDED = 1
    """Something began or ended meanwhile."""
    NOT_SAID = 2
    """What could have been wrong was not said."""


Judgement = Union[str, None, Open]


def arrival(
    target_mm: float, report: Report, truth: Truth, forced_mm: float, short_steps: int = 0
) -> str | None:
    """After a 0 of set_focus: the carriage is within a step and the stated backlash remainder of the target, and
    that is no more than what the outer limit forces. A controller that was told to stand short of its targets by
    `short_steps` may do so, as far as the daemon takes that for rounding."""
    shortfall_mm = report.get("backlash_shortfall_mm", 0.0)
    if shortfall_mm > forced_mm + STEP_MM + PUBLISHED_MM:
        return (
            f"set_focus({target_mm}) returned 0 and lacked {shortfall_mm} mm of the backlash; the outer limit "
            f"forced {forced_mm:.4f} mm. The status was {dict(report)}."
        )
    rounded_mm = short_steps / STEPS_PER_MM if short_steps <= POSITION_TOLERANCE_STEPS else 0.0
    allowed_mm = STEP_MM + rounded_mm + (shortfall_mm + PUBLISHED_MM if shortfall_mm else 0.0)
    off_mm = truth.carriage_mm - target_mm
    if abs(off_mm) <= allowed_mm:
        return None
    return (
        f"set_focus({target_mm}) returned 0, and the carriage is at {truth.carriage_mm:.6f} mm: {off_mm:+.6f} mm "
        f"off, at most {allowed_mm:.6f} mm expected. The status was {dict(report)}."
    )


def limits(truth: Truth, innermost_mm: float, outermost_mm: float) -> str | None:
    """The motor was never outside of these, and never met a hard stop."""
    if truth.lowest_mm >= innermost_mm - STEP_MM and truth.highest_mm <= outermost_mm + STEP_MM:
        if not truth.hard_stop_hits:
            return None
        return f"the motor met the end of its travel {truth.hard_stop_hits} times; never was expected."
    return (
        f"the motor has been from {truth.lowest_mm:.6f} to {truth.highest_mm:.6f} mm; "
        f"{innermost_mm:g} to {outermost_mm:g} mm was expected."
    )


def idle(before: Truth, report: Report, after: Truth) -> Judgement:
    """Idle was said, and the motor did not run. Certain only where it ran, or stood, all through the question."""
    if report["status"] != 1:
        return Open.NOT_SAID
    if before.runs != after.runs or before.moving != after.moving:
        return Open.UNDECIDED
    if not before.moving:
        return None
    return (
        f"the status said idle while the motor ran from {before.motor_mm:.4f} to {after.motor_mm:.4f} mm. "
        f"The status was {dict(report)}."
    )


def position(looks: Sequence[Truth], report: Report) -> Judgement:
    """The published position is the motor's: of one at rest to the step, of a running one somewhen since the
    reading was begun.

    Args:
        looks: what was true, looked at again and again; the question for the status lies between the last two.
        report: what was said.
    """
    before, after = looks[-2], looks[-1]
    if report["status"] == 0:
        return Open.NOT_SAID
    if report["status"] == 1:
        seen: Sequence[Truth] = [before, after]
        if not _stood(seen):
            return Open.UNDECIDED
    else:
        begun_s = before.at_s - report.get("reading_age_s", 0.0) - READING_S
        seen = _since(looks, begun_s)
        if seen[0].at_s > begun_s:
            return Open.UNDECIDED
    margin_mm = STEP_MM if _stood(seen) else MOTION_MARGIN_MM + _longest_unseen_way_mm(seen)
    said_mm = report["current_steps"] / STEPS_PER_MM
    low_mm, high_mm = min(look.motor_mm for look in seen), max(look.motor_mm for look in seen)
    if low_mm - margin_mm <= said_mm <= high_mm + margin_mm:
        return None
    return (
        f"the status said {said_mm:.6f} mm; the motor was from {low_mm:.6f} to {high_mm:.6f} mm in the last "
        f"{after.at_s - seen[0].at_s:.3f} s, and {margin_mm:.6f} mm beside that were allowed. "
        f"The status was {dict(report)}."
    )


def _since(looks: Sequence[Truth], at_s: float) -> Sequence[Truth]:
    """The last look before a moment and all later ones."""
    earlier = [number for number, look in enumerate(looks) if look.at_s <= at_s]
    return looks[earlier[-1] if earlier else 0 :]


def _stood(looks: Sequence[Truth]) -> bool:
    """Whether the motor stood all the time."""
    first = looks[0]
    return all(
        (look.moving, look.runs, look.motor_mm) == (False, first.runs, first.motor_mm) for look in looks
    )


def _longest_unseen_way_mm(looks: Sequence[Truth]) -> float:
    """How far the motor may have been outside of what two looks saw."""
    return max(
        abs(later.motor_mm - look.motor_mm) + look.speed_mm_s * (later.at_s - look.at_s)
        for look, later in zip(looks, looks[1:])
    )


def audit(lost_steps: int, report: Report) -> str | None:
    """An audit finds the steps that were lost."""
    found = report.get("audit", {}).get("lost_steps")
    if found is not None and abs(found - lost_steps) <= AUDIT_STEPS:
        return None
    return f"{lost_steps} steps were lost, and the audit found {found}. The status was {dict(report)}."


def standstill(first: Truth, second: Truth) -> str | None:
    """After a 0 of stop, at two moments: the motor stands."""
    if not (first.moving or second.moving) and first.motor_mm == second.motor_mm:
        return None
    return (
        f"stop returned 0, and then the motor was at {first.motor_mm:.6f} mm (moving: {first.moving}) and at "
        f"{second.motor_mm:.6f} mm (moving: {second.moving})."
    )


def honest(report: Report) -> str | None:
    """Offline comes with a reason."""
    if report["status"] != 0 or report.get("reason"):
        return None
    return f"the status said offline without a reason: {dict(report)}."


def resources(warm: Usage, now: Usage) -> str | None:
    """A daemon holds no more than when it was warm."""
    grown = (
        now.rss_mb > warm.rss_mb + MEMORY_MARGIN_MB
        or now.threads > warm.threads + THREADS_MARGIN
        or now.files > warm.files + FILES_MARGIN
    )
    if not grown:
        return None
    return (
        f"the daemon held {warm} when it was warm, and holds {now}; at most {MEMORY_MARGIN_MB:g} MB, "
        f"{THREADS_MARGIN} threads and {FILES_MARGIN} files more were expected."
    )


def log_lines(lines: int, seconds: float) -> str | None:
    """The log is not flooded while a link is away."""
    allowed = LINES_AT_ONCE + LINES_A_MINUTE * seconds / 60
    if lines <= allowed:
        return None
    return (
        f"{lines} lines were logged in {seconds:.1f} s without a link; at most {allowed:.0f} were expected."
    )
