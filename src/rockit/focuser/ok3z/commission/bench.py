"""What the trials work with: looks at the motor, runs that are watched to their end, and what was found.

No motion begins before the engineer was asked for it, and none goes on that surprises (`runs`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable

from ..driver.clock import WallClock
from ..driver.controller import Answers, Controller
from ..driver.halting import Halting
from ..driver.link import Link
from ..driver.planning import Drive, Limits, mm_from_steps, steps_from_mm
from ..driver.rates import RateWatch
from ..driver.reading import Reading
from ..driver.refresh import Refresh
from ..driver.registers import STEPS_PER_MM, TRAVEL_MM
from .assumptions import Verdict
from .measures import speed_steps_s
from .person import Person
from .runs import BESIDE_STEPS, Look, Progress, Run, RunWatch, Settling, SurpriseError
from .wiretap import Wiretap

# No run goes further than this, but homing.
LONGEST_STEP_MM = 0.5
HOMING_REACH_MM = TRAVEL_MM + 0.5
LEAVING_MM = 0.25
# So near a position is near enough.
NEAR_MM = 0.02
PAUSE_S = 0.02
HALT_PATIENCE_S = 15.0


class DeclinedError(Exception):
    """The engineer does not want this motion."""


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
        self.has_moved = self.is_configured = False

    # What was found

    def begin(self) -> None:
        """A trial begins."""
        self.findings = []
        self.tap.frames.clear()
        self._all_allowed = False

    def find(
        self,
        assumption: str,
        holds: bool | None,
        sentence: str,
        since: int = 0,
        showing: tuple[bytes, ...] = (),
        **values: object,
    ) -> None:
        """Note what was seen of an assumption.

        Args:
            holds: whether it does; None if nothing can be said.
            sentence: what was seen.
            since: the number of the first frame that may show it.
            showing: texts of which the frames are to be shown.
            values: figures.
        """
        verdict = {True: Verdict.CONFIRMED, False: Verdict.REFUTED, None: Verdict.NOT_TESTED}[holds]
        self.findings.append(
            Finding(assumption, verdict, sentence, values, self.tap.evidence(since, showing))
        )
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
        self.forget_position()

    def forget_position(self) -> None:
        """The motor is about to be moved, by whomever: nothing that was kept of its position is believed any more."""
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
        return self._settled(Run(self.clock.monotonic(), self.look().register)).end

    def configure(self) -> None:
        """Ask, and send all settings, for which the motor must stand: it is released for a moment."""
        self.may("All settings are sent, for which the motor is released for a moment.")
        self.stand()
        self.controller.configure(self.drive.speed_register, self.drive.acceleration_register)
        self.is_configured = True

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
        self, register: int, halts: Callable[[Look], bool] = lambda _: False, ends_anywhere: bool = False
    ) -> Run:
        """Run to a register that is no further than LONGEST_STEP_MM.

        Args:
            halts: is shown each look; True halts the motor.
            ends_anywhere: it is no surprise if it ends on its way.
        """
        start = self.stand()
        steps = register - start
        if abs(steps) > steps_from_mm(LONGEST_STEP_MM) + BESIDE_STEPS:
            raise SurpriseError(f"the register is {start}, too far from {register} for one step.")
        target = None if ends_anywhere else register
        run = self._follow(
            lambda: self.controller.go_to(register),
            self._watch(start, math.copysign(1, steps), abs(steps), target),
            halts,
        )
        if not run.is_halted and not ends_anywhere and abs(run.end - register) > BESIDE_STEPS:
            raise SurpriseError(f"the motor was sent to {register}, and stands at {run.end}.")
        return run

    def step(
        self, mm: float, halts: Callable[[Look], bool] = lambda _: False, ends_anywhere: bool = False
    ) -> Run:
        """Run to a position within the range, in mm from where the last homing ended."""
        assert self.origin is not None
        if not 0 <= mm <= self.limits.range_mm:
            raise SurpriseError(f"{mm:.3f} mm is outside the range.")
        return self.go_to(self.origin - steps_from_mm(mm), halts, ends_anywhere)

    def run_inward(
        self, reach_mm: float = HOMING_REACH_MM, for_s: float = math.inf, mm: float = math.inf
    ) -> Run:
        """The homing run.

        Args:
            reach_mm: further than this is a surprise.
            for_s, mm: it is halted after so long, and so far.
        """
        watch = self._watch(self.stand(), 1, steps_from_mm(reach_mm), None)
        return self._follow(
            self.controller.run_to_limit_switch,
            watch,
            lambda look: look.register - watch.run.start > mm * STEPS_PER_MM,
            for_s,
        )

    # Where it stands

    @property
    def base_mm(self) -> float:
        """From where trials run outward."""
        return min(LONGEST_STEP_MM, self.limits.range_mm / 2)

    @property
    def here_mm(self) -> float:
        """Where it is proven to stand, outward from where the last homing ended."""
        assert self.origin is not None
        return mm_from_steps(self.origin - self.stand())

    def ready(self) -> None:
        """Home if the origin is not known, and stand at the base."""
        if self.origin is None:
            self.configure()
            # A switch that acts on its edge only must be left before it is come to.
            self.may(f"A go-to of {LEAVING_MM} mm outward, to be off the limit switch.")
            self.go_to(self.stand() - steps_from_mm(LEAVING_MM), ends_anywhere=True)
            self.may("A homing run, for the position is not known: up to 9 mm, 36 s.")
            self.home()
        self.walk_to(self.base_mm)

    def walk_to(self, mm: float) -> None:
        """Go to a position, in steps that are no longer than LONGEST_STEP_MM."""
        near_mm = NEAR_MM + mm_from_steps(self.noise_steps)
        while abs(mm - (here_mm := self.here_mm)) > near_mm:
            target_mm = max(0.0, here_mm + max(-LONGEST_STEP_MM, min(LONGEST_STEP_MM, mm - here_mm)))
            self.may(f"A go-to to {target_mm:.2f} mm.")
            self.step(target_mm)

    def _watch(self, start: int, sign: float, reach_steps: int, target: int | None) -> RunWatch:
        run = Run(self.clock.monotonic(), start)
        return RunWatch(run, sign, reach_steps, target, self.noise_steps, self.refresh, self.answers.usual_s)

    def home(self, reach_mm: float = HOMING_REACH_MM) -> Run:
        """The homing run to its end, which is the origin."""
        self.origin = None
        run = self.run_inward(reach_mm)
        self.controller.halt()
        self.origin = self.stand()
        return run

    def _follow(
        self,
        command: Callable[[], None],
        watch: RunWatch,
        halts: Callable[[Look], bool],
        for_s: float = math.inf,
    ) -> Run:
        """Send a command, and look until the motor stands. Once, if nothing comes of it, it is sent again."""
        run = watch.run
        run.frame = len(self.tap.frames)
        self.refresh.begin()
        command()
        until_s = run.begun_s + for_s
        is_sent_again = False
        while True:
            if self.clock.monotonic() + 2 * self.answers.usual_s > until_s:
                # No look would be here in time.
                self.pause(until_s - self.clock.monotonic())
                return self._halted(run)
            look = self.look()
            run.looks.append(look)
            progress = watch.take(look)
            if halts(look):
                run.is_halted = True
                return self._halted(run)
            if progress is Progress.STANDS:
                return self._settled(run)
            if progress is Progress.NEVER_BEGAN:
                return run
            if progress is Progress.NOTHING_YET and not is_sent_again:
                self.tap.asked_again += 1
                command()
                watch.sent_again(self.clock.monotonic())
                is_sent_again = True
            self.clock.sleep(PAUSE_S)

    def halt(self) -> None:
        """Tell the motor to stop, and prove that it stands. Nothing interrupts that.

        Raises:
            HaltFailedError: it was not seen standing.
            LinkLostError: the link died.
        """
        self._halted(Run(self.clock.monotonic(), 0))

    def _halted(self, run: Run) -> Run:
        halting = Halting(self.controller, self.clock, lambda begun_s: begun_s + HALT_PATIENCE_S)
        settling = Settling(self.noise_steps, self.refresh)
        for reading in halting.readings():
            self.refresh.take(reading)
            run.looks.append(Look(reading, self.tap.letters))
            if settling.take(reading):
                break
        return run

    def _settled(self, run: Run) -> Run:
        """Look until the register keeps its value while the state says that the motor stands."""
        settling = Settling(self.noise_steps, self.refresh)
        until_s = self.clock.monotonic() + HALT_PATIENCE_S + 10 * self.answers.usual_s
        while self.clock.monotonic() < until_s:
            look = self.look()
            run.looks.append(look)
            if settling.take(look.reading):
                return run
            self.clock.sleep(PAUSE_S)
        raise SurpriseError(f"the motor does not come to rest: {look.letters!r}, at {look.register}.")

    def ratio(self, run: Run, speed_mm_sec: float) -> float | None:
        """How fast the register changed at one speed, over what was computed; None if too little was seen."""
        made = speed_steps_s(run.readings, run.start)
        return None if made is None else made / (speed_mm_sec * STEPS_PER_MM)

    def proven_ratio(self, run: Run, target: int | None, speed_mm_sec: float) -> float | None:
        """The same as the driver would have measured it, which demands more."""
        start = Reading(run.start, stands_still=True, at_s=run.begun_s)
        ramp_steps = self.drive.ramp_steps(speed_mm_sec)
        watch = RateWatch(start, target, speed_mm_sec * STEPS_PER_MM, ramp_steps, None, self.refresh)
        for reading in run.readings:
            watch.take(reading)
        return watch.measured(run.end)

    def rounded_mm(self, steps: float) -> float:
        """A length, in mm."""
        return round(mm_from_steps(steps), 4)
