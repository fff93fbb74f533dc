"""A halt halts first, and complains afterwards: of a request only its path and its access are known by then.

And a halt and a stop on the panel are one, for there is one motor.
"""

from __future__ import annotations

import gzip
import logging
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import HaltFailedError
from rockit.focuser.ok3z.servers.alpaca.parameters import MAX_PARAMETERS
from rockit.focuser.ok3z.servers.http.framing import MAX_BODY_BYTES
from rockit.focuser.ok3z.service.status import Snapshot
from tests.support.http import CONNECTED, FORM, HALT, MEMBERS, PRESS_STOP, request
from tests.support.waiting import wait_until

HALT_PATH = f"{MEMBERS}halt"
FORM_TYPE = f"Content-Type: {FORM}\r\n".encode()
JSON_TYPE = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HOST = b"Host: localhost:1\r\n"


def with_body(lines: bytes, body: bytes) -> bytes:
    return lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def form(text: str) -> bytes:
    return with_body(FORM_TYPE, text.encode())


# What follows the line and the Host of a request, and the status of its answer.
UNREADABLE = {
    "negative": (form("ClientTransactionID=-1"), 400),
    "empty": (form("ClientTransactionID="), 400),
    "text": (form("ClientTransactionID=abc"), 400),
    "client": (form("ClientID=-1&ClientTransactionID=5"), 400),
    "twice": (form("ClientID=1&ClientID=2"), 400),
    "too many": (form("a=1&" * (MAX_PARAMETERS + 1)), 400),
    "no utf-8": (form("ClientID=%ff"), 400),
    "no ascii": (with_body(FORM_TYPE, b"ClientID=\xff"), 400),
    "json": (with_body(JSON_TYPE, b'{"ClientID": 1}'), 400),
}
# Of these the end is not sure, or not waited for: nothing may follow.
ENDLESS = {
    "two types": (with_body(FORM_TYPE + JSON_TYPE, b"{}"), 400),
    "two lengths": (b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "no length": (b"Content-Length: some\r\n\r\n", 400),
    "chunked json": (JSON_TYPE + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n", 411),
    "chunked": (CHUNKED + b"\r\n0\r\n\r\n", 411),
    "chunks that do not come": (CHUNKED + b"\r\n", 411),
    "chunked and a length": (with_body(CHUNKED, b"0\r\n\r\n"), 411),
    "waits, chunked": (b"Expect: 100-continue\r\n" + CHUNKED + b"\r\n", 411),
    "too large": (form("ClientID=1&x=".ljust(MAX_BODY_BYTES + 1, "x")), 413),
    "too large, and not coming": (b"Content-Length: 99999999\r\n\r\n", 413),
    "compressed": (with_body(b"Content-Encoding: gzip\r\n", gzip.compress(b"ClientID=1")), 415),
    "expects": (with_body(b"Expect: wonders\r\n", b"a=1"), 417),
}
MALFORMED = {**UNREADABLE, **ENDLESS}


def sent(rest: bytes, path: str = HALT_PATH, verb: str = "PUT", head: bytes = HOST) -> bytes:
    return f"{verb} {path} HTTP/1.1\r\n".encode() + head + rest


@pytest.mark.parametrize(("rest", "status"), MALFORMED.values(), ids=MALFORMED)
def test_a_halt_halts_whatever_else_is_wrong_with_it(
    program: Any, wire: Any, focuser: Any, rest: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    focuser.move_gate.close()
    assert program.put("move", Position=100).error == 0
    wire.send(sent(rest))
    answer = wire.answer()
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert answer.body.startswith(b"The motor stands: it was halted. ")
    assert len(answer.body.splitlines()) == 1
    assert f"Alpaca halt, asked by 127.0.0.1: {answer.body.decode().strip()}" in caplog.messages
    # Which was somebody else's, for who sent it did not say who it is.
    assert program.get("ismoving").error == 0x40E


def test_such_a_halt_that_fails_says_that_first(server: Any, dial: Any, focuser: Any) -> None:
    focuser.failures["stop"] = HaltFailedError("standstill was not seen.")
    for name, (rest, status) in MALFORMED.items():
        wire = dial(server)
        wire.send(sent(rest))
        answer = wire.answer()
        assert answer.status == status, name
        assert answer.body.startswith(b"The halt failed: standstill was not seen. "), name


@pytest.mark.parametrize("verb", ["PUT", "GET"])
def test_what_follows_a_body_that_is_not_read_is_no_request(
    server: Any, dial: Any, program: Any, focuser: Any, verb: str
) -> None:
    path = HALT_PATH if verb == "PUT" else f"{MEMBERS}name"
    for name, (rest, status) in ENDLESS.items():
        wire = dial(server)
        wire.send(sent(rest, path, verb) + sent(form("Position=5&ClientID=7"), f"{MEMBERS}move"))
        answer = wire.answer()
        # A read needs no body.
        assert answer.status == (status if verb == "PUT" else 200), name
        assert answer.headers["connection"] == "close", name
        assert wire.hung_up(), name
    assert focuser.named("move") == []


@pytest.mark.parametrize(
    ("head", "refusal"),
    [
        (b"Host: evil.org\r\n", b"not known by that name"),
        (HOST + b"Origin: http://evil.org\r\n", b"another origin"),
        (HOST + b"Sec-Fetch-Site: cross-site\r\n", b"another site"),
    ],
)
def test_access_is_judged_before(server: Any, dial: Any, focuser: Any, head: bytes, refusal: bytes) -> None:
    for name, (rest, _) in MALFORMED.items():
        wire = dial(server)
        wire.send(sent(rest, head=head))
        answer = wire.answer()
        assert answer.status == 403, name
        assert refusal in answer.body, name
        assert focuser.calls == [], name


def test_a_stranger_halts_nothing_with_it(server: Any, dial: Any, focuser: Any) -> None:
    for name, (rest, status) in MALFORMED.items():
        stranger = dial(server, source="127.0.0.2")
        stranger.send(sent(rest))
        answer = stranger.answer()
        assert answer.status == status, name
        assert b"halt" not in answer.body, name
        assert focuser.calls == [], name


def test_nothing_else_is_done_before_the_request_is_understood(server: Any, dial: Any, focuser: Any) -> None:
    focuser.lose_link()
    for member in ("move", "connect", "disconnect", "tempcomp"):
        for name, (rest, status) in MALFORMED.items():
            wire = dial(server)
            wire.send(sent(rest, MEMBERS + member))
            assert wire.answer().status == status, f"{member} {name}"
            assert focuser.calls == [], f"{member} {name}"


def test_a_stop_on_the_panel_needs_no_body_either(server: Any, dial: Any, focuser: Any) -> None:
    for name, (rest, _) in ENDLESS.items():
        wire = dial(server)
        wire.send(sent(rest, "/panel/stop", "POST"))
        answer = wire.answer()
        assert answer.json["done"] is True, name
        assert answer.headers["connection"] == "close", name
        assert wire.hung_up(), name
    assert focuser.named("stop") == [("stop", "127.0.0.1")] * len(ENDLESS)


# A body that comes late, or never


def test_a_halt_is_its_senders_own_though_its_body_comes_late(
    program: Any, server: Any, dial: Any, focuser: Any
) -> None:
    focuser.move_gate.close()
    assert program.put("move", Position=100).error == 0
    late = dial(server)
    late.send(sent(b"Content-Length: 10\r\n\r\nClient"))
    dial(server).wait_for("ismoving", False)
    assert focuser.named("stop")
    late.send(b"ID=7")
    assert late.answer().error == 0
    assert program.errors("ismoving", "position", "devicestate") == [0, 0, 0]


def test_a_halt_whose_body_never_comes_has_halted(serve: Any, dial: Any, focuser: Any) -> None:
    wire = dial(serve(patience_s=0.1))
    wire.send(sent(b"Content-Length: 10\r\n\r\n"))
    assert wire.answer().status == 408
    assert focuser.named("stop") == [("stop", "127.0.0.1")]


# Together with the stops of the panel


@pytest.mark.parametrize("failure", [None, HaltFailedError("standstill was not seen.")])
@pytest.mark.parametrize(("first", "others"), [(HALT, PRESS_STOP), (PRESS_STOP, HALT)])
def test_whoever_asks_while_one_is_under_way_shares_it(
    server: Any, dial: Any, program: Any, focuser: Any, first: bytes, others: bytes, failure: Any
) -> None:
    focuser.stop_gate.close()
    focuser.failures["stop"] = failure
    wires = [dial(server) for _ in range(21)]
    wires[0].send(first)
    wait_until(lambda: focuser.named("stop"))
    for wire in wires[1:]:
        wire.send(others)
    wait_until(lambda: len(focuser.stops_asked_by) == len(wires))
    focuser.stop_gate.open()
    answers = [wire.answer().json for wire in wires]
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
    pressed = [answer["code"] for answer in answers if "code" in answer]
    halted = [answer["ErrorNumber"] for answer in answers if "ErrorNumber" in answer]
    assert sorted((len(pressed), len(halted))) == [1, 20]
    assert set(pressed) == {failure.code if failure else ""}
    assert set(halted) == {0x535 if failure else 0}


def test_a_stop_of_the_panel_waits_for_nothing_that_others_have_begun(
    server: Any, dial: Any, focuser: Any
) -> None:
    """Connections of programs, commands of the panel: as many as may wait, and more."""
    focuser.snapshot = Snapshot()
    focuser.initialize_gate.close()
    wires = [dial(server) for _ in range(20)]
    for number, wire in enumerate(wires):
        wire.send(CONNECTED if number % 2 else request("POST", "/panel/initialize", {"resume": False}))
    wait_until(lambda: len(focuser.named("initialize")) >= 4)
    assert dial(server).post("stop").json["done"] is True
    assert focuser.named("stop") == [("stop", "127.0.0.1")]
