"""`sim://` behaves as pyserial's port on a real terminal: each test runs on both.

These tests use the machine's clock, because a terminal does, but wait for events and not for times.
"""

from __future__ import annotations

import errno
import os
import threading
import tty
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.simulator import VirtualOK3Z, registered
from tests.support.waiting import wait_until

REPLY = b"#S052 F abc$\n"
SHORT_S = 0.05


class OnTerminal:
    """pyserial's own port on a pseudo-terminal."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.url = os.ttyname(self._slave)
        self.is_up = True

    def deliver(self, _port: Any) -> None:
        os.write(self._master, REPLY)

    def hang_up(self) -> None:
        os.close(self._master)
        os.close(self._slave)
        self.is_up = False

    def close(self) -> None:
        if self.is_up:
            self.hang_up()


class OnSimulator:
    """The handler, with a model that answers at once."""

    def __init__(self) -> None:
        self._model = VirtualOK3Z(version="abc", baud_pacing=0)
        self._manager = registered("compared", self._model)
        self.url = self._manager.__enter__()

    def deliver(self, port: Any) -> None:
        port.write(b"#S051 F$\n")

    def hang_up(self) -> None:
        self._model.hang_up()

    def close(self) -> None:
        self._manager.__exit__(None, None, None)


@pytest.fixture(params=[OnTerminal, OnSimulator])
def line(request: pytest.FixtureRequest) -> Iterator[Any]:
    end = request.param()
    yield end
    end.close()


@pytest.fixture
def port(line: Any) -> Iterator[Any]:
    opened = serial.serial_for_url(line.url, baudrate=38400, timeout=SHORT_S, write_timeout=1, exclusive=True)
    yield opened
    opened.close()


def arrive(line: Any, port: Any) -> None:
    """A reply has come; a terminal hands it over some time after it was written."""
    before = port.in_waiting
    line.deliver(port)
    wait_until(lambda: port.in_waiting >= before + len(REPLY), "the reply")


def test_nothing_is_waiting_at_first(port: Any) -> None:
    assert port.in_waiting == 0
    assert port.read(10) == b""
    assert port.read(0) == b""
    assert port.read_all() == b""


def test_what_is_waiting_can_be_read_in_parts(line: Any, port: Any) -> None:
    arrive(line, port)

    assert port.read(3) == REPLY[:3]
    assert port.in_waiting == len(REPLY) - 3
    assert port.read(1000) == REPLY[3:]


def test_timeout_zero_gives_what_there_is(line: Any, port: Any) -> None:
    port.timeout = 0
    assert port.read(10) == b""

    arrive(line, port)

    assert port.read(1000) == REPLY


def test_read_until_and_readline_end_with_the_line(line: Any, port: Any) -> None:
    arrive(line, port)
    arrive(line, port)

    assert port.read_until(b"$") == REPLY[:-1]
    assert port.read(1) == b"\n"
    assert port.readline() == REPLY


def test_reset_input_buffer_forgets_what_arrived(line: Any, port: Any) -> None:
    arrive(line, port)

    port.reset_input_buffer()

    assert port.read(10) == b""


def test_write_says_how_much_it_took(port: Any) -> None:
    assert port.write(b"abc") == 3
    assert port.write(bytearray(b"ab")) == 2
    assert port.write(memoryview(b"a")) == 1
    assert port.write([1, 2, 3, 4]) == 4
    assert port.write(b"") == 0
    port.flush()
    assert port.out_waiting == 0


def test_write_refuses_text(port: Any) -> None:
    with pytest.raises(TypeError, match="unicode strings are not supported"):
        port.write("abc")


def test_cancelled_read_ends_and_the_next_one_reads(line: Any, port: Any) -> None:
    port.timeout = None
    port.cancel_read()
    line.deliver(port)

    assert port.read(5) == b""
    assert port.read(5) == REPLY[:5]


def test_read_without_timeout_can_be_cancelled_by_another_thread(port: Any) -> None:
    port.timeout = None
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(port.read(5)))
    reader.start()
    for _ in range(100):
        port.cancel_read()
        reader.join(SHORT_S)
        if not reader.is_alive():
            break

    assert got == [b""]


def test_read_without_timeout_waits_for_another_thread_to_bring_bytes(line: Any, port: Any) -> None:
    port.timeout = None
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(port.read(len(REPLY))))
    reader.start()

    line.deliver(port)
    reader.join(10)

    assert got == [REPLY]


def test_port_can_be_closed_and_opened_again(line: Any, port: Any) -> None:
    port.close()
    port.close()
    assert not port.is_open

    port.open()

    assert port.is_open
    line.deliver(port)
    assert port.read(len(REPLY)) == REPLY


def test_context_manager_opens_and_closes(line: Any) -> None:
    closed = serial.serial_for_url(line.url, baudrate=38400, do_not_open=True)
    assert not closed.is_open

    with closed as port:
        assert port.is_open

    assert not closed.is_open


def test_open_port_cannot_be_opened(port: Any) -> None:
    with pytest.raises(serial.SerialException, match="already open"):
        port.open()


def test_port_without_a_name_cannot_be_opened(port: Any) -> None:
    with pytest.raises(serial.SerialException, match="must be configured"):
        type(port)(None).open()


def test_second_open_is_refused_as_by_a_lock(line: Any, port: Any) -> None:
    with pytest.raises(serial.SerialException) as caught:
        serial.serial_for_url(line.url, baudrate=38400, exclusive=True)

    assert caught.value.errno == errno.EAGAIN
    port.close()
    serial.serial_for_url(line.url, baudrate=38400, exclusive=True).close()


def _set_timeout(port: Any) -> None:
    port.timeout = 1


USES: dict[str, Callable[[Any], Any]] = {
    "read": lambda port: port.read(1),
    "write": lambda port: port.write(b"x"),
    "flush": lambda port: port.flush(),
    "reset_input_buffer": lambda port: port.reset_input_buffer(),
    "reset_output_buffer": lambda port: port.reset_output_buffer(),
    "in_waiting": lambda port: port.in_waiting,
    "out_waiting": lambda port: port.out_waiting,
    "timeout": _set_timeout,
    "cts": lambda port: port.cts,
}


def test_closed_port_refuses(port: Any) -> None:
    port.close()
    for name in ("read", "write", "flush", "reset_input_buffer", "reset_output_buffer"):
        with pytest.raises(serial.SerialException, match="not open"):
            USES[name](port)
    port.cancel_read()
    port.cancel_write()


def _failure(end: Any, use: Callable[[Any], Any]) -> type[BaseException]:
    with serial.serial_for_url(end.url, baudrate=38400, timeout=SHORT_S) as port:
        end.hang_up()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is what is compared
            use(port)
        assert port.is_open
    end.close()
    return caught.type


def test_hang_up_fails_in_the_same_way_as_a_terminal_does() -> None:
    for name, use in USES.items():
        assert _failure(OnSimulator(), use) is _failure(OnTerminal(), use), name


def test_hang_up_ends_a_read_that_waits(line: Any, port: Any, ends_of_a_read: Any) -> None:
    assert len(ends_of_a_read(port, line.hang_up)) == 1


def test_port_that_hung_up_cannot_be_opened(line: Any) -> None:
    line.hang_up()

    with pytest.raises(serial.SerialException) as caught:
        serial.serial_for_url(line.url, baudrate=38400)
    assert caught.value.errno == errno.ENOENT
