"""Runs that are watched to their end. Pure judgement: looks in, progress out.

A run is trusted with nothing: it is a surprise if the register runs the wrong way, does not change, or goes further
than told. `driver.run_watch` judges better, but believes what is to be tested here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ..driver.reading import Reading
from ..driver.refresh import Refresh
from ..driver.registers import POSITION_TOLERANCE_STEPS

# So far a motor may end beside its target before that is a surprise.
BESIDE_STEPS = 200
# So far the wrong way, in so many looks in a row: one may be misread.
WRONG_WAY_STEPS = 20
SURPRISING_LOOKS = 3
# A motor that has not moved by then is sent again, and later given up; in seconds.
SEND_AGAIN_S, START_S = 3.0, 6.0
STALL_S = 3.0
# And so many looks, of a controller that answers slowly.
LOOKS = 3
# A register that has not changed for so long, at the target and elsewhere, is at rest.
QUIET_S, QUIET_ELSEWHERE_S = 0.1, 1.0


class SurpriseError(Exception):
    """The focuser did what it should not: no more motion, before somebody has looked at it."""


@dataclass(frozen=True)
class Look:
    """A reading, and the state text of it."""

    reading: Reading
    letters: str

    @property
    def register(self) -> int:
        """The position register."""
        return self.reading.register


@dataclass
class Run:
    """One motion, from the command to the proven standstill.

    Args:
        begun_s: when the command was sent.
        start: the register before it.
        frame: which frame the command is.
        looks: what was seen, to the standstill.
        is_halted: whether it was halted on its way.
    """

    begun_s: float
    start: int
    frame: int = 0
    looks: list[Look] = field(default_factory=list)
    is_halted: bool = False

    @property
    def end(self) -> int:
        """Where it stands."""
        return self.looks[-1].register

    @property
    def readings(self) -> list[Reading]:
        """What was seen of it."""
        return [look.reading for look in self.looks]

    @property
    def moving_letters(self) -> set[str]:
        """The state texts of the looks at which it moved."""
        return {look.letters for look in self.looks if not look.reading.stands_still}


class Progress(enum.Enum):
    """What a look says of a run."""

    GOING = enum.auto()
    NOTHING_YET = enum.auto()
    """It should show by now: the command may be lost."""
    STANDS = enum.auto()
    NEVER_BEGAN = enum.auto()
    """A homing run from the limit switch moves nothing."""


class RunWatch:
    """Judges the looks at one run.

    Args:
        run: where it begins.
        sign: 1 if it goes inward, where the register grows.
        reach_steps: how far it was told to go.
        target: where it was told to end; None if that is not known.
        noise_steps: by how much the register changes at rest.
        refresh: how often it is renewed.
        answer_s: how long an answer takes.
    """

    def __init__(
        self,
        run: Run,
        sign: float,
        reach_steps: int,
        target: int | None,
        noise_steps: int,
        refresh: Refresh,
        answer_s: float,
    ) -> None:
        self.run = run
        self._sign = sign
        self._reach_steps = reach_steps
        self._target = target
        self._noise_steps = noise_steps
        self._tolerance = max(POSITION_TOLERANCE_STEPS, noise_steps)
        self._refresh = refresh
        self._slow_s = LOOKS * 2 * answer_s
        self._surprising = 0
        self._last, self._changed_s = run.start, run.begun_s
        self._was_seen_running = False

    def sent_again(self, now_s: float) -> None:
        """The command was repeated: a motor that runs from now on has not hung before."""
        self._changed_s = now_s

    def take(self, look: Look) -> Progress:
        """Take a look. Raises SurpriseError."""
        now_s = look.reading.at_s
        if abs(look.register - self._last) > self._tolerance:
            self._changed_s, self._last = now_s, look.register
        self._was_seen_running |= not look.reading.stands_still
        self._refuse_way(look)
        quiet_s = now_s - self._changed_s - self._refresh.supposed_s
        if not look.reading.stands_still:
            if quiet_s > STALL_S + self._slow_s:
                raise SurpriseError(
                    f"the state says that the motor runs, but the register has stood at {self._last} for {STALL_S:g} s."
                )
            return Progress.GOING
        return self._at_rest(look, quiet_s, now_s - self.run.begun_s - self._slow_s)

    def _refuse_way(self, look: Look) -> None:
        way = self._sign * (look.register - self.run.start)
        lowest = -WRONG_WAY_STEPS - self._noise_steps
        self._surprising = 0 if lowest <= way <= self._reach_steps + BESIDE_STEPS else self._surprising + 1
        if self._surprising == SURPRISING_LOOKS:
            start, now = self.run.start, look.register
            if way < 0:
                raise SurpriseError(f"the register runs the wrong way: from {start} to {now}.")
            raise SurpriseError(f"the register went further than told: from {start} to {now}.")

    def _at_rest(self, look: Look, quiet_s: float, since_s: float) -> Progress:
        is_there = self._target is not None and abs(look.register - self._target) <= self._tolerance
        if is_there or self._was_seen_running or abs(self._last - self.run.start) > self._tolerance:
            needed_s = QUIET_S if is_there else QUIET_ELSEWHERE_S
            return Progress.STANDS if quiet_s > needed_s else Progress.GOING
        if since_s > START_S:
            if self._target is None:
                return Progress.NEVER_BEGAN
            raise SurpriseError(
                f"the motor does not move: it was sent to {self._target}, and stands at {self._last}."
            )
        return Progress.NOTHING_YET if since_s > SEND_AGAIN_S else Progress.GOING


class Settling:
    """Tells when a motor stands: at one register, within a tolerance, for long enough.

    Args:
        noise_steps, refresh: as for a RunWatch.
    """

    def __init__(self, noise_steps: int, refresh: Refresh) -> None:
        self._tolerance = max(POSITION_TOLERANCE_STEPS, noise_steps)
        self._refresh = refresh
        self._first: Reading | None = None

    def take(self, reading: Reading) -> bool:
        """Take a reading; True if it stands."""
        first = self._first
        if not reading.stands_still:
            self._first = None
            return False
        if first is None or abs(reading.register - first.register) > self._tolerance:
            self._first = reading
            return False
        return reading.earliest_s - first.at_s >= QUIET_S + self._refresh.supposed_s
