"""Runs in which nothing is wrong: they are followed to their end, and no surprise is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.run_watch import Verdict


def test_a_run_arrives_where_it_ends_however_fast_the_device_is(run: Any) -> None:
    for scale in (1, 2, 3, 5, 10, 20, 50, 100, 1000):
        for obeys_after_s in (0.0, 0.03, 0.5):
            one = replace(run, scale=scale, obeys_after_s=obeys_after_s)
            assert one.outcome() == f"ARRIVED at {one.end}", (scale, obeys_after_s)


def looks_at_the_end(run: Any, watch: Any = None) -> int:
    return sum(reading.stands_still and reading.register == run.end for reading, _ in run.follow(watch=watch))


def test_an_arrival_that_was_seen_coming_and_is_on_time_needs_no_second_look(leg: Any) -> None:
    assert looks_at_the_end(leg) == 1


@pytest.mark.parametrize("leg", ["inward", "outward", "approach", "negative", "short"], indirect=True)
@pytest.mark.parametrize("scale", [2, 10])
def test_an_arrival_too_early_is_looked_at_again(leg: Any, scale: int) -> None:
    assert looks_at_the_end(replace(leg, scale=scale)) >= 2


def test_an_arrival_that_nobody_saw_coming_is_looked_at_again(make_run: Any, t0_s: float) -> None:
    leg = make_run(0, 5000)
    watch = leg.watch()
    late_s = t0_s + 10 * leg.duration_s / 9
    assert watch.take(leg.read(late_s)) is Verdict.LOOK_AGAIN
    assert watch.take(leg.read(late_s + 0.02)) is Verdict.ARRIVED


def test_after_a_repeated_command_the_time_counts_anew(make_run: Any, t0_s: float) -> None:
    leg = make_run(0, 50, obeys_after_s=0.6)
    watch = leg.watch()
    watch.restarted(t0_s + 0.6)
    on_the_way = t0_s + 0.6 + leg.duration_s / 2
    assert watch.take(leg.read(on_the_way)) is Verdict.GOING
    arrived = Reading(50, True, on_the_way + 0.01)
    assert watch.take(arrived) is Verdict.LOOK_AGAIN


@pytest.mark.parametrize("scale", [1, 10, 50])
def test_a_device_whose_ratio_is_known_is_followed_without_doubts(scale: int, make_run: Any) -> None:
    run = make_run(0, 30000, scale=scale)
    verdicts = [verdict for _, verdict in run.follow()]
    end = [Verdict.ARRIVED] if scale == 1 else [Verdict.LOOK_AGAIN, Verdict.ARRIVED]
    assert verdicts == [Verdict.GOING] * (len(verdicts) - len(end)) + end


def test_a_device_of_which_nothing_is_known_is_followed_all_the_same(run: Any) -> None:
    for scale in (1, 2, 5, 20):
        one = replace(run, scale=scale)
        watch = one.watch()
        watch.tracker = one.tracker(None)
        *_, (_, verdict) = one.follow(watch=watch)
        assert verdict is Verdict.ARRIVED, scale
        assert watch.tracker.leapt is None, scale


def test_the_speed_is_measured_over_the_last_readings(make_run: Any) -> None:
    for run, sign in ((make_run(0, 30000), 1), (make_run(30000, 0), -1)):
        watch = run.watch()
        rates = [watch.tracker.rate_steps_s for _ in run.follow(watch=watch)]
        assert rates[len(rates) // 2] == pytest.approx(sign * run.speed_mm_sec * 5088, rel=0.01)
    assert make_run(0, 100).watch().tracker.rate_steps_s == 0
