"""Who may stay when there is no more room: how many connections there can be, and which of them gives way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ..net.descriptors import SELECT_LIMIT, Files, files_for, raised_limit
from .calls import MOST_CALLS
from .connection import Connection

# Half of them for the machines that may control, half for all others.
MAX_CONNECTIONS = 3000
# For all but these connections: 30 of the daemon itself, and 32 of Alpaca programs.
SPARE_FILES = 96
# With fewer the calls that run could fill the half of those who may control, and a stop would find no room.
STOPS_WITH_ROOM = 8
LEAST_CONNECTIONS = 2 * (MOST_CALLS + STOPS_WITH_ROOM)
LEAST_FILES = SPARE_FILES + LEAST_CONNECTIONS


def allowed_files() -> Files:
    """How many connections the port may hold. Raises this process's limit of open files as far as they need it."""
    return files_for(
        MAX_CONNECTIONS, 0, lambda files: max(LEAST_CONNECTIONS, min(files, SELECT_LIMIT) - SPARE_FILES)
    )


def why_too_few_files() -> str:
    """Why this process cannot serve: it may not open the files for that. Empty if it may."""
    files = raised_limit(LEAST_FILES)
    if files >= LEAST_FILES:
        return ""
    return (
        f"this process may open {files} files, and it needs {LEAST_FILES}: with fewer a stop could be refused while "
        "the motor runs. Raise the limit (ulimit -n, or LimitNOFILE= of the unit)."
    )


class Pool:
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
        """Who never greeted, else who was not heard for longest; nobody for whom a call runs.

        Those that never greeted may fill half of the room before they go first: one of them has only just come, and may
        bring a stop.
        """
        orders = (
            (self._silent, self._greeted)
            if 2 * len(self._silent) > self._size
            else (self._greeted, self._silent)
        )
        return next((one for one in chain(*orders) if not one.is_busy), None)
