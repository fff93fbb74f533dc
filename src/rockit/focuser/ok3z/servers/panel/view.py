"""A snapshot in words for a tired human. Pure: values in, what the page shows out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...constants import STALE_READING_S, FocuserStatus, utc_for_people
from ...driver.planning import mm_from_steps
from ...errors import whole
from ...service.status import Audit, Snapshot, State, Trust
from ...service.terms import Term

# States that the label (OFFLINE, IDLE, MOVING) says already, as in `focus status`.
PLAIN_STATES = (State.DISCONNECTED, State.IDLE, State.MOVING)
# What the page draws apart from the words: well, busy, somebody must act, broken.
TONES = {
    State.DISCONNECTED: "act",
    State.CONNECTING: "busy",
    State.RECONNECTING: "broken",
    State.HOMING: "busy",
    State.IDLE: "well",
    State.MOVING: "busy",
    State.STOPPING: "busy",
    State.UNHOMED: "act",
    State.FAULT: "broken",
}
TRUST_WORDS = {Trust.HOMED: "Homed", Trust.RESUMED: "Resumed", Trust.UNKNOWN: "Unknown"}

MOTOR_MAY_RUN = "THE MOTOR MAY BE RUNNING: its last motion was not seen to end. Look at the focuser."
LINK_LOST = (
    "The link to the focuser is lost. The daemon opens its port again and again. "
    "Look at the focuser's power, its cable and its adapter."
)
# What a sentence for a terminal advises to type, and what there is instead on the page.
_TYPED = (
    (re.compile(r" \(focus \w+\)"), ""),
    (re.compile(r"`focus init --resume`"), "“Initialise” with “Resume”"),
    (re.compile(r"say so: focus init --new-controller"), "say so on a terminal, once"),
)
_NO_NUMBER = re.compile(r"(nan|inf)\b", re.ASCII)


def described(
    snapshot: Snapshot,
    reading_age_s: float | None,
    now_s: float,
    may_control: bool = False,
    last_seen: tuple[float, float] | None = None,
    utc_s: float = 0.0,
    temperature: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the page shows of a snapshot.

    Args:
        snapshot: what is known.
        reading_age_s: how old it is; None without a link.
        now_s: when it was looked at, on the clock of the history.
        may_control: whether it is for somebody who may read whole sentences.
        last_seen: the last position that was known, in mm, and when that was, on the clock of the history.
        utc_s: when it was looked at, in Unix seconds.
        temperature: what is published of the temperature; None if none is followed.
    """
    ready = snapshot.status != FocuserStatus.Disabled
    return {
        "t": round(now_s, 3),
        "state": snapshot.state.value,
        "words": state_words(snapshot),
        "tone": TONES[snapshot.state],
        "ready": ready,
        "moving": snapshot.motor_may_run,
        "position_mm": position_mm(snapshot),
        "target_mm": target_mm(snapshot),
        "steps": snapshot.current_steps if ready else None,
        "detail": _detail(snapshot),
        "warnings": _warnings(snapshot, reading_age_s),
        "reason": sentence(told(snapshot.reason, may_control)),
        "seen": _last_seen(snapshot, last_seen, now_s),
        "age_s": None if reading_age_s is None else round(reading_age_s, 1),
        "trust": snapshot.confidence.trust.value,
        "trust_words": TRUST_WORDS[snapshot.confidence.trust],
        "homed": _homed(snapshot),
        "trust_reason": sentence(told(snapshot.confidence.reason, may_control)),
        "audit": _audit_sentence(snapshot.audit) if snapshot.audit else "",
        "temperature": _temperature(temperature) if temperature else "",
        "sum": _sum(snapshot, ready),
        "terms": [_term(term, utc_s) for term in snapshot.terms],
    }


def state_words(snapshot: Snapshot) -> str:
    """The state, in the words of `focus status`: its label, and more if there is more to say."""
    label = FocuserStatus.label(snapshot.status)
    return label if snapshot.state in PLAIN_STATES else f"{label}: {snapshot.state.value}"


def position_mm(snapshot: Snapshot) -> float | None:
    """Where the focuser is; None if that is not known."""
    if snapshot.current_steps is None or snapshot.status == FocuserStatus.Disabled:
        return None
    return shown_mm(snapshot.current_steps)


def target_mm(snapshot: Snapshot) -> float | None:
    """Where it shall stand; None if its position is not known."""
    here_mm = position_mm(snapshot)
    if here_mm is None or snapshot.target is None:
        return here_mm
    return shown_mm(snapshot.target.steps) if snapshot.target_mm is None else snapshot.target_mm


def shown_mm(steps: int) -> float:
    """Steps out in mm, to a tenth of a micrometre: half a step."""
    # Not -0.0: it would be shown so.
    return round(mm_from_steps(steps), 4) + 0.0


def _last_seen(snapshot: Snapshot, last_seen: tuple[float, float] | None, now_s: float) -> str:
    """While the link to the focuser is lost nobody knows where it is, but where it was."""
    if snapshot.state is not State.RECONNECTING or last_seen is None:
        return ""
    seen_mm, seen_s = last_seen
    return f"Last seen at {seen_mm:.3f} mm, {now_s - seen_s:.0f} s ago."


def _detail(snapshot: Snapshot) -> str:
    """What a motion is about and how it gets on."""
    if not snapshot.motor_may_run or snapshot.motion_unproven:
        return ""
    parts = []
    if snapshot.leg is not None:
        parts.append("overshoot" if snapshot.leg.overshoot else "approach")
    if snapshot.state is State.HOMING and snapshot.homing_travelled_mm is not None:
        parts.append(f"{snapshot.homing_travelled_mm:.2f} mm travelled")
    elif round(abs(snapshot.speed_mm_sec), 2):
        sign = "+" if snapshot.speed_mm_sec > 0 else "\u2212"
        parts.append(f"{sign}{abs(snapshot.speed_mm_sec):.2f} mm/s")
    if snapshot.time_left_s is not None:
        most = "at most " if snapshot.state is State.HOMING else ""
        left_s = snapshot.time_left_s
        parts.append(f"{most}{left_s:.0f} s left" if left_s >= 10 else f"{most}{left_s:.1f} s left")
    return ", ".join(parts)


def _warnings(snapshot: Snapshot, reading_age_s: float | None) -> list[str]:
    warnings = []
    if snapshot.motion_unproven:
        warnings.append(MOTOR_MAY_RUN)
    if snapshot.state is State.RECONNECTING:
        warnings.append(LINK_LOST)
    elif snapshot.state is not State.FAULT and reading_age_s is not None and reading_age_s > STALE_READING_S:
        warnings.append("The focuser does not answer: what is shown is its last reading.")
    if snapshot.shortfall_steps:
        warnings.append(
            f"The backlash is not fully taken up: {shown_mm(snapshot.shortfall_steps):.3f} mm were lacking."
        )
    if snapshot.state_file_problem:
        warnings.append(sentence(told(snapshot.state_file_problem, True)))
    return warnings


def _homed(snapshot: Snapshot) -> str:
    """When it was homed, if its position rests on that."""
    confidence = snapshot.confidence
    if confidence.trust is Trust.UNKNOWN or not confidence.homed_at:
        return ""
    homed_at = utc_for_people(confidence.homed_at)
    return homed_at if confidence.trust is Trust.HOMED else f"last homed {homed_at}"


def _audit_sentence(audit: Audit) -> str:
    when = utc_for_people(audit.at)
    if audit.lost_steps is None:
        return f"{when}: the end of the homing run was not seen, so the lost steps cannot be counted."
    where = "outward" if audit.lost_steps > 0 else "inward"
    steps = f"{abs(audit.lost_steps)} steps ({shown_mm(abs(audit.lost_steps)):.3f} mm) {where}"
    return (
        f"{when}: it stood {steps} of what it said." if audit.lost_steps else f"{when}: no steps were lost."
    )


def _temperature(values: Mapping[str, Any]) -> str:
    celsius = "" if values["celsius"] is None else f"{values['celsius']:.2f} °C. "
    shadow = "" if values["active"] else "Nothing is moved for it (shadow): "
    says = told(values["says"], True)
    return f"{celsius}{shadow}{says if shadow else sentence(says)}"


def _sum(snapshot: Snapshot, ready: bool) -> str:
    """What the target is made of, if there are terms."""
    if not snapshot.terms:
        return ""
    base = f"{snapshot.base_mm:.3f} mm" if ready and snapshot.base_mm is not None else "an unknown base"
    return f"{base} and {snapshot.terms_mm:+.3f} mm of terms"


def _term(term: Term, utc_s: float) -> str:
    """A term in a line: name, mm, owner, and how long ago it was set."""
    over = term.expires_at is not None and term.expires_at <= utc_s
    age = f"{_age(utc_s - term.set_at)} old{', over' if over else ''}"
    return f"{term.name} {term.mm:+.3f} mm, {term.owner}, {age}"


def _age(seconds: float) -> str:
    """An age in words, as exact as one wants to know it."""
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def told(reason: str, may_control: bool) -> str:
    """A published sentence as its reader may read it, without what can only be typed on a terminal."""
    text = whole(reason) if may_control else str(reason)
    for typed, instead in _TYPED:
        text = typed.sub(instead, text)
    return text


def sentence(text: str) -> str:
    """With a capital letter, as it stands alone on the page. A number that is none is no word."""
    return text if _NO_NUMBER.match(text) else text[:1].upper() + text[1:]
