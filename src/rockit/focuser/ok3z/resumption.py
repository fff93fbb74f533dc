"""Whether a controller is still as it was left, so that its register still says where the focuser stands.

Pure judgement. What no register shows, nobody can prove: steps that were lost, and a hand that turned the drive
without the motor (docs/decisions/0010-resuming.md).
"""

from __future__ import annotations

from datetime import datetime

from .errors import PositionLostError
from .mechanics import Limits, taken_up_after
from .registers import POWER_UP_REGISTER
from .state_file import Entry
from .watch import PATH_MARGIN_STEPS


def require_known_position(entry: Entry, port: str) -> int:
    """The register at 0 mm. Raises PositionLostError where the entry is of another port, or tells of no position."""
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


def taken_up_if_as_left(entry: Entry, register: int, limits: Limits, watched: bool) -> int:
    """How the backlash lies, if the controller is as it was left.

    Args:
        entry: how it was left.
        register: where the motor stands now.
        limits: for the backlash.
        watched: whether this process itself wrote the entry and watched the focuser until the link went. Otherwise
            others may have moved the focuser since, and only an exact register is a proof.

    Raises:
        PositionLostError: it is not, or that cannot be told.
    """
    if entry.way is None:
        _require_no_power_cut(register, margin_steps=0)
        _require_unchanged(entry.register, register)
        return min(entry.taken_up_steps, limits.backlash_steps)
    # It may have been halted to find it here, and a halt may move a motor by some steps.
    _require_no_power_cut(register, PATH_MARGIN_STEPS)
    if watched:
        _require_on_the_way(entry.way, register)
    else:
        _require_an_end(entry.way, register)
    return _taken_up_on_the_way(entry, register, limits)


def _require_no_power_cut(register: int, margin_steps: int) -> None:
    if abs(register - POWER_UP_REGISTER) <= margin_steps:
        raise PositionLostError(
            f"the register reads {register}, as it may after a power cut, so it proves nothing."
        )


def _require_unchanged(left_at_register: int | None, register: int) -> None:
    if register != left_at_register:
        raise PositionLostError(
            f"the register was left at {left_at_register} and reads {register}. "
            "Was the controller's power cut, or its hand control used?"
        )


def _require_an_end(way: tuple[int, ...], register: int) -> None:
    if register not in way:
        raise PositionLostError(
            f"a move was under way past the registers {', '.join(map(str, way))} when the focuser was left, and the "
            f"register reads {register}, which is none of them. It may have been stopped on its way, or its power cut."
        )


def _require_on_the_way(way: tuple[int, ...], register: int) -> None:
    if not way or not min(way) - PATH_MARGIN_STEPS <= register <= max(way) + PATH_MARGIN_STEPS:
        raise PositionLostError(
            f"a move was under way past the registers {', '.join(map(str, way))}, and the register reads {register}. "
            "Was the controller's power cut?"
        )


def _taken_up_on_the_way(entry: Entry, register: int, limits: Limits) -> int:
    if entry.register is not None and entry.way and min(entry.way) >= entry.register:
        # The way led inward only. Outward is where the register falls.
        return taken_up_after(entry.taken_up_steps, -entry.register, -register, limits)
    # It may have been on its way out or back in: the next move takes up the backlash anew.
    return 0
