"""What the page says of a snapshot."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import rockit.focuser.ok3z as ok3z
from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.planning import Leg
from rockit.focuser.ok3z.servers.panel import view as words
from rockit.focuser.ok3z.servers.panel.view import described, told
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust
from rockit.focuser.ok3z.service.terms import Term

PACKAGE = Path(str(ok3z.__file__)).parent
HOMED = Confidence(Trust.HOMED, "", "2026-11-22T20:00:00Z")
IDLE = Snapshot(State.IDLE, current_steps=12720, target_steps=12720, read_at_s=1.0, confidence=HOMED)


def shown(snapshot: Snapshot, age_s: float | None = 0.2) -> dict[str, Any]:
    return described(snapshot, age_s, 100.0)


def test_at_rest() -> None:
    assert shown(IDLE) == {
        "t": 100.0,
        "state": "idle",
        "words": "IDLE",
        "tone": "well",
        "ready": True,
        "moving": False,
        "position_mm": 2.5,
        "target_mm": 2.5,
        "steps": 12720,
        "detail": "",
        "warnings": [],
        "reason": "",
        "seen": "",
        "age_s": 0.2,
        "trust": "homed",
        "trust_words": "Homed",
        "homed": "2026-11-22 20:00:00 UTC",
        "trust_reason": "",
        "audit": "",
        "temperature": "",
        "sum": "",
        "terms": [],
    }


def test_every_state_has_words_and_a_tone_and_shows_no_position_that_is_not_known_now() -> None:
    for state in State:
        said = shown(replace(IDLE, state=state))
        assert said["words"], state
        assert said["tone"] in ("well", "busy", "act", "broken"), state
        assert json.loads(json.dumps(said)) == said, state
        is_known = state in (State.IDLE, State.MOVING, State.STOPPING)
        position = (said["position_mm"], said["target_mm"], said["steps"])
        assert position == ((2.5, 2.5, 12720) if is_known else (None, None, None)), state
        assert said["ready"] is is_known, state


def test_a_move_shows_where_to_and_how_it_gets_on() -> None:
    leg = Leg(15000, overshoot=True)
    moving = replace(
        IDLE, state=State.MOVING, target_steps=15264, leg=leg, speed_mm_sec=0.4918, time_left_s=3.6
    )
    said = shown(moving)
    assert (said["position_mm"], said["target_mm"], said["moving"]) == (2.5, 3.0, True)
    assert said["detail"] == "overshoot, +0.49 mm/s, 3.6 s left"
    inward = replace(moving, leg=Leg(15000), speed_mm_sec=-0.4918, time_left_s=None)
    assert shown(inward)["detail"] == "approach, \u22120.49 mm/s"


def test_homing_shows_how_far_it_has_come() -> None:
    homing = Snapshot(State.HOMING, homing_travelled_mm=1.234, speed_mm_sec=-0.25, time_left_s=20.0)
    expected = "1.23 mm travelled, at most 20 s left"
    assert shown(homing)["detail"] == expected


def test_a_motor_that_may_run_is_said_before_all_else() -> None:
    lost = Snapshot(State.RECONNECTING, "the port hung up.", time_left_s=3.0, motion_unproven=True)
    said = shown(lost, None)
    assert said["warnings"] == [words.MOTOR_MAY_RUN, words.LINK_LOST]
    assert said["reason"] == "The port hung up."
    assert said["moving"]
    assert said["detail"] == ""


def test_there_is_no_negative_nought() -> None:
    assert str(shown(replace(IDLE, current_steps=0, target_steps=0))["position_mm"]) == "0.0"
    assert str(words.shown_mm(-0)) == "0.0"


def test_an_old_reading_is_said() -> None:
    assert shown(IDLE, 3.1)["warnings"] == ["The focuser does not answer: what is shown is its last reading."]
    assert shown(IDLE, 3.0)["warnings"] == []
    # A fault says in its own words how old the reading is.
    assert shown(Snapshot(State.FAULT), 30.0)["warnings"] == []


def test_a_shortfall_and_a_state_file_that_cannot_be_used_are_said() -> None:
    said = shown(replace(IDLE, shortfall_steps=509, state_file_problem="the disk is full."))
    assert said["warnings"] == [
        "The backlash is not fully taken up: 0.100 mm were lacking.",
        "The disk is full.",
    ]


def test_trust_comes_with_its_reason() -> None:
    resumed = Confidence(Trust.RESUMED, "found as it was left.", "2026-11-22T20:00:00Z")
    said = shown(replace(IDLE, confidence=resumed))
    assert (said["trust_words"], said["homed"]) == ("Resumed", "last homed 2026-11-22 20:00:00 UTC")
    assert said["trust_reason"] == "Found as it was left."
    unknown = shown(Snapshot(confidence=Confidence(reason="never homed.")))
    assert (unknown["trust_words"], unknown["homed"]) == ("Unknown", "")
    assert unknown["trust_reason"] == "Never homed."


def test_the_last_audit_is_said() -> None:
    for lost_steps, expected in (
        (0, "no steps were lost."),
        (51, "it stood 51 steps (0.010 mm) outward of what it said."),
        (-51, "it stood 51 steps (0.010 mm) inward of what it said."),
        (None, "the end of the homing run was not seen, so the lost steps cannot be counted."),
    ):
        audited = replace(IDLE, audit=Audit("2026-11-22T21:00:00Z", "2026-11-22T20:00:00Z", lost_steps))
        assert shown(audited)["audit"] == f"2026-11-22 21:00:00 UTC: {expected}"


def test_the_words_of_state_are_those_of_focus() -> None:
    words = {state: shown(replace(IDLE, state=state))["words"] for state in State}
    assert words[State.IDLE] == "IDLE"
    assert words[State.MOVING] == "MOVING"
    assert words[State.DISCONNECTED] == "OFFLINE"
    assert words[State.RECONNECTING] == "OFFLINE: reconnecting"
    for state in State:
        label = FocuserStatus.label(replace(IDLE, state=state).status)
        assert words[state] in (label, f"{label}: {state.value}")


def test_while_the_link_is_lost_it_says_where_it_was_seen() -> None:
    lost = Snapshot(State.RECONNECTING)
    assert described(lost, None, 112.0, last_seen=(5.0, 100.0))["seen"] == "Last seen at 5.000 mm, 12 s ago."
    assert described(lost, None, 112.0)["seen"] == ""
    assert described(IDLE, 0.2, 112.0, last_seen=(5.0, 100.0))["seen"] == ""


def test_nothing_is_advised_that_is_typed_on_a_terminal() -> None:
    """No sentence of the daemon keeps its command line on the page."""
    sentences = [
        text
        for path in sorted(PACKAGE.glob("*/*.py"))
        if path.parent.name in ("driver", "service", "storage")
        for text in re.findall(r'"([^"]*(?:focus init|\(focus )[^"]*)"', path.read_text(encoding="utf-8"))
    ]
    assert len(sentences) > 15
    for text in sentences:
        assert "focus init" not in told(text, True), text
        assert "(focus" not in told(text, True), text


def test_what_the_temperature_does_or_would_do() -> None:
    shadow = {"active": False, "celsius": 7.5, "says": "it would move by +0.0100 mm, for 7.50 °C."}
    active = {"active": True, "celsius": None, "says": "the term stays as it is: there was no reading yet."}
    told = [described(IDLE, 0.2, 112.0, temperature=values)["temperature"] for values in (shadow, active)]
    assert told == [
        "7.50 °C. Nothing is moved for it (shadow): it would move by +0.0100 mm, for 7.50 °C.",
        "The term stays as it is: there was no reading yet.",
    ]


def test_terms_are_told_with_sum_owner_and_age() -> None:
    terms = (
        Term("filter", 0.12, "camera", 1000.0, 1500.0),
        Term("tilt", -0.05, "me", 1000.0 - 7200.0),
    )
    shown = described(replace(IDLE, terms=terms, base_mm=1.93), 0.2, 112.0, utc_s=1700.0)
    assert shown["sum"] == "1.930 mm and +0.070 mm of terms"
    assert shown["terms"] == ["filter +0.120 mm, camera, 11 min old, over", "tilt -0.050 mm, me, 2 h old"]
    lost = Snapshot(state=State.RECONNECTING, terms=terms)
    assert described(lost, None, 112.0)["sum"] == "an unknown base and +0.070 mm of terms"
    assert described(IDLE, 0.2, 112.0)["sum"] == ""
