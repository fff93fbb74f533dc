"""Who may stay when there is no more room: how many connections there can be, and which of them gives way."""

from __future__ import annotations

import fcntl
import logging
import resource
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from .connection import Connection

_log = logging.getLogger(__name__)

# Half of them for the machines that may control, half for all others.
MAX_CONNECTIONS = 3000
# select() takes no file beyond this number, and pyserial asks it about the serial port. So connections stay above,
# or, where the system allows no such numbers, leave some free below.
SELECT_LIMIT = 1024
SPARE_FILES = 64


@dataclass(frozen=True)
class Files:
    """How many connections this process may hold, and from which file number on (0: any)."""

    connections: int
    lowest: int

    def place(self, sock: socket.socket) -> socket.socket:
        """The same connection under a number that is free for connections. Raises OSError where there is none."""
        if not self.lowest:
            return sock
        with sock:
            return socket.socket(fileno=fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, self.lowest))


def allowed_files() -> Files:
    """Raise this process's limit of open files as far as connections need it, and say what came of it."""
    needed = SELECT_LIMIT + MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    elif soft < needed:
        connections = max(2, min(soft, SELECT_LIMIT) - SPARE_FILES)
        _log.info("%d connections at most: this process may open %d files", connections, soft)
        return Files(connections, 0)
    return Files(MAX_CONNECTIONS, SELECT_LIMIT)


class Room:
    """The connections of one sort of clients, at most `size`, in the order in which they give way."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._silent: dict[Connection, None] = {}
        self._greeted: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._silent) + len(self._greeted)

    def __iter__(self) -> Iterator[Connection]:
        return chain(self._silent, self._greeted)

    @property
    def is_full(self) -> bool:
        return len(self) >= self._size

    def add(self, connection: Connection) -> None:
        self._silent[connection] = None

    def remove(self, connection: Connection) -> None:
        self._silent.pop(connection, None)
        self._greeted.pop(connection, None)

    def heard(self, connection: Connection) -> None:
        """A whole message came: it is the last now to give way."""
        self.remove(connection)
        (self._greeted if connection.is_greeted else self._silent)[connection] = None

    def first_to_go(self) -> Connection | None:
        """Who never greeted, else who was not heard for longest; nobody for whom a call runs."""
        return next((one for one in self if not one.is_busy), None)
