"""Clients that wait for news: on the one thread, so that they take none of those that commands need."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

from .connection import Connection
from .later import Later
from .message import Header

# Each is answered at each change, of which a move makes fifteen a second. Who comes beyond is answered at once.
MOST_WAITING = 64
# How often it is looked for news that nobody rings for: that the service does not answer any more.
LOOK_EVERY_S = 1.0


_log = logging.getLogger(__name__)


class Waiter(NamedTuple):
    """One client, and what it waits for."""

    connection: Connection
    header: Header
    later: Later
    deadline_s: float


class Waiting:
    """Those who wait, until they are due."""

    def __init__(self) -> None:
        self._waiters: dict[Connection, Waiter] = {}
        self._look_again_s = 0.0

    def __len__(self) -> int:
        return len(self._waiters)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._waiters

    def could_add(self, connection: Connection, header: Header, later: Later, now_s: float) -> bool:
        """Have a client wait. False: there are too many."""
        if len(self) >= MOST_WAITING:
            return False
        self._waiters[connection] = Waiter(connection, header, later, now_s + later.patience_s)
        # There may be news since its call was read, for which nobody rings again.
        self._look_again_s = now_s
        return True

    def remove(self, connection: Connection) -> None:
        """It has gone."""
        self._waiters.pop(connection, None)

    @property
    def due_s(self) -> float | None:
        """When to look next if nobody rings; None: nobody waits."""
        if not self._waiters:
            return None
        return min(self._look_again_s, *(waiter.deadline_s for waiter in self._waiters.values()))

    def take_due(self, now_s: float) -> Iterator[Waiter]:
        """Those for whom there is news or whose patience has ended; they wait no longer."""
        self._look_again_s = now_s + LOOK_EVERY_S
        for waiter in list(self._waiters.values()):
            if now_s >= waiter.deadline_s or _is_due(waiter.later):
                del self._waiters[waiter.connection]
                yield waiter


def _is_due(later: Later) -> bool:
    try:
        return later.is_due()
    except Exception:
        # It would be raised again and again; and the one thread must live.
        _log.exception("a mistake in this program, in what a client waits for")
        return True
