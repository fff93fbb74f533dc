"""Whether a controller is still as it was left, so that its register still says where the focuser stands.

Pure judgement. What no register shows, nobody can prove: steps that were lost, and a hand that turned the drive
without the motor (docs/decisions/0010-resuming.md). Each of the judgements says how the backlash lies, or raises
PositionLostError.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..driver.planning import Limits, taken_up_after
from ..driver.registers import POSITION_TOLERANCE_STEPS, is_at, near_power_up
from ..driver.whereabouts import Window
from ..errors import PositionLostError
from ..storage.state_file import Entry

# How far somebody may have tried a hand control after a power cut (0.5 mm).
HAND_TRAVEL_STEPS = 2544
# Nobody pulls the cable, cuts the power, tries the hand control and plugs the cable in again in less time.
HAND_NEEDS_S = 2.0


def require_known_position(entry: Entry, port: str) -> int:
    """The register at 0 mm. Raises PositionLostError if the entry is of another port, or tells of no position."""
    if entry.port != port:
        raise PositionLostError("what was kept is of another serial_port.")
    if entry.origin_register is None or entry.register is None:
        raise PositionLostError("when the controller was left, its position was not known.")
    return entry.origin_register


def require_young_homing(entry: Entry, now: datetime, max_age_s: float) -> None:
    """Raises PositionLostError if the homing is older than that, in seconds, or lies as far in the future."""
    if entry.homed_at is None:
        return
    # Of a clock that was set back nobody can tell how old it is.
    age_s = abs((now - entry.homed_at).total_seconds())
    if age_s > max_age_s:
        raise PositionLostError(
            f"the last homing is {age_s / 3600:.1f} h away, and resume_max_age_h is {max_age_s / 3600:g}."
        )


def taken_up_at_rest(entry: Entry, register: int, limits: Limits, halted: bool) -> int:
    """For a focuser that was left standing: the register must read what it read then.

    Args:
        entry: how it was left.
        register: where the motor stands now.
        limits: for the backlash.
        halted: whether it was halted to find it here, which may have moved it by some steps.
    """
    # A motor that is left alone after a power cut stands just where its register begins.
    unmoved = register == entry.register and not halted
    _require_no_power_cut(entry, register, 0 if unmoved else POSITION_TOLERANCE_STEPS)
    if entry.register is None or not is_at(register, entry.register):
        raise PositionLostError(
            f"the register was left at {entry.register} and reads {register}. "
            "Was the controller's power cut, or its hand control used?"
        )
    return min(entry.taken_up_steps, limits.backlash_steps)


def taken_up_at_an_end(entry: Entry, register: int, limits: Limits) -> int:
    """For a focuser that was left in a move by another process: others may have moved it since, and only a register
    where the move began, turned or was to end is a proof."""
    _require_no_power_cut(entry, register, POSITION_TOLERANCE_STEPS)
    way = entry.way or ()
    if not any(is_at(register, end) for end in way):
        raise PositionLostError(
            f"a move was under way past the registers {', '.join(map(str, way))} when the focuser was left, and the "
            f"register reads {register}, which is none of them. It may have been stopped on its way, or its power cut."
        )
    return _taken_up_since(entry, register, limits)


def taken_up_on_the_way(
    entry: Entry, register: int, limits: Limits, windows: Sequence[Window], unseen_s: float
) -> int:
    """For a focuser whose link was lost in a move of this process: it must be where the motor can have come to stand.

    Args:
        entry: how it was left.
        register: where the motor stands now.
        limits: for the backlash.
        windows: where it can stand.
        unseen_s: how long nobody has seen it, in seconds.
    """
    window = next((window for window in windows if register in window), None)
    if window is None:
        must_be = ", or ".join(map(str, windows)) or "where nobody saw it"
        raise PositionLostError(
            f"the register reads {register}, and by the time that has passed the motor must stand {must_be}. "
            "Was the controller's power cut, or its hand control used?"
        )
    # On a stretch of the way there is room for a hand that tried the controller after a power cut.
    hand = not window.is_exact and unseen_s > HAND_NEEDS_S
    _require_no_power_cut(entry, register, HAND_TRAVEL_STEPS if hand else POSITION_TOLERANCE_STEPS)
    return _taken_up_since(entry, register, limits)


def _require_no_power_cut(entry: Entry, register: int, margin_steps: int) -> None:
    if near_power_up(register, entry.power_up_registers, margin_steps):
        raise PositionLostError(
            f"the register reads {register}, as it may after a power cut, so it proves nothing."
        )


def _taken_up_since(entry: Entry, register: int, limits: Limits) -> int:
    if entry.register is not None and entry.way and min(entry.way) >= entry.register:
        # The way led inward only. Outward is where the register falls.
        return taken_up_after(entry.taken_up_steps, -entry.register, -register, limits)
    # It may have been on its way out or back in: the next move takes up the backlash anew.
    return 0
