"""What is done with the terms, on the thread that owns the port: each change is a move to another sum.

In which order, so that a kill at any point leaves on the disk what is true of the focuser:

1. `Memory.set_out` writes the way of the move, with the base and the terms of before, and waits for the disk.
2. The motor runs, and is seen standing at the target.
3. `Memory.stands` writes the register, the target, and the terms that it has in it: one file, replaced as a whole.
4. The caller is answered.

Whoever is killed, stopped or fails between 1 and 3 has not set the term, and finds the base as it was: the same call
again goes to the right sum from wherever the focuser stands.
"""

from __future__ import annotations

import logging
from typing import Callable, Protocol

from ..errors import FocuserError, LinkError, OutsideLimitsError
from ..storage.history_file import Motion
from .history import NOBODY, Asker, History
from .memory import Memory
from .publisher import Publisher
from .settings import Worker
from .states import State
from .terms import Deadlines, Sum, Wanted

_log = logging.getLogger(__name__)


class AskFor(Protocol):
    """Moves to a position. See `Commands.move`."""

    def __call__(self, position: object, offset_from_mm: float | None, coming: Sum) -> None:
        """`coming`: what the position is the sum of."""


class TermCommands:
    """The terms of one focuser. Belongs to the thread that owns the port.

    Args:
        memory: keeps them.
        publisher: knows where the focuser shall stand.
        worker: the thread.
        history: is told what changes.
        require_ready: raises NotConnectedError or BusyError if the focuser cannot be moved.
        ask_for: moves it.
    """

    def __init__(
        self,
        memory: Memory,
        publisher: Publisher,
        worker: Worker,
        history: History,
        require_ready: Callable[[], object],
        ask_for: AskFor,
    ) -> None:
        self._memory = memory
        self._publisher = publisher
        self._announce = worker.announce
        self._history = history
        self._require_ready = require_ready
        self._ask_for = ask_for
        self._deadlines = Deadlines()
        self._over: set[str] = set()

    def absorbed(self) -> Sum:
        """What a position is the sum of that is asked for as a whole: the base takes up what the terms leave over, also
        what those have added that are over."""
        return Sum(None, self._memory.entry.terms).without(self._overdue())

    def change(
        self, wanted: Wanted, asker: Asker = NOBODY, require: Callable[[], None] = lambda: None
    ) -> None:
        """Set or clear a term. `require`: called before anything moves; nothing does if it raises a BusyError.

        Raises:
            NotConnectedError, BusyError, InvalidArgumentError, OutsideLimitsError: nothing moved, nothing changed.
            DeviceError, LinkError, StoppedError: it did not arrive, and the term is as it was; `settle` must follow.
        """
        self._require_ready()
        require()
        now_s = self._history.moment().utc_s
        coming = self._sum().without(self._overdue()).changed(wanted, now_s)
        # Its end is that somebody has changed it.
        self._over.discard(wanted.name)
        self._go(coming)
        # From now on a clock that is set does not change how long it lasts.
        self._overdue()
        self._tell("cleared" if wanted.mm is None else "set", wanted.words, asker)

    def are_overdue(self) -> bool:
        """Whether there are terms that are over, and the focuser stands where it can be moved from."""
        return bool(self._overdue()) and self._publisher.state is State.IDLE

    def expire(self) -> None:
        """Move once to what is left when the terms are gone that are over. They are gone then, whatever comes of it: a
        focuser that somebody has stopped is not moved again unasked. Only after a lost link it is.

        Raises:
            NotConnectedError, BusyError: nothing moved, and they are there.
            DeviceError, LinkError, StoppedError: it did not arrive; `settle` must follow.
        """
        self._require_ready()
        coming = self._sum().without(self._overdue())
        try:
            self._go(coming)
        except OutsideLimitsError as error:
            self._announce(logging.WARNING, f"a term has ended without a move: {error}")
            self._memory.takes(Sum(None, coming.terms))
            self._publisher.say(self._publisher.reason)
            self.tell_ended()
        except LinkError:
            raise
        except FocuserError:
            self._memory.takes(coming)
            self.tell_ended()
            raise

    def leave_be(self) -> None:
        """Somebody has stopped the focuser, or a motion has failed. It is not moved again unasked: terms that are over
        are gone, wherever it stands."""
        if over := self._overdue():
            self._memory.takes(self._memory.sum.without(over))
            self._publisher.say(self._publisher.reason)
            self.tell_ended()

    def absorb(self) -> None:
        """Nobody has asked for where the focuser is, or is about to be: the base takes it up, and terms that are over
        are gone."""
        self._memory.takes(self.absorbed())
        self.tell_ended()

    def tell_ended(self) -> None:
        """Tell the history of terms that were over, and are gone."""
        there = {term.name for term in self._memory.entry.terms}
        gone, self._over = self._over - there, self._over & there
        for name in sorted(gone):
            self._tell("ended", f"term {name} ended", NOBODY)

    def _overdue(self) -> set[str]:
        terms = self._memory.entry.terms
        over = self._deadlines.overdue(terms, self._history.moment()) if terms else set()
        self._over |= over
        return over

    def _sum(self) -> Sum:
        """The base and the terms as they are, of a focuser that is ready."""
        setpoint = self._publisher.setpoint
        return self._memory.sum if setpoint is None else self._memory.sum.at(setpoint.mm)

    def _go(self, coming: Sum) -> None:
        self._ask_for(coming.terms_mm, coming.base_mm, coming)

    def _tell(self, result: str, words: str, asker: Asker) -> None:
        _log.debug("%s", words)
        now = self._history.moment()
        self._history.add(
            Motion(0, "term", now, now, result=result, address=asker.address, door=asker.door, why=words)
        )
