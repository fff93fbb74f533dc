"""Reports and refusals in words. Pure: values in, lines out.

A report may come from an older daemon: only `status` is relied upon, and not even that much.
"""

from __future__ import annotations

import math

from ..client import Report
from ..constants import CommandStatus, FocuserStatus

# At rest the daemon reads the position about once a second; older than this, something is in its way.
STALE_READING_S = 3.0

# States that the label (OFFLINE, IDLE, MOVING) says already.
PLAIN_STATES = ("disconnected", "idle", "moving")

ADVICE = {
    CommandStatus.Blocked: "Wait for its end, or end it with `focus stop`.",
    CommandStatus.InvalidControlIP: "Run it on one of the control_machines of the daemon's configuration.",
    CommandStatus.NotConnected: "Connect and home it with `focus init`.",
    CommandStatus.NotDisconnected: "Nothing is to be done; to home it again, run `focus kill` first.",
}


def number_in(report: Report, key: str) -> float | None:
    """A finite number of a report, or None where there is none."""
    value = report.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def text_in(report: Report, key: str) -> str:
    """A text of a report on one line without control characters; empty where there is none."""
    value = report.get(key)
    if not isinstance(value, str):
        return ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())


def status_of(report: Report) -> int:
    """The FocuserStatus of a report; -1, which has no label, where it is none."""
    status = report.get("status")
    return status if isinstance(status, int) else -1


def millimetres(value: float) -> str:
    """Three decimals, and never -0.000."""
    return f"{round(value, 3) + 0.0:.3f}"


def status_line(report: Report, formatting: bool = False) -> str:
    """`Focuser is IDLE (2.000 mm)` and its like; with `formatting`, the label in rich markup."""
    return f"Focuser is {FocuserStatus.label(status_of(report), formatting)}{_parenthesis(report)}"


def _parenthesis(report: Report) -> str:
    status = status_of(report)
    if status not in (FocuserStatus.Idle, FocuserStatus.Moving):
        return ""
    current_mm = number_in(report, "current_mm")
    target_mm = number_in(report, "target_mm")
    if current_mm is None:
        return " (position unknown)"
    if status == FocuserStatus.Moving and target_mm is not None:
        return f" ({millimetres(current_mm)} / {millimetres(target_mm)} mm)"
    return f" ({millimetres(current_mm)} mm)"


def detail_lines(report: Report) -> list[str]:
    """What a person should know beyond the status line; nothing on an ordinary night."""
    lines = []
    state = text_in(report, "state")
    if state and state not in PLAIN_STATES:
        lines.append("  state: " + ", ".join([state, *_homing_parts(report)]))
    reason = text_in(report, "reason")
    if reason:
        lines.append(f"  reason: {reason}")
    age_s = number_in(report, "reading_age_s")
    if age_s is not None and age_s > STALE_READING_S:
        lines.append(f"  the position was read {age_s:.0f} s ago: the focuser does not answer")
    return lines


def _homing_parts(report: Report) -> list[str]:
    parts = []
    travelled_mm = number_in(report, "homing_travelled_mm")
    if travelled_mm is not None:
        parts.append(f"{millimetres(travelled_mm)} mm travelled")
    time_left_s = number_in(report, "time_left_s")
    if time_left_s is not None:
        parts.append(f"at most {time_left_s:.1f} s left")
    return parts


def live_parts(report: Report) -> list[str]:
    """The parts of a live line, the most important first: a narrow terminal shows as many as fit."""
    parts = [status_line(report)]
    state = text_in(report, "state")
    leg = text_in(report, "leg")
    if leg or (state and state not in PLAIN_STATES):
        parts.append(leg or state)
    if state == "homing":
        return parts + _homing_parts(report)
    speed_mm_sec = number_in(report, "speed_mm_sec")
    if speed_mm_sec is not None:
        parts.append(f"{speed_mm_sec:+.3f} mm/s")
    time_left_s = number_in(report, "time_left_s")
    if time_left_s is not None:
        parts.append(f"{time_left_s:.1f} s left")
    reason = text_in(report, "reason")
    if reason:
        parts.append(reason)
    return parts


def fitted(parts: list[str], width: int) -> str:
    """As many of the parts as `width` columns hold; the first is cut where even that is too long."""
    line = parts[0][:width]
    for part in parts[1:]:
        if len(line) + 2 + len(part) > width:
            break
        line = f"{line}  {part}"
    return line


def refusal(status: int, report: Report | None = None) -> str:
    """One line for a command that was answered with anything but success: what it means, and what to do."""
    message = CommandStatus.message(status)
    explanation = ADVICE.get(status, "")
    if status == CommandStatus.Failed:
        explanation = _why_failed(report)
    return f"{message}. {explanation}" if explanation else message


def _why_failed(report: Report | None) -> str:
    if report is None:
        return "Look at `focus status`, and into the daemon's log."
    reason = text_in(report, "reason")
    if reason:
        return reason
    if status_of(report) == FocuserStatus.Disabled:
        return "Focuser is OFFLINE. Look into the daemon's log."
    return f"It was stopped, or did not arrive. {status_line(report)}."


def outside_range(asked_for_mm: float, range_mm: float | None, offset: bool, report: Report | None) -> str:
    """One line for a position that the focuser may not go to; `range_mm` is focus_range_mm, where known."""
    message = CommandStatus.message(CommandStatus.PositionOutsideLimits)
    allowed = f"0 and {range_mm:g} mm" if range_mm is not None else "0 mm and focus_range_mm"
    if not offset:
        return f"{message}. {asked_for_mm:g} mm is not between {allowed}."
    target_mm = number_in(report or {}, "target_mm")
    if target_mm is None:
        return f"{message}. The target with {asked_for_mm:+g} mm is not between {allowed}."
    return (
        f"{message}. {target_mm:g} mm {asked_for_mm:+g} mm is {target_mm + asked_for_mm:g} mm, "
        f"which is not between {allowed}."
    )
