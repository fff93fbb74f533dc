"""A client that hangs up as soon as it has spoken: a stop is a stop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

HALT = b"PUT /api/v1/focuser/0/halt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
PRESS = b"POST /panel/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("words", [HALT, PRESS], ids=["halt", "panel"])
def test_a_stop_counts_though_the_system_has_forgotten_who_sent_it(
    words: bytes, server: Any, dial: Any, focuser: Any, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a connection that was reset before it was looked at."""
    told = asyncio.BaseTransport.get_extra_info

    def forgetful(transport: Any, name: str, default: Any = None) -> Any:
        return default if name == "peername" else told(transport, name, default)

    monkeypatch.setattr(asyncio.BaseTransport, "get_extra_info", forgetful)
    wire = dial(server)
    wire.send(words)
    answer = wire.answer()
    assert answer.status == 200
    assert focuser.named("stop") == [("stop", "127.0.0.1")], answer.body


def test_a_stranger_is_one_though_the_system_has_forgotten_who_it_is(
    server: Any, dial: Any, focuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.BaseTransport, "get_extra_info", lambda _, name, default=None: default)
    wire = dial(server, source="127.0.0.2")
    wire.send(HALT)
    assert wire.answer().error == 0x40B
    assert focuser.named("stop") == []
