"""Who calls: by which name it goes in the log, and what its last command failed with."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...constants import CommandStatus

# Callers whose failures are kept. Those that may not control have a book of their own: they push out nobody else.
MOST_CALLERS = 64


@dataclass(frozen=True)
class Failure:
    """A command that was not answered with 0.

    Args:
        command: the method.
        status: its CommandStatus.
        reason: why, in a sentence for its caller.
        date: when it ended, UTC, as published.
        untold: what the status said meanwhile, if that was not this reason; None: it said it.
    """

    command: str
    status: int
    reason: str
    date: str
    untold: str | None = None
    is_last: bool = True
    """Whether no command of this caller has succeeded since."""

    def published(self) -> dict[str, Any]:
        """As `last_failure` answers it."""
        return {
            "command": self.command,
            "status": self.status,
            "reason": self.reason,
            "date": self.date,
        }

    def explains(self, told: str) -> bool:
        """Whether its caller wants to read this reason, and not what the status says of itself."""
        mine = self.is_last and self.status == CommandStatus.Failed and self.untold is not None
        # What has happened to the focuser since concerns it more.
        return mine and told in ("", self.untold)


class Callers:
    """What is known of those who call, by address. Any thread may ask; none waits.

    Args:
        control_ips: the addresses that may control.
        names: of machines, by address.
    """

    def __init__(self, control_ips: Collection[str], names: Mapping[str, str]) -> None:
        self._control_ips = frozenset(control_ips)
        self._names = dict(names)
        self._lock = threading.Lock()
        self._books: dict[bool, dict[str, Failure]] = {True: {}, False: {}}

    def may_control(self, address: str) -> bool:
        """Whether its commands are carried out."""
        return address in self._control_ips

    def named(self, address: str) -> str:
        """How it is called in the log: `NGTSDASNUC (10.2.5.115)`."""
        return f"{self._names[address]} ({address})" if address in self._names else address

    def failed(self, address: str, failure: Failure) -> None:
        """Its last command failed."""
        with self._lock:
            self._write(address, failure)

    def succeeded(self, address: str) -> None:
        """Its last command did not fail: an earlier failure explains nothing any more."""
        with self._lock:
            failure = self._book_of(address).get(address)
            if failure is not None:
                self._write(address, replace(failure, is_last=False))

    def last_failure(self, address: str) -> Failure | None:
        """Of its commands the last that failed."""
        with self._lock:
            return self._book_of(address).get(address)

    def _book_of(self, address: str) -> dict[str, Failure]:
        return self._books[self.may_control(address)]

    def _write(self, address: str, failure: Failure) -> None:
        book = self._book_of(address)
        book.pop(address, None)
        book[address] = failure
        if len(book) > MOST_CALLERS:
            del book[next(iter(book))]
