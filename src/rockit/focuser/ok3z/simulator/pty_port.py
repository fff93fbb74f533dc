"""A pseudo-terminal with a stable name: what the virtual controller's USB adapter is to other programs."""

from __future__ import annotations

import os
import termios
import tty
from contextlib import suppress

from .options import OptionError

_READ_BYTES = 4096
_TERMINALS = "/dev/pts/"


class PtyPort:
    """A pseudo-terminal behind a symbolic link. Plug in, read and write the controller's side, unplug."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._master: int | None = None
        self._slave: int | None = None
        self._name = ""

    @property
    def fd(self) -> int | None:
        """To wait for bytes from the host; None while unplugged."""
        return self._master

    def plug_in(self) -> None:
        """Make the terminal and point the link at it. Raises OptionError."""
        # Holding the slave open keeps the terminal's settings, and its reads from failing, between hosts.
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._master, self._slave, self._name = master, slave, os.ttyname(slave)
        try:
            _point(self._link, self._name)
        except OSError as error:
            self.unplug()
            raise OptionError(f"The link {self._link} cannot be made: {error}.") from None
        except OptionError:
            self.unplug()
            raise

    def unplug(self) -> None:
        """Hang up on the host, and remove the link if it is still this terminal's."""
        with suppress(OSError):
            if self._name and os.readlink(self._link) == self._name:
                os.unlink(self._link)
        for fd in (self._master, self._slave):
            if fd is not None:
                os.close(fd)
        self._master = self._slave = None
        self._name = ""

    def read(self) -> bytes:
        """What the host has written."""
        if self._master is None:
            return b""
        try:
            return os.read(self._master, _READ_BYTES)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Give bytes to the host; what it has no room for is lost, as in a port that nobody reads."""
        if self._master is not None and data:
            with suppress(OSError):
                os.write(self._master, data)

    def settings(self) -> list[int]:
        """The host's choice of [baud constant, character size, parity and stop bits]."""
        if self._slave is None:
            return []
        cflag, speed = termios.tcgetattr(self._slave)[2], termios.tcgetattr(self._slave)[5]
        return [speed, cflag & (termios.CSIZE | termios.PARENB | termios.CSTOPB)]


def _point(link: str, name: str) -> None:
    """Make or replace the symbolic link in one step."""
    if os.path.lexists(link) and not os.path.islink(link):
        raise OptionError(f"{link} is there and is no symbolic link. It is left alone: choose another path.")
    if os.path.islink(link) and not os.readlink(link).startswith(_TERMINALS):
        raise OptionError(
            f"{link} points at {os.readlink(link)}, which is no pseudo-terminal. It is left alone: choose another."
        )
    fresh = f"{link}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(fresh)
    os.symlink(name, fresh)
    os.replace(fresh, link)
