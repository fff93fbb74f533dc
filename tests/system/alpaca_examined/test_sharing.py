"""One focuser, several masters: Pyro, two Alpaca clients, and people; and what a client learns of it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable

import pytest

Background = Callable[..., "Future[Any]"]
CANCELLED, NOT_CONNECTED, INVALID_OPERATION = 0x40E, 0x407, 0x40B
FAR = 30528


@pytest.fixture(name="pair")
def fixture_pair(served: Any, make_wire: Callable[..., Any]) -> Any:
    """Two clients of one machine, connected."""
    return make_wire(served).connect(), make_wire(served).connect()


def wait_for_error(wire: Any, member: str = "ismoving") -> Any:
    """The first answer that is an error."""
    return wire.wait_until(
        lambda: reply if (reply := wire.get(member)).error else None, f"an error of {member}"
    )


# Pyro


def test_a_stop_over_pyro_ends_a_move_over_alpaca(connected: Any, served: Any) -> None:
    assert connected.put("move", Position=FAR).error == 0
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    assert served.call("stop") == 0
    assert served.truth()["moving"] is False
    reply = wait_for_error(connected)
    assert reply.error == CANCELLED
    assert "127.0.0.1" in reply.json["ErrorMessage"]
    assert connected.get("ismoving").value is False, "it is told once"
    assert connected.get("position").error == CANCELLED, "by each member"
    assert connected.get("position").value == served.status()["current_steps"]


@pytest.mark.parametrize("member", ["position", "devicestate", "ismoving"])
def test_each_member_tells_of_the_stop_once(connected: Any, served: Any, member: str) -> None:
    assert connected.put("move", Position=FAR).error == 0
    assert served.call("stop") == 0
    assert wait_for_error(connected, member).error == CANCELLED
    others = [each for each in ("position", "devicestate", "ismoving") if each != member]
    assert [connected.get(each).error for each in others] == [CANCELLED] * 2
    assert [connected.get(each).error for each in (member, *others)] == [0, 0, 0]


@pytest.mark.parametrize("member", ["position", "devicestate", "ismoving"])
def test_an_error_is_told_to_who_asked_and_taken_by_nobody_else(
    make_daemon: Any, make_wire: Callable[..., Any], member: str
) -> None:
    """Else a program believes that it arrived where it never was."""
    daemon = make_daemon(alpaca={}, serial_port={"time_scale": 10}, speed_mm_sec=0.4).start()
    connected, nameless, another = (make_wire(daemon) for _ in range(3))
    connected.connect()
    another.connect()
    assert connected.put("move", Position=FAR).error == 0
    assert daemon.call("stop") == 0
    daemon.wait_for(lambda report: not report["moving"], "the stop")
    connected.wait_until(lambda: another.get("ismoving").value is False, "the end of the move")
    for _ in range(3):
        assert another.get(member).error == 0
        # A person's curl, or a monitor, which sends no ClientID.
        assert nameless.get(member, {}).error in (0, NOT_CONNECTED)
    assert connected.get("ismoving").error == CANCELLED


def test_the_next_move_takes_an_old_error_with_it(connected: Any, served: Any) -> None:
    """Who asks for something new is not told of what is past in the middle of it."""
    assert connected.put("move", Position=FAR).error == 0
    assert served.call("stop") == 0
    served.wait_for(lambda report: not report["moving"], "the stop")
    connected.wait_until(lambda: connected.put("move", Position=3000).error == 0, "the next move")
    connected.wait_for_rest()
    assert connected.get("position").value == 3000


def test_a_move_over_pyro_is_seen_and_no_client_s_error(
    connected: Any, served: Any, background: Background
) -> None:
    move = background(served.call, "set_focus", 5.0)
    connected.wait_until(lambda: connected.get("ismoving").value, "the move of another")
    assert connected.put("move", Position=1).error == INVALID_OPERATION
    assert served.call("stop") == 0
    assert move.result() == 1
    connected.wait_for_rest()


def test_a_halt_over_alpaca_ends_a_move_over_pyro(
    connected: Any, served: Any, background: Background
) -> None:
    move = background(served.call, "set_focus", 5.0)
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    assert connected.put("halt").error == 0
    assert move.result() == 1
    assert served.truth()["moving"] is False
    assert connected.get("ismoving").value is False


def test_a_move_over_alpaca_blocks_one_over_pyro(connected: Any, served: Any) -> None:
    assert connected.put("move", Position=FAR).error == 0
    assert served.call("set_focus", 1.0) == 2
    assert connected.get("ismoving").value is True
    assert connected.put("halt").error == 0
    connected.wait_for_rest()


def test_a_shutdown_over_pyro_disconnects_every_client_and_says_so(pair: Any, served: Any) -> None:
    assert served.call("shutdown") == 0
    for wire in pair:
        assert wire.get("connected").value is False
        for member in ("position", "ismoving", "devicestate"):
            reply = wire.get(member)
            assert reply.error == NOT_CONNECTED
            assert reply.json["ErrorMessage"]
            assert not reply.json.get("Value"), "never where it once stood"
        assert wire.put("move", Position=1000).error == NOT_CONNECTED
    # And it can be had back, by either.
    homed = served.truth()["frames_seen"]
    pair[1].connect()
    assert pair[1].get("position").value == 0
    assert served.truth()["frames_seen"] != homed
    assert served.status()["state"] == "idle"


def test_who_connects_while_pyro_homes_waits_for_it_and_homes_no_second_time(
    served: Any, make_wire: Callable[..., Any], background: Background
) -> None:
    assert served.call("shutdown") == 0
    before = homings(served)
    homing = background(served.call, "initialize")
    served.wait_for_homing()
    wire = make_wire(served)
    assert wire.put("connect").error == 0
    assert wire.get("connecting").value is True
    wire.wait_for_connecting()
    assert wire.get("connected").value is True
    assert homing.result() == 0
    assert homings(served) == before + 1


# Two clients


def test_clients_that_connect_at_once_share_one_homing_run(
    served: Any, make_wire: Callable[..., Any], background: Background
) -> None:
    assert served.call("shutdown") == 0
    before = homings(served)
    clients = [make_wire(served) for _ in range(6)]
    for wire in clients[:3]:
        assert wire.put("connect").error == 0
        assert wire.get("connecting").value is True
    waiting = [background(wire.put, "connected", Connected=True) for wire in clients[3:]]
    served.wait_for_homing()
    assert [wire.get("connected").value for wire in clients[:3]] == [False] * 3
    assert [future.result().error for future in waiting] == [0] * 3
    for wire in clients:
        wire.wait_for_connecting()
        assert wire.get("connected").value is True
    assert homings(served) == before + 1


def homings(served: Any) -> float:
    """How many times the controller was homed: each comes to the limit switch twice."""
    seen: dict[str, int] = served.truth()["frames_seen"]
    return seen.get("P103", 0) / 2


def test_who_disconnects_leaves_the_focuser_to_the_others(pair: Any, served: Any) -> None:
    first, second = pair
    assert first.put("move", Position=FAR).error == 0
    assert second.put("disconnect").error == 0
    assert second.get("connected").value is False
    assert first.get("connected").value is True
    assert first.get("ismoving").value is True
    assert second.get("position").error == NOT_CONNECTED
    # And a client that goes in the middle of its own move stops nothing.
    assert first.put("connected", Connected=False).error == 0
    assert served.status()["moving"] is True
    assert served.call("stop") == 0
    assert served.status()["state"] == "idle"


def test_the_halt_of_one_is_the_error_of_the_other(pair: Any) -> None:
    first, second = pair
    assert first.put("move", Position=FAR).error == 0
    assert second.put("move", Position=1).error == INVALID_OPERATION
    assert second.put("halt").error == 0
    assert wait_for_error(first).error == CANCELLED
    assert [wire.get("ismoving").value for wire in pair] == [False, False]


def test_clients_are_told_apart_by_their_id_and_by_their_machine(
    served: Any, make_wire: Callable[..., Any], connected: Any
) -> None:
    same_id = make_wire(served, source="127.0.0.2")
    same_id.client_id = connected.client_id
    assert same_id.get("connected").value is False
    other_id = make_wire(served)
    assert other_id.get("connected").value is False
    assert other_id.get("position").error == NOT_CONNECTED
    # And it is the ID that counts, not the connection.
    again = make_wire(served)
    again.client_id = connected.client_id
    assert again.get("connected").value is True


# Its end


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
    for member in ("position", "ismoving", "devicestate"):
        reply = connected.get(member)
        assert reply.error == NOT_CONNECTED, member
        assert reason.lower() in reply.json["ErrorMessage"].lower(), member
        assert not reply.json.get("Value"), member
    for member, form in (("move", {"Position": 1000}), ("halt", {})):
        assert connected.put(member, **form).error != 0
    assert connected.get("name").value
    # Power comes back, and the controller has forgotten where it stands: it says so, and can be homed.
    spoil("power-on")
    served.wait_for(lambda report: report["state"] == "unhomed", "the link is back")
    assert served.status()["reason"].lower() in connected.get("position").json["ErrorMessage"].lower()
    connected.connect()
    assert connected.get("position").value == 0


def test_a_link_that_comes_back_as_it_was_left_is_connected_again(make_daemon: Any, make_wire: Any) -> None:
    """On a daemon of its own: one that has lost its link often takes its time."""
    daemon = make_daemon(alpaca={}, serial_port={"time_scale": 10}).start()
    connected = make_wire(daemon).connect()
    connected.move(3000)
    position = connected.get("position").value
    daemon.tell("hang-up")
    connected.wait_until(lambda: connected.get("position").error == NOT_CONNECTED, "the loss of the link")
    assert connected.get("connected").value is False
    daemon.tell("return")
    connected.wait_until(lambda: connected.get("connected").value, "the link is back")
    assert connected.get("position").value == position


def test_a_link_that_is_lost_in_a_move_is_an_error_that_says_why(
    connected: Any, served: Any, spoil: Callable[[str], None]
) -> None:
    assert connected.put("move", Position=FAR).error == 0
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    spoil("hang-up")
    errors = []

    def is_lost() -> bool:
        reply = connected.get("ismoving")
        if reply.error:
            errors.append((reply.error, reply.json["ErrorMessage"]))
        return reply.error == NOT_CONNECTED

    connected.wait_until(is_lost, "the loss of the link")
    assert {number for number, _ in errors} <= {NOT_CONNECTED, *range(0x500, 0x1000)}
    assert all(len(message) > 20 for _, message in errors)
    spoil("return")
    served.wait_for(lambda report: report["state"] in ("idle", "unhomed"), "the link is back")


def test_connecting_to_a_dead_focuser_ends_and_says_why(
    served: Any, make_wire: Callable[..., Any], spoil: Callable[[str], None]
) -> None:
    assert served.call("shutdown") == 0
    spoil("hang-up")
    wire = make_wire(served)
    reply = wire.put("connected", Connected=True)
    assert reply.error in (NOT_CONNECTED, *range(0x500, 0x1000))
    assert served.status()["reason"] in reply.json["ErrorMessage"]
    assert wire.get("connected").value is False
    assert wire.put("connect").error == 0
    # How it failed is told by `connecting` or by `connected`, once.
    seen = []
    wire.wait_until(
        lambda: seen.append(wire.get("connecting")) or seen[-1].error or seen[-1].value is False, "its end"
    )
    seen.append(wire.get("connected"))
    told = [one.json["ErrorMessage"] for one in seen if one.error]
    assert len(told) <= 1
    assert wire.get("connected").value is False
    assert wire.get("connecting").value is False
    position = wire.get("position")
    assert position.error == NOT_CONNECTED
    assert any(served.status()["reason"] in text for text in (*told, position.json["ErrorMessage"]))


def test_reads_on_a_dead_line_wait_for_nothing_on_it(
    connected: Any, served: Any, spoil: Callable[[str], None]
) -> None:
    """Counted in exchanges: while a hundred answers come, the controller is not asked a hundred times."""
    spoil("fault lost count=0")
    before = sum(served.truth()["frames_seen"].values())
    for _ in range(100):
        for member in ("position", "ismoving", "devicestate", "connected", "name"):
            assert connected.get(member).status == 200
    assert sum(served.truth()["frames_seen"].values()) - before < 100
