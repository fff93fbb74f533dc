"""A thread of the Alpaca port that dies leaves nobody waiting."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.http.admission import Admission
from rockit.focuser.ok3z.servers.net.listener import stop_listening


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.ERROR]


def test_clients_are_hung_up_on_and_refused_and_it_is_said_once(
    serve: Any, dial: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    wire = dial(server)
    assert wire.get("name").error == 0
    port = server.port

    def blunder() -> None:
        raise SystemExit

    server._loop.call_soon_threadsafe(blunder)
    until(lambda: not server.lives())
    assert wire.hung_up()
    with pytest.raises(ConnectionRefusedError):
        wire.__class__(port)
    (said,) = errors(caplog)
    assert "not served any more" in said


def test_it_is_the_same_where_it_dies_before_it_serves(
    serve: Any, dial: Any, until: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ports = []

    def blunder(guard: Any) -> None:
        ports.append(guard._listener.getsockname()[1])
        raise ZeroDivisionError

    monkeypatch.setattr(Admission, "open", blunder)
    server = serve()
    until(lambda: not server.lives())
    with pytest.raises(ConnectionRefusedError):
        # A port that is not listened on is as good as none.
        dial(type("Port", (), {"port": ports[0]}))
    assert len(errors(caplog)) == 1


def test_an_end_that_was_asked_for_is_no_error(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = serve()
    server.close()
    assert errors(caplog) == []


def test_where_it_listens_no_more_those_inside_are_served(
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
