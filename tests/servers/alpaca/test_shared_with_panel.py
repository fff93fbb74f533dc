"""A stop by the panel and a stop by an Alpaca program are one, for there is one motor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import HaltFailedError

DONE = {"done": True, "code": "", "message": ""}


def press_stop(wire: Any) -> None:
    """Press stop on the panel, and do not wait for the answer."""
    wire.send(b"POST /panel/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")


def halt(wire: Any) -> None:
    """Halt as a program does, and do not wait for the answer."""
    wire.send(b"PUT /api/v1/focuser/0/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def asked(focuser: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who has asked for a stop: the panel's and the programs'."""
    asked: list[str] = []
    begin_stop = focuser.begin_stop

    def noted(by: str) -> Any:
        asked.append(by)
        return begin_stop(by)

    monkeypatch.setattr(focuser, "begin_stop", noted)
    return asked


@pytest.mark.parametrize("first", [press_stop, halt])
def test_whoever_asks_while_one_is_under_way_shares_it(
    first: Any, server: Any, dial: Any, focuser: Any, until: Any, asked: list[str], program: Any
) -> None:
    focuser.stop_gate.clear()
    second = halt if first is press_stop else press_stop
    wires = [dial(server), *(dial(server) for _ in range(20))]
    first(wires[0])
    until(lambda: focuser.named("stop"))
    for wire in wires[1:]:
        second(wire)
    until(lambda: len(asked) == len(wires))
    focuser.stop_gate.set()
    answers = [wire.answer() for wire in wires]
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
    pressed = [answer for answer in answers if "done" in answer.json]
    assert [answer.json for answer in pressed] == [DONE] * len(pressed)
    assert len(pressed) in (1, 20)
    assert [answer.error for answer in answers if answer not in pressed] == [0] * (len(wires) - len(pressed))


def test_all_who_share_it_hear_that_standstill_was_not_seen(
    server: Any, dial: Any, focuser: Any, until: Any, asked: list[str], program: Any
) -> None:
    focuser.stop_gate.clear()
    focuser.stop_error = HaltFailedError("standstill was not seen.")
    halting, pressing = dial(server), dial(server)
    halt(halting)
    press_stop(pressing)
    until(lambda: len(asked) == 2)
    focuser.stop_gate.set()
    assert halting.answer().error
    assert json.loads(pressing.answer().body)["code"] == HaltFailedError.code
    assert len(focuser.named("stop")) == 1


def test_a_stop_of_the_panel_waits_for_nothing_that_others_have_begun(
    server: Any, dial: Any, focuser: Any, until: Any
) -> None:
    """Moves of programs, commands of the panel: as many as may wait, and more."""
    focuser.initialise_gate.clear()
    wires = [dial(server) for _ in range(20)]
    for wire in wires[:10]:
        wire.send(
            b"POST /panel/initialize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b'Content-Length: 17\r\n\r\n{"resume": false}'
        )
    for wire in wires[10:]:
        wire.send(
            b"PUT /api/v1/focuser/0/connected HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\nConnected=True"
        )
    until(lambda: len(focuser.named("initialize")) >= 4)
    pressing = dial(server)
    press_stop(pressing)
    assert pressing.answer().json == DONE
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
    focuser.initialise_gate.set()
