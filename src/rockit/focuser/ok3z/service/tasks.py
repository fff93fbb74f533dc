"""What is handed to the thread that owns the port, and what its caller is given: an end, which is a future."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Callable, NamedTuple, cast

from ..errors import FocuserError, HaltFailedError
from .history import NOBODY, Asker


class Ending(Future[None]):
    """The end of a command: with None, or with a FocuserError. None of those who are given it can cancel it.

    Args:
        patience_s: how long to wait for it, in seconds. A worker that takes longer gives no answer any more.
    """

    def __init__(self, patience_s: float) -> None:
        super().__init__()
        self.patience_s = patience_s

    def cancel(self) -> bool:
        """What others wait for too is not taken away."""
        return False

    def resolve(self, outcome: FocuserError | None) -> None:
        """It has come. On the worker thread, and with it what others have asked to be called then."""
        if outcome is None:
            self.set_result(None)
        else:
            self.set_exception(outcome)

    @property
    def failure(self) -> FocuserError | None:
        """Why the command did not do what it was told; None: it did. To be asked when it has ended or the patience is
        over: what has not ended then has no answer."""
        if self.done():
            return cast("FocuserError | None", self.exception())
        return no_answer(self.patience_s)


class BegunMove(NamedTuple):
    """A move that was handed to the worker."""

    under_way: Ending
    """It moves and the snapshot says so, or it has ended: then it ends in the same way, right after it."""
    ended: Ending


@dataclass(frozen=True)
class Task:
    """One command for the worker."""

    name: str
    run: Callable[[], None]
    ended: Ending
    under_way: Ending
    asker: Asker = NOBODY

    def moves(self) -> None:
        """The motor is told to run, and the snapshot says so."""
        if not self.under_way.done():
            self.under_way.resolve(None)

    def end(self, outcome: FocuserError | None) -> None:
        """It has ended."""
        self.ended.resolve(outcome)
        if not self.under_way.done():
            self.under_way.resolve(outcome)


class WaitingMove(NamedTuple):
    """A move that waits for the end of the holds.

    Args:
        task: the move.
        until_s: how long, on the service's clock.
    """

    task: Task
    until_s: float


def no_answer(patience_s: float) -> HaltFailedError:
    """What to say of a worker that has not answered for so long, in seconds."""
    return HaltFailedError(
        f"the focuser's thread gave no answer for {patience_s:.0f} s. Look at the daemon's log; restart it."
    )
