"""Reports and refusals in words. Pure: values in, lines out.

A report may come from an older daemon: only `status` is relied upon, and not even that much.
"""

from __future__ import annotations

from ..client.calls import Report
from ..client.report import number_in, printable, status_of, text_in
from ..constants import STALE_READING_S, CommandStatus, FocuserStatus, utc_for_people

# States that the label (OFFLINE, IDLE, MOVING) says already.
PLAIN_STATES = ("disconnected", "idle", "moving")
# States without a link to the controller.
LINKLESS_STATES = ("disconnected", "connecting", "reconnecting")

# The switch of a good focuser repeats to that. (Homing itself bears more, watch.SWITCH_REPEAT_STEPS.)
SWITCH_MARGIN_STEPS = 32

ADVICE = {
    CommandStatus.Blocked: "Wait for its end, or end it with `focus stop`.",
    CommandStatus.InvalidControlIP: "Run it on one of the control_machines of the daemon's configuration.",
    CommandStatus.NotConnected: "Connect and home it with `focus init`.",
    CommandStatus.NotDisconnected: "Nothing is to be done; to home it again, run `focus audit`.",
}
RECONNECTING = "Its link is lost; the daemon opens the port again and again."
LOOK_AT_LINK = "Look at the cable and the power."


def millimetres(value: float) -> str:
    """Three decimals, and never -0.000."""
    return f"{round(value, 3) + 0.0:.3f}"


def status_line(report: Report, formatting: bool = False) -> str:
    """`Focuser is IDLE (2.000 mm)` and its like; with `formatting`, the label in rich markup."""
    return f"Focuser is {FocuserStatus.label(status_of(report), formatting)}{_parenthesis(report)}"


def _parenthesis(report: Report) -> str:
    position = position_text(report)
    return f" ({position})" if position else ""


def position_text(report: Report) -> str:
    """`2.000 mm`, or `1.234 / 2.000 mm` while it moves to the latter; empty if it is offline."""
    status = status_of(report)
    if status not in (FocuserStatus.Idle, FocuserStatus.Moving):
        return ""
    current_mm = number_in(report, "current_mm")
    target_mm = number_in(report, "target_mm")
    if current_mm is None:
        return "position unknown"
    if status == FocuserStatus.Moving and target_mm is not None:
        return f"{millimetres(current_mm)} / {millimetres(target_mm)} mm"
    return f"{millimetres(current_mm)} mm"


def detail_lines(report: Report) -> list[str]:
    """What a person should know beyond the status line; nothing on an ordinary night."""
    lines = []
    state = text_in(report, "state")
    if state and state not in PLAIN_STATES:
        lines.append("  state: " + ", ".join([state, *_state_parts(report)]))
    if lacks_link(report) and report.get("moving") is True:
        lines.append("  THE MOTOR MAY BE RUNNING: its last motion was not seen to end")
    reason = text_in(report, "reason")
    if reason:
        lines.append(f"  reason: {reason}")
    return [*lines, *(f"  {part}" for part in _stale_parts(report))]


def _stale_parts(report: Report) -> list[str]:
    age_s = number_in(report, "reading_age_s")
    if age_s is None or age_s <= STALE_READING_S:
        return []
    return [f"the position was read {age_s:.0f} s ago: the focuser does not answer"]


def _state_parts(report: Report) -> list[str]:
    if text_in(report, "state") == "reconnecting":
        return ["the daemon keeps trying by itself"]
    return _homing_parts(report)


def _homing_parts(report: Report) -> list[str]:
    parts = []
    travelled_mm = number_in(report, "homing_travelled_mm")
    if travelled_mm is not None:
        parts.append(f"{millimetres(travelled_mm)} mm travelled")
    elif leaves_switch(report):
        parts.append("leaving the limit switch, to come to it once more")
    time_left_s = number_in(report, "time_left_s")
    if time_left_s is not None:
        parts.append(f"at most {time_left_s:.1f} s left")
    return parts


def leaves_switch(report: Report) -> bool:
    """Whether a homing has met the limit switch, and runs away from it to come to it once more."""
    outward = (number_in(report, "speed_mm_sec") or 0.0) > 0
    return text_in(report, "state") == "homing" and "homing_travelled_mm" not in report and outward


def status_lines(report: Report) -> list[str]:
    """What a person who asks for the status should know as well: how far to trust it, and what to do."""
    lines = [*_trust_lines(report), *_advice_lines(report)]
    problems = [text_in(report, key) for key in ("state_file_problem", "alpaca_problem")]
    return lines + [f"  {problem}" for problem in problems if problem]


def _trust_lines(report: Report) -> list[str]:
    trust = text_in(report, "position_trust")
    reason = text_in(report, "trust_reason")
    if trust in ("", "homed"):
        return []
    if reason == text_in(report, "reason"):
        # It has been said already.
        reason = ""
    if status_of(report) != FocuserStatus.Disabled:
        return [f"  position {trust}{_last_homed(report)}{_in_parentheses(reason)}"]
    return [f"  position {trust}: {reason}"] if reason else []


def _last_homed(report: Report) -> str:
    homed_at = utc_for_people(text_in(report, "homed_at"))
    return f", last homed {homed_at}" if homed_at else ""


def _in_parentheses(sentence: str) -> str:
    return f" ({sentence.rstrip('.')})" if sentence else ""


def _advice_lines(report: Report) -> list[str]:
    state = text_in(report, "state")
    if state == "reconnecting":
        return ["  look at its power, its cable and its adapter"]
    said = text_in(report, "reason") + text_in(report, "trust_reason")
    if state not in ("disconnected", "unhomed") or "focus init" in said:
        return []
    return [
        "  connect and home it with `focus init`"
        if state == "disconnected"
        else "  home it with `focus init`"
    ]


def lacks_link(report: Report) -> bool:
    """Whether the daemon says that it has no link to the controller."""
    return text_in(report, "state") in LINKLESS_STATES


def unproven_standstill(report: Report) -> str:
    """What to say of a stop that reached no controller."""
    reason = text_in(report, "reason")
    answers = "not seen standing" in reason
    sentences = ["There is no link to the focuser, so whether its motor stands cannot be told: look at it."]
    if answers:
        sentences = ["The motor was told to stop and does not say that it stands: look at it."]
    if reason:
        sentences.append(f"{reason[0].upper()}{reason[1:]}")
    if text_in(report, "state") == "reconnecting":
        sentences.append(
            f"The daemon keeps {'halting it' if answers else 'trying to get the link back'} by itself."
        )
    elif "focus init" not in reason:
        sentences.append("Connect with `focus init`.")
    return " ".join(sentences)


def initialized(report: Report, resume: bool, restore: bool) -> str:
    """What came of an `init`, of which it was asked to resume, or to restore the position, or both."""
    sentences = [_how_initialized(report, resume)]
    current_mm = number_in(report, "current_mm")
    if restore and current_mm is not None:
        why = "" if round(current_mm, 3) else ": there was no other position to return to"
        sentences.append(f"It stands at {millimetres(current_mm)} mm{why}.")
    return " ".join(sentences)


def _how_initialized(report: Report, resume: bool) -> str:
    trust = text_in(report, "position_trust")
    reason = _in_parentheses(text_in(report, "trust_reason"))
    homed_at = utc_for_people(text_in(report, "homed_at")) or "an unknown time"
    if trust == "resumed":
        return f"Resumed, last homed at {homed_at}{reason}."
    if trust != "homed":
        return "The daemon does not say whether it has homed."
    if resume and not reason:
        return f"It could not be resumed, so it was homed, at {homed_at}. The daemon's log says why."
    return f"Homed at {homed_at}{reason}."


def audited(report: Report) -> str:
    """What an audit found, what that means, and what to do."""
    audit = report.get("audit")
    lost_steps = number_in(audit, "lost_steps") if isinstance(audit, dict) else None
    if isinstance(audit, dict) and "lost_steps" in audit and audit["lost_steps"] is None:
        return (
            "Audit: the end of the homing run was not seen, so the lost steps cannot be counted. Audit again."
        )
    if not isinstance(audit, dict) or lost_steps is None:
        return "Audit: the daemon does not say how many steps were lost."
    since = utc_for_people(text_in(audit, "since"))
    period = f"since the homing at {since}" if since else "since the last homing"
    if not lost_steps:
        return f"Audit: no steps were lost {period}."
    lost_mm = number_in(audit, "lost_mm")
    length = "" if lost_mm is None else f" ({millimetres(abs(lost_mm))} mm)"
    steps = f"{abs(lost_steps):.0f} step{'s' if abs(lost_steps) != 1 else ''}{length}"
    if abs(lost_steps) <= SWITCH_MARGIN_STEPS:
        return f"Audit: {steps} of difference {period}. The limit switch repeats no better: nothing was lost."
    where = "out" if lost_steps > 0 else "in"
    return (
        f"Audit: {steps} were lost {period}: the focuser stood further {where} than it said. Now its position is "
        "right. Look at the load on the drive, at the motor's power, and at speed_mm_sec and acceleration_mm_sec_sec."
    )


def live_parts(report: Report) -> list[str]:
    """The parts of a live line, the most important first: a narrow terminal shows as many as fit."""
    return [status_line(report), *_details(report)]


def table_parts(report: Report) -> list[str]:
    """The label of a focuser among several, and what there is to say of it."""
    position = position_text(report)
    label = FocuserStatus.label(status_of(report))
    return [label, *([position] if position else []), *_details(report), *_stale_parts(report)]


def as_json(value: object) -> str:
    """Reports as one line of JSON, with null for the numbers that JSON does not have."""
    import json

    return json.dumps(_with_null_for_no_number(value), default=str, allow_nan=False)


def _with_null_for_no_number(value: object) -> object:
    """JSON has no NaN and no infinities."""
    if isinstance(value, dict):
        return {str(key): _with_null_for_no_number(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_null_for_no_number(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def _details(report: Report) -> list[str]:
    parts = []
    state = text_in(report, "state")
    leg = text_in(report, "leg")
    if leg or (state and state not in PLAIN_STATES):
        parts.append(leg or state)
    if state == "homing":
        return parts + _homing_parts(report)
    if lacks_link(report):
        return parts + _linkless_parts(report)
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


def _linkless_parts(report: Report) -> list[str]:
    warning = "THE MOTOR MAY BE RUNNING" if report.get("moving") is True else ""
    return [part for part in (warning, text_in(report, "reason")) if part]


def fitted(parts: list[str], width: int) -> str:
    """As many of the parts as `width` columns hold; the first is cut if even that is too long."""
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
    elif status == CommandStatus.NotConnected and report is not None:
        explanation = _why_not_connected(report)
    return f"{message}. {explanation}" if explanation else message


def _why_not_connected(report: Report) -> str:
    state = text_in(report, "state")
    if state == "unhomed":
        return "It is connected, but its position is not known: home it with `focus init`."
    if state == "reconnecting":
        return f"{RECONNECTING} {LOOK_AT_LINK}"
    return ADVICE[CommandStatus.NotConnected]


def _why_failed(report: Report | None) -> str:
    if report is None:
        return "Look at `focus status`, and into the daemon's log."
    reason = text_in(report, "reason")
    if reason:
        return " ".join([f"{reason[0].upper()}{reason[1:]}", *_running(report), *_reconnecting(report)])
    if status_of(report) == FocuserStatus.Disabled:
        return " ".join(["Focuser is OFFLINE. Look into the daemon's log.", *_running(report)])
    return f"It was stopped, or did not arrive. {status_line(report)}."


def _running(report: Report) -> list[str]:
    if lacks_link(report) and report.get("moving") is True:
        return ["THE MOTOR MAY BE RUNNING: `focus stop` tries to halt it."]
    return []


def _reconnecting(report: Report) -> list[str]:
    if text_in(report, "state") != "reconnecting":
        return []
    return [RECONNECTING] if "Look at" in text_in(report, "reason") else [RECONNECTING, LOOK_AT_LINK]


def outside_range(
    asked_for_mm: float, configured_mm: float | None, offset: bool, report: Report | None, file: str = ""
) -> str:
    """One line for a position that the focuser may not go to.

    Args:
        asked_for_mm: the position, or with `offset` the distance.
        configured_mm: focus_range_mm of the configuration on this machine, if known: it counts if the daemon does not
            say its own.
        report: what the daemon reports, if it does.
        file: where that configuration is.
    """
    message = CommandStatus.message(CommandStatus.PositionOutsideLimits)
    range_mm = number_in(report or {}, "focus_range_mm")
    differs = ""
    if range_mm is None:
        range_mm = configured_mm
    elif configured_mm not in (None, range_mm):
        differs = f" ({printable(file)} says {configured_mm:g} mm, which the daemon does not use.)"
    allowed = f"0 and {range_mm:g} mm" if range_mm is not None else "0 mm and focus_range_mm"
    if not offset:
        return f"{message}. {asked_for_mm:g} mm is not between {allowed}.{differs}"
    target_mm = number_in(report or {}, "target_mm")
    if target_mm is None:
        return f"{message}. The target with {asked_for_mm:+g} mm is not between {allowed}.{differs}"
    return (
        f"{message}. {target_mm:g} mm {asked_for_mm:+g} mm is {target_mm + asked_for_mm:g} mm, "
        f"which is not between {allowed}.{differs}"
    )
