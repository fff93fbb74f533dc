"""All sorts of callers: permitted or not, patient or not, many, old, rude. The daemon outlives them all."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from concurrent.futures import Future
from typing import Any, Callable

import Pyro4
import pytest

Background = Callable[..., "Future[Any]"]

CONTROLS: list[tuple[Any, ...]] = [
    ("initialize",),
    ("set_focus", 1.0),
    ("set_focus", "abc"),
    ("stop",),
    ("shutdown",),
]


def test_a_machine_that_may_not_control_gets_3_and_may_look(make_daemon: Any, proxy_from: Any) -> None:
    daemon = make_daemon(control_machines=["Elsewhere"]).start()
    with daemon.proxy() as proxy:
        assert [proxy._pyroInvoke(call[0], call[1:], {}) for call in CONTROLS] == [3] * len(CONTROLS)
        assert proxy.report_status()["state"] == "disconnected"
    assert not os.path.exists(daemon.control), "the port was never opened"

    permitted = proxy_from(daemon, "127.0.0.2")
    assert permitted.initialize() == 0
    assert permitted.set_focus(0.5) == 0
    with daemon.proxy() as proxy:
        assert [proxy._pyroInvoke(call[0], call[1:], {}) for call in CONTROLS] == [3] * len(CONTROLS)
        assert proxy.report_status()["current_mm"] == 0.5
    assert permitted.stop() == 0
    assert permitted.shutdown() == 0
    daemon.wait_for_log("127.0.0.1 is not among control_machines")


def test_a_stop_that_is_not_permitted_stops_nothing(
    slow_focuser: Any, proxy_from: Any, background: Background
) -> None:
    move = background(slow_focuser.call, "set_focus", 1.5)
    slow_focuser.wait_for_leg("overshoot")
    assert proxy_from(slow_focuser, "127.0.0.2").stop() == 3
    assert slow_focuser.status()["leg"] == "overshoot"
    assert move.result() == 0


def hang_up_in_the_middle_of(proxy: Any, daemon: Any) -> None:
    """Ask for a move, see it begin, and be gone without a word."""
    connection = proxy._pyroConnection.sock
    # A close that resets the connection, as when the client's machine dies.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    daemon.wait_for_leg("overshoot")
    connection.close()


def test_a_move_goes_on_without_the_client_that_asked_for_it(slow_focuser: Any) -> None:
    proxy = slow_focuser.proxy()
    proxy._pyroBind()
    proxy._pyroOneway.add("set_focus")
    waiting = threading.Thread(target=_ignore_the_end_of, args=(slow_focuser, 1.5))
    waiting.start()
    hang_up_in_the_middle_of(proxy, slow_focuser)
    proxy._pyroRelease()
    waiting.join(20)
    slow_focuser.wait_for(lambda report: report["status"] == 1 and report["current_mm"] == 1.5, "the arrival")
    assert slow_focuser.call("stop") == 0


def _ignore_the_end_of(daemon: Any, target_mm: float) -> None:
    with daemon.proxy(timeout=0.3) as proxy, pytest.raises(Pyro4.errors.TimeoutError):
        proxy.set_focus(target_mm)


def test_thirty_clients_poll_while_it_moves(slow_focuser: Any, background: Background) -> None:
    over = threading.Event()

    def poll(number: int) -> int:
        reads = 0
        with slow_focuser.proxy(timeout=5) as held:
            while not over.is_set():
                report = held.report_status() if number % 2 else slow_focuser.status()
                assert report["status"] in (1, 2)
                assert 0 <= report["current_mm"] <= 6
                reads += 1
                # The old clients ask once a frame, and not in a tight loop.
                over.wait(0.1)
        return reads

    polls = [background(poll, number) for number in range(30)]
    try:
        assert slow_focuser.call("set_focus", 1.2) == 0
        assert slow_focuser.call("set_focus", 1.1) == 0
        move = background(slow_focuser.call, "set_focus", 4.0)
        slow_focuser.wait_for_leg("overshoot")
        assert slow_focuser.call("stop") == 0
        assert move.result() == 1
    finally:
        over.set()
    assert all(poll.result() > 0 for poll in polls)


def test_many_movers_at_once_are_one_mover_and_many_refusals(focuser: Any, background: Background) -> None:
    moves = [background(focuser.call, "set_focus", 1.5) for _ in range(20)]
    answers = sorted(move.result() for move in moves)
    assert set(answers) <= {0, 2}
    assert answers[0] == 0
    assert focuser.status()["current_mm"] == 1.5


def test_a_proxy_may_be_held_open_through_everything(make_daemon: Any) -> None:
    daemon = make_daemon().start()
    with daemon.proxy() as held, daemon.proxy() as other:
        assert held.report_status()["status"] == 0
        assert other.initialize() == 0
        assert held.set_focus(0.2) == 0
        assert other.shutdown() == 0
        assert held.report_status()["status"] == 0
        daemon.end()
        with pytest.raises(Pyro4.errors.CommunicationError):
            held.report_status()


def test_rude_callers_do_no_harm(make_daemon: Any) -> None:
    """Port scanners, web browsers, half a message, a huge one: whatever knocks at an open port."""
    daemon = make_daemon().start()
    dice = random.Random(1)
    rude = [
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        b"PYRO",
        bytes(dice.randrange(256) for _ in range(3000)),
        b"PYRO\x00\x30\x00\x01" + b"\xff" * 40,
    ]
    for data in rude:
        with socket.create_connection((daemon.address.host, daemon.address.port), 20) as connection:
            connection.sendall(data)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with daemon.proxy() as proxy, pytest.raises(Exception):  # noqa: B017, PT011 - of Pyro's choice
        proxy.set_focus("x" * 2_000_000)
    assert daemon.call("set_focus", 0.4) == 7
    assert "Traceback" not in daemon.log, "a port scan is no fault of this program"


def test_only_serpent_is_taken(focuser: Any) -> None:
    """Pickle would run a caller's code in the daemon."""
    for serializer in ("pickle", "marshal", "json"):
        with focuser.proxy() as proxy:
            proxy._pyroSerializer = serializer
            with pytest.raises(Pyro4.errors.PyroError):
                proxy.report_status()
    assert focuser.status()["status"] == 1


def test_wrong_calls_are_refused_and_move_nothing(focuser: Any) -> None:
    before = focuser.sent()
    with focuser.proxy() as proxy:
        for arguments, named in [((), {}), ((1, False, 3), {}), ((1,), {"speed": 2}), ((1,), {"pos": 2})]:
            with pytest.raises(TypeError):
                proxy._pyroInvoke("set_focus", arguments, named)
    assert focuser.sent() == before


def test_hundreds_of_connections_that_say_nothing_leave_room_for_a_stop(make_daemon: Any) -> None:
    """A program that forgets to close its connections, night after night."""
    daemon = make_daemon().start()
    idle: list[socket.socket] = []
    try:
        for _ in range(300):
            idle.append(socket.create_connection((daemon.address.host, daemon.address.port), 20))
        assert daemon.call("stop") in (0, 1)
    finally:
        for connection in idle:
            connection.close()
