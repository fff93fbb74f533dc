"""A serial server that says why, and hangs up: its words stand in the message, for those who may control."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import MAX_LAST_WORDS, open_link
from rockit.focuser.ok3z.driver.protocol import IDENTIFY, MOTION_STATE
from rockit.focuser.ok3z.errors import FocuserError, LinkLostError, whole

MakeLine = Callable[..., Any]
IN_USE = b"Port already in use\r\n"


@pytest.fixture(name="server")
def fixture_server() -> Iterator[Callable[[bytes], int]]:
    """Starts servers that say something to whoever comes, and hang up."""
    listeners, threads = [], []

    def start(words: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            client, _ = listener.accept()
            client.sendall(words)
            client.close()

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


def refusal(url: str) -> FocuserError:
    """Why a controller behind this port cannot be asked."""
    with pytest.raises(FocuserError) as caught:
        ask_for_ever(url)
    return caught.value


def ask_for_ever(url: str) -> None:
    link = open_link(url, 38400, SystemClock())
    try:
        while True:
            link.exchange(IDENTIFY, 10.0, lambda: None)
    finally:
        link.close()


# pyserial's client for rfc2217:// waits 3 s for an agreement, whatever became of the server.
@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
# One that was hung up on leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_the_words_of_a_server_that_hangs_up_are_told_to_those_who_may_control(
    scheme: str, server: Callable[[bytes], int]
) -> None:
    error = refusal(f"{scheme}://127.0.0.1:{server(IN_USE)}")
    assert 'It said "Port already in use" and hung up.' in str(error)
    assert 'It said "Port already in use" and hung up.' in whole(error.reason)
    assert "in use" not in error.reason, "everybody may read the status"


def hung_up(line: Any) -> LinkLostError:
    line.port.failing["read"] = serial.SerialException("socket disconnected")
    with pytest.raises(LinkLostError) as caught:
        line.ask(MOTION_STATE)
    return caught.value


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"no line end", '"no line end"'),
        (b"several\r\n\r\nlines\r\n", '"several lines"'),
        (b"\x1b[31m\xff\x00red\x07\n", '"[31m? red"'),
        (b"x" * 1000, f'"{"x" * MAX_LAST_WORDS}"'),
    ],
)
def test_they_are_printable_and_short(words: bytes, told: str, make_line: MakeLine) -> None:
    line = make_line()
    line.port.let_come(words)
    line.link._drain()
    assert f"It said {told} and hung up." in str(hung_up(line))


def test_a_port_that_said_nothing_is_not_quoted(make_line: MakeLine) -> None:
    assert "It said" not in str(hung_up(make_line()))
    line = make_line()
    line.port.let_come(b"\r\n \x00 \r\n")
    line.link._drain()
    assert "It said" not in str(hung_up(line))


def test_noise_before_an_answer_is_no_last_word(make_line: MakeLine) -> None:
    line = make_line()
    line.port.let_come(b"noise of an hour ago\n")
    line.ask(MOTION_STATE)
    assert "It said" not in str(hung_up(line))
