"""What the focuser is made to do, in steps out from the limit switch: homing, and moves leg by leg.

It knows where the focuser stands and how its backlash lies; how the motor is run and watched is `motor`'s.
"""

from __future__ import annotations

import logging
from typing import Callable

from .clock import Clock
from .errors import HomingFailedError, NoProgressError, PositionLostError
from .mechanics import Drive, Leg, Limits, Plan, mm_from_steps, steps_from_mm, taken_up_after
from .motor import COMMAND_TRIES, End, Motor
from .reading import Reading
from .watch import PATH_MARGIN_STEPS
from .whereabouts import Sighting

_log = logging.getLogger(__name__)

# Beyond the backlash, so that the carriage surely leaves the limit switch.
BACK_OFF_MARGIN_MM = 0.25
# How often a homing run is repeated whose end was not seen.
HOMING_TRIES = 4


def move_deadline_s(duration_s: float, move_timeout_s: float) -> float:
    """How long a move may take: twice what it should and two seconds, at most `move_timeout_s`."""
    return min(2 * duration_s + 2, move_timeout_s)


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

    def forget_position(self) -> None:
        """The register is not to be trusted any more."""
        self._origin_register = None

    def _origin(self) -> int:
        if self._origin_register is None:
            raise PositionLostError("the position is not known: home the focuser (focus init).")
        return self._origin_register

    # Bringing up

    def bring_up(self) -> None:
        """Configure the motor and home it.

        Raises:
            HomingFailedError: the origin could not be proven.
            DeviceError, LinkLostError: see `Motor`.
        """
        # A daemon that died may have left the motor running, and a running motor is not to be released.
        self._motor.await_standstill()
        self._motor.configure()
        self.home()

    def home(self) -> bool:
        """Run inward to the limit switch: where the motor stands then is 0 mm.

        Returns:
            Whether the register was watched all the way, so that it compares with what it was before.
        """
        before = None if self._origin_register is None else self.standing.register
        self._motor.await_standstill()
        # Not before: what is stopped until here has moved nothing, and costs no position.
        self.forget_position()
        undisturbed = before is None or before == self.standing.register
        end = self._motor.run_to_switch(COMMAND_TRIES)
        if end is not End.SEEN:
            self._prove_the_end(end)
        at_switch = self.standing
        # The order of the bring-up (docs/protocol.md): stop, and only then is the register the origin.
        self._motor.halt()
        if abs(self.standing.register - at_switch.register) > PATH_MARGIN_STEPS:
            raise HomingFailedError(
                f"the register stood at {at_switch.register} at the limit switch and then at "
                f"{self.standing.register}. Was the controller's power cut? Home again (focus init)."
            )
        self._origin_register = self.standing.register
        self._taken_up_steps = self._limits.backlash_steps
        return undisturbed and end is not End.UNSEEN

    def _prove_the_end(self, end: End) -> None:
        """Prove an end of the homing run that nobody saw: come to the switch again.

        Args:
            end: how it ended. Where the motor never left its place, it may stand at the switch, or have no power.
        """
        end_register = None if end is End.NO_RUN else self.standing.register
        for _ in range(HOMING_TRIES):
            # What nobody saw may have been a power cut, and that loses the settings.
            self._motor.configure()
            leaving = end is End.NO_RUN
            if leaving:
                # Only from where it does not run inward any more: outward there is room then.
                self._back_off()
            end = self._motor.run_to_switch(COMMAND_TRIES)
            if end is End.NO_RUN and leaving:
                raise HomingFailedError(
                    "the motor ran outward but not inward again. Look at the inner limit switch."
                )
            here = self.standing.register
            agrees = end_register is not None and abs(here - end_register) <= PATH_MARGIN_STEPS
            if end is End.SEEN or (leaving and agrees):
                return
            if end is not End.NO_RUN:
                end_register = here
        raise HomingFailedError(
            f"{HOMING_TRIES + 1} homing runs ended each somewhere else, and none was seen ending. Look at the cable."
        )

    def _back_off(self) -> None:
        """Leave the limit switch, which also proves that the motor moves at all."""
        back_off_steps = self._limits.backlash_steps + steps_from_mm(BACK_OFF_MARGIN_MM)
        deadline_s = self._deadline_s(self._drive.duration_s(back_off_steps))
        _log.info("backing off %.3f mm to come back to the limit switch", mm_from_steps(back_off_steps))
        if not self._motor.run_to_register(self.standing.register - back_off_steps, deadline_s, after_s=0.0):
            raise HomingFailedError(
                "the motor moves neither inward nor outward. Look at its power and its cable."
            )

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
        self._motor.trust_settings()
        self._origin_register = origin_register
        self._taken_up_steps = taken_up_steps

    # Moving

    def registers_of(self, plan: Plan) -> list[int]:
        """Where the motor turns around or stands in a plan: its start and the end of each leg."""
        return [self.standing.register, *(self._origin() - leg.target_steps for leg in plan.legs)]

    def move(self, plan: Plan) -> None:
        """Run the legs of a plan, each to a verified arrival.

        Raises:
            NoProgressError, MoveTimeoutError: the motor did not arrive; its position is still known.
            PositionLostError: it is not.
        """
        self.make_ready()
        runs = [self._drive.duration_s(steps) for steps in run_lengths(self.steps_out(self.standing), plan)]
        deadline_s = self._deadline_s(sum(runs))
        for number, leg in enumerate(plan.legs, start=1):
            self._leg_begins(leg)
            start, register = self.standing.register, self._origin() - leg.target_steps
            if not self._motor.run_to_register(register, deadline_s, after_s=sum(runs[number:])):
                raise NoProgressError(
                    f"the motor does not advance: it was sent to register {register} {COMMAND_TRIES} times and "
                    f"stands at {start}. Look at its power and its cable."
                )
            self._note_play(start)

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

    def make_ready(self) -> None:
        """Before a run: see that the motor has its settings, and stands where it was left. Nothing starts from a stale
        position: power cuts and hands do not announce themselves."""
        self._motor.configure_if_doubtful()
        self._motor.look()

    def _deadline_s(self, duration_s: float) -> float:
        return self._clock.monotonic() + move_deadline_s(duration_s, self._move_timeout_s)

    def _note_play(self, start_register: int) -> None:
        """Keep count of the backlash after a run from `start_register` to where the motor stands."""
        # Outward is where the register falls.
        self._taken_up_steps = taken_up_after(
            self._taken_up_steps, -start_register, -self.standing.register, self._limits
        )


def run_lengths(start_steps: int, plan: Plan) -> list[int]:
    """How many steps each leg of a plan runs, positive outward."""
    lengths = []
    for leg in plan.legs:
        lengths.append(leg.target_steps - start_steps)
        start_steps = leg.target_steps
    return lengths
