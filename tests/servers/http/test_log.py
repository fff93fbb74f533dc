"""What strangers cause in the log of the HTTP port: one line a minute, whatever they send."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers.net.log_throttle import MAX_KINDS, PERIOD_S
from tests.support.http import STRANGER
from tests.support.waiting import SetClock, wait_until

# The server looks again after a tenth of it.
PATIENCE_S = 0.2


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines of this program in the log so far."""
    caplog.set_level(logging.INFO)
    return lambda: [one.getMessage() for one in caplog.records if one.name.startswith("rockit.")]


@pytest.fixture
def looked(clock: SetClock) -> Callable[[], None]:
    """Wait for two looks at the clock: when the second begins, the first has said what there was."""

    def wait() -> None:
        looks = clock.looks
        wait_until(lambda: clock.looks >= looks + 2)

    return wait


def test_refusals_are_one_line_a_minute(
    serve: Any, dial: Any, clock: SetClock, said: Any, looked: Any
) -> None:
    stranger = dial(serve(now_s=clock, patience_s=PATIENCE_S), source=STRANGER)

    assert stranger.put("halt").error == 0x40B
    looked()
    first = f"Alpaca port: halt refused: {STRANGER} is not among control_machines (1)"
    assert said() == [first]

    for _ in range(5):
        assert stranger.put("move", Position=5).error == 0x40B
    for _ in range(3):
        assert stranger.post("stop").status == 403
    clock.now_s += PERIOD_S - 1
    looked()
    assert said() == [first]

    clock.now_s += 1
    looked()
    second = (
        f"Alpaca port: move refused: {STRANGER} is not among control_machines (5); "
        f"stop on the panel refused: {STRANGER} is not among control_machines (3)"
    )
    assert said() == [first, second]

    clock.now_s += PERIOD_S
    looked()
    assert said() == [first, second]


def test_many_strangers_are_one_line_of_bounded_length(
    serve: Any, dial: Any, clock: SetClock, said: Any, looked: Any
) -> None:
    server = serve(now_s=clock, patience_s=PATIENCE_S)
    assert dial(server, source=STRANGER).put("halt").error == 0x40B
    looked()
    for number in range(3, MAX_KINDS + 8):
        assert dial(server, source=f"127.0.0.{number}").put("halt").error == 0x40B
    clock.now_s += PERIOD_S
    looked()
    (_, line) = said()
    assert line.count(" refused: ") == MAX_KINDS
    assert line.endswith("something else (5)")


def test_what_a_machine_that_may_control_causes_is_logged_each_time(
    serve: Any, dial: Any, clock: SetClock, said: Any
) -> None:
    wire = dial(serve(now_s=clock), client_id=7)
    assert [wire.put("halt").error for _ in range(3)] == [0x407] * 3
    assert wire.put("connected", Connected="True").error == 0
    lines = said()
    assert len([line for line in lines if line.startswith("Alpaca halt, asked by 127.0.0.1: ")]) == 3
    (line,) = lines[3:]
    assert line.startswith("Alpaca connected, asked by 127.0.0.1: connected after ")
    said_before = len(lines)
    assert wire.put("move").status == 400
    assert wire.put("move", Position="x").status == 400
    assert wire.put("move", Position=5, ClientTransactionID=-1).status == 400
    missing, no_number, negative = said()[said_before:]
    assert (
        missing
        == "Alpaca move, asked by 127.0.0.1: The parameter Position is missing. It must be written exactly so."
    )
    assert no_number.startswith("Alpaca move, asked by 127.0.0.1: Position must be a whole number ")
    assert negative.startswith("Alpaca move, asked by 127.0.0.1: ClientTransactionID must be ")


def test_that_no_connection_can_be_accepted_is_counted_too(
    serve: Any, dial: Any, clock: SetClock, said: Any, looked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 0
    accept = socket.socket.accept

    def fail_thrice(listener: socket.socket) -> Any:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    server = serve(now_s=clock, patience_s=PATIENCE_S)
    assert dial(server, source=STRANGER).put("halt").error == 0x40B
    looked()
    monkeypatch.setattr(socket.socket, "accept", fail_thrice)
    assert dial(server).get("name").error == 0
    clock.now_s += PERIOD_S
    looked()
    assert said()[1:] == ["Alpaca port: cannot take more connections: Too many open files (3)"]
