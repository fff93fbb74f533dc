"""Whose Connected is true, and when the focuser is initialised."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import BusyError, LinkError, PortUnavailableError
from rockit.focuser.ok3z.service.status import Snapshot, State

WAY = pytest.mark.parametrize(
    ("on", "off"),
    [
        (("connect", {}), ("disconnect", {})),
        (("connected", {"Connected": "True"}), ("connected", {"Connected": "False"})),
    ],
)


@pytest.fixture
def unhomed(focuser: Any) -> Any:
    focuser.snapshot = Snapshot()
    return focuser


@WAY
def test_connecting_to_a_focuser_that_is_ready_is_a_matter_of_the_session_alone(
    wire: Any, focuser: Any, on: Any, off: Any
) -> None:
    wire.client_id = 7
    seen = []
    for member, parameters in (on, on, off, off, on):
        assert wire.put(member, **parameters).error == 0
        seen.append((wire.get("connecting").value, wire.get("connected").value))
    assert seen == [(False, True), (False, True), (False, False), (False, False), (False, True)]
    assert focuser.calls == []


def test_each_program_is_connected_for_itself(server: Any, dial: Any, focuser: Any) -> None:
    first, second = dial(server, client_id=1), dial(server, client_id=2)
    first.put("connect")
    assert (first.get("connected").value, second.get("connected").value) == (True, False)
    second.put("connect")
    first.put("disconnect")
    assert (first.get("connected").value, second.get("connected").value) == (False, True)
    assert (first.get("position").error, second.get("position").error) == (0x407, 0)
    assert focuser.calls == []


def test_the_same_program_may_use_several_connections(server: Any, dial: Any) -> None:
    dial(server, client_id=1).put("connect")
    assert dial(server, client_id=1).get("connected").value is True


def test_connect_returns_at_once_and_connecting_lasts_until_it_is_homed(
    wire: Any, unhomed: Any, until: Any
) -> None:
    unhomed.initialise_gate.clear()
    assert wire.put("connect").error == 0
    assert (wire.get("connecting").value, wire.get("connected").value) == (True, False)
    assert wire.get("position").error == 0x407
    unhomed.initialise_gate.set()
    until(lambda: not wire.get("connecting").value)
    assert wire.get("connected").value is True
    # As plain Pyro does: home, and restore as configured.
    assert unhomed.calls == [("initialize", False, None)]


def test_all_that_connect_at_once_share_one_initialisation(
    server: Any, dial: Any, unhomed: Any, until: Any
) -> None:
    unhomed.initialise_gate.clear()
    programs = [dial(server, client_id=n) for n in range(1, 13)]
    for program in programs:
        for _ in range(12):
            assert program.put("connect").error == 0
    assert all(program.get("connecting").value for program in programs)
    unhomed.initialise_gate.set()
    until(lambda: all(program.get("connected").value for program in programs))
    assert len(unhomed.named("initialize")) == 1


def test_put_connected_waits_for_the_end(wire: Any, dial: Any, server: Any, unhomed: Any, until: Any) -> None:
    unhomed.initialise_gate.clear()
    wire.send(
        b"PUT /api/v1/focuser/0/connected HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\nConnected=True"
    )
    other = dial(server)
    until(lambda: other.get("connecting").value)
    unhomed.initialise_gate.set()
    assert wire.answer().error == 0
    assert wire.get("connected").value is True


def test_a_failure_is_told_once_by_connecting(wire: Any, unhomed: Any, until: Any) -> None:
    unhomed.initialise_error = PortUnavailableError("the serial port cannot be opened.")
    assert wire.put("connect").error == 0
    answers = []
    until(lambda: answers.append(wire.get("connecting")) or not answers[-1].json["Value"])  # type: ignore[func-returns-value]
    assert answers[-1].error == 0x511
    assert answers[-1].json["ErrorMessage"] == "the serial port cannot be opened."
    assert (wire.get("connecting").value, wire.get("connected").value) == (False, False)


def test_a_failure_is_told_by_put_connected_itself(wire: Any, unhomed: Any) -> None:
    unhomed.initialise_error = LinkError("nothing answered.")
    assert wire.put("connected", Connected="True").error == 0x510
    assert (wire.get("connecting").value, wire.get("connected").value) == (False, False)
    unhomed.initialise_error = None
    assert wire.put("connected", Connected="True").error == 0


def test_who_disconnects_meanwhile_stops_nothing_and_stays_disconnected(
    server: Any, dial: Any, unhomed: Any, until: Any
) -> None:
    leaving, staying = dial(server, client_id=1), dial(server, client_id=2)
    unhomed.initialise_gate.clear()
    for program in (leaving, staying):
        program.put("connect")
    leaving.put("disconnect")
    assert leaving.get("connecting").value is False
    unhomed.initialise_gate.set()
    until(lambda: staying.get("connected").value)
    assert leaving.get("connected").value is False
    assert unhomed.named("stop") == []


def test_who_goes_away_meanwhile_takes_nothing_from_the_others(
    server: Any, dial: Any, unhomed: Any, until: Any
) -> None:
    leaving, staying = dial(server, client_id=1), dial(server, client_id=2)
    unhomed.initialise_gate.clear()
    leaving.send(
        b"PUT /api/v1/focuser/0/connected HTTP/1.1\r\nHost: localhost\r\nContent-Length: 25\r\n\r\n"
        b"Connected=True&ClientID=1"
    )
    until(lambda: unhomed.named("initialize"))
    staying.put("connect")
    # It breaks down, and does not merely say that it sends no more.
    leaving.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    leaving.socket.close()
    # Its answer was given up when the others are heard again.
    assert [staying.get("connecting").value for _ in range(20)] == [True] * 20
    unhomed.initialise_gate.set()
    until(lambda: staying.get("connected").value)


@pytest.mark.parametrize("ends_well", [True, False])
def test_somebody_elses_initialisation_is_waited_for_and_not_repeated(
    wire: Any, unhomed: Any, until: Any, ends_well: bool
) -> None:
    unhomed.initialise_error = BusyError("initialize is still running.")
    unhomed.snapshot = Snapshot(state=State.HOMING)
    wire.put("connect")
    until(lambda: unhomed.named("initialize"))
    assert wire.get("connecting").value is True
    if ends_well:
        unhomed.stand()
        until(lambda: wire.get("connected").value)
    else:
        unhomed.snapshot = Snapshot(state=State.UNHOMED, reason="stopped by 10.0.0.9.")
        answers = []
        until(lambda: answers.append(wire.get("connecting")) or answers[-1].error)  # type: ignore[func-returns-value]
        assert answers[-1].error == 0x407
        assert "stopped by 10.0.0.9." in answers[-1].json["ErrorMessage"]
    assert len(unhomed.named("initialize")) == 1


def test_a_focuser_that_was_lost_is_initialised_anew(program: Any, focuser: Any) -> None:
    focuser.lose_link()
    assert program.get("connected").value is False
    assert program.put("connected", Connected="True").error == 0
    assert focuser.named("initialize") == [("initialize", False, None)]
    assert program.get("connected").value is True
