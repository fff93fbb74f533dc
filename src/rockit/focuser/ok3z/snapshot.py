"""What the focuser published last: frozen, replaced whole, read by everybody without a lock."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .constants import FocuserStatus
from .mechanics import Leg


class State(enum.Enum):
    """What the focuser is doing."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    HOMING = "homing"
    IDLE = "idle"
    MOVING = "moving"
    STOPPING = "stopping"
    UNHOMED = "unhomed"
    """The port is open and the motor stands, but the position is not known."""
    FAULT = "fault"
    """The service does not answer for the focuser any more."""


_PUBLIC_STATUS = {
    State.DISCONNECTED: FocuserStatus.Disabled,
    State.CONNECTING: FocuserStatus.Disabled,
    # As it always was: a client waits for a focuser that can be used.
    State.HOMING: FocuserStatus.Disabled,
    State.UNHOMED: FocuserStatus.Disabled,
    State.FAULT: FocuserStatus.Disabled,
    State.IDLE: FocuserStatus.Idle,
    State.MOVING: FocuserStatus.Moving,
    State.STOPPING: FocuserStatus.Moving,
}

_RUNNING_STATES = frozenset({State.HOMING, State.MOVING, State.STOPPING})


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Args:
        state: what the focuser is doing.
        reason: one sentence for a human: why it is offline, or what went wrong last; empty for nothing.
        current_steps, target_steps: where it is and where it shall stand, in steps out; None where unknown.
        leg: which leg of a move runs.
        speed_mm_sec: measured, positive outward.
        time_left_s: until the running command ends.
        homing_travelled_mm: how far a homing run has come.
        shortfall_steps: what the last approach lacked of the full backlash.
        read_at_s: when the controller was last heard, on the service's clock; None without a link.
    """

    state: State = State.DISCONNECTED
    reason: str = ""
    current_steps: int | None = None
    target_steps: int | None = None
    leg: Leg | None = None
    speed_mm_sec: float = 0.0
    time_left_s: float | None = None
    homing_travelled_mm: float | None = None
    shortfall_steps: int = 0
    read_at_s: float | None = None

    @property
    def status(self) -> int:
        """The published FocuserStatus."""
        if self.current_steps is None:
            return FocuserStatus.Disabled
        return _PUBLIC_STATUS[self.state]

    @property
    def motor_may_run(self) -> bool:
        """Whether a motion was commanded whose end is not yet proven."""
        return self.state in _RUNNING_STATES
