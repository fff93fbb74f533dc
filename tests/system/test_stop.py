"""Stop, pressed by somebody else, in every phase: it halts next, proves standstill, and is then forgotten."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable

import pytest

Background = Callable[..., "Future[Any]"]


def assert_stopped(daemon: Any, move: Future[Any]) -> dict[str, Any]:
    """The motor stands, the move says that it failed, and the position is the true one."""
    assert daemon.truth()["moving"] is False
    assert move.result() == 1
    report: dict[str, Any] = daemon.status()
    assert (report["status"], report["moving"]) == (1, False)
    assert report["target_mm"] == report["current_mm"]
    assert report["current_mm"] == pytest.approx(daemon.truth()["motor_mm"], abs=0.0008)
    return report


@pytest.mark.parametrize("leg", ["overshoot", "approach"])
def test_stop_in_a_leg(slow_focuser: Any, background: Background, leg: str) -> None:
    move = background(slow_focuser.call, "set_focus", 1.2)
    slow_focuser.wait_for_leg(leg)
    before = slow_focuser.sent()
    assert slow_focuser.call("stop") == 0
    assert assert_stopped(slow_focuser, move)["current_mm"] != 1.2
    assert slow_focuser.sent() == before, "the legs that were left are dropped"
    slow_focuser.wait_for_log("[info] focusd@system_test: stopped by 127.0.0.1 at ")


def test_stop_while_homing_and_all_else_is_blocked(make_daemon: Any, background: Background) -> None:
    daemon = make_daemon(serial_port={"start_mm": 9, "time_scale": 20}).start()
    homing = background(daemon.call, "initialize")
    report = daemon.wait_for_homing()
    assert (report["status"], report["state"], report["moving"]) == (0, "homing", True)
    assert "current_mm" not in report
    with daemon.proxy() as proxy:
        assert (proxy.initialize(), proxy.shutdown(), proxy.set_focus(1.0)) == (2, 2, 2)
        assert proxy.report_status()["state"] == "homing"
        assert proxy.stop() == 0
    assert daemon.truth()["moving"] is False
    assert daemon.truth()["carriage_mm"] > 1
    assert homing.result() == 1
    report = daemon.status()
    assert report["status"] == 0
    assert report["reason"]
    assert "current_mm" not in report
    assert daemon.call("set_focus", 1.0) == 7
    daemon.tell("hand -5")
    assert daemon.call("initialize") == 0, "a stop never leaks into the next command"
    assert daemon.truth()["carriage_mm"] == pytest.approx(0, abs=0.001)


def test_two_stops_at_once(slow_focuser: Any, background: Background) -> None:
    move = background(slow_focuser.call, "set_focus", 1.2)
    slow_focuser.wait_for_leg("overshoot")
    stops = [background(slow_focuser.call, "stop") for _ in range(2)]
    assert [stop.result() for stop in stops] == [0, 0]
    assert_stopped(slow_focuser, move)


def test_stop_at_rest_answers_0_and_changes_nothing(focuser: Any) -> None:
    for _ in range(3):
        assert focuser.call("stop") == 0
    report = focuser.status()
    assert (report["current_mm"], report["status"]) == (0.5, 1)
    assert focuser.call("set_focus", 0.4) == 0


def test_a_stop_never_leaks_into_the_next_move(slow_focuser: Any, background: Background) -> None:
    """A client moves again as soon as both of its calls have been answered, again and again."""
    for _ in range(2):
        move = background(slow_focuser.call, "set_focus", 5.0)
        slow_focuser.wait_for_leg("overshoot")
        stop = background(slow_focuser.call, "stop")
        assert (move.result(), stop.result()) == (1, 0)
        # Stays where it is, and only takes up the backlash.
        assert slow_focuser.call("set_focus", 0.0, True) == 0


def test_a_stop_that_comes_with_the_move(make_daemon: Any, background: Background) -> None:
    """As near to the beginning of a move as two clients can: it stops, arrives or is refused, and nothing else.

    Fast, and not in scaled time: of a device that was stopped before it showed how fast it is, the position is
    not believed where a busy machine sees it too late."""
    focuser = make_daemon(
        serial_port={"time_scale": 1}, speed_mm_sec=8, acceleration_mm_sec_sec=40, move_timeout=180
    ).start()
    assert focuser.call("initialize") == 0
    for round_number in range(8):
        move = background(focuser.call, "set_focus", 1.0 + round_number % 2)
        assert focuser.call("stop") == 0
        assert move.result() in (0, 1, 2)
        assert focuser.status()["status"] == 1
        assert focuser.truth()["moving"] is False
    assert focuser.call("set_focus", 0.4) == 0


def test_stop_on_a_line_that_loses_replies_and_halts(slow_focuser: Any, background: Background) -> None:
    move = background(slow_focuser.call, "set_focus", 5.0)
    slow_focuser.wait_for_leg("overshoot")
    slow_focuser.tell("fault command_lost to=P021")
    slow_focuser.tell("fault lost to=S001")
    assert slow_focuser.call("stop") == 0
    assert slow_focuser.truth()["moving"] is False
    # Where it stands is another question: in scaled time it went a long way unseen.
    assert move.result() == 1


def test_stop_without_proof_of_standstill_answers_1(slow_focuser: Any, background: Background) -> None:
    move = background(slow_focuser.call, "set_focus", 5.0)
    slow_focuser.wait_for_leg("overshoot")
    slow_focuser.tell("hang-up")
    assert slow_focuser.call("stop") == 1
    assert move.result() == 1
    assert slow_focuser.status()["status"] == 0
    slow_focuser.tell("return")
    assert slow_focuser.call("initialize") == 0
