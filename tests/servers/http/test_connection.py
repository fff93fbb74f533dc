"""What a connection does at moments that no client can choose. The rest is in test_admission."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.http.connection import Connection, RequestHandler

REQUEST = b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
PATIENCE_S, IDLE_S = 5.0, 180.0


class Rig(asyncio.Transport, RequestHandler):
    """Transport and handler of one connection: notes what comes in and what goes out."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0
        self.handed = b""
        self.out: list[object] = []
        self.is_gone = False
        self.connection = self.new_connection()
        self.connection.connection_made(self)

    def new_connection(self) -> Connection:
        return Connection(
            self, PATIENCE_S, IDLE_S, lambda: self.now_s, lambda: True, lambda _: self.out.append("lost")
        )

    def data_received(self, data: bytes) -> None:
        self.handed += data

    def write(self, data: Any) -> None:
        # The status.
        self.out.append(bytes(data)[9:12])

    def write_eof(self) -> None:
        if self.is_gone:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        self.out.append("eof")

    def is_closing(self) -> bool:
        return "abort" in self.out

    def abort(self) -> None:
        self.out.append("abort")

    def is_overdue_after(self, seconds: float) -> bool:
        """Whether it is overdue then, and was not just before."""
        assert not self.connection.is_overdue(self.now_s + seconds - 0.001)
        return self.connection.is_overdue(self.now_s + seconds)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_half_a_request_is_owed_from_its_first_byte() -> None:
    for cut in range(1, len(REQUEST)):
        rig = Rig()
        rig.connection.data_received(REQUEST)
        assert not rig.connection.is_overdue(rig.now_s + 1e9), "nothing is owed while it is answered"
        rig.connection.answered()
        assert rig.is_overdue_after(IDLE_S)
        rig.now_s += 60
        rig.connection.data_received(REQUEST[:1])
        rig.now_s += 2
        rig.connection.data_received(REQUEST[1:cut])
        assert rig.is_overdue_after(PATIENCE_S - 2), cut
        rig.connection.end_overdue()
        assert rig.out[0] == b"408", cut


def test_one_request_is_handed_over_at_a_time(rig: Rig) -> None:
    rig.connection.data_received(REQUEST * 3)
    counts = [rig.handed.count(b"PUT")]
    for _ in range(3):
        rig.connection.answered()
        counts.append(rig.handed.count(b"PUT"))
    assert counts == [1, 2, 3, 3]
    assert rig.handed == REQUEST * 3


def test_a_body_that_comes_after_the_answer_is_owed_and_then_it_may_be_silent_as_after_any(rig: Rig) -> None:
    rig.connection.data_received(REQUEST[:-2])
    rig.connection.answered()
    assert rig.connection.is_idle
    rig.now_s += 2
    rig.connection.data_received(REQUEST[-2:-1])
    assert rig.is_overdue_after(PATIENCE_S - 2)
    rig.connection.data_received(REQUEST[-1:])
    assert rig.is_overdue_after(IDLE_S)


def test_who_has_not_brought_its_body_is_not_listened_to_any_more(rig: Rig) -> None:
    rig.connection.data_received(REQUEST[:-1])
    rig.connection.answered()
    rig.connection.end_overdue()
    assert rig.out == ["eof"], "there was an answer already"
    rig.connection.data_received(REQUEST[-1:] + REQUEST)
    assert rig.handed == REQUEST[:-1]
    assert rig.is_overdue_after(PATIENCE_S)
    rig.connection.end_overdue()
    assert rig.out == ["eof", "abort"]


def test_an_answer_that_is_not_taken_is_owed(rig: Rig) -> None:
    rig.connection.data_received(REQUEST)
    rig.connection.pause_writing()
    rig.connection.resume_writing()
    assert not rig.connection.is_overdue(rig.now_s + 1e9)
    rig.connection.pause_writing()
    assert rig.is_overdue_after(PATIENCE_S)
    rig.connection.end_overdue()
    # What cannot be written cannot be said either.
    assert rig.out == ["abort"]


def test_who_was_refused_has_so_long_to_take_it(rig: Rig) -> None:
    rig.connection.data_received(b"nonsense\r\n\r\n" + REQUEST)
    rig.connection.data_received(REQUEST)
    assert (rig.out, rig.handed) == ([b"400", "eof"], b"")
    assert rig.is_overdue_after(PATIENCE_S)
    rig.connection.end_overdue()
    assert rig.out[2:] == ["abort"]


def test_who_has_gone_while_it_was_answered_is_no_trouble(rig: Rig) -> None:
    rig.connection.data_received(REQUEST)
    rig.connection.eof_received()
    rig.is_gone = True
    rig.connection.answered()
    assert "eof" not in rig.out
    assert rig.is_overdue_after(PATIENCE_S), "it is given up in time"
    rig.connection.connection_lost(None)
    assert rig.out == ["lost"]


def test_who_was_given_up_before_it_came_does_not_come(rig: Rig) -> None:
    late = rig.new_connection()
    late.abort()
    late.connection_made(rig)
    late.data_received(REQUEST)
    late.connection_lost(None)
    assert (rig.out, rig.handed) == (["abort", "lost"], b"")
