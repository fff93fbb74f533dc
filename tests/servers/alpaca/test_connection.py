"""When a connection's client owes something, told by a clock of its own."""

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
        self.handed: list[bytes] = []
        self.out: list[object] = []
        self.is_gone = False
        self.connection = Connection(
            self, PATIENCE_S, IDLE_S, lambda: self.now_s, lambda: True, lambda _: self.out.append("lost")
        )
        self.connection.connection_made(self)

    def data_received(self, data: bytes) -> None:
        self.handed.append(data)

    def write(self, data: Any) -> None:
        self.out.append(bytes(data))

    def write_eof(self) -> None:
        if self.is_gone:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        self.out.append("eof")

    def is_closing(self) -> bool:
        return "abort" in self.out

    def abort(self) -> None:
        self.out.append("abort")

    def overdue_after(self, seconds: float) -> bool:
        """Whether it is overdue then, and was not just before."""
        assert not self.connection.is_overdue(self.now_s + seconds - 0.001)
        return self.connection.is_overdue(self.now_s + seconds)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_newcomer_owes_its_request(rig: Rig) -> None:
    assert rig.overdue_after(PATIENCE_S)
    rig.now_s += PATIENCE_S
    rig.connection.end_overdue()
    assert rig.out == ["abort"]


@pytest.mark.parametrize("cut", range(1, len(REQUEST)))
def test_half_a_request_is_owed_from_its_first_byte(rig: Rig, cut: int) -> None:
    rig.connection.data_received(REQUEST)
    rig.connection.answered()
    rig.now_s += 60
    rig.connection.data_received(REQUEST[:1])
    rig.now_s += 2
    rig.connection.data_received(REQUEST[1:cut])
    assert rig.overdue_after(PATIENCE_S - 2)
    rig.connection.end_overdue()
    assert bytes(rig.out[0]).startswith(b"HTTP/1.1 408 ")  # type: ignore[call-overload]


def test_nothing_is_owed_while_a_whole_request_is_answered(rig: Rig) -> None:
    rig.connection.data_received(REQUEST)
    assert not rig.connection.is_overdue(rig.now_s + 1e9)
    assert not rig.connection.is_idle
    rig.connection.answered()
    assert rig.overdue_after(IDLE_S)
    assert rig.connection.is_idle


def test_one_request_is_handed_over_at_a_time(rig: Rig) -> None:
    rig.connection.data_received(REQUEST * 3)
    counts = [b"".join(rig.handed).count(b"PUT")]
    for _ in range(3):
        rig.connection.answered()
        counts.append(b"".join(rig.handed).count(b"PUT"))
    assert counts == [1, 2, 3, 3]
    assert b"".join(rig.handed) == REQUEST * 3


@pytest.mark.parametrize("cut", range(len(REQUEST) - 3, len(REQUEST)))
def test_a_body_may_come_after_the_answer_and_the_next_request_right_behind(rig: Rig, cut: int) -> None:
    rig.connection.data_received(REQUEST[:cut])
    rig.connection.answered()
    assert rig.connection.is_idle
    for end in range(cut + 1, len(REQUEST)):
        rig.connection.data_received(REQUEST[end - 1 : end])
    rig.connection.data_received(REQUEST[-1:] + REQUEST)
    assert b"".join(rig.handed) == REQUEST * 2
    assert not rig.connection.is_idle
    rig.connection.answered()
    assert rig.overdue_after(IDLE_S)
    assert rig.out == []


def test_after_a_late_body_it_may_be_silent_as_after_any(rig: Rig) -> None:
    rig.connection.data_received(REQUEST[:-1])
    rig.connection.answered()
    rig.connection.data_received(REQUEST[-1:])
    assert rig.overdue_after(IDLE_S)


def test_a_body_that_does_not_come_after_the_answer_ends_the_connection_without_another(rig: Rig) -> None:
    rig.connection.data_received(REQUEST[:-3])
    rig.connection.answered()
    rig.now_s += 2
    rig.connection.data_received(REQUEST[-3:-1])
    assert rig.overdue_after(PATIENCE_S - 2)
    rig.connection.end_overdue()
    assert rig.out == ["eof"]
    rig.connection.data_received(REQUEST[-1:] + REQUEST)
    assert b"".join(rig.handed) == REQUEST[:-1]
    assert rig.overdue_after(PATIENCE_S)
    rig.connection.end_overdue()
    assert rig.out == ["eof", "abort"]


def test_an_answer_that_is_not_taken_is_owed(rig: Rig) -> None:
    rig.connection.data_received(REQUEST)
    rig.connection.pause_writing()
    assert rig.overdue_after(PATIENCE_S)
    rig.connection.end_overdue()
    # What cannot be written cannot be said either.
    assert rig.out == ["abort"]


def test_an_answer_that_is_taken_is_not_owed_any_more(rig: Rig) -> None:
    rig.connection.data_received(REQUEST)
    rig.connection.pause_writing()
    rig.connection.resume_writing()
    assert not rig.connection.is_overdue(rig.now_s + 1e9)


def test_who_was_refused_has_so_long_to_take_it(rig: Rig) -> None:
    rig.connection.data_received(b"nonsense\r\n\r\n" + REQUEST)
    assert bytes(rig.out[0]).startswith(b"HTTP/1.1 400 ")  # type: ignore[call-overload]
    assert rig.out[1:] == ["eof"]
    rig.connection.data_received(REQUEST)
    assert rig.handed == []
    assert rig.overdue_after(PATIENCE_S)
    rig.connection.end_overdue()
    assert rig.out[2:] == ["abort"]


def test_who_has_gone_while_it_was_answered_is_no_trouble(rig: Rig) -> None:
    rig.connection.data_received(REQUEST)
    rig.connection.eof_received()
    rig.is_gone = True
    rig.connection.answered()
    assert "eof" not in rig.out
    assert rig.overdue_after(PATIENCE_S), "it is given up in time"


def test_who_was_given_up_before_it_came_does_not_come() -> None:
    rig = Rig()
    late = Connection(rig, PATIENCE_S, IDLE_S, lambda: 100.0, lambda: True, lambda _: rig.out.append("gone"))
    late.abort()
    late.connection_made(rig)
    late.data_received(REQUEST)
    late.connection_lost(None)
    assert (rig.out, rig.handed) == (["abort", "gone"], [])


def test_the_end_is_told_to_both(rig: Rig) -> None:
    rig.connection.connection_lost(None)
    assert rig.out == ["lost"]
