"""The service with its real thread: callers that collide, stops from elsewhere, an end in good order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress

import pytest

from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import SerialPort
from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.errors import (
    AlreadyConnectedError,
    BusyError,
    HaltFailedError,
    InternalError,
    InvalidArgumentError,
    LinkLostError,
    NotConnectedError,
    OutsideLimitsError,
    PortUnavailableError,
    StoppedError,
)
from rockit.focuser.ok3z.service import focuser as focuser_module
from rockit.focuser.ok3z.service.focuser import Ending, Focuser
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import Snapshot, State, Trust
from rockit.focuser.ok3z.simulator import VirtualOK3Z, registered
from rockit.focuser.ok3z.storage.state_store import StateStore
from tests.support.waiting import wait_until

# How many times faster than a real one the controller lives. The driver is told so.
TIME_SCALE = 10
SETTINGS = Settings(
    "the bench", 5.0, 180.0, Limits.from_mm(6.0, 6.0, 0.5), Drive.from_mm(0.5, 5.0, TIME_SCALE)
)
PATIENCE_S = 30.0
NO_JOURNAL = StateStore(None, lambda *_: None)


class Waiting(Focuser):
    """A focuser whose commands are waited for."""

    def initialize(self, *arguments, **named):
        self._wait(self.begin_initialize(*arguments, **named))

    def audit(self):
        self._wait(self.begin_audit())

    def shutdown(self):
        self._wait(self.begin_shutdown())

    def set_focus(self, *arguments):
        self._wait(self.begin_move(*arguments).ended)

    def stop(self, by):
        self._wait(self.begin_stop(by))

    def _wait(self, ending):
        with suppress(TimeoutError, FutureTimeoutError):
            ending.result(ending.patience_s)
        if ending.failure:
            raise ending.failure


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
        wait_until(lambda: self.model.is_moving or call.done())
        return call


class PortOf:
    """A port that is opened as a test says; nobody knows what its path leads to."""

    def __init__(self, open_port):
        self.open = open_port

    def device(self):
        return None


@contextmanager
def make_bench(request, **options):
    model = VirtualOK3Z(**{"time_scale": TIME_SCALE, "start_mm": 1.0, **options})
    announced: list[str] = []
    with registered(f"bench{id(model)}", model) as url:
        focuser = Waiting(
            SETTINGS,
            SerialPort(url, 38400, SystemClock()),
            lambda level, message: announced.append(message),
            NO_JOURNAL,
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
        homed.focuser.audit,
        homed.focuser.shutdown,
    ):
        with pytest.raises(BusyError, match=r"^a move is still running\. Wait for its end"):
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


def test_who_asks_while_a_stop_is_under_way_shares_it_and_cannot_cancel_it(homed):
    move = homed.begin_move(5.0)
    with homed.focuser._attention:
        # The worker comes to look when this is left.
        stops = [homed.focuser.begin_stop("the test") for _ in range(3)]
        assert not stops[0].cancel()
    assert stops == [stops[0]] * 3
    stops[0].result(PATIENCE_S)
    assert isinstance(move.exception(PATIENCE_S), StoppedError)


def test_a_stop_in_the_moment_after_a_stop_is_one_of_its_own(homed, monkeypatch):
    """Whoever hears that the first has ended may have begun a move meanwhile: it must be stopped too."""
    first, later = None, []
    resolve = Ending.resolve

    def resolve_and_go_on(ending, outcome):
        if ending is first and not later:
            # Before anybody can have heard of the end: on the worker's own thread.
            later.append(homed.call(homed.focuser.begin_stop, "another").result(PATIENCE_S))
        resolve(ending, outcome)

    monkeypatch.setattr(Ending, "resolve", resolve_and_go_on)
    move = homed.begin_move(5.0)
    with homed.focuser._attention:
        first = homed.focuser.begin_stop("the test")
    first.result(PATIENCE_S)
    assert later[0] is not first
    later[0].result(PATIENCE_S)
    assert isinstance(move.exception(PATIENCE_S), StoppedError)


def test_a_stop_while_homing(bench):
    call = bench.call(bench.focuser.initialize)
    wait_until(lambda: bench.model.is_moving)
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
    wait_until(lambda: bench.model.is_moving)
    assert bench.focuser.close()
    assert not bench.model.is_moving
    assert isinstance(call.exception(PATIENCE_S), StoppedError)


def test_a_port_that_never_opens_does_not_hold_up_the_end(monkeypatch):
    opening, release = threading.Event(), threading.Event()

    def open_port():
        opening.set()
        release.wait(PATIENCE_S)
        raise PortUnavailableError("it took too long.")

    focuser = Waiting(SETTINGS, PortOf(open_port), lambda level, message: None, NO_JOURNAL)
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


def test_a_worker_gives_signs_of_life_until_it_hangs():
    signs, opening, release = [], threading.Event(), threading.Event()

    def open_port():
        opening.set()
        release.wait(PATIENCE_S)
        raise PortUnavailableError("it took too long.")

    focuser = Waiting(SETTINGS, PortOf(open_port), lambda *_: None, NO_JOURNAL, None, lambda: signs.append(1))
    with ThreadPoolExecutor(1) as callers, focuser:
        wait_until(lambda: len(signs) >= 2)
        call = callers.submit(focuser.initialize)
        assert opening.wait(PATIENCE_S)
        given = len(signs)
        with pytest.raises(BusyError):
            focuser.shutdown()
        assert len(signs) == given
        release.set()
        assert isinstance(call.exception(PATIENCE_S), PortUnavailableError)
        wait_until(lambda: len(signs) > given)


def test_a_motion_gives_signs_of_life_all_along():
    signs = []
    model = VirtualOK3Z(time_scale=TIME_SCALE, start_mm=1.0)
    with registered(f"signs{id(model)}", model) as url:
        focuser = Waiting(
            SETTINGS,
            SerialPort(url, 38400, SystemClock()),
            lambda *_: None,
            NO_JOURNAL,
            None,
            lambda: signs.append(focuser.snapshot.state),
        )
        with focuser:
            focuser.initialize()
            focuser.set_focus(1.0)
    assert signs.count(State.HOMING) > 5
    assert signs.count(State.MOVING) > 5


def test_a_link_that_dies_at_rest_is_noticed_unasked(homed, monkeypatch):
    homed.model.hang_up()
    wait_until(lambda: homed.focuser.snapshot.status == 0)
    assert "serial port failed" in homed.focuser.snapshot.reason
    with pytest.raises(NotConnectedError):
        homed.focuser.set_focus(1.0)
    homed.model.come_back()
    wait_until(lambda: homed.focuser.snapshot.status == 1)
    assert homed.focuser.snapshot.confidence.trust is Trust.RESUMED
    with pytest.raises(AlreadyConnectedError):
        homed.focuser.initialize()
    homed.focuser.set_focus(1.0)
    assert homed.model.carriage_mm == pytest.approx(1.0, abs=0.0003)


def test_calls_while_a_silent_link_is_tried_are_answered_at_once(homed):
    """The attempt gives way: nobody waits until a dead controller has not answered."""
    homed.model.rate("reply_loss", 1.0)
    wait_until(lambda: homed.focuser.snapshot.state is State.RECONNECTING)
    answered = len(homed.model.journal)
    wait_until(lambda: len(homed.model.journal) > answered)
    for _ in range(20):
        with pytest.raises(NotConnectedError):
            homed.focuser.set_focus(1.0)
    homed.focuser.shutdown()
    assert homed.focuser.snapshot.state is State.DISCONNECTED
    homed.model.rate("reply_loss", 0.0)
    homed.focuser.initialize()


def test_the_end_of_the_daemon_while_a_link_is_tried(homed):
    homed.model.rate("reply_loss", 1.0)
    wait_until(lambda: homed.focuser.snapshot.state is State.RECONNECTING)
    assert homed.focuser.close()
    assert not homed.focuser._worker.is_alive()


def test_a_stop_reaches_a_motor_whose_link_is_back_before_it_was_tried(homed):
    move = homed.begin_move(6.0)
    homed.model.hang_up()
    assert isinstance(move.exception(PATIENCE_S), LinkLostError)
    assert homed.focuser.snapshot.motor_may_run
    homed.model.come_back()
    homed.focuser.stop("the test")
    assert not homed.model.is_moving
    assert homed.focuser.snapshot.state is State.IDLE, homed.focuser.snapshot.reason


def test_a_second_homing_finds_lost_steps(homed):
    homed.focuser.set_focus(1.0)
    homed.model.lose_steps(50)
    homed.focuser.audit()
    assert homed.focuser.snapshot.audit.lost_steps == pytest.approx(50, abs=2)
    assert homed.model.carriage_mm == pytest.approx(1.0, abs=0.0003)


def test_what_one_process_knew_the_next_one_resumes(request, tmp_path):
    """With a real state file, and a controller that kept its power."""
    model = VirtualOK3Z(time_scale=TIME_SCALE, start_mm=1.0)
    with registered(f"bench{id(model)}", model) as url:
        for number in range(3):
            journal = StateStore(tmp_path / "bench.json", lambda level, message: None)
            journal.start()
            focuser = Waiting(
                SETTINGS,
                SerialPort(url, 38400, SystemClock()),
                lambda level, message: None,
                journal,
            )
            with focuser:
                focuser.initialize(resume=True)
                trust = focuser.snapshot.confidence.trust
                assert trust is (Trust.RESUMED if number else Trust.HOMED)
                if number:
                    assert focuser.snapshot.current_steps == number * 5088
                focuser.set_focus(number + 1.0)
                assert model.carriage_mm == pytest.approx(number + 1.0, abs=0.0003)
            journal.close()


def test_a_link_that_dies_in_a_move(homed):
    move = homed.begin_move(5.0)
    homed.model.hang_up()
    assert isinstance(move.exception(PATIENCE_S), LinkLostError)
    assert homed.focuser.snapshot.status == 0


def test_a_mistake_in_the_program_is_survived(homed, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("rockit.focuser.ok3z.driver.axis.plan_move", broken)
        with pytest.raises(InternalError):
            homed.focuser.set_focus(1.0)
    snapshot = homed.focuser.snapshot
    assert snapshot.status == 0
    assert "ZeroDivisionError" in snapshot.reason
    assert "planted" not in snapshot.reason, "everybody may read the status"
    homed.focuser.initialize()
    homed.focuser.set_focus(1.0)


def test_a_mistake_in_settling_leaves_no_motor_running_and_no_status_standing(homed, monkeypatch):
    move = homed.begin_move(5.0)

    def broken(*_):
        monkeypatch.undo()
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(homed.focuser._commands, "settle", broken)
    homed.call(homed.focuser.stop, "the test")
    assert isinstance(move.exception(PATIENCE_S), StoppedError)
    wait_until(lambda: not homed.model.is_moving)
    wait_until(lambda: homed.focuser.snapshot.state is State.UNHOMED)
    assert "ZeroDivisionError" in homed.focuser.snapshot.reason
    homed.focuser.initialize()
    homed.focuser.set_focus(1.0)


def test_who_asks_again_and_again_does_not_keep_a_lost_link_from_coming_back(homed):
    opened = []
    port = homed.focuser._commands._session._port
    open_port = port.open
    port.open = lambda: opened.append(None) or open_port()
    homed.model.hang_up()
    wait_until(lambda: homed.focuser.snapshot.state is State.RECONNECTING)
    for _ in range(200):
        for run in (lambda: homed.focuser.set_focus(1.0), homed.focuser.audit):
            with pytest.raises(NotConnectedError, match="its link is lost, and is tried again"):
                run()
    attempts = len(opened)
    assert attempts <= 2, "the pauses between the attempts are kept"
    homed.model.come_back()
    while homed.focuser.snapshot.state is State.RECONNECTING:
        with suppress(NotConnectedError):
            homed.focuser.set_focus(1.0)
    assert len(opened) <= attempts + 2
    homed.focuser.set_focus(1.5)


def test_an_old_reading_is_no_status(homed, monkeypatch):
    """A worker that hangs must not leave Idle standing."""
    assert homed.focuser.snapshot.status == 1
    monkeypatch.setattr(focuser_module, "STALE_S", -1.0)
    snapshot = homed.focuser.snapshot
    assert snapshot.state is State.FAULT
    assert "nothing is known now" in snapshot.reason
    assert not snapshot.motor_may_run


def test_a_worker_that_hangs_in_a_move_leaves_a_motor_that_may_run(homed, monkeypatch):
    move = homed.begin_move(5.0)
    with monkeypatch.context() as patch:
        patch.setattr(focuser_module, "STALE_S", -1.0)
        snapshot = homed.focuser.snapshot
    assert snapshot.state is State.FAULT
    assert snapshot.motor_may_run
    homed.focuser.stop("the test")
    assert isinstance(move.exception(PATIENCE_S), StoppedError)


def test_a_worker_that_gives_no_answer_has_failed(homed, monkeypatch):
    monkeypatch.setattr(focuser_module, "STOP_PATIENCE_S", 0.0)
    move = homed.begin_move(5.0)
    with homed.focuser._attention:
        # The worker comes to look when this is left.
        stop = homed.focuser.begin_stop("the test")
        assert isinstance(stop.failure, HaltFailedError)
        assert str(stop.failure).startswith("the focuser's thread gave no answer for 0 s.")
    assert isinstance(move.exception(PATIENCE_S), StoppedError)
    assert stop.result(PATIENCE_S) is stop.failure is None


def test_a_move_is_under_way_as_soon_as_the_status_says_moving(homed):
    begun = homed.focuser.begin_move(5.0)
    begun.under_way.result(PATIENCE_S)
    assert not begun.ended.done()
    assert homed.focuser.snapshot.state is State.MOVING
    assert homed.focuser.snapshot.target_mm == 5.0
    with pytest.raises(BusyError):
        homed.focuser.begin_move(1.0)
    assert begun.ended.result(PATIENCE_S) is None
    assert homed.model.carriage_mm == pytest.approx(5.0, abs=0.0003)
    assert not any(ending.cancel() for ending in begun)


def test_a_move_that_is_refused_is_never_under_way(bench):
    def refusal(position):
        begun = bench.focuser.begin_move(position)
        failure = begun.under_way.exception(PATIENCE_S)
        assert begun.ended.done()
        assert begun.ended.failure is failure
        return failure

    assert isinstance(refusal(1.0), NotConnectedError)
    bench.focuser.initialize()
    assert isinstance(refusal(6.1), OutsideLimitsError)
    assert isinstance(refusal("1"), InvalidArgumentError)
    assert bench.focuser.snapshot.state is State.IDLE


def test_a_move_of_no_length_has_ended_when_it_is_under_way(homed):
    homed.focuser.set_focus(1.0)
    begun = homed.focuser.begin_move(0, offset=True)
    begun.under_way.result(PATIENCE_S)
    assert begun.ended.done()


def test_a_move_that_is_stopped_ends_as_stopped(homed):
    begun = homed.focuser.begin_move(5.0)
    begun.under_way.result(PATIENCE_S)
    homed.focuser.stop("the test")
    assert isinstance(begun.ended.exception(PATIENCE_S), StoppedError)
    assert begun.under_way.failure is None


def test_nobody_waits_for_a_move_of_a_daemon_that_ends(request):
    with make_bench(request) as bench:
        bench.focuser.initialize()
        begun = bench.focuser.begin_move(5.0)
    for ending in begun:
        assert isinstance(ending.exception(PATIENCE_S), (StoppedError, NotConnectedError, type(None)))
    assert begun.ended.failure


def test_what_moves_is_told_and_not_inferred_from_the_status():
    """A hand at the controller does not pass for the move that somebody waits for."""
    focuser = Focuser(SETTINGS, PortOf(lambda: pytest.fail("nothing is opened")), lambda *_: None, NO_JOURNAL)
    move = focuser.begin_move(1.0)
    focuser._commands._publisher.publish(Snapshot(state=State.MOVING, current_steps=0, target_steps=5088))
    assert not move.under_way.done()
    focuser.moves()
    assert move.under_way.done()
    assert not move.ended.done()
