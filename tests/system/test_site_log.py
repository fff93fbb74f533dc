"""The observatory's log server may be there, dead, deaf or slow: the focuser does not care."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, Callable

import Pyro4
import pytest

from tests.support.ports import free_port, port_of_a_machine_that_is_away

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
    assert daemon.log.count(" connected to sim://") == 2, "on its own output too, and each time once"


def test_a_log_server_that_does_not_answer_delays_nothing(make_daemon: Any, background: Background) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, port_of_a_machine_that_is_away() as away_port:
        # One where nobody listens, one that takes connections and says nothing, and one that does not even take them.
        ports = {"dead": free_port(), "deaf": server.getsockname()[1], "away": away_port}
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
