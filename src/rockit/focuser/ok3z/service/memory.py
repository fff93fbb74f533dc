"""What is known of the position beyond the moment: over a lost link, and through the state store over a restart.

Written before the motor starts and after it stands, so that whoever reads it knows whether a motion was under
way. Belongs to the thread that owns the port.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Callable, Protocol

from ..constants import UTC_FORMAT
from ..driver.axis import Axis, Homing
from ..driver.planning import Target, mm_from_steps
from ..driver.position import Position, Trust
from ..driver.rates import Ratios
from ..driver.registers import near_power_up
from ..driver.whereabouts import Sighting
from ..storage.state_file import MOST_POWER_UP_REGISTERS, Entry
from .resume_proof import HAND_TRAVEL_STEPS
from .status import Confidence, notable_ratio
from .terms import Sum

_log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Where entries are kept over a restart. Nothing of it raises or waits for long. See `state_store.StateStore`."""

    @property
    def problem(self) -> str:
        """Why nothing can be kept; empty if all is well."""

    def read(self) -> Entry | None:
        """What was kept last."""

    def write(self, entry: Entry, durable: bool) -> None:
        """Keep an entry; `durable`: be sure before going on."""

    def write_ahead(self, entry: Entry) -> Callable[[], None]:
        """Begin to keep an entry of which one must be sure, and give what waits for that."""


class Memory:
    """What is remembered of one focuser.

    Args:
        port: the configured serial port.
        keeper: where it is kept.
        utc_now: the time of day.
    """

    def __init__(self, port: str, keeper: Keeper, utc_now: Callable[[], datetime]) -> None:
        self._port = port
        self._keeper = keeper
        self._utc_now = utc_now
        self.entry = Entry(port, None, None, None, 0, None, None)
        """How the focuser was left. After a restart, until the first homing, what the last process wrote."""
        self.position = Position()
        """Where the focuser is now, if that is known."""
        self._before_homing = self.entry
        self._coming = Sum()
        self.is_watched = False
        """Whether this process knows the position of itself, and has watched the focuser whenever there was a link."""
        self.sighting: Sighting | None = None
        """The leg that was under way when the link went, as it was last seen."""

    def recall(self) -> None:
        """Read what the last process knew. It is believed only after a proof."""
        kept = self._keeper.read()
        if kept is not None:
            self.entry = kept

    @property
    def is_known(self) -> bool:
        """Whether this process knows where the focuser stands, or stood when the link went."""
        return self.is_watched and self.entry.origin_register is not None

    @property
    def problem(self) -> str:
        """Why nothing can be kept over a restart; empty if all is well."""
        return self._keeper.problem

    @property
    def confidence(self) -> Confidence:
        """What is thought of the position, while there is one."""
        position = self.position
        homed_at = position.homed_at.strftime(UTC_FORMAT) if position.homed_at else ""
        return Confidence(position.trust, position.reason, homed_at)

    @property
    def target(self) -> Target | None:
        """What the last move that succeeded was asked for; None before the first."""
        entry = self.entry
        return None if entry.target_steps is None else Target(entry.target_steps, entry.target_mm)

    @property
    def sum(self) -> Sum:
        """The base and the terms of where the focuser shall stand."""
        return Sum(self.entry.base_mm, self.entry.terms)

    def target_at(self, here_steps: int) -> Target:
        """The target of a focuser that stands there: what was asked for if it is where that led to."""
        target = self.target
        return target if target and target.steps == here_steps else Target(here_steps)

    @property
    def hint(self) -> str:
        """While there is no link: whether the position could be resumed, in a sentence; or nothing."""
        entry = self.entry
        if entry.origin_register is None or entry.register is None:
            return ""
        where = f"{mm_from_steps(entry.origin_register - entry.register):.3f} mm"
        left = f"it stood at {where}" if entry.way is None else f"a move from {where} was under way"
        return (
            f"the focuser is not connected; when it was last heard of, {left}. `focus init --resume` carries on "
            "without homing if the controller proves to be as it was left, and homes otherwise."
        )

    # What happens

    def heads_for(self, coming: Sum) -> None:
        """The next target that is reached is this sum; without a base it takes up the difference. Until then the terms
        are those of before, and so is the base if it stays."""
        self._coming = coming

    def takes(self, settled: Sum) -> None:
        """The base and the terms are these, wherever the focuser stands."""
        self._keep(replace(self.entry, terms=settled.terms, base_mm=settled.base_mm), durable=False)

    def set_out(self, registers: list[int]) -> Callable[[], None]:
        """The motor is about to run past these registers, from a known position.

        Returns:
            What waits until that is kept; to be called before the motor starts.
        """
        self.entry = replace(
            self.entry, way=tuple(registers), near_switch=False, base_mm=self._coming.base_mm
        )
        return self._keeper.write_ahead(self.entry)

    def stands(self, axis: Axis, reached: Target | None = None, durable: bool = False) -> None:
        """The motor is proven to stand, at a known position.

        Args:
            reached: the target that it has reached; None if it was on its way elsewhere.
            durable: be sure that it is kept before going on.
        """
        target = reached or self.target
        settled = self._coming.at(reached.mm) if reached else self.sum
        # Whoever hears that a term is set may rely on it.
        durable = durable or settled.terms != self.entry.terms
        entry = replace(
            self.entry,
            origin_register=self.position.origin_register,
            register=axis.standing.register,
            way=None,
            taken_up_steps=self.position.taken_up_steps,
            homed_at=self.position.homed_at,
            target_steps=target.steps if target else None,
            target_mm=target.asked_mm if target else None,
            near_switch=axis.is_near_switch,
            terms=settled.terms,
            base_mm=settled.base_mm,
        )
        self._keep(entry, durable)

    def homing(self) -> None:
        """The motor is about to be homed: until that has succeeded nothing is known."""
        self._before_homing = self.entry
        unknown = replace(
            self.entry,
            port=self._port,
            origin_register=None,
            register=None,
            way=(),
            homed_at=None,
            homings=self.entry.homings + 1,
            base_mm=None,
        )
        self._keep(unknown, durable=True)

    def homing_called_off(self) -> None:
        """The motor was not told to run after all: what was known before `homing` is as good as it was."""
        self._keep(replace(self._before_homing, homings=self.entry.homings), durable=False)

    def homed(self, axis: Axis, homing: Homing, reason: str = "") -> None:
        """The motor was homed and stands at 0 mm.

        Args:
            homing: what the homing found.
            reason: why it was homed, where it might have been resumed.
        """
        self.position.rests_on(Trust.HOMED, reason, self._utc_now())
        self.is_watched = True
        before = self._before_homing
        if before.way is None:
            self._note_beginning(homing.begun_register, before)
        self.entry = replace(self.entry, ratios=axis.ratios)
        _log_ratios(axis.ratios)
        # It took half a minute and more: whoever hears that it is done may rely on it.
        self.stands(axis, durable=True)

    def resumed(self, reason: str) -> None:
        """The controller was found as it had been left."""
        self.position.rests_on(Trust.RESUMED, reason, self.entry.homed_at)
        self.is_watched = True

    def link_lost(self, axis: Axis) -> None:
        """The link is lost: keep what was seen last. What was seen without knowing the position proves nothing."""
        if axis.homed:
            self.sighting = axis.sighting

    def told_to_halt(self, now_s: float) -> None:
        """The motor that is sought is about to be told to halt, at a moment of the clock."""
        if self.sighting is not None:
            self.sighting = self.sighting.halted(now_s)

    def let_go(self) -> None:
        """The focuser is not watched any more: others may have it."""
        self.is_watched = False

    def lost(self, axis: Axis | None) -> None:
        """The position is not known any more.

        Args:
            axis: what has found that out; None if there is no link.
        """
        # First, and by an assignment: a mistake in what follows shall leave no false position.
        self.position.forget()
        if axis is not None:
            self.found_elsewhere(axis)
        unknown = replace(self.entry, origin_register=None, register=None, homed_at=None, base_mm=None)
        self._keep(unknown, durable=False)

    def found_elsewhere(self, axis: Axis) -> None:
        """The motor is not where it was left: where it stands may be the register of a power cut."""
        sighting = axis.sighting
        if sighting is not None and sighting.stands:
            self._note_beginning(sighting.seen.register, self.entry)

    def stands_somewhere(self, axis: Axis) -> None:
        """The motor is proven to stand, at a position that is not known now."""
        if self.entry.origin_register is None:
            self._keep(replace(self.entry, way=None, near_switch=axis.is_near_switch), durable=False)

    def another_controller(self) -> None:
        """What was measured of the controller before this one says nothing of it."""
        unknown = replace(
            self.entry,
            ratios=None,
            power_up_registers=(),
            found_registers=(),
            answer_s=None,
            refresh_s=None,
        )
        self._keep(unknown, durable=False)

    def _note_beginning(self, register: int, left: Entry) -> None:
        """A register further from where the motor was left than somebody will have driven it by hand may be the one at
        which the controller begins after a power cut."""
        known = self.entry.power_up_registers
        left_registers = [one for one in left.way or (left.register,) if one is not None]
        if not left_registers:
            # Perhaps somebody drove it there: no position is lost for it, but the settings go out whole there.
            self._keep(
                replace(self.entry, found_registers=_noted(self.entry.found_registers, register)),
                durable=False,
            )
        elif not _is_explained(register, left_registers):
            self._keep(replace(self.entry, power_up_registers=_noted(known, register)), durable=False)

    def _keep(self, entry: Entry, durable: bool) -> None:
        if entry != self.entry or durable:
            self.entry = entry
            self._keeper.write(entry, durable)


def _log_ratios(ratios: Ratios) -> None:
    """Say at which rates the motor runs, if they are not those that its registers stand for."""
    notable = {"homing runs": notable_ratio(ratios.homing), "moves": notable_ratio(ratios.legs)}
    told = [f"{runs} at {ratio:g} times" for runs, ratio in notable.items() if ratio is not None]
    if told:
        _log.info("the motor makes %s their computed speed", " and ".join(told))


def _noted(known: tuple[int, ...], register: int) -> tuple[int, ...]:
    """The registers where a controller may begin, with one more."""
    return known if near_power_up(register, known) else (*known, register)[-MOST_POWER_UP_REGISTERS:]


def _is_explained(register: int, left_registers: list[int]) -> bool:
    """Whether a motor that was left there may read this without a power cut: by its own move, or by a hand."""
    return min(left_registers) - HAND_TRAVEL_STEPS <= register <= max(left_registers) + HAND_TRAVEL_STEPS
