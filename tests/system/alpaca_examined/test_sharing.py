"""One focuser, several masters: Pyro, two Alpaca clients, and people; and what a client learns of it.

What clients learn of each other's moves and errors is in tests/servers/alpaca.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable

import pytest

from tests.support.waiting import wait_until

Background = Callable[..., "Future[Any]"]
CANCELLED, NOT_CONNECTED, INVALID_OPERATION = 0x40E, 0x407, 0x40B
READS = ("position", "ismoving", "devicestate")
FAR = 30528


@pytest.fixture
def pair(served: Any, make_wire: Callable[..., Any]) -> Any:
    """Two clients of one machine, connected."""
    return make_wire(served).connect(), make_wire(served).connect()


def homings(served: Any) -> float:
    """How many times the controller was homed: each comes to the limit switch twice."""
    seen: dict[str, int] = served.truth()["frames_seen"]
    return seen.get("P103", 0) / 2


# Pyro


def test_a_stop_over_pyro_ends_a_move_over_alpaca(connected: Any, served: Any) -> None:
    assert connected.put("move", Position=FAR).error == 0
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    assert served.call("set_focus", 1.0) == 2
    assert served.call("stop") == 0
    assert served.truth()["moving"] is False
    answer = connected.wait_for_error("ismoving")
    assert answer.error == CANCELLED
    assert "127.0.0.1" in answer.message
    assert connected.get("ismoving").value is False, "it is told once"
    assert connected.get("position").error == CANCELLED, "by each member"
    assert connected.get("position").value == served.status()["current_steps"]


def test_a_halt_over_alpaca_ends_a_move_over_pyro_which_is_seen_and_no_client_s_error(
    connected: Any, served: Any, background: Background
) -> None:
    move = background(served.call, "set_focus", 5.0)
    connected.wait_for("ismoving", True)
    assert connected.put("move", Position=1).error == INVALID_OPERATION
    assert connected.put("halt").error == 0
    assert move.result() == 1
    assert served.truth()["moving"] is False
    assert connected.errors(*READS) == [0, 0, 0]


def test_a_shutdown_over_pyro_disconnects_every_client_and_says_so(pair: Any, served: Any) -> None:
    assert served.call("shutdown") == 0
    for wire in pair:
        assert wire.get("connected").value is False
        for member in READS:
            answer = wire.get(member)
            assert answer.error == NOT_CONNECTED, member
            assert not answer.json.get("Value"), "never where it once stood"
        assert wire.put("move", Position=1000).error == NOT_CONNECTED
    # And it can be had back, by either.
    before = homings(served)
    pair[1].connect()
    assert pair[1].get("position").value == 0
    assert homings(served) == before + 1
    assert served.status()["state"] == "idle"


def test_all_who_connect_at_once_share_one_homing_run_with_pyro(
    served: Any, make_wire: Callable[..., Any], background: Background
) -> None:
    assert served.call("shutdown") == 0
    before = homings(served)
    homing = background(served.call, "initialize")
    served.wait_for_homing()
    clients = [make_wire(served) for _ in range(6)]
    for wire in clients[:3]:
        assert wire.put("connect").error == 0
        assert (wire.get("connecting").value, wire.get("connected").value) == (True, False)
    waiting = [background(wire.put, "connected", Connected=True) for wire in clients[3:]]
    assert [future.result().error for future in waiting] == [0] * 3
    assert homing.result() == 0
    for wire in clients:
        wire.wait_for("connecting", False)
        assert wire.get("connected").value is True
    assert homings(served) == before + 1


def test_who_disconnects_leaves_the_focuser_to_the_others(pair: Any, served: Any) -> None:
    first, second = pair
    assert first.put("move", Position=FAR).error == 0
    assert second.put("disconnect").error == 0
    assert (first.get("connected").value, second.get("connected").value) == (True, False)
    assert first.get("ismoving").value is True
    assert second.get("position").error == NOT_CONNECTED
    # And a client that goes in the middle of its own move stops nothing.
    assert first.put("connected", Connected=False).error == 0
    assert served.status()["moving"] is True
    assert served.call("stop") == 0
    assert served.status()["state"] == "idle"


def test_at_the_end_of_the_daemon_a_move_of_a_client_is_halted(
    make_daemon: Any, make_wire: Callable[..., Any]
) -> None:
    daemon = make_daemon(alpaca={}, serial_port={"time_scale": 10}, speed_mm_sec=0.4).start()
    wire = make_wire(daemon).connect()
    assert wire.put("move", Position=FAR).error == 0
    daemon.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    daemon.end()
    assert "halt" in daemon.log


# A focuser that is dead


def test_a_dead_focuser_is_not_connected_and_never_where_it_was(
    connected: Any, served: Any, spoil: Callable[[str], None]
) -> None:
    spoil("power-off")
    served.wait_for(lambda report: report["status"] == 0, "the loss of the link")
    reason = served.status()["reason"]
    assert connected.get("connected").value is False
    for member in READS:
        answer = connected.get(member)
        assert answer.error == NOT_CONNECTED, member
        assert reason.lower() in answer.message.lower(), member
        assert not answer.json.get("Value"), member
    for member, form in (("move", {"Position": 1000}), ("halt", {})):
        assert connected.put(member, **form).error != 0
    assert connected.get("name").value
    # Power comes back, and the controller has forgotten where it stands: it says so, and can be homed.
    spoil("power-on")
    served.wait_for(lambda report: report["state"] == "unhomed", "the link is back")
    assert served.status()["reason"].lower() in connected.get("position").message.lower()
    connected.connect()
    assert connected.get("position").value == 0


def test_a_link_that_comes_back_as_it_was_left_is_connected_again(make_daemon: Any, make_wire: Any) -> None:
    """On a daemon of its own: one that has lost its link often takes its time."""
    daemon = make_daemon(alpaca={}, serial_port={"time_scale": 10}).start()
    connected = make_wire(daemon).connect()
    connected.move(3000)
    daemon.tell("hang-up")
    assert connected.wait_for_error("position").error == NOT_CONNECTED
    assert connected.get("connected").value is False
    daemon.tell("return")
    connected.wait_for("connected", True)
    assert connected.get("position").value == 3000


def test_a_link_that_is_lost_in_a_move_is_an_error_that_says_why(
    connected: Any, served: Any, spoil: Callable[[str], None]
) -> None:
    assert connected.put("move", Position=FAR).error == 0
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    spoil("hang-up")
    errors = []

    def is_lost() -> bool:
        answer = connected.get("ismoving")
        if answer.error:
            errors.append(answer)
        return bool(answer.error == NOT_CONNECTED)

    wait_until(is_lost, "the loss of the link")
    assert {answer.error for answer in errors} <= {NOT_CONNECTED, *range(0x500, 0x1000)}
    assert all(len(answer.message) > 20 for answer in errors)
    spoil("return")
    served.wait_for(lambda report: report["state"] in ("idle", "unhomed"), "the link is back")


def test_connecting_to_a_dead_focuser_ends_and_says_why(
    served: Any, make_wire: Callable[..., Any], spoil: Callable[[str], None]
) -> None:
    assert served.call("shutdown") == 0
    spoil("hang-up")
    wire = make_wire(served)
    answer = wire.put("connected", Connected=True)
    assert answer.error in range(0x500, 0x1000)
    assert served.status()["reason"] in answer.message
    assert wire.put("connect").error == 0
    # In this order: until then it is still being tried, for no reason yet.
    message = wire.wait_for_error("connecting").message
    assert served.status()["reason"] in message
    assert (wire.get("connecting").value, wire.get("connected").value) == (False, False)
    assert wire.get("position").error == NOT_CONNECTED
