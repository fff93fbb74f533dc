"""SIGTERM and SIGINT, at any moment: the motor is halted, the port closed, and the exit code is 0; or 1 where the motor
was not seen standing."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from concurrent.futures import Future
from typing import Any, Callable

import pytest
import serial

from tests.support.ports import port_of_a_machine_that_is_away
from tests.support.waiting import wait_until

Background = Callable[..., "Future[Any]"]

# Slow enough to step in, with the virtual controller's time_scale.
SLOW = {"speed_mm_sec": 0.05}
# It promises 2 s. A machine that is busy may take longer, a daemon that waits for something takes much longer.
GENEROUS_S = 5.0


def assert_ends_well(daemon: Any, number: int) -> None:
    began_s = time.monotonic()
    daemon.end(number)
    assert time.monotonic() - began_s < GENEROUS_S


def assert_ends_in_doubt(daemon: Any) -> None:
    """In time, and with a word of the motor that may run."""
    began_s = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait() == 1
    assert time.monotonic() - began_s < GENEROUS_S
    daemon.assert_gone()
    assert "it may be running" in daemon.log


def assert_let_go(simulator: Any) -> None:
    """The motor stands, and the port can be had by somebody else."""
    assert simulator.truth()["moving"] is False
    port = serial.Serial(simulator.link, 38400, timeout=0, exclusive=True)
    port.close()


def test_at_rest(make_daemon: Any, make_simulator: Any) -> None:
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port).start()
    assert_ends_well(daemon, signal.SIGINT)
    daemon.start()
    assert daemon.call("initialize") == 0
    assert_ends_well(daemon, signal.SIGTERM)
    assert_let_go(simulator)


@pytest.fixture
def moving(make_daemon: Any, make_simulator: Any, background: Background) -> tuple[Any, Any, Future[Any]]:
    """A daemon in the overshoot leg of a long move, the controller that it drives, and the call that waits."""
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port, **SLOW).start()
    assert daemon.call("initialize") == 0
    move = background(daemon.call, "set_focus", 5.0)
    daemon.wait_for_leg("overshoot")
    return daemon, simulator, move


def test_in_a_move(moving: Any) -> None:
    daemon, simulator, move = moving
    assert_ends_well(daemon, signal.SIGTERM)
    assert_let_go(simulator)
    assert simulator.truth()["highest_mm"] < 5.0
    assert move.result() == 1, "the interrupted call is still answered"


def home_and_move(daemon: Any) -> None:
    assert daemon.call("initialize") == 0
    daemon.call("set_focus", 5.0)


def test_signals_that_come_together(make_daemon: Any, background: Background) -> None:
    """Whichever thread the system gives them to, and whatever the first has begun. Chance is given four tries."""
    daemons = [make_daemon(**SLOW) for _ in range(4)]
    for daemon in daemons:
        daemon.launch()
    for daemon in daemons:
        background(home_and_move, daemon.wait_until_up())
    for daemon in daemons:
        daemon.wait_for_leg("overshoot")
    for daemon in daemons:
        daemon.send_signal(signal.SIGINT)
        daemon.send_signal(signal.SIGTERM)
    for daemon in daemons:
        daemon.assert_ended_well()


def test_a_daemon_that_was_suspended_goes_on(make_daemon: Any) -> None:
    """Ctrl-Z and `fg`, or a debugger: for longer than anything that the daemon does in between takes."""
    daemon = make_daemon().start()
    assert daemon.call("initialize") == 0
    daemon.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    daemon.send_signal(signal.SIGCONT)
    assert daemon.call("set_focus", 0.2) == 0
    assert_ends_well(daemon, signal.SIGTERM)


def test_a_signal_that_was_ignored_at_the_start_stays_ignored(make_daemon: Any) -> None:
    """`nohup`, and a script's `&`: the end of the ssh connection that started it is not the end of the night."""
    daemon = make_daemon()
    daemon.start(command=daemon.launcher('trap "" INT HUP'))
    for number in (signal.SIGHUP, signal.SIGINT):
        daemon.send_signal(number)
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 0.2) == 0
    assert_ends_well(daemon, signal.SIGTERM)
    assert "ending on SIGTERM" in daemon.log


def test_while_homing(make_daemon: Any, make_simulator: Any, background: Background) -> None:
    simulator = make_simulator(start_mm=9, time_scale=10)
    daemon = make_daemon(**simulator.port).start()
    homing = background(daemon.call, "initialize")
    daemon.wait_for_homing()
    assert_ends_well(daemon, signal.SIGTERM)
    assert_let_go(simulator)
    assert simulator.truth()["carriage_mm"] > 1
    assert homing.result() == 1


def test_while_connecting_to_a_port_that_says_nothing(make_daemon: Any, background: Background) -> None:
    daemon = make_daemon(serial_port={"reply_loss": 1}).start()
    connecting = background(daemon.call, "initialize")
    daemon.wait_for(lambda report: report["state"] == "connecting", "connecting")
    assert_ends_well(daemon, signal.SIGTERM)
    assert connecting.result() == 1


def test_in_a_move_whose_controller_has_fallen_silent(moving: Any) -> None:
    daemon, simulator, move = moving
    simulator.tell("rate reply_loss 1")
    assert_ends_in_doubt(daemon)
    # It was told to stop all the same.
    assert_let_go(simulator)
    assert move.result() == 1


def test_while_the_adapter_is_away_whose_motor_may_run(moving: Any) -> None:
    daemon, simulator, _ = moving
    simulator.tell("hang-up")
    daemon.wait_for(lambda report: report["state"] == "reconnecting", "reconnecting")
    assert_ends_in_doubt(daemon)


def test_while_connecting_to_a_machine_that_is_away(make_daemon: Any, background: Background) -> None:
    with port_of_a_machine_that_is_away() as port:
        daemon = make_daemon(serial_port=f"socket://127.0.0.1:{port}").start()
        connecting = background(daemon.call, "initialize")
        daemon.wait_for(lambda report: report["state"] == "connecting", "connecting")
        assert_ends_well(daemon, signal.SIGTERM)
        assert connecting.exception() is not None or connecting.result() == 1


def test_nobody_reads_what_it_logs(make_daemon: Any, background: Background) -> None:
    """As when somebody presses Ctrl-S in its terminal: the focuser still obeys, and the daemon still ends."""
    daemon = make_daemon(**SLOW)
    master, slave = pty.openpty()
    try:
        daemon.launch("--verbose", log=slave)
        wait_for_text(master, b"serving")
        # From here on nobody reads the terminal, which holds some 4000 bytes.
        assert daemon.call("initialize", timeout=5) == 0
        move = background(daemon.call, "set_focus", 5.0, timeout=5)
        daemon.wait_for_leg("overshoot")
        assert daemon.call("stop", timeout=5) == 0
        assert move.result() == 1
        assert_ends_well(daemon, signal.SIGTERM)
    finally:
        # Whoever waits for the terminal is told that it is gone.
        os.close(slave)
        os.close(master)


def test_nobody_reads_what_pyserial_prints(make_daemon: Any, make_simulator: Any) -> None:
    """`spy://` prints each byte on stderr, on the thread that drives the motor."""
    simulator = make_simulator()
    daemon = make_daemon(**{**simulator.port, "serial_port": f"spy://{simulator.link}"})
    master, slave = pty.openpty()
    try:
        daemon.launch(log=slave)
        wait_for_text(master, b"serving")
        assert daemon.call("initialize", timeout=10) == 0
        assert_ends_well(daemon, signal.SIGTERM)
        assert_let_go(simulator)
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_outputs_are_not_mistaken_for_the_port(
    make_daemon: Any, make_simulator: Any, closed: str
) -> None:
    """The system gives their numbers to what is opened next: the log must not go to the controller."""
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port)
    daemon.launch("--verbose", command=daemon.launcher(redirection=closed))
    wait_until(daemon.address.is_listening, "focusd listens")
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 0.5) == 0
    heard = [text for _, direction, text, _ in simulator.tell("trace 200")["trace"] if direction == ">"]
    assert heard
    assert [text for text in heard if not text.startswith("#")] == []
    assert_ends_well(daemon, signal.SIGTERM)


def wait_for_text(terminal: int, text: bytes) -> None:
    seen = b""
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], 20)
        assert ready, f"{text!r} never came after {seen!r}"
        seen += os.read(terminal, 4096)
