"""Ctrl-C during a motion: what is called, in which order, and what is concluded from the answers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from rockit.focuser.ok3z.cli import interruptible
from rockit.focuser.ok3z.cli.interruptible import Answer, Outcome
from rockit.focuser.ok3z.client.calls import AnswerLostError, DaemonUnreachableError
from tests.support.waiting import BOUND_S


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptible, "STOP_RETRY_AFTER_S", 0.0)
    monkeypatch.setattr(interruptible, "TICK_S", 0.005)


class Focuser:
    """Moves until it is stopped; `stops` are the answers to stop, the last of them repeated."""

    def __init__(self, *stops: Callable[[], int]) -> None:
        self.stops = list(stops)
        self.stop_calls = 0
        self.stopped = threading.Event()
        self.signal: int = signal.SIGINT

    def move(self) -> int:
        self.press()
        assert self.stopped.wait(BOUND_S)
        return 1

    def press(self) -> None:
        os.kill(os.getpid(), self.signal)

    def stop(self) -> int:
        self.stop_calls += 1
        return self.stops[min(self.stop_calls, len(self.stops)) - 1]()

    def obey(self) -> int:
        self.stopped.set()
        return 0

    def run(self) -> Outcome:
        return interruptible.run(self.move, self.stop, lambda _stopping: None)


@pytest.fixture
def focuser() -> Iterator[Focuser]:
    focuser = Focuser()
    focuser.stops = [focuser.obey]
    yield focuser
    focuser.stopped.set()


def test_without_a_signal_the_answer_is_the_outcome_and_nothing_is_stopped(focuser: Focuser) -> None:
    for status in (0, 1, 6):
        outcome = interruptible.run(lambda status=status: status, focuser.stop, lambda _stopping: None)  # type: ignore[misc]

        assert outcome == Outcome(Answer(status))
        assert outcome.succeeded == (status == 0)
    assert focuser.stop_calls == 0


def test_an_error_of_the_call_is_the_outcome(focuser: Focuser) -> None:
    error = DaemonUnreachableError("Nothing listens.")

    def move() -> int:
        raise error

    outcome = interruptible.run(move, focuser.stop, lambda _stopping: None)

    assert outcome.answer == Answer(-101, error)
    assert not outcome.succeeded


def test_a_bug_in_the_call_is_raised_and_never_waited_for(focuser: Focuser) -> None:
    def move() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interruptible.run(move, focuser.stop, lambda _stopping: None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_focuser_and_waits_for_both_answers(focuser: Focuser, number: int) -> None:
    focuser.signal = number

    assert focuser.run() == Outcome(
        Answer(1), interrupted=True, stopped=True, gave_up=False, stop_answer=Answer(0)
    )
    assert focuser.stop_calls == 1


def test_a_move_that_arrived_just_before_the_stop_counts_as_interrupted(focuser: Focuser) -> None:
    focuser.stops = [lambda: 0]

    def move() -> int:
        focuser.press()
        return 0

    outcome = interruptible.run(move, focuser.stop, lambda _stopping: None)

    # Either the answer or the signal comes first: both are true, and neither is lost.
    assert outcome.answer == Answer(0)
    assert outcome.interrupted == outcome.stopped
    assert outcome.interrupted == (focuser.stop_calls == 1)


def test_a_motion_that_began_only_after_the_stop_is_stopped_again(
    focuser: Focuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruptible, "STOP_AGAIN_AFTER_S", 0.0)
    focuser.stops = [lambda: 0, lambda: 0, focuser.obey]

    outcome = focuser.run()

    assert outcome.stopped
    # Once more or so can slip in before the motion has answered.
    assert focuser.stop_calls >= 3


def test_a_stop_that_fails_is_tried_again(focuser: Focuser) -> None:
    focuser.stops = [lambda: 1, focuser.obey]

    assert focuser.run().stopped
    assert focuser.stop_calls == 2


@pytest.mark.parametrize("refusal", [1, 3])
def test_a_stop_that_keeps_failing_is_given_up_and_told(focuser: Focuser, refusal: int) -> None:
    focuser.stops = [lambda: refusal]

    outcome = focuser.run()

    assert (outcome.interrupted, outcome.stopped, outcome.gave_up) == (True, False, False)
    assert outcome.stop_answer == Answer(refusal)
    assert focuser.stop_calls == interruptible.STOP_ATTEMPTS


def test_a_stop_without_a_daemon_is_given_up_and_told(focuser: Focuser) -> None:
    error = AnswerLostError("The connection broke.")

    def fail() -> int:
        raise error

    focuser.stops = [fail]

    outcome = focuser.run()

    assert not outcome.stopped
    assert outcome.stop_answer == Answer(-101, error)


def test_a_motion_that_never_answers_after_its_stop_is_not_waited_for_without_end(
    focuser: Focuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruptible, "STOP_PATIENCE_S", 0.05)
    focuser.stops = [lambda: 0]

    outcome = focuser.run()

    assert (outcome.answer, outcome.stopped, outcome.stop_answer) == (None, False, Answer(0))


def test_the_display_is_told_when_stopping_begins(focuser: Focuser) -> None:
    ticks: list[bool] = []
    drawn = threading.Event()
    seen_stopping = threading.Event()

    def tick(stopping: bool) -> None:
        ticks.append(stopping)
        drawn.set()
        if stopping:
            seen_stopping.set()

    def move() -> int:
        assert drawn.wait(BOUND_S)
        focuser.press()
        assert focuser.stopped.wait(BOUND_S)
        return 1

    def stop_slowly() -> int:
        assert seen_stopping.wait(BOUND_S)
        return focuser.obey()

    focuser.stops = [stop_slowly]
    interruptible.run(move, focuser.stop, tick)

    assert ticks[0] is False
    assert ticks[-1] is True
    assert ticks == sorted(ticks)


def test_signal_handlers_are_put_back(focuser: Focuser) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    focuser.run()

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_the_caller_ignores_stays_ignored(focuser: Focuser) -> None:
    ticks = threading.Semaphore(0)

    def move() -> int:
        focuser.press()
        # Two rounds of the main thread later, a signal would have been seen.
        while ticks.acquire(blocking=False):
            pass
        return 0 if ticks.acquire(timeout=BOUND_S) and ticks.acquire(timeout=BOUND_S) else 1

    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome = interruptible.run(move, focuser.stop, lambda _stopping: ticks.release())
    finally:
        signal.signal(signal.SIGINT, previous)
    assert outcome == Outcome(Answer(0))
    assert focuser.stop_calls == 0


def test_a_process_that_was_suspended_in_a_stop_has_waited_for_nothing_meanwhile(
    focuser: Focuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_s = 0.0
    real_s = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real_s() + slept_s)

    def obey_after_a_night() -> int:
        nonlocal slept_s
        slept_s = 3600.0
        # Its answer is heard only some looks after the waking.
        time.sleep(0.1)
        return focuser.obey()

    focuser.stops = [obey_after_a_night]
    assert focuser.run() == Outcome(Answer(1), interrupted=True, stopped=True, stop_answer=Answer(0))
    assert focuser.stop_calls == 1
