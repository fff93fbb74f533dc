"""How many files this process may open, and which numbers connections get among them."""

from __future__ import annotations

import fcntl
import logging
import resource
import socket
from dataclasses import dataclass
from typing import Callable

_log = logging.getLogger(__name__)

# select() takes no file beyond this number, and pyserial asks it about the serial port. So connections stay above,
# or, if the system allows no such numbers, leave some free below.
SELECT_LIMIT = 1024


@dataclass(frozen=True)
class Files:
    """How many connections a port may hold, and from which file number on (0: any)."""

    connections: int
    lowest: int

    def place(self, sock: socket.socket) -> socket.socket:
        """The same connection under a number that is free for connections. Raises OSError if there is none."""
        if not self.lowest:
            return sock
        with sock:
            return socket.socket(fileno=fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, self.lowest))


def files_for(connections: int, others: int, fewer: Callable[[int], int]) -> Files:
    """Raise this process's limit of open files as far as a port needs it, and say what came of it.

    Args:
        connections: how many it holds if it may.
        others: how many files others need above SELECT_LIMIT.
        fewer: how many it holds if this process may open only so many files.
    """
    needed = SELECT_LIMIT + others + connections
    files = raised_limit(needed)
    if files >= needed:
        return Files(connections, SELECT_LIMIT)
    connections = fewer(files)
    _log.info("%d connections at most: this process may open %d files", connections, files)
    return Files(connections, 0)


def raised_limit(needed: int) -> int:
    """Raise this process's limit of open files as far as it may, and no further than needed. Gives what came of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, min(needed, hard))
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
