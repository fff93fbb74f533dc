"""Measured figures, what they are held against, and how they are written down. Pure arithmetic and text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

# Below this many values the 99th percentile is the greatest value, and says nothing of its own.
VALUES_FOR_P99 = 100

COLUMNS = ("Figure", "Unit", "n", "Median", "p95", "p99", "Max", "Limit", "Target", "Met")


@dataclass(frozen=True)
class Bound:
    """What a figure is held against: a physical limit, or a target that somebody set.

    Args:
        value: in the unit of the figure.
        text: what it is.
        judged: for a target, which statistic must not exceed it: a key of `Figure.statistics`.
    """

    value: float
    text: str
    judged: str = "max"


@dataclass(frozen=True)
class Figure:
    """One thing that was measured a number of times.

    Args:
        part: the part of the benchmark that it belongs to.
        name: what was measured.
        unit: of `values`, `limit` and `target`.
        values: every measurement, none left out.
        limit: what nothing could undercut.
        target: what it should not exceed.
    """

    part: str
    name: str
    unit: str
    values: Sequence[float]
    limit: Bound | None = None
    target: Bound | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"nothing was measured for {self.part}: {self.name}")

    @property
    def statistics(self) -> dict[str, float]:
        """Median, percentiles and extremes."""
        return {
            "min": min(self.values),
            "median": percentile(self.values, 50),
            "p95": percentile(self.values, 95),
            "p99": percentile(self.values, 99),
            "max": max(self.values),
        }

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else self.statistics[self.target.judged] <= self.target.value

    def as_json(self) -> dict[str, Any]:
        """Everything, down to the single values."""
        return {**asdict(self), "n": len(self.values), **self.statistics, "met": self.is_met}

    def cells(self) -> tuple[str, ...]:
        """The row of COLUMNS."""
        statistics = self.statistics
        single = len(self.values) == 1
        return (
            self.name,
            self.unit,
            str(len(self.values)),
            shown(statistics["median"]),
            "" if single else shown(statistics["p95"]),
            shown(statistics["p99"]) if len(self.values) >= VALUES_FOR_P99 else "",
            "" if single else shown(statistics["max"]),
            shown(self.limit.value) if self.limit else "",
            self._target_cell(),
            {None: "", True: "yes", False: "no"}[self.is_met],
        )

    def _target_cell(self) -> str:
        if self.target is None:
            return ""
        judged = "" if len(self.values) == 1 else f"{self.target.judged} "
        return f"{judged}{shown(self.target.value)}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the least of the values that `percent` % of them do not exceed."""
    if not values:
        raise ValueError("no values have no percentile")
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def shown(value: float) -> str:
    """A number with three significant digits or so, as people read it."""
    magnitude = abs(value)
    return f"{value:.0f}" if magnitude >= 100 else f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"


def notes(figures: Sequence[Figure]) -> list[str]:
    """A sentence for every limit and target, each once, in the order of the figures."""
    told: dict[str, None] = {}
    for figure in figures:
        for kind, bound in (("Limit", figure.limit), ("Target", figure.target)):
            if bound is not None:
                told[f"{kind} of {shown(bound.value)} {figure.unit}: {bound.text}"] = None
    return list(told)


def markdown(figures: Sequence[Figure]) -> str:
    """A table for each part, and what its limits and targets are."""
    return "\n\n".join(_part_as_markdown(part, of_part) for part, of_part in by_part(figures).items())


def by_part(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """The figures of each part, in their order."""
    parts: dict[str, list[Figure]] = {}
    for figure in figures:
        parts.setdefault(figure.part, []).append(figure)
    return parts


def _part_as_markdown(part: str, figures: Sequence[Figure]) -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(figure.cells() for figure in figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    told = "\n".join(f"- {note}" for note in notes(figures))
    return f"### {part}\n\n{table}" + (f"\n\n{told}" if told else "")
