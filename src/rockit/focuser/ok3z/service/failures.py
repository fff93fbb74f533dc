"""What follows a failure, in one table: of commands, of what runs unasked, and of a lost link that is tried again."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..errors import (
    FocuserError,
    HaltFailedError,
    InternalError,
    LinkError,
    PositionLostError,
    RequestError,
    StoppedError,
)


class Halt(enum.Enum):
    """Whether the motor is halted after a failure."""

    ALWAYS = "always"
    IF_IT_RUNS = "if a motion was commanded"
    """A line that is dead at rest is only closed."""
    HAS_FAILED = "halting is what has failed"
    """It is repeated until the motor is seen standing."""
    NEVER = "never"
    """Nothing was begun."""


@dataclass(frozen=True)
class Consequence:
    """What follows one kind of failure.

    Args:
        halt: whether the motor is halted.
        forgets: the position is not trusted any more.
        loses_link: the port is closed, and tried again later. (After any other failure while it is tried again, it is
            tried at once.)
        stands: if halting ends with it, the motor was seen standing all the same.
        is_fault: it is told the observatory; else somebody wanted it so.
    """

    halt: Halt = Halt.ALWAYS
    forgets: bool = False
    loses_link: bool = False
    stands: bool = False
    is_fault: bool = True


# The first that fits.
_CONSEQUENCES: tuple[tuple[type[FocuserError], Consequence], ...] = (
    (RequestError, Consequence(halt=Halt.NEVER, is_fault=False)),
    (PositionLostError, Consequence(forgets=True, stands=True)),
    # After a mistake in this program nothing that it knows is trusted.
    (InternalError, Consequence(forgets=True)),
    (HaltFailedError, Consequence(halt=Halt.HAS_FAILED)),
    (LinkError, Consequence(halt=Halt.IF_IT_RUNS, loses_link=True)),
    (StoppedError, Consequence(is_fault=False)),
    (FocuserError, Consequence()),
)


def consequence_of(error: FocuserError) -> Consequence:
    """What follows a failure."""
    return next(consequence for kind, consequence in _CONSEQUENCES if isinstance(error, kind))
