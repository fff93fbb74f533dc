"""The dict that is published of a state."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.planning import Leg
from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.servers.pyro import PyroFocuser, report
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust
from rockit.focuser.ok3z.version import VERSION

NOW = datetime(2026, 11, 22, 20, 1, 2, 999999, tzinfo=timezone.utc)


def snapshots(state: State) -> Iterator[Snapshot]:
    for known, leg, details in itertools.product(
        (True, False), (None, Leg(30528, overshoot=True), Leg(10176)), (True, False)
    ):
        yield Snapshot(
            state=state,
            reason="why" if details else "",
            current_steps=5088 if known else None,
            target_steps=10176 if known else None,
            leg=leg,
            speed_mm_sec=0.49183 if details else 0.0,
            time_left_s=1.26 if details else None,
            homing_travelled_mm=2.34567 if details else None,
            shortfall_steps=1272 if details else 0,
            read_at_s=1.0,
        )


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


def test_every_state_is_published() -> None:
    assert set(PUBLIC_STATUS) == set(State)
    assert {state.value for state in State} == {
        "disconnected",
        "connecting",
        "reconnecting",
        "homing",
        "idle",
        "moving",
        "stopping",
        "unhomed",
        "fault",
    }


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_the_report_of_every_state(state: State) -> None:
    for snapshot in snapshots(state):
        assert report(snapshot, 0.12345, NOW) == expected_of(snapshot), snapshot


def expected_of(snapshot: Snapshot) -> dict[str, Any]:
    status = PUBLIC_STATUS[snapshot.state] if snapshot.current_steps is not None else 0
    running = snapshot.state in (State.HOMING, State.MOVING, State.STOPPING)

    expected: dict[str, Any] = {
        "date": "2026-11-22T20:01:02Z",
        "status": status,
        "status_label": LABELS[status],
        "state": snapshot.state.value,
        "moving": running,
        "reading_age_s": 0.123,
        "position_trust": "unknown",
        "version": VERSION,
    }
    if snapshot.reason:
        expected["reason"] = "why"
    if status:
        expected.update(current_mm=1.0, target_mm=2.0, current_steps=5088)
        if snapshot.shortfall_steps:
            expected["backlash_shortfall_mm"] = 0.25
    if running:
        expected["speed_mm_sec"] = round(snapshot.speed_mm_sec, 3)
        if snapshot.time_left_s is not None:
            expected["time_left_s"] = 1.3
        if snapshot.leg:
            expected["leg"] = "overshoot" if snapshot.leg.overshoot else "approach"
        if snapshot.state is State.HOMING and snapshot.homing_travelled_mm is not None:
            expected["homing_travelled_mm"] = 2.346
    return expected


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_a_report_holds_nothing_but_plain_values(state: State) -> None:
    for snapshot, age_s in itertools.product(snapshots(state), (None, 0.0, 123.456789)):
        answer = report(snapshot, age_s, NOW)
        assert {type(value) for value in answer.values()} <= {str, int, float, bool}, snapshot
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer, snapshot
        assert ("reading_age_s" in answer) == (age_s is not None), (snapshot, age_s)


def test_without_a_link_the_report_is_short() -> None:
    assert report(Snapshot(), None, NOW) == {
        "date": "2026-11-22T20:01:02Z",
        "status": 0,
        "status_label": "OFFLINE",
        "state": "disconnected",
        "moving": False,
        "position_trust": "unknown",
        "version": VERSION,
    }


@pytest.mark.parametrize("trust", list(Trust))
def test_the_trust_in_the_position_is_published(trust: Trust) -> None:
    confidence = Confidence(trust, "because", "2026-11-22T18:00:00Z")
    answer = report(Snapshot(state=State.IDLE, current_steps=0, confidence=confidence), None, NOW)
    assert answer["position_trust"] == trust.value
    assert answer["trust_reason"] == "because"
    assert answer["homed_at"] == "2026-11-22T18:00:00Z"


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
    assert report(Snapshot(journal_problem="full"), None, NOW)["state_file_problem"] == "full"


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


def test_a_target_that_is_not_known_is_where_the_focuser_is() -> None:
    answer = report(Snapshot(state=State.IDLE, current_steps=5088), None, NOW)
    assert (answer["current_mm"], answer["target_mm"]) == (1.0, 1.0)


@pytest.mark.parametrize("asked_mm", [2.0125, 2.0025, 1 / 3, 0.0])
def test_the_target_has_the_text_of_what_was_asked_for(asked_mm: float) -> None:
    snapshot = Snapshot(
        state=State.IDLE, current_steps=10240, target_steps=round(asked_mm * 5088), target_mm=asked_mm
    )
    answer = report(snapshot, None, NOW)
    assert answer["target_mm"] == asked_mm
    assert f"{answer['target_mm']:.3f}" == f"{asked_mm:.3f}"
    assert answer["current_mm"] == 2.013


def test_during_an_overshoot_the_target_is_the_one_asked_for() -> None:
    snapshot = Snapshot(
        state=State.MOVING, current_steps=12000, target_steps=10176, leg=Leg(12720, overshoot=True)
    )
    assert report(snapshot, None, NOW)["target_mm"] == 2.0


def test_the_report_is_of_the_snapshot_and_of_now(service: PyroFocuser, stand_in: Any) -> None:
    stand_in.snapshot = Snapshot(state=State.MOVING, current_steps=5088, target_steps=10176, read_at_s=3.0)
    before = datetime.now(timezone.utc).replace(microsecond=0)
    answer = service.report_status()
    after = datetime.now(timezone.utc)
    assert (answer["status"], answer["current_mm"], answer["reading_age_s"]) == (2, 1.0, 0.25)
    said = datetime.strptime(answer["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= said <= after
    assert stand_in.calls == []
