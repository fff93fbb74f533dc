"""Where a motor must be that nobody has watched for a while. Pure: what was seen last and moments in, registers out.

All moments are seconds of one clock, and all distances steps along the leg.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .planning import Drive, steps_from_mm
from .reading import Reading
from .registers import POSITION_TOLERANCE_STEPS

# How much faster or slower than known a motor may have run since it was last seen.
RATE_ERROR = 0.15
# From the moment of a command until the motor obeys it, generously.
OBEYS_WITHIN_S = 0.2
# Halts of so many moments are kept: each is one more place where the motor may stand.
MOST_HALTS = 3


@dataclass(frozen=True)
class Window:
    """A range of registers, both ends included."""

    low: int
    high: int

    @property
    def is_exact(self) -> bool:
        """Whether it is one place, and no stretch of the way."""
        return self.high - self.low <= 2 * POSITION_TOLERANCE_STEPS

    def __contains__(self, register: int) -> bool:
        return self.low <= register <= self.high

    def __str__(self) -> str:
        middle = (self.low + self.high) // 2
        return f"at {middle}" if self.is_exact else f"between {self.low} and {self.high}"


@dataclass(frozen=True)
class Sighting:
    """A leg as it was last seen. One of no length is a motor that stands.

    Args:
        seen: the last reading that surely told where the motor was.
        start_register, target_register: where the leg began and shall end.
        ratio: how much faster than computed the motor runs, as far as that is known.
        halts_s: when it was told to halt since.
    """

    seen: Reading
    start_register: int
    target_register: int
    ratio: float = 1.0
    halts_s: tuple[float, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether it is no leg, but a motor that was proven to stand."""
        return self.start_register == self.target_register

    def halted(self, now_s: float) -> Sighting:
        """The same, with one more halt: the first ones, and the last."""
        return replace(self, halts_s=(*self.halts_s[: MOST_HALTS - 1], now_s))

    def windows(self, drive: Drive, found_s: float) -> tuple[Window, ...]:
        """Where the motor can stand, if it was found standing at a moment.

        It stands where one of the halts has brought it; at the end of its leg, if the time sufficed for that; or where
        the leg began, if nobody has seen it move: the command may have been lost.
        """
        leg = _Leg(drive, self.ratio, abs(self.target_register - self.start_register))
        done_steps = min(abs(self.seen.register - self.start_register), leg.steps)
        stretches = [self._halted_stretch(leg, done_steps, halted_s, found_s) for halted_s in self.halts_s]
        if leg.furthest_steps(done_steps, found_s - self.seen.earliest_s) >= leg.steps:
            stretches.append((leg.steps, leg.steps))
        if not done_steps:
            stretches.append((0, 0))
        return tuple(self._window(low_steps, high_steps) for low_steps, high_steps in stretches)

    def _halted_stretch(
        self, leg: _Leg, done_steps: int, halted_s: float, found_s: float
    ) -> tuple[float, float]:
        # A motor that nobody has seen moving may just have started.
        started_s = self.seen.at_s if done_steps else self.seen.at_s + OBEYS_WITHIN_S
        obeyed_s = min(halted_s + OBEYS_WITHIN_S, found_s)
        furthest_steps = leg.furthest_steps(done_steps, obeyed_s - self.seen.earliest_s) + leg.ramp_steps
        return leg.nearest_steps(done_steps, halted_s - started_s), min(furthest_steps, leg.steps)

    def _window(self, low_steps: float, high_steps: float) -> Window:
        sign = 1 if self.target_register >= self.start_register else -1
        ends = sorted(self.start_register + sign * round(steps) for steps in (low_steps, high_steps))
        return Window(ends[0] - POSITION_TOLERANCE_STEPS, ends[1] + POSITION_TOLERANCE_STEPS)


class _Leg:
    """One leg from rest to rest: where it is when, both counted from its start."""

    def __init__(self, drive: Drive, ratio: float, steps: int) -> None:
        self.steps = steps
        self._drive = drive.at_ratio(ratio)
        self._speed_steps_s = steps_from_mm(self._drive.speed_mm_sec)
        self._ramp_s = self._drive.speed_mm_sec / self._drive.acceleration_mm_sec_sec
        self.ramp_steps = self._speed_steps_s * self._ramp_s / 2
        self._duration_s = self._drive.duration_s(steps)

    def nearest_steps(self, done_steps: int, unseen_s: float) -> float:
        """How far it must have come, if it had come so far `unseen_s` before."""
        return self._done_after(done_steps, (1 - RATE_ERROR) * unseen_s)

    def furthest_steps(self, done_steps: int, unseen_s: float) -> float:
        """How far it can have come, if it had come so far `unseen_s` before."""
        return self._done_after(done_steps, (1 + RATE_ERROR) * unseen_s)

    def _done_after(self, done_steps: int, more_s: float) -> float:
        return self._done_at(self._time_of(done_steps) + max(0.0, more_s))

    def _time_of(self, done_steps: int) -> float:
        # The way in mirrors the way out.
        if 2 * done_steps <= self.steps:
            return self._drive.run_out_s(done_steps)
        return self._duration_s - self._drive.run_out_s(self.steps - done_steps)

    def _done_at(self, time_s: float) -> float:
        if time_s >= self._duration_s:
            return self.steps
        if 2 * time_s > self._duration_s:
            return self.steps - self._done_at(self._duration_s - time_s)
        if time_s <= self._ramp_s:
            return self._speed_steps_s / self._ramp_s * time_s**2 / 2
        return self.ramp_steps + self._speed_steps_s * (time_s - self._ramp_s)
