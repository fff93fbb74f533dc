"""What the focuser is made to do, in steps out from the limit switch: homing, and moves leg by leg.

It knows where the focuser stands and how its backlash lies; how the motor is run and watched is `motor`'s.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Callable

from ..errors import NoProgressError, StalledError
from .clock import Clock
from .homing import NEAR_SWITCH_MM, Homer
from .motor import COMMAND_TRIES, Motor
from .planning import Drive, Leg, Limits, Plan, move_deadline_s, plan_move, steps_from_mm, taken_up_after
from .position import Position
from .rates import Ratios
from .reading import End, Reading
from .registers import POSITION_TOLERANCE_STEPS, is_at
from .run_watch import Allowance
from .whereabouts import Sighting

_log = logging.getLogger(__name__)

# A look before a move is no longer good for its start than so many seconds: a disk may hang meanwhile.
LOOK_HOLDS_S = 0.03
# How often the motor of one move is sent again after it has stalled.
STALL_TRIES = 3


@dataclass(frozen=True)
class Homing:
    """What a homing found.

    Args:
        begun_register: what the register was before it.
        first_end_register: where its first approach ended, if that can be compared with what the register was before
            it; None if it cannot.
        scatter_steps: how far apart its approaches ended, of those that were seen; in steps.
    """

    begun_register: int
    first_end_register: int | None
    scatter_steps: int = 0


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


class Axis:
    """The procedures of one connected focuser, and what is known of its position.

    Args:
        motor: runs, halts and looks.
        position: where the focuser is.
        drive, limits: how it runs, and where it may.
        move_timeout_s: the longest that a whole move may take.
        clock: the time.
        leg_begins: is told each leg of a move as it begins; must not wait.
    """

    def __init__(
        self,
        motor: Motor,
        position: Position,
        drive: Drive,
        limits: Limits,
        move_timeout_s: float,
        clock: Clock,
        leg_begins: Callable[[Leg], None],
    ) -> None:
        self._motor = motor
        self._position = position
        self._drive = drive
        self._limits = limits
        self._move_timeout_s = move_timeout_s
        self._clock = clock
        self._leg_begins = leg_begins
        self._homer = Homer(motor, limits, move_timeout_s)

    # What is known

    @property
    def homed(self) -> bool:
        """Whether the position is known."""
        return self._position.is_known

    @property
    def origin_register(self) -> int:
        """The register at 0 mm. Raises PositionLostError if it is not known."""
        return self._position.origin_register

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
        return self._position.taken_up_steps

    def steps_out(self, reading: Reading) -> int:
        """A reading's position in steps out. Raises PositionLostError if the origin is not known."""
        return self.origin_register - reading.register

    @property
    def place_steps(self) -> int:
        """Where the focuser stands as it was sent there, in steps out; a controller may show some steps beside it."""
        return self.origin_register - self._motor.place_register

    @property
    def ratios(self) -> Ratios:
        """How fast the motor was seen to run. See `Motor.ratios`."""
        return self._motor.ratios

    @ratios.setter
    def ratios(self, ratios: Ratios) -> None:
        self._motor.ratios = ratios

    @property
    def is_near_switch(self) -> bool:
        """See `Homer.is_near_switch`."""
        return self._homer.is_near_switch

    @is_near_switch.setter
    def is_near_switch(self, near: bool) -> None:
        self._homer.is_near_switch = near

    # Bringing up

    def home(self) -> Homing:
        """Come to the limit switch, twice at least: where the motor stands then is 0 mm. See `Homer.home`."""
        before = self._motor.place_register if self.homed else None
        # A daemon that died may have left the motor running, and a running motor is not to be released.
        self._motor.await_standstill()
        begun_register = self._begun_register = self.standing.register
        undisturbed = before is None or is_at(before, begun_register)
        # Not before: what is stopped until here has moved nothing, and costs no position.
        self._position.forget()
        first, *others = self._homer.home()
        self._position.found(self.standing.register, self._limits.backlash_steps)
        known = undisturbed and first.end is not End.UNSEEN and first.is_near(self.standing.register)
        ends = [one.register for one in (first, *others) if one.end is End.SEEN]
        return Homing(begun_register, first.register if known else None, max(ends) - min(ends))

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
        self._position.found(origin_register, taken_up_steps)
        self._note_place()

    # Moving

    def ideal_s(self, plan: Plan) -> float:
        """How long the motor alone needs for the legs of a plan, in seconds."""
        return sum(self._runs_s(plan))

    def _runs_s(self, plan: Plan) -> list[float]:
        drive = self._motor.leg_drive
        return [drive.duration_s(steps) for steps in run_lengths(self.place_steps, plan)]

    def plan(self, target_steps: int) -> Plan:
        """The legs to a position within the limits from where the focuser stands.

        From where a power cut does not show in the register, the first leg is long enough to prove by its rate that
        there was none, if there is room for it.
        """
        here_steps = self.place_steps
        plan = plan_move(here_steps, self._position.taken_up_steps, target_steps, self._limits)
        inward = bool(plan.legs) and plan.legs[0].target_steps < here_steps
        if proof_steps := self._motor.proof_steps(inward):
            plan = plan_move(
                here_steps, self._position.taken_up_steps, target_steps, self._limits, proof_steps
            )
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
        return self._motor.is_power_up(self.origin_register - position_steps, within_steps)

    def registers_of(self, plan: Plan) -> list[int]:
        """Where the motor turns around or stands in a plan: its start and the end of each leg."""
        return [self._motor.place_register, *(self.origin_register - leg.target_steps for leg in plan.legs)]

    def move(self, plan: Plan, may_start: Callable[[], None]) -> int:
        """Run the legs of a plan, each to a verified arrival.

        Args:
            may_start: called once between the look before the first leg and that leg; may wait.

        Returns:
            How often the motor stalled on its way and was sent again.

        Raises:
            NoProgressError, MoveTimeoutError: the motor did not arrive; its position is still known.
            PositionLostError: it is not.
        """
        self._motor.look()
        runs = self._runs_s(plan)
        allowed_s = move_deadline_s(sum(runs), self._move_timeout_s)
        way = _Way(Allowance(allowed_s), self._move_timeout_s - allowed_s)
        may_start()
        if self._clock.monotonic() - self.standing.at_s > LOOK_HOLDS_S:
            self._motor.look()
        for number, leg in enumerate(plan.legs, start=1):
            self._leg_begins(leg)
            self.is_near_switch = False
            start, register = self.standing.register, self.origin_register - leg.target_steps
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
                return self._motor.run_to_register(register, way.allowance, after_s, self.origin_register)
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
        if not self.homed:
            self._motor.halt()
            return
        start = self.standing.register
        self._motor.halt(left_at_register=start)
        self._note_play(start)

    def look(self) -> Reading:
        """Look whether the focuser stands where it was left. See `Motor.look`."""
        return self._motor.look()

    @property
    def is_unsteady(self) -> bool:
        """See `Motor.is_unsteady`."""
        return self._motor.is_unsteady

    @property
    def surprises(self) -> int:
        """See `Motor.surprises`."""
        return self._motor.surprises

    @property
    def may_ask_both(self) -> bool:
        """See `Motor.may_ask_both`."""
        return self._motor.may_ask_both

    def try_both(self) -> None:
        """See `Motor.try_both`."""
        self._motor.try_both()

    def follow_hand(self) -> None:
        """Follow a focuser that somebody drives at its controller. See `Motor.follow_hand`."""
        start = self._motor.place_register
        watch = self._motor.follow_hand(self.origin_register)
        self._note_play(start)
        if watch.went_outward:
            self._position.taken_up_steps = 0

    def _note_play(self, start_register: int) -> None:
        """Keep count of the backlash after a run from `start_register` to where the motor stands."""
        # Outward is where the register falls.
        self._position.taken_up_steps = taken_up_after(
            self._position.taken_up_steps, -start_register, -self.standing.register, self._limits
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
