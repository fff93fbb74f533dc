"""The dict that is published of a state."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.planning import Leg
from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.servers.pyro import report
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust
from rockit.focuser.ok3z.version import VERSION

NOW = datetime(2026, 11, 22, 20, 1, 2, 999999, tzinfo=timezone.utc)


PUBLIC_STATUS = {
    State.DISCONNECTED: 0,
    State.CONNECTING: 0,
    State.RECONNECTING: 0,
    State.HOMING: 0,
    State.UNHOMED: 0,
    State.FAULT: 0,
    State.IDLE: 1,
    State.MOVING: 2,
    State.STOPPING: 2,
}
LABELS = {0: "OFFLINE", 1: "IDLE", 2: "MOVING"}
# What may be told of any state, and what is told of it.
DETAILS: dict[str, Any] = {
    "reason": "why",
    "current_steps": 5088,
    "target_steps": 10176,
    "leg": Leg(30528, overshoot=True),
    "speed_mm_sec": 0.49183,
    "time_left_s": 1.26,
    "homing_travelled_mm": 2.34567,
    "shortfall_steps": 1272,
    "read_at_s": 1.0,
}
POSITION = {"current_mm": 1.0, "target_mm": 2.0, "current_steps": 5088, "backlash_shortfall_mm": 0.25}
MOTION = {"speed_mm_sec": 0.492, "time_left_s": 1.3, "leg": "overshoot"}


def test_the_report_of_every_state() -> None:
    # The names of the states are published too.
    assert {state.value for state in PUBLIC_STATUS} == {
        *("disconnected", "connecting", "reconnecting", "homing", "unhomed", "fault"),
        *("idle", "moving", "stopping"),
    }
    assert set(PUBLIC_STATUS) == set(State)
    for state, status in PUBLIC_STATUS.items():
        is_running = state in (State.HOMING, State.MOVING, State.STOPPING)
        answer = report(Snapshot(state=state, **DETAILS), 0.12345, NOW)
        assert answer == {
            "date": "2026-11-22T20:01:02Z",
            "status": status,
            "status_label": LABELS[status],
            "state": state.value,
            "moving": is_running,
            "reason": "why",
            "reading_age_s": 0.123,
            "position_trust": "unknown",
            "base_mm": None,
            "terms_mm": 0.0,
            "version": VERSION,
            **(POSITION if status else {}),
            **(MOTION if is_running else {}),
            **({"homing_travelled_mm": 2.346} if state is State.HOMING else {}),
        }
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
        # Without anything that is known.
        bare = report(Snapshot(state=state), None, NOW)
        assert set(bare) == set(answer) - {
            "reason",
            "reading_age_s",
            *POSITION,
            *MOTION,
            "homing_travelled_mm",
        } | ({"speed_mm_sec"} if is_running else set())
        assert (bare["status"], bare["moving"]) == (0, is_running)
    inward = Snapshot(**{**DETAILS, "state": State.MOVING, "leg": Leg(10176)})
    assert report(inward, None, NOW)["leg"] == "approach"


def test_without_a_link_the_report_is_short() -> None:
    assert report(Snapshot(), None, NOW) == {
        "date": "2026-11-22T20:01:02Z",
        "status": 0,
        "status_label": "OFFLINE",
        "state": "disconnected",
        "moving": False,
        "position_trust": "unknown",
        "base_mm": None,
        "terms_mm": 0.0,
        "version": VERSION,
    }


def test_the_trust_in_the_position_is_published() -> None:
    for trust in Trust:
        confidence = Confidence(trust, "because", "2026-11-22T18:00:00Z")
        answer = report(Snapshot(state=State.IDLE, current_steps=0, confidence=confidence), None, NOW)
        told = (answer["position_trust"], answer["trust_reason"], answer["homed_at"])
        assert told == (trust.value, "because", "2026-11-22T18:00:00Z")


def test_an_audit_is_published_until_the_next() -> None:
    audit = Audit("2026-11-22T19:00:00Z", "2026-11-22T18:00:00Z", lost_steps=-509)
    answer = report(Snapshot(audit=audit), None, NOW)
    assert answer["audit"] == {
        "date": "2026-11-22T19:00:00Z",
        "since": "2026-11-22T18:00:00Z",
        "lost_steps": -509,
        "lost_mm": -0.1,
    }
    unknown = report(Snapshot(audit=Audit("2026-11-22T19:00:00Z", "", 0)), None, NOW)
    assert unknown["audit"]["since"] is None


def test_a_state_file_that_cannot_be_used_is_published() -> None:
    assert report(Snapshot(state_file_problem="full"), None, NOW)["state_file_problem"] == "full"


@pytest.mark.parametrize(
    ("legs", "homing", "told"),
    [
        (1.0, 1.0, {}),
        (0.9534, 1.0499, {}),
        (None, None, {}),
        (2.0041, 0.5, {"rate_ratio": 2.0, "homing_rate_ratio": 0.5}),
        (None, 1.0601, {"homing_rate_ratio": 1.06}),
        (0.9456, 1.0, {"rate_ratio": 0.95}),
    ],
)
def test_a_rate_that_is_not_the_computed_one_is_published(legs: Any, homing: Any, told: Any) -> None:
    for state in State:
        answer = report(Snapshot(state=state, ratios=Ratios(homing, legs, 41, 437)), None, NOW)
        assert {key: answer[key] for key in answer if key.endswith("rate_ratio")} == told


def test_a_motor_that_ran_when_the_link_was_lost_may_run_still() -> None:
    answer = report(Snapshot(state=State.RECONNECTING, motion_unproven=True), None, NOW)
    assert answer["moving"] is True
    assert answer["status"] == 0
    assert "speed_mm_sec" not in answer


def test_the_position_has_three_decimals_and_no_minus_zero() -> None:
    def positions(steps: int) -> tuple[float, float]:
        answer = report(Snapshot(state=State.IDLE, current_steps=steps, target_steps=steps), None, NOW)
        return answer["current_mm"], answer["target_mm"]

    assert positions(1) == (0.0, 0.0)
    assert positions(3) == (0.001, 0.001)
    assert positions(30528) == (6.0, 6.0)
    assert positions(6281) == (1.234, 1.234)
    for steps in (0, -1, -2):
        assert [math.copysign(1, value) for value in positions(steps)] == [1, 1]


def test_the_target_has_the_text_of_what_was_asked_for() -> None:
    for asked_mm in (2.0125, 2.0025, 1 / 3, 0.0):
        snapshot = Snapshot(State.IDLE, current_steps=10240, target_steps=1, target_mm=asked_mm)
        answer = report(snapshot, None, NOW)
        assert (answer["current_mm"], answer["target_mm"]) == (2.013, asked_mm)
    # If it is not known, it is where the focuser is; and during an overshoot the one asked for.
    assert report(Snapshot(State.IDLE, current_steps=5088), None, NOW)["target_mm"] == 1.0
    leg = Leg(12720, overshoot=True)
    moving = Snapshot(State.MOVING, current_steps=12000, target_steps=10176, leg=leg)
    assert report(moving, None, NOW)["target_mm"] == 2.0


def test_the_report_is_of_the_snapshot_and_of_now(service: Any, focuser: Any) -> None:
    focuser.snapshot = Snapshot(state=State.MOVING, current_steps=5088, target_steps=10176, read_at_s=3.0)
    before = datetime.now(timezone.utc).replace(microsecond=0)
    answer = service.report_status()
    after = datetime.now(timezone.utc)
    assert (answer["status"], answer["current_mm"], answer["reading_age_s"]) == (2, 1.0, 0.25)
    said = datetime.strptime(answer["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= said <= after
    assert focuser.calls == []
