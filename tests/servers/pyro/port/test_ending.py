"""How the server ends: nobody new gets in, who waits is answered, and then everybody is hung up on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.net.listener import stop_listening
from tests.support.waiting import BOUND_S, wait_until


def test_who_waits_is_answered_and_nobody_else_gets_in(
    served: Any, say: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    waiting, idle = served.greeted(), served.greeted()
    waiting.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    turns = served.server._turns
    stop_listening(served.server._listener)
    wait_until(lambda: served.server._turns > turns, "the server has seen it")
    with pytest.raises(ConnectionRefusedError):
        served.connect()
    served.server.finish()
    assert idle.call("report") == {"calls": 1}, "it goes on for those who are inside"
    assert served.thread.is_alive()
    served.target.go_on.open()
    assert waiting.value() == 0
    assert [client.is_hung_up_on() for client in (waiting, idle)] == [True, True]
    served.thread.join(BOUND_S)
    assert not served.thread.is_alive()
    assert caplog.records == []


def test_with_nobody_who_waits_it_ends_at_once(served: Any) -> None:
    idle = served.greeted()
    served.server.finish()
    assert idle.is_hung_up_on()
    served.thread.join(BOUND_S)
    assert not served.thread.is_alive()


def test_a_call_that_never_ends_is_not_waited_for(served: Any, say: Any) -> None:
    waiting = served.greeted()
    waiting.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    served.server.finish()
    served.server.close()
    assert waiting.is_hung_up_on()
    served.target.go_on.open()
