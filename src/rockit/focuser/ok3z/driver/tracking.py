"""Follows the register along the path of a run. Pure judgement: readings in, and what is believed of them.

The protocol has no checksum, so no single surprising reading is believed (docs/decisions/0003-belief.md). A tracker
knows where the motor comes from, where it goes and how fast it can. What does not fit is looked at again, and believed
when further readings agree. It also knows what it did not see: a register that came where it is by a jump, or while
nothing was heard, may be that of a power cut.
"""

from __future__ import annotations

import enum
from collections import deque

from ..errors import PositionLostError
from .reading import Reading
from .refresh import Refresh
from .registers import POSITION_TOLERANCE_STEPS, POWER_UP_REGISTER, is_at, near_power_up
from .tally import Tally

# Readings of one kind of surprise, in a row, that make it a fact.
BELIEVED_READINGS = 3
# A jump is a change beyond what the motor can do: half as much again, and the register's noise of timing.
SPEED_MARGIN = 1.5
JUMP_MARGIN_STEPS = 100
# A motor of which it is not known how fast it runs may be so many times as fast as computed, before it surprises.
UNKNOWN_RATIO = 2.0
# Two readings are no less apart than this, in seconds.
MOMENT_S = 0.001
# A change over a longer gap between two readings than this, and four answers, was not watched. They come every 0.1 s
# where an answer takes 10 ms.
UNSEEN_S = 0.2
ANSWERS_A_LOOK = 4
# How far past the ends of its path the register may be without being called astray (6 micrometres).
PATH_MARGIN_STEPS = 32
# The measured speed is taken over so many readings.
SPEED_READINGS = 4
# So far a limit switch may let the drive fall back when it ends a run (80 micrometres).
FALL_BACK_STEPS = 400


class Surprise(enum.Enum):
    """Why a reading is not believed at once."""

    AHEAD = "went further than the motor can"
    BACK = "ran the wrong way"
    ASTRAY = "left its path"


class Tracker:
    """Follows the register along a path and believes a surprise only when further readings agree.

    Args:
        start: a reading from standstill.
        end_register: where the path ends; the sign of the difference is the direction.
        speed_steps_s: how fast the register should change, in steps/s.
        ratio: how fast it was seen to change, over that; None if that is not known.
        power_ups: where the controller was seen to begin after a power cut.
        answer_s: how long an answer of this controller takes, in seconds.
        falls_back: whether the motor may fall back a little when it comes to stand, as a limit switch lets it.
        refresh: how often the controller renews its register; None: whenever it is asked.
        tally: counts what surprises.
    """

    def __init__(
        self,
        start: Reading,
        end_register: int,
        speed_steps_s: float,
        ratio: float | None = None,
        power_ups: tuple[int, ...] = (),
        answer_s: float = 0.0,
        falls_back: bool = False,
        refresh: Refresh | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally()
        self.last = start
        """The last reading that is believed."""
        self.shown = start
        """The last of them that surely tells where the motor is: the register of a power cut may lie within reach."""
        self.leapt: tuple[int, int] | None = None
        """From where to where the register went faster than the motor can, if it did on this path."""
        self.began_past_power_up = False
        """Whether the run was first seen at or past a power-up value ahead of its start: it may have begun there. Not
        of a process that was held up: that the power was cut just then, too, is not supposed."""
        self._jumped = False
        self._unseen = False
        self.rate_is_known = ratio is not None
        """Whether it was seen before how fast such a run is."""
        self._fastest_steps_s = speed_steps_s * SPEED_MARGIN * (UNKNOWN_RATIO if ratio is None else ratio)
        self._power_ups = power_ups
        self._answer_s = answer_s
        self._falls_back = falls_back
        self._refresh = refresh
        self._was_said_to_run = False
        self._start_register = start.register
        self._furthest = self._before_furthest = start
        self._end_register = end_register
        self._direction = 1 if end_register >= start.register else -1
        self._recent = deque([start], maxlen=SPEED_READINGS)
        self._doubts: list[Reading] = []
        self._doubt: Surprise | None = None

    @property
    def start_register(self) -> int:
        """Where the path begins."""
        return self._start_register

    @property
    def end_register(self) -> int:
        """Where the path ends."""
        return self._end_register

    @property
    def rate_steps_s(self) -> float:
        """How fast the register changes, as measured over the last readings, in steps/s; positive inward."""
        elapsed_s = self.last.at_s - self._recent[0].at_s
        return (self.last.register - self._recent[0].register) / elapsed_s if elapsed_s > 0 else 0.0

    @property
    def came_unseen(self) -> bool:
        """Whether nobody saw the register come to where it is: it jumped, or no reply came meanwhile. A
        controller that lost its power looks so."""
        return self._jumped or self._unseen

    @property
    def inward(self) -> bool:
        """Whether the path leads inward, where the register grows."""
        return self._direction > 0

    def ends_at_power_up(self, register: int, within_steps: int = 0) -> bool:
        """Whether a register is one at which a controller begins after a power cut, or so near it."""
        return near_power_up(register, self._power_ups, within_steps)

    def reach_steps(self, elapsed_s: float) -> float:
        """How far the motor can have gone in so many seconds, generously."""
        return self._fastest_steps_s * elapsed_s

    def take(self, reading: Reading) -> bool:
        """Take a reading; False if it surprises, and the next one should come at once.

        Raises:
            PositionLostError: the register really ran the wrong way, or left its path.
        """
        self._was_said_to_run |= not reading.stands_still
        surprise = self._surprise(reading)
        if surprise is None:
            self._believe(reading)
            return True
        self._tally.surprises[surprise.name.lower()] += 1
        if surprise is not self._doubt:
            self._doubts = []
        self._doubt = surprise
        self._doubts.append(reading)
        if surprise is Surprise.AHEAD:
            return self._take_jump(reading)
        if len(self._doubts) < BELIEVED_READINGS:
            return False
        raise PositionLostError(
            f"the register {surprise.value}: {reading.register} was read after {self.last.register}, "
            f"on the way from {self._start_register} to {self._end_register}. "
            "Was the controller's power cut, or its hand control used? Home the focuser (focus init)."
        )

    def _surprise(self, reading: Reading) -> Surprise | None:
        # From the furthest, not from the last: that may be a small step back that was misread.
        ahead = self._direction * (reading.register - self._furthest.register)
        beyond = self._direction * (reading.register - self._end_register)
        behind = self._direction * (self._start_register - reading.register)
        if max(beyond, behind) > PATH_MARGIN_STEPS:
            return Surprise.ASTRAY
        # A small step ahead may have been a misreading, and a small step back is then the truth.
        if -ahead > self.reach_steps(UNSEEN_S) + JUMP_MARGIN_STEPS:
            return Surprise.BACK
        # Nor may it be the truth that jumps, because the furthest was misread as too near.
        if self._leaps(self._furthest, reading) and self._leaps(self._before_furthest, reading):
            return Surprise.AHEAD
        return None

    def _leaps(self, earlier: Reading, reading: Reading) -> bool:
        ahead = self._direction * (reading.register - earlier.register)
        return ahead > self.reach_steps(reading.at_s - earlier.earliest_s) + JUMP_MARGIN_STEPS

    def _take_jump(self, reading: Reading) -> bool:
        """A jump is a fact when further readings agree, whether the register stands then or runs on."""
        before = self._doubts[-2] if len(self._doubts) > 1 else None
        if before and self._direction * (reading.register - before.register) < 0:
            # One of the two was misread, and that it was this one cannot be told.
            self._doubts = [reading]
        if len(self._doubts) < BELIEVED_READINGS:
            return False
        # The last may itself be misread: what it confirms is the one before it.
        first, confirmed = self._doubts[0], self._doubts[-2]
        runs_on = not is_at(confirmed.register, first.register)
        if self.rate_is_known:
            self.leapt = self.leapt or (self.last.register, first.register)
        elif runs_on:
            # Not a leap, but a motor that is faster than was thought. How fast, the homing that goes on will tell.
            rate_steps_s = abs(confirmed.register - first.register) / max(
                confirmed.at_s - first.at_s, MOMENT_S
            )
            self._fastest_steps_s = max(self._fastest_steps_s, rate_steps_s * SPEED_MARGIN)
        self._believe(confirmed)
        self._jumped = not runs_on
        return self.take(reading)

    def _believe(self, reading: Reading) -> None:
        step = self._direction * (reading.register - self.last.register)
        if is_at(self.last.register, self._start_register):
            watched = reading.at_s - self.last.earliest_s <= self.unseen_s
            self.began_past_power_up = watched and self._passes_power_up(reading)
        if step:
            self._jumped = False
            # A register does not go back by itself: that step was not what it seems.
            unseen = step < 0 and not self._may_fall_back(reading, -step)
            self._unseen = unseen or reading.at_s - self.last.at_s > self.unseen_s
        self.last = reading
        if not self.ends_at_power_up(reading.register):
            self.shown = reading
        ahead = self._direction * (reading.register - self._furthest.register)
        if ahead > 0 or (ahead == 0 and not self._may_be_out_of_date(reading)):
            self._before_furthest, self._furthest = self._furthest, reading
        self._recent.append(reading)
        self._doubts = []
        self._doubt = None

    def _may_be_out_of_date(self, reading: Reading) -> bool:
        """Whether a register that reads as before may be that of before: the motor can have run on since then."""
        if self._refresh is None:
            return False
        may_be_slow = self._refresh.is_slow or (self._was_said_to_run and not self._refresh.is_known)
        return may_be_slow or not reading.stands_still

    def _passes_power_up(self, reading: Reading) -> bool:
        """Whether a power-up value lies between the start and a reading, or just behind that."""
        run_steps = self._direction * (reading.register - self._start_register) + POSITION_TOLERANCE_STEPS
        values = (POWER_UP_REGISTER, *self._power_ups)
        return any(0 < self._direction * (value - self._start_register) <= run_steps for value in values)

    def _may_fall_back(self, reading: Reading, steps: int) -> bool:
        longest_steps = (
            FALL_BACK_STEPS if self._falls_back and reading.stands_still else POSITION_TOLERANCE_STEPS
        )
        return steps <= longest_steps

    @property
    def unseen_s(self) -> float:
        """Over a longer gap than this between two readings nobody has watched, in seconds."""
        return unseen_after_s(self._answer_s)


def unseen_after_s(answer_s: float) -> float:
    """Over which gap between two readings nobody has watched, where an answer takes so long; both in seconds."""
    return UNSEEN_S + ANSWERS_A_LOOK * answer_s


def leapt(from_register: int, to_register: int) -> PositionLostError:
    """The error for a register that went faster than the motor can."""
    return PositionLostError(
        f"the register went from {from_register} to {to_register} faster than the motor can. Was the controller's "
        "power cut? Home the focuser (focus init)."
    )
