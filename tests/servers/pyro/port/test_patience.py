"""What clients leave half done, and for how long they may."""

from __future__ import annotations

import time
from typing import Any, Callable

import pytest
from Pyro4 import message

from tests.support.waiting import BOUND_S

CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"
SHORT_PATIENCE_S = 0.2


def refuses(send: Callable[[], None], pause_s: float) -> bool:
    """Send again and again until the other side has closed."""
    deadline_s = time.monotonic() + BOUND_S
    while time.monotonic() < deadline_s:
        try:
            send()
        except ConnectionError:
            return True
        time.sleep(pause_s)
    return False


def test_who_says_nothing_or_half_of_it_is_hung_up_on(serve: Any, say: Any) -> None:
    served = serve(SHORT_PATIENCE_S)
    silent, half, halved_call, halved_header = (
        served.connect(),
        served.connect(STRANGER_IP),
        served.greeted(),
        served.greeted(STRANGER_IP),
    )
    half.send(say.greeting()[:-1])
    halved_call.send(say.call("move", 1.0)[:-1])
    halved_header.send(say.call("move", 1.0)[:3])
    assert all(client.is_hung_up_on() for client in (silent, half, halved_call, halved_header))
    assert served.target.calls == []


def test_a_byte_now_and_then_wins_no_time(serve: Any, say: Any) -> None:
    served = serve(SHORT_PATIENCE_S)
    client = served.connect()
    rest = iter(say.greeting())
    assert refuses(lambda: client.send(bytes([next(rest)])), pause_s=SHORT_PATIENCE_S / 10)


def test_who_has_greeted_may_be_silent(serve: Any) -> None:
    served = serve(SHORT_PATIENCE_S)
    held = served.greeted(STRANGER_IP)
    for _ in range(2):
        assert served.connect().is_hung_up_on()
        assert held.call("report") == {"calls": 0}


def test_a_call_may_take_longer_than_the_patience(serve: Any, say: Any) -> None:
    served = serve(SHORT_PATIENCE_S)
    client, witness = served.greeted(), served.connect()
    client.send(say.call("wait"))
    assert witness.is_hung_up_on()
    served.target.go_on.open()
    assert client.value() == 0


@pytest.mark.parametrize("source", [CONTROL_IP, STRANGER_IP])
def test_who_never_reads_its_answers_is_hung_up_on(serve: Any, say: Any, source: str) -> None:
    served = serve(SHORT_PATIENCE_S)
    client = served.greeted(source)
    client.sock.settimeout(BOUND_S)
    assert refuses(lambda: client.send(say.call("report") * 20), pause_s=0)
    assert served.ask(source) == {"calls": 0}


def test_who_was_told_why_and_stays_is_hung_up_on(serve: Any, say: Any) -> None:
    served = serve(SHORT_PATIENCE_S)
    client = served.greeted()
    client.send(say.call("move", flags=message.FLAGS_BATCH))
    assert refuses(lambda: client.send(b"x"), pause_s=0.01)
