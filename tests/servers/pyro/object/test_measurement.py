"""What loggers and monitors take: every key always there, each with whether it is valid."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers.pyro import measurement
from rockit.focuser.ok3z.service.motion_log import RecordedMotion, Result
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust

NOW = datetime(2026, 11, 22, 20, 1, 2, tzinfo=timezone.utc)
KINDS = {
    "current_mm": float,
    "current_steps": int,
    "target_mm": float,
    "moving": bool,
    "homed": bool,
    "position_trust": str,
    "settled_s": float,
    "last_from_mm": float,
    "last_to_mm": float,
}
KEYS = ["date", *itertools.chain.from_iterable((key, f"{key}_valid") for key in KINDS)]
MOTION = RecordedMotion(
    1, False, "2026-11-22T20:00:00Z", 5088, 10240, at_steps=10240, result=Result.ARRIVED, ended_s=90.0
)
AT_REST = Snapshot(
    state=State.IDLE,
    current_steps=10240,
    target_steps=10240,
    target_mm=2.0125,
    read_at_s=99.0,
    confidence=Confidence(Trust.HOMED, "", "2026-11-22T19:00:00Z"),
)


def test_at_rest_all_is_valid() -> None:
    answer = measurement(AT_REST, (MOTION,), 10.0, NOW)
    assert answer == {
        "date": "2026-11-22T20:01:02Z",
        "current_mm": 2.013,
        "current_steps": 10240,
        "target_mm": 2.0125,
        "moving": False,
        "homed": True,
        "position_trust": "homed",
        "settled_s": 10.0,
        "last_from_mm": 1.0,
        "last_to_mm": 2.013,
        **{f"{key}_valid": True for key in KINDS},
    }
    assert list(answer) == KEYS


@pytest.mark.parametrize("steps", [None, 10240])
@pytest.mark.parametrize("motions", [(), (replace(MOTION, from_steps=None, at_steps=None, ended_s=None),)])
def test_every_key_is_always_there_and_nothing_is_none_or_nan(steps: int | None, motions: Any) -> None:
    for state in State:
        snapshot = replace(AT_REST, state=state, current_steps=steps, target_steps=steps)
        answer = measurement(snapshot, motions, None, NOW)
        assert list(answer) == KEYS, state
        for key, kind in KINDS.items():
            assert type(answer[key]) is kind, (state, key)
            assert answer[key] == answer[key], (state, key)
            assert type(answer[f"{key}_valid"]) is bool, (state, key)
            if not answer[f"{key}_valid"]:
                assert answer[key] == kind(), (state, key)
        assert not answer["settled_s_valid"], state
        assert answer["current_mm_valid"] is (snapshot.status != 0), state


def test_while_it_moves_it_has_not_settled_and_the_last_motion_is_the_one_before() -> None:
    running = replace(MOTION, number=2, from_steps=10240, at_steps=None, result=Result.RUNNING, ended_s=None)
    answer = measurement(replace(AT_REST, state=State.MOVING), (MOTION, running), 10.0, NOW)
    assert (answer["moving"], answer["settled_s"], answer["settled_s_valid"]) == (True, 0.0, False)
    assert (answer["last_from_mm"], answer["last_to_mm"], answer["last_to_mm_valid"]) == (1.0, 2.013, True)


def test_a_homing_run_from_an_unknown_position() -> None:
    homing = replace(MOTION, homing=True, from_steps=None, to_steps=None, at_steps=0)
    answer = measurement(AT_REST, (homing,), 1.0, NOW)
    assert (answer["last_from_mm"], answer["last_from_mm_valid"]) == (0.0, False)
    assert (answer["last_to_mm"], answer["last_to_mm_valid"]) == (0.0, True)


def test_everybody_may_ask(service: Any, focuser: Any, called_from: Callable[[str], None]) -> None:
    focuser.snapshot, focuser.motions = AT_REST, (MOTION,)
    called_from("1.2.3.4")
    answer = service.last_measurement()
    assert answer["settled_s"] == 10.0
    assert answer["date"].endswith("Z")
    assert focuser.calls == []


def test_before_there_was_anything(service: Any, focuser: Any) -> None:
    focuser.snapshot = Snapshot()
    answer = service.last_measurement()
    assert (answer["moving"], answer["homed"], answer["position_trust"]) == (False, False, "unknown")
    assert {key for key in KINDS if answer[f"{key}_valid"]} == {"moving", "homed", "position_trust"}
