"""How much longer a move takes than its ideal: the trapezoid of every leg, one after the other, without a pause.

What is over is divided by what the virtual controller saw: the time before the first go-to, between the end of the
overshoot and the next go-to, and after the end of the last leg.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.figures import Bound, Figure
from bench.rig import CONFIG, LONG_TRACE, BenchError, Rig, ideal_s, rig
from bench.wire_log import GO_TO, WireLog, questions

PART = "Move time over the ideal"
WHERE_PART = "Where the time of a move goes"
TARGET = Bound(40.0, "over the trapezoid of the real register speeds, with the overshoot")
DISTANCES_MM = (0.01, 0.05, 0.5, 3.0)
# From here all distances fit, inward and outward, each with its overshoot.
INNER_MM = 1.0


@dataclass(frozen=True)
class Moved:
    """One move: its moments in seconds of the monotonic clock, its legs in mm, and what went over the wire."""

    called_s: float
    returned_s: float
    legs_mm: tuple[float, ...]
    log: WireLog

    @property
    def over_ms(self) -> float:
        """How much longer than ideal the call took."""
        return (self.returned_s - self.called_s - ideal_s(*self.legs_mm)) * 1000

    def gaps(self) -> dict[str, list[tuple[float, float]]]:
        """The stretches in which the motor stood, by what they are; seconds of the clock."""
        starts_s = self.log.times_s(GO_TO, since_s=self.called_s)
        if len(starts_s) != len(self.legs_mm):
            raise BenchError(f"{len(starts_s)} go-to commands came for a move of {len(self.legs_mm)} legs")
        ends_s = [start_s + ideal_s(leg_mm) for start_s, leg_mm in zip(starts_s, self.legs_mm)]
        return {
            "before the first leg": [(self.called_s, starts_s[0])],
            "between the legs": list(zip(ends_s, starts_s[1:])),
            "after the last leg": [(ends_s[-1], self.returned_s)],
        }


def legs_mm(distance_mm: float, outward: bool) -> tuple[float, ...]:
    """The legs of a move by a distance from where the backlash is taken up."""
    overshoot_mm = float(CONFIG["anti_backlash_mm"])
    return (distance_mm + overshoot_mm, overshoot_mm) if outward else (distance_mm,)


def measure(rounds: int, distances_mm: tuple[float, ...] = DISTANCES_MM) -> list[Figure]:
    """Move each distance outward and inward again, `rounds` times."""
    over: dict[tuple[str, float], list[Moved]] = {}
    with rig() as ready:
        ready.expect("initialize")
        ready.expect("set_focus", INNER_MM)
        for _ in range(rounds):
            for distance_mm in distances_mm:
                for way in ("outward", "inward"):
                    over.setdefault((way, distance_mm), []).append(move(ready, distance_mm, way == "outward"))
    every = [moved for group in over.values() for moved in group]
    return [
        *(
            Figure(
                PART,
                f"{distance_mm:g} mm {way}",
                "ms",
                [moved.over_ms for moved in over[way, distance_mm]],
                target=TARGET,
            )
            for way in ("inward", "outward")
            for distance_mm in distances_mm
        ),
        *_where_it_goes(every),
    ]


def move(ready: Rig, distance_mm: float, outward: bool) -> Moved:
    """Move from INNER_MM by a distance, or back."""
    target_mm = INNER_MM + distance_mm if outward else INNER_MM
    with ready.connected() as proxy:
        called_s = time.monotonic()
        status = proxy.set_focus(target_mm)
        returned_s = time.monotonic()
    if status:
        raise BenchError(f"set_focus({target_mm}) gave {status}: {ready.call('report_status')}")
    return Moved(called_s, returned_s, legs_mm(distance_mm, outward), ready.wire(LONG_TRACE))


def _where_it_goes(moves: list[Moved]) -> list[Figure]:
    """What the gaps take, how many questions lie in them, and how long their bytes are on the line."""
    figures = []
    for name in moves[0].gaps():
        spans = [(moved.log, span) for moved in moves for span in moved.gaps()[name]]
        if not spans:
            continue
        figures += [
            Figure(WHERE_PART, name, "ms", [(to_s - from_s) * 1000 for _, (from_s, to_s) in spans]),
            Figure(
                WHERE_PART,
                f"{name}: bytes on the line",
                "ms",
                [log.busy_s(*span) * 1000 for log, span in spans],
            ),
            Figure(
                WHERE_PART,
                f"{name}: questions",
                "",
                [float(questions(log.between(*span))) for log, span in spans],
            ),
        ]
    return figures
