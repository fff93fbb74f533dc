"""What the controller says of itself in one look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One look at the motor.

    Args:
        register: the position register in microsteps, growing inward.
        stands_still: whether the motor says that it stands still.
        at_s: when the answer was here, in seconds of the clock.
        asked_s: when the question went out, if that is known: the register had this value somewhen between. On a
            machine under load that may be long.
    """

    register: int
    stands_still: bool
    at_s: float
    asked_s: float | None = None

    @property
    def earliest_s(self) -> float:
        """The earliest moment at which the register can have had this value."""
        return self.at_s if self.asked_s is None else self.asked_s
