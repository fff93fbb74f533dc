"""Finds the limit switch, as machine tools do: run in, leave it, and come to it once more.

An end is believed when two approaches agree that were both seen (docs/decisions/0003-belief.md). What a power cut in
one of them leaves behind is found by the register or by the rate, and the next approach, which sends the settings,
mends it. A switch may let the drive fall back, repeat badly, or act on its edge only: so the carriage leaves it first
if it is known to stand at it, and not otherwise, for there may be no room outward.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace

from ..errors import DeviceError, HomingFailedError, NoSwitchError, PositionLostError, SettingsLostError
from .motor import Motor
from .planning import Drive, Limits, mm_from_steps, move_deadline_s, steps_from_mm
from .rates import agree
from .reading import End
from .registers import POSITION_TOLERANCE_STEPS, TRAVEL_MM, is_at
from .run_watch import HOMING_REACH_MM, SWITCH_REPEAT_STEPS, Allowance
from .tracking import PATH_MARGIN_STEPS

_log = logging.getLogger(__name__)

# Beyond the backlash, so that the carriage surely leaves the limit switch.
BACK_OFF_MARGIN_MM = 0.25
# Of a controller that answers slowly, no further than this.
LONGEST_BACK_OFF_MM = 4.0
# How often homing comes to the limit switch once more, until two ends agree.
HOMING_TRIES = 4
# How much further than that it may run in again, after a run that met no switch.
PAST_SWITCH_MM = 0.5
# So near the limit switch a switch may be closed: homing leaves it first.
NEAR_SWITCH_MM = 0.1


def back_off_mm(backlash_mm: float) -> float:
    """How far outward homing leaves the limit switch, to come to it once more."""
    return backlash_mm + BACK_OFF_MARGIN_MM


def second_approach_s(drive: Drive, length_mm: float) -> float:
    """How long it takes to leave the limit switch by so much and come to it once more, in seconds."""
    return drive.duration_s(steps_from_mm(length_mm)) + drive.homing_duration_s(length_mm)


@dataclass(frozen=True)
class Approach:
    """One run to the limit switch.

    Args:
        register: where the motor stands.
        end: how it ended.
        ratio: how fast the register changed, over what the settings make; None if that was not seen.
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


class Homer:
    """Brings one focuser to its limit switch.

    Args:
        motor: runs, halts and looks.
        limits: for the backlash.
        move_timeout_s: the longest that leaving the switch may take.
    """

    def __init__(self, motor: Motor, limits: Limits, move_timeout_s: float) -> None:
        self._motor = motor
        self._limits = limits
        self._move_timeout_s = move_timeout_s
        self._begun_register = 0
        self.is_near_switch = False
        """Whether the carriage was last known to stand at the limit switch, or within NEAR_SWITCH_MM of it; also where
        the position is not known any more."""

    def home(self) -> list[Approach]:
        """Come to the switch until two approaches agree: where the motor stands then is 0 mm. The motor must stand.

        Returns:
            The approaches that it took.

        Raises:
            HomingFailedError: the origin could not be proven.
            SettingsLostError: the controller lost its settings again and again, or runs at another rate than it did.
            DeviceError, LinkLostError: see `Motor`.
        """
        self._begun_register = self._motor.standing.register
        approaches = [self._approach([])]
        for _ in range(HOMING_TRIES):
            approaches.append(self._approach(approaches))
            if any(map(approaches[-1].agrees_with, approaches[:-1])):
                self._stand_at_switch(approaches[-1].register)
                self._learn(approaches)
                return approaches
        raise approaches[-1].error or HomingFailedError(
            f"{HOMING_TRIES + 1} homing runs ended, and no two were seen ending at one place. "
            "Look at the limit switch and the cable."
        )

    def _stand_at_switch(self, end_register: int) -> None:
        # The order of the bring-up (docs/protocol.md): stop, and only then is the register the origin.
        self._motor.halt()
        register = self._motor.standing.register
        if abs(register - end_register) > PATH_MARGIN_STEPS:
            raise HomingFailedError(
                f"the register stood at {end_register} at the limit switch and then at {register}. "
                "Was the controller's power cut? Home again (focus init)."
            )

    def _learn(self, approaches: list[Approach]) -> None:
        """Note how fast the motor runs, where that was not known: as in the last approach, and those that agree."""
        *before, last = approaches
        ratios = [last.ratio, *(one.ratio for one in before if last.agrees_with(one))]
        known = self._motor.ratios
        homing = known.homing or next(filter(None, ratios), None)
        self._motor.ratios = replace(known, homing=homing, legs=known.legs or last.leg_ratio)

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
                leg_ratio = self._back_off(after_s=0.0 if before else self._again_s)
                if not shows_power_cut:
                    # One before that run stayed unseen, and in one scale both approaches would agree.
                    self._motor.configure()
            end = self._motor.run_to_switch(
                reach_mm=self._back_off_mm + PAST_SWITCH_MM if missed else HOMING_REACH_MM,
                longest_mm=self._back_off_mm if leaving else TRAVEL_MM,
                after_s=0.0 if before else self._again_s,
            )
        except (SettingsLostError, NoSwitchError) as error:
            if missed and isinstance(error, NoSwitchError):
                raise
            return self._give_up(error)
        if end is End.NO_RUN and leaving:
            raise HomingFailedError(
                "the motor ran outward but not inward again. Look at the inner limit switch."
            )
        ratio = self._motor.measured_ratio if end is End.SEEN else None
        this = Approach(self._motor.standing.register, end, ratio, leg_ratio)
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
            and is_at(self._motor.standing.register, before[-1].register)
        )
        return kept and self._shows_power_cut

    @property
    def _shows_power_cut(self) -> bool:
        """Whether the register would change in a power cut. Just where it was before the homing, it may have begun."""
        begun = is_at(self._motor.standing.register, self._begun_register)
        return not (begun or self._motor.is_at_power_up)

    @property
    def _again_s(self) -> float:
        return second_approach_s(self._motor.leg_drive, self._back_off_mm)

    def _give_up(self, error: SettingsLostError | NoSwitchError) -> Approach:
        """An approach that came to no switch: halt, and see where the motor stands. The next sends the settings."""
        _log.warning("coming to the limit switch once more: %s", error)
        with contextlib.suppress(PositionLostError):
            self._motor.halt()
        if isinstance(error, NoSwitchError):
            # Past the whole travel the motor stands at the inner stop.
            self.is_near_switch = True
        return Approach(self._motor.standing.register, End.UNSEEN, error=error)

    @property
    def _back_off_mm(self) -> float:
        """How far it leaves the switch: further where slow answers would not let the rate of a leg be learnt."""
        usual_mm = back_off_mm(mm_from_steps(self._limits.backlash_steps))
        return max(usual_mm, min(self._motor.learnable_mm, LONGEST_BACK_OFF_MM))

    def _back_off(self, after_s: float) -> float | None:
        """Leave the limit switch, which also proves that the motor moves at all. Gives the ratio that was measured.

        Args:
            after_s: what the homing does after this approach, in seconds.
        """
        target_register = self._motor.standing.register - steps_from_mm(self._back_off_mm)
        if self._motor.is_power_up(target_register, POSITION_TOLERANCE_STEPS):
            # There a power cut would not show.
            target_register -= 2 * POSITION_TOLERANCE_STEPS + 1
        duration_s = self._motor.leg_drive.duration_s(self._motor.standing.register - target_register)
        allowance = Allowance(move_deadline_s(duration_s, self._move_timeout_s))
        _log.info("leaving the limit switch by %.3f mm, to come to it once more", self._back_off_mm)
        after_s += self._motor.drive.homing_duration_s(self._back_off_mm)
        moved = self._motor.run_to_register(target_register, allowance, after_s)
        self.is_near_switch = False
        if not moved:
            raise HomingFailedError(
                "the motor moves neither inward nor outward. Look at its power and its cable."
            )
        return self._motor.measured_ratio
