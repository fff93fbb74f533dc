"""The pyserial handler of `sim://?option=value&...`: a port with a virtual OK3Z at its other end.

pyserial finds it by this file's name once `rockit.focuser.ok3z.simulator` is in
`serial.protocol_handler_packages`. It behaves as pyserial's POSIX port does, so that a driver cannot
tell the difference: same exceptions, same meaning of the timeouts, bytes that arrive one by one.
As there, `inter_byte_timeout` and the modem lines have no effect on the data.
"""

from __future__ import annotations

import errno
import logging
import termios
import threading
from typing import Any, Callable, Protocol

from serial import serialutil
from serial.serialutil import (
    EIGHTBITS,
    PARITY_NONE,
    STOPBITS_ONE,
    SerialBase,
    SerialException,
    SerialTimeoutException,
)

from .clock import Clock
from .controller import HungUpError, PortBusyError, VirtualOK3Z
from .models import model_for
from .options import OptionError

log = logging.getLogger(__name__)

NOISE = 0xA5
"""What a byte is turned by when the two ends of the line do not agree on its settings."""

Failure = Callable[[Exception], Exception]


class FarEnd(Protocol):
    """What is at the other end of a port; all of it with the `condition` held. Each call may raise HungUpError."""

    clock: Clock
    condition: threading.Condition

    def claim_port(self) -> int:
        """Open the port: a ticket. Raises PortBusyError too."""

    def release_port(self, ticket: int) -> None:
        """Close it."""

    def check_port(self, ticket: int) -> None:
        """Raise HungUpError if it hung up since it was opened."""

    def write(self, data: bytes) -> int:
        """Take bytes from the host; how many found room."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes that have reached the host."""

    def drop_unread(self) -> None:
        """Forget what has reached the host."""

    def drop_unsent(self) -> None:
        """Forget what has not left the host."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""

    @property
    def out_waiting(self) -> int:
        """Bytes that have not left the host."""

    @property
    def next_event_s(self) -> float | None:
        """When something can next be read; None for never."""

    @property
    def next_departure_s(self) -> float | None:
        """When the next bytes leave the host; None for never."""


class Serial(SerialBase):
    """A serial port with a virtual controller. `model` is that controller while the port is open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.model: FarEnd | None = None
        self._ticket = 0
        self._read_cancelled = False
        self._write_cancelled = False
        super().__init__(*args, **kwargs)

    # Life

    def open(self) -> None:
        """Take the port. Raises SerialException if it is taken, unplugged, or the URL is wrong."""
        if self.port is None:
            raise SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise SerialException("Port is already open.")
        try:
            model = self._far_end(self.port)
            self._ticket = model.claim_port()
        except PortBusyError as error:
            raise SerialException(errno.EAGAIN, f"could not open port {self.port}: {error}") from None
        except HungUpError as error:
            raise SerialException(errno.ENOENT, f"could not open port {self.port}: {error}") from None
        except (OptionError, OSError) as error:
            raise SerialException(f"could not open port {self.port}: {error}") from None
        self.model = model
        self._read_cancelled = self._write_cancelled = False
        self.is_open = True
        if isinstance(model, VirtualOK3Z) and not self._is_understood(model):
            log.warning(
                "%s is set to %s baud and the virtual controller to %s, 8N1: it hears only noise.",
                *(self.port, self.baudrate, model.options.baud),
            )

    def _far_end(self, url: str) -> FarEnd:
        """What is at the other end. Raises OptionError, OSError."""
        return model_for(url)

    def close(self) -> None:
        """Give the port back. The controller keeps its power."""
        if self.model is not None and self.is_open:
            self.is_open = False
            self.model.release_port(self._ticket)

    # Reading

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes: all of them, or what there is when the timeout ends or it is cancelled."""
        data = bytearray()
        with self._line(lambda error: SerialException(f"read failed: {error}")) as model:
            deadline_s = _deadline(model, self.timeout)
            while len(data) < size and not self._take_flag("_read_cancelled"):
                data += model.read(size - len(data))
                if len(data) >= size or not _wait(model, deadline_s, model.next_event_s):
                    break
                if not self.is_open:
                    raise SerialException("read failed: the port was closed by another thread")
                model.check_port(self._ticket)
        return bytes(data)

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read at once."""
        with self._line(_call_failed) as model:
            return model.in_waiting

    def reset_input_buffer(self) -> None:
        """Forget what has arrived. What is still on the wire comes later, as it does in life."""
        with self._line(_terminal_failed) as model:
            model.drop_unread()

    def cancel_read(self) -> None:
        """End the read that another thread waits in, or the next one."""
        self._cancel("_read_cancelled")

    # Writing

    def write(self, data: Any, /) -> int:
        """Send bytes; how many were sent. Raises SerialTimeoutException if they find no room in time."""
        with self._line(lambda error: SerialException(f"write failed: {error}")) as model:
            rest = _as_bytes(data)
            length = len(rest)
            if not self._is_understood(model):
                rest = bytes(byte ^ NOISE for byte in rest)
            deadline_s = _deadline(model, self.write_timeout)
            while True:
                rest = rest[model.write(rest) :]
                if not rest or self.write_timeout == 0 or self._take_flag("_write_cancelled"):
                    return length - len(rest)
                if not _wait(model, deadline_s, model.next_departure_s):
                    raise SerialTimeoutException("Write timeout")
                model.check_port(self._ticket)

    @property
    def out_waiting(self) -> int:
        """How many bytes have not yet left."""
        with self._line(_call_failed) as model:
            return model.out_waiting

    def flush(self) -> None:
        """Wait until all bytes have left."""
        with self._line(_terminal_failed) as model:
            while model.out_waiting:
                _wait(model, None, model.next_departure_s)
                model.check_port(self._ticket)

    def reset_output_buffer(self) -> None:
        """Forget what has not yet left."""
        with self._line(_terminal_failed) as model:
            model.drop_unsent()

    def cancel_write(self) -> None:
        """End the write that another thread waits in, or the next one that has to wait."""
        self._cancel("_write_cancelled")

    # The modem lines of a cable that has none

    @property
    def cts(self) -> bool:
        return self._modem_line()

    @property
    def dsr(self) -> bool:
        return self._modem_line()

    @property
    def ri(self) -> bool:
        return self._modem_line()

    @property
    def cd(self) -> bool:
        return self._modem_line()

    def _modem_line(self) -> bool:
        with self._line(_call_failed):
            return False

    def _reconfigure_port(self) -> None:
        """A setting was changed on the open port; it is looked at when bytes are sent."""
        with self._line(lambda error: SerialException(f"Could not configure port: {error}")):
            pass

    def _update_break_state(self) -> None:
        """Nobody listens."""

    def _update_rts_state(self) -> None:
        """Nobody listens."""

    def _update_dtr_state(self) -> None:
        """Nobody listens."""

    # Inside

    def _is_understood(self, model: FarEnd) -> bool:
        if not isinstance(model, VirtualOK3Z):
            return True
        settings = (self.baudrate, self.bytesize, self.parity, self.stopbits)
        spoken = (model.options.baud, EIGHTBITS, PARITY_NONE, STOPBITS_ONE)
        return settings == spoken or not model.options.check_baud

    def _cancel(self, flag: str) -> None:
        if self.model is not None and self.is_open:
            with self.model.condition:
                setattr(self, flag, True)
                self.model.condition.notify_all()

    def _take_flag(self, flag: str) -> bool:
        was_set = bool(getattr(self, flag))
        setattr(self, flag, False)
        return was_set

    def _line(self, failure: Failure) -> _Line:
        if self.model is None or not self.is_open:
            raise _port_not_open()
        return _Line(self.model, self._ticket, failure)


class _Line:
    """The far end, locked; a hang-up ends as it does on a real port.

    Not by contextlib, which is slower: each read of a byte passes here.
    """

    def __init__(self, model: FarEnd, ticket: int, failure: Failure) -> None:
        self._model = model
        self._ticket = ticket
        self._failure = failure

    def __enter__(self) -> FarEnd:
        self._model.condition.acquire()
        try:
            self._model.check_port(self._ticket)
        except HungUpError as error:
            self._model.condition.release()
            raise self._failure(error) from None
        return self._model

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._model.condition.release()
        if isinstance(error, HungUpError):
            raise self._failure(error) from None


# A POSIX port that has hung up fails in a different way in each call; a driver must bear them all.


def _call_failed(error: Exception) -> Exception:
    return OSError(errno.EIO, str(error))


def _terminal_failed(error: Exception) -> Exception:
    return termios.error(errno.EIO, str(error))


def _port_not_open() -> Exception:
    # pyserial 3.4 has no class for this.
    error = getattr(serialutil, "PortNotOpenError", None)
    return error() if error else SerialException("Attempting to use a port that is not open")


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, str):
        raise TypeError(f"unicode strings are not supported, please encode to bytes: {data!r}")
    return bytes(data)


def _deadline(model: FarEnd, timeout_s: float | None) -> float | None:
    return None if timeout_s is None else model.clock.monotonic() + timeout_s


def _wait(model: FarEnd, deadline_s: float | None, event_s: float | None) -> bool:
    """Wait, with the lock, for the next thing to happen; False once the deadline has passed."""
    now_s = model.clock.monotonic()
    if deadline_s is not None and now_s >= deadline_s:
        return False
    moments = [moment_s for moment_s in (deadline_s, event_s) if moment_s is not None]
    model.clock.wait(model.condition, max(0.0, min(moments) - now_s) if moments else None)
    return True
