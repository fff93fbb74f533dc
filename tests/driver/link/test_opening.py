"""Opening the serial port: for this process alone, and with advice for a tired human where that fails."""

from __future__ import annotations

import errno
import os
import pty
import socket
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.driver import protocol
from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import READ_SLICE_S, WRITE_TIMEOUT_S, device_at, open_link
from rockit.focuser.ok3z.errors import PortUnavailableError


@pytest.fixture(name="terminal")
def fixture_terminal() -> Iterator[str]:
    """A pseudo-terminal, which is as good as a serial port here."""
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def refusal(url: str) -> str:
    with pytest.raises(PortUnavailableError) as caught:
        open_link(url, 38400, SystemClock())
    message, public = str(caught.value), caught.value.reason
    assert public.startswith("the serial port cannot be opened")
    assert not url or url not in public, "everybody may read the status"
    # With two ports on a machine the log must say which.
    assert message.startswith(f"the serial port cannot be opened: {url}: ")
    assert not url or message.count(url) == 1, "and it says it once"
    assert "\n" not in message
    return message


def test_a_port_is_opened_for_this_process_alone(terminal: str) -> None:
    link = open_link(terminal, 38400, SystemClock())
    try:
        assert "Another process holds it: end that one first" in refusal(terminal)
    finally:
        link.close()
    open_link(terminal, 38400, SystemClock()).close()


def test_a_port_is_opened_with_the_settings_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = []
    serial_for_url = serial.serial_for_url

    def recorded(*args: Any, **kwargs: Any) -> Any:
        ports.append(serial_for_url(*args, **kwargs))
        return ports[-1]

    monkeypatch.setattr(serial, "serial_for_url", recorded)
    link = open_link("loop://", 38400, SystemClock())
    settings = ports[0].get_settings()
    assert settings == {
        "baudrate": 38400,
        "bytesize": 8,
        "parity": "N",
        "stopbits": 1,
        "xonxoff": False,
        "rtscts": False,
        "dsrdtr": False,
        "timeout": READ_SLICE_S,
        "write_timeout": WRITE_TIMEOUT_S,
        "inter_byte_timeout": None,
    }
    assert ports[0].exclusive is True
    assert ports[0].is_open
    link.close()
    assert not ports[0].is_open


def test_a_device_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert "There is no such device: is the adapter plugged in, and the udev rule installed?" in refusal(
        str(tmp_path / "focuser")
    )


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOENT, "is the adapter plugged in"),
        (errno.EACCES, "This user may not open it: it must be in the group of the device"),
        (errno.EAGAIN, "Another process holds it"),
        (errno.EBUSY, "Another process holds it"),
        (errno.ENOTTY, "It is no serial port"),
        (errno.EIO, "Look at serial_port in the configuration."),
    ],
)
@pytest.mark.parametrize("kind", [OSError, serial.SerialException, termios.error])
def test_the_advice_follows_from_what_the_system_said(
    number: int, advice: str, kind: Callable[[int, str], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise kind(number, os.strerror(number))

    monkeypatch.setattr(serial.Serial, "open", refuse)
    assert advice in refusal("/dev/focuser")


@pytest.mark.parametrize("scheme", ["rfc2217", "RFC2217", "Rfc2217", "SOCKET"])
def test_a_scheme_may_be_written_in_any_case(scheme: str) -> None:
    """What a server that is not there refuses is the connection, and not a setting of the port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        assert "refused" in refusal(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")


def test_a_file_that_is_no_serial_port_says_so(tmp_path: Path) -> None:
    path = tmp_path / "focuser"
    path.touch()
    assert "It is no serial port: look at serial_port in the configuration." in refusal(str(path))


def test_a_server_that_is_not_there_says_what_to_look_at() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    message = refusal(f"socket://127.0.0.1:{port}")
    assert "refused" in message
    assert "Look at serial_port in the configuration." in message


@pytest.mark.parametrize(
    "url",
    [
        "nonsense://",
        "socket://",
        "socket://127.0.0.1",
        "socket://127.0.0.1:99999",
        "socket://?x=1",
        "loop://?x=1",
        "/",
    ],
)
def test_a_url_that_is_none_says_what_to_look_at(url: str) -> None:
    assert "look at serial_port in the configuration" in refusal(url).lower()


def test_an_empty_url_says_what_to_look_at() -> None:
    for url in ("", "spy://"):
        assert "There is no such device" in refusal(url)


def test_a_link_speaks_through_a_real_port(terminal: str) -> None:
    link = open_link(terminal, 38400, SystemClock())
    link.send(protocol.go_to(-1234))
    link.close()


# What a path leads to


def test_a_device_that_comes_back_is_told_from_the_one_before_and_from_none(tmp_path: Path) -> None:
    path = tmp_path / "focuser"
    assert device_at(str(path)) is None
    node = tmp_path / "ttyUSB0"
    node.touch(0o600)
    path.symlink_to(node)
    first = device_at(str(path))
    assert first is not None
    assert device_at(str(path)) == first
    node.write_text("what passes over it makes it no other")
    assert device_at(str(path)) == first
    (tmp_path / "ttyUSB1").touch(0o600)
    path.unlink()
    path.symlink_to(tmp_path / "ttyUSB1")
    second = device_at(str(path))
    assert second not in (None, first)
    (tmp_path / "ttyUSB1").chmod(0o660)
    assert device_at(str(path)) not in (None, second), "udev gives it to its group a little later"


@pytest.mark.parametrize("url", ["", "sim://", "socket://localhost:9", "no\0path"])
def test_a_url_leads_to_no_device(url: str) -> None:
    assert device_at(url) is None
