"""Move and Halt: what is passed on, what is told at once, and what in the next read."""

from __future__ import annotations

import logging
import re
from typing import Any, Callable

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
from rockit.focuser.ok3z.service.status import Snapshot, State

MEMBERS = ["ismoving", "position", "devicestate"]
READS = pytest.mark.parametrize("member", MEMBERS)


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        (0, 0),
        (-10, 0),
        (-(2**31), 0),
        (1, 1),
        (15264, 15264),
        (30527, 30527),
        (30528, 30528),
        (30538, 30528),
        (2**31 - 1, 30528),
    ],
)
def test_a_move_goes_to_the_step_or_the_limit(program: Any, focuser: Any, asked: int, steps: int) -> None:
    assert program.put("move", Position=asked).error == 0
    ((_, position_mm, offset, exact),) = focuser.named("move")
    assert (steps_from_mm(position_mm), offset, exact) == (steps, False, True)
    assert 0 <= position_mm <= 6.0
    assert program.get("position").value == steps


def test_a_move_returns_before_it_has_ended_and_it_moves_until_then(
    program: Any, focuser: Any, until: Any
) -> None:
    focuser.move_gate.clear()
    assert program.put("move", Position=100).error == 0
    assert program.get("ismoving").value is True
    focuser.move_gate.set()
    until(lambda: not program.get("ismoving").value)
    assert program.get("position").value == 100


def test_it_moves_until_the_call_has_ended_whatever_the_snapshot_says(
    program: Any, focuser: Any, until: Any
) -> None:
    focuser.move_gate.clear()
    program.put("move", Position=100)
    focuser.stand(50)
    assert program.get("ismoving").value is True
    focuser.move_gate.set()
    until(lambda: not program.get("ismoving").value)


def test_other_programs_see_that_it_moves(server: Any, dial: Any, program: Any, focuser: Any) -> None:
    other = dial(server, client_id=8)
    other.put("connect")
    focuser.move_gate.clear()
    program.put("move", Position=100)
    assert other.get("ismoving").value is True
    assert other.put("move", Position=200).error == 0x40B
    assert program.put("move", Position=200).error == 0x40B
    assert len(focuser.named("move")) == 1


@pytest.mark.parametrize(
    ("refusal", "number"),
    [
        (BusyError("audit is still running."), 0x40B),
        (NotConnectedError("the focuser is not connected."), 0x407),
    ],
)
@READS
def test_what_is_refused_at_once_is_told_at_once_and_only_then(
    program: Any, focuser: Any, refusal: Exception, number: int, member: str
) -> None:
    focuser.move_refusal = refusal
    answer = program.put("move", Position=100)
    assert (answer.error, answer.json["ErrorMessage"]) == (number, str(refusal))
    assert program.get(member).error == 0


@READS
@pytest.mark.parametrize(
    ("failure", "number"),
    [(NoProgressError("the motor does not advance."), 0x532), (PositionLostError("it jumped."), 0x536)],
)
def test_a_move_that_failed_is_told_once_in_the_next_read_of_each_member(
    server: Any,
    dial: Any,
    program: Any,
    focuser: Any,
    until: Any,
    member: str,
    failure: Exception,
    number: int,
) -> None:
    other = dial(server, client_id=8)
    other.put("connect")
    focuser.move_gate.clear()
    focuser.move_error = failure
    assert program.put("move", Position=100).error == 0
    focuser.move_gate.set()
    until(lambda: not other.get("ismoving").value)
    # What is readable always stays so, and others have nothing to do with it.
    assert program.get("connected").value is True
    assert other.get(member).error == 0
    answer = program.get(member)
    assert (answer.error, answer.json["ErrorMessage"]) == (number, str(failure))
    assert program.get(member).error == 0


def test_a_lost_link_is_first_told_as_the_failure_of_the_move(program: Any, focuser: Any, until: Any) -> None:
    focuser.move_gate.clear()
    focuser.move_error = LinkLostError("the serial port failed (unplugged).")
    focuser.stand = lambda steps=0: focuser.lose_link()
    program.put("move", Position=100)
    focuser.move_gate.set()
    errors: list[int] = []
    until(lambda: errors.append(program.get("position").error) or 0x513 in errors)  # type: ignore[func-returns-value]
    assert program.get("position").error == 0x407


@READS
def test_a_move_that_somebody_else_stopped_says_who(
    server: Any, dial: Any, program: Any, focuser: Any, until: Any, member: str
) -> None:
    other = dial(server, client_id=8)
    other.put("connect")
    focuser.move_gate.clear()
    program.put("move", Position=100)
    assert other.put("halt").error == 0
    until(lambda: not other.get("ismoving").value)
    answer = program.get(member)
    assert (answer.error, answer.json["ErrorMessage"]) == (0x40E, "stopped by 127.0.0.1.")
    assert program.get(member).error == 0
    assert other.get(member).error == 0


@READS
def test_its_own_halt_is_no_error(program: Any, focuser: Any, until: Any, member: str) -> None:
    focuser.move_gate.clear()
    program.put("move", Position=100)
    assert program.put("halt").error == 0
    assert program.get(member).error == 0
    until(lambda: not program.get("ismoving").value)
    assert program.get(member).error == 0
    assert focuser.named("stop")[0] == ("stop", "127.0.0.1")


@pytest.fixture
def fail(server: Any, dial: Any, program: Any, focuser: Any, until: Any) -> Callable[[], None]:
    """Have a move of the program fail after its answer, and tell nobody."""
    other = dial(server, client_id=8)
    other.put("connect")

    def fail() -> None:
        focuser.move_gate.clear()
        focuser.move_error = NoProgressError("the motor does not advance.")
        assert program.put("move", Position=100).error == 0
        focuser.move_gate.set()
        until(lambda: not other.get("ismoving").value)
        focuser.move_error = None

    return fail


def errors(program: Any) -> list[int]:
    return [program.get(member).error for member in MEMBERS]


@READS
def test_two_loops_of_one_program_both_hear_of_it(
    program: Any, fail: Callable[[], None], member: str
) -> None:
    """One polls in the background, and the other waits for the end of the move: they share a ClientID."""
    fail()
    assert [program.get(member).error for _ in range(3)] == [0x532, 0, 0]
    assert errors(program) == [0 if other == member else 0x532 for other in MEMBERS]
    assert errors(program) == [0, 0, 0]


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("move", {"Position": 50}),
        ("connect", {}),
        ("connected", {"Connected": "True"}),
        ("halt", {}),
    ],
)
def test_a_new_move_a_new_session_or_its_own_halt_forgets_the_failure_of_the_last(
    program: Any, fail: Callable[[], None], command: str, parameters: dict[str, Any]
) -> None:
    for told in ([], MEMBERS[:1]):
        fail()
        assert [program.get(member).error for member in told] == [0x532] * len(told)
        assert program.put(command, **parameters).error == 0
        assert errors(program) == [0, 0, 0]
    # What comes after that is told anew.
    fail()
    assert errors(program) == [0x532] * 3


def test_who_left_has_left_the_failure_behind(program: Any, fail: Callable[[], None]) -> None:
    fail()
    program.put("disconnect")
    program.put("connect")
    assert errors(program) == [0, 0, 0]


def test_a_halt_of_others_leaves_it_to_be_told(
    server: Any, dial: Any, program: Any, fail: Callable[[], None]
) -> None:
    fail()
    for client_id in (8, None):
        assert dial(server, client_id=client_id).put("halt").error == 0
    assert errors(program) == [0x532] * 3


def test_a_move_to_where_it_stands_ends_each_time(program: Any, focuser: Any) -> None:
    for _ in range(10):
        assert program.put("move", Position=0).error == 0
        assert program.get("ismoving").value is False


def test_who_is_not_connected_moves_nothing(wire: Any, focuser: Any) -> None:
    wire.client_id = 8
    assert wire.put("move", Position=5).error == 0x407
    assert focuser.calls == []


def test_a_move_without_a_focuser_says_why(program: Any, focuser: Any) -> None:
    focuser.lose_link("the serial port failed (unplugged).")
    answer = program.put("move", Position=5)
    assert answer.error == 0x407
    assert "unplugged" in answer.json["ErrorMessage"]
    assert focuser.calls == []


def test_a_halt_reaches_the_service_without_a_link_and_while_it_homes(program: Any, focuser: Any) -> None:
    focuser.snapshot = Snapshot(state=State.HOMING)
    assert program.put("halt").error == 0
    focuser.stop_error = HaltFailedError("standstill was not seen.")
    answer = program.put("halt")
    assert (answer.error, answer.json["ErrorMessage"]) == (0x535, "standstill was not seen.")


def test_a_halt_needs_no_session(server: Any, dial: Any, program: Any, focuser: Any, until: Any) -> None:
    focuser.move_gate.clear()
    program.put("move", Position=100)
    assert program.put("disconnect").error == 0
    # Nobody is connected now, as after a restart of the daemon.
    answer = dial(server, client_id=99).put("halt")
    assert (answer.error, answer.json["ErrorMessage"]) == (
        0x407,
        "the motor stands: it was halted, although this client is not connected.",
    )
    assert focuser.named("stop")
    until(lambda: not focuser.snapshot.motor_may_run)


def test_a_halt_without_a_session_that_fails_says_so_first(server: Any, dial: Any, focuser: Any) -> None:
    focuser.stop_error = HaltFailedError("standstill was not seen.")
    assert dial(server, client_id=99).put("halt").error == 0x535


def test_a_halt_waits_for_no_other_command(
    server: Any, dial: Any, program: Any, focuser: Any, until: Any
) -> None:
    focuser.snapshot = Snapshot()
    focuser.initialise_gate.clear()
    program.put("connect")
    until(lambda: focuser.named("initialize"))
    assert program.put("halt").error == 0


def test_the_log_tells_where_a_move_came_to(
    program: Any, focuser: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert program.put("move", Position=10176).error == 0
    asked = "Alpaca move to step 10176 (2.000 mm), asked by 127.0.0.1"
    until(lambda: f"{asked}: arrived at 2.000 mm after " in caplog.text)
    focuser.move_error = NoProgressError("the motor does not advance.")
    program.put("move", Position=0)
    until(lambda: re.search(r"step 0 .*: ended at .* s: the motor does not advance", caplog.text))
    assert program.put("halt").error == 0
    assert "Alpaca move, asked by 127.0.0.1: under way after " in caplog.text
    assert "Alpaca halt, asked by 127.0.0.1: stands at 0.000 mm after " in caplog.text
