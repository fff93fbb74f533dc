"""A hundred programs that read without a pause while the focuser moves, and what that does to a stop."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import Any, Callable

import pytest

from tests.support.http import AlpacaClient
from tests.support.waiting import BOUND_S, wait_until

Background = Callable[..., "Future[Any]"]
HALT = "#P021 F $\n"
# The promise is the same as without Alpaca; bench/alpaca.py measures it.
HALT_BOUND_S = 2.0
CLIENTS, PERIOD_S = 100, 0.1
STEPS_PER_MM = 5088
MEMBERS = ("position", "ismoving", "devicestate", "connected")


class Reader(threading.Thread):
    """One program with one connection that it keeps, which asks in turn for what a program asks for."""

    def __init__(self, port: int, client_id: int, over: threading.Event) -> None:
        super().__init__()
        self._client = AlpacaClient(port, client_id=client_id)
        self._over = over
        self.answers = 0
        self.positions: set[int] = set()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._over.wait(PERIOD_S):
                member = MEMBERS[self.answers % len(MEMBERS)]
                value = self._client.get(member).value
                self.answers += 1
                if member == "position":
                    self.positions.add(value)
        except BaseException as error:
            self.failure = error
        finally:
            self._client.close()


@pytest.fixture
def crowd(connected: Any, served: Any) -> Any:
    """A hundred readers, all of them the same connected client, so that every one of them is told the position."""
    over = threading.Event()
    readers = [Reader(served.alpaca.port, connected.client_id, over) for _ in range(CLIENTS)]
    for reader in readers:
        reader.start()
    wait_until(lambda: all(reader.answers for reader in readers), "an answer to each")
    yield readers
    over.set()
    for reader in readers:
        reader.join(BOUND_S)
    assert [reader.failure for reader in readers if reader.failure] == []


def have_more_answers(crowd: list[Reader], than: list[int]) -> bool:
    return all(reader.answers > count for reader, count in zip(crowd, than))


def halts(daemon: Any) -> list[float]:
    """When halts came to the controller, by the clock of this machine."""
    return [
        time_s
        for time_s, direction, data, _ in daemon.tell("trace 200")["trace"]
        if direction == ">" and data == HALT
    ]


def test_a_hundred_readers_are_answered_while_it_moves_and_a_stop_gets_through(
    crowd: list[Reader], connected: Any, served: Any, background: Background
) -> None:
    for number in range(4):
        target_mm = 5.0 if number % 2 == 0 else 0.5
        move = background(served.call, "set_focus", target_mm)
        served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
        answered = [reader.answers for reader in crowd]
        called_s = time.monotonic()
        assert served.call("stop") == 0
        assert move.result() == 1
        (halted_s,) = [time_s for time_s in halts(served) if time_s > called_s][:1]
        assert halted_s - called_s < HALT_BOUND_S
        assert served.truth()["moving"] is False
        wait_until(partial(have_more_answers, crowd, answered), "an answer to each")
    start, target = 0.5 * STEPS_PER_MM, 5.0 * STEPS_PER_MM
    assert served.call("set_focus", 0.5) == 0
    seen = [reader.positions for reader in crowd]
    for positions in seen:
        positions.clear()
    assert served.call("set_focus", 5.0) == 0
    assert any(start < position < target for positions in seen for position in positions), "they saw it move"


def test_moves_of_a_client_arrive_and_halts_get_through_as_well(crowd: list[Reader], connected: Any) -> None:
    connected.move(12000)
    connected.move(3000)
    assert connected.put("move", Position=30000).error == 0
    assert connected.put("halt").error == 0
    connected.wait_for("ismoving", False)
    assert connected.get("position").value < 30000
    assert all(reader.is_alive() for reader in crowd)


def test_the_controller_is_not_asked_more_often_for_more_readers(crowd: list[Reader], served: Any) -> None:
    """Counted over what a hundred readers ask meanwhile."""
    asked = sum(reader.answers for reader in crowd)
    before = sum(served.truth()["frames_seen"].values())
    served.wait_for(lambda _: sum(reader.answers for reader in crowd) > asked + 2000, "two thousand answers")
    assert sum(served.truth()["frames_seen"].values()) - before < 200


def test_readers_that_leave_leave_nothing(served: Any, connected: Any, make_wire: Any) -> None:
    files = f"/proc/{served.popen.pid}/fd"
    wires = [make_wire(served) for _ in range(CLIENTS)]
    for wire in wires:
        assert wire.get("name").status == 200
    # What was there before may still be on its way out, of another test: it is not counted on.
    open_files = len(os.listdir(files))
    assert open_files > CLIENTS
    for wire in wires:
        wire.close()
    wait_until(lambda: len(os.listdir(files)) <= open_files - CLIENTS, "their connections are closed")
