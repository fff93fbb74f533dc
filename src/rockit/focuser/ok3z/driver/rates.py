"""How fast the register changes while the motor runs, and what that proves of the settings. Pure: readings in.

A run's speed is set in full steps a second, and the register counts microsteps: so the rate of the register tells the
microstep mode, and with it the scale of every position. What the registers of a real controller stand for is inferred
(docs/protocol.md), so the rate is not held against what was computed, but against what was measured in a homing whose
two runs agreed: the ratio of the two, one for homing runs and one for legs. A rate that leaves its ratio later means
that the controller lost its settings (docs/decisions/0003-belief.md).

A reading has no moment, but a span. A rate is therefore known between two bounds, and only bounds count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import SettingsLostError
from .reading import Reading
from .refresh import Refresh
from .registers import POSITION_TOLERANCE_STEPS

# How far from its ratio a rate may be. Microstep modes are apart by factors of two.
DEVIATION = 0.15
# Bounds no further than this from a rate prove it: another mode's is at least twice as far away.
PROVEN = 0.25
# The ramps of a run, as computed, and this much more of them: its acceleration may be another than computed.
RAMP_MARGIN = 1.5
# In a run whose ratio is not known, what lies between these parts of it was surely made at one speed.
STEADY_FROM, STEADY_UNTIL = 0.3, 0.75
# A ratio is learnt from a measurement no less sure than that. Its middle is then nearer to the truth than DEVIATION.
LEARNT_WITHIN = 0.25
# A reading whose span is so many times as long as usual is blurred.
BLURRED = 2
# Answers are not all alike.
LEARNING_MARGIN = 1.5
# The last readings at one speed that are held against a ratio: about a second of them.
JUDGED_READINGS = 12
FEWEST_JUDGED = 3
# A rate is proven if it fits so many spans between readings in a row.
PROVEN_SPANS = 3
# So many readings of a run are kept for learning. Of more, every second one goes.
KEPT_READINGS = 128


@dataclass(frozen=True)
class Ratios:
    """Measured over computed rates of the register, with the settings to which they belong.

    Args:
        homing: of homing runs; None if it is not known.
        legs: of the legs of moves; None if it is not known, as for a drive whose back-off is all ramps.
        speed_register, acceleration_register: what the controller was set to.
    """

    homing: float | None
    legs: float | None
    speed_register: int
    acceleration_register: int


@dataclass(frozen=True)
class _Bounds:
    """Between which rates, in steps/s, the register changed."""

    lowest: float
    highest: float

    @classmethod
    def of(cls, first: _Sighting, last: _Sighting) -> _Bounds:
        steps = abs(last.register - first.register)
        shortest_s, longest_s = last.earliest_s - first.latest_s, last.latest_s - first.earliest_s
        lowest = max(0, steps - POSITION_TOLERANCE_STEPS) / longest_s if longest_s > 0 else 0.0
        return cls(lowest, (steps + POSITION_TOLERANCE_STEPS) / shortest_s if shortest_s > 0 else math.inf)

    def side_of(self, rate: float) -> int:
        """Whether they exclude a rate within DEVIATION: 1 where the motor is faster, -1 where it is slower, else 0."""
        if self.lowest > rate * (1 + DEVIATION):
            return 1
        return -1 if self.highest < rate * (1 - DEVIATION) else 0

    def prove(self, rate: float) -> bool:
        """Whether they lie so near a rate that it is no other mode's."""
        return self.lowest >= rate * (1 - PROVEN) and self.highest <= rate * (1 + PROVEN)


@dataclass(frozen=True)
class _Sighting:
    """A value of the register, and the span in which it had it."""

    register: int
    earliest_s: float
    latest_s: float

    @property
    def span_s(self) -> float:
        return self.latest_s - self.earliest_s


def _spans(sightings: list[_Sighting]) -> list[_Bounds]:
    """PROVEN_SPANS of them in a row, as bounds; none if there are too few."""
    last = len(sightings) - 1
    if last < PROVEN_SPANS:
        return []
    marks = [sightings[number * last // PROVEN_SPANS] for number in range(PROVEN_SPANS + 1)]
    return [_Bounds.of(*span) for span in zip(marks, marks[1:])]


class RateWatch:
    """Measures one run, and holds it against the ratio that is known.

    Args:
        start: the standstill from which it begins.
        end_register: where it ends; None for a homing run.
        computed_steps_s: how fast the register should change, by the settings.
        ramp_steps: how long one of its ramps should be.
        ratio: how fast it was seen to change, over that; None if that is not known.
        refresh: how often the controller renews its register; None: whenever it is asked.
    """

    def __init__(
        self,
        start: Reading,
        end_register: int | None,
        computed_steps_s: float,
        ramp_steps: float,
        ratio: float | None,
        refresh: Refresh | None = None,
    ) -> None:
        self._start_register = start.register
        self._end_register = end_register
        self._computed_steps_s = computed_steps_s
        self._ramp_steps = ramp_steps
        self._ratio = ratio
        self._seen: list[_Sighting] = []
        self._taken = 0
        self._stride = 1
        self._steady: list[_Sighting] = []
        self._last: Reading | None = None
        self._refresh = refresh
        self._refreshes_slowly = False

    def take(self, reading: Reading) -> None:
        """Take a reading that is believed.

        Raises:
            SettingsLostError: the spans of FEWEST_JUDGED readings or more, at one speed, exclude the ratio.
        """
        sighting = self._sighting(reading)
        self._last = reading
        if sighting is None:
            return
        self._keep(sighting)
        if (
            self._ratio is not None
            and self._is_steady(sighting.register, self._ratio)
            and self._is_sharp(sighting)
        ):
            self._steady.append(sighting)
            del self._steady[:-KEPT_READINGS]
            self._judge(self._computed_steps_s * self._ratio)

    def _keep(self, sighting: _Sighting) -> None:
        """Keep it for learning: all along a run, as close to each other as there is room for."""
        if self._taken % self._stride == 0:
            self._seen.append(sighting)
        self._taken += 1
        if len(self._seen) > KEPT_READINGS:
            del self._seen[1::2]
            self._stride *= 2

    def _sighting(self, reading: Reading) -> _Sighting | None:
        """A value that is new. A controller that refreshes its register now and then had it since the look before."""
        before = self._last
        if before is not None and reading.register == before.register:
            self._refreshes_slowly |= not reading.stands_still and reading.register != self._start_register
            return None
        if reading.stands_still or before is None:
            return None
        earliest_s = max(before.earliest_s, reading.earliest_s - self._blur_s)
        return _Sighting(reading.register, earliest_s, reading.at_s)

    @property
    def _blur_s(self) -> float:
        """How long ago the register may have had the value that is read now, beside what a look takes."""
        if self._refreshes_slowly:
            return math.inf
        if self._refresh is None:
            return 0.0
        # A homing run is long enough that it tells its rate all the same.
        is_leg = self._end_register is not None
        return self._refresh.blur_s if is_leg or self._refresh.is_slow or not self._refresh.is_known else 0.0

    def _is_sharp(self, sighting: _Sighting) -> bool:
        """Whether it is not blurred by a lost reply or a busy machine: then it tells little, and others tell more."""
        spans_s = sorted(one.span_s for one in self._seen)
        return sighting.span_s <= BLURRED * spans_s[len(spans_s) // 2]

    def _is_steady(self, register: int, ratio: float) -> bool:
        ramp_steps = RAMP_MARGIN * self._ramp_steps * max(1.0, ratio**2) + POSITION_TOLERANCE_STEPS
        left = math.inf if self._end_register is None else abs(self._end_register - register)
        return min(abs(register - self._start_register), left) >= ramp_steps

    def _judge(self, expected_steps_s: float) -> None:
        # A homing run may have ended behind the newest.
        steady = self._steady[:-1] if self._end_register is None else self._steady
        # The last ones tell soon of another rate, and all of them of one that is not far from it.
        for judged in (steady[-JUDGED_READINGS:], steady):
            if len(judged) < FEWEST_JUDGED:
                continue
            first, middle, last = judged[0], judged[len(judged) // 2], judged[-1]
            side = _Bounds.of(first, last).side_of(expected_steps_s)
            # One misread digit falsifies both halves, each to another side, or one of them.
            halves = (self._rate(first, middle), self._rate(middle, last))
            if side and all(side * (rate / expected_steps_s - 1) > DEVIATION for rate in halves):
                raise SettingsLostError(
                    f"the motor runs too {'fast' if side > 0 else 'slowly'}: its register changes by "
                    f"{self._rate(first, last):.0f} steps/s, and {expected_steps_s:.0f} were seen before. "
                    "The controller lost its settings; was its power cut? Home the focuser (focus init). If it is "
                    "another controller, say so: focus init --new-controller."
                )

    @property
    def is_judged(self) -> bool:
        """Whether enough was seen at one speed to tell of another rate."""
        return len(self._steady) >= FEWEST_JUDGED

    @property
    def is_proven(self) -> bool:
        """Whether all the way at one speed excludes every other microstep mode. Never without a known ratio."""
        if self._ratio is None:
            return False
        expected = self._computed_steps_s * self._ratio
        # Not their mean: a run of other ramps has it, too.
        spans = _spans(self._steady)
        return bool(spans) and all(bounds.prove(expected) for bounds in spans)

    def measured(self, end_register: int) -> float | None:
        """The ratio of a run that ended here; None where too little of it was seen at a constant speed."""
        length = abs(end_register - self._start_register)
        steady = [
            sighting
            for sighting in self._seen
            if STEADY_FROM * length <= abs(sighting.register - self._start_register) <= STEADY_UNTIL * length
            and self._is_sharp(sighting)
        ]
        if len(steady) < 3:
            return None
        bounds = _Bounds.of(steady[0], steady[-1])
        rate = self._rate(steady[0], steady[-1])
        ratio = rate / self._computed_steps_s
        too_short = STEADY_FROM * length < self._ramp_steps * max(1.0, ratio**2)
        unsure = bounds.highest - bounds.lowest > LEARNT_WITHIN * rate
        return None if too_short or unsure else ratio

    @staticmethod
    def _rate(first: _Sighting, last: _Sighting) -> float:
        elapsed_s = (last.earliest_s + last.latest_s - first.earliest_s - first.latest_s) / 2
        return abs(last.register - first.register) / elapsed_s if elapsed_s > 0 else math.inf


def agree(one: float | None, other: float | None) -> bool:
    """Whether two measured ratios are of one setting. What could not be measured contradicts nothing."""
    return one is None or other is None or abs(one - other) <= DEVIATION * min(one, other)


def learnable_steps(computed_steps_s: float, answer_s: float) -> int:
    """How long a run must be so that its ratio can be learnt, where an answer takes so long: its part at one speed must
    be long beside the spans of two readings."""
    steady_s = LEARNING_MARGIN * 2 * answer_s / LEARNT_WITHIN
    return math.ceil(computed_steps_s * steady_s / (STEADY_UNTIL - STEADY_FROM))


def needed_steps(computed_steps_s: float, ramp_steps: float, ratio: float, seen_for_s: float) -> int:
    """How long a run must be so that its rate can be proven: both ramps, and so many seconds between them."""
    ramps_steps = 2 * (RAMP_MARGIN * ramp_steps * max(1.0, ratio**2) + POSITION_TOLERANCE_STEPS)
    return math.ceil(ramps_steps + computed_steps_s * ratio * seen_for_s)
