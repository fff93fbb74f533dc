"""What the focuser is made to do, one procedure each: homing, a move leg by leg, halting, looking at rest.

A `Motion` belongs to the thread that owns the port. Its procedures run to their end or raise; they are
interrupted between two exchanges by the controller's checkpoint, and whoever catches that calls `halt`.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Callable

from .clock import Clock
from .controller import SILENCE_S, Controller, Reading
from .errors import (
    HaltFailedError,
    HomingFailedError,
    LinkLostError,
    MalformedReplyError,
    MoveTimeoutError,
    NoProgressError,
    PositionLostError,
    ReplyTimeoutError,
    UnexpectedMotionError,
)
from .mechanics import Drive, Leg, Limits, Plan, mm_from_steps, steps_from_mm, taken_up_after
from .registers import HOMING_RUN_REGISTER, TRAVEL_MM, register_homing_speed_mm_sec
from .watch import (
    BELIEVED_READINGS,
    HOMING_REACH_MM,
    PATH_MARGIN_STEPS,
    POWER_UP_REGISTER,
    STANDSTILL_GAP_S,
    HomingWatch,
    LegWatch,
    Pace,
    StandstillWatch,
    Tracker,
    Verdict,
)

_log = logging.getLogger(__name__)

HOMING_SPEED_MM_SEC = register_homing_speed_mm_sec(HOMING_RUN_REGISTER)
# How often a motion command is sent whose effect does not show: it may be lost on the wire.
COMMAND_TRIES = 3
# How often a homing run is repeated whose end was not seen.
HOMING_TRIES = 3
# Beyond the backlash, so that the carriage surely leaves the limit switch.
BACK_OFF_MARGIN_MM = 0.25
# A halt may be lost on the wire, and repeating it does no harm.
HALT_REPEAT_S = 0.3
# From the last reading before a halt to the moment when the motor obeys it, generously.
HALT_TAKES_EFFECT_S = 0.2
# Between two readings of a running motor, in seconds. An exchange itself takes about 10 ms.
LONGEST_PAUSE_S = 0.06
# Readings within which a motor that nobody told to move must be seen standing.
STANDSTILL_READINGS = 5
SHORTEST_PAUSE_S = 0.005


@dataclass(frozen=True)
class Progress:
    """A reading, and what it means for the command that runs.

    Args:
        reading: what the controller said.
        time_left_s: until the whole command ends, in seconds; for homing, at worst.
        speed_mm_sec: measured, positive outward.
        homing_travelled_mm: how far a homing run has come; None in a leg.
    """

    reading: Reading
    time_left_s: float
    speed_mm_sec: float
    homing_travelled_mm: float | None = None


@dataclass(frozen=True)
class Observer:
    """Whom a motion tells what happens. Called on the motion's thread; must not wait."""

    leg_begins: Callable[[Leg], None]
    progress: Callable[[Progress], None]


def homing_duration_s() -> float:
    """How long a homing run takes at worst, in seconds: the whole travel."""
    return TRAVEL_MM / HOMING_SPEED_MM_SEC


def homing_deadline_s() -> float:
    """How long a homing run may take, in seconds. move_timeout does not shorten it: homing has its own speed."""
    return 2 * homing_duration_s() + 2


def move_deadline_s(duration_s: float, move_timeout_s: float) -> float:
    """How long a motion may take: twice what it should and two seconds, at most `move_timeout_s`."""
    return min(2 * duration_s + 2, move_timeout_s)


class End(enum.Enum):
    """How a homing run ended."""

    SEEN = enum.auto()
    """The register grew until the motor stood."""
    UNSEEN = enum.auto()
    """The motor stands, but how it came there was not seen: a controller that lost its power looks so too."""
    NO_RUN = enum.auto()
    """The motor never left its place."""


class Motion:
    """The procedures of one connected focuser, and what is known of its position.

    Args:
        controller: the device; its checkpoint interrupts every procedure but `halt`.
        drive, limits: how it runs, and where it may.
        move_timeout_s: the longest that a whole move may take.
        clock: the time.
        pause: waits so many seconds, or less where somebody wants the thread's attention.
        observer: is told every reading.
    """

    def __init__(
        self,
        controller: Controller,
        drive: Drive,
        limits: Limits,
        move_timeout_s: float,
        clock: Clock,
        pause: Callable[[float], None],
        observer: Observer,
    ) -> None:
        self._controller = controller
        self._drive = drive
        self._limits = limits
        self._move_timeout_s = move_timeout_s
        self._clock = clock
        self._pause = pause
        self._observer = observer
        self._pace = Pace()
        self._standing: Reading | None = None
        self._tracker: Tracker | None = None
        self._origin_register: int | None = None
        self._taken_up_steps = 0
        self._configured = False

    # What is known

    @property
    def homed(self) -> bool:
        """Whether the position is known."""
        return self._origin_register is not None

    def steps_out(self, reading: Reading) -> int:
        """A reading's position in steps out. Raises PositionLostError before homing."""
        if self._origin_register is None:
            raise PositionLostError("the position is not known: home the focuser (focus init).")
        return self._origin_register - reading.register

    @property
    def standing(self) -> Reading:
        """The last reading from proven standstill."""
        if self._standing is None:
            raise PositionLostError("the focuser was not seen standing still: home it (focus init).")
        return self._standing

    @property
    def taken_up_steps(self) -> int:
        """How far the focuser has run inward since it last ran outward (bounded by the backlash)."""
        return self._taken_up_steps

    def forget_position(self) -> None:
        """The register is not to be trusted any more."""
        self._origin_register = None
        self._tracker = None

    # Bringing up

    def bring_up(self) -> None:
        """Configure the motor and home it.

        Raises:
            HomingFailedError: the origin could not be proven.
            DeviceError, LinkLostError: see `halt` and the watches.
        """
        # A daemon that died may have left the motor running, and a running motor is not to be released.
        self._await_standstill()
        self._configure()
        self.home()

    def _configure(self) -> None:
        self._controller.configure(self._drive.speed_register, self._drive.acceleration_register)
        self._configured = True

    def home(self) -> None:
        """Run inward to the limit switch: where the motor stands then is 0 mm."""
        self.forget_position()
        self._await_standstill()
        end = self._run_to_switch(tries=COMMAND_TRIES - 1)
        if end is not End.SEEN:
            self._run_again(None if end is End.NO_RUN else self.standing.register)
        at_switch = self.standing
        # The order of the bring-up (docs/protocol.md): stop, and only then is the register the origin.
        self.halt()
        if abs(self.standing.register - at_switch.register) > PATH_MARGIN_STEPS:
            raise HomingFailedError(
                f"the register stood at {at_switch.register} at the limit switch and then at "
                f"{self.standing.register}. Was the controller's power cut? Home again (focus init)."
            )
        self._origin_register = self.standing.register
        self._taken_up_steps = self._limits.backlash_steps

    def _run_again(self, end_register: int | None) -> None:
        """Prove an end of the run that nobody saw: leave the switch and come back to it.

        Args:
            end_register: where the register stood, if the motor ran; None: it never left its place, as it
                should at the switch, and as it does without power.
        """
        for _ in range(HOMING_TRIES):
            # What nobody saw may have been a power cut, and that loses the settings.
            self._configure()
            self._back_off()
            end = self._run_to_switch(tries=COMMAND_TRIES)
            if end is End.NO_RUN:
                raise HomingFailedError(
                    "the motor ran outward but not inward again. Look at the inner limit switch."
                )
            here = self.standing.register
            if end is End.SEEN or (
                end_register is not None and abs(here - end_register) <= PATH_MARGIN_STEPS
            ):
                return
            end_register = here
        raise HomingFailedError(
            f"{HOMING_TRIES + 1} homing runs ended each somewhere else, and none was seen ending. Look at the cable."
        )

    def _run_to_switch(self, tries: int) -> End:
        """Run inward until the motor stands."""
        start = self._start_here()
        reach_steps = 2 * steps_from_mm(HOMING_REACH_MM)
        speed_steps_s = steps_from_mm(HOMING_SPEED_MM_SEC)
        self._tracker = Tracker(start, start.register + reach_steps, speed_steps_s, self._pace)
        deadline_s = start.at_s + homing_deadline_s()
        watch = HomingWatch(self._tracker, deadline_s)

        def progress(reading: Reading) -> Progress:
            travelled_mm = mm_from_steps(reading.register - start.register)
            left_s = max(0.0, TRAVEL_MM - travelled_mm) / HOMING_SPEED_MM_SEC
            return Progress(reading, left_s, self._speed_mm_sec(), travelled_mm)

        if not self._watch(watch, self._controller.run_to_limit_switch, progress, tries):
            return End.NO_RUN
        return End.UNSEEN if watch.tracker.came_unseen else End.SEEN

    def _back_off(self) -> None:
        """Leave the limit switch, to prove that the motor moves at all."""
        back_off_steps = self._limits.backlash_steps + steps_from_mm(BACK_OFF_MARGIN_MM)
        target_register = self.standing.register - back_off_steps
        deadline_s = self._clock.monotonic() + move_deadline_s(
            self._drive.duration_s(back_off_steps), self._move_timeout_s
        )
        _log.info("the homing run moved nothing; backing off %.3f mm", mm_from_steps(back_off_steps))
        if not self._run_to_register(target_register, deadline_s, after_s=0.0):
            raise HomingFailedError(
                "the motor moves neither inward nor outward. Look at its power and its cable."
            )

    # Moving

    def move(self, plan: Plan) -> None:
        """Run the legs of a plan, each to a verified arrival.

        Raises:
            NoProgressError, MoveTimeoutError: the motor did not arrive; its position is still known.
            PositionLostError: it is not.
        """
        if not self._configured:
            self._configure()
        runs = [self._drive.duration_s(steps) for steps in run_lengths(self.steps_out(self.standing), plan)]
        deadline_s = self._clock.monotonic() + move_deadline_s(sum(runs), self._move_timeout_s)
        for number, leg in enumerate(plan.legs, start=1):
            self._observer.leg_begins(leg)
            register = self._register(leg.target_steps)
            if not self._run_to_register(register, deadline_s, after_s=sum(runs[number:])):
                raise NoProgressError(
                    f"the motor does not advance: it was sent to register {register} {COMMAND_TRIES} times and "
                    f"stands at {self.standing.register}. Look at its power and its cable."
                )

    def _register(self, steps_out: int) -> int:
        if self._origin_register is None:
            raise PositionLostError("the position is not known: home the focuser (focus init).")
        return self._origin_register - steps_out

    def _run_to_register(self, target_register: int, deadline_s: float, after_s: float) -> bool:
        """Whether the motor ran to the target and stands there. False: it never left its place."""
        start = self._start_here()
        speed_steps_s = steps_from_mm(self._drive.speed_mm_sec)
        self._tracker = Tracker(start, target_register, speed_steps_s, self._pace)
        watch = LegWatch(self._tracker, target_register, deadline_s)

        def progress(reading: Reading) -> Progress:
            left_s = self._drive.duration_s(target_register - reading.register) + after_s
            return Progress(reading, left_s, self._speed_mm_sec())

        return self._watch(watch, lambda: self._controller.go_to(target_register), progress, COMMAND_TRIES)

    # Watching

    def _watch(
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
            seen = progress(watch.tracker.last)
            self._observer.progress(seen)
            if verdict is Verdict.ARRIVED:
                self._stand_at(watch.tracker.last)
                return True
            if verdict is Verdict.NOT_STARTED:
                tries -= 1
                if not tries:
                    return False
                command()
                watch.restarted(self._clock.monotonic())
            elif verdict is Verdict.LOOK_AGAIN:
                self._pause(SHORTEST_PAUSE_S)
            else:
                self._pause(min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, seen.time_left_s / 4)))

    def _judge(self, watch: LegWatch | HomingWatch) -> Verdict:
        try:
            return watch.take(self._controller.read())
        except MoveTimeoutError:
            # A setting that was lost on the wire shows only in a motor that is too slow.
            self._configured = False
            raise

    def _speed_mm_sec(self) -> float:
        return -mm_from_steps(self._tracker.rate_steps_s) if self._tracker else 0.0

    def _start_here(self) -> Reading:
        """The standstill from which a motion starts now."""
        return replace(self.standing, at_s=self._clock.monotonic())

    def _stand_at(self, reading: Reading) -> None:
        """The motor is proven to stand at `reading`."""
        if self._standing is not None:
            # Outward is where the register falls.
            self._taken_up_steps = taken_up_after(
                self._taken_up_steps, -self._standing.register, -reading.register, self._limits
            )
        self._standing = reading
        self._tracker = None

    # Halting

    def halt(self, patience_s: float = 5.0) -> None:
        """Stop the motor and prove that it stands. Not to be interrupted; the halt is the next thing on the wire.

        Args:
            patience_s: how long to try, in seconds, beyond what the ramp takes.

        Raises:
            PositionLostError: it stands, but where is not known any more.
            HaltFailedError: it was not seen standing.
            LinkLostError: the link died; the halt was sent blindly as often as the time allowed.
        """
        standstill = StandstillWatch()
        before = self._tracker.last if self._tracker else None
        lost: PositionLostError | None = None
        for reading in self._readings_while_halting(patience_s + self._ramp_s()):
            try:
                believed = self._tracker.take(reading) if self._tracker and not lost else True
            except PositionLostError as error:
                lost, believed = error, True
            self._observer.progress(Progress(reading, 0.0, self._speed_mm_sec()))
            if standstill.take(reading) and believed:
                break
        lost = lost or self._lost_in_halting(before, reading)
        self._stand_at(reading)
        if lost:
            raise lost

    def _lost_in_halting(self, before: Reading | None, reading: Reading) -> PositionLostError | None:
        if self._tracker is None or before is None:
            # No motion was on its way, so the register must be where it was left.
            moved = self.homed and reading.register != self.standing.register
            return _moved_unasked(self.standing, reading) if moved else None
        if not self._tracker.came_unseen or self._within_the_ramp(before, reading):
            return None
        return PositionLostError(
            f"the register went from {before.register} to {reading.register} unseen while the motor was halted. "
            "Was the controller's power cut? Home the focuser (focus init)."
        )

    def _within_the_ramp(self, before: Reading, reading: Reading) -> bool:
        """Whether a motor that obeyed the halt at once can have come so far."""
        if reading.register == POWER_UP_REGISTER:
            return False
        reach_s = HALT_TAKES_EFFECT_S + self._ramp_s()
        reach_steps = steps_from_mm(self._drive.speed_mm_sec * self._pace.factor * reach_s)
        return abs(reading.register - before.register) <= reach_steps

    def _ramp_s(self) -> float:
        return self._drive.speed_mm_sec / self._drive.acceleration_mm_sec_sec

    def _readings_while_halting(self, patience_s: float) -> Iterator[Reading]:
        controller = self._controller.deaf()
        now_s = self._clock.monotonic()
        expires_s, silent_from_s, halt_again_s = now_s + patience_s, now_s, now_s
        while now_s < expires_s:
            if now_s >= halt_again_s:
                controller.halt()
                halt_again_s = now_s + HALT_REPEAT_S
            try:
                reading = controller.read_once()
            except (ReplyTimeoutError, MalformedReplyError) as error:
                now_s = self._clock.monotonic()
                if now_s - silent_from_s >= SILENCE_S:
                    raise LinkLostError(
                        f"the motor was told to stop, but nothing valid was answered for {SILENCE_S:g} s: "
                        "it may be running. Look at the focuser, its power and the cable."
                    ) from error
                continue
            silent_from_s = reading.at_s
            yield reading
            self._clock.sleep(SHORTEST_PAUSE_S)
            now_s = self._clock.monotonic()
        raise HaltFailedError(
            f"the motor was told to stop and was not seen standing still within {patience_s:.1f} s. "
            "It may be running: cut its power if it is in danger."
        )

    # At rest

    def _await_standstill(self) -> None:
        """Prove that the motor stands; where it does not, halt it: it was not told to move."""
        standstill = StandstillWatch()
        for _ in range(STANDSTILL_READINGS):
            reading = self._controller.read()
            if standstill.take(reading):
                self._stand_at(reading)
                return
            self._pause(STANDSTILL_GAP_S)
        self.halt()

    def look(self) -> Reading:
        """Look whether the focuser stands where it was left.

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
                f"the controller says that the motor runs, though nothing was commanded and the register stands at "
                f"{expected.register}. Look at the focuser."
            )
        raise _moved_unasked(expected, reading)


def _moved_unasked(expected: Reading, found: Reading) -> PositionLostError:
    return PositionLostError(
        f"the focuser moved unasked: its register was left at {expected.register} and reads "
        f"{found.register}. Was the controller's power cut, or its hand control used? "
        "Home the focuser (focus init)."
    )


def run_lengths(start_steps: int, plan: Plan) -> list[int]:
    """How many steps each leg of a plan runs, positive outward."""
    lengths = []
    for leg in plan.legs:
        lengths.append(leg.target_steps - start_steps)
        start_steps = leg.target_steps
    return lengths
