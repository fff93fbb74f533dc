"""Lanes: a bounded number of threads. Whatever a job or the machine does, no thread and no place is lost."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers.net.lane import Lane

# How long a test waits for what must come. Nothing needs a hundredth of it.
BOUND_S = 20.0


class Gate:
    """A job that waits for the test, and says that it has begun and that it has ended."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.begun, self.done = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self) -> None:
        self.begun.release()
        assert self._opened.wait(BOUND_S)
        self.done.release()

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A job that waits."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def make(gate: Gate) -> Iterator[Callable[..., Lane]]:
    """Makes lanes, and closes them."""
    made: list[Lane] = []

    def lane(threads: int, waiting: int) -> Lane:
        made.append(Lane("lane", threads, waiting))
        return made[-1]

    yield lane
    gate.open()
    for one in made:
        one.close()


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called: a machine that can make no more threads."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    return lambda: monkeypatch.setattr(threading.Thread, "start", refuse)


def came(semaphore: threading.Semaphore, times: int = 1) -> bool:
    return all(semaphore.acquire(timeout=BOUND_S) for _ in range(times))


def until(holds: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def names() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("lane-"))


def test_it_has_no_more_threads_and_places_than_it_was_given(make: Any, gate: Gate) -> None:
    lane = make(2, waiting=3)
    assert [lane.submit(gate) for _ in range(7)] == [True] * 5 + [False] * 2
    assert came(gate.begun, 2)
    assert names() == ["lane-1", "lane-2"]
    gate.open()
    assert came(gate.done, 5)
    until(lambda: lane.submit(gate))
    assert came(gate.done)


def test_its_first_thread_is_there_from_the_start(make: Any, gate: Gate, no_more_threads: Any) -> None:
    lane = make(2, waiting=0)
    assert names() == ["lane-1"]
    no_more_threads()
    assert lane.submit(gate)
    assert came(gate.begun)


def test_many_who_submit_at_once_get_no_thread_too_many(
    make: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = make(2, waiting=8)
    assert lane.submit(gate)
    start = threading.Thread.start
    others = [threading.Thread(target=lane.submit, args=(gate,)) for _ in range(4)]

    def start_slowly(thread: threading.Thread) -> None:
        """Others come before it has started."""
        monkeypatch.setattr(threading.Thread, "start", start)
        for other in others:
            other.start()
        for other in others:
            other.join(0.05)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    assert lane.submit(gate)
    for other in others:
        other.join(BOUND_S)
    assert came(gate.begun, 2)
    assert names() == ["lane-1", "lane-2"]


@pytest.mark.parametrize("mistake", [ZeroDivisionError, SystemExit])
def test_a_job_that_raises_loses_no_thread_and_no_place(
    make: Any, caplog: pytest.LogCaptureFixture, mistake: type[BaseException]
) -> None:
    lane, ended = make(1, waiting=0), threading.Semaphore(0)

    def blunder() -> None:
        raise mistake

    for _ in range(3):
        assert lane.submit(blunder, ended.release)
        assert came(ended), "the end is told all the same"
    done = threading.Event()
    assert lane.submit(done.set)
    assert done.wait(BOUND_S)
    assert names() == ["lane-1"]
    said = [
        record for record in caplog.records if "a mistake in this program, on lane" in record.getMessage()
    ]
    assert [record.exc_info[0] for record in said if record.exc_info] == [mistake] * 3


def test_an_end_that_cannot_be_told_loses_nothing_either(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    lane, done = make(1, waiting=0), threading.Event()

    def blunder() -> None:
        raise ZeroDivisionError

    assert lane.submit(lambda: None, blunder)
    until(lambda: lane.submit(done.set))
    assert done.wait(BOUND_S)
    assert "a mistake in this program, on lane" in caplog.text


def test_who_hears_of_an_end_may_submit_at_once(make: Any) -> None:
    lane, heard = make(1, waiting=0), []
    finished = threading.Event()

    def again() -> None:
        heard.append(lane.submit(lambda: None, finished.set))

    assert lane.submit(lambda: None, again)
    until(lambda: heard)
    assert heard == [True]
    assert finished.wait(BOUND_S)


def test_it_makes_do_with_the_threads_that_it_has(make: Any, gate: Gate, no_more_threads: Any) -> None:
    lane = make(3, waiting=3)
    no_more_threads()
    gate.open()
    assert [lane.submit(gate) for _ in range(3)] == [True] * 3
    assert came(gate.done, 3)


def test_what_may_not_wait_is_refused_where_there_are_no_more_threads(
    make: Any, gate: Gate, no_more_threads: Any
) -> None:
    lane = make(3, waiting=0)
    no_more_threads()
    assert [lane.submit(gate) for _ in range(3)] == [True, False, False]
    gate.open()
    assert came(gate.done)
    until(lambda: lane.submit(gate))


@pytest.mark.parametrize("waiting", [0, 3])
def test_without_any_thread_nothing_is_taken_until_there_is_one(
    make: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch, waiting: int, no_more_threads: Any
) -> None:
    """What was taken would never run."""
    no_more_threads()
    lane = make(2, waiting)
    assert not lane.submit(gate)
    monkeypatch.undo()
    assert lane.submit(gate)
    assert came(gate.begun)


def test_what_was_taken_is_done_after_the_end_and_nothing_else(make: Any, gate: Gate) -> None:
    lane = make(1, waiting=5)
    assert [lane.submit(gate) for _ in range(3)] == [True] * 3
    assert came(gate.begun)
    lane.close()
    assert not lane.submit(gate)
    gate.open()
    assert came(gate.done, 3)
    until(lambda: not names())


def test_a_job_that_has_ended_is_not_kept(make: Any) -> None:
    """A connection would be, and all that it holds."""
    lane = make(1, waiting=0)
    held = threading.Event()
    references = sys.getrefcount(held)
    assert lane.submit(held.set)
    assert held.wait(BOUND_S)
    until(lambda: sys.getrefcount(held) == references)
