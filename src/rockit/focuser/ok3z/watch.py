"""What readings mean while the motor should run, halt or rest. Pure judgement: readings in, verdicts out.

The protocol has no checksum, so no single surprising reading is believed (docs/decisions/0003-belief.md),
and the state text is only half known, so nothing is concluded from it without the register.
"""

from __future__ import annotations

import enum
from collections import deque

from .errors import MoveTimeoutError, NoProgressError, NoSwitchError, PositionLostError, StalledError
from .mechanics import mm_from_steps
from .rates import RateWatch
from .reading import Reading
from .registers import POSITION_TOLERANCE_STEPS, TRAVEL_MM, is_at, near_power_up

# Readings of one kind of surprise, in a row, that make it a fact.
BELIEVED_READINGS = 3
# A second reading at the same register, so much later, proves standstill: at the homing speed 0.05 s are 64 steps.
STANDSTILL_GAP_S = 0.05
# How long a command may take to show, and how long a standstill short of the target may last, before it counts.
START_GRACE_S = 0.6
# How long the state may say "moving" with an unchanged register. The slowest speed makes 61 steps a second.
STALL_S = 2.0
# A jump is a change beyond what the motor can do: half as much again, and the register's noise of timing.
SPEED_MARGIN = 1.5
JUMP_MARGIN_STEPS = 100
# A motor of which it is not known how fast it runs may be so many times as fast as computed, before it surprises.
UNKNOWN_RATIO = 2.0
MOMENT_S = 0.001
# A change over a longer gap between two readings than this, and four answers, was not watched. They come every 0.1 s
# where an answer takes 10 ms.
UNSEEN_S = 0.2
ANSWERS_A_LOOK = 4
# Of a longer gap between two readings no more than this counts as time of the motion.
HELD_UP_S = 1.0
# How far past the ends of its path the register may be without being called astray (6 micrometres).
PATH_MARGIN_STEPS = 32
# How far a homing run may go: the whole travel, and what backlash and a worn stop may add.
HOMING_REACH_MM = TRAVEL_MM + 0.5
# The measured speed is taken over so many readings.
SPEED_READINGS = 4
# So far a limit switch may let the drive fall back when it ends a run (80 micrometres).
FALL_BACK_STEPS = 400
# Where the limit switch ends a run differs by so much from run to run (20 micrometres).
SWITCH_REPEAT_STEPS = 100


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
        ratio: how fast it was seen to change, over that; None where that is not known.
        power_ups: where the controller was seen to begin after a power cut.
        answer_s: how long an answer of this controller takes, in seconds.
        falls_back: whether the motor may fall back a little when it comes to stand, as a limit switch lets it.
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
    ) -> None:
        self.last = start
        """The last reading that is believed."""
        self.shown = start
        """The last of them that surely tells where the motor is: the register of a power cut may lie within reach."""
        self.leapt: tuple[int, int] | None = None
        """From where to where the register went faster than the motor can, if it did on this path."""
        self._jumped = False
        self._unseen = False
        self._rate_is_known = ratio is not None
        self._fastest_steps_s = speed_steps_s * SPEED_MARGIN * (UNKNOWN_RATIO if ratio is None else ratio)
        self._power_ups = power_ups
        self._answer_s = answer_s
        self._falls_back = falls_back
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

    def ends_at_power_up(self, register: int) -> bool:
        """Whether a register is one at which a controller begins after a power cut."""
        return near_power_up(register, self._power_ups, within_steps=0)

    def reach_steps(self, elapsed_s: float) -> float:
        """How far the motor can have gone in so many seconds, generously."""
        return self._fastest_steps_s * elapsed_s

    def take(self, reading: Reading) -> bool:
        """Take a reading; False where it surprises, and the next one should come at once.

        Raises:
            PositionLostError: the register really ran the wrong way, or left its path.
        """
        surprise = self._surprise(reading)
        if surprise is None:
            self._believe(reading)
            return True
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
        if self._rate_is_known:
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
        if step:
            self._jumped = False
            # A register does not go back by itself: that step was not what it seems.
            unseen = step < 0 and not self._may_fall_back(reading, -step)
            self._unseen = unseen or reading.at_s - self.last.at_s > self.unseen_s
        self.last = reading
        if not self.ends_at_power_up(reading.register):
            self.shown = reading
        if self._direction * (reading.register - self._furthest.register) >= 0:
            self._before_furthest, self._furthest = self._furthest, reading
        self._recent.append(reading)
        self._doubts = []
        self._doubt = None

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


class StandstillWatch:
    """Tells when the motor stands: the state says so all the time, at one place, and two readings STANDSTILL_GAP_S
    apart are of one register. (Where one was misread, or the register flickers, others agree.)"""

    def __init__(self) -> None:
        self._begun_at: int | None = None
        self._first_read_s: dict[int, float] = {}

    def take(self, reading: Reading) -> bool:
        """Take a reading; True when standstill is proven."""
        if self._begun_at is None or not is_at(self._begun_at, reading.register):
            self._begun_at = reading.register
            self._first_read_s = {}
        if not reading.stands_still:
            self._begun_at = None
            return False
        first_s = self._first_read_s.setdefault(reading.register, reading.at_s)
        return reading.at_s - first_s >= STANDSTILL_GAP_S


class Verdict(enum.Enum):
    """What to do next about a motion."""

    GOING = enum.auto()
    LOOK_AGAIN = enum.auto()
    """Read again soon: something is to be confirmed."""
    NOT_STARTED = enum.auto()
    """The motor stands where it stood: the command may be lost on the wire, and may be repeated."""
    ARRIVED = enum.auto()


class Allowance:
    """How much longer a motion may take. Of a gap in which nobody could look, because the process was held up or
    nothing was answered, no more than HELD_UP_S counts: it was no time of the motor's.

    Args:
        left_s: so long, in seconds.
    """

    def __init__(self, left_s: float) -> None:
        self.left_s = left_s

    def spend(self, gap_s: float) -> float:
        """So much time has passed between two readings. Gives what counts of it."""
        counted_s = min(gap_s, HELD_UP_S)
        self.left_s -= counted_s
        return counted_s


class _ProgressWatch:
    """What a leg and a homing run have in common: the register must change, at its rate, and in time."""

    def __init__(self, tracker: Tracker, rate: RateWatch, allowance: Allowance) -> None:
        self.tracker = tracker
        self.rate = rate
        self._allowance = allowance
        self._start = tracker.last
        self._unchanged_s = 0.0
        self._unchanged_register = tracker.last.register
        self._looked_at_s = tracker.last.at_s
        self._was_seen_running = False
        self.was_unwatched = False
        """Whether so much time passed between two readings since the command that a power cut may have gone unseen."""

    def restarted(self, now_s: float) -> None:
        """The command was repeated: the grace begins anew."""
        self._unchanged_s = 0.0
        self._looked_at_s = now_s

    @property
    def has_moved(self) -> bool:
        """Whether the motor was seen leaving its place."""
        # A register that is back where it began may be that of a power cut, if the motor was seen running.
        return self._was_seen_running or not is_at(self.tracker.last.register, self._start.register)

    def _take(self, reading: Reading) -> bool:
        gap_s = reading.at_s - self._looked_at_s
        self._looked_at_s = reading.at_s
        self.was_unwatched |= gap_s > self.tracker.unseen_s
        self._unchanged_s += self._allowance.spend(gap_s)
        believed = self.tracker.take(reading)
        if believed and self.tracker.last is reading:
            self.rate.take(reading)
        if believed and not reading.stands_still and reading.register != self._start.register:
            self._was_seen_running = True
        if not is_at(self.tracker.last.register, self._unchanged_register):
            self._unchanged_register = self.tracker.last.register
            self._unchanged_s = 0.0
        return believed

    def _refuse_delay(self, reading: Reading) -> None:
        """What has not ended by now does not end, or hangs."""
        if self._allowance.left_s < 0:
            raise MoveTimeoutError(
                f"the motion did not end in time: the register is {reading.register}. "
                "Look whether the focuser runs freely, and at speed_mm_sec and move_timeout."
            )
        if not reading.stands_still and self._unchanged_s > STALL_S:
            raise StalledError(
                f"the controller says that the motor runs, but the register has stood at {reading.register} "
                f"for {STALL_S:g} s. Look at the motor's power and its load."
            )


class LegWatch(_ProgressWatch):
    """Judges the readings of one go-to.

    Args:
        tracker: follows the register; its path ends at `target_register`.
        rate: measures the run.
        target_register: where the leg ends.
        allowance: how much longer the whole move may take.
        duration_s: how long the run takes, in seconds.
        switch_register: where the limit switch is, which may end a run inward; None where that is not known.
    """

    def __init__(
        self,
        tracker: Tracker,
        rate: RateWatch,
        target_register: int,
        allowance: Allowance,
        duration_s: float,
        switch_register: int | None = None,
    ) -> None:
        super().__init__(tracker, rate, allowance)
        self._target_register = target_register
        self._duration_s = duration_s
        self._due_s = tracker.last.at_s + duration_s
        self._switch_register = switch_register
        self._arrivals = 0
        self._standing_near = StandstillWatch()

    @property
    def left_steps(self) -> int:
        """How many steps are left of the run."""
        return abs(self._target_register - self.tracker.last.register)

    def restarted(self, now_s: float) -> None:
        super().restarted(now_s)
        self._due_s = now_s + self._duration_s

    def take(self, reading: Reading) -> Verdict:
        """Judge a reading.

        Raises:
            PositionLostError: the register cannot be trusted any more: a motor does not stop short by itself.
            SettingsLostError: it changes at another rate than its settings make.
            StalledError: the controller says that the motor runs, and it does not.
            NoProgressError: the limit switch ended it.
            MoveTimeoutError: the deadline has passed.
        """
        believed = self._take(reading)
        if self.tracker.leapt:
            raise leapt(*self.tracker.leapt)
        verdict = self._at_target(reading)
        if verdict is Verdict.ARRIVED:
            return verdict
        self._refuse_delay(reading)
        if verdict is Verdict.LOOK_AGAIN or not believed:
            return Verdict.LOOK_AGAIN
        if reading.stands_still and self._unchanged_s > START_GRACE_S:
            return self._stand_short(reading)
        return Verdict.GOING

    def _at_target(self, reading: Reading) -> Verdict:
        if not (reading.stands_still and is_at(reading.register, self._target_register)):
            self._arrivals = 0
            self._standing_near = StandstillWatch()
            return Verdict.GOING
        if reading.register == self._target_register:
            return self._arrive(reading)
        # Some controllers round their registers, or stop a step beside the target. One that has yet to begin a run of
        # some steps looks so, too.
        if not self.has_moved:
            return Verdict.GOING
        near = self._standing_near.take(reading) and reading.earliest_s >= self._due_s
        return Verdict.ARRIVED if near and self.tracker.last is reading else Verdict.LOOK_AGAIN

    def _arrive(self, reading: Reading) -> Verdict:
        self._arrivals += 1
        seen_coming = self.tracker.last is reading and not self.tracker.came_unseen
        if seen_coming and reading.earliest_s >= self._due_s:
            # No surprise: state and register agree with each other, with the way there, and with the clock.
            return Verdict.ARRIVED
        if self._arrivals < 2 or self.tracker.last.register != self._target_register:
            return Verdict.LOOK_AGAIN
        if self.tracker.came_unseen and self.tracker.ends_at_power_up(self._target_register):
            raise PositionLostError(
                f"the register reads {self._target_register}, which is the target, but nobody saw it come there. "
                "Was the controller's power cut? Home the focuser (focus init)."
            )
        return Verdict.ARRIVED

    def _stand_short(self, reading: Reading) -> Verdict:
        if not self.has_moved:
            return Verdict.NOT_STARTED
        missing_mm = abs(mm_from_steps(self._target_register - reading.register))
        if self._is_at_switch(reading.register):
            raise NoProgressError(
                f"the limit switch stopped the motor {missing_mm:.3f} mm short of its target. The position is known."
            )
        raise PositionLostError(
            f"the motor stands {missing_mm:.3f} mm short of its target (register {reading.register}, "
            f"expected {self._target_register}). Was the controller's power cut, is the motor overloaded, or was "
            "it stopped by hand? Home the focuser (focus init)."
        )

    def _is_at_switch(self, register: int) -> bool:
        """Whether the limit switch may have ended a run inward here, a little before it did in the homing."""
        if self._switch_register is None or not self.tracker.inward or self.tracker.came_unseen:
            return False
        near = abs(self._switch_register - register) <= SWITCH_REPEAT_STEPS
        return near and not self.tracker.ends_at_power_up(register)


class HomingWatch(_ProgressWatch):
    """Judges the readings of a homing run, whose end shows only in that the register stops growing."""

    def __init__(
        self, tracker: Tracker, rate: RateWatch, allowance: Allowance, reach_mm: float = HOMING_REACH_MM
    ) -> None:
        super().__init__(tracker, rate, allowance)
        self._reach_mm = reach_mm
        self._standstill = StandstillWatch()

    def take(self, reading: Reading) -> Verdict:
        """Judge a reading. ARRIVED: the motor ran inward and stands.

        Raises:
            PositionLostError: the register ran outward.
            SettingsLostError: it changes at another rate than its settings make.
            NoSwitchError: the run went on past `reach_mm`.
            NoProgressError, MoveTimeoutError: as for a leg.
        """
        believed = self._take(reading)
        if self._standstill.take(reading) and believed and self.has_moved:
            return Verdict.ARRIVED
        self._refuse_delay(reading)
        if not believed:
            return Verdict.LOOK_AGAIN
        run_mm = mm_from_steps(reading.register - self._start.register)
        if run_mm > self._reach_mm:
            raise NoSwitchError(
                f"the homing run went {run_mm:.2f} mm and met no limit switch; the whole travel is {TRAVEL_MM:g} mm. "
                "Look at the inner limit switch."
            )
        if reading.stands_still and not self.has_moved and self._unchanged_s > START_GRACE_S:
            return Verdict.NOT_STARTED
        return Verdict.GOING
