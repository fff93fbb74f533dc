"""What may be asked of the focuser over the panel, by whom, and what is answered."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import BusyError, HaltFailedError, OutsideLimitsError, StoppedError
from tests.support.http import STRANGER, request
from tests.support.waiting import wait_until

DONE = {"done": True, "code": "", "message": ""}
COMMANDS = ("set", "offset", "stop", "initialize", "shutdown")
JSON = {"Content_Type": "application/json"}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged of commands on the panel, without how long they took."""
    caplog.set_level(logging.INFO)

    def lines() -> list[str]:
        messages = [record.getMessage() for record in caplog.records]
        return [re.sub(r" after \d+\.\d s", "", line) for line in messages if "on the panel" in line]

    return lines


@pytest.mark.parametrize(
    ("command", "values", "asked"),
    [
        ("set", {"position_mm": 2.5}, ("move", 2.5, False, False)),
        ("set", {"position_mm": 2}, ("move", 2, False, False)),
        ("offset", {"offset_mm": -0.01}, ("move", -0.01, True, False)),
        ("stop", {}, ("stop", "127.0.0.1")),
        ("initialize", {"resume": False}, ("initialize", False, None, False)),
        ("initialize", {"resume": True}, ("initialize", True, None, False)),
        ("shutdown", {}, ("shutdown",)),
    ],
)
def test_a_command_is_passed_on(
    wire: Any, focuser: Any, command: str, values: dict[str, Any], asked: tuple[Any, ...]
) -> None:
    assert wire.post(command, **values).json == DONE
    assert focuser.calls == [asked]


def test_a_refusal_comes_with_its_code_and_its_sentence(wire: Any, focuser: Any) -> None:
    for failure, code, message in (
        (OutsideLimitsError("7 mm was asked for."), "outside_limits", "7 mm was asked for."),
        (StoppedError("stopped by 10.0.0.1."), "stopped", "Stopped by 10.0.0.1."),
        (BusyError("initialize is still running."), "busy", "Initialize is still running."),
        # A number that is none is no word.
        (OutsideLimitsError("nan mm was asked for."), "outside_limits", "nan mm was asked for."),
        (OutsideLimitsError("inf mm was asked for."), "outside_limits", "inf mm was asked for."),
    ):
        focuser.failure = failure
        answer = wire.post("set", position_mm=7).json
        assert answer == {"done": False, "code": code, "message": message}


def test_a_mistake_of_this_program_is_told_without_its_details(
    wire: Any, focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    focuser.failure = ZeroDivisionError("secret")
    for command, values in (("set", {"position_mm": 1}), ("initialize", {"resume": False})):
        answer = wire.post(command, **values).json
        assert (answer["done"], answer["code"]) == (False, "internal"), command
        assert "secret" not in answer["message"], command
    assert "secret" in caplog.text


# What is no command


def test_what_is_malformed_is_refused_and_nothing_moves(wire: Any, focuser: Any) -> None:
    def refused(command: str, body: bytes, status: int, **headers: str) -> None:
        answer = wire.ask("POST", f"/panel/{command}", body, **{**JSON, **headers})
        assert answer.status == status, f"{command} {body!r}"
        said = json.loads(answer.body)
        assert said["done"] is False
        assert said["message"].endswith(".")

    for body in (
        b"",
        b"position_mm=2",
        b"\xff",
        b"2.5",
        b"[]",
        b"null",
        b"{}",
        b'{"position_mm": "2"}',
        b'{"position_mm": null}',
        b'{"position_mm": true}',
        b'{"position_mm": [2]}',
        b'{"Position_mm": 2}',
        b'{"position_mm": 2, "offset": true}',
        b'{"position_mm": 2, "position_mm": 2}',
        b"[" * 999,
        b'{"position_mm": ' + b"1" * 900,
    ):
        refused("set", body, 400)
    for command in set(COMMANDS) - {"stop"}:
        for body in (b'{"odd": 1}', b'{"resume": 1}'):
            refused(command, body, 400)
    refused("set", b'{"position_mm": 2}' + b" " * 1000, 413)
    # What a foreign page could send unasked.
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        refused("set", b'{"position_mm": 2}', 415, Content_Type=kind)
    assert focuser.calls == []


def test_numbers_that_are_none_are_left_to_the_focuser_and_little_of_them_is_logged(
    wire: Any, focuser: Any, said: Any
) -> None:
    for command, asked in (("set", "set inf mm"), ("offset", "set by +inf mm")):
        for text in (b"NaN", b"-Infinity", b"1e999", b"9" * 900):
            name = b"position_mm" if command == "set" else b"offset_mm"
            body = b'{"%s": %s}' % (name, text)
            assert wire.ask("POST", f"/panel/{command}", body, **JSON).json == DONE, text
        assert said()[-1] == f"{asked}, asked by 127.0.0.1 on the panel: arrived at 2.000 mm"
    assert [type(call[1]) for call in focuser.calls[:4]] == [float, float, float, int]


def test_commands_are_posted_and_nothing_else(wire: Any, focuser: Any) -> None:
    for command in COMMANDS:
        statuses = [wire.ask(verb, f"/panel/{command}").status for verb in ("PUT", "DELETE", "GET")]
        assert statuses == [405, 405, 404], command
    assert focuser.calls == []


def test_strangers_are_refused_before_anything_is_read(stranger: Any, focuser: Any, said: Any) -> None:
    for command in COMMANDS:
        for body in (b"{}", b"no json"):
            answer = stranger.ask("POST", f"/panel/{command}", body, **JSON)
            assert answer.status == 403, command
            assert f"{STRANGER} is not among control_machines" in json.loads(answer.body)["message"], command
    assert focuser.calls == []
    # But for one line of all that strangers do, which test_log looks at.
    assert not [line for line in said() if "refused" not in line]


# Stops


def test_a_stop_needs_no_body_and_no_type_and_is_logged_with_what_came_of_it(
    wire: Any, focuser: Any, said: Any
) -> None:
    assert wire.ask("POST", "/panel/stop").json == DONE
    focuser.failure = HaltFailedError("standstill was not seen.")
    odd = wire.ask("POST", "/panel/stop", b"{]", Content_Type="odd/odd")
    assert odd.json["code"] == "halt_failed"
    assert focuser.calls == [("stop", "127.0.0.1")] * 2
    asked = "stop, asked by 127.0.0.1 on the panel"
    assert said() == [
        f"{asked}: stands at 2.000 mm",
        f"{asked}: ended at 2.000 mm: standstill was not seen.",
    ]


def test_a_stop_waits_for_no_other_command(server: Any, dial: Any, focuser: Any) -> None:
    focuser.move_gate.close()
    moving = [dial(server) for _ in range(20)]
    for wire in moving:
        wire.send(request("POST", "/panel/set", {"position_mm": 1}))
    wait_until(lambda: focuser.named("move"))
    stopping = dial(server)
    assert stopping.post("stop").json == DONE
    focuser.move_gate.open()
    # As many as may wait for the service do; the others are told so at once.
    assert {wire.answer().json["code"] for wire in moving} == {"", "busy"}
    assert len(focuser.named("move")) < 20


@pytest.mark.parametrize("command", ["stop", "set"])
def test_what_was_asked_for_by_who_goes_away_is_done_and_logged(
    wire: Any, server: Any, dial: Any, focuser: Any, said: Any, command: str
) -> None:
    focuser.move_gate.close()
    focuser.stop_gate.close()
    wire.send(request("POST", f"/panel/{command}", {"position_mm": 1}))
    wait_until(lambda: focuser.calls)
    wire.break_down()
    # The server has noticed by the time that it has answered others.
    assert dial(server).errors(*["name"] * 20) == [0] * 20
    focuser.close()
    asked = "stop" if command == "stop" else "set 1 mm"
    end = "stands" if command == "stop" else "arrived"
    wait_until(lambda: f"{asked}, asked by 127.0.0.1 on the panel: {end} at 2.000 mm" in said())
    assert len(focuser.calls) == 1
