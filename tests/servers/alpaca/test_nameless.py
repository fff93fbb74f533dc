"""A client that sends no ClientID: it needs no session, and takes nothing of those of others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.http import STRANGER

READS = ("ismoving", "position", "devicestate")
NO_PROGRESS, CANCELLED, NOT_CONNECTED = 0x532, 0x40E, 0x407


@pytest.fixture(params=[None, 0], ids=["no-id", "id-0"])
def nameless(request: pytest.FixtureRequest, server: Any, dial: Any) -> Any:
    """A script on the machine of `program`."""
    return dial(server, client_id=request.param)


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


def test_what_it_disconnects_is_itself(program: Any, nameless: Any) -> None:
    assert nameless.put("disconnect").error == 0
    assert program.get("connected").value is True


def test_it_takes_no_error_of_a_program(program: Any, nameless: Any, fail: Any) -> None:
    fail(program)
    assert nameless.errors(*READS, *READS) == [0] * 6
    assert nameless.put("move", Position=50).error == 0
    assert program.errors(*READS) == [NO_PROGRESS] * 3


def test_its_own_move_is_its_own_error_until_its_next(program: Any, nameless: Any, fail: Any) -> None:
    fail(nameless)
    assert program.errors(*READS) == [0, 0, 0]
    assert nameless.errors(*READS, *READS) == [NO_PROGRESS] * 3 + [0, 0, 0]
    fail(nameless)
    assert nameless.put("move", Position=50).error == 0
    assert nameless.errors(*READS) == [0, 0, 0]


@pytest.mark.parametrize(
    ("moves", "halts", "errors"),
    [
        ("program", "nameless", (CANCELLED, 0)),
        ("nameless", "nameless", (0, 0)),
        ("nameless", "program", (0, CANCELLED)),
    ],
)
def test_who_halts_decides_whether_that_is_an_error(
    program: Any, nameless: Any, other: Any, focuser: Any, moves: str, halts: str, errors: tuple[int, int]
) -> None:
    clients = {"program": program, "nameless": nameless}
    focuser.move_gate.close()
    clients[moves].put("move", Position=100)
    assert clients[halts].put("halt").error == 0
    other.wait_for("ismoving", False)
    assert (program.get("position").error, nameless.get("position").error) == errors


def test_it_is_told_why_a_focuser_cannot_be_used(nameless: Any, focuser: Any) -> None:
    focuser.lose_link("the cable is broken.")
    for answer in (*map(nameless.get, READS), nameless.put("move", Position=5)):
        assert answer.error == NOT_CONNECTED
        assert "The cable is broken." in answer.message
    assert focuser.named("move") == []


@pytest.mark.parametrize("client_id", [None, 0])
def test_of_a_machine_that_may_not_control_it_only_reads(
    server: Any, dial: Any, focuser: Any, client_id: int | None
) -> None:
    stranger = dial(server, source=STRANGER, client_id=client_id)
    assert stranger.get("position").error == 0
    assert [stranger.put("move", Position=5).error, stranger.put("halt").error] == [0x40B, 0x40B]
    assert focuser.calls == []
