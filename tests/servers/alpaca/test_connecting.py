"""Whose Connected is true, and when the focuser is initialised."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.errors import BusyError, LinkError, PortUnavailableError
from rockit.focuser.ok3z.servers.alpaca.sessions import Client, Sessions
from rockit.focuser.ok3z.service.status import Snapshot, State
from tests.support.http import CONNECTED, OTHER_CONTROL
from tests.support.waiting import wait_until


@pytest.fixture
def unhomed(focuser: Any) -> Any:
    focuser.snapshot = Snapshot()
    return focuser


@pytest.fixture
def pair(server: Any, dial: Any) -> Any:
    return dial(server, client_id=1), dial(server, client_id=2)


@pytest.mark.parametrize(
    ("on", "off"),
    [
        (("connect", {}), ("disconnect", {})),
        (("connected", {"Connected": "True"}), ("connected", {"Connected": "False"})),
    ],
)
def test_connecting_to_a_focuser_that_is_ready_is_a_matter_of_the_session_alone(
    wire: Any, focuser: Any, on: Any, off: Any
) -> None:
    wire.client_id = 7
    for member, parameters in (on, on, off, off, on):
        assert wire.put(member, **parameters).error == 0
        assert wire.get("connecting").value is False
        assert wire.get("connected").value is (member == on[0] and parameters == on[1])
    assert focuser.calls == []


def test_each_program_is_connected_for_itself(server: Any, dial: Any, pair: Any, focuser: Any) -> None:
    first, second = pair
    first.connect()
    assert (first.get("connected").value, second.get("connected").value) == (True, False)
    second.connect()
    first.put("disconnect")
    assert (first.get("connected").value, second.get("connected").value) == (False, True)
    assert (first.get("position").error, second.get("position").error) == (0x407, 0)
    # It is the ID that counts, and its machine; not the connection.
    assert dial(server, client_id=2).get("connected").value is True
    assert dial(server, client_id=2, source=OTHER_CONTROL).get("connected").value is False
    assert focuser.calls == []


def test_connect_returns_at_once_and_connecting_lasts_until_it_is_homed(wire: Any, unhomed: Any) -> None:
    unhomed.initialize_gate.close()
    assert wire.put("connect").error == 0
    assert (wire.get("connecting").value, wire.get("connected").value) == (True, False)
    assert wire.get("position").error == 0x407
    unhomed.initialize_gate.open()
    wire.wait_for("connecting", False)
    assert wire.get("connected").value is True
    # As plain Pyro does: home, and restore as configured.
    assert unhomed.calls == [("initialize", None, None, False)]


def test_all_that_connect_at_once_share_one_initialisation(server: Any, dial: Any, unhomed: Any) -> None:
    unhomed.initialize_gate.close()
    programs = [dial(server, client_id=n) for n in range(1, 13)]
    for program in programs:
        for _ in range(12):
            assert program.put("connect").error == 0
    assert all(program.get("connecting").value for program in programs)
    waiting = dial(server)
    waiting.send(CONNECTED)
    dial(server).wait_for("connecting", True)
    unhomed.initialize_gate.open()
    assert waiting.answer().error == 0
    for program in programs:
        program.wait_for("connected", True)
    assert len(unhomed.named("initialize")) == 1


def test_a_failure_is_told_once_by_connecting(wire: Any, unhomed: Any) -> None:
    unhomed.failures["initialize"] = PortUnavailableError("the serial port cannot be opened.")
    assert wire.put("connect").error == 0
    answer = wire.wait_for_error("connecting")
    assert (answer.error, answer.message) == (0x511, "the serial port cannot be opened.")
    assert (wire.get("connecting").value, wire.get("connected").value) == (False, False)


def test_a_failure_is_told_by_put_connected_itself(wire: Any, unhomed: Any) -> None:
    unhomed.failures["initialize"] = LinkError("nothing answered.")
    assert wire.put("connected", Connected="True").error == 0x510
    assert (wire.get("connecting").value, wire.get("connected").value) == (False, False)
    unhomed.failures.clear()
    wire.connect()


def test_who_disconnects_meanwhile_stops_nothing_and_stays_disconnected(pair: Any, unhomed: Any) -> None:
    leaving, staying = pair
    unhomed.initialize_gate.close()
    for program in pair:
        program.put("connect")
    leaving.put("disconnect")
    assert leaving.get("connecting").value is False
    unhomed.initialize_gate.open()
    staying.wait_for("connected", True)
    assert leaving.get("connected").value is False
    assert unhomed.named("stop") == []


def test_who_goes_away_meanwhile_takes_nothing_from_the_others(pair: Any, unhomed: Any) -> None:
    leaving, staying = pair
    unhomed.initialize_gate.close()
    leaving.send(CONNECTED)
    wait_until(lambda: unhomed.named("initialize"))
    staying.put("connect")
    leaving.break_down()
    # Its answer was given up when the others are heard again.
    assert [staying.get("connecting").value for _ in range(20)] == [True] * 20
    unhomed.initialize_gate.open()
    staying.wait_for("connected", True)


@pytest.mark.parametrize("ends_well", [True, False])
def test_somebody_elses_initialisation_is_waited_for_and_not_repeated(
    wire: Any, unhomed: Any, ends_well: bool
) -> None:
    unhomed.failures["initialize"] = BusyError("initialize is still running.")
    unhomed.snapshot = Snapshot(state=State.HOMING)
    wire.put("connect")
    wait_until(lambda: unhomed.named("initialize"))
    assert wire.get("connecting").value is True
    if ends_well:
        unhomed.stand()
        wire.wait_for("connected", True)
    else:
        unhomed.snapshot = Snapshot(state=State.UNHOMED, reason="stopped by 10.0.0.9.")
        answer = wire.wait_for_error("connecting")
        assert answer.error == 0x407
        assert "stopped by 10.0.0.9." in answer.message
    assert len(unhomed.named("initialize")) == 1


def test_a_focuser_that_was_lost_is_initialised_anew(program: Any, focuser: Any) -> None:
    focuser.lose_link()
    assert program.get("connected").value is False
    program.connect()
    assert len(focuser.named("initialize")) == 1
    assert program.get("connected").value is True


def test_the_session_that_was_not_used_for_longest_makes_room() -> None:
    sessions = Sessions(most=2)
    first, second, third = (Client("10.0.0.1", n) for n in (1, 2, 3))
    for client in (first, second):
        sessions.open(client).connected = True
    assert sessions.own(first)
    sessions.open(third)
    assert (sessions.own(first) is None, sessions.own(second) is None, len(sessions)) == (False, True, 2)
