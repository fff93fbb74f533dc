"""Every member of the focuser: one table, against the HTTP port."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import NoProgressError, Sentence
from rockit.focuser.ok3z.service.status import Snapshot, State
from rockit.focuser.ok3z.version import VERSION
from tests.support.http import HALT, MEMBERS, STRANGER
from tests.support.waiting import wait_until

HARDWARE = ("ismoving", "position", "devicestate")
# What each member says before anybody connects, and what to each error of which it says that a connection is needed.
FIXED: dict[str, object] = {
    "absolute": True,
    "connected": False,
    "connecting": False,
    "description": str,
    "driverinfo": str,
    "driverversion": ".".join(VERSION.split(".")[:2]),
    "interfaceversion": 4,
    "maxincrement": 30528,
    "maxstep": 30528,
    "name": "Dome",
    "stepsize": 1000 / 5088,
    "supportedactions": [
        *("moved_between", "moves", "focus_header", "hold", "release", "holds"),
        *("set_term", "clear_term", "terms", "set_reference"),
    ],
    "tempcomp": False,
    "tempcompavailable": False,
}
EMPTY = {"ismoving": False, "position": 0, "devicestate": [], "temperature": 0.0}
# The form of each command, and its error for a program that is connected.
COMMANDS = {
    "action": ("Action=a&Parameters=", 0x40C),
    "commandblind": ("Command=a&Raw=true", 0x400),
    "commandbool": ("Command=a&Raw=false", 0x400),
    "commandstring": ("Command=a&Raw=true", 0x400),
    "connect": ("", 0),
    "connected": ("Connected=True", 0),
    "halt": ("", 0),
    "move": ("Position=5", 0),
    "tempcomp": ("TempComp=False", 0),
    # Last, for it takes the connection away.
    "disconnect": ("", 0),
}
KEYS = ["ClientTransactionID", "ServerTransactionID", "ErrorNumber", "ErrorMessage"]


def test_what_is_fixed_is_readable_without_a_connection(wire: Any) -> None:
    for member, expected in FIXED.items():
        value = wire.get(member).value
        if expected is str:
            assert value.strip() == value != "", member
        else:
            assert (type(value), value) == (type(expected), expected), member
    assert len(wire.get("description").value) <= 64


def test_what_is_not_known_has_an_empty_value_of_its_type_beside_the_error(
    server: Any, dial: Any, program: Any
) -> None:
    outside = dial(server, client_id=8)
    for member, empty in EMPTY.items():
        answer = outside.get(member)
        assert (answer.error, answer.json["Value"]) == (0x400 if member == "temperature" else 0x407, empty)
        assert type(answer.json["Value"]) is type(empty), member
        assert member == "temperature" or "Connect first" in answer.message, member
        connected = program.get(member).json
        assert type(connected["Value"]) is type(empty), member
        assert connected["ErrorNumber"] == (0x400 if member == "temperature" else 0), member


def test_every_command_has_its_error_and_none_has_a_value(program: Any) -> None:
    for member, (form, error) in COMMANDS.items():
        answer = program.ask("PUT", MEMBERS + member, f"{form}&ClientID=7")
        assert (answer.error, list(answer.json)) == (error, KEYS), member
    assert program.put("tempcomp", TempComp="True").error == 0x400


def test_every_member_has_its_verbs_and_no_other(wire: Any) -> None:
    reads = {*FIXED, *EMPTY}
    for member in reads | set(COMMANDS):
        allowed = ["GET"] * (member in reads) + ["PUT"] * (member in COMMANDS)
        for verb in ("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"):
            answer = wire.ask(verb, MEMBERS + member)
            if verb not in allowed:
                assert (answer.status, answer.headers["allow"]) == (405, ", ".join(allowed)), member


def test_answers_are_numbered_from_1_over_all_connections(server: Any, dial: Any) -> None:
    first, second = dial(server), dial(server)
    numbers = [wire.get("name").json["ServerTransactionID"] for wire in (first, second, first, second)]
    numbers.append(first.ask("GET", "/management/apiversions").json["ServerTransactionID"])
    assert numbers == [1, 2, 3, 4, 5]


# What follows the focuser


def test_the_state_of_the_device_has_the_names_of_the_standard(program: Any, focuser: Any) -> None:
    focuser.stand(1234)
    items = program.get("devicestate").value
    assert [set(item) for item in items] == [{"Name", "Value"}] * 3
    state = {item["Name"]: item["Value"] for item in items}
    assert set(state) == {"IsMoving", "Position", "TimeStamp"}
    assert (state["IsMoving"], state["Position"]) == (False, 1234)
    age = datetime.now(timezone.utc) - datetime.strptime(state["TimeStamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert timedelta(0) < age < timedelta(minutes=1)


@pytest.mark.parametrize("member", HARDWARE)
def test_a_focuser_that_cannot_be_used_is_not_connected_and_says_why(
    program: Any, focuser: Any, member: str
) -> None:
    for state in set(State) - {State.IDLE, State.MOVING, State.STOPPING}:
        focuser.snapshot = Snapshot(state=state, reason="the cable is broken.")
        answer = program.get(member)
        assert answer.error == 0x407, state
        assert f"({state.value}). The cable is broken." in answer.message
        assert answer.json["Value"] == (state is State.HOMING if member == "ismoving" else EMPTY[member])
        assert program.get("connected").value is False, state
        focuser.stand(5)
        # The session was not lost with the link.
        assert program.get("connected").value is True, state
        assert program.get(member).error == 0, state


def test_it_moves_as_long_as_the_motor_may_run(program: Any, focuser: Any) -> None:
    for state in (State.IDLE, State.MOVING, State.STOPPING, State.IDLE):
        focuser.snapshot = replace(focuser.snapshot, state=state)
        assert program.get("ismoving").value is (state is not State.IDLE), state


def test_an_overshoot_is_not_shown_beyond_the_range_but_where_it_stands_is(
    program: Any, focuser: Any
) -> None:
    focuser.snapshot = Snapshot(state=State.MOVING, current_steps=31000, target_steps=30528)
    assert program.get("position").value == 30528
    focuser.stand(31000)
    assert program.get("position").value == 31000


@pytest.mark.parametrize("may_run", [True, False])
def test_a_motor_that_may_run_is_never_told_to_stand_beside_an_error(
    program: Any, wire: Any, focuser: Any, may_run: bool
) -> None:
    focuser.snapshot = Snapshot(State.RECONNECTING, "the cable is broken.", motion_unproven=may_run)
    for one in (program, wire):
        answer = one.get("ismoving")
        assert (answer.error, answer.json["Value"]) == (0x407, may_run)


# Who may not connect


@pytest.mark.parametrize("client_id", [None, 8])
def test_who_may_not_connect_reads_all_the_same(
    server: Any, dial: Any, focuser: Any, client_id: int | None
) -> None:
    looking = dial(server, source=STRANGER, client_id=client_id)
    focuser.stand(1234)
    assert (looking.get("position").value, looking.get("ismoving").value) == (1234, False)
    focuser.snapshot = replace(focuser.snapshot, state=State.MOVING)
    state = {item["Name"]: item["Value"] for item in looking.get("devicestate").value}
    assert (state["IsMoving"], state["Position"]) == (True, 1234)
    # It is no client that is connected.
    assert (looking.get("connected").value, looking.get("connecting").value) == (False, False)


def test_who_may_not_connect_is_told_why_and_not_by_whom(stranger: Any, focuser: Any) -> None:
    named = Sentence("stopped.", "stopped by 10.0.0.1.")
    focuser.snapshot = Snapshot(state=State.UNHOMED, reason=named)
    for member in HARDWARE:
        answer = stranger.get(member)
        assert answer.error == 0x407, member
        assert answer.message == "the focuser is not connected (unhomed). Stopped.", member


def test_who_may_not_connect_hears_nothing_of_the_moves_of_others(
    program: Any, stranger: Any, focuser: Any
) -> None:
    focuser.failures["move"] = NoProgressError("the motor does not advance.")
    focuser.move_gate.close()
    program.put("move", Position=100)
    focuser.move_gate.open()
    stranger.wait_for("ismoving", False)
    assert stranger.errors(*HARDWARE) == [0, 0, 0]
    assert program.errors(*HARDWARE) == [0x532] * 3


def test_reads_call_nothing_and_wait_for_nothing(server: Any, dial: Any, program: Any, focuser: Any) -> None:
    # Every call of the service hangs, and many wait for one.
    focuser.move_gate.close()
    focuser.stop_gate.close()
    assert program.put("move", Position=100).error == 0
    hanging = [dial(server, client_id=7) for _ in range(20)]
    for wire in hanging:
        wire.send(HALT)
    wait_until(lambda: len(focuser.stops_asked_by) == 20)
    calls = list(focuser.calls)
    for member in (*HARDWARE, *FIXED):
        assert program.get(member).status == 200
    assert focuser.calls == calls
    focuser.stop_gate.open()
    assert [wire.answer().status for wire in hanging] == [200] * 20
    assert len(focuser.named("stop")) == 1
