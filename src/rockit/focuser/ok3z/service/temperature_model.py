"""What a thermometer's readings say of the focus. Pure: readings and the moments of a monotonic clock in, millimetres
out.

Three things keep the focuser from running after noise and nonsense. A reading is believed only if it is a temperature
of this world, and comes no faster than one can change; without such a reading nothing is wanted. What is believed is
smoothed by the time that has really passed. And a correction is worth a motion only from a smallest step on; one that
takes the last one back must be twice that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# What follows the readings at FASTEST_K_PER_S and no faster is what a reading may be off by JUMP_K. A tube changes by a
# few K in an hour; a sensor that has come off its wire changes by ten at once.
JUMP_K = 2.0
FASTEST_K_PER_S = 0.5 / 60
# So long a thermometer that was in trouble must give good readings before it counts again, in seconds.
STEADY_S = 60.0
# How much larger than the smallest step a correction must be that takes the last one back.
REVERSAL = 2.0


@dataclass(frozen=True)
class Rules:
    """How the focus follows the temperature.

    Args:
        slope_mm_per_k: how far outward the focus goes if it becomes 1 K warmer.
        smoothing_s: the time constant of the smoothing; 0: none.
        smallest_step_mm: a smaller correction is not worth a motion.
        lowest_c, highest_c: what is outside of these is no reading.
        oldest_s: after so long without a new reading nothing is known.
        quiet_s: for so long after somebody has moved the focuser it is left alone.
        active: whether it moves; else it is only said what it would do.
    """

    slope_mm_per_k: float
    smoothing_s: float = 600.0
    smallest_step_mm: float = 0.01
    lowest_c: float = -40.0
    highest_c: float = 50.0
    oldest_s: float = 300.0
    quiet_s: float = 600.0
    active: bool = False


@dataclass(frozen=True)
class Reading:
    """What a thermometer has answered.

    Args:
        value: the temperature in degrees Celsius, if it is one.
        stamp: when it was measured, as the thermometer says it; empty if it does not. Only compared with the one
            before, for its clock need not be ours.
    """

    value: object
    stamp: str = ""


@dataclass(frozen=True)
class Told:
    """What was decided last.

    Args:
        state: frozen, unset (no reference), rests, waits, moves; would, if it only says so.
        sentence: the same for people.
        at_s: when, on the monotonic clock.
        celsius: smoothed; None if it is not known.
        read_at_s: when the last reading was believed.
        term_mm: what the term is, or would be.
        wanted_mm: what it should be.
    """

    state: str
    sentence: str
    at_s: float
    celsius: float | None = None
    read_at_s: float | None = None
    term_mm: float | None = None
    wanted_mm: float | None = None


class Smoothing:
    """The temperature that is believed, from one reading to the next. Moments are seconds of one monotonic clock.

    Args:
        rules: what is believed, and how it is smoothed.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.celsius: float | None = None
        """Smoothed; None before the first reading."""
        self._last_c = 0.0
        self._track_c = 0.0
        self._read_at_s: float | None = None
        self._stamp = ""
        self.jumped_to: float | None = None
        """What the last reading was if it is not believed because it came too fast."""
        self._problem = ""
        self._trouble_s: float | None = None
        self._jumped_at_s: float | None = None
        """When the first of the readings came that are not believed because they came too fast."""

    def take(self, reading: Reading, at_s: float) -> None:
        """Believe a reading, or say why not."""
        self.jumped_to = None
        self._problem = self._why_no_temperature(reading.value)
        if self._problem:
            self._trouble_s = at_s
            return
        if reading.stamp and reading.stamp == self._stamp:
            # The same measurement, told again: `problem` says when it is too old.
            return
        celsius = float(reading.value)  # type: ignore[arg-type]
        self._problem = self._why_too_fast(celsius, at_s)
        if self._problem:
            self._trouble_s, self.jumped_to = at_s, celsius
            if self._jumped_at_s is None:
                self._jumped_at_s = at_s
            return
        self._jumped_at_s = None
        self._stamp = reading.stamp
        self._believe(celsius, at_s)

    def fail(self, why: str, at_s: float) -> None:
        """There was no reading. Of `why` everybody reads the public part (`errors.Sentence`)."""
        self._problem, self._trouble_s, self.jumped_to = why, at_s, None

    def accept_jump(self, at_s: float) -> None:
        """Somebody vouches for the temperature as it is read now: begin anew from there."""
        if self.jumped_to is not None:
            self.celsius, self._read_at_s, self._jumped_at_s = None, None, None
            self._believe(self.jumped_to, at_s)
            self.jumped_to, self._problem, self._trouble_s = None, "", None

    def age_s(self, now_s: float) -> float | None:
        """How old the last reading is that was believed; None before the first."""
        return None if self._read_at_s is None else max(0.0, now_s - self._read_at_s)

    def problem(self, now_s: float) -> str:
        """Why nothing is known of the temperature now; empty if something is."""
        age_s = self.age_s(now_s)
        if self._problem:
            return self._problem
        if age_s is None:
            return "there was no reading yet."
        if age_s > self._rules.oldest_s:
            self._trouble_s = now_s
            return f"the last reading is older than {self._rules.oldest_s:g} s."
        if self._trouble_s is not None and now_s - self._trouble_s < STEADY_S:
            return f"the thermometer was in trouble less than {STEADY_S:g} s ago."
        return ""

    @property
    def is_in_trouble(self) -> bool:
        """Whether something is wrong, or was lately: not only that there was no reading yet."""
        return self._trouble_s is not None

    def _believe(self, celsius: float, at_s: float) -> None:
        if self.celsius is None or self._read_at_s is None:
            self.celsius = self._track_c = celsius
        else:
            passed_s, time_s = max(0.0, at_s - self._read_at_s), self._rules.smoothing_s
            weight = -math.expm1(-passed_s / time_s) if time_s > 0 else 1.0
            self.celsius += weight * (celsius - self.celsius)
            most_k = FASTEST_K_PER_S * passed_s
            self._track_c += min(max(celsius - self._track_c, -most_k), most_k)
        self._last_c, self._read_at_s = celsius, at_s

    def _why_no_temperature(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"the thermometer says what is no number ({type(value).__name__})."
        # An integer may be too large to be a float.
        if not self._rules.lowest_c <= value <= self._rules.highest_c:
            seen = f"{value:.1f}" if isinstance(value, float) else "a number"
            within = f"{self._rules.lowest_c:g} to {self._rules.highest_c:g} °C"
            return f"the thermometer says {seen}, which is not within {within}."
        return ""

    def _why_too_fast(self, celsius: float, at_s: float) -> str:
        if self._read_at_s is None:
            return ""
        # A lie becomes no truth by being told for long.
        until_s = at_s if self._jumped_at_s is None else self._jumped_at_s
        passed_s = max(0.0, until_s - self._read_at_s)
        if abs(celsius - self._track_c) <= JUMP_K + FASTEST_K_PER_S * passed_s:
            return ""
        return (
            f"the thermometer has jumped from {self._last_c:.1f} to {celsius:.1f} °C within {passed_s:.0f} s. If that "
            "is true, focus and set the reference."
        )


class Hysteresis:
    """Which corrections are worth a motion.

    Args:
        smallest_step_mm: the smallest one.
    """

    def __init__(self, smallest_step_mm: float) -> None:
        self._smallest_mm = smallest_step_mm
        self._last_mm = 0.0

    def is_due(self, by_mm: float) -> bool:
        """Whether to correct by so much."""
        return abs(by_mm) >= self.least_mm(by_mm)

    def least_mm(self, by_mm: float) -> float:
        """How large a correction in this direction must be."""
        return self._smallest_mm * (REVERSAL if by_mm * self._last_mm < 0 else 1.0)

    def corrected(self, by_mm: float) -> None:
        """It was done."""
        self._last_mm = by_mm

    def forget(self) -> None:
        """The next one has nothing to take back."""
        self._last_mm = 0.0
