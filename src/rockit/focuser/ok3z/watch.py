"""What readings mean while the motor should run, halt or rest. Pure judgement: readings in, verdicts out.

The protocol has no checksum, so no single surprising reading is believed (docs/decisions/0003-belief.md),
and the state text is only half known, so nothing is concluded from it without the register.
"""

from __future__ import annotations

import enum
from collections import deque

from .errors import HomingFailedError, MoveTimeoutError, NoProgressError, PositionLostError
from .mechanics import mm_from_steps
from .reading import Reading
from .registers import POWER_UP_REGISTER, TRAVEL_MM

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
# A change over a longer gap between two readings than this was not watched. They come every 0.1 s.
UNSEEN_S = 0.2
# How far past the ends of its path the register may be without being called astray (6 micrometres).
PATH_MARGIN_STEPS = 32
# How far a homing run may go: the whole travel, and what backlash and a worn stop may add.
HOMING_REACH_MM = TRAVEL_MM + 0.5
# The measured speed is taken over so many readings.
SPEED_READINGS = 4
# A run watched for so long shows how fast the motor is.
KNOWN_RUN_S = 0.4


class Surprise(enum.Enum):
    """Why a reading is not believed at once."""

    AHEAD = "went further than the motor can"
    BACK = "ran the wrong way"
    ASTRAY = "left its path"


class Pace:
    """How much faster than commanded the motor has been seen to run on. 1 on a real focuser; more on a
    virtual one whose time is scaled. Learnt once, it tells a jump from mere speed."""

    def __init__(self) -> None:
        self.factor = 1.0
        self.is_as_commanded = False
        """Whether the motor was watched running long enough to say that it is no faster than commanded."""

    def learn(self, factor: float) -> None:
        self.factor = max(self.factor, factor)


class Tracker:
    """Follows the register along a path and believes a surprise only when further readings agree.

    Args:
        start: a reading from standstill.
        end_register: where the path ends; the sign of the difference is the direction.
        speed_steps_s: how fast the register can change at the commanded speed, in steps/s.
        pace: how much faster it has been seen to change.
    """

    def __init__(self, start: Reading, end_register: int, speed_steps_s: float, pace: Pace) -> None:
        self.last = start
        """The last reading that is believed."""
        self.shown = start
        """The last of them that surely tells where the motor is: the register of a power cut may lie within reach."""
        self.jumped = False
        """Whether the register came to where it is by a jump, and has not moved on since."""
        self.leapt: tuple[int, int] | None = None
        """From where to where the register went faster than a motor can that is known to be as fast as commanded."""
        self.has_jumped = False
        """Whether it ever jumped on this path, whatever it did afterwards."""
        self._unseen = False
        self._speed_steps_s = speed_steps_s
        self._pace = pace
        self._start_register = start.register
        self._furthest = start
        self._end_register = end_register
        self._direction = 1 if end_register >= start.register else -1
        self._running_from: Reading | None = None
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
        return self.jumped or self._unseen

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
        if -ahead > self._reach_steps(UNSEEN_S):
            return Surprise.BACK
        if ahead > self._reach_steps(reading.at_s - self._furthest.earliest_s):
            return Surprise.AHEAD
        return None

    def _reach_steps(self, elapsed_s: float) -> float:
        return self._speed_steps_s * self._pace.factor * SPEED_MARGIN * elapsed_s + JUMP_MARGIN_STEPS

    def _take_jump(self, reading: Reading) -> bool:
        """A jump is a fact when further readings agree; and no jump but speed where the register runs on."""
        before = self._doubts[-2] if len(self._doubts) > 1 else None
        if before and self._direction * (reading.register - before.register) < 0:
            # One of the two was misread, and that it was this one cannot be told.
            self._doubts = [reading]
        if len(self._doubts) < BELIEVED_READINGS:
            return False
        # The last may itself be misread: what it confirms is the one before it.
        first, confirmed = self._doubts[0], self._doubts[-2]
        run_on_steps = abs(confirmed.register - first.register)
        elapsed_s = confirmed.at_s - first.at_s
        if run_on_steps and elapsed_s > 0:
            self._pace.learn(run_on_steps / elapsed_s / self._speed_steps_s)
        self.has_jumped = True
        if self._pace.is_as_commanded:
            self.leapt = self.leapt or (self.last.register, first.register)
        self._believe(confirmed)
        self.jumped = run_on_steps == 0
        return self.take(reading)

    def _believe(self, reading: Reading) -> None:
        self._confirm_pace(reading)
        step = self._direction * (reading.register - self.last.register)
        if step:
            self.jumped = False
            # A register does not go back by itself: that step was not what it seems.
            self._unseen = step < 0 or reading.at_s - self.last.at_s > UNSEEN_S
        self.last = reading
        if reading.register != POWER_UP_REGISTER:
            self.shown = reading
        if self._direction * (reading.register - self._furthest.register) >= 0:
            self._furthest = reading
        self._recent.append(reading)
        self._doubts = []
        self._doubt = None

    def _confirm_pace(self, reading: Reading) -> None:
        """A run that was watched for a while, advancing at every look, shows that the motor is no faster than
        commanded. A scaled simulator is over too soon to show anything."""
        advanced = self._direction * (reading.register - self.last.register) > 0
        if reading.stands_still or not advanced or reading.at_s - self.last.at_s > UNSEEN_S:
            self._running_from = None
            return
        first = self._running_from = self._running_from or reading
        # The shortest that it can have taken: a slow answer must not make a fast motor a slow one.
        elapsed_s = reading.earliest_s - first.at_s
        run_steps = abs(reading.register - first.register)
        if elapsed_s >= KNOWN_RUN_S and run_steps <= self._speed_steps_s * SPEED_MARGIN * elapsed_s:
            self._pace.is_as_commanded = True


def leapt(from_register: int, to_register: int) -> PositionLostError:
    """The error for a register that went faster than the motor can."""
    return PositionLostError(
        f"the register went from {from_register} to {to_register} faster than the motor can. Was the controller's "
        "power cut? Home the focuser (focus init)."
    )


class StandstillWatch:
    """Tells when the motor stands: the state says so, twice, at one register, STANDSTILL_GAP_S apart."""

    def __init__(self) -> None:
        self._first: Reading | None = None

    def take(self, reading: Reading) -> bool:
        """Take a reading; True when standstill is proven."""
        if not reading.stands_still:
            self._first = None
        elif self._first is None or self._first.register != reading.register:
            self._first = reading
        else:
            return reading.at_s - self._first.at_s >= STANDSTILL_GAP_S
        return False


class Verdict(enum.Enum):
    """What to do next about a motion."""

    GOING = enum.auto()
    LOOK_AGAIN = enum.auto()
    """Read again soon: something is to be confirmed."""
    NOT_STARTED = enum.auto()
    """The motor stands where it stood: the command may be lost on the wire, and may be repeated."""
    ARRIVED = enum.auto()


class _ProgressWatch:
    """What a leg and a homing run have in common: the register must change, and in time."""

    def __init__(self, tracker: Tracker, deadline_s: float) -> None:
        self.tracker = tracker
        self._deadline_s = deadline_s
        self._start = tracker.last
        self._unchanged_since_s = tracker.last.at_s
        self._unchanged_register = tracker.last.register
        self._was_seen_running = False

    def restarted(self, now_s: float) -> None:
        """The command was repeated: the grace begins anew."""
        self._unchanged_since_s = now_s

    def _has_moved(self) -> bool:
        # A register that is back where it began may be that of a power cut, if the motor was seen running.
        return self._was_seen_running or self.tracker.last.register != self._start.register

    def _take(self, reading: Reading) -> bool:
        if reading.at_s > self._deadline_s:
            if self.tracker.has_jumped:
                raise PositionLostError(
                    f"the motion did not end in time, and its register had jumped on the way to {reading.register}. "
                    "Was the controller's power cut? Home the focuser (focus init)."
                )
            raise MoveTimeoutError(
                f"the motion did not end in time: the register is {reading.register}. "
                "Look whether the focuser runs freely, and at speed_mm_sec and move_timeout."
            )
        believed = self.tracker.take(reading)
        if believed and not reading.stands_still and reading.register != self._start.register:
            self._was_seen_running = True
        if self.tracker.last.register != self._unchanged_register:
            self._unchanged_register = self.tracker.last.register
            self._unchanged_since_s = reading.at_s
        return believed

    def _unchanged_s(self, reading: Reading) -> float:
        return reading.at_s - self._unchanged_since_s

    def _refuse_stall(self, reading: Reading) -> None:
        if not reading.stands_still and self._unchanged_s(reading) > STALL_S:
            raise NoProgressError(
                f"the controller says that the motor runs, but the register has stood at {reading.register} "
                f"for {STALL_S:g} s. Look at the motor's power and its load."
            )


class LegWatch(_ProgressWatch):
    """Judges the readings of one go-to.

    Args:
        tracker: follows the register; its path ends at `target_register`.
        target_register: where the leg ends.
        deadline_s: the moment, on the clock of the readings, when the whole move must have ended.
        duration_s: how long the run takes, in seconds.
    """

    def __init__(self, tracker: Tracker, target_register: int, deadline_s: float, duration_s: float) -> None:
        super().__init__(tracker, deadline_s)
        self._target_register = target_register
        self._duration_s = duration_s
        self._due_s = tracker.last.at_s + duration_s
        self._arrivals = 0

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
            NoProgressError: the controller says that the motor runs, and it does not.
            MoveTimeoutError: the deadline has passed.
        """
        believed = self._take(reading)
        if self.tracker.leapt:
            raise leapt(*self.tracker.leapt)
        self._refuse_stall(reading)
        if reading.stands_still and reading.register == self._target_register:
            return self._arrive(reading)
        self._arrivals = 0
        if not believed:
            return Verdict.LOOK_AGAIN
        if reading.stands_still and self._unchanged_s(reading) > START_GRACE_S:
            return self._stand_short(reading)
        return Verdict.GOING

    def _arrive(self, reading: Reading) -> Verdict:
        self._arrivals += 1
        seen_coming = self.tracker.last is reading and not self.tracker.came_unseen
        if seen_coming and reading.earliest_s >= self._due_s:
            # No surprise: state and register agree with each other, with the way there, and with the clock.
            return Verdict.ARRIVED
        if self._arrivals < 2 or self.tracker.last.register != self._target_register:
            return Verdict.LOOK_AGAIN
        if self.tracker.came_unseen and self._target_register == POWER_UP_REGISTER:
            raise PositionLostError(
                f"the register reads {self._target_register}, which is the target, but nobody saw it come there. "
                "Was the controller's power cut? Home the focuser (focus init)."
            )
        return Verdict.ARRIVED

    def _stand_short(self, reading: Reading) -> Verdict:
        if not self._has_moved():
            return Verdict.NOT_STARTED
        missing_mm = abs(mm_from_steps(self._target_register - reading.register))
        raise PositionLostError(
            f"the motor stands {missing_mm:.3f} mm short of its target (register {reading.register}, "
            f"expected {self._target_register}). Was the controller's power cut, is the motor overloaded, or was "
            "it stopped by hand? Home the focuser (focus init)."
        )


class HomingWatch(_ProgressWatch):
    """Judges the readings of a homing run, whose end shows only in that the register stops growing."""

    def __init__(self, tracker: Tracker, deadline_s: float) -> None:
        super().__init__(tracker, deadline_s)
        self._standstill = StandstillWatch()

    def take(self, reading: Reading) -> Verdict:
        """Judge a reading. ARRIVED: the motor ran inward and stands.

        Raises:
            PositionLostError: the register ran outward.
            HomingFailedError: the run went on past the whole travel.
            NoProgressError, MoveTimeoutError: as for a leg.
        """
        believed = self._take(reading)
        self._refuse_stall(reading)
        standing = self._standstill.take(reading)
        if not believed:
            return Verdict.LOOK_AGAIN
        run_mm = mm_from_steps(reading.register - self._start.register)
        if run_mm > HOMING_REACH_MM:
            raise HomingFailedError(
                f"the homing run went {run_mm:.2f} mm and met no limit switch; the whole travel is {TRAVEL_MM:g} mm. "
                "Look at the inner limit switch."
            )
        if standing and self._has_moved():
            return Verdict.ARRIVED
        if reading.stands_still and not self._has_moved() and self._unchanged_s(reading) > START_GRACE_S:
            return Verdict.NOT_STARTED
        return Verdict.GOING
