"""What the focuser is doing: the states, the events, and the table of what follows what.

The table is the truth. An event that it lacks is a mistake of this program, and ends as one: nothing goes on in a state
that nobody has thought of. What is published is made of this; nobody reads that back to decide.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ..errors import InternalError


class State(enum.Enum):
    """What the focuser is doing."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    RECONNECTING = "reconnecting"
    """The link is lost, and the port is being opened again and again."""
    HOMING = "homing"
    IDLE = "idle"
    MOVING = "moving"
    STOPPING = "stopping"
    UNHOMED = "unhomed"
    """The port is open and the motor stands, but the position is not known."""
    FAULT = "fault"
    """The service does not answer for the focuser any more. Published only; the focuser is in one of the others."""


class Event(enum.Enum):
    """What happens to a focuser."""

    CONNECT = "its port is to be opened"
    HOME = "a homing begins"
    MOVE = "a move begins"
    HAND = "somebody drives it at its controller"
    HALT = "its motor is told to stop, and is not seen standing yet"
    STAND = "its motor is proven to stand, at a known position"
    STAND_SOMEWHERE = "its motor is proven to stand, at no known position"
    LOSE_LINK = "its link fails, and is to come back"
    LET_GO = "there shall be no link"


_D, _C, _R, _H, _I, _M, _S, _U = (
    State.DISCONNECTED,
    State.CONNECTING,
    State.RECONNECTING,
    State.HOMING,
    State.IDLE,
    State.MOVING,
    State.STOPPING,
    State.UNHOMED,
)
_ANY = (_D, _C, _R, _H, _I, _M, _S, _U)

FOLLOWS: Mapping[Event, tuple[tuple[State, ...], State]] = {
    # From which states, and to which.
    # From a motion too: the last resort after a mistake in this program that nobody has settled.
    Event.CONNECT: (_ANY, _C),
    Event.HOME: ((_C, _I), _H),
    Event.MOVE: ((_I,), _M),
    Event.HAND: ((_I,), _M),
    # Halting is never given up: a link that is only opened to halt a motor stays if that was not seen standing.
    Event.HALT: (_ANY, _S),
    # A link that comes back is proven first, so it goes straight to where the motor stands.
    Event.STAND: ((_C, _R, _H, _I, _M, _S), _I),
    Event.STAND_SOMEWHERE: (_ANY, _U),
    Event.LOSE_LINK: (_ANY, _R),
    Event.LET_GO: (_ANY, _D),
}

# The motor runs, or was told to stop and was not seen standing.
MAY_RUN = frozenset({State.HOMING, State.MOVING, State.STOPPING})
# Here nobody sees the motor: what ran goes on running for all that is known.
_UNSEEN = frozenset({State.DISCONNECTED, State.CONNECTING, State.RECONNECTING})


class StateMachine:
    """The state of one focuser. Belongs to the thread that owns the port."""

    def __init__(self) -> None:
        self.state = State.DISCONNECTED
        self.motion_unproven = False
        """Whether a motion was commanded before the link was lost, and its end was not seen."""

    def on(self, event: Event) -> None:
        """Something happens. Raises InternalError if it cannot happen in this state."""
        sources, target = FOLLOWS[event]
        if self.state not in sources:
            raise InternalError(f"in the state {self.state.value} it cannot be that {event.value}.")
        self.motion_unproven = target in _UNSEEN and self.motor_may_run
        self.state = target

    @property
    def motor_may_run(self) -> bool:
        """Whether a motion was commanded whose end is not yet proven."""
        return self.motion_unproven or self.state in MAY_RUN

    def suppose_motion(self) -> None:
        """The motor moved unasked, or another process may have left it running: it may run still."""
        self.motion_unproven = True
