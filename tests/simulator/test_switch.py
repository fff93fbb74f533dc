"""The kinds of limit switch that a controller may have: level or edge, early, scattering, falling back."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.simulator import STEPS_PER_MM

Make = Callable[..., Any]


def home_again(bench: Any, origin: int, back_off_mm: float = 0.45) -> int:
    """Back off and run in again; the register at the end."""
    bench.move_to_mm(origin, back_off_mm)
    bench.tell("P103", "V 21341")
    bench.rest()
    return int(bench.model.register)


@pytest.mark.parametrize("steps", [1, 150, 400])
def test_drive_that_falls_back_in_the_register_ends_each_run_at_the_same_count(
    make_bench: Make, steps: int
) -> None:
    bench = make_bench(fall_back_steps=steps, fall_back_counts=1, register=0, backlash_mm=0.25)
    origin = bench.home()

    assert origin == round(3.25 * STEPS_PER_MM) - steps
    assert bench.model.motor_mm == pytest.approx(steps / STEPS_PER_MM)
    assert bench.model.carriage_mm == 0  # the play is more than that
    assert home_again(bench, origin) == origin


def test_drive_that_falls_back_unnoticed_ends_each_run_further_in(make_bench: Make) -> None:
    bench = make_bench(fall_back_steps=40, backlash_mm=0)
    origin = bench.home()
    assert bench.model.carriage_mm == pytest.approx(40 / STEPS_PER_MM)

    assert home_again(bench, origin) == origin + 40


def test_drive_may_fall_back_by_another_way_each_time(make_bench: Make) -> None:
    bench = make_bench(fall_back_steps=100, fall_back_counts=1, fall_back_random=1, register=0)
    origin = bench.home()
    inmost = origin + round(bench.model.motor_mm * STEPS_PER_MM)

    ends = [inmost - home_again(bench, origin) for _ in range(8)]

    assert all(1 <= end <= 100 for end in ends)
    assert len(set(ends)) > 3


def test_go_tos_do_not_fall_back(make_bench: Make) -> None:
    bench = make_bench(fall_back_steps=40, backlash_mm=0)
    origin = bench.home()

    bench.move_to_mm(origin, -1)

    assert (bench.model.register, bench.model.motor_mm) == (origin + 40, 0)


def test_edge_switch_ends_a_run_that_comes_from_outside(make_bench: Make) -> None:
    bench = make_bench(switch_kind="edge")
    origin = bench.home()

    assert (bench.model.carriage_mm, bench.model.ground_mm) == (0, 0)
    assert home_again(bench, origin) == origin


@pytest.mark.parametrize("looks", [1, 37])
def test_homing_begun_on_an_edge_switch_grinds_until_it_is_stopped(make_bench: Make, looks: int) -> None:
    bench = make_bench(switch_kind="edge")
    bench.home()

    bench.tell("P103", "V 21341")
    for _ in range(looks):
        bench.clock.sleep(10 / looks)
        bench.model.advance()
    assert bench.model.is_moving
    bench.tell("P021")
    bench.rest()

    assert bench.model.carriage_mm == pytest.approx(-0.1, abs=1e-3)
    assert bench.model.ground_mm == pytest.approx(10 * 0.25 - 0.1, abs=0.02)
    assert bench.model.hard_stop_hits == 1
    bench.model.forget_extremes()
    assert bench.model.ground_mm == 0


def test_edge_switch_works_again_once_the_motor_was_off_it(make_bench: Make) -> None:
    bench = make_bench(switch_kind="edge")
    origin = bench.home()
    bench.tell("P103", "V 21341")
    bench.clock.sleep(2)
    ground_to = bench.model.register
    assert ground_to > origin

    home_again(bench, ground_to, back_off_mm=0.3)

    assert bench.model.carriage_mm == 0


def test_run_that_turns_round_outside_meets_the_edge(make_bench: Make) -> None:
    bench = make_bench(switch_kind="edge", backlash_mm=0)
    origin = bench.home()
    bench.go_to_mm(origin, 0.1)
    bench.clock.sleep(0.05)
    begun = bench.model.register
    assert begun < origin

    bench.move_to_mm(origin, -1)

    assert (bench.model.register, bench.model.motor_mm) == (origin, 0)


def test_edge_switch_that_is_stuck_never_closes(make_bench: Make) -> None:
    bench = make_bench(switch_kind="edge", start_mm=1)
    bench.configure()
    bench.model.limit_switch("stuck")

    bench.tell("P103", "V 21341")
    bench.clock.sleep(20)

    assert bench.model.is_moving
    assert bench.model.ground_mm > 3


def test_go_to_onto_an_early_switch_is_stopped_short(make_bench: Make) -> None:
    bench = make_bench(switch_lead_steps=2)
    origin = bench.home()
    bench.move_to_mm(origin, 1)

    bench.move_to_mm(origin, 0)

    assert bench.model.register == origin - 2
    assert bench.model.motor_mm == pytest.approx(2 / STEPS_PER_MM)
    bench.tell("P103", "V 21341")
    bench.rest()
    assert (bench.model.register, bench.model.carriage_mm) == (origin, 0)


def test_switch_of_homing_runs_lets_go_tos_pass(make_bench: Make) -> None:
    bench = make_bench(switch_stops="homing")
    origin = bench.home()

    bench.move_to_mm(origin, -1)

    assert bench.model.register == origin + STEPS_PER_MM
    assert bench.model.carriage_mm == pytest.approx(-0.1, abs=1e-3)
    assert bench.model.ground_mm == pytest.approx(0.9, abs=1e-3)


def test_switch_point_scatters_from_run_to_run(make_bench: Make) -> None:
    bench = make_bench(switch_scatter_steps=30)
    origin = bench.home()
    inmost = origin + round(bench.model.motor_mm * STEPS_PER_MM)

    ends = [inmost - home_again(bench, origin) for _ in range(10)]

    assert all(0 <= end <= 30 for end in ends)
    assert len(set(ends)) > 3
    assert bench.model.ground_mm == 0


def test_grinding_at_the_outer_stop_counts_too(bench: Any) -> None:
    origin = bench.home()

    bench.move_to_mm(origin, 11.0)

    assert bench.model.ground_mm == pytest.approx(11 - 9.2, abs=1e-3)


def test_switch_can_become_another_while_it_runs(bench: Any) -> None:
    origin = bench.home()
    bench.model.change(fall_back_steps=100, fall_back_counts=True)

    assert home_again(bench, origin) == origin - 100


def test_power_up_mode_that_is_changed_waits_for_the_power_cut(bench: Any) -> None:
    origin = bench.home()
    bench.model.change(power_up_mode=4, power_up_speed=41, power_up_acceleration=437)
    bench.move_to_mm(origin, 1.0)
    assert bench.model.motor_mm == pytest.approx(1.0)

    bench.model.power_cut()
    bench.move_to_mm(0, 1.0)

    assert bench.model.motor_mm == pytest.approx(1.5)
