"""What is left of a snapshot when the service does not answer for the focuser any more."""

from __future__ import annotations

from dataclasses import fields, replace

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.planning import Leg
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust

MOVING = Snapshot(
    state=State.MOVING,
    reason="the last approach was short.",
    current_steps=5088,
    target_steps=10176,
    leg=Leg(10176),
    speed_mm_sec=0.5,
    time_left_s=2.0,
    homing_travelled_mm=1.0,
    shortfall_steps=7,
    read_at_s=100.0,
    confidence=Confidence(Trust.HOMED, "", "2026-11-22T20:00:00Z"),
    audit=Audit("2026-11-22T21:00:00Z", "2026-11-22T20:00:00Z", 3),
    state_file_problem="the disk is full.",
    stopped=True,
)
# All that is said of the motor and of the position. What is added later is no part of these, or is named here.
DOUBTED = {
    "state",
    "reason",
    "current_steps",
    "target_steps",
    "leg",
    "speed_mm_sec",
    "time_left_s",
    "homing_travelled_mm",
    "shortfall_steps",
    "motion_unproven",
    "confidence",
    "stopped",
}


def test_audit_and_journal_and_whatever_comes_later_are_kept() -> None:
    doubted = MOVING.doubted("the thread hangs.")
    for field in fields(Snapshot):
        if field.name not in DOUBTED:
            assert getattr(doubted, field.name) == getattr(MOVING, field.name)
    assert doubted.audit == MOVING.audit
    assert doubted.state_file_problem == "the disk is full."


def test_nothing_is_said_of_the_motor_and_of_the_position() -> None:
    doubted = MOVING.doubted("the thread hangs.")
    assert doubted.status == FocuserStatus.Disabled
    assert doubted.motor_may_run
    assert not replace(MOVING, state=State.IDLE).doubted("").motor_may_run
    nothing = Snapshot(state=State.FAULT, reason="the thread hangs.", motion_unproven=True)
    for name in DOUBTED - {"confidence"}:
        assert getattr(doubted, name) == getattr(nothing, name)
    assert doubted.confidence == Confidence(Trust.UNKNOWN, "the thread hangs.")
