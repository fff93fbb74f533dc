"""What ends: clients that are gone as soon as they have spoken, the server, and its thread by a mistake."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.http.admission import MANNER, Admission
from rockit.focuser.ok3z.servers.net.listener import listen, stop_listening
from rockit.focuser.ok3z.servers.web import WebServer
from tests.support.http import CONNECTED, HALT, NAME, PRESS_STOP, STRANGER, request
from tests.support.waiting import wait_until


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


# Clients


@pytest.mark.parametrize(("source", "is_stopped"), [("127.0.0.1", True), (STRANGER, False)])
def test_a_stop_counts_though_the_system_has_forgotten_who_sent_it(
    server: Any, dial: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch, source: str, is_stopped: bool
) -> None:
    """As of a connection that was reset before it was looked at. A stranger is one all the same."""
    told = asyncio.BaseTransport.get_extra_info

    def forgetful(transport: Any, name: str, default: Any = None) -> Any:
        return default if name == "peername" else told(transport, name, default)

    monkeypatch.setattr(asyncio.BaseTransport, "get_extra_info", forgetful)
    for words in (HALT, PRESS_STOP):
        wire = dial(server, source=source)
        wire.send(words)
        wire.answer()
    assert focuser.named("stop") == [("stop", source)] * 2 * is_stopped


def test_an_answer_that_comes_after_its_request_was_given_up_does_no_harm(
    serve: Any, dial: Any, focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # The panel stops without waiting for the body.
    server = serve(patience_s=0.1)
    focuser.stop_gate.close()
    wire = dial(server)
    wire.send(request("POST", "/panel/stop", Content_Length="5") + b"{")
    assert wire.answer().status == 408
    focuser.stop_gate.open()
    assert dial(server).get("name").error == 0
    wire.rest()
    assert warnings(caplog) == []


# The server


def test_closing_ends_every_connection(
    serve: Any, dial: Any, focuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    focuser.lose_link()
    focuser.initialize_gate.close()
    idle, half, busy = (dial(server) for _ in range(3))
    idle.get("name")
    half.send(NAME[:9])
    busy.send(CONNECTED)
    wait_until(lambda: focuser.named("initialize"))
    server.close()
    assert not server.lives()
    assert [wire.hung_up() for wire in (idle, half, busy)] == [True] * 3
    assert warnings(caplog) == []


def test_it_can_be_closed_before_it_was_started(focuser: Any) -> None:
    WebServer(listen("127.0.0.1", 0, MANNER), focuser, [], "dome_focuser", 6.0).close()


def test_if_it_listens_no_more_those_inside_are_served(
    serve: Any, dial: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon ends: its port is a successor's already."""
    server = serve()
    wire = dial(server)
    assert wire.get("name").error == 0
    stop_listening(server._listener)
    with pytest.raises(ConnectionRefusedError):
        dial(server)
    assert wire.get("name").error == 0
    server.close()
    assert wire.hung_up()
    assert caplog.records == []


# Its thread


def test_clients_of_a_thread_that_dies_are_hung_up_on_and_refused_and_it_is_said_once(
    serve: Any, dial: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    wire = dial(server)
    assert wire.get("name").error == 0
    gone = SimpleNamespace(port=server.port)

    def blunder() -> None:
        raise SystemExit

    server._loop.call_soon_threadsafe(blunder)
    wait_until(lambda: not server.lives())
    assert wire.hung_up()
    with pytest.raises(ConnectionRefusedError):
        dial(gone)
    (said,) = warnings(caplog)
    assert "not served any more" in said


def test_it_is_the_same_if_it_dies_before_it_serves(
    serve: Any, dial: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ports = []

    def blunder(admission: Any) -> None:
        ports.append(admission._listener.getsockname()[1])
        raise ZeroDivisionError

    monkeypatch.setattr(Admission, "open", blunder)
    server = serve()
    wait_until(lambda: not server.lives())
    with pytest.raises(ConnectionRefusedError):
        dial(SimpleNamespace(port=ports[0]))
    assert len(warnings(caplog)) == 1
