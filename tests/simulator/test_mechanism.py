"""Register, motor and carriage: backlash, limit switch, hard stops, and what goes wrong with motors."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.simulator import STEPS_PER_MM
from rockit.focuser.ok3z.simulator.mechanism import Mechanism
from rockit.focuser.ok3z.simulator.options import Options
from rockit.focuser.ok3z.simulator.ramp import Limits

LIMITS = Limits(2500.0, 25000.0, 25000.0)
Make = Callable[..., Any]


def stand_at(mechanism: Mechanism, target: int) -> None:
    mechanism.go_to(target, LIMITS, 0.0)
    mechanism.advance(1e6)


def test_inward_move_brings_the_carriage_to_the_motor(bench: Any) -> None:
    origin = bench.home()
    bench.move_to_mm(origin, 3.0)

    bench.move_to_mm(origin, 2.5)

    assert bench.model.carriage_mm == pytest.approx(2.5, abs=1e-9)
    assert bench.model.motor_mm == pytest.approx(2.5, abs=1e-9)


def test_outward_move_lags_by_the_backlash(make_bench: Make) -> None:
    bench = make_bench(backlash_mm=0.3)
    origin = bench.home()

    bench.move_to_mm(origin, 2.0)

    assert bench.model.motor_mm == pytest.approx(2.0, abs=1e-9)
    assert bench.model.carriage_mm == pytest.approx(1.7, abs=1e-4)


def test_homing_ends_at_the_switch_and_the_register_is_arbitrary(make_bench: Make) -> None:
    bench = make_bench(start_mm=2.0, register=777, backlash_mm=0.25)

    origin = bench.home()

    assert bench.model.carriage_mm == 0
    assert origin == 777 + round(2.25 * STEPS_PER_MM)


@pytest.mark.parametrize("scale", [1, 20])
def test_homing_from_the_far_end_takes_as_long_as_on_the_device(make_bench: Make, scale: int) -> None:
    bench = make_bench(start_mm=9.0, backlash_mm=0, time_scale=scale)
    bench.configure()
    bench.tell("P103", "V 21341")
    begun = bench.clock.monotonic()

    bench.rest()

    assert bench.clock.monotonic() - begun == pytest.approx(36.0 / scale, abs=0.2)


def test_go_to_beyond_the_switch_ends_at_the_switch(bench: Any) -> None:
    origin = bench.home()
    bench.move_to_mm(origin, 1.0)

    bench.move_to_mm(origin, -1.0)

    assert bench.model.carriage_mm == 0
    assert bench.model.register == origin
    assert bench.model.hard_stop_hits == 0


def test_homing_on_the_switch_ends_at_once_and_keeps_the_origin(bench: Any) -> None:
    origin = bench.home()

    bench.tell("P021")
    bench.clock.sleep(1)
    assert (bench.model.register, bench.model.carriage_mm) == (origin, 0), "a halt at rest changes nothing"
    bench.tell("P103", "V 21341")
    bench.clock.sleep(0.1)

    assert not bench.model.is_moving
    assert bench.model.register == origin


def test_outer_stop_holds_the_carriage_while_the_register_counts_on(bench: Any) -> None:
    origin = bench.home()

    bench.move_to_mm(origin, 11.0)

    assert bench.model.register == origin - 11 * STEPS_PER_MM
    assert bench.model.carriage_mm == pytest.approx(9.0)
    assert bench.model.hard_stop_hits == 1
    bench.move_to_mm(origin, 5.0)
    assert bench.model.carriage_mm == pytest.approx(9.2 - 6.0, abs=1e-3)


def test_new_target_in_motion_is_reached(bench: Any) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 5.0)
    bench.clock.sleep(3)

    bench.move_to_mm(origin, 0.5)

    assert bench.model.register == origin - STEPS_PER_MM // 2
    assert bench.model.carriage_mm == pytest.approx(0.5, abs=1e-9)


def test_soft_stop_decelerates_and_stands_on_a_whole_step(bench: Any) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 5.0)
    bench.clock.sleep(3)
    at_stop = bench.model.register

    bench.tell("P021")
    assert bench.model.is_moving
    bench.rest()

    stopping = at_stop - bench.model.register
    assert 0.024 < stopping / STEPS_PER_MM < 0.032  # v^2/2a, and the way during the frame
    assert bench.model.motor_mm == pytest.approx((origin - bench.model.register) / STEPS_PER_MM, abs=1e-12)


def test_hard_stop_mode_stops_at_once(make_bench: Make) -> None:
    bench = make_bench(stop_mode="hard")
    origin = bench.home()
    bench.go_to_mm(origin, 5.0)
    bench.clock.sleep(3)

    bench.tell("P021")

    assert not bench.model.is_moving


@given(
    st.lists(st.integers(-50000, 3000), min_size=1, max_size=6),
    st.lists(st.floats(0.01, 20), min_size=1, max_size=12),
)
def test_answer_does_not_depend_on_how_often_one_looks(targets: list[int], gaps: list[float]) -> None:
    often = Mechanism(Options(register=0, start_mm=4.0))
    seldom = Mechanism(Options(register=0, start_mm=4.0))
    now = 0.0
    for number, gap in enumerate(gaps):
        for mechanism in (often, seldom):
            mechanism.go_to(targets[number % len(targets)], LIMITS, 0.0)
        for part in range(1, 8):
            often.advance(now + gap * part / 7)
        now += gap
        seldom.advance(now)
        assert often.register_position == pytest.approx(seldom.register_position, abs=1e-4)
        assert often.carriage == pytest.approx(seldom.carriage, abs=1e-4)
    assert often.extremes.highest == pytest.approx(seldom.extremes.highest, abs=1e-4)
    assert often.extremes.lowest == pytest.approx(seldom.extremes.lowest, abs=1e-4)


@given(st.lists(st.integers(-60000, 5000), min_size=1, max_size=10))
def test_carriage_stays_in_its_travel_and_within_the_play(targets: list[int]) -> None:
    mechanism = Mechanism(Options(register=0))
    for number, target in enumerate(targets):
        mechanism.go_to(target, LIMITS, 0.0)
        mechanism.advance(number * 3.0 + 3.0)
        assert -1e-5 <= mechanism.carriage <= mechanism.travel
        assert -1e-9 <= mechanism.motor - mechanism.carriage <= mechanism.backlash + 1e-9


@pytest.mark.parametrize(("failure", "counted_mm"), [("frozen", 0), ("stalled", 2)])
def test_motor_that_fails_stands_whatever_the_register_counts(
    bench: Any, failure: str, counted_mm: int
) -> None:
    origin = bench.home()
    bench.model.motor(failure)

    bench.move_to_mm(origin, 2.0)

    assert (bench.model.register, bench.model.motor_mm) == (origin - counted_mm * STEPS_PER_MM, 0)


def test_reversed_motor_takes_the_register_with_it(bench: Any) -> None:
    origin = bench.home()
    bench.move_to_mm(origin, 3.0)
    bench.model.motor("reversed")

    bench.move_to_mm(origin, 2.0)

    assert bench.model.register == origin - 4 * STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(4.0)


def test_miswired_motor_never_finds_the_switch(bench: Any) -> None:
    bench.configure()
    bench.model.motor("miswired")
    before = bench.model.register

    bench.tell("P103", "V 21341")
    bench.clock.sleep(100)

    assert bench.model.is_moving
    assert bench.model.register > before + 24 * STEPS_PER_MM
    assert bench.model.carriage_mm == pytest.approx(9.0)


def test_motor_can_fail_and_recover_in_motion(bench: Any) -> None:
    origin = bench.home()
    bench.go_to_mm(origin, 5.0)
    bench.clock.sleep(3)
    stuck_at = bench.model.motor_mm
    bench.model.motor("stalled")
    bench.clock.sleep(2)
    assert bench.model.motor_mm == stuck_at
    bench.model.motor("works")
    bench.rest()

    assert bench.model.register == origin - 5 * STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(5.0 - 2 * 0.491832, abs=1e-3)


def test_lost_steps_do_not_show_in_the_register(bench: Any) -> None:
    origin = bench.home()
    bench.move_to_mm(origin, 3.0)
    bench.move_to_mm(origin, 2.0)

    bench.model.lose_steps(500)

    assert bench.model.register == origin - 2 * STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(2.0 + 500 / STEPS_PER_MM)


def test_motor_that_keeps_losing_steps_falls_behind(make_bench: Make) -> None:
    bench = make_bench(lost_steps=0.1)
    origin = bench.home()

    bench.move_to_mm(origin, 4.0)

    assert bench.model.register == origin - 4 * STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(3.6, abs=1e-3)


def test_standing_short_shows_in_the_register_and_happens_once(bench: Any) -> None:
    origin = bench.home()
    bench.model.stand_short(40)

    bench.move_to_mm(origin, 2.0)
    assert bench.model.register == origin - 2 * STEPS_PER_MM + 40

    bench.move_to_mm(origin, 2.0)
    assert bench.model.register == origin - 2 * STEPS_PER_MM


@pytest.mark.parametrize("follows", [False, True])
def test_hand_moves_the_carriage_and_perhaps_the_register(bench: Any, follows: bool) -> None:
    origin = bench.home()
    bench.move_to_mm(origin, 3.0)
    register, carriage = bench.model.register, bench.model.carriage_mm

    bench.model.hand(0.5, register=follows)

    assert bench.model.carriage_mm == pytest.approx(carriage + 0.5)
    assert bench.model.register == register - (STEPS_PER_MM // 2 if follows else 0)


def test_hand_cannot_push_through_the_outer_stop(bench: Any) -> None:
    bench.model.hand(50)

    assert bench.model.carriage_mm == pytest.approx(9.0)
    assert bench.model.hard_stop_hits == 0


def test_hand_controller_drives_the_motor_and_the_register(bench: Any) -> None:
    origin = bench.home()

    bench.model.hand(1.0, drive=True)
    assert bench.model.register == origin
    bench.rest()

    assert bench.model.register == origin - STEPS_PER_MM
    assert bench.model.motor_mm == pytest.approx(1.0)


def test_dead_switch_lets_the_run_go_on_against_the_inner_stop(bench: Any) -> None:
    bench.configure()
    bench.model.limit_switch("dead")

    bench.tell("P103", "V 21341")
    bench.clock.sleep(60)

    assert bench.model.is_moving
    assert bench.model.carriage_mm == pytest.approx(-0.1, abs=1e-3)
    assert bench.model.hard_stop_hits == 1


def test_stuck_switch_ends_the_homing_run_at_once(bench: Any) -> None:
    bench.configure()
    bench.model.limit_switch("stuck")

    bench.tell("P103", "V 21341")
    bench.clock.sleep(0.1)

    assert not bench.model.is_moving
    assert bench.model.carriage_mm == pytest.approx(3.0, abs=1e-3)


def test_extremes_know_what_happened_between_two_looks(bench: Any) -> None:
    origin = bench.home()
    bench.model.forget_extremes()
    bench.go_to_mm(origin, 5.0)
    bench.clock.sleep(5)
    bench.go_to_mm(origin, 0.5)
    bench.clock.sleep(60)

    assert bench.model.carriage_mm == pytest.approx(0.5)
    assert 2.2 < bench.model.highest_mm < 2.4
    assert bench.model.lowest_mm == 0
    assert bench.model.highest_motor_mm == pytest.approx(bench.model.highest_mm + 0.2, abs=1e-3)
    assert bench.model.lowest_motor_mm == 0


def test_start_latency_delays_motion_and_its_state(make_bench: Make) -> None:
    bench = make_bench(start_latency_s=0.3)
    origin = bench.home()
    bench.go_to_mm(origin, 2.0)

    assert bench.ask("S001") == b"#S004 F NS$\n"
    assert bench.model.register == origin
    bench.clock.sleep(0.3)
    assert bench.ask("S001") != b"#S004 F NS$\n"


def test_stop_during_the_start_latency_means_no_motion(make_bench: Make) -> None:
    bench = make_bench(start_latency_s=0.3)
    origin = bench.home()
    bench.go_to_mm(origin, 2.0)

    bench.tell("P021")
    bench.clock.sleep(5)

    assert bench.model.register == origin


def test_command_during_the_start_latency_takes_its_place(make_bench: Make) -> None:
    bench = make_bench(start_latency_s=0.3)
    origin = bench.home()
    bench.model.forget_extremes()
    bench.go_to_mm(origin, 2.0)
    bench.clock.sleep(0.1)

    bench.go_to_mm(origin, 1.0)
    assert not bench.model.is_moving
    bench.clock.sleep(0.22)

    assert bench.model.is_moving
    bench.rest()
    assert bench.model.motor_mm == pytest.approx(1.0)
    assert bench.model.highest_mm <= 1.0
