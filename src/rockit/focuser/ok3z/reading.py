"""What the controller says of itself in one look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One look at the motor.

    Args:
        register: the position register in microsteps, growing inward.
        stands_still: whether the motor says that it stands still.
        at_s: when, in seconds of the clock.
    """

    register: int
    stands_still: bool
    at_s: float
