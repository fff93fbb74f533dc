"""The service with its real thread: callers that collide, stops from elsewhere, an end in good order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from rockit.focuser.ok3z import focuser as focuser_module
from rockit.focuser.ok3z.clock import SystemClock
from rockit.focuser.ok3z.commands import Settings
from rockit.focuser.ok3z.errors import (
    AlreadyConnectedError,
    BusyError,
    HaltFailedError,
    InternalError,
    LinkLostError,
    NotConnectedError,
    PortUnavailableError,
    StoppedError,
)
from rockit.focuser.ok3z.focuser import Focuser
from rockit.focuser.ok3z.link import open_link
from rockit.focuser.ok3z.mechanics import Drive, Limits
from rockit.focuser.ok3z.simulator import VirtualOK3Z, registered
from rockit.focuser.ok3z.snapshot import State

SETTINGS = Settings("the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0))
PATIENCE_S = 30.0


def until(condition):
    """Wait until something is so; the time limit only ends a test that fails."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it never came about"
        time.sleep(0.002)


class Bench:
    def __init__(self, model, focuser, announced):
        self.model = model
        self.focuser = focuser
        self.announced = announced
        self.callers = ThreadPoolExecutor(8)

    def call(self, run, *arguments):
        return self.callers.submit(run, *arguments)

    def begin_move(self, position_mm):
        call = self.call(self.focuser.set_focus, position_mm)
        until(lambda: self.model.is_moving or call.done())
        return call


@contextmanager
def make_bench(request, **options):
    model = VirtualOK3Z(**{"time_scale": 10, "start_mm": 1.0, **options})
    announced: list[str] = []
    with registered(f"bench{id(model)}", model) as url:
        focuser = Focuser(
            SETTINGS,
            lambda: open_link(url, 38400, SystemClock()),
            lambda level, message: announced.append(message),
        )
        bench = Bench(model, focuser, announced)
        try:
            with focuser:
                yield bench
        finally:
            bench.callers.shutdown()


@pytest.fixture
def bench(request):
    with make_bench(request) as bench:
        yield bench


@pytest.fixture
def homed(bench):
    bench.focuser.initialize()
    return bench


def test_a_second_command_is_refused_at_once(homed):
    move = homed.begin_move(5.0)
    for run in (
        lambda: homed.focuser.set_focus(1.0),
        homed.focuser.initialize,
        homed.focuser.shutdown,
    ):
        with pytest.raises(BusyError):
            run()
    homed.focuser.stop("the test")
    with pytest.raises(StoppedError):
        move.result(PATIENCE_S)


def test_a_stop_from_elsewhere_returns_when_the_motor_stands(homed):
    move = homed.begin_move(5.0)
    homed.focuser.stop("the test")
    assert not homed.model.is_moving
    with pytest.raises(StoppedError):
        move.result(PATIENCE_S)
    snapshot = homed.focuser.snapshot
    assert snapshot.state is State.IDLE
    assert snapshot.current_steps == snapshot.target_steps
    assert any(message.startswith("stopped by the test at") for message in homed.announced)
    # And nothing of it is left for the next move.
    homed.focuser.set_focus(1.0)
    assert homed.model.carriage_mm == pytest.approx(1.0, abs=0.0003)


def test_stops_that_come_together_are_all_answered(homed):
    move = homed.begin_move(5.0)
    stops = [homed.call(homed.focuser.stop, "the test") for _ in range(6)]
    for stop in stops:
        stop.result(PATIENCE_S)
    with pytest.raises(StoppedError):
        move.result(PATIENCE_S)
    assert not homed.model.is_moving
    homed.focuser.set_focus(0.5)


def test_a_stop_while_homing(bench):
    call = bench.call(bench.focuser.initialize)
    until(lambda: bench.model.is_moving)
    assert bench.focuser.snapshot.state is State.HOMING
    with pytest.raises(BusyError):
        bench.focuser.set_focus(1.0)
    bench.focuser.stop("the test")
    with pytest.raises(StoppedError):
        call.result(PATIENCE_S)
    assert not bench.model.is_moving
    assert bench.focuser.snapshot.status == 0
    with pytest.raises(NotConnectedError):
        bench.focuser.set_focus(1.0)
    bench.focuser.initialize()
    with pytest.raises(AlreadyConnectedError):
        bench.focuser.initialize()


def test_many_stops_at_random_moments_never_leak(homed):
    for number in range(15):
        position_mm = (1.0, 4.0)[number % 2]
        move = homed.call(homed.focuser.set_focus, position_mm)
        time.sleep(0.011 * (number % 8))  # anywhere in the move, also before it began
        homed.focuser.stop("the test")
        assert not homed.model.is_moving
        outcome = move.exception(PATIENCE_S)
        # A stop that came before the call began a command has nothing to stop; then the move arrives or is refused.
        assert outcome is None or isinstance(outcome, (StoppedError, BusyError))
    homed.focuser.set_focus(2.0)
    assert homed.model.carriage_mm == pytest.approx(2.0, abs=0.0003)


def test_the_end_of_the_daemon_halts_the_motor_and_answers_the_caller(bench):
    bench.focuser.initialize()
    move = bench.begin_move(5.0)
    assert bench.focuser.close()
    assert not bench.model.is_moving
    assert not bench.model.is_port_open
    assert isinstance(move.exception(PATIENCE_S), StoppedError)
    for run in (bench.focuser.initialize, lambda: bench.focuser.stop("the test")):
        with pytest.raises(NotConnectedError):
            run()


def test_the_end_of_the_daemon_while_homing(bench):
    call = bench.call(bench.focuser.initialize)
    until(lambda: bench.model.is_moving)
    assert bench.focuser.close()
    assert not bench.model.is_moving
    assert isinstance(call.exception(PATIENCE_S), StoppedError)


def test_a_port_that_never_opens_does_not_hold_up_the_end(monkeypatch):
    opening, release = threading.Event(), threading.Event()

    def open_port():
        opening.set()
        release.wait(PATIENCE_S)
        raise PortUnavailableError("it took too long.")

    focuser = Focuser(SETTINGS, open_port, lambda level, message: None)
    monkeypatch.setattr(focuser_module, "CLOSE_PATIENCE_S", 0.05)
    focuser.start()
    with ThreadPoolExecutor(1) as callers:
        call = callers.submit(focuser.initialize)
        assert opening.wait(PATIENCE_S)
        assert focuser.close() is True  # it has moved nothing
        assert focuser._worker.is_alive()
        release.set()
        assert call.exception(PATIENCE_S) is not None
    focuser._worker.join(PATIENCE_S)


def test_a_link_that_dies_at_rest_is_noticed_unasked(homed, monkeypatch):
    homed.model.hang_up()
    until(lambda: homed.focuser.snapshot.status == 0)
    assert "serial port failed" in homed.focuser.snapshot.reason
    with pytest.raises(NotConnectedError):
        homed.focuser.set_focus(1.0)
    homed.model.come_back()
    homed.focuser.initialize()
    homed.focuser.set_focus(1.0)


def test_a_link_that_dies_in_a_move(homed):
    move = homed.begin_move(5.0)
    homed.model.hang_up()
    assert isinstance(move.exception(PATIENCE_S), LinkLostError)
    assert homed.focuser.snapshot.status == 0


def test_a_mistake_in_the_program_is_survived(homed, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("rockit.focuser.ok3z.commands.plan_move", broken)
        with pytest.raises(InternalError):
            homed.focuser.set_focus(1.0)
    snapshot = homed.focuser.snapshot
    assert snapshot.status == 0
    assert "planted" in snapshot.reason
    homed.focuser.initialize()
    homed.focuser.set_focus(1.0)


def test_an_old_reading_is_no_status(homed, monkeypatch):
    """A worker that hangs must not leave Idle standing."""
    assert homed.focuser.snapshot.status == 1
    monkeypatch.setattr(focuser_module, "STALE_S", -1.0)
    snapshot = homed.focuser.snapshot
    assert snapshot.state is State.FAULT
    assert "nothing is known now" in snapshot.reason


def test_a_caller_does_not_wait_for_ever(homed, monkeypatch):
    monkeypatch.setattr(focuser_module, "STOP_PATIENCE_S", 0.0)
    move = homed.begin_move(5.0)
    with pytest.raises(HaltFailedError):
        homed.focuser.stop("the test")
    assert isinstance(move.exception(PATIENCE_S), StoppedError)
