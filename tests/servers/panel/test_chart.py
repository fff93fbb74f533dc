"""The line of the chart."""

from __future__ import annotations

from rockit.focuser.ok3z.servers.panel.chart import (
    HISTORY_S,
    MOST_POINTS,
    POINT_PERIOD_S,
    SHOWN_POINTS,
    Chart,
    Point,
)
from rockit.focuser.ok3z.service.status import Snapshot, State

STEPS_PER_MM = 5088


def at(position_mm: float, target_mm: float | None = None, state: State = State.IDLE) -> Snapshot:
    target_steps = round((position_mm if target_mm is None else target_mm) * STEPS_PER_MM)
    return Snapshot(state, current_steps=round(position_mm * STEPS_PER_MM), target_steps=target_steps)


def test_rest_is_two_points_however_long_and_the_line_bends_where_the_motion_begins() -> None:
    history = Chart()
    assert history.points() == []
    for second in range(61):
        history.see(at(1.0), float(second))
    rest = [Point(0.0, 1.0, 1.0), Point(60.0, 1.0, 1.0)]
    assert history.points() == rest
    history.see(at(1.125, 2.0, State.MOVING), 60.1)
    assert history.points()[:3] == [*rest, Point(60.1, 1.125, 2.0)]


def test_a_motion_is_kept_no_denser_than_it_can_be_seen() -> None:
    history = Chart()
    for count in range(1001):
        history.see(at(1.0 + count / 1000, 2.0, State.MOVING), count * 0.01)
    kept = history.points()
    assert 2 * 10 / POINT_PERIOD_S >= len(kept) >= 10 / POINT_PERIOD_S - 2
    assert kept[-1] == Point(10.0, 2.0, 2.0)


def test_where_it_ends_is_kept() -> None:
    history = Chart()
    history.see(at(1.0, 2.0, State.MOVING), 0.0)
    history.see(at(1.99, 2.0, State.MOVING), 0.05)
    history.see(at(2.0), 0.06)
    history.see(at(2.0), 50.0)
    assert Point(0.06, 2.0, 2.0) in history.points()


def test_what_is_not_known_is_a_gap() -> None:
    history = Chart()
    history.see(at(1.0), 0.0)
    history.see(Snapshot(State.RECONNECTING), 1.0)
    history.see(at(1.0), 2.0)
    positions = [point.position_mm for point in history.points()]
    assert positions == [1.0, None, 1.0, 1.0]


def test_only_the_last_minutes_are_kept_and_the_line_begins_at_their_edge() -> None:
    history = Chart()
    history.see(at(1.0), 0.0)
    history.see(at(2.0, state=State.MOVING), 10.0)
    history.see(at(3.0), 20.0)
    history.see(at(3.0), HISTORY_S + 15.0)
    assert history.points()[0] == Point(15.0, 2.0, 2.0)
    history.see(at(3.0), HISTORY_S * 5)
    assert history.points() == [Point(HISTORY_S * 4, 3.0, 3.0), Point(HISTORY_S * 5, 3.0, 3.0)]


def test_it_is_bounded_in_number() -> None:
    history = Chart()
    for count in range(3 * MOST_POINTS):
        history.see(at(1.0, count % 2), count * 1e-3)
    assert len(history.points()) <= MOST_POINTS + 1


def test_a_short_line_is_shown_whole_and_rounded() -> None:
    history = Chart()
    history.see(at(1.0), 0.00049)
    history.see(Snapshot(State.IDLE, current_steps=1, target_steps=1), 1.23456)
    assert history.shown() == [Point(0.0, 1.0, 1.0), Point(1.235, 0.0, 0.0), Point(1.235, 0.0, 0.0)]


def test_ten_minutes_of_motion_are_shown_thinned_and_rest_stays_level() -> None:
    history = Chart()
    for count in range(6000):
        # Back and forth within a minute, with ten seconds of rest at either end.
        phase = count % 600
        place = min(max(phase - 100, 0), 200) if phase < 400 else max(600 - phase, 0)
        history.see(at(place / 100, 3.0, State.MOVING), count * 0.1)
    assert len(history.points()) > SHOWN_POINTS
    shown = history.shown()
    assert SHOWN_POINTS / 2 <= len(shown) <= SHOWN_POINTS + 2
    assert (shown[0].at_s, shown[-1].at_s) == (0.0, 599.9)
    truth = {point.at_s: point for point in history.points()}
    assert all(point.at_s in {round(at_s, 3) for at_s in truth} for point in shown)
    resting = [point for point in shown if 300.0 <= point.at_s <= 310.0]
    assert {point.position_mm for point in resting} == {0.0}
    assert min(point.at_s for point in resting) <= 302.0
    assert max(point.at_s for point in resting) >= 308.0


def test_a_short_gap_is_shown_in_a_thinned_line() -> None:
    history = Chart()
    for count in range(6000):
        seen = Snapshot(State.RECONNECTING) if count == 3005 else at(1 + count % 7 / 10, 2.0, State.MOVING)
        history.see(seen, count * 0.1)
    gaps = [point.at_s for point in history.shown() if point.position_mm is None]
    assert gaps == [300.5]
