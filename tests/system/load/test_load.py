"""A thousand strangers at the door: stop gets through, the status is told, and the daemon does not swell."""

from __future__ import annotations

import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

from rockit.focuser.ok3z.servers.pyro import LOOK_UP_THREADS, MAX_CONNECTIONS

Background = Callable[..., "Future[Any]"]

HALT = "#P021 F $\n"
# The promise is 0.1 s on a machine that is not shared; bench/crowded.py measures it.
HALT_BOUND_S = 2.0
# Main, focuser, pyro, logs and the like, and the simulator's own.
OTHER_THREADS = 14
OTHER_FILES = 40
# For 3,000 connections, and what Python takes for a crowd's messages.
MEMORY_GROWTH_KB = 60_000


def halts(daemon: Any) -> list[float]:
    """When halts came to the controller, by the clock of this machine."""
    return [
        time_s
        for time_s, direction, data, _ in daemon.tell("trace 200")["trace"]
        if direction == ">" and data == HALT
    ]


def assert_bounded(usage: Any, memory_kb: int) -> None:
    assert usage.threads <= LOOK_UP_THREADS + OTHER_THREADS
    assert usage.files <= MAX_CONNECTIONS + OTHER_FILES
    assert usage.memory_kb < memory_kb + MEMORY_GROWTH_KB


def test_a_stop_gets_through_a_crowd(
    slow_focuser: Any, gather: Any, poll: Any, usage_of: Any, background: Background
) -> None:
    usage = usage_of(slow_focuser)
    memory_kb = usage.memory_kb
    poll(slow_focuser)
    crowd = gather(slow_focuser)
    crowd.silent(1000)
    crowd.half_greeted(100)
    crowd.half_asked(100)
    crowd.never_reading()
    # Last, for it takes a second or two.
    move = background(slow_focuser.call, "set_focus", 5.0)
    slow_focuser.wait_for_leg("overshoot")
    called_s = time.monotonic()
    assert slow_focuser.call("stop") == 0
    assert move.result() == 1
    (halted_s,) = [time_s for time_s in halts(slow_focuser) if time_s > called_s][:1]
    assert halted_s - called_s < HALT_BOUND_S
    assert slow_focuser.truth()["moving"] is False
    assert slow_focuser.status()["status"] == 1
    assert_bounded(usage, memory_kb)


def test_everything_is_given_back(slow_focuser: Any, gather: Any, usage_of: Any) -> None:
    usage = usage_of(slow_focuser)
    slow_focuser.status()
    files = usage.files
    crowd = gather(slow_focuser)
    crowd.silent(500)
    crowd.half_asked(50)
    slow_focuser.status()
    assert usage.files > files + 500
    crowd.close()
    slow_focuser.wait_for(lambda _: usage.files <= files + 1, "the files of the crowd are closed")


def test_more_connections_than_there_is_room_for(focuser: Any, gather: Any, usage_of: Any) -> None:
    """The proxy that was there before stays, for it said something."""
    usage = usage_of(focuser)
    with focuser.proxy() as held:
        assert held.report_status()["status"] == 1
        gather(focuser).silent(MAX_CONNECTIONS // 2 + 100)
        assert held.set_focus(0.45) == 0
        assert focuser.call("stop") == 0
        assert usage.files <= MAX_CONNECTIONS + OTHER_FILES


def test_strangers_cannot_lock_out_those_who_control(
    focuser: Any, gather: Any, background: Background
) -> None:
    gather(focuser).silent(MAX_CONNECTIONS // 2 + 100, source="127.0.0.3")
    assert focuser.call("set_focus", 0.45) == 0
    assert focuser.call("stop") == 0


def test_callers_that_wait_hold_up_neither_stop_nor_status(
    slow_focuser: Any, usage_of: Any, background: Background
) -> None:
    move = background(slow_focuser.call, "set_focus", 5.0)
    slow_focuser.wait_for_leg("overshoot")
    others = [background(slow_focuser.call, "set_focus", 1.0) for _ in range(30)]
    assert [other.result() for other in others] == [2] * 30
    stops = [background(slow_focuser.call, "stop") for _ in range(30)]
    assert slow_focuser.status()["status"] in (1, 2)
    assert [stop.result() for stop in stops] == [0] * 30
    assert move.result() == 1
    assert usage_of(slow_focuser).threads <= LOOK_UP_THREADS + OTHER_THREADS


def test_a_daemon_that_may_open_few_files(make_daemon: Any, gather: Any, usage_of: Any) -> None:
    daemon = make_daemon()
    daemon.start(command=daemon.launcher("ulimit -n 200"))
    usage = usage_of(daemon)
    gather(daemon).silent(600)
    assert daemon.call("initialize") == 0
    assert daemon.call("stop") == 0
    assert usage.files <= 200
    assert "this process may open 200 files" in daemon.log


def test_a_serial_port_is_opened_beside_a_thousand_connections(
    make_daemon: Any, gather: Any, real_port: dict[str, Any]
) -> None:
    """pyserial asks select() about it, which takes no file number beyond 1023."""
    daemon = make_daemon(**real_port).start()
    gather(daemon).silent(1200)
    assert daemon.call("initialize") == 0
    gather(daemon).silent(1200)
    assert daemon.call("set_focus", 0.2) == 0
    assert daemon.call("shutdown") == 0


def test_a_stranger_learns_no_path(make_daemon: Any, gather: Any, tmp_path: Path) -> None:
    daemon = make_daemon(serial_port=str(tmp_path / "no_such_port")).start()
    assert daemon.call("initialize") == 1
    told = gather(daemon).what_is_told_to("127.0.0.3")
    assert "cannot be opened" in told
    assert str(tmp_path) not in told
    assert "no_such_port" not in told
