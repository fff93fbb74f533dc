"""Calls that run: each waits for an end, on the one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from .connection import Connection
from .later import AtEnd
from .message import Header

# Of commands that are not urgent, and of questions. One command does the work and the others are refused at once, and a
# question takes some milliseconds, so this is more than enough.
MOST_CALLS = 16


@dataclass(frozen=True)
class Asker:
    """A call that was read, and where its answer goes.

    Args:
        connection: of its client.
        header: of its message.
        is_urgent: whether it is one of those that are never refused for want of room.
        is_question: whether everybody may ask it. Questions take no room from commands.
    """

    connection: Connection
    header: Header
    is_urgent: bool
    is_question: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing else is read from its connection meanwhile. An urgent call is waited for even if nobody
        wants its answer: a connection has one of them at a time."""
        return self.is_urgent or not self.header.wants_no_answer


@dataclass(frozen=True, eq=False)
class RunningCall:
    """A call that waits.

    Args:
        asker: whose call it is.
        waits_for: the end that it waits for, and what to answer then.
        deadline_s: when it waits no longer, on the clock of the port.
    """

    asker: Asker
    waits_for: AtEnd
    deadline_s: float


class RunningCalls:
    """The calls that run. Belongs to the thread of the port; the ends come on others.

    Args:
        ring: wakes that thread. Any thread may call it; does not wait.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._calls: dict[RunningCall, None] = {}
        self._ended: deque[RunningCall] = deque()
        # By whether they are questions.
        self._bounded = {False: 0, True: 0}

    def __len__(self) -> int:
        return len(self._calls)

    def is_full_for(self, asker: Asker) -> bool:
        """Whether there is no room for a call."""
        return not asker.is_urgent and self._bounded[asker.is_question] >= MOST_CALLS

    def add(self, asker: Asker, waits_for: AtEnd, now_s: float) -> None:
        """Have a call wait for its end. One that went on waiting for another end has a place in any case."""
        call = RunningCall(asker, waits_for, now_s + waits_for.patience_s)
        self._calls[call] = None
        self._bounded[asker.is_question] += not asker.is_urgent

        def tell(_: object) -> None:
            self._ended.append(call)
            self._ring()

        # At once, on this thread, if it has come already.
        waits_for.end.add_done_callback(tell)

    @property
    def due_s(self) -> float | None:
        """When to look next if nobody rings; None: no call runs."""
        return min((call.deadline_s for call in self._calls), default=None)

    def take_due(self, now_s: float) -> Iterator[RunningCall]:
        """Those whose end has come, in that order, then those whose patience is over; they wait no longer."""
        while self._ended:
            call = self._ended.popleft()
            # Else its patience was over before.
            if call in self._calls:
                yield self._taken(call)
        for call in [call for call in self._calls if now_s >= call.deadline_s]:
            yield self._taken(call)

    def _taken(self, call: RunningCall) -> RunningCall:
        del self._calls[call]
        self._bounded[call.asker.is_question] -= not call.asker.is_urgent
        return call
