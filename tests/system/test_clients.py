"""All sorts of callers: permitted or not, patient or not, many, old, rude. The daemon outlives them all."""

from __future__ import annotations

import os
import socket
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


def test_a_move_goes_on_without_the_client_that_asked_for_it(
    slow_focuser: Any, background: Background
) -> None:
    with slow_focuser.proxy() as proxy:
        proxy._pyroBind()
        connection = proxy._pyroConnection.sock
        move = background(proxy.set_focus, 1.5)
        slow_focuser.wait_for_leg("overshoot")
        # Without a word, as when the client's machine dies.
        connection.shutdown(socket.SHUT_RDWR)
        assert isinstance(move.exception(), Pyro4.errors.CommunicationError)
    slow_focuser.wait_for(lambda report: report["status"] == 1 and report["current_mm"] == 1.5, "the arrival")
    assert slow_focuser.call("stop") == 0


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
