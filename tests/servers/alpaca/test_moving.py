"""Move and Halt: what is passed on, what is told at once, and what in the next read."""

from __future__ import annotations

import logging
import re
from threading import Timer
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.planning import steps_from_mm
from rockit.focuser.ok3z.errors import (
    BusyError,
    HaltFailedError,
    LinkLostError,
    NoProgressError,
    NotConnectedError,
    PositionLostError,
)
from rockit.focuser.ok3z.service.status import Snapshot
from tests.support.waiting import wait_until

READS = ("ismoving", "position", "devicestate")
NO_PROGRESS = NoProgressError("the motor does not advance.")


def test_a_move_goes_to_the_step_or_the_limit(program: Any, focuser: Any) -> None:
    for asked in (0, -10, -(2**31), 1, 15264, 30527, 30528, 30538, 2**31 - 1):
        steps = min(max(asked, 0), 30528)
        assert program.put("move", Position=asked).error == 0, asked
        _, position_mm, offset, exact = focuser.calls[-1]
        assert (steps_from_mm(position_mm), offset, exact) == (steps, False, True), asked
        assert 0 <= position_mm <= 6.0, asked
        # It ends each time, also where it stands already.
        assert (program.get("ismoving").value, program.get("position").value) == (False, steps), asked
    assert len(focuser.named("move")) == 9


def test_it_moves_until_the_call_has_ended_whatever_the_snapshot_says(
    program: Any, other: Any, focuser: Any
) -> None:
    focuser.move_gate.close()
    assert program.put("move", Position=100).error == 0
    for wire in (program, other):
        assert wire.get("ismoving").value is True
        assert wire.put("move", Position=200).error == 0x40B
    focuser.stand(50)
    assert program.get("ismoving").value is True
    focuser.move_gate.open()
    program.wait_for("ismoving", False)
    assert program.get("position").value == 100
    assert len(focuser.named("move")) == 1


@pytest.mark.parametrize(
    ("refusal", "number"),
    [
        (BusyError("audit is still running."), 0x40B),
        (NotConnectedError("the focuser is not connected."), 0x407),
        (NO_PROGRESS, 0x532),
    ],
)
def test_what_is_refused_or_fails_at_once_is_told_at_once_and_only_then(
    program: Any, focuser: Any, refusal: Exception, number: int
) -> None:
    focuser.failures["move"] = refusal
    answer = program.put("move", Position=100)
    assert (answer.error, answer.message) == (number, str(refusal))
    assert program.errors(*READS) == [0, 0, 0]


def test_who_cannot_use_the_focuser_moves_nothing(server: Any, dial: Any, program: Any, focuser: Any) -> None:
    assert dial(server, client_id=8).put("move", Position=5).error == 0x407
    focuser.lose_link("the serial port failed (unplugged).")
    answer = program.put("move", Position=5)
    assert answer.error == 0x407
    assert "unplugged" in answer.message
    assert focuser.calls == []


# What becomes of a move


@pytest.mark.parametrize("member", READS)
@pytest.mark.parametrize(("failure", "number"), [(NO_PROGRESS, 0x532), (PositionLostError("jumped."), 0x536)])
def test_a_move_that_failed_is_told_once_in_the_next_read_of_each_member(
    program: Any, other: Any, fail: Any, member: str, failure: Exception, number: int
) -> None:
    """Two loops of one program share a ClientID: one polls, and the other waits for the end of the move."""
    fail(program, failure)
    # What is readable always stays so, and others have nothing to do with it.
    assert program.get("connected").value is True
    assert other.errors(*READS) == [0, 0, 0]
    answer = program.get(member)
    assert (answer.error, answer.message) == (number, str(failure))
    assert program.errors(member, member) == [0, 0]
    assert program.errors(*READS) == [0 if other == member else number for other in READS]
    assert program.errors(*READS) == [0, 0, 0]


def test_a_lost_link_is_first_told_as_the_failure_of_the_move(program: Any, focuser: Any) -> None:
    focuser.move_gate.close()
    focuser.failures["move"] = LinkLostError("the serial port failed (unplugged).")
    focuser.stand = lambda steps=0: focuser.lose_link()
    program.put("move", Position=100)
    focuser.move_gate.open()
    wait_until(lambda: program.get("position").error == 0x513, "the failure of the move")
    assert program.get("position").error == 0x407


def test_a_move_that_somebody_else_stopped_says_who(program: Any, other: Any, focuser: Any) -> None:
    focuser.move_gate.close()
    program.put("move", Position=100)
    assert other.put("halt").error == 0
    other.wait_for("ismoving", False)
    for member in READS:
        answer = program.get(member)
        assert (answer.error, answer.message) == (0x40E, "stopped by 127.0.0.1."), member
    assert program.errors(*READS) == other.errors(*READS) == [0, 0, 0]


def test_whoever_asks_after_a_halt_finds_the_move_ended(
    program: Any, other: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end comes a moment after standstill was seen."""
    focuser.move_gate.close()
    program.put("move", Position=100)
    monkeypatch.setattr(focuser.move_gate, "open", Timer(0.03, focuser.move_gate.open).start)
    assert other.put("halt").error == 0
    assert program.errors(*READS) == [0x40E] * 3
    monkeypatch.undo()


def test_its_own_halt_is_no_error(program: Any, focuser: Any) -> None:
    focuser.move_gate.close()
    program.put("move", Position=100)
    assert program.put("halt").error == 0
    assert program.errors(*READS) == [0, 0, 0]
    program.wait_for("ismoving", False)
    assert program.errors(*READS) == [0, 0, 0]
    assert focuser.named("stop") == [("stop", "127.0.0.1")]


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("move", {"Position": 50}),
        ("connect", {}),
        ("connected", {"Connected": "True"}),
        ("halt", {}),
        ("disconnect", {}),
    ],
)
def test_a_new_move_a_new_session_or_its_own_halt_forgets_the_failure_of_the_last(
    program: Any, focuser: Any, fail: Any, command: str, parameters: dict[str, Any]
) -> None:
    for told in (READS[:0], READS[:1]):
        fail(program)
        assert program.errors(*told) == [0x532] * len(told)
        # A new move goes on.
        focuser.move_gate.close()
        assert program.put(command, **parameters).error == 0
        if command == "disconnect":
            program.put("connect")
        assert program.errors(*READS) == [0, 0, 0]
        focuser.move_gate.open()
        program.wait_for("ismoving", False)
    # What comes after that is told anew.
    fail(program)
    assert program.errors(*READS) == [0x532] * 3


def test_a_halt_of_others_leaves_it_to_be_told(server: Any, dial: Any, program: Any, fail: Any) -> None:
    fail(program)
    for client_id in (8, None):
        assert dial(server, client_id=client_id).put("halt").error == 0
    assert program.errors(*READS) == [0x532] * 3


# Halts


def test_a_halt_reaches_the_service_without_a_link_and_while_it_homes(program: Any, focuser: Any) -> None:
    focuser.snapshot = Snapshot()
    focuser.initialize_gate.close()
    program.put("connect")
    wait_until(lambda: focuser.named("initialize"))
    assert program.put("halt").error == 0
    focuser.lose_link()
    focuser.failures["stop"] = HaltFailedError("standstill was not seen.")
    answer = program.put("halt")
    assert (answer.error, answer.message) == (0x535, "standstill was not seen.")
    assert len(focuser.named("stop")) == 2


def test_a_halt_needs_no_session(server: Any, dial: Any, program: Any, focuser: Any) -> None:
    focuser.move_gate.close()
    program.put("move", Position=100)
    assert program.put("disconnect").error == 0
    # Nobody is connected now, as after a restart of the daemon.
    answer = dial(server, client_id=99).put("halt")
    assert answer.error == 0x407
    assert answer.message == "the motor stands: it was halted, although this client is not connected."
    assert not focuser.snapshot.motor_may_run
    focuser.failures["stop"] = HaltFailedError("standstill was not seen.")
    assert dial(server, client_id=99).put("halt").error == 0x535


def test_the_log_tells_where_a_move_came_to(
    program: Any, focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert program.put("move", Position=10176).error == 0
    asked = "Alpaca move to step 10176 (2.000 mm), asked by 127.0.0.1"
    wait_until(lambda: f"{asked}: arrived at 2.000 mm after " in caplog.text)
    focuser.failures["move"] = NO_PROGRESS
    program.put("move", Position=0)
    wait_until(lambda: re.search(r"step 0 .*: ended at .* s: the motor does not advance", caplog.text))
    assert program.put("halt").error == 0
    assert "Alpaca move, asked by 127.0.0.1: under way after " in caplog.text
    assert "Alpaca halt, asked by 127.0.0.1: stands at 0.000 mm after " in caplog.text
