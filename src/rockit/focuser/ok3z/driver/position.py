"""Where the focuser is: one record, which homing and resuming fill, and one call empties.

The driver reckons with it, and the status shows it. Storage keeps how it was at the last standstill, which is what a
new link, or the next process, has to prove. It holds while a link does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from ..errors import PositionLostError


class Trust(enum.Enum):
    """What the published position rests on."""

    HOMED = "homed"
    """The limit switch, and an unbroken watch since."""
    RESUMED = "resumed"
    """An earlier homing: the controller was found as it had been left."""
    UNKNOWN = "unknown"
    """Nothing: there is no position."""


@dataclass
class Position:
    """What is known of the position now.

    Args:
        known_origin: the register at 0 mm; None if the position is not known.
        taken_up_steps: how far the focuser has run inward since it last ran outward (bounded by the backlash).
        trust: what it rests on.
        reason: one sentence: why it is no better than that; empty for a homed one.
        homed_at: when the homing was that it rests on, in UTC; None if there is none.
    """

    known_origin: int | None = None
    taken_up_steps: int = 0
    trust: Trust = Trust.UNKNOWN
    reason: str = ""
    homed_at: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is a position."""
        return self.known_origin is not None

    @property
    def origin_register(self) -> int:
        """The register at 0 mm. Raises PositionLostError if it is not known."""
        if self.known_origin is None:
            raise PositionLostError("the position is not known: home the focuser (focus init).")
        return self.known_origin

    def found(self, origin_register: int, taken_up_steps: int) -> None:
        """The register at 0 mm is known, and how the backlash lies."""
        self.known_origin, self.taken_up_steps = origin_register, taken_up_steps

    def rests_on(self, trust: Trust, reason: str, homed_at: datetime | None) -> None:
        """What was found rests on this."""
        self.trust, self.reason, self.homed_at = trust, reason, homed_at

    def forget(self) -> None:
        """The register is not to be trusted any more."""
        self.known_origin, self.taken_up_steps = None, 0
        self.rests_on(Trust.UNKNOWN, "", None)
