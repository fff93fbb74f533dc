"""A port that fails while it is open is a lost link, whatever it raises and whenever."""

from __future__ import annotations

import errno
import os
import termios
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.driver.protocol import HALT, MOTION_STATE
from rockit.focuser.ok3z.errors import LinkLostError

MakeLine = Callable[..., Any]

FAILURES = [
    OSError(errno.EIO, "Input/output error"),
    serial.SerialException("device reports readiness to read but returned no data"),
    serial.SerialTimeoutException("Write timeout"),
    termios.error(errno.EIO, "Input/output error"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("what", ["read", "write", "in_waiting"])
def test_a_port_that_hangs_up_is_a_lost_link(what: str, failure: Exception, make_line: MakeLine) -> None:
    line = make_line()
    line.port.failing[what] = failure
    with pytest.raises(
        LinkLostError, match=r"^the serial port failed \(.*\)\. Look at the adapter"
    ) as caught:
        line.ask(MOTION_STATE)
    assert str(failure) in str(caught.value)
    assert caught.value.__cause__ is failure
    public = caught.value.reason
    assert public.startswith("the serial port failed")
    # The system's own words are no secret; those of a handler may be.
    number = getattr(failure, "errno", None) or (
        failure.args[0] if isinstance(failure, termios.error) else None
    )
    assert public == (
        f"the serial port failed{f' ({os.strerror(number)})' if number else ''}. "
        "Look at the adapter, its cable and its power."
    )


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_command_on_a_port_that_hangs_up_is_a_lost_link(failure: Exception, make_line: MakeLine) -> None:
    line = make_line()
    line.port.failing["write"] = failure
    with pytest.raises(LinkLostError):
        line.link.send(HALT)


@pytest.mark.parametrize("what", ["read", "in_waiting"])
def test_a_hang_up_in_the_middle_of_a_wait_is_a_lost_link(what: str, make_line: MakeLine) -> None:
    line = make_line([None])

    def hang_up() -> None:
        if line.port.written:
            line.port.failing[what] = OSError(errno.ENODEV, "No such device")

    with pytest.raises(LinkLostError, match="No such device"):
        line.ask(MOTION_STATE, hang_up)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_closing_a_port_that_hung_up_raises_nothing(failure: Exception, make_line: MakeLine) -> None:
    line = make_line()
    line.port.failing["close"] = failure
    line.link.close()
    assert line.port.closed
