"""Somebody drives the focuser at its controller. Pure judgement: readings in, and whether the position is still known.

It is, if the register was seen running from where it was left to where it stands. At rest it is read once a second
only, so the beginning of the run is inferred: from the direction and the rate at which it then runs on. What a power
cut may look like is not believed: a register that stands at once, whose run may as well have begun at one at which this
controller begins, that stands on one, that jumps, or that nobody could read for a while. Nor is a drive to an end of
the travel, where a motor loses steps (docs/decisions/0010-resuming.md).
"""

from __future__ import annotations

from ..errors import PositionLostError
from .reading import Reading
from .refresh import Refresh
from .registers import POSITION_TOLERANCE_STEPS, POWER_UP_REGISTER, is_at, near_power_up
from .run_watch import StandstillWatch
from .tracking import JUMP_MARGIN_STEPS, MOMENT_S

# How much earlier than its measured rate says a run may have begun: it speeds up first, and both moments are blurred.
BEGINNING_MARGIN = 1.3


class HandWatch:
    """Follows a motor that runs unasked.

    Args:
        left: the last reading before it ran.
        inner_register, outer_register: the registers at the ends of the travel.
        fastest_steps_s: how fast a motor can run at all, in steps/s.
        power_ups: where the controller was seen to begin after a power cut.
        unseen_s: over a longer gap than this between two readings nobody has watched, in seconds.
        refresh: how often the controller renews its register; None: whenever it is asked.
    """

    def __init__(
        self,
        left: Reading,
        inner_register: int,
        outer_register: int,
        fastest_steps_s: float,
        power_ups: tuple[int, ...],
        unseen_s: float,
        refresh: Refresh | None = None,
    ) -> None:
        self._left = left
        self._ends = (outer_register + POSITION_TOLERANCE_STEPS, inner_register - POSITION_TOLERANCE_STEPS)
        self._fastest_steps_s = fastest_steps_s
        self._power_ups = (POWER_UP_REGISTER, *power_ups)
        self._unseen_s = unseen_s
        self._last = left
        self._found: Reading | None = None
        self._direction = 0
        self._measured_steps_s = 0.0
        self._standstill = StandstillWatch(refresh)
        self.went_outward = False
        """Whether it ever ran outward: then the backlash is not taken up any more."""

    def take(self, reading: Reading) -> bool:
        """Take a reading; True when the motor stands, at a position that is known.

        Raises:
            PositionLostError: nobody can tell how it came there.
        """
        step = reading.register - self._last.register
        if self._found is not None:
            self._follow(self._found, reading)
        elif not is_at(reading.register, self._left.register):
            self._find(reading)
        if self._found is not None and not self._ends[0] <= reading.register <= self._ends[1]:
            raise self._unknown(reading, "it was driven to an end of the travel, where steps may be lost")
        self.went_outward |= step < -POSITION_TOLERANCE_STEPS
        self._last = reading
        if not self._standstill.take(reading):
            return False
        self._require_seen_from_the_beginning(reading)
        return True

    def _follow(self, found: Reading, reading: Reading) -> None:
        """A reading after the first one elsewhere."""
        step = reading.register - self._last.register
        if abs(step) > self._reach_steps(self._last, reading):
            raise self._unknown(reading, "its register jumped")
        gap_s = reading.at_s - self._last.at_s
        if step and gap_s > self._unseen_s:
            raise self._unknown(reading, f"nobody could look for {gap_s:.1f} s")
        if reading.stands_still and near_power_up(
            reading.register, self._power_ups, POSITION_TOLERANCE_STEPS
        ):
            raise self._unknown(reading, "it stands at the register of a power cut")
        run_on_steps = reading.register - found.register
        if not self._direction and not is_at(reading.register, found.register):
            self._direction = 1 if run_on_steps > 0 else -1
        rate_steps_s = self._direction * run_on_steps / max(reading.at_s - found.earliest_s, MOMENT_S)
        self._measured_steps_s = max(self._measured_steps_s, rate_steps_s)

    def _find(self, reading: Reading) -> None:
        """The first reading elsewhere."""
        if reading.stands_still:
            raise self._unknown(reading, "nobody saw it run")
        if abs(reading.register - self._left.register) > self._reach_steps(self._left, reading):
            raise self._unknown(reading, "its register jumped")
        self._found = reading

    def _reach_steps(self, earlier: Reading, later: Reading) -> float:
        return self._fastest_steps_s * (later.at_s - earlier.earliest_s) + JUMP_MARGIN_STEPS

    def _require_seen_from_the_beginning(self, reading: Reading) -> None:
        found = self._found
        if found is None:
            return
        if not self._may_have_begun_at(self._left.register, found):
            raise self._unknown(reading, "the beginning of its run was not seen")
        if any(self._may_have_begun_at(register, found) for register in self._power_ups):
            raise self._unknown(reading, "it may have begun at the register of a power cut")

    def _may_have_begun_at(self, register: int, found: Reading) -> bool:
        """Whether a run from there, as it then went on, can have come to where it was found in the time."""
        reach_steps = BEGINNING_MARGIN * self._measured_steps_s * (found.at_s - self._left.earliest_s)
        way_steps = self._direction * (found.register - register)
        return -JUMP_MARGIN_STEPS <= way_steps <= reach_steps + JUMP_MARGIN_STEPS

    def _unknown(self, reading: Reading, why: str) -> PositionLostError:
        return PositionLostError(
            f"the focuser moved unasked: its register was left at {self._left.register} and reads {reading.register}, "
            f"and {why}. Was the controller's power cut, or its hand control used? Home the focuser (focus init)."
        )
