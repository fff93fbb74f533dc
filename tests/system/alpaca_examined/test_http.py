"""HTTP as clients speak it: one connection for many requests, whatever becomes of each of them."""

from __future__ import annotations

import socket
from typing import Any

import pytest

NAME = "/api/v1/focuser/0/name"
MANY = 300
BOUND_S = 20.0


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("GET", "/api/v1/focuser/0/nothing", None),
        ("PUT", "/api/v1/focuser/0/nothing", b"ClientID=1"),
        ("PUT", "/api/v1/focuser/0/nothing", b""),
        ("PUT", NAME, b"ClientID=1"),
        ("POST", NAME, b"ClientID=1"),
        ("PUT", "/api/v1/focuser/0/move", b"position=1"),
        ("PUT", "/api/v1/focuser/0/halt", b"ClientID=1"),
        ("GET", NAME, b"ClientID=1"),
        ("GET", "/", None),
        ("HEAD", NAME, None),
        ("OPTIONS", NAME, None),
    ],
)
def test_a_connection_outlives_what_is_refused(wire: Any, verb: str, path: str, body: bytes | None) -> None:
    for _ in range(MANY):
        assert wire.send(verb, path, body, {"Content-Type": "application/x-www-form-urlencoded"}).status < 500
        assert wire.send("GET", NAME).status == 200
    assert wire.given_up == 0


def test_header_and_body_may_come_in_any_number_of_pieces(served: Any) -> None:
    body = b"TempComp=False&ClientTransactionID=4711"
    request = (
        b"PUT /api/v1/focuser/0/tempcomp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
        b"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n%s"
    ) % (len(body), body)
    with socket.create_connection(("127.0.0.1", served.alpaca.port), BOUND_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in (len(request), 1):
            for begin in range(0, len(request), number):
                client.sendall(request[begin : begin + number])
            answer = client.recv(65536)
            while b"ErrorMessage" not in answer:
                answer += client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b'"ClientTransactionID": 4711' in answer or b'"ClientTransactionID":4711' in answer


def test_one_that_says_half_of_something_holds_up_nobody(served: Any, make_wire: Any) -> None:
    halves = (b"", b"G", b"GET / HTTP/1.1\r\n", b"PUT /api/v1/focuser/0/halt HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    clients = [
        socket.create_connection(("127.0.0.1", served.alpaca.port), BOUND_S)
        for _ in range(20)
        for _ in halves
    ]
    try:
        for number, client in enumerate(clients):
            client.sendall(halves[number % len(halves)])
        wire = make_wire(served)
        assert [wire.get("name").status for _ in range(20)] == [200] * 20
    finally:
        for client in clients:
            client.close()
