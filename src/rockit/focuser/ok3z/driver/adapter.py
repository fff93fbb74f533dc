"""The USB adapter between this machine and the controller: how long it holds short answers back.

An FTDI chip collects what comes from the line until a packet is full or its latency timer has run out: 16 ms unless it
is told otherwise, which is longer than an answer takes. The ioctl TIOCSSERIAL with ASYNC_LOW_LATENCY sets 1 ms, and any
user who may open the port may do so; pyserial has a call for it from 3.5 on. sysfs tells what is in force.
"""

from __future__ import annotations

import array
import fcntl
import logging
import os
import termios
from pathlib import Path

_log = logging.getLogger(__name__)

# From linux/serial.h and linux/tty_flags.h: `struct serial_struct` has 72 bytes at most, and its fifth int is `flags`.
STRUCT_INTS = 32
FLAGS_INT = 4
ASYNC_LOW_LATENCY = 1 << 13
# A timer that is no longer than this, in ms, costs less than the bytes of an answer.
GOOD_LATENCY_MS = 2
TTYS = Path("/sys/class/tty")

ADVICE = "Install the udev rule (docs/deployment.md), or write 1 to it."


def set_low_latency(descriptor: int) -> str:
    """Have the adapter of an open terminal pass on at once what comes.

    Returns:
        Why that could not be done; "" if it is so now. Many ports have no such setting.
    """
    settings = array.array("i", [0] * STRUCT_INTS)
    try:
        if not os.isatty(descriptor):
            return "it is no terminal"
        fcntl.ioctl(descriptor, termios.TIOCGSERIAL, settings)
        if not settings[FLAGS_INT] & ASYNC_LOW_LATENCY:
            settings[FLAGS_INT] |= ASYNC_LOW_LATENCY
            fcntl.ioctl(descriptor, termios.TIOCSSERIAL, settings)
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return ""


def latency_file(path: str, ttys: Path | None = None) -> Path:
    """Where sysfs tells the latency timer of the adapter at a path such as /dev/focuser; it need not be there."""
    return (ttys or TTYS) / os.path.basename(os.path.realpath(path)) / "device" / "latency_timer"


def latency_ms(path: str, ttys: Path | None = None) -> int | None:
    """How long the adapter at a path holds short packets back, in ms; None if nobody says."""
    try:
        return int(latency_file(path, ttys).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def latency_problem(path: str, ttys: Path | None = None) -> str:
    """What is wrong with the latency of the adapter at a path, and what to do; "" for nothing, or for no adapter."""
    milliseconds = latency_ms(path, ttys)
    if milliseconds is None or milliseconds <= GOOD_LATENCY_MS:
        return ""
    return (
        f"the adapter holds each answer back for up to {milliseconds} ms ({latency_file(path, ttys)}), so moves and "
        f"stops take longer. {ADVICE}"
    )


def make_prompt(path: str, descriptor: int, ttys: Path | None = None) -> None:
    """Set low latency, if that can be done, and tell the log what is in force. Raises nothing."""
    failure = set_low_latency(descriptor)
    if problem := latency_problem(path, ttys):
        why = f"low latency could not be set ({failure})" if failure else "low latency was set, to no effect"
        _log.warning("%s: %s", why, problem)
        return
    milliseconds = latency_ms(path, ttys)
    in_force = "unknown" if milliseconds is None else f"{milliseconds} ms"
    _log.info(
        "low latency %s; the adapter's latency timer: %s",
        f"could not be set ({failure})" if failure else "is set",
        in_force,
    )
