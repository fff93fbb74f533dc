"""What the controller says of itself in one look, and what that means for the run that is under way."""

from __future__ import annotations

import enum
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


@dataclass(frozen=True)
class Progress:
    """A reading, and what it means for the command that runs.

    Args:
        reading: what the controller said, if it is believed.
        time_left_s: until the whole command ends, in seconds; for homing, at worst.
        speed_mm_sec: measured, positive outward.
        homing_travelled_mm: how far a homing run has come; None in a leg.
    """

    reading: Reading
    time_left_s: float
    speed_mm_sec: float
    homing_travelled_mm: float | None = None


class End(enum.Enum):
    """How a homing run ended."""

    SEEN = enum.auto()
    """The register grew until the motor stood."""
    UNSEEN = enum.auto()
    """The motor stands, but how it came there was not seen: a controller that lost its power looks so too."""
    NO_RUN = enum.auto()
    """The motor never left its place."""
