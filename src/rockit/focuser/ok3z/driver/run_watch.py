"""What readings mean while the motor should run, halt or rest. Pure judgement: readings in, verdicts out.

The state text is only half known, so nothing is concluded from it without the register, which `tracking` follows.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

from ..errors import MoveTimeoutError, NoProgressError, NoSwitchError, PositionLostError, StalledError
from .planning import mm_from_steps
from .rates import DEVIATION, RateWatch
from .reading import Reading
from .refresh import FLICKER_STEPS, STANDSTILL_GAP_S, Refresh
from .registers import POSITION_TOLERANCE_STEPS, TRAVEL_MM, is_at
from .tracking import JUMP_MARGIN_STEPS, SPEED_MARGIN, Tracker, leapt

# How long a command may take to show, and how long a standstill short of the target may last, before it counts.
START_GRACE_S = 0.6
# From the moment of a halt until the motor obeys it, generously.
HALT_TAKES_EFFECT_S = 0.2
# How long the state may say "moving" with an unchanged register. The slowest speed makes 61 steps a second.
STALL_S = 2.0
# Of a longer gap between two readings no more than this counts as time of the motion.
HELD_UP_S = 1.0
# How far a homing run may go: the whole travel, and what backlash and a worn stop may add.
HOMING_REACH_MM = TRAVEL_MM + 0.5
# Where the limit switch ends a run differs by so much from run to run (20 micrometres).
SWITCH_REPEAT_STEPS = 100


class _Always(Refresh):
    """Of a controller that tells its register as it is."""

    supposed_s = 0.0


_ALWAYS = _Always()


class StandstillWatch:
    """Tells when the motor stands: the state says so all the time, at one place, and two readings STANDSTILL_GAP_S
    apart are of one register. (If one was misread, or the register flickers, others agree.) Of a controller that
    renews its register less often they must be that far apart, or both may be out of date.

    Args:
        refresh: how often it does; None: whenever it is asked.
        ran: whether the motor may have run a moment ago.
    """

    def __init__(self, refresh: Refresh | None = None, ran: bool = True) -> None:
        self._refresh = refresh or _ALWAYS
        self._ran = ran
        self._begun_at: int | None = None
        self._first_read_s: dict[int, float] = {}

    def take(self, reading: Reading) -> bool:
        """Take a reading; True when standstill is proven."""
        if self._begun_at is None or not is_at(self._begun_at, reading.register):
            self._begun_at = reading.register
            self._first_read_s = {}
        if not reading.stands_still:
            self._begun_at = None
            self._first_read_s = {}
            self._ran = True
            return False
        first_s = self._first_read_s.setdefault(reading.register, reading.at_s)
        renewed = reading.earliest_s - first_s >= self.refresh_s or not self.refresh_s
        return renewed and reading.at_s - first_s >= STANDSTILL_GAP_S

    def provable_s(self, reading_s: float) -> float:
        """When to ask for the reading that can prove it, on the clock, if one takes so many seconds."""
        if not self._first_read_s:
            return -math.inf
        return min(self._first_read_s.values()) + max(STANDSTILL_GAP_S - reading_s, self.refresh_s)

    @property
    def refresh_s(self) -> float:
        """How long a register may be out of date, in seconds."""
        return self._refresh.supposed_s if self._ran else self._refresh.interval_s


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

    def __init__(
        self, tracker: Tracker, rate: RateWatch, allowance: Allowance, refresh: Refresh | None = None
    ) -> None:
        self.tracker = tracker
        self.rate = rate
        self._refresh = refresh or _ALWAYS
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
    def _stands_on(self) -> bool:
        """Whether the register has not changed for so long that nothing comes of the command any more."""
        return self._unchanged_s > START_GRACE_S + self._refresh.interval_s

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
        switch_register: where the limit switch is, which may end a run inward; None if that is not known.
        refresh: how often the controller renews its register; None: whenever it is asked.
    """

    def __init__(
        self,
        tracker: Tracker,
        rate: RateWatch,
        target_register: int,
        allowance: Allowance,
        duration_s: float,
        switch_register: int | None = None,
        refresh: Refresh | None = None,
    ) -> None:
        super().__init__(tracker, rate, allowance, refresh)
        self._target_register = target_register
        self._duration_s = duration_s
        self._due_s = tracker.last.at_s + duration_s
        self._switch_register = switch_register
        self._arrivals = 0
        self._standing_near = StandstillWatch(self._refresh)
        self._ran_until_s = tracker.last.at_s
        self._stood_from_s: float | None = None

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
            PositionLostError: the register cannot be trusted any more.
            SettingsLostError: it changes at another rate than its settings make.
            StalledError: the controller says that the motor runs, and it does not; or it stands short of its target.
            NoProgressError: the limit switch ended it.
            MoveTimeoutError: the deadline has passed.
        """
        believed = self._take(reading)
        self._note_end(reading)
        if self.tracker.leapt:
            raise leapt(*self.tracker.leapt)
        verdict = self._at_target(reading)
        if verdict is Verdict.ARRIVED:
            return verdict
        self._refuse_delay(reading)
        if verdict is Verdict.LOOK_AGAIN or not believed:
            return Verdict.LOOK_AGAIN
        if reading.stands_still and self._stands_on:
            return self._stand_short(reading)
        return Verdict.GOING

    @property
    def took_its_time(self) -> bool:
        """Whether the run may have taken as long as it should: its end lies between the last reading that ran and the
        first that stood, and it may have begun late."""
        begun_s, stood_from_s = self._due_s - self._duration_s, self._stood_from_s
        longest_s = math.inf if stood_from_s is None else stood_from_s - begun_s
        late = self._ran_until_s - begun_s - START_GRACE_S > (1 + DEVIATION) * self._duration_s
        return longest_s >= (1 - DEVIATION) * self._duration_s and not late

    def _note_end(self, reading: Reading) -> None:
        if not reading.stands_still:
            self._ran_until_s, self._stood_from_s = reading.earliest_s, None
        elif self._stood_from_s is None and self.has_moved:
            self._stood_from_s = reading.at_s

    def _at_target(self, reading: Reading) -> Verdict:
        if not (reading.stands_still and is_at(reading.register, self._target_register)):
            self._arrivals = 0
            self._standing_near = StandstillWatch(self._refresh)
            return Verdict.GOING
        if reading.register == self._target_register:
            return self._arrive(reading)
        # Some controllers round their registers, or stop a step beside the target. One that has yet to begin a run of
        # some steps looks so, too; and one that has lost its power.
        if not self.has_moved or self.tracker.ends_at_power_up(reading.register):
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
        too_early = reading.at_s < self._due_s - self._duration_s / 2
        if (too_early or self.tracker.came_unseen) and self.tracker.ends_at_power_up(self._target_register):
            raise PositionLostError(
                f"the register reads {self._target_register}, which is the target, but nobody saw the motor go there. "
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
        short = (
            f"the motor stands {missing_mm:.3f} mm short of its target (register {reading.register}, "
            f"expected {self._target_register})"
        )
        if self._may_be_a_power_cut(reading.register):
            raise PositionLostError(
                f"{short}, and nobody saw it come there. Was the controller's power cut? "
                "Home the focuser (focus init)."
            )
        raise StalledError(f"{short}. Is it overloaded, or was it stopped by hand? Look at its load.")

    def _may_be_a_power_cut(self, register: int) -> bool:
        """Whether a register at rest may be that of a controller that has lost its power."""
        return self.tracker.came_unseen or self.tracker.ends_at_power_up(register, POSITION_TOLERANCE_STEPS)

    def _is_at_switch(self, register: int) -> bool:
        """Whether the limit switch may have ended a run inward here, a little before it did in the homing."""
        if self._switch_register is None or not self.tracker.inward or self.tracker.came_unseen:
            return False
        near = abs(self._switch_register - register) <= SWITCH_REPEAT_STEPS
        return near and not self.tracker.ends_at_power_up(register)


class HomingWatch(_ProgressWatch):
    """Judges the readings of a homing run, whose end shows only in that the register stops growing."""

    def __init__(
        self,
        tracker: Tracker,
        rate: RateWatch,
        allowance: Allowance,
        reach_mm: float = HOMING_REACH_MM,
        refresh: Refresh | None = None,
    ) -> None:
        super().__init__(tracker, rate, allowance, refresh)
        self._reach_mm = reach_mm
        self._standstill = StandstillWatch(self._refresh)

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
        if reading.stands_still and not self.has_moved and self._stands_on:
            return Verdict.NOT_STARTED
        return Verdict.GOING


class HaltWatch:
    """Judges the readings of a motor that was told to halt.

    Args:
        tracker: follows the run that was under way; None if there was none.
        left_at_register: where the register must be then; None if that is not known.
        ramp_s: how long the motor takes to slow down.
        refresh: how often the controller renews its register; None: whenever it is asked.
    """

    def __init__(
        self,
        tracker: Tracker | None,
        left_at_register: int | None,
        ramp_s: float,
        refresh: Refresh | None = None,
    ) -> None:
        self._tracker = tracker
        # The last may already be the register of a power cut.
        self._before = None if tracker is None else tracker.shown
        self._left_at_register = left_at_register
        self._ramp_s = ramp_s
        self._standstill = StandstillWatch(refresh, ran=tracker is not None or left_at_register is None)
        self._lost: PositionLostError | None = None
        self._last: Reading | None = None
        # The first reading at the place where the last one is.
        self._found: Reading | None = None

    def take(self, reading: Reading) -> bool:
        """Take a reading; True when standstill is proven."""
        if self._found is None or not is_at(self._found.register, reading.register):
            self._found = reading
        self._last = reading
        believed = True
        if self._tracker is not None and self._lost is None:
            try:
                believed = self._tracker.take(reading)
            except PositionLostError as error:
                self._lost = error
        return self._standstill.take(reading) and believed

    def provable_s(self, reading_s: float) -> float:
        """See `StandstillWatch.provable_s`."""
        return self._standstill.provable_s(reading_s)

    @property
    def shown(self) -> Reading | None:
        """The reading that tells where the motor is; None if the register is elsewhere than it was left."""
        if self._tracker is not None:
            return self._tracker.shown
        if self._last is None or self._moved_unasked(self._last):
            return None
        return self._last

    def lost(self, told_s: float) -> PositionLostError | None:
        """Why the register cannot be trusted any more, of a motor that stands; None if it can.

        Args:
            told_s: when the halt had surely left, on the clock of the readings.
        """
        if self._lost is not None or self._last is None:
            return self._lost
        if self._tracker is None or self._before is None:
            moved = self._moved_unasked(self._last)
            return moved_unasked(self._left_at_register, self._last.register) if moved else None
        if self._tracker.leapt:
            return leapt(*self._tracker.leapt)
        if self._stood_short(self._tracker, self._before, self._last):
            return PositionLostError(
                f"the motor stood at {self._last.register} before it was halted, on its way to "
                f"{self._tracker.end_register}. Was the controller's power cut? Home the focuser (focus init)."
            )
        if self._came_from_nowhere(self._tracker, self._before, self._last, told_s):
            return PositionLostError(
                f"the register went from {self._before.register} to {self._last.register} unseen while the motor was "
                "halted. Was the controller's power cut? Home the focuser (focus init)."
            )
        return None

    def _moved_unasked(self, reading: Reading) -> bool:
        return self._left_at_register is not None and not is_at(reading.register, self._left_at_register)

    @staticmethod
    def _stood_short(tracker: Tracker, before: Reading, reading: Reading) -> bool:
        """Whether the motor stood on its way before it was told to, and nobody has seen it come there."""
        ends = (tracker.start_register, tracker.end_register)
        on_its_way = tracker.came_unseen and not any(is_at(reading.register, end) for end in ends)
        return on_its_way and before.stands_still and is_at(reading.register, before.register)

    def _came_from_nowhere(self, tracker: Tracker, before: Reading, reading: Reading, told_s: float) -> bool:
        """Whether a motor that obeyed the halt was not seen coming, and cannot have come so far since `before`."""
        if tracker.ends_at_power_up(reading.register) and reading.register != before.register:
            return True
        if not tracker.came_unseen:
            return False
        was_seen_running = not before.stands_still and not is_at(before.register, tracker.start_register)
        if was_seen_running and is_at(reading.register, tracker.start_register):
            # It does not run back: a controller that begins there lost its power.
            return True
        until_s = told_s + HALT_TAKES_EFFECT_S + self._ramp_s
        if self._found is not None and tracker.rate_is_known:
            until_s = min(until_s, self._found.at_s)
        reach_steps = tracker.reach_steps(until_s - before.earliest_s) / SPEED_MARGIN + JUMP_MARGIN_STEPS
        return abs(reading.register - before.register) > reach_steps


def unsteady(left_at_register: int, readings: Sequence[Reading], flickers: bool) -> PositionLostError | None:
    """The error for a register that goes on changing around its place while the motor says that it stands; None if it
    does not look so.

    Args:
        flickers: whether it has changed before at rest, by a few steps.
    """
    registers = [left_at_register, *(reading.register for reading in readings)]
    low, high = min(registers), max(registers)
    changes = flickers or len({reading.register for reading in readings}) > 1
    if not changes or high - low > 2 * FLICKER_STEPS or not all(reading.stands_still for reading in readings):
        return None
    return PositionLostError(
        f"the motor says that it stands, but its register goes on changing between {low} and {high}: no position is "
        f"known to {POSITION_TOLERANCE_STEPS} steps. Look at the controller."
    )


def moved_unasked(left_at_register: int | None, register: int) -> PositionLostError:
    """The error for a register that changed at rest."""
    return PositionLostError(
        f"the focuser moved unasked: its register was left at {left_at_register} and reads {register}. "
        "Was the controller's power cut, or its hand control used? Home the focuser (focus init)."
    )
