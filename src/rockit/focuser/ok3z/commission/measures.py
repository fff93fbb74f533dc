"""Figures of what was seen. Pure: readings and numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..driver.reading import Reading

# Between these parts of a run its speed is steady, and up to this one a run without a steady part accelerates.
STEADY_FROM, STEADY_UNTIL = 0.3, 0.75
RAMP_FROM, RAMP_UNTIL = 0.04, 0.42
FEWEST_POINTS = 3
BLURRED, SHARP_S = 2, 0.005


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which so much of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0


def median(values: Sequence[float]) -> float:
    """The middle one; 0 of none."""
    return percentile(values, 0.5)


def _points(readings: Sequence[Reading], start: int, low: float, high: float) -> list[tuple[float, float]]:
    """Times and ways, in steps, at which a register was new, between two parts of the whole way."""
    length = abs(readings[-1].register - start)
    points, last = [], start
    # A lost reply, or a busy machine, makes a reading of which nobody knows when it was true.
    longest_s = BLURRED * median([reading.at_s - reading.earliest_s for reading in readings]) + SHARP_S
    for reading in readings:
        way = abs(reading.register - start)
        if reading.at_s - reading.earliest_s > longest_s:
            continue
        if reading.register != last and not reading.stands_still and low * length <= way <= high * length:
            points.append(((reading.earliest_s + reading.at_s) / 2, float(way)))
        last = reading.register
    return points


def changes(readings: Sequence[Reading], start: int) -> tuple[list[float], list[float]]:
    """Times between changes of the register in the steady part of a run, and between looks there; in seconds."""
    points = _points(readings, start, STEADY_FROM, STEADY_UNTIL)
    if not points:
        return [], []
    looks = [reading.at_s for reading in readings if points[0][0] <= reading.at_s <= points[-1][0]]
    times = [time_s for time_s, _ in points]
    return ([b - a for a, b in zip(times, times[1:])], [b - a for a, b in zip(looks, looks[1:])])


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Of the straight line that is nearest to them; None of too few."""
    if len(points) < FEWEST_POINTS:
        return None
    mean_t, mean_y = (sum(column) / len(points) for column in zip(*points))
    spread = sum((t - mean_t) ** 2 for t, _ in points)
    return sum((t - mean_t) * (y - mean_y) for t, y in points) / spread if spread else None


def speed_steps_s(readings: Sequence[Reading], start: int) -> float | None:
    """The steady speed of a run; None if too little of it was seen."""
    return _slope(_points(readings, start, STEADY_FROM, STEADY_UNTIL))


def acceleration_steps_s2(readings: Sequence[Reading], start: int) -> float | None:
    """The acceleration of a run that never comes to a steady speed: its way goes with the square of the time."""
    ramp = [(t, math.sqrt(way)) for t, way in _points(readings, start, RAMP_FROM, RAMP_UNTIL)]
    slope = _slope(ramp)
    return None if slope is None else 2 * slope**2


def way_after(readings: Sequence[Reading], start: int, halted_s: float, speed: float) -> float:
    """How many steps a motor went on after a moment at which it ran at a speed, in steps/s."""
    last, seen = start, (halted_s, float(abs(readings[-1].register - start)))
    for reading in readings:
        if reading.earliest_s > halted_s:
            break
        if reading.register != last:
            seen = ((reading.earliest_s + reading.at_s) / 2, float(abs(reading.register - start)))
        last = reading.register
    seen_s, way = seen
    return abs(readings[-1].register - start) - way - speed * (halted_s - seen_s)


def grid(registers: Sequence[int]) -> int:
    """Of which number of steps all registers are multiples; 1 if of none."""
    return max(1, math.gcd(*registers)) if len(set(registers)) > 1 else 1


def fall_backs(ends: Sequence[int]) -> list[int]:
    """By how much each homing run ended further in than the one before: a drive that falls back uncounted drifts."""
    return [after - before for before, after in zip(ends, ends[1:])]


def within(value: float, expected: float, part: float) -> bool:
    """Whether a value is no further than a part of the expected one from it."""
    return abs(value - expected) <= part * abs(expected)
