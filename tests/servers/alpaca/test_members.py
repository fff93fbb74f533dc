"""What the members say, and that saying it touches nothing but the snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import NoProgressError, Sentence
from rockit.focuser.ok3z.service.status import Snapshot, State
from rockit.focuser.ok3z.version import VERSION

HARDWARE = ["devicestate", "ismoving", "position"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("absolute", True),
        ("interfaceversion", 4),
        ("maxstep", 30528),
        ("maxincrement", 30528),
        ("stepsize", pytest.approx(0.196540880503)),
        ("supportedactions", []),
        ("tempcomp", False),
        ("tempcompavailable", False),
        ("connected", False),
        ("connecting", False),
        ("driverversion", ".".join(VERSION.split(".")[:2])),
    ],
)
def test_what_is_fixed_is_readable_without_a_connection(wire: Any, member: str, value: object) -> None:
    assert wire.get(member).value == value


@pytest.mark.parametrize("member", ["name", "description", "driverinfo"])
def test_a_text_is_readable_without_a_connection(wire: Any, member: str) -> None:
    text = wire.get(member).value
    assert text.strip() == text != ""
    assert member == "driverinfo" or len(text) <= 64


def test_there_is_no_thermometer_even_for_who_is_connected(program: Any) -> None:
    assert program.get("temperature").error == 0x400


@pytest.mark.parametrize(
    ("member", "parameters", "error"),
    [
        ("tempcomp", {"TempComp": "True"}, 0x400),
        ("tempcomp", {"TempComp": "False"}, 0),
        ("action", {"Action": "a", "Parameters": ""}, 0x400),
        ("commandblind", {"Command": "a", "Raw": "true"}, 0x400),
        ("commandbool", {"Command": "a", "Raw": "false"}, 0x400),
        ("commandstring", {"Command": "a", "Raw": "true"}, 0x400),
    ],
)
def test_what_this_focuser_has_not(program: Any, member: str, parameters: Any, error: int) -> None:
    assert program.put(member, **parameters).error == error


def test_the_state_of_the_device_has_the_names_of_the_standard(program: Any, focuser: Any) -> None:
    focuser.stand(1234)
    state = {item["Name"]: item["Value"] for item in program.get("devicestate").value}
    assert (set(state), state["IsMoving"], state["Position"]) == (
        {"IsMoving", "Position", "TimeStamp"},
        False,
        1234,
    )
    age = datetime.now(timezone.utc) - datetime.strptime(state["TimeStamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert timedelta(0) < age < timedelta(minutes=1)


@pytest.mark.parametrize("member", HARDWARE)
def test_hardware_is_not_connected_for_who_is_not(wire: Any, program: Any, member: str) -> None:
    wire.client_id = 8
    answer = wire.get(member)
    assert answer.error == 0x407
    assert "Connect first" in answer.json["ErrorMessage"]
    assert program.get(member).error == 0


@pytest.mark.parametrize("member", HARDWARE)
@pytest.mark.parametrize(
    "state",
    [State.DISCONNECTED, State.RECONNECTING, State.CONNECTING, State.HOMING, State.UNHOMED, State.FAULT],
)
def test_a_focuser_that_cannot_be_used_is_not_connected_and_says_why(
    program: Any, focuser: Any, member: str, state: State
) -> None:
    focuser.snapshot = Snapshot(state=state, reason="The cable is broken.")
    answer = program.get(member)
    assert answer.error == 0x407
    assert "The cable is broken." in answer.json["ErrorMessage"]
    assert "). The cable is broken." in answer.json["ErrorMessage"]
    empty = {"ismoving": state is State.HOMING, "position": 0, "devicestate": []}
    assert answer.json["Value"] == empty[member]
    assert program.get("connected").value is False
    focuser.stand(5)
    # The session was not lost with the link.
    assert program.get("connected").value is True
    assert program.get(member).error == 0


def test_it_moves_as_long_as_the_motor_may_run(program: Any, focuser: Any) -> None:
    seen = []
    for state in (State.IDLE, State.MOVING, State.STOPPING, State.IDLE):
        focuser.snapshot = replace(focuser.snapshot, state=state)
        seen.append(program.get("ismoving").value)
    assert seen == [False, True, True, False]


def test_an_overshoot_is_not_shown_beyond_the_range_but_where_it_stands_is(
    program: Any, focuser: Any
) -> None:
    focuser.snapshot = Snapshot(state=State.MOVING, current_steps=31000, target_steps=30528)
    assert program.get("position").value == 30528
    focuser.stand(31000)
    assert program.get("position").value == 31000


@pytest.mark.parametrize(
    ("snapshot", "may_run"),
    [
        (Snapshot(state=State.RECONNECTING, reason="the cable is broken.", motion_unproven=True), True),
        (Snapshot(state=State.RECONNECTING, reason="the cable is broken."), False),
    ],
)
def test_a_motor_that_may_run_is_never_told_to_stand_beside_an_error(
    program: Any, wire: Any, focuser: Any, snapshot: Snapshot, may_run: bool
) -> None:
    focuser.snapshot = snapshot
    for one in (program, wire):
        answer = one.get("ismoving")
        assert (answer.error, answer.json["Value"]) == (0x407, may_run)
    assert "(reconnecting). The cable is broken." in program.get("position").json["ErrorMessage"]


@pytest.mark.parametrize("client_id", [None, 8])
def test_who_may_not_connect_reads_all_the_same(
    server: Any, dial: Any, focuser: Any, client_id: int | None
) -> None:
    looking = dial(server, source="127.0.0.2", client_id=client_id)
    focuser.stand(1234)
    assert (looking.get("position").value, looking.get("ismoving").value) == (1234, False)
    state = {item["Name"]: item["Value"] for item in looking.get("devicestate").value}
    assert (state["IsMoving"], state["Position"]) == (False, 1234)
    focuser.snapshot = replace(focuser.snapshot, state=State.MOVING)
    assert looking.get("ismoving").value is True
    # It is no client that is connected.
    assert (looking.get("connected").value, looking.get("connecting").value) == (False, False)


@pytest.mark.parametrize("member", HARDWARE)
def test_who_may_not_connect_is_told_why_a_focuser_cannot_be_used(
    stranger: Any, focuser: Any, member: str
) -> None:
    named = Sentence("stopped.", "stopped by 10.0.0.1.")
    focuser.snapshot = Snapshot(state=State.UNHOMED, reason=named)
    answer = stranger.get(member)
    assert answer.error == 0x407
    assert answer.json["ErrorMessage"] == "the focuser is not connected (unhomed). Stopped."


@pytest.mark.parametrize("member", HARDWARE)
def test_who_may_not_connect_hears_nothing_of_the_moves_of_others(
    program: Any, stranger: Any, focuser: Any, until: Any, member: str
) -> None:
    focuser.move_gate.clear()
    focuser.move_error = NoProgressError("the motor does not advance.")
    program.put("move", Position=100)
    focuser.move_gate.set()
    until(lambda: not stranger.get("ismoving").value)
    assert stranger.get(member).error == 0
    assert program.get(member).error == 0x532


def test_reads_call_nothing_and_wait_for_nothing(
    server: Any, dial: Any, program: Any, focuser: Any, until: Any
) -> None:
    # Every call of the service hangs, and many wait for one.
    focuser.move_gate.clear()
    focuser.stop_gate.clear()
    hanging = [dial(server, client_id=7) for _ in range(20)]
    assert program.put("move", Position=100).error == 0
    for wire in hanging:
        wire.send(
            b"PUT /api/v1/focuser/0/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nClientID=7"
        )
    until(lambda: focuser.named("stop"))
    calls = list(focuser.calls)
    for member in [*HARDWARE, "name", "connected", "connecting", "maxstep", "temperature"]:
        assert program.get(member).status == 200
    assert focuser.calls == calls
    focuser.stop_gate.set()
    assert [wire.answer().error for wire in hanging] == [0] * 20
    # Who began to wait while it ended has one more.
    assert len(focuser.named("stop")) <= 3
