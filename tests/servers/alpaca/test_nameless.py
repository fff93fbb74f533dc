"""A client that sends no ClientID: it needs no session, and takes nothing of those of others."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.errors import NoProgressError
from rockit.focuser.ok3z.servers.alpaca.sessions import Client, Sessions

READS = pytest.mark.parametrize("member", ["ismoving", "position", "devicestate"])
NO_PROGRESS, CANCELLED, NOT_CONNECTED = 0x532, 0x40E, 0x407


@pytest.fixture(params=[None, 0], ids=["no-id", "id-0"])
def nameless(request: pytest.FixtureRequest, server: Any, dial: Any) -> Any:
    """A script on the machine of `program`."""
    return dial(server, client_id=request.param)


@pytest.fixture
def other(server: Any, dial: Any) -> Any:
    """Another program, to see the end of a move without asking in the place of one of the two."""
    wire = dial(server, client_id=8)
    wire.put("connect")
    return wire


def fail(who: Any, other: Any, focuser: Any, until: Any) -> None:
    """Have a move of a client fail after its answer."""
    focuser.move_gate.clear()
    focuser.move_error = NoProgressError("the motor does not advance.")
    assert who.put("move", Position=100).error == 0
    focuser.move_gate.set()
    until(lambda: not other.get("ismoving").value)
    focuser.move_error = None


@READS
def test_it_reads_what_a_program_may_read_and_takes_no_error_of_it(
    program: Any, nameless: Any, other: Any, focuser: Any, until: Any, member: str
) -> None:
    fail(program, other, focuser, until)
    assert [nameless.get(member).error for _ in range(3)] == [0] * 3
    assert program.get(member).error == NO_PROGRESS


@READS
def test_its_own_move_is_its_own_error(
    program: Any, nameless: Any, other: Any, focuser: Any, until: Any, member: str
) -> None:
    fail(nameless, other, focuser, until)
    assert program.get(member).error == 0
    assert [nameless.get(member).error for _ in range(2)] == [NO_PROGRESS, 0]


def test_its_own_move_takes_no_old_error_of_a_program_with_it(
    program: Any, nameless: Any, other: Any, focuser: Any, until: Any
) -> None:
    fail(program, other, focuser, until)
    assert nameless.put("move", Position=50).error == 0
    assert nameless.get("position").value == 50
    assert program.get("position").error == NO_PROGRESS


def test_its_next_move_takes_its_own_old_error_with_it(
    program: Any, nameless: Any, other: Any, focuser: Any, until: Any
) -> None:
    fail(nameless, other, focuser, until)
    assert nameless.put("move", Position=50).error == 0
    assert nameless.get("position").value == 50


def test_its_halt_is_to_a_program_a_halt_by_somebody_else(
    program: Any, nameless: Any, other: Any, focuser: Any, until: Any
) -> None:
    focuser.move_gate.clear()
    program.put("move", Position=100)
    assert nameless.put("halt").error == 0
    until(lambda: not other.get("ismoving").value)
    assert nameless.get("position").error == 0
    assert program.get("position").error == CANCELLED


@pytest.mark.parametrize(("halts", "error"), [("nameless", 0), ("program", CANCELLED)])
def test_who_halts_its_move_decides_whether_that_is_an_error(
    program: Any, nameless: Any, other: Any, focuser: Any, until: Any, halts: str, error: int
) -> None:
    focuser.move_gate.clear()
    nameless.put("move", Position=100)
    assert {"nameless": nameless, "program": program}[halts].put("halt").error == 0
    until(lambda: not other.get("ismoving").value)
    assert program.get("position").error == 0
    assert nameless.get("position").error == error


def test_it_needs_no_session(nameless: Any, focuser: Any) -> None:
    """As curl, scripts and pyobs-alpaca, which never connect."""
    assert nameless.put("move", Position=50).error == 0
    assert nameless.get("position").value == 50
    assert nameless.get("ismoving").value is False
    assert nameless.get("devicestate").value
    assert nameless.put("halt").error == 0
    assert nameless.get("connected").value is False, "it did not ask for that"
    assert nameless.put("disconnect").error == 0
    assert nameless.get("position").value == 50
    assert focuser.named("initialize") == []


@pytest.mark.parametrize("member", ["position", "ismoving", "devicestate"])
def test_it_is_told_why_a_focuser_cannot_be_used(nameless: Any, focuser: Any, member: str) -> None:
    focuser.lose_link("the cable is broken.")
    for answer in (nameless.get(member), nameless.put("move", Position=5)):
        assert answer.error == NOT_CONNECTED
        assert "The cable is broken." in answer.json["ErrorMessage"]
    assert focuser.named("move") == []


@pytest.mark.parametrize("client_id", [None, 0])
def test_of_a_machine_that_may_not_control_it_only_reads(
    server: Any, dial: Any, focuser: Any, client_id: int | None
) -> None:
    stranger = dial(server, source="127.0.0.2", client_id=client_id)
    assert stranger.get("position").error == 0
    assert [stranger.put("move", Position=5).error, stranger.put("halt").error] == [0x40B, 0x40B]
    assert focuser.calls == []


def test_what_it_disconnects_is_itself(program: Any, nameless: Any) -> None:
    assert nameless.put("disconnect").error == 0
    assert program.get("connected").value is True
    assert nameless.get("position").error == 0


def test_who_says_who_it_is_must_be_connected() -> None:
    sessions = Sessions()
    assert sessions.may_use(Client("10.0.0.1", 0)) is True
    assert sessions.may_use(Client("10.0.0.1", 5)) is False
    sessions.open(Client("10.0.0.1", 5)).connected = True
    assert sessions.may_use(Client("10.0.0.1", 5)) is True
    assert sessions.may_use(Client("10.0.0.1", 6)) is False
