"""What the focuser is made to do, in steps out from the limit switch: homing, and moves leg by leg.

It knows where the focuser stands and how its backlash lies; how the motor is run and watched is `motor`'s.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import Callable

from .clock import Clock
from .errors import (
    DeviceError,
    HomingFailedError,
    NoProgressError,
    NoSwitchError,
    PositionLostError,
    SettingsLostError,
    StalledError,
)
from .mechanics import Drive, Leg, Limits, Plan, mm_from_steps, plan_move, steps_from_mm, taken_up_after
from .motor import COMMAND_TRIES, End, Motor, homing_duration_s
from .rates import Ratios, agree
from .reading import Reading
from .registers import POSITION_TOLERANCE_STEPS, is_at
from .watch import HOMING_REACH_MM, PATH_MARGIN_STEPS, SWITCH_REPEAT_STEPS, Allowance
from .whereabouts import Sighting

_log = logging.getLogger(__name__)

# Beyond the backlash, so that the carriage surely leaves the limit switch.
BACK_OFF_MARGIN_MM = 0.25
# How often homing comes to the limit switch once more, until two ends in a row agree.
HOMING_TRIES = 4
# How often the motor of one move is sent again after it has stalled.
STALL_TRIES = 3
# How much further than that it may run in again, after a run that met no switch.
PAST_SWITCH_MM = 0.5
# So near the limit switch a switch may be closed: homing leaves it first.
NEAR_SWITCH_MM = 0.1


def move_deadline_s(duration_s: float, move_timeout_s: float) -> float:
    """How long a move may take: twice what it should and ten seconds, which a slow line survives, at most
    `move_timeout_s`."""
    return min(2 * duration_s + 10, move_timeout_s)


def back_off_mm(backlash_mm: float) -> float:
    """How far outward homing leaves the limit switch, to come to it once more."""
    return backlash_mm + BACK_OFF_MARGIN_MM


def second_approach_s(drive: Drive, length_mm: float) -> float:
    """How long it takes to leave the limit switch by so much and come to it once more, in seconds."""
    return drive.duration_s(steps_from_mm(length_mm)) + homing_duration_s(drive, length_mm)


@dataclass(frozen=True)
class Approach:
    """One run to the limit switch.

    Args:
        register: where the motor stands.
        end: how it ended.
        ratio: how fast the register changed, over what the settings make; None where that was not seen.
        leg_ratio: the same for the leg that led away from the switch before.
        error: what ended it, if not the switch.
    """

    register: int
    end: End
    ratio: float | None = None
    leg_ratio: float | None = None
    error: DeviceError | None = None

    def agrees_with(self, other: Approach) -> bool:
        """Whether two approaches prove each other: both were seen, at one place and one rate."""
        seen = self.end is End.SEEN and other.end is End.SEEN
        return seen and self.is_near(other.register) and agree(self.ratio, other.ratio)

    def is_near(self, register: int) -> bool:
        """Whether a limit switch may end one run here and another there."""
        return abs(self.register - register) <= SWITCH_REPEAT_STEPS


@dataclass(frozen=True)
class Homing:
    """What a homing found.

    Args:
        begun_register: what the register was before it.
        first_end_register: where its first approach ended, if that can be compared with what the register was before
            it; None where it cannot.
    """

    begun_register: int
    first_end_register: int | None


@dataclass
class _Way:
    """What the legs of one move share.

    Args:
        allowance: how much longer they may take.
        reserve_s: how much more, where the motor has stalled.
        stalls: how often it has.
    """

    allowance: Allowance
    reserve_s: float
    stalls: int = 0


class Motion:
    """The procedures of one connected focuser, and what is known of its position.

    Args:
        motor: runs, halts and looks.
        drive, limits: how it runs, and where it may.
        move_timeout_s: the longest that a whole move may take.
        clock: the time.
        leg_begins: is told each leg of a move as it begins; must not wait.
    """

    def __init__(
        self,
        motor: Motor,
        drive: Drive,
        limits: Limits,
        move_timeout_s: float,
        clock: Clock,
        leg_begins: Callable[[Leg], None],
    ) -> None:
        self._motor = motor
        self._drive = drive
        self._limits = limits
        self._move_timeout_s = move_timeout_s
        self._clock = clock
        self._leg_begins = leg_begins
        self._origin_register: int | None = None
        self._taken_up_steps = 0
        self._begun_register = 0
        self.is_near_switch = False
        """Whether the carriage was last known to stand at the limit switch, or within NEAR_SWITCH_MM of it; also where
        the position is not known any more."""

    # What is known

    @property
    def homed(self) -> bool:
        """Whether the position is known."""
        return self._origin_register is not None

    @property
    def origin_register(self) -> int:
        """The register at 0 mm. Raises PositionLostError where it is not known."""
        return self._origin()

    @property
    def standing(self) -> Reading:
        """The last reading from proven standstill."""
        return self._motor.standing

    @property
    def sighting(self) -> Sighting | None:
        """The leg under way as it was last seen. See `Motor.sighting`."""
        return self._motor.sighting

    @property
    def taken_up_steps(self) -> int:
        """How far the focuser has run inward since it last ran outward (bounded by the backlash)."""
        return self._taken_up_steps

    def steps_out(self, reading: Reading) -> int:
        """A reading's position in steps out. Raises PositionLostError where the origin is not known."""
        return self._origin() - reading.register

    @property
    def place_steps(self) -> int:
        """Where the focuser stands as it was sent there, in steps out; a controller may show some steps beside it."""
        return self._origin() - self._motor.place_register

    @property
    def ratios(self) -> Ratios:
        """How fast the motor was seen to run. See `Motor.ratios`."""
        return self._motor.ratios

    @ratios.setter
    def ratios(self, ratios: Ratios) -> None:
        self._motor.ratios = ratios

    def forget_position(self) -> None:
        """The register is not to be trusted any more."""
        self._origin_register = None

    def _origin(self) -> int:
        if self._origin_register is None:
            raise PositionLostError("the position is not known: home the focuser (focus init).")
        return self._origin_register

    # Bringing up

    def home(self) -> Homing:
        """Run inward to the limit switch, leave it, and come to it once more: where the motor stands then is 0 mm.

        Raises:
            HomingFailedError: the origin could not be proven.
            SettingsLostError: the controller lost its settings again and again, or runs at another rate than it did.
            DeviceError, LinkLostError: see `Motor`.
        """
        before = self._motor.place_register if self.homed else None
        # A daemon that died may have left the motor running, and a running motor is not to be released.
        self._motor.await_standstill()
        begun_register = self._begun_register = self.standing.register
        undisturbed = before is None or is_at(before, begun_register)
        # Not before: what is stopped until here has moved nothing, and costs no position.
        self.forget_position()
        approaches = [self._approach([])]
        for _ in range(HOMING_TRIES):
            approaches.append(self._approach(approaches))
            if any(map(approaches[-1].agrees_with, approaches[:-1])):
                self._begin_at(approaches)
                first = approaches[0]
                known = undisturbed and first.end is not End.UNSEEN and first.is_near(self.standing.register)
                return Homing(begun_register, first.register if known else None)
        raise approaches[-1].error or HomingFailedError(
            f"{HOMING_TRIES + 1} homing runs ended, and no two were seen ending at one place. "
            "Look at the limit switch and the cable."
        )

    def _begin_at(self, approaches: list[Approach]) -> None:
        """The last approach agrees with one before it: here is 0 mm."""
        end_register = approaches[-1].register
        # The order of the bring-up (docs/protocol.md): stop, and only then is the register the origin.
        self._motor.halt()
        if abs(self.standing.register - end_register) > PATH_MARGIN_STEPS:
            raise HomingFailedError(
                f"the register stood at {end_register} at the limit switch and then at "
                f"{self.standing.register}. Was the controller's power cut? Home again (focus init)."
            )
        self._learn(approaches)
        self._origin_register = self.standing.register
        self._taken_up_steps = self._limits.backlash_steps

    def _learn(self, approaches: list[Approach]) -> None:
        """Note how fast the motor runs, where that was not known: as in the last approach, and those that agree."""
        *before, last = approaches
        ratios = [last.ratio, *(one.ratio for one in before if last.agrees_with(one))]
        known = self.ratios
        homing = known.homing or next(filter(None, ratios), None)
        self.ratios = replace(known, homing=homing, legs=known.legs or last.leg_ratio)

    def _approach(self, before: list[Approach]) -> Approach:
        """Run to the limit switch once; leave it first where the carriage is near it, for there is room outward then.

        Args:
            before: the approaches before this one.
        """
        missed = bool(before) and isinstance(before[-1].error, NoSwitchError)
        leaving = self.is_near_switch
        leg_ratio = None
        try:
            if not self._settings_are_proven(before):
                self._motor.configure()
            if leaving:
                shows_power_cut = self._shows_power_cut
                leg_ratio = self._back_off()
                if not shows_power_cut:
                    # One before that run stayed unseen, and in one scale both approaches would agree.
                    self._motor.configure()
            end = self._run_in(not before, self._back_off_mm + PAST_SWITCH_MM if missed else HOMING_REACH_MM)
        except (SettingsLostError, NoSwitchError) as error:
            if missed and isinstance(error, NoSwitchError):
                raise
            return self._give_up(error)
        if end is End.NO_RUN and leaving:
            raise HomingFailedError(
                "the motor ran outward but not inward again. Look at the inner limit switch."
            )
        ratio = self._motor.measured_ratio if end is End.SEEN else None
        this = Approach(self.standing.register, end, ratio, leg_ratio)
        # One that nobody saw may have ended anywhere, if not where another did.
        self.is_near_switch = end is not End.UNSEEN or any(this.is_near(one.register) for one in before)
        return this

    def _settings_are_proven(self, before: list[Approach]) -> bool:
        """Whether the approach before this one began with its settings, and the register has shown no power cut since.

        A motor that slips when it is released must not do so before each approach: no two would agree.
        """
        kept = (
            len(before) > 1
            and before[-1].end is End.SEEN
            and is_at(self.standing.register, before[-1].register)
        )
        return kept and self._shows_power_cut

    @property
    def _shows_power_cut(self) -> bool:
        """Whether the register would change in a power cut. Where the homing found it, it may just have begun."""
        return not (self._motor.is_at_power_up or is_at(self.standing.register, self._begun_register))

    def _run_in(self, first: bool, reach_mm: float) -> End:
        again_s = second_approach_s(self._motor.leg_drive, self._back_off_mm)
        if first:
            return self._motor.run_to_switch(reach_mm, after_s=again_s)
        return self._motor.run_to_switch(reach_mm, longest_mm=self._back_off_mm)

    def _give_up(self, error: SettingsLostError | NoSwitchError) -> Approach:
        """An approach that came to no switch: halt, and see where the motor stands. The next sends the settings."""
        _log.warning("coming to the limit switch once more: %s", error)
        with contextlib.suppress(PositionLostError):
            self._motor.halt()
        if isinstance(error, NoSwitchError):
            # Past the whole travel the motor stands at the inner stop.
            self.is_near_switch = True
        return Approach(self.standing.register, End.UNSEEN, error=error)

    @property
    def _back_off_mm(self) -> float:
        return back_off_mm(mm_from_steps(self._limits.backlash_steps))

    def _back_off(self) -> float | None:
        """Leave the limit switch, which also proves that the motor moves at all. Gives the ratio that was measured."""
        target_register = self.standing.register - steps_from_mm(self._back_off_mm)
        if self._motor.is_power_up(target_register, POSITION_TOLERANCE_STEPS):
            # There a power cut would not show.
            target_register -= 2 * POSITION_TOLERANCE_STEPS + 1
        duration_s = self._motor.leg_drive.duration_s(self.standing.register - target_register)
        allowance = Allowance(move_deadline_s(duration_s, self._move_timeout_s))
        _log.info("leaving the limit switch by %.3f mm, to come to it once more", self._back_off_mm)
        after_s = homing_duration_s(self._drive, self._back_off_mm)
        moved = self._motor.run_to_register(target_register, allowance, after_s)
        self.is_near_switch = False
        if not moved:
            raise HomingFailedError(
                "the motor moves neither inward nor outward. Look at its power and its cable."
            )
        return self._motor.measured_ratio

    # Resuming

    def come_to_rest(self, halting: bool, way: tuple[int, ...] = ()) -> Reading:
        """Prove that the motor stands, before anything is known of its position.

        Args:
            halting: halt it in any case.
            way: the registers of a move that it may end first.
        """
        if halting:
            self._motor.halt()
        elif way:
            longest_s = self._drive.duration_s(max(way) - min(way))
            self._motor.await_standstill(move_deadline_s(longest_s, self._move_timeout_s))
        else:
            self._motor.await_standstill()
        return self.standing

    def resume(self, origin_register: int, taken_up_steps: int) -> None:
        """Carry on from where the motor stands, which was proven to be where it was left.

        It kept its settings, or its register would not be there.
        """
        self._origin_register = origin_register
        self._taken_up_steps = taken_up_steps
        self._note_place()

    # Moving

    def plan(self, target_steps: int) -> Plan:
        """The legs to a position within the limits from where the focuser stands.

        From where a power cut does not show in the register, the first leg is long enough to prove by its rate that
        there was none, if there is room for it.
        """
        here_steps = self.place_steps
        plan = plan_move(here_steps, self._taken_up_steps, target_steps, self._limits)
        inward = bool(plan.legs) and plan.legs[0].target_steps < here_steps
        if proof_steps := self._motor.proof_steps(inward):
            plan = plan_move(here_steps, self._taken_up_steps, target_steps, self._limits, proof_steps)
        return replace(plan, legs=tuple(map(self._turning_elsewhere, plan.legs)))

    def _turning_elsewhere(self, leg: Leg) -> Leg:
        """A leg that turns around where a power cut would show in the register."""
        if not leg.overshoot or not self.is_power_up_at(leg.target_steps, POSITION_TOLERANCE_STEPS):
            return leg
        aside_steps = 2 * POSITION_TOLERANCE_STEPS + 1
        outward = leg.target_steps + aside_steps <= self._limits.travel_steps
        return replace(leg, target_steps=leg.target_steps + (aside_steps if outward else -aside_steps))

    def is_power_up_at(self, position_steps: int, within_steps: int = 0) -> bool:
        """Whether the register is one of a power cut at a position in steps out, or so near it."""
        return self._motor.is_power_up(self._origin() - position_steps, within_steps)

    def registers_of(self, plan: Plan) -> list[int]:
        """Where the motor turns around or stands in a plan: its start and the end of each leg."""
        return [self._motor.place_register, *(self._origin() - leg.target_steps for leg in plan.legs)]

    def move(self, plan: Plan) -> int:
        """Run the legs of a plan, each to a verified arrival.

        Returns:
            How often the motor stalled on its way and was sent again.

        Raises:
            NoProgressError, MoveTimeoutError: the motor did not arrive; its position is still known.
            PositionLostError: it is not.
        """
        self._motor.look()
        drive = self._motor.leg_drive
        runs = [drive.duration_s(steps) for steps in run_lengths(self.place_steps, plan)]
        allowed_s = move_deadline_s(sum(runs), self._move_timeout_s)
        way = _Way(Allowance(allowed_s), self._move_timeout_s - allowed_s)
        for number, leg in enumerate(plan.legs, start=1):
            self._leg_begins(leg)
            self.is_near_switch = False
            start, register = self.standing.register, self._origin() - leg.target_steps
            if not self._run_leg(register, way, after_s=sum(runs[number:])):
                raise NoProgressError(
                    f"the motor does not advance: it was sent to register {register} {COMMAND_TRIES} times and "
                    f"stands at {start}. Look at its power and its cable."
                )
            self._note_play(start)
        return way.stalls

    def _run_leg(self, register: int, way: _Way, after_s: float) -> bool:
        """Run one leg. A motor that stalls is halted, and sent again once it is proven to stand."""
        while True:
            try:
                return self._motor.run_to_register(register, way.allowance, after_s, self._origin())
            except StalledError as error:
                if way.stalls == STALL_TRIES:
                    raise
                way.stalls += 1
                # It has used up the time that a move without a stall has.
                way.allowance.left_s += way.reserve_s
                way.reserve_s = 0.0
                _log.warning("sending the motor again: %s", error)
                self._motor.halt()

    def halt(self) -> None:
        """Stop the motor and prove that it stands, where it should if nothing moved. See `Motor.halt`."""
        if self._origin_register is None:
            self._motor.halt()
            return
        start = self.standing.register
        self._motor.halt(left_at_register=start)
        self._note_play(start)

    def look(self) -> Reading:
        """Look whether the focuser stands where it was left. See `Motor.look`."""
        return self._motor.look()

    def follow_hand(self) -> None:
        """Follow a focuser that somebody drives at its controller. See `Motor.follow_hand`."""
        start = self._motor.place_register
        watch = self._motor.follow_hand(self._origin())
        self._note_play(start)
        if watch.went_outward:
            self._taken_up_steps = 0

    def _note_play(self, start_register: int) -> None:
        """Keep count of the backlash after a run from `start_register` to where the motor stands."""
        # Outward is where the register falls.
        self._taken_up_steps = taken_up_after(
            self._taken_up_steps, -start_register, -self.standing.register, self._limits
        )
        self._note_place()

    def _note_place(self) -> None:
        self.is_near_switch = self.place_steps <= steps_from_mm(NEAR_SWITCH_MM)


def run_lengths(start_steps: int, plan: Plan) -> list[int]:
    """How many steps each leg of a plan runs, positive outward."""
    lengths = []
    for leg in plan.legs:
        lengths.append(leg.target_steps - start_steps)
        start_steps = leg.target_steps
    return lengths
