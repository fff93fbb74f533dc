"""How many connections there may be, and which of them gives way."""

from __future__ import annotations

import errno
import resource
import socket
import threading
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.pyro import MAX_CONNECTIONS, pool
from tests.support.waiting import BOUND_S, wait_until

CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def small_room(monkeypatch: pytest.MonkeyPatch) -> int:
    """Room for so many connections of either sort."""
    monkeypatch.setattr(pool, "MAX_CONNECTIONS", 8)
    return 4


@pytest.mark.parametrize("source", [CONTROL_IP, STRANGER_IP])
def test_who_says_nothing_gives_way_first(small_room: int, served: Any, source: str) -> None:
    greeted = served.greeted(source)
    silent = [served.connect(source) for _ in range(small_room - 1)]
    assert served.ask(source) == {"calls": 0}
    assert silent[0].is_hung_up_on()
    assert [client.is_open() for client in (greeted, *silent[1:])] == [True] * (small_room - 1)


@pytest.mark.parametrize("source", [CONTROL_IP, STRANGER_IP])
def test_then_who_was_not_heard_for_longest(small_room: int, served: Any, source: str) -> None:
    held = [served.greeted(source) for _ in range(small_room)]
    assert held[0].call("report") == {"calls": 0}
    served.greeted(source)
    assert held[1].is_hung_up_on()
    assert [client.is_open() for client in (held[0], *held[2:])] == [True] * (small_room - 1)


@pytest.mark.parametrize("source", [CONTROL_IP, STRANGER_IP])
def test_who_has_only_just_come_stays(small_room: int, served: Any, source: str) -> None:
    """It may bring a stop, and another one comes before it has greeted."""
    held = [served.greeted(source) for _ in range(small_room)]
    newcomers = [served.connect(source) for _ in range(small_room // 2)]
    assert served.ask(source) == {"calls": 0}
    assert [client.is_open() for client in newcomers] == [True] * len(newcomers)
    assert [client.is_hung_up_on() for client in held[:-1]] == [True] * (small_room - 1)
    assert held[-1].is_open()


def test_who_waits_for_a_call_never_gives_way(small_room: int, served: Any, say: Any) -> None:
    waiting = [served.greeted() for _ in range(small_room)]
    for client in waiting[:-1]:
        client.send(say.call("wait"))
        assert served.target.waiting.acquire(timeout=BOUND_S)
    newcomer = served.greeted()
    assert waiting[-1].is_hung_up_on()
    newcomer.send(say.call("wait"))
    assert served.target.waiting.acquire(timeout=BOUND_S)
    assert served.connect().is_hung_up_on(), "there is no room, and nobody who could give way"
    served.target.go_on.open()
    assert [client.value() for client in (*waiting[:-1], newcomer)] == [0] * small_room
    assert served.ask() == {"calls": 4}


def test_strangers_take_no_room_of_those_who_may_control(small_room: int, served: Any) -> None:
    held = [served.greeted() for _ in range(small_room)]
    strangers = [served.connect(STRANGER_IP) for _ in range(10 * small_room)]
    assert served.ask(STRANGER_IP) == {"calls": 0}
    assert [client.call("stop") for client in held] == [0] * small_room
    assert sum(client.is_open() for client in strangers) <= small_room


def test_a_thousand_silent_connections_and_more_than_there_is_room_for(
    served: Any, caplog: pytest.LogCaptureFixture
) -> None:
    more, before = MAX_CONNECTIONS // 2 + 50, threading.active_count()
    silent = [served.connect() for _ in range(more)]
    assert served.proxy().stop() == 0
    assert served.ask(STRANGER_IP) == {"calls": 1}
    assert not silent[0].is_open()
    assert silent[-1].is_open()
    assert threading.active_count() <= before
    assert sum("gave way" in record.getMessage() for record in caplog.records) == 1


def test_connections_leave_low_file_numbers_free(served: Any) -> None:
    """pyserial asks select() about its port, and that takes no number beyond 1023."""
    clients = [served.greeted() for _ in range(3)]
    for held in served.server._rooms.values():
        for connection in held._greeted:
            assert connection.sock.fileno() >= pool.SELECT_LIMIT  # type: ignore[attr-defined]
    assert [client.call("stop") for client in clients] == [0] * 3


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "lowest"),
    [
        (1024, 500_000, 3000, 1024),
        (8192, 8192, 3000, 1024),
        (1024, 4096, 3000, 1024),
        (1024, 2048, 928, 0),
        (64, 256, 160, 0),
        (256, 256, 160, 0),
        (pool.LEAST_FILES, pool.LEAST_FILES, 48, 0),
    ],
)
def test_room_is_what_the_system_allows(
    soft: int, hard: int, connections: int, lowest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    assert pool.allowed_files() == pool.Files(connections, lowest)  # type: ignore[attr-defined]
    allowed = min(4024, hard)
    assert limits == ([(allowed, hard)] if soft < allowed else [])


def test_too_few_files_are_told_and_a_limit_that_may_be_raised_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    for most in (40, pool.LEAST_FILES - 1):
        monkeypatch.setattr(resource, "getrlimit", lambda _, most=most: (most, most))
        assert pool.why_too_few_files().startswith(f"this process may open {most} files, and it needs 144")
    assert limits == []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (40, 200))
    assert pool.why_too_few_files() == ""
    assert limits == [(pool.LEAST_FILES, 200)]


def test_without_high_file_numbers_it_serves_all_the_same(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert serve().proxy().stop() == 0


def test_it_goes_on_when_the_system_has_no_more_files(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = pool.Files.place  # type: ignore[attr-defined]
    refusals: list[bool] = []

    def sometimes(files: Any, sock: socket.socket) -> socket.socket:
        if refusals:
            refusals.pop()
            sock.close()
            raise OSError(errno.EMFILE, "Too many open files")
        return place(files, sock)

    held = served.greeted()
    monkeypatch.setattr(pool.Files, "place", sometimes)  # type: ignore[attr-defined]
    for count in (1, 2):
        refusals.append(True)
        assert served.connect().is_hung_up_on()
        assert held.call("stop") == 0
        # Whoever comes meanwhile waits, and is served.
        assert served.ask() == {"calls": count}
        wait_until(lambda: served.server._accept_again_s is None, "the end of the pause")
