"""Where the focuser was during the last minutes, as it was sampled; bounded in time and in number."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ...service.status import Snapshot
from .view import position_mm, target_mm

HISTORY_S = 600.0
# Between two points of a motion: finer than a pixel of so many minutes.
POINT_PERIOD_S = 0.5
# All of HISTORY_S in motion, and as much again for changes of the target.
MOST_POINTS = 2400
# What a page is sent. A line of more points is thinned to the first and the last of each of so many slices.
SHOWN_POINTS = 600
SLICES = 300


class Point(NamedTuple):
    """When (seconds of a monotonic clock), where and where to (mm; None: not known)."""

    at_s: float
    position_mm: float | None
    target_mm: float | None


class Chart:
    """The points of a line: what lies between two of them with the same position was the same."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=MOST_POINTS)
        self._last: Point | None = None

    def see(self, snapshot: Snapshot, now_s: float) -> None:
        """Take in what is known at a moment; moments never run backwards."""
        point = Point(now_s, position_mm(snapshot), target_mm(snapshot))
        if not self._points or self._is_due(point):
            self._turn(point)
        self._last = point
        while self._points and self._points[0].at_s < now_s - HISTORY_S:
            self._forget_first()

    def points(self) -> list[Point]:
        """The oldest first; the last one is what was seen last."""
        return [*self._points, self._last] if self._last else []

    def shown(self) -> list[Point]:
        """`points`, as a page is sent them: about SHOWN_POINTS at most, to a millisecond and a micrometre."""
        points = self.points()
        return [_rounded(point) for point in (points if len(points) <= SHOWN_POINTS else _thinned(points))]

    def _is_due(self, point: Point) -> bool:
        last = self._points[-1]
        changed = point[1:] != last[1:]
        return changed and (point.at_s >= last.at_s + POINT_PERIOD_S or point.target_mm != last.target_mm)

    def _turn(self, point: Point) -> None:
        # A line between rest and motion bends where the one or the other begins, and not where it was first kept.
        if self._last and self._points and self._last.at_s > self._points[-1].at_s:
            before, last = self._points[-1], self._last
            if last[1:] == before[1:] or last[1:] == point[1:]:
                self._points.append(last)
        self._points.append(point)

    def _forget_first(self) -> None:
        first = self._points.popleft()
        edge_s = (self._last.at_s if self._last else first.at_s) - HISTORY_S
        if not self._points or self._points[0].at_s > edge_s:
            # The line still begins at the edge of what is kept, where it was then.
            self._points.appendleft(first._replace(at_s=edge_s))


def _thinned(points: list[Point]) -> list[Point]:
    """The first and the last point of each slice: rest stays level. And a gap, however short."""
    begin_s, slice_s = points[0].at_s, HISTORY_S / SLICES
    slices: dict[int, list[Point]] = {}
    for point in points:
        slices.setdefault(int((point.at_s - begin_s) / slice_s), []).append(point)
    return [point for some in slices.values() for point in _outline(some)]


def _outline(some: list[Point]) -> list[Point]:
    gap = next((at for at, point in enumerate(some) if point.position_mm is None), 0)
    return [some[at] for at in sorted({0, gap, len(some) - 1})]


def _rounded(point: Point) -> Point:
    at_s, position_mm, target_mm = point
    return Point(round(at_s, 3), _to_micrometre(position_mm), _to_micrometre(target_mm))


def _to_micrometre(value_mm: float | None) -> float | None:
    # Not -0.0, as everywhere.
    return None if value_mm is None else round(value_mm, 3) + 0.0
