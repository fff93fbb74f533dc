"""Motor, spindle and carriage: what really moves, whatever the register says.

Three positions are kept apart, because that is where focusers go wrong:

- the *register* counts commanded steps and grows inward;
- the *motor* (its rotor) follows, unless it stalls, loses steps or hits a stop;
- the *carriage* follows the motor with play (backlash): driven inward it stands at the motor's
  position, driven outward it lags by the backlash.

Motor and carriage are in steps outward of the inner limit switch (0 = fully in), each 1/5088 mm. A step of
the register is `step_travel` of them, which changes with the microstep mode. Times are seconds of
the device, and never go back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import ramp
from .options import STEPS_PER_MM, Options
from .ramp import Limits, Phase, Ramp
from .switch import LimitSwitch

INNER_MARGIN_STEPS = round(0.1 * STEPS_PER_MM)
"""Way from the limit switch to the inner hard stop. Reached only if the switch does not act."""

MOTOR_FAULTS: dict[str, tuple[float, float]] = {
    "works": (1.0, 1.0),
    "frozen": (0.0, 0.0),
    "stalled": (1.0, 0.0),
    "reversed": (-1.0, -1.0),
    "miswired": (1.0, -1.0),
}
"""How register and motor follow a command: (register, motor) steps for each commanded step."""


@dataclass
class Extremes:
    """How far carriage and motor have been, and how often and far the motor ran against a hard stop."""

    lowest: float
    highest: float
    lowest_motor: float
    highest_motor: float
    inner_stop_hits: int = 0
    outer_stop_hits: int = 0
    ground: float = 0.0

    @property
    def hard_stop_hits(self) -> int:
        return self.inner_stop_hits + self.outer_stop_hits

    @classmethod
    def at(cls, carriage: float, motor: float) -> Extremes:
        return cls(carriage, carriage, motor, motor)

    def include(self, carriage: float, motor: float) -> None:
        self.lowest = min(self.lowest, carriage)
        self.highest = max(self.highest, carriage)
        self.lowest_motor = min(self.lowest_motor, motor)
        self.highest_motor = max(self.highest_motor, motor)


class Mechanism:
    """The moving parts of one focuser, exact at every moment that is asked for."""

    def __init__(self, options: Options) -> None:
        self.travel = float(round(options.travel_mm * STEPS_PER_MM))
        self.backlash = float(round(options.backlash_mm * STEPS_PER_MM))
        self.lost_part = options.lost_steps
        self.register_position = float(options.register)
        self.carriage = float(round(options.start_mm * STEPS_PER_MM))
        # As the last outward move left it: all the play lies before the next inward one.
        self.motor = self.carriage + self.backlash
        self.motor_fault = "works"
        self.switch = LimitSwitch(options)
        self._options = options
        self.step_travel = 1.0
        self.extremes = Extremes.at(self.carriage, self.motor)
        self._time_s = 0.0
        self._phases: Ramp = ()
        self._phase_start_s = 0.0

    # What can be seen. Call `advance` first.

    @property
    def register(self) -> int:
        return math.floor(self.register_position + 0.5)

    @property
    def is_moving(self) -> bool:
        return bool(self._phases) and not self._phases[0].is_rest

    @property
    def is_at_rest(self) -> bool:
        """Neither moving nor about to."""
        return not self._phases

    @property
    def speed(self) -> float:
        """Commanded speed in steps/s, inward positive."""
        if not self._phases:
            return 0.0
        return self._phases[0].velocity_at(self._time_s - self._phase_start_s)

    @property
    def travel_speed(self) -> float:
        """Commanded speed of the motor in steps of 1/5088 mm a second, inward positive."""
        return self.speed * self.step_travel

    @property
    def next_change_s(self) -> float:
        """When the present phase ends; infinite at rest and in a run without an end."""
        return self._phase_start_s + self._phases[0].duration_s if self._phases else math.inf

    # What can be commanded, at the time of the last `advance`.

    def go_to(self, target: int, limits: Limits, latency_s: float) -> None:
        """Run to a register value and stand still there."""
        self.switch.begin_run(self.motor, is_homing=False)
        self._begin(ramp.to_distance(target - self.register_position, self.speed, limits), latency_s)

    def run_inward(self, speed: float, limits: Limits, latency_s: float) -> None:
        """Run inward at `speed` (steps/s, not above the limit) until the limit switch ends it."""
        self.switch.begin_run(self.motor, is_homing=True)
        self._begin(ramp.to_speed(min(speed, limits.speed), self.speed, limits), latency_s)

    def stop(self, deceleration: float) -> None:
        """Slow down to standstill."""
        self._begin(ramp.to_rest(self.speed, deceleration), latency_s=0.0)

    def stop_at_once(self) -> None:
        """Stand still here: what the limit switch, a release or a power cut does."""
        self._phases = ()
        self._settle()

    def restart_register(self, register: int) -> None:
        """After a power cut the count begins anew; nothing moved."""
        self.stop_at_once()
        self.register_position = float(register)

    # What people and bad luck do.

    def push(self, steps_outward: float, register_follows: bool) -> None:
        """A hand moves the carriage and, through the spindle, the motor."""
        lowest, highest = self._stops
        pushed = min(max(self.motor + steps_outward, lowest), highest)
        moved = float(math.floor(pushed - self.motor + 0.5))
        self.carriage = min(max(self.carriage + moved, lowest), self.travel)
        self.motor += moved
        self.extremes.include(self.carriage, self.motor)
        if register_follows:
            self.register_position -= round(moved / self.step_travel)

    def lose_steps(self, steps: float) -> None:
        """The motor falls behind by `steps` inward (negative: outward); the register does not notice."""
        self._turn_motor(self.motor + steps)

    def forget_extremes(self) -> None:
        """Count how far carriage and motor have been anew."""
        self.extremes = Extremes.at(self.carriage, self.motor)

    # Time.

    def advance(self, now_s: float) -> None:
        """Let the device live until `now_s`."""
        while self._phases and self._time_s < now_s:
            phase = self._phases[0]
            end_s = min(now_s, self.next_change_s)
            self._live_through(phase, end_s)
            if self._phases and end_s == self.next_change_s:
                self._next_phase(end_s)
        self._time_s = max(self._time_s, now_s)

    def _begin(self, phases: Ramp, latency_s: float) -> None:
        if self._phases and not self.is_moving and phases:
            # A command during the latency of another takes its place, and waits no second time.
            left_s = self.next_change_s - self._time_s
            phases = ramp.rest(left_s) + phases
        elif not self._phases and phases:
            phases = ramp.rest(latency_s) + phases
        self._phases = phases
        self._phase_start_s = self._time_s
        if not phases:
            self._settle()

    def _next_phase(self, start_s: float) -> None:
        self._phases = self._phases[1:]
        self._phase_start_s = start_s
        if not self._phases:
            self._settle()

    def _live_through(self, phase: Phase, end_s: float) -> None:
        """From now to `end_s`, all inside one phase; cut short where the limit switch ends the motion."""
        begun_s = self._phase_start_s
        wanted = phase.displacement_at(end_s - begun_s) - phase.displacement_at(self._time_s - begun_s)
        register_gain, motor_gain = self._gains
        motor_gain *= 1 - self.lost_part
        allowed = self.switch.left(self.motor, motor_gain * wanted)
        self._time_s = end_s
        if allowed is None:
            self._move(register_gain * wanted, motor_gain * wanted)
            return
        self._move(register_gain * allowed / motor_gain, allowed)
        self.stop_at_once()
        self._fall_back(self.switch.fall_back())

    def _move(self, register_steps: float, motor_steps_inward: float) -> None:
        self.register_position += register_steps
        wanted = self.motor - motor_steps_inward
        self._turn_motor(wanted)
        self.extremes.ground += abs(self.motor - wanted)
        self.switch.look(self.motor)

    def _fall_back(self, steps: int) -> None:
        self._turn_motor(self.motor + steps)
        if self._options.fall_back_counts:
            self.register_position -= round(steps / self.step_travel)

    @property
    def _gains(self) -> tuple[float, float]:
        """What register and motor make of each commanded step."""
        register_gain, motor_gain = MOTOR_FAULTS[self.motor_fault]
        return register_gain, motor_gain * self.step_travel

    @property
    def _stops(self) -> tuple[float, float]:
        """Where the motor stalls, because the carriage stands at a hard stop."""
        return float(-INNER_MARGIN_STEPS), self.travel + self.backlash

    def _turn_motor(self, motor: float) -> None:
        """Bring the motor to a position, as far as the stops let it; the carriage follows with its play."""
        lowest, highest = self._stops
        if motor > highest + 1e-6 and self.motor < highest:
            self.extremes.outer_stop_hits += 1
        if motor < lowest - 1e-6 and self.motor > lowest:
            self.extremes.inner_stop_hits += 1
        self.motor = min(max(motor, lowest), highest)
        self.carriage = min(max(self.carriage, self.motor - self.backlash), self.motor)
        self.extremes.include(self.carriage, self.motor)

    def _settle(self) -> None:
        """At rest the register stands on a whole step, and the motor with it; float dust must not gather."""
        shift = self.register_position - self.register
        self.register_position = float(self.register)
        register_gain, motor_gain = self._gains
        motor = self.motor + register_gain * motor_gain * shift
        if abs(motor - round(motor)) < 1e-6:
            motor = float(round(motor))
        # Rounding never takes a motor through the switch that has just stopped it.
        if motor >= 0 or self.motor < 0 or self.switch.state == "dead":
            self._turn_motor(motor)
