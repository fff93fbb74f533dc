"""The observatory's log server may be there, dead, deaf or slow: the focuser does not care."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import Any, Callable

import Pyro4
import pytest

Background = Callable[..., "Future[Any]"]

# What rockit.common grants a log server, for each message. A daemon that waited for it would show.
PATIENCE_S = 5.0


@Pyro4.expose
class LogServer:
    """What a site registers as `observatory_log`."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def log_info(self, table: str, message: str) -> None:
        self.lines.append(("info", table, message))

    def log_warning(self, table: str, message: str) -> None:
        self.lines.append(("warning", table, message))

    def log_error(self, table: str, message: str) -> None:
        self.lines.append(("error", table, message))

    def has(self, level: str, text: str) -> bool:
        return any(line[0] == level and text in line[2] for line in self.lines)


def site_with_log_at(port: int) -> dict[str, Any]:
    return {"daemons": {"observatory_log": {"name": "log_server", "machine": "LocalHost", "port": port}}}


@pytest.fixture
def log_server() -> Iterator[tuple[LogServer, int]]:
    served, server = LogServer(), Pyro4.Daemon("127.0.0.1", 0)
    server.register(served, "log_server")
    thread = threading.Thread(target=server.requestLoop)
    thread.start()
    yield served, server.sock.getsockname()[1]
    server.shutdown()
    thread.join()


def test_events_reach_the_observatory_log(
    make_daemon: Any, log_server: tuple[LogServer, int], background: Background
) -> None:
    served, port = log_server
    daemon = make_daemon(site=site_with_log_at(port), speed_mm_sec=0.05).start()
    assert daemon.call("initialize") == 0
    move = background(daemon.call, "set_focus", 5.0)
    daemon.wait_for_leg("overshoot")
    assert daemon.call("stop") == 0
    assert move.result() == 1
    daemon.tell("hang-up")
    daemon.wait_for(lambda report: report["status"] == 0, "OFFLINE")
    daemon.tell("return")
    daemon.tell("hand 0.2")
    assert daemon.call("initialize") == 0
    assert daemon.call("shutdown") == 0
    daemon.end()
    for level, text in [
        ("info", "connected to sim://"),
        ("info", "homed"),
        ("info", "stopped by 127.0.0.1"),
        ("error", "fault"),
        ("info", "disconnected"),
    ]:
        assert served.has(level, text), (text, served.lines)
    assert {table for _, table, _ in served.lines} == {"focusd@system_test"}


def test_each_message_is_on_the_daemon_s_output_once(make_daemon: Any, log_server: Any) -> None:
    daemon = make_daemon(site=site_with_log_at(log_server[1])).start()
    assert daemon.call("initialize") == 0
    assert daemon.call("shutdown") == 0
    daemon.end()
    assert daemon.log.count("homed: the focuser stands") == 1
    assert daemon.log.count(" connected to sim://") == 1


@contextmanager
def dead() -> Iterator[int]:
    """Nothing listens."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


@contextmanager
def deaf() -> Iterator[int]:
    """It takes connections and never says anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@contextmanager
def away() -> Iterator[int]:
    """No connection is ever completed, as with a machine that is off."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for filler in fillers:
            filler.close()


def test_a_log_server_that_does_not_answer_delays_nothing(make_daemon: Any, background: Background) -> None:
    with dead() as dead_port, deaf() as deaf_port, away() as away_port:
        ports = {"dead": dead_port, "deaf": deaf_port, "away": away_port}
        daemons = {
            kind: make_daemon(site=site_with_log_at(port), speed_mm_sec=0.1) for kind, port in ports.items()
        }
        nights = {kind: background(short_night, daemon, background) for kind, daemon in daemons.items()}
        failures = {kind: each.exception() for kind, each in nights.items() if each.exception()}
    assert not failures


def short_night(daemon: Any, background: Background) -> None:
    """With several messages for the log, each of which may take it five seconds."""
    daemon.start()
    began_s = time.monotonic()
    assert daemon.call("initialize") == 0
    move = background(daemon.call, "set_focus", 5.0)
    daemon.wait_for_leg("overshoot")
    assert daemon.call("stop") == 0
    assert move.result() == 1
    assert daemon.call("shutdown") == 0
    daemon.end()
    assert time.monotonic() - began_s < 2 * PATIENCE_S
