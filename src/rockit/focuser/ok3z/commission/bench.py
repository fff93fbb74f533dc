"""What the trials work with: looks at the motor, runs that are watched to their end, and what was found.

A run here is trusted with nothing: it is halted if the register runs the wrong way, does not change, changes at rest or
goes further than told. `driver.motor` does more, but believes what is to be tested here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Callable

from ..driver.clock import WallClock
from ..driver.controller import Answers, Controller
from ..driver.halting import Halting
from ..driver.link import Link
from ..driver.planning import Drive, Limits, mm_from_steps, steps_from_mm
from ..driver.rates import RateWatch
from ..driver.reading import Reading
from ..driver.refresh import Refresh
from ..driver.registers import POSITION_TOLERANCE_STEPS, STEPS_PER_MM, TRAVEL_MM
from .assumptions import Verdict
from .person import Person
from .wiretap import Wiretap

# No run goes further than this but homing.
LONGEST_STEP_MM = 0.5
HOMING_REACH_MM = TRAVEL_MM + 0.5
# So far a motor may end beside its target before that is a surprise.
BESIDE_STEPS = 200
# So far the wrong way, in so many looks in a row: one may be misread.
WRONG_WAY_STEPS = 20
SURPRISING_LOOKS = 3
# A motor that has not moved by then is sent again, and later given up; all in seconds.
SEND_AGAIN_S, START_S = 3.0, 6.0
STALL_S = 3.0
# A register that has not changed for so long, at the target and elsewhere, is at rest.
QUIET_S, QUIET_ELSEWHERE_S = 0.1, 1.0
PAUSE_S = 0.005
HALT_PATIENCE_S = 15.0


class SurpriseError(Exception):
    """The focuser did what it should not: no more motion, before somebody has looked at it."""


class DeclinedError(Exception):
    """The engineer does not want this motion."""


@dataclass(frozen=True)
class Look:
    """A reading, and the state text of it."""

    reading: Reading
    letters: str

    @property
    def register(self) -> int:
        """The position register."""
        return self.reading.register


@dataclass
class Run:
    """One motion, from the command to the proven standstill."""

    begun_s: float
    start: int
    frame: int
    looks: list[Look] = field(default_factory=list)
    told_to_halt: Look | None = None

    @property
    def end(self) -> int:
        """Where it stands."""
        return self.looks[-1].register

    @property
    def readings(self) -> list[Reading]:
        """What was seen of it."""
        return [look.reading for look in self.looks]

    @property
    def moving_letters(self) -> set[str]:
        """The state texts of the looks at which it moved."""
        return {look.letters for look in self.looks if not look.reading.stands_still}


@dataclass(frozen=True)
class Finding:
    """What one trial says of one assumption.

    Args:
        sentence: what was seen.
        values: figures, for machines.
        frames: the frames that show it.
    """

    assumption: str
    verdict: Verdict
    sentence: str
    values: dict[str, Any]
    frames: list[dict[str, object]]


class Bench:
    """One controller on a link, an engineer beside it, and what was found.

    Args:
        link: the open port.
        tap: its recorder.
        clock: the time.
        person: the engineer.
        port: the configured serial port.
        drive, limits: as they are configured.
        checkpoint: raises if the commissioning is to end.
        longest_answer_s: serial_timeout.
        before_motion: called before the first motion.
    """

    def __init__(
        self,
        link: Link,
        tap: Wiretap,
        clock: WallClock,
        person: Person,
        port: str,
        drive: Drive,
        limits: Limits,
        checkpoint: Callable[[], None],
        longest_answer_s: float,
        before_motion: Callable[[], None],
    ) -> None:
        self.link, self.tap, self.clock, self.person = link, tap, clock, person
        self.port, self.drive, self.limits = port, drive, limits
        self.checkpoint = checkpoint
        self.longest_answer_s = longest_answer_s
        self.answers = Answers(longest_answer_s)
        self.refresh = Refresh()
        self.controller = Controller(link, clock, checkpoint, self.answers)
        self.findings: list[Finding] = []
        self.values: dict[str, Any] = {}
        """What one trial found that others use."""
        self.origin: int | None = None
        self.noise_steps = 0
        """By how much the register changes at rest."""
        self._before_motion = before_motion
        self._all_allowed = False
        self.has_moved = False

    # What was found

    def begin(self) -> None:
        """A trial begins."""
        self.findings = []
        self.tap.frames.clear()
        self._all_allowed = False

    def find(
        self, assumption: str, holds: bool | None, sentence: str, since: int = 0, **values: object
    ) -> None:
        """Note what was seen of an assumption; `holds` is None if that says nothing."""
        verdict = {True: Verdict.CONFIRMED, False: Verdict.REFUTED, None: Verdict.NOT_TESTED}[holds]
        self.findings.append(Finding(assumption, verdict, sentence, values, self.tap.evidence(since)))
        self.person.tell(f"  {verdict.value}: {sentence}")

    def may(self, motion: str) -> None:
        """Ask before a motion. Raises DeclinedError."""
        if self._all_allowed:
            self.person.tell(f"  {motion}")
        else:
            answer = self.person.ask(f"{motion} Now?", ("no", "yes", "all"))
            if answer == "no":
                raise DeclinedError
            self._all_allowed = answer == "all"
        self.checkpoint()
        if not self.has_moved:
            self._before_motion()
            self.has_moved = True

    # At rest

    def look(self) -> Look:
        """One look at the motor."""
        reading = self.controller.read()
        self.refresh.take(reading)
        return Look(reading, self.tap.letters)

    def pause(self, seconds: float) -> None:
        """Wait, and let the commissioning be ended meanwhile."""
        until_s = self.clock.monotonic() + seconds
        while (left_s := until_s - self.clock.monotonic()) > 0:
            self.checkpoint()
            self.clock.sleep(min(left_s, 0.1))

    def stand(self) -> int:
        """Prove that the motor stands. Gives its register. Raises SurpriseError."""
        return self._settled(Run(self.clock.monotonic(), self.look().register, len(self.tap.frames))).end

    def configure(self, speed_register: int | None = None, acceleration_register: int | None = None) -> None:
        """Send all settings, which releases the motor for a moment; it must stand."""
        self.stand()
        self.controller.configure(
            speed_register or self.drive.speed_register,
            acceleration_register or self.drive.acceleration_register,
        )

    def set_speeds(
        self, speed_register: int | None = None, acceleration_register: int | None = None
    ) -> Drive:
        """Send speed and acceleration alone. Gives what they should make."""
        speed = speed_register or self.drive.speed_register
        acceleration = acceleration_register or self.drive.acceleration_register
        self.controller.configure_speeds(speed, acceleration)
        return Drive.of_registers(speed, acceleration)

    # In motion

    def go_to(
        self, register: int, watch: Callable[[Look], bool] | None = None, ends_anywhere: bool = False
    ) -> Run:
        """Run to a register that is no further than LONGEST_STEP_MM.

        Args:
            watch: is shown each look; True halts the motor.
            ends_anywhere: it is no surprise if it ends on its way.
        """
        start = self.stand()
        steps = register - start
        if abs(steps) > steps_from_mm(LONGEST_STEP_MM) + BESIDE_STEPS:
            raise SurpriseError(f"the register is {start}, too far from {register} for one step.")
        return self._follow(
            start,
            lambda: self.controller.go_to(register),
            math.copysign(1, steps),
            abs(steps),
            None if ends_anywhere else register,
            watch,
        )

    def step(
        self, mm: float, watch: Callable[[Look], bool] | None = None, ends_anywhere: bool = False
    ) -> Run:
        """Run to a position within the range, in mm from where the last homing ended."""
        assert self.origin is not None
        if not 0 <= mm <= self.limits.range_mm:
            raise SurpriseError(f"{mm:.3f} mm is outside the range.")
        return self.go_to(self.origin - steps_from_mm(mm), watch, ends_anywhere)

    def run_inward(
        self, reach_mm: float = HOMING_REACH_MM, watch: Callable[[Look], bool] | None = None
    ) -> Run:
        """The homing run."""
        return self._follow(
            self.stand(), self.controller.run_to_limit_switch, 1, steps_from_mm(reach_mm), None, watch
        )

    def home(self, reach_mm: float = HOMING_REACH_MM) -> Run:
        """The homing run to its end, which is the origin."""
        self.origin = None
        run = self.run_inward(reach_mm)
        self.controller.halt()
        self.origin = self.stand()
        return run

    def _follow(
        self,
        start: int,
        command: Callable[[], None],
        sign: float,
        reach_steps: int,
        target: int | None,
        watch: Callable[[Look], bool] | None,
    ) -> Run:
        run = Run(self.clock.monotonic(), start, len(self.tap.frames))
        self.refresh.begin()
        command()
        is_sent_again, surprising, changed_s, last = False, 0, run.begun_s, start
        tolerance = self._tolerance
        while True:
            look = self.look()
            run.looks.append(look)
            now_s, way = look.reading.at_s, sign * (look.register - start)
            if abs(look.register - last) > tolerance:
                changed_s, last = now_s, look.register
            surprising = surprising + 1 if not -self._wrong_steps <= way <= reach_steps + BESIDE_STEPS else 0
            if surprising == SURPRISING_LOOKS:
                what = "runs the wrong way" if way < 0 else "went further than told"
                raise SurpriseError(
                    f"the register {what}: from {start} to {look.register} (the target: {target})."
                )
            if watch is not None and watch(look):
                run.told_to_halt = look
                return self._halted(run)
            quiet_s = now_s - changed_s
            has_moved = abs(last - start) > tolerance or bool(run.moving_letters)
            is_there = target is not None and abs(look.register - target) <= tolerance
            if look.reading.stands_still:
                needed_s = QUIET_S if is_there else QUIET_ELSEWHERE_S
                if (has_moved or is_there) and quiet_s > needed_s + self.refresh.supposed_s:
                    return self._arrived(run, target)
                if not has_moved and not is_sent_again and now_s - run.begun_s > SEND_AGAIN_S:
                    self.tap.asked_again += 1
                    command()
                    is_sent_again = True
                if not has_moved and now_s - run.begun_s > START_S:
                    if target is None:
                        return run
                    raise SurpriseError(
                        f"the motor does not move: it was sent to {target}, and stands at {last}."
                    )
            elif quiet_s > STALL_S + self.refresh.supposed_s:
                raise SurpriseError(
                    f"the state says that the motor runs, but the register has stood at {last} for {STALL_S:g} s."
                )
            self.clock.sleep(PAUSE_S)

    def _arrived(self, run: Run, target: int | None) -> Run:
        run = self._settled(run)
        if target is not None and abs(run.end - target) > BESIDE_STEPS:
            raise SurpriseError(f"the motor was sent to {target}, and stands at {run.end}.")
        return run

    def halt(self) -> None:
        """Tell the motor to stop, and prove that it stands. Nothing interrupts that.

        Raises:
            HaltFailedError: it was not seen standing.
            LinkLostError: the link died.
        """
        self._halted(Run(self.clock.monotonic(), 0, len(self.tap.frames)))

    def _halted(self, run: Run) -> Run:
        halting = Halting(self.controller, self.clock, lambda begun_s: begun_s + HALT_PATIENCE_S)
        settling = _Settling(self._tolerance, self.refresh)
        for reading in halting.readings():
            self.refresh.take(reading)
            run.looks.append(Look(reading, self.tap.letters))
            if settling.take(reading):
                break
        return run

    def _settled(self, run: Run) -> Run:
        """Look until the register keeps its value while the state says that the motor stands."""
        settling = _Settling(self._tolerance, self.refresh)
        until_s = self.clock.monotonic() + HALT_PATIENCE_S + 10 * self.answers.usual_s
        while self.clock.monotonic() < until_s:
            look = self.look()
            run.looks.append(look)
            if settling.take(look.reading):
                return run
            self.clock.sleep(PAUSE_S)
        raise SurpriseError(f"the motor does not come to rest: {look.letters!r}, at {look.register}.")

    @property
    def _tolerance(self) -> int:
        return max(POSITION_TOLERANCE_STEPS, self.noise_steps)

    @property
    def _wrong_steps(self) -> int:
        return WRONG_WAY_STEPS + self.noise_steps

    def ratio(self, run: Run, target: int | None, speed_mm_sec: float, ramp_steps: float) -> float | None:
        """How fast the register changed at one speed, over what was computed; None if too little was seen."""
        start = Reading(run.start, stands_still=True, at_s=run.begun_s)
        watch = RateWatch(start, target, speed_mm_sec * STEPS_PER_MM, ramp_steps, None, self.refresh)
        for reading in run.readings:
            watch.take(reading)
        return watch.measured(run.end)

    def rounded_mm(self, steps: float) -> float:
        """A length, in mm."""
        return round(mm_from_steps(steps), 4)


class _Settling:
    """Tells when a motor stands: at one register, within a tolerance, for long enough."""

    def __init__(self, tolerance: int, refresh: Refresh) -> None:
        self._tolerance = tolerance
        self._refresh = refresh
        self._first: Reading | None = None

    def take(self, reading: Reading) -> bool:
        first = self._first
        if not reading.stands_still:
            self._first = None
            return False
        if first is None or abs(reading.register - first.register) > self._tolerance:
            self._first = reading
            return False
        return reading.earliest_s - first.at_s >= QUIET_S + self._refresh.supposed_s
