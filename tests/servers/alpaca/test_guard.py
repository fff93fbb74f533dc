"""What clients may do to the connections: halves, sizes, floods, and answers that nobody takes."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.http.admission import MANNER
from rockit.focuser.ok3z.servers.http.framing import MAX_BODY_BYTES, MAX_CONTROL_HEAD_BYTES
from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.web import WebServer

NAME = b"GET /api/v1/focuser/0/name HTTP/1.1\r\nHost: localhost\r\n\r\n"
MOVE = b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nContent-Length: 21\r\n\r\nPosition=5&ClientID=7"
CONNECTED = (
    b"PUT /api/v1/focuser/0/connected HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\nConnected=True"
)


def test_a_connection_is_kept_for_the_next_request(wire: Any) -> None:
    assert [wire.get("name").error for _ in range(300)] == [0] * 300


def test_requests_that_come_at_once_are_answered_in_their_order(wire: Any) -> None:
    numbers = range(1, 41)
    wire.send(b"".join(NAME.replace(b"name", b"name?ClientTransactionID=%d" % n) for n in numbers))
    assert [wire.answer().json["ClientTransactionID"] for _ in numbers] == list(numbers)


def test_a_request_may_come_in_pieces(program: Any, focuser: Any) -> None:
    for cut in (1, 10, MOVE.index(b"\r\n\r\n") + 2, MOVE.index(b"\r\n\r\n") + 4, len(MOVE) - 1):
        program.send(MOVE[:cut])
        # The pieces come one by one, for others are answered in between.
        program.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        program.send(MOVE[cut:])
        assert program.answer().error == 0
    for n in range(len(MOVE)):
        program.send(MOVE[n : n + 1])
    assert program.answer().error == 0
    assert len(focuser.named("move")) == 6


def test_a_client_may_wait_to_be_asked_for_the_body(wire: Any) -> None:
    head, body = MOVE.split(b"\r\n\r\n")
    wire.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(body)
    assert wire.answer().error == 0x407


UNWANTED = pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"PUT /api/v1/focuser/0/name", 405),
        (b"POST /api/v1/focuser/0/name", 405),
        (b"PUT /api/v1/focuser/0/nothing", 404),
        (b"PUT /management/apiversions", 405),
        (b"POST /nothing", 404),
        (b"GET /api/v1/focuser/0/name", 200),
        (b"POST /panel/stop", 200),
    ],
)


@UNWANTED
def test_a_connection_outlives_a_body_that_nobody_waited_for(wire: Any, line: bytes, status: int) -> None:
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for size in (1, 10, MAX_BODY_BYTES):
        wire.send(line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
        assert wire.answer().status == status
        wire.send(b"G" * (size // 2))
        wire.send(b"G" * (size - size // 2) + NAME)
        assert wire.answer().error == 0


@UNWANTED
def test_who_waits_to_be_asked_for_a_body_that_nobody_wants_is_not_left_waiting(
    wire: Any, line: bytes, status: int
) -> None:
    wire.send(line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
    assert wire.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert wire.answer().status == status
    wire.send(b"ClientID=1" + NAME)
    assert wire.answer().error == 0


@UNWANTED
def test_a_body_that_nobody_waited_for_and_that_never_comes_is_given_up(
    serve: Any, dial: Any, line: bytes, status: int
) -> None:
    wire = dial(serve(patience_s=0.1))
    wire.send(line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nClientID=")
    assert wire.answer().status == status
    assert wire.hung_up()


@UNWANTED
@pytest.mark.parametrize("body", [b"", b"ClientID=1"])
def test_who_wants_no_more_is_hung_up_on_though_nobody_waited_for_the_body(
    serve: Any, dial: Any, line: bytes, status: int, body: bytes
) -> None:
    wire = dial(serve(patience_s=0.1 if not body else 5.0))
    wire.send(line + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
    assert wire.answer().status == status
    wire.send(body)
    assert wire.hung_up()


@pytest.mark.parametrize("ending", [b"Connection: close\r\n", b""])
def test_who_wants_no_more_is_hung_up_on_after_the_answer(wire: Any, ending: bytes) -> None:
    wire.send(NAME[:-2] + ending + b"\r\n")
    if not ending:
        wire.socket.shutdown(socket.SHUT_WR)
    assert wire.answer().error == 0
    assert wire.hung_up()


def test_nothing_is_upgraded_to_and_nothing_may_follow(wire: Any) -> None:
    wire.send(NAME[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + NAME)
    assert wire.answer().error == 0
    assert wire.hung_up()


# Halves


@pytest.mark.parametrize(
    "half", [NAME[:5], NAME[:-2], MOVE[:-1], MOVE[: MOVE.index(b"\r\n\r\n") + 4], b"\r\n\r\nG"]
)
def test_half_a_request_is_waited_for_for_so_long(serve: Any, dial: Any, half: bytes) -> None:
    server = serve(patience_s=0.1)
    halves = [dial(server) for _ in range(20)]
    for wire in halves:
        wire.send(half)
    assert dial(server).get("name").error == 0
    for wire in halves:
        assert wire.answer().status == 408
        assert wire.hung_up()


def test_a_byte_now_and_then_wins_no_time(serve: Any, dial: Any, until: Any) -> None:
    wire = dial(serve(patience_s=0.3))
    wire.socket.setblocking(False)
    drip = iter(b"GET /" + b"a" * 5000)
    said = []

    def has_said() -> bool:
        try:
            wire.socket.send(bytes([next(drip)]))
            said.append(wire.socket.recv(1000))
        except BlockingIOError:
            return False
        return True

    until(has_said)
    assert said[0].startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("first", [b"", NAME])
def test_silence_is_listened_to_for_so_long(serve: Any, dial: Any, first: bytes) -> None:
    wire = dial(serve(patience_s=0.1, idle_s=0.2))
    wire.send(first)
    if first:
        wire.answer()
    assert wire.hung_up()


def test_a_command_that_takes_longer_is_no_half_request(
    serve: Any, dial: Any, focuser: Any, until: Any
) -> None:
    server = serve(patience_s=0.05, idle_s=0.05)
    focuser.lose_link()
    focuser.initialise_gate.clear()
    wire, half = dial(server), dial(server)
    wire.send(CONNECTED)
    until(lambda: focuser.named("initialize"))
    half.send(b"G")
    assert half.answer().status == 408
    focuser.initialise_gate.set()
    assert wire.answer().error == 0


def test_half_a_request_behind_a_whole_one_is_no_way_round(serve: Any, dial: Any) -> None:
    wire = dial(serve(patience_s=0.1))
    wire.send(NAME + NAME[:20])
    assert wire.answer().error == 0
    assert wire.answer().status == 408


# Sizes


TOO_LARGE = [
    b"GET /" + b"a" * MAX_CONTROL_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    NAME[:-2] + b"A: " + b"a" * MAX_CONTROL_HEAD_BYTES + b"\r\n\r\n",
    NAME[:-2] + b"A: a\r\n" * 6000 + b"\r\n",
    b"a" * 100_000,
]


@pytest.mark.parametrize("request_of", TOO_LARGE)
def test_a_head_that_is_too_large_is_refused(wire: Any, request_of: bytes) -> None:
    wire.send(request_of)
    answer = wire.answer()
    assert answer.status == 431
    assert b"delete the cookies of this address" in answer.body


@pytest.mark.parametrize("cookies", [[9000], [32000], [4000] * 8, [1] * 2500])
@pytest.mark.parametrize("line", [b"GET /api/v1/focuser/0/name", b"PUT /api/v1/focuser/0/halt"])
def test_the_cookies_of_other_servers_are_no_trouble_to_who_may_control(
    wire: Any, stranger: Any, line: bytes, cookies: list[int]
) -> None:
    lines = b"".join(b"Cookie: a=" + b"b" * size + b"\r\n" for size in cookies)
    request = line + b" HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n"
    wire.send(request)
    assert wire.answer().status == 200
    stranger.send(request)
    assert stranger.answer().status == 431


def test_a_body_that_is_too_large_is_refused_before_it_comes(wire: Any) -> None:
    wire.send(
        b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        % (MAX_BODY_BYTES + 1)
    )
    assert wire.answer().status == 413


def test_the_largest_body_is_read(program: Any) -> None:
    body = "Position=5&ClientID=7&x="
    assert program.ask("PUT", "/api/v1/focuser/0/move", body.ljust(MAX_BODY_BYTES, "x")).error == 0


def test_who_sends_far_ahead_is_hung_up_on(serve: Any, dial: Any, focuser: Any) -> None:
    server = serve()
    focuser.lose_link()
    focuser.initialise_gate.clear()
    wire = dial(server)
    wire.send(CONNECTED + NAME * 1000)
    assert wire.hung_up()
    assert dial(server).get("name").error == 0


def test_answers_that_nobody_takes_hold_up_nobody(serve: Any, dial: Any, until: Any) -> None:
    server = serve(patience_s=0.3)
    greedy = dial(server)
    greedy.socket.setblocking(False)

    def is_hung_up() -> bool:
        try:
            greedy.socket.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        except BlockingIOError:
            return bool(dial(server).get("name").error)
        except ConnectionError:
            return True
        return False

    until(is_hung_up)
    assert dial(server).get("name").error == 0


def test_closing_ends_every_connection(serve: Any, dial: Any, focuser: Any, until: Any) -> None:
    server = serve()
    focuser.lose_link()
    focuser.initialise_gate.clear()
    idle, half, busy = (dial(server) for _ in range(3))
    idle.get("name")
    half.send(NAME[:9])
    busy.send(CONNECTED)
    until(lambda: focuser.named("initialize"))
    server.close()
    assert not server.lives()
    assert [wire.hung_up() for wire in (idle, half, busy)] == [True] * 3


def test_it_can_be_closed_before_it_was_started(focuser: Any) -> None:
    WebServer(listen("127.0.0.1", 0, MANNER), focuser, [], "dome_focuser", 6.0).close()


def test_an_answer_that_comes_after_its_request_was_given_up_does_no_harm(
    serve: Any, dial: Any, focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # The panel stops without waiting for the body.
    server = serve(patience_s=0.1)
    focuser.stop_gate.clear()
    wire = dial(server)
    wire.send(b"POST /panel/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{")
    assert wire.answer().status == 408
    focuser.stop_gate.set()
    assert dial(server).get("name").error == 0
    while wire.socket.recv(1000):
        pass
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
