"""The figures of docs/protocol.md, and what must hold for every register and every move."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver import registers

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/registers.json").read_text(encoding="utf-8"))
NOT_FINITE = (math.nan, math.inf, -math.inf)

speeds = st.floats(0.012, 12.28)
accelerations = st.floats(0.0115, 46.85)
lengths = st.integers(0, 18 * registers.STEPS_PER_MM).map(lambda steps: steps / registers.STEPS_PER_MM)


def test_half_a_millimetre_a_second_is_41_and_really_0_4918() -> None:
    assert registers.speed_register(0.5) == 41
    assert registers.register_speed_mm_sec(41) == pytest.approx(0.4918, abs=5e-5)


def test_five_millimetres_a_second_squared_is_437() -> None:
    # 5 mm/s^2 are 6360 full steps/s^2, and 6360 * 0.0687194767 = 437.06.
    assert registers.acceleration_register(5) == 437
    assert registers.register_acceleration_mm_sec_sec(437) == pytest.approx(437 / 0.0687194767 / 1272)


def test_the_homing_speed_in_use_is_318_full_steps_a_second() -> None:
    assert registers.HOMING_RUN_REGISTER == 21341
    assert registers.register_homing_speed_mm_sec(21341) == pytest.approx(0.25, abs=1e-5)
    assert registers.register_homing_speed_mm_sec(21341) * 1272 == pytest.approx(318, abs=0.01)
    assert registers.homing_speed_register(0.25) == 21341


def test_homing_over_the_whole_travel_takes_36_s() -> None:
    speed = registers.register_homing_speed_mm_sec(registers.HOMING_RUN_REGISTER)
    assert registers.TRAVEL_MM / speed == pytest.approx(36, abs=0.01)


@pytest.mark.parametrize(
    ("section", "wish", "to_register", "to_motion"),
    [
        ("maximum_speed", "speed_mm_per_s", registers.speed_register, registers.register_speed_mm_sec),
        (
            "acceleration",
            "acceleration_mm_per_s2",
            registers.acceleration_register,
            registers.register_acceleration_mm_sec_sec,
        ),
    ],
)
def test_the_vectors_that_driver_and_simulator_share(
    section: str, wish: str, to_register: Callable[[float], int], to_motion: Callable[[int], float]
) -> None:
    for vector in VECTORS[section]:
        if vector["register"] == "refused":
            with pytest.raises(ValueError, match="does not fit"):
                to_register(vector[wish])
        else:
            assert to_register(vector[wish]) == vector["register"]
            assert to_motion(vector["register"]) == pytest.approx(vector["actual"], abs=1e-6)


@pytest.mark.parametrize(
    ("to_register", "smallest", "largest", "maximum"),
    [
        (registers.speed_register, 0.012, 12.28, 1023),
        (registers.acceleration_register, 0.0115, 46.85, 4095),
    ],
)
def test_the_stated_limits_fill_the_register_and_the_next_figure_does_not_fit(
    to_register: Callable[[float], int], smallest: float, largest: float, maximum: int
) -> None:
    assert to_register(smallest) == 1
    assert to_register(largest) == maximum
    for misfit in (smallest - 0.0001, largest + 0.01, 0, -smallest):
        with pytest.raises(ValueError, match=f"holds 1 to {maximum}"):
            to_register(misfit)


@pytest.mark.parametrize(
    "to_register",
    [registers.speed_register, registers.acceleration_register, registers.homing_speed_register],
)
@pytest.mark.parametrize("number", [*NOT_FINITE, 1e308])
def test_numbers_that_are_no_speed_are_refused(to_register: Callable[[float], int], number: float) -> None:
    with pytest.raises(ValueError, match="does not fit its register"):
        to_register(number)


@pytest.mark.parametrize(
    ("to_motion", "to_register", "maximum"),
    [
        (registers.register_speed_mm_sec, registers.speed_register, 1023),
        (registers.register_acceleration_mm_sec_sec, registers.acceleration_register, 4095),
    ],
)
def test_what_a_register_stands_for_gives_that_register_back(
    to_motion: Callable[[int], float], to_register: Callable[[float], int], maximum: int
) -> None:
    assert [to_register(to_motion(n)) for n in range(1, maximum + 1)] == list(range(1, maximum + 1))
    for misfit in (0, -1, maximum + 1):
        with pytest.raises(ValueError, match="does not fit"):
            to_motion(misfit)


@given(st.integers(1, 2**20 - 1))
def test_a_homing_speed_gives_its_register_back(register: int) -> None:
    assert registers.homing_speed_register(registers.register_homing_speed_mm_sec(register)) == register


@pytest.mark.parametrize("register", [0, 2**20])
def test_a_homing_register_outside_20_bits_is_refused(register: int) -> None:
    with pytest.raises(ValueError, match="1 to 1048575"):
        registers.register_homing_speed_mm_sec(register)


@given(speeds)
def test_the_real_speed_is_the_wish_truncated(speed: float) -> None:
    register = registers.speed_register(speed)
    assert register == math.floor(speed * 1272 * 0.065536 * (1 + 1e-9))
    assert registers.register_speed_mm_sec(register) <= speed * (1 + 1e-8)


@given(accelerations)
def test_the_real_acceleration_is_the_wish_truncated(acceleration: float) -> None:
    register = registers.acceleration_register(acceleration)
    real = registers.register_acceleration_mm_sec_sec(register)
    one_unit = registers.register_acceleration_mm_sec_sec(1)
    assert real <= acceleration * (1 + 1e-8)
    assert acceleration < real + one_unit


def test_a_long_move_is_a_trapezoid() -> None:
    assert registers.move_duration_s(6, 0.5, 5) == pytest.approx(6 / 0.5 + 0.5 / 5)


def test_a_short_move_is_a_triangle() -> None:
    assert registers.move_duration_s(0.01, 0.5, 5) == pytest.approx(2 * math.sqrt(0.01 / 5))


def test_no_way_takes_no_time() -> None:
    assert registers.move_duration_s(0, 0.5, 5) == 0


@given(speeds, accelerations)
def test_trapezoid_and_triangle_meet_where_full_speed_is_just_reached(
    speed: float, acceleration: float
) -> None:
    meeting = speed**2 / acceleration
    below, above = (registers.move_duration_s(meeting * f, speed, acceleration) for f in (1 - 1e-9, 1 + 1e-9))
    assert below == pytest.approx(above, rel=1e-6)
    assert above == pytest.approx(2 * speed / acceleration, rel=1e-6)


@given(lengths, speeds, accelerations)
def test_a_move_never_beats_its_top_speed_nor_endless_ramps(
    length: float, speed: float, acceleration: float
) -> None:
    duration = registers.move_duration_s(length, speed, acceleration)
    assert duration >= length / speed
    assert duration >= 2 * math.sqrt(length / acceleration) * (1 - 1e-12)


@given(lengths, lengths, speeds, accelerations)
def test_a_longer_move_takes_no_less_time(
    one: float, other: float, speed: float, acceleration: float
) -> None:
    shorter, longer = sorted((one, other))
    first = registers.move_duration_s(shorter, speed, acceleration)
    assert first <= registers.move_duration_s(longer, speed, acceleration) * (1 + 1e-12)


@pytest.mark.parametrize(
    "arguments",
    [
        *((misfit, 0.5, 5) for misfit in (-0.1, *NOT_FINITE)),
        *((1, misfit, 5) for misfit in (0, -1, *NOT_FINITE)),
        *((1, 0.5, misfit) for misfit in (0, -1, *NOT_FINITE)),
    ],
)
def test_a_move_of_nonsense_has_no_duration(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="has no duration"):
        registers.move_duration_s(*arguments)


@pytest.mark.parametrize(
    ("register", "known", "near"),
    [
        (0, (), True),
        (8, (), True),
        (-9, (), False),
        (30000, (), False),
        (30008, (30000,), True),
        (29991, (30000,), False),
        (0, (30000,), True),
    ],
)
def test_a_register_that_reads_as_after_a_power_cut(
    register: int, known: tuple[int, ...], near: bool
) -> None:
    assert registers.near_power_up(register, known) is near
