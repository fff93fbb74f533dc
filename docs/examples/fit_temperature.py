"""Slope fit: how far the focus goes with the temperature, its standard error, and whether that is what is configured.

    fit_temperature.py CONFIGURATION DAYS [RESULTS]

The temperatures are those of the daemon's history. So is the focus: each `focus reference` of so many days. If there is
a file RESULTS, the focus is that of its lines instead: UTC and mm of an autofocus, and perhaps a word for what it
depends on beside the temperature, such as the filter:

    2026-11-22T20:00:00Z 2.512 R

Each word has an offset of its own; all have one slope. It exits with 1 if the configured slope is beyond three standard
errors, and with 2 if there is too little for a fit.
"""

from __future__ import annotations

import math
import sys
import time
from collections import defaultdict
from datetime import datetime, timezone
from typing import Any, NamedTuple

from rockit.focuser.ok3z import CallError, Config, ConfigError, RemoteFocuser, connect

# Between two temperatures further apart than this, in seconds, nobody knows what it was.
LONGEST_GAP_S = 2 * 3600.0
# For less the slope is that of the noise.
LEAST_POINTS, LEAST_SPAN_K = 4, 2.0
ROWS_AT_ONCE = 100


class Point(NamedTuple):
    """A good focus."""

    celsius: float
    mm: float
    word: str = ""


class Fit(NamedTuple):
    """A slope in mm/K, its standard error, and by how much a focus differs from it, in mm (root mean square)."""

    slope: float
    error: float
    rest_mm: float


def fitted(points: list[Point]) -> Fit:
    """Least squares, with one offset for each word. Raises ValueError if the points do not say a slope."""
    words = defaultdict(list)
    for point in points:
        words[point.word].append(point)
    pairs = []
    for those in words.values():
        mean_c = math.fsum(point.celsius for point in those) / len(those)
        mean_mm = math.fsum(point.mm for point in those) / len(those)
        pairs += [(point.celsius - mean_c, point.mm - mean_mm) for point in those]
    free = len(pairs) - len(words) - 1
    span_k = max((x for x, _ in pairs), default=0.0) - min((x for x, _ in pairs), default=0.0)
    if len(pairs) < LEAST_POINTS or free < 1 or span_k < LEAST_SPAN_K:
        raise ValueError(
            f"{len(points)} autofocuses over {span_k:.1f} K are too little: at least {LEAST_POINTS} are needed, and "
            f"{LEAST_SPAN_K:g} K within one word."
        )
    sum_xx = math.fsum(x * x for x, _ in pairs)
    slope = math.fsum(x * y for x, y in pairs) / sum_xx
    squares = math.fsum((y - slope * x) ** 2 for x, y in pairs)
    return Fit(slope, math.sqrt(squares / free / sum_xx), math.sqrt(squares / free))


def history(focuser: RemoteFocuser, since_s: float) -> list[dict[str, Any]]:
    """The rows that tell a temperature, the oldest first."""
    told: list[dict[str, Any]] = []
    before: list[dict[str, Any]] = []
    while True:
        rows = focuser.moves(since_s, time.time() + 60.0, ROWS_AT_ONCE)
        new = [row for row in rows if row not in before]
        told += [row for row in new if row["kind"] in ("temperature", "reference")]
        if len(rows) < ROWS_AT_ONCE or not new:
            return told
        before, since_s = rows, seconds(rows[-1]["begin"]) - 0.001


def seconds(utc: str) -> float:
    moment = datetime.fromisoformat(utc.removesuffix("Z"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def of_references(rows: list[dict[str, Any]]) -> list[Point]:
    """Where the focus was good, without the terms of others."""
    return [Point(float(row["result"]), row["target_mm"]) for row in rows if row["kind"] == "reference"]


def of_results(rows: list[dict[str, Any]], lines: list[str]) -> list[Point]:
    """What an autofocus found, with the temperature of then."""
    known = sorted((seconds(row["begin"]), float(row["result"])) for row in rows)
    points = []
    for line in lines:
        utc, mm, *word = line.split()
        celsius = temperature(known, seconds(utc))
        if celsius is None:
            print(f"left out, because the temperature is not known: {line.strip()}", file=sys.stderr)
        else:
            points.append(Point(celsius, float(mm), " ".join(word)))
    return points


def temperature(known: list[tuple[float, float]], at_s: float) -> float | None:
    """Between two that are known; None if they are too far apart."""
    for (begin_s, begin_c), (end_s, end_c) in zip(known, known[1:]):
        if begin_s <= at_s <= end_s and end_s - begin_s <= LONGEST_GAP_S:
            share = (at_s - begin_s) / (end_s - begin_s) if end_s > begin_s else 0.0
            return begin_c + share * (end_c - begin_c)
    return None


def main() -> int:
    configuration, days, *results = sys.argv[1:]
    try:
        with connect(configuration) as focuser:
            rows = history(focuser, time.time() - float(days) * 86400)
        if results:
            with open(results[0], encoding="utf-8") as file:
                points = of_results(rows, [line for line in file if line.strip()])
        else:
            points = of_references(rows)
        fit = fitted(points)
        source = Config(configuration).temperature
    except (CallError, ConfigError, OSError, ValueError) as error:
        print(f"no fit: {error}", file=sys.stderr)
        return 2
    print(f"slope: {fit.slope:+.5f} mm/K, standard error {fit.error:.5f} mm/K, of {len(points)} autofocuses")
    print(f"a focus differs from it by {fit.rest_mm:.4f} mm")
    if source is None:
        return 0
    off = abs(source.slope_mm_per_k - fit.slope)
    errors = off / fit.error if fit.error else math.inf if off else 0.0
    print(f"configured: {source.slope_mm_per_k:+.5f} mm/K, {errors:.1f} standard errors away")
    return 1 if errors > 3 else 0


if __name__ == "__main__":
    sys.exit(main())
