"""The motor, in the terms of its register: runs that are followed to their end, halting, and looking at rest.

A `Motor` belongs to the thread that owns the port. Its procedures run to their end or raise; they are
interrupted between two exchanges by the controller's checkpoint, and whoever catches that calls `halt`.
What a register stands for in millimetres is `motion`'s business.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass, replace
from typing import Callable

from .clock import Clock
from .controller import Controller
from .errors import MoveTimeoutError, PositionLostError, UnexpectedMotionError
from .halting import Halting
from .mechanics import Drive, mm_from_steps, steps_from_mm
from .reading import Reading
from .registers import HOMING_RUN_REGISTER, POWER_UP_REGISTER, TRAVEL_MM, register_homing_speed_mm_sec
from .watch import (
    BELIEVED_READINGS,
    HOMING_REACH_MM,
    STANDSTILL_GAP_S,
    HomingWatch,
    LegWatch,
    Pace,
    StandstillWatch,
    Tracker,
    Verdict,
    leapt,
)
from .whereabouts import Sighting

_log = logging.getLogger(__name__)

HOMING_SPEED_MM_SEC = register_homing_speed_mm_sec(HOMING_RUN_REGISTER)
# How often a motion command is sent whose effect does not show: it may be lost on the wire.
COMMAND_TRIES = 3
# From the moment of a halt until the motor obeys it, generously.
HALT_TAKES_EFFECT_S = 0.2
# What a halt itself may move a motor at rest by (0.8 micrometres): the register counts it.
HALT_TWITCH_STEPS = 4
# Between two readings of a running motor, in seconds. An exchange itself takes about 10 ms.
LONGEST_PAUSE_S = 0.06
SHORTEST_PAUSE_S = 0.005
# How far behind the expected end of a leg it is looked for, and the shortest pause before that.
BEHIND_THE_END_S = 0.001
# What one reading takes, in seconds: a pause that ends nearer to the end than that is stretched to it.
READING_S = 0.025
# Readings within which a motor that nobody told to move must be seen standing.
STANDSTILL_READINGS = 5


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


def homing_duration_s(drive: Drive, left_mm: float = TRAVEL_MM) -> float:
    """How long a homing run takes at worst, in seconds.

    Args:
        drive: its speed may hold the run back; whether a controller does that is not known (docs/protocol.md).
        left_mm: how far it has to go; the whole travel where it is left out.
    """
    return left_mm / min(HOMING_SPEED_MM_SEC, drive.speed_mm_sec)


def homing_deadline_s(drive: Drive) -> float:
    """How long a homing run may take, in seconds. move_timeout does not shorten it: homing has its own speed.

    A motor that hangs is noticed long before: its register does not change.
    """
    return 2 * homing_duration_s(drive) + 2


class Motor:
    """The motor behind a controller.

    Args:
        controller: the device; its checkpoint interrupts every procedure but `halt`.
        drive: how it runs.
        clock: the time.
        pause: waits so many seconds, or less where somebody wants the thread's attention.
        give_up_halting_s: for a halt that began at a moment of the clock, the moment to give it up.
        notice: is told every reading while the motor runs; must not wait.
    """

    def __init__(
        self,
        controller: Controller,
        drive: Drive,
        clock: Clock,
        pause: Callable[[float], None],
        give_up_halting_s: Callable[[float], float],
        notice: Callable[[Progress], None],
    ) -> None:
        self._controller = controller
        self._drive = drive
        self._clock = clock
        self._pause = pause
        self._give_up_halting_s = give_up_halting_s
        self._notice = notice
        self._pace = Pace()
        self._standing: Reading | None = None
        self._tracker: Tracker | None = None
        self._halting: Halting | None = None
        self._configured = False
        self._settings_kept = False

    @property
    def standing(self) -> Reading:
        """The last reading from proven standstill. Raises PositionLostError before there was one."""
        if self._standing is None:
            raise PositionLostError("the focuser was not seen standing still: home it (focus init).")
        return self._standing

    @property
    def sighting(self) -> Sighting | None:
        """The leg under way as it was last seen, or where the motor stands; None where neither was ever seen."""
        if self._tracker is None:
            here = self._standing
            return None if here is None else Sighting(here, here.register, here.register)
        seen, start_register, end_register = (
            self._tracker.shown,
            self._tracker.start_register,
            self._tracker.end_register,
        )
        sighting = Sighting(seen, start_register, end_register, self._pace.factor)
        halting = self._halting
        return sighting.halted(halting.told_s) if halting is not None and halting.is_told else sighting

    def configure(self) -> None:
        """Send the settings. The motor must stand: it is released for a moment."""
        self._controller.configure(self._drive.speed_register, self._drive.acceleration_register)
        self._configured = True

    def trust_settings(self) -> None:
        """The motor kept the settings of an earlier link or process; only those that the configuration chooses may
        have changed since."""
        self._settings_kept = True

    def configure_if_doubtful(self) -> None:
        """Send the settings again where they may be lost: the motor has been too slow, or its register stands at
        the value of a power cut, which nobody would notice there."""
        if self.standing.register == POWER_UP_REGISTER or not (self._configured or self._settings_kept):
            self.configure()
        elif not self._configured:
            # Without releasing the motor, which could slip.
            self._controller.configure_speeds(self._drive.speed_register, self._drive.acceleration_register)
            self._configured = True

    # Runs

    def run_to_register(self, target_register: int, deadline_s: float, after_s: float) -> bool:
        """Run to a position and prove the arrival.

        Args:
            target_register: where to, in microsteps.
            deadline_s: the moment, on the clock, when it must have ended.
            after_s: what else the command does afterwards, for the time left.

        Returns:
            False where the motor never left its place; its target may have been elsewhere.

        Raises:
            NoProgressError, MoveTimeoutError: it did not arrive.
            PositionLostError: the register cannot be trusted any more.
            LinkLostError: the link died.
        """
        start = self._start_here()
        speed_steps_s = steps_from_mm(self._drive.speed_mm_sec)
        self._tracker = Tracker(start, target_register, speed_steps_s, self._pace)
        run_s = self._drive.duration_s(target_register - start.register)
        watch = LegWatch(self._tracker, target_register, deadline_s, run_s)

        def progress(reading: Reading) -> Progress:
            left_s = self._drive.duration_s(target_register - reading.register) + after_s
            return Progress(reading, left_s, self._speed_mm_sec())

        return self._follow(watch, lambda: self._controller.go_to(target_register), progress, COMMAND_TRIES)

    def run_to_switch(self, tries: int) -> End:
        """Run inward until the motor stands, wherever that is.

        Args:
            tries: how often the command is sent if the motor does not leave its place.

        Raises:
            HomingFailedError: it ran further than the whole travel.
            NoProgressError, MoveTimeoutError, PositionLostError, LinkLostError: as for a run to a register.
        """
        start = self._start_here()
        reach_steps = 2 * steps_from_mm(HOMING_REACH_MM)
        speed_steps_s = steps_from_mm(HOMING_SPEED_MM_SEC)
        self._tracker = Tracker(start, start.register + reach_steps, speed_steps_s, self._pace)
        watch = HomingWatch(self._tracker, start.at_s + homing_deadline_s(self._drive))

        def progress(reading: Reading) -> Progress:
            travelled_mm = mm_from_steps(reading.register - start.register)
            left_s = homing_duration_s(self._drive, max(0.0, TRAVEL_MM - travelled_mm))
            return Progress(reading, left_s, self._speed_mm_sec(), travelled_mm)

        if not self._follow(watch, self._controller.run_to_limit_switch, progress, tries):
            return End.NO_RUN
        # A register that a power cut set to its first value may lie on the way.
        doubtful = watch.tracker.came_unseen or self.standing.register == POWER_UP_REGISTER
        return End.UNSEEN if doubtful else End.SEEN

    def _start_here(self) -> Reading:
        """The standstill from which a run starts now."""
        return replace(self.standing, at_s=self._clock.monotonic(), asked_s=None)

    def _follow(
        self,
        watch: LegWatch | HomingWatch,
        command: Callable[[], None],
        progress: Callable[[Reading], Progress],
        tries: int,
    ) -> bool:
        """Send a motion command and follow it to its end. False: sent `tries` times, it moved nothing."""
        command()
        while True:
            verdict = self._judge(watch)
            seen = progress(watch.tracker.shown)
            self._notice(seen)
            if verdict is Verdict.ARRIVED:
                self._stand_at(watch.tracker.last)
                return True
            if verdict is Verdict.NOT_STARTED:
                tries -= 1
                if not tries:
                    self._tracker = None
                    return False
                command()
                watch.restarted(self._clock.monotonic())
            elif verdict is Verdict.LOOK_AGAIN:
                self._pause(SHORTEST_PAUSE_S)
            else:
                self._pause(self._until_next_look_s(watch))

    def _until_next_look_s(self, watch: LegWatch | HomingWatch) -> float:
        """So long that the next reading falls right behind the end of a leg, where that is near."""
        if not isinstance(watch, LegWatch):
            return LONGEST_PAUSE_S
        run_out_s = self._drive.run_out_s(watch.left_steps) / self._pace.factor
        left_s = watch.tracker.last.earliest_s + run_out_s + BEHIND_THE_END_S - self._clock.monotonic()
        longest_s = LONGEST_PAUSE_S if left_s > LONGEST_PAUSE_S + READING_S else left_s
        return max(BEHIND_THE_END_S, longest_s)

    def _judge(self, watch: LegWatch | HomingWatch) -> Verdict:
        try:
            return watch.take(self._controller.read())
        except MoveTimeoutError:
            self._configured = self._settings_kept = False
            raise

    def _speed_mm_sec(self) -> float:
        return -mm_from_steps(self._tracker.rate_steps_s) if self._tracker else 0.0

    def _stand_at(self, reading: Reading) -> None:
        self._standing = reading
        self._tracker = self._halting = None

    # Halting

    def halt(self, left_at_register: int | None = None) -> None:
        """Stop the motor and prove that it stands. Not to be interrupted: the next thing on the wire is the halt.

        Args:
            left_at_register: where the register must be if no run was under way; None: not known.

        Raises:
            PositionLostError: it stands, but the register cannot be trusted any more.
            HaltFailedError: it was not seen standing.
            LinkLostError: the link died; the halt was sent blindly as often as the time allowed.
        """
        standstill = StandstillWatch()
        begun_s = self._clock.monotonic()
        # The last may already be the register of a power cut.
        before = self._tracker.shown if self._tracker else None
        lost: PositionLostError | None = None
        # The patience is asked for each time: the daemon's end leaves less than there was.
        halting = self._halting = Halting(
            self._controller, self._clock, lambda: self._give_up_halting_s(begun_s) + self._ramp_s()
        )
        for reading in halting.readings():
            try:
                believed = self._tracker.take(reading) if self._tracker and not lost else True
            except PositionLostError as error:
                lost, believed = error, True
            if shown := self._shown_while_halting(reading, left_at_register):
                self._notice(Progress(shown, 0.0, self._speed_mm_sec()))
            if standstill.take(reading) and believed:
                break
        if self._tracker is None or before is None:
            moved = (
                left_at_register is not None and abs(reading.register - left_at_register) > HALT_TWITCH_STEPS
            )
            lost = moved_unasked(left_at_register, reading.register) if moved else None
        elif lost is None and self._tracker.leapt:
            lost = leapt(*self._tracker.leapt)
        elif lost is None and self._came_from_nowhere(before, reading, halting.told_s):
            lost = PositionLostError(
                f"the register went from {before.register} to {reading.register} unseen while the motor was "
                "halted. Was the controller's power cut? Home the focuser (focus init)."
            )
        self._stand_at(reading)
        if lost:
            raise lost

    def _shown_while_halting(self, reading: Reading, left_at_register: int | None) -> Reading | None:
        """The reading that tells where the motor is; None where the register is elsewhere than it was left."""
        if self._tracker is not None:
            return self._tracker.shown
        known = left_at_register is None or abs(reading.register - left_at_register) <= HALT_TWITCH_STEPS
        return reading if known else None

    def _ramp_s(self) -> float:
        return self._drive.speed_mm_sec / self._drive.acceleration_mm_sec_sec

    def _came_from_nowhere(self, before: Reading, reading: Reading, told_s: float) -> bool:
        """Whether a motor that obeyed the halt was not seen coming, and cannot have come so far since `before`."""
        if reading.register == POWER_UP_REGISTER != before.register:
            return True
        if self._tracker is None or not self._tracker.came_unseen:
            return False
        reach_s = told_s - before.earliest_s + HALT_TAKES_EFFECT_S + self._ramp_s()
        reach_steps = steps_from_mm(self._drive.speed_mm_sec * self._pace.factor * reach_s)
        return abs(reading.register - before.register) > reach_steps

    # At rest

    def await_standstill(self, longest_s: float = 0.0) -> None:
        """Prove that the motor stands; where it does not, halt it: it was not told to move.

        Args:
            longest_s: how long it may run on first, because an earlier process told it to.
        """
        standstill = StandstillWatch()
        expires_s = self._clock.monotonic() + longest_s
        readings = 0
        while readings < STANDSTILL_READINGS or self._clock.monotonic() < expires_s:
            readings += 1
            reading = self._controller.read()
            if standstill.take(reading):
                self._stand_at(reading)
                return
            self._pause(STANDSTILL_GAP_S)
        self.halt()

    def look(self) -> Reading:
        """Look whether the motor stands where it was left.

        Raises:
            PositionLostError: the register changed; the motor may be running.
            UnexpectedMotionError: the register is as it was, but the motor is said to run.
            LinkLostError: nothing valid was answered.
        """
        expected = self.standing
        for _ in range(BELIEVED_READINGS):
            reading = self._controller.read()
            if reading.stands_still and reading.register == expected.register:
                self._standing = reading
                return reading
        if reading.register == expected.register:
            raise UnexpectedMotionError(
                "the controller says that the motor runs, though nothing was commanded and the register stands at "
                f"{expected.register}. Look at the focuser."
            )
        raise moved_unasked(expected.register, reading.register)


def moved_unasked(left_at_register: int | None, register: int) -> PositionLostError:
    """The error for a register that changed at rest."""
    return PositionLostError(
        f"the focuser moved unasked: its register was left at {left_at_register} and reads {register}. "
        "Was the controller's power cut, or its hand control used? Home the focuser (focus init)."
    )
