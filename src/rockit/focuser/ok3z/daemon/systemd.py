"""Tells systemd how the daemon is: that it is ready, that it lives, what it does, that it ends.

The protocol is a datagram to the socket that $NOTIFY_SOCKET names (sd_notify(3)). Without that variable, as in a
terminal, nothing is told. Nothing here waits, and nothing raises: a manager that does not listen harms no focuser.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Callable

from ..driver.planning import mm_from_steps
from ..service.status import Snapshot

_log = logging.getLogger(__name__)

# A sign of life goes out so many times within the time after which systemd takes the daemon for dead.
SIGNS_PER_TIMEOUT = 4
# systemd shows one line; what is told to it must fit into a datagram.
MAX_STATUS_CHARS = 500
ABSTRACT = "@"


class SystemdNotifier:
    """Tells what started this process, if that was systemd. Any thread may use it.

    Args:
        environ: the environment of the process: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
        monotonic: the time, in seconds.
    """

    def __init__(self, environ: Mapping[str, str], monotonic: Callable[[], float]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._monotonic = monotonic
        self._between_signs_s = _watchdog_s(environ) / SIGNS_PER_TIMEOUT
        self._next_sign_s = monotonic()
        self._status = ""

    def ready(self) -> None:
        """Calls are answered from now on."""
        self._tell("READY=1")

    def alive(self, others_live: Callable[[], bool]) -> None:
        """The caller's thread is not stuck: passed on now and then, if a watchdog waits for it.

        Args:
            others_live: whether the other threads that matter live as well; asked only when a sign is due.
        """
        if not self._between_signs_s or self._monotonic() < self._next_sign_s:
            return
        self._next_sign_s = self._monotonic() + self._between_signs_s
        if others_live():
            self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        """What `systemctl status` shows, if that is something new."""
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={' '.join(line[:MAX_STATUS_CHARS].split())}")

    def ending(self) -> None:
        """The process has begun to end."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            # A full queue, too: the next sign of life comes in time.
            _log.warning("systemd could not be told %s: %s", message.partition("=")[0], error)


def status_line(snapshot: Snapshot, problem: str = "") -> str:
    """What the focuser does, for `systemctl status`: state, position in mm, what it rests on or why it has none; and
    what else there is to mend."""
    words = [snapshot.state.value]
    if snapshot.current_steps is not None:
        words.append(f"at {mm_from_steps(snapshot.current_steps):.3f} mm ({snapshot.confidence.trust.value})")
    line = " ".join(words)
    said = [sentence for sentence in (snapshot.reason, problem) if sentence]
    return f"{line}: {' '.join(said)}" if said else line


def _address(named: str) -> bytes:
    """The address of a socket; b"" for what is none."""
    if named.startswith(ABSTRACT):
        return b"\0" + os.fsencode(named[1:])
    return os.fsencode(named) if named.startswith("/") else b""


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """After which silence systemd takes this process for dead, in seconds; 0: never."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isascii() and microseconds.isdigit() else 0.0
