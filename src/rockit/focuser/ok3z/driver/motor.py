"""The motor, in the terms of its register: runs that are followed to their end, halting, and looking at rest.

A `Motor` belongs to the thread that owns the port. Its procedures run to their end or raise; they are
interrupted between two exchanges by the controller's checkpoint, and whoever catches that calls `halt`.
What a register stands for in millimetres is the business of `axis`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Callable

from ..errors import MoveTimeoutError, PositionLostError, SettingsLostError, UnexpectedMotionError
from .clock import Clock
from .controller import Controller
from .halting import Halting
from .hand import HandWatch
from .planning import Drive, mm_from_steps, steps_from_mm
from .rates import FEWEST_JUDGED, RateWatch, Ratios, learnable_steps
from .reading import End, Progress, Reading
from .refresh import STANDSTILL_GAP_S, Refresh
from .registers import (
    POWER_UP_REGISTER,
    STEPS_PER_MM,
    TRAVEL_MM,
    is_at,
    near_power_up,
)
from .run_watch import (
    HOMING_REACH_MM,
    Allowance,
    HaltWatch,
    HomingWatch,
    LegWatch,
    StandstillWatch,
    Verdict,
    moved_unasked,
    unsteady,
)
from .tracking import BELIEVED_READINGS, JUMP_MARGIN_STEPS, SPEED_MARGIN, Tracker, unseen_after_s
from .whereabouts import Sighting

_log = logging.getLogger(__name__)

# How often a motion command is sent whose effect does not show: it may be lost on the wire.
COMMAND_TRIES = 3
# A run whose rate shall be proven must be seen at one speed for so long, and for so many answers more.
PROOF_S = 0.3
PROOF_ANSWERS = 30
# For one whose rate shall only be judged, so many looks at one speed: FEWEST_JUDGED, and some that are blurred.
JUDGING_LOOKS = 2 * FEWEST_JUDGED
# So far a motor may have come when its run is first looked at.
FIRST_STEPS = 64
# Between two readings of a running motor, in seconds. An exchange itself takes about 10 ms.
LONGEST_PAUSE_S = 0.06
SHORTEST_PAUSE_S = 0.005
# While it is measured how fast the motor runs, or how often its register is renewed: a leg of half a millimetre gives
# 20 readings so.
MEASURING_PAUSE_S = 0.005
MEASURING_READINGS = 100
# How far behind the expected end of a leg it is looked for, and the shortest pause before that.
BEHIND_THE_END_S = 0.001
# The same for the ramp of a motor that is halted: the halt and the question take their time on the line, too.
BEHIND_THE_RAMP_S = 0.002
# What a question takes on the line, at 38400 baud.
QUESTION_S = 0.0023
# What one reading takes, in seconds: a pause that ends nearer to the end than that is stretched to it.
READING_S = 0.025
# How long a motor is followed that somebody drives at its controller: the whole travel, and more.
HAND_FOLLOWED_S = 60.0
# A halt is given up later if answers take longer than this, in seconds: so many of them prove it.
USUAL_ANSWER_S = 0.5
PROVING_ANSWERS = 8
# Readings within which a motor that nobody told to move must be seen standing.
STANDSTILL_READINGS = 5


class Motor:
    """The motor behind a controller.

    Args:
        controller: the device; its checkpoint interrupts every procedure but `halt`.
        drive: how it runs.
        clock: the time.
        pause: waits so many seconds, or less where somebody wants the thread's attention.
        give_up_halting_s: for a halt that began at a moment of the clock, the moment to give it up.
        notice: is told every reading while the motor runs; must not wait.
        power_ups: where the controller was seen to begin after a power cut.
        found: where it was found when nothing was known of it: perhaps it begins there, too. Targets avoid them.
        refresh: how often the controller renews its register, as was seen on earlier links.
    """

    def __init__(
        self,
        controller: Controller,
        drive: Drive,
        clock: Clock,
        pause: Callable[[float], None],
        give_up_halting_s: Callable[[float], float],
        notice: Callable[[Progress], None],
        power_ups: Callable[[], tuple[int, ...]] = tuple,
        found: Callable[[], tuple[int, ...]] = tuple,
        refresh: Refresh | None = None,
    ) -> None:
        self._controller = controller
        self._drive = drive
        self._clock = clock
        self._pause = pause
        self._give_up_halting_s = give_up_halting_s
        self._notice = notice
        self._power_ups = power_ups
        self._found = found
        self._refresh = refresh or Refresh()
        self._standing: Reading | None = None
        self._left_at_register = 0
        self._tracker: Tracker | None = None
        self._halting: Halting | None = None
        self._rate: RateWatch | None = None
        self._must_prove = self._can_prove = self._is_watched_closely = False
        self._expected_s = 0.0
        self._is_measured = False
        self._is_commanded = False
        self._unexpected: Reading | None = None
        self._flickers = False
        self.is_unsteady = False
        """Whether the last look found a register that goes on changing at rest: nobody drives the motor then."""
        self.surprises = 0
        """How many readings at rest were not as the motor was left; those are asked again."""
        self._speeds_are_sent = False
        self._ratios = Ratios(None, None, drive.speed_register, drive.acceleration_register)

    @property
    def ratios(self) -> Ratios:
        """How fast the motor was seen to run, over what its registers stand for."""
        return self._ratios

    @ratios.setter
    def ratios(self, ratios: Ratios) -> None:
        """What was seen with other settings says nothing."""
        if (ratios.speed_register, ratios.acceleration_register) == (
            self._drive.speed_register,
            self._drive.acceleration_register,
        ):
            self._ratios = ratios

    @property
    def measured_ratio(self) -> float | None:
        """The ratio of the run that ended last; None where too little of it was seen."""
        return None if self._rate is None else self._rate.measured(self.standing.register)

    @property
    def learnable_mm(self) -> float:
        """How long a leg must be so that its ratio can be learnt; 0 if that is known."""
        if self._ratios.legs is not None:
            return 0.0
        return mm_from_steps(
            learnable_steps(steps_from_mm(self._drive.speed_mm_sec), self._controller.answer_s)
        )

    @property
    def drive(self) -> Drive:
        """How it should run, by its registers."""
        return self._drive

    @property
    def leg_drive(self) -> Drive:
        """How legs run, as far as that was seen."""
        return self._drive.at_ratio(self._ratios.legs)

    @property
    def standing(self) -> Reading:
        """The last reading from proven standstill. Raises PositionLostError before there was one."""
        if self._standing is None:
            raise PositionLostError("the focuser was not seen standing still: home it (focus init).")
        return self._standing

    @property
    def place_register(self) -> int:
        """The register where the motor stands, as it was sent there: a controller may show some steps beside it."""
        return self._left_at_register

    @property
    def sighting(self) -> Sighting | None:
        """The leg under way as it was last seen, or where the motor stands; None where neither was ever seen."""
        if self._tracker is None:
            here = self._standing
            return None if here is None else Sighting(here, here.register, here.register)
        tracker = self._tracker
        sighting = Sighting(
            tracker.shown, tracker.start_register, tracker.end_register, self._ratios.legs or 1.0
        )
        halting = self._halting
        return sighting.halted(halting.told_s) if halting is not None and halting.is_told else sighting

    # Settings

    def configure(self) -> None:
        """Send the settings whole. The motor must stand, and where it may slip: it is released for a moment.

        Raises:
            SettingsLostError: the register did not keep its value meanwhile.
        """
        before = self.standing
        self._controller.configure(self._drive.speed_register, self._drive.acceleration_register)
        self._speeds_are_sent = True
        try:
            self.look()
        except PositionLostError as error:
            raise SettingsLostError(
                f"while the settings were sent, the register left {before.register}. "
                "Was the controller's power cut? Home the focuser (focus init)."
            ) from error

    def make_ready(self) -> None:
        """Before a go-to, the first or a repeated one: see that the motor has its settings.

        A register that was kept proves them, but where a power cut would not change it. Elsewhere the motor is not
        released, for it could slip.
        """
        if self.is_at_power_up:
            self.configure()
        elif not self._speeds_are_sent:
            self._controller.configure_speeds(self._drive.speed_register, self._drive.acceleration_register)
            self._speeds_are_sent = True

    @property
    def is_at_power_up(self) -> bool:
        """Whether the motor stands where a power cut is known not to show in the register."""
        return near_power_up(self.standing.register, self._power_ups())

    def is_power_up(self, register: int, within_steps: int = 0) -> bool:
        """Whether a register is one at which this controller may begin after a power cut, or no further from it."""
        return near_power_up(register, (*self._power_ups(), *self._found()), within_steps)

    def _hides_power_cut(self, inward: bool) -> bool:
        """Whether a power cut just as a run begins here would pass for the run itself, so near is its register: ahead
        the motor is there before it is looked at, and behind it is soon out again."""
        sign = 1 if inward else -1
        return any(
            -JUMP_MARGIN_STEPS <= sign * (value - self.standing.register) <= FIRST_STEPS
            for value in (POWER_UP_REGISTER, *self._power_ups())
        )

    def proof_steps(self, inward: bool) -> int:
        """How long a leg from here must be to tell by its rate that the settings are there: to prove it, or, if no leg
        is long enough for that, to have its rate judged at all.

        0 if the register proves it, and if that cannot be asked.
        """
        if not self._hides_power_cut(inward):
            return 0
        return self._rate_shows_from_steps or self._rate_is_judged_from_steps

    @property
    def _rate_shows_from_steps(self) -> int:
        """How long a leg from anywhere must be to prove it; 0 if none is long enough."""
        return self._drive.proof_steps(self._ratios.legs, PROOF_S + PROOF_ANSWERS * self._controller.answer_s)

    @property
    def _rate_is_judged_from_steps(self) -> int:
        """How long one must be for its rate to be judged; 0 if none is long enough."""
        looks_s = JUDGING_LOOKS * (SHORTEST_PAUSE_S + 2 * self._controller.answer_s)
        return self._drive.proof_steps(self._ratios.legs, looks_s)

    # Runs

    def run_to_register(
        self, target_register: int, allowance: Allowance, after_s: float, switch_register: int | None = None
    ) -> bool:
        """Run to a position and prove the arrival.

        Args:
            target_register: where to, in microsteps.
            allowance: how much longer it may take.
            after_s: what else the command does afterwards, for the time left.
            switch_register: where the limit switch is, if that is known.

        Returns:
            False if the motor never left its place; its target may have been elsewhere.

        Raises:
            NoProgressError, MoveTimeoutError: it did not arrive.
            PositionLostError: the register cannot be trusted any more.
            LinkLostError: the link died.
        """
        self.make_ready()
        start = self._start_here()
        # Where a power cut does not show, the time is judged that the run took: of slow answers less proof can be had.
        must_take_its_time = switch_register is not None and self.is_at_power_up
        ratio = self._ratios.legs
        if ratio is None and must_take_its_time:
            # Never measured, of slow answers or of a drive that is all ramps: most run as they home.
            ratio = self._ratios.homing
        drive = self._drive.at_ratio(ratio)
        speed_steps_s = steps_from_mm(self._drive.speed_mm_sec)
        tracker = Tracker(
            start,
            target_register,
            speed_steps_s,
            ratio,
            self._power_ups(),
            self._controller.answer_s,
            refresh=self._refresh,
            tally=self._controller.tally,
        )
        ramp_steps = self._drive.ramp_steps(self._drive.speed_mm_sec)
        rate = RateWatch(start, target_register, speed_steps_s, ramp_steps, ratio, self._refresh)
        self._tracker, self._rate = tracker, rate
        inward = target_register > start.register
        self._can_prove = switch_register is not None and self._rate_shows_from_steps > 0
        self._must_prove = self._can_prove and self._hides_power_cut(inward)
        self._is_watched_closely = self._must_prove or must_take_its_time
        can_judge = self._rate_is_judged_from_steps > 0
        run_s = drive.duration_s(target_register - start.register)
        # Legs are measured while the switch is not found yet.
        self._is_measured = switch_register is None and self._ratios.legs is None
        self._expected_s = run_s
        watch = LegWatch(tracker, rate, target_register, allowance, run_s, switch_register, self._refresh)

        def progress(reading: Reading) -> Progress:
            left_s = drive.duration_s(target_register - reading.register) + after_s
            return Progress(reading, left_s, self._speed_mm_sec())

        def command() -> None:
            self._controller.go_to(target_register)

        if not self._follow(watch, command, progress):
            # A controller that rounds its register need not show a run of some steps.
            return is_at(self.standing.register, target_register)
        self._left_at_register = target_register
        self._require_proof(rate, tracker)
        seen_well = watch.took_its_time and (rate.is_judged or not can_judge)
        if must_take_its_time and ratio is not None and not seen_well:
            raise SettingsLostError(
                "the motor ran from a register at which a power cut does not show, and nobody could see "
                "that it kept its speed. Was the controller's power cut? Home the focuser (focus init)."
            )
        return True

    def _require_proof(self, rate: RateWatch, tracker: Tracker | None) -> None:
        """After a run from where a power cut does not show in the register, or that was first seen behind such a place:
        its rate must show that there was none."""
        began_unseen = self._can_prove and tracker is not None and tracker.began_past_power_up
        if (self._must_prove or began_unseen) and not rate.is_proven:
            raise SettingsLostError(
                "the motor ran from a register at which a power cut does not show, and not long enough at one speed to "
                "prove that there was none. Home the focuser (focus init)."
            )

    def run_to_switch(
        self, reach_mm: float = HOMING_REACH_MM, longest_mm: float = TRAVEL_MM, after_s: float = 0.0
    ) -> End:
        """Run inward until the motor stands, wherever that is.

        Args:
            reach_mm: how far it may go; further it is not let run.
            longest_mm: how far it goes at most if all is well, for the time left.
            after_s: what else the command does afterwards, for the time left.

        Raises:
            NoSwitchError: it ran further than `reach_mm`.
            NoProgressError, MoveTimeoutError, PositionLostError, LinkLostError: as for a run to a register.
        """
        start = self._start_here()
        ratio, speed_mm_sec = self._ratios.homing, self._drive.homing_mm_sec
        path_end = start.register + 2 * steps_from_mm(HOMING_REACH_MM)
        tracker = Tracker(
            start,
            path_end,
            steps_from_mm(speed_mm_sec),
            ratio,
            self._power_ups(),
            self._controller.answer_s,
            falls_back=True,
            refresh=self._refresh,
            tally=self._controller.tally,
        )
        ramp_steps = self._drive.ramp_steps(speed_mm_sec)
        self._tracker = tracker
        speed_steps_s = speed_mm_sec * STEPS_PER_MM
        self._rate = RateWatch(start, None, speed_steps_s, ramp_steps, ratio, self._refresh)
        self._must_prove = self._can_prove = self._is_watched_closely = False
        self._is_measured = ratio is None
        self._expected_s = longest_mm / speed_mm_sec
        allowance = Allowance(self._drive.homing_deadline_s)
        watch = HomingWatch(tracker, self._rate, allowance, reach_mm, self._refresh)

        def progress(reading: Reading) -> Progress:
            travelled_mm = mm_from_steps(reading.register - start.register)
            left_s = max(0.0, longest_mm - travelled_mm) / (speed_mm_sec * (ratio or 1.0))
            return Progress(reading, left_s + after_s, self._speed_mm_sec(), travelled_mm)

        if not self._follow(watch, self._controller.run_to_limit_switch, progress):
            return End.NO_RUN
        return End.UNSEEN if tracker.came_unseen or tracker.leapt else End.SEEN

    def _start_here(self) -> Reading:
        """The standstill from which a run starts now."""
        return replace(self.standing, at_s=self._clock.monotonic(), asked_s=None)

    def _follow(
        self,
        watch: LegWatch | HomingWatch,
        command: Callable[[], None],
        progress: Callable[[Reading], Progress],
    ) -> bool:
        """Send a motion command and follow it to its end. False: sent COMMAND_TRIES times, it moved nothing."""
        command()
        self._is_commanded = True
        self._refresh.begin()
        tries = COMMAND_TRIES
        while True:
            verdict = self._judge(watch)
            seen = progress(watch.tracker.shown)
            self._notice(seen)
            if verdict is Verdict.ARRIVED:
                self._stand_at(watch.tracker.last)
                return True
            if verdict is Verdict.NOT_STARTED:
                if self._must_prove and watch.was_unwatched:
                    raise SettingsLostError(
                        f"the motor stands at {self.standing.register}, where a power cut does not show, and nothing "
                        "was heard of it for a while after it was told to run. Home the focuser (focus init)."
                    )
                tries -= 1
                if not tries:
                    self._tracker = None
                    self._is_commanded = False
                    return False
                if isinstance(watch, LegWatch):
                    self.make_ready()
                else:
                    # In homing nothing is lost if the motor slips, and the settings may be.
                    self.configure()
                command()
                watch.restarted(self._clock.monotonic())
            elif verdict is Verdict.LOOK_AGAIN:
                self._pause(SHORTEST_PAUSE_S)
            else:
                self._pause(self._until_next_look_s(watch))

    def _until_next_look_s(self, watch: LegWatch | HomingWatch) -> float:
        """So long that the next reading falls right behind the end of a leg, where that is near."""
        if self._is_measured:
            # How fast it runs is being measured, and it may be faster than computed.
            return min(max(MEASURING_PAUSE_S, self._expected_s / MEASURING_READINGS), LONGEST_PAUSE_S)
        if self._is_watched_closely:
            # How far it had come before a power cut, only readings can tell; and its rate is to be proven or judged.
            return SHORTEST_PAUSE_S
        seen_enough = self._refresh.is_prompt or self._refresh.is_slow
        usual_s = LONGEST_PAUSE_S if seen_enough else MEASURING_PAUSE_S
        if not isinstance(watch, LegWatch):
            return usual_s
        run_out_s = self.leg_drive.run_out_s(watch.left_steps)
        ends_s = watch.tracker.last.earliest_s + run_out_s
        if self._controller.asks_both:
            # The register is asked for behind the state, and both questions are on the line at once.
            ends_s += QUESTION_S
        left_s = ends_s + BEHIND_THE_END_S - self._clock.monotonic()
        longest_s = usual_s if left_s > usual_s + READING_S else left_s
        return max(BEHIND_THE_END_S, longest_s)

    def _judge(self, watch: LegWatch | HomingWatch) -> Verdict:
        try:
            return watch.take(self._read())
        except MoveTimeoutError:
            # Its speed may have been lost on the wire; that its register was kept proves the rest.
            self._speeds_are_sent = False
            raise

    def _read(self) -> Reading:
        """A look at a motor that runs, or may have run."""
        reading = self._controller.read()
        self._refresh.take(reading)
        return reading

    def _speed_mm_sec(self) -> float:
        return -mm_from_steps(self._tracker.rate_steps_s) if self._tracker else 0.0

    def _stand_at(self, reading: Reading) -> None:
        self._standing = reading
        self._left_at_register = reading.register
        self._tracker = self._halting = None
        self._is_commanded = False

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
        now_s = self._clock.monotonic()
        # At the daemon's end there is no time to see whether a slow register is that of now: the motor must stand. If
        # what is kept was out of date, the next process finds another register, and homes.
        in_haste = self._give_up_halting_s(now_s) - now_s < self._refresh.supposed_s + PROOF_S
        refresh = None if in_haste else self._refresh
        watch = HaltWatch(self._tracker, left_at_register, self._ramp_s, refresh)
        # The patience is asked for each time: the daemon's end leaves less than there was.
        halting = self._halting = Halting(
            self._controller,
            self._clock,
            lambda begun_s: self._give_up_halting_s(begun_s + self._slow_proof_s) + self._ramp_s,
        )
        ramp_s = self._ramp_left_s

        def next_reading_s(reading_s: float) -> float:
            # One that would come just before the motor stands waits for that.
            now_s, stands_s = self._clock.monotonic(), halting.told_s + ramp_s + BEHIND_THE_RAMP_S
            return max(
                watch.provable_s(reading_s), stands_s if now_s < stands_s < now_s + reading_s else now_s
            )

        halting.next_reading_s = next_reading_s
        for reading in halting.readings():
            self._refresh.take(reading)
            stands = watch.take(reading)
            if watch.shown:
                self._notice(Progress(watch.shown, 0.0, self._speed_mm_sec()))
            if stands:
                break
        lost = watch.lost(halting.told_s)
        may_have_run, tracker = self._is_commanded, self._tracker
        self._stand_at(reading)
        if lost:
            raise lost
        if may_have_run and self._rate:
            # Also one that seems never to have left: where a power cut does not show, that proves nothing.
            self._require_proof(self._rate, tracker)

    @property
    def _slow_proof_s(self) -> float:
        """How much longer than usual a standstill takes to be proven, because of slow answers, in seconds."""
        return PROVING_ANSWERS * max(0.0, self._controller.answer_s - USUAL_ANSWER_S)

    @property
    def _ramp_left_s(self) -> float:
        """How long the motor takes from the speed that was seen last to standstill, in seconds."""
        if self._tracker is None:
            return 0.0
        return abs(self._speed_mm_sec()) / self.leg_drive.acceleration_mm_sec_sec

    @property
    def _ramp_s(self) -> float:
        drive = self.leg_drive
        return drive.speed_mm_sec / drive.acceleration_mm_sec_sec

    # At rest

    def await_standstill(self, longest_s: float = 0.0) -> None:
        """Prove that the motor stands; where it does not, halt it: it was not told to move.

        Args:
            longest_s: how long it may run on first, because an earlier process told it to.
        """
        standstill = StandstillWatch(self._refresh, ran=longest_s > 0)
        self._refresh.begin()
        expires_s = self._clock.monotonic() + longest_s + standstill.refresh_s
        readings = 0
        while readings < STANDSTILL_READINGS or self._clock.monotonic() < expires_s:
            readings += 1
            reading = self._read()
            if standstill.take(reading):
                self._stand_at(reading)
                return
            self._pause(STANDSTILL_GAP_S)
        self.halt()

    def look(self) -> Reading:
        """Look whether the motor stands where it was left.

        Raises:
            PositionLostError: the register changed; the motor may be running.
            SettingsLostError: it began anew.
            UnexpectedMotionError: the register is as it was, but the motor is said to run.
            LinkLostError: nothing valid was answered.
        """
        expected = self._left_at_register
        readings = []
        self.is_unsteady = False
        for _ in range(BELIEVED_READINGS):
            reading = self._unexpected = self._controller.read()
            readings.append(reading)
            begun_anew = self._may_have_begun_anew(reading)
            if reading.stands_still and is_at(reading.register, expected) and not begun_anew:
                self._flickers |= self._standing is not None and reading.register != self._standing.register
                self._standing = reading
                return reading
            self.surprises += 1
        if begun_anew:
            raise SettingsLostError(
                f"at rest the register went from {self.standing.register} to {reading.register}, where the controller "
                "may begin. Was its power cut? Home the focuser (focus init)."
            )
        if is_at(reading.register, expected):
            raise UnexpectedMotionError(
                "the controller says that the motor runs, though nothing was commanded and the register stands at "
                f"{expected}. Look at the focuser."
            )
        if error := unsteady(expected, readings, self._flickers):
            self.is_unsteady = True
            raise error
        raise moved_unasked(expected, reading.register)

    @property
    def may_ask_both(self) -> bool:
        """Whether `try_both` is wanted. See `Controller.may_ask_both`."""
        return self._controller.may_ask_both

    def try_both(self) -> None:
        """Behind a look: see whether both questions in one write are answered as they were one after the other."""
        if self._controller.may_ask_both and not self._controller.try_both(self.standing):
            self.look()

    def _may_have_begun_anew(self, reading: Reading) -> bool:
        """Whether a register that did not change at rest went to where the controller may begin, if only by a step."""
        here = self._standing
        went = here is not None and reading.register != here.register and not self._flickers
        return went and self.is_power_up(reading.register)

    def follow_hand(self, inner_register: int) -> HandWatch:
        """Follow a motor that somebody drives at its controller, until it stands.

        Args:
            inner_register: the register at the limit switch.

        Raises:
            PositionLostError: nobody can tell how it came where it is; it may be running.
            UnexpectedMotionError: it has run for HAND_FOLLOWED_S.
            LinkLostError: nothing valid was answered.
        """
        left = replace(self.standing, register=self._left_at_register)
        fastest_mm_sec = max(self.leg_drive.speed_mm_sec, self._drive.homing_mm_sec) * SPEED_MARGIN
        watch = HandWatch(
            left,
            inner_register,
            inner_register - steps_from_mm(TRAVEL_MM),
            steps_from_mm(fastest_mm_sec),
            self._power_ups(),
            unseen_after_s(self._controller.answer_s),
            self._refresh,
        )
        self._refresh.begin()
        expires_s = self._clock.monotonic() + HAND_FOLLOWED_S
        # What has just been seen comes first.
        reading, self._unexpected = self._unexpected or self._controller.read(), None
        while True:
            stands = watch.take(reading)
            self._notice(Progress(reading, 0.0, 0.0))
            if stands:
                self._stand_at(reading)
                return watch
            if self._clock.monotonic() >= expires_s:
                break
            self._pause(SHORTEST_PAUSE_S)
            reading = self._read()
        raise UnexpectedMotionError(
            f"somebody has driven the focuser at its controller for {HAND_FOLLOWED_S:g} s. Look at the focuser."
        )
