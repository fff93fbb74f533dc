"""The configuration: what is accepted, and what the daemon computes with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z import Config
from rockit.focuser.ok3z.config.validation import longest_move_s
from rockit.focuser.ok3z.driver import registers

PROJECT = Path(__file__).parents[2]

Write = Callable[..., Path]


def test_the_site_in_the_types_that_the_daemon_computes_with() -> None:
    config = Config.load(PROJECT / "ngts_m06.json")
    assert dataclasses.asdict(config) == {
        "path": PROJECT / "ngts_m06.json",
        "daemon_name": "ngts_m06_focuser",
        "log_name": "focusd@ngts_m06",
        "control_machines": ("NGTSDASNUC",),
        "serial_port": "/dev/focuser",
        "serial_baud": 38400,
        "serial_timeout_s": 5.0,
        "move_timeout_s": 180.0,
        "steps_per_mm": 5088,
        "anti_backlash_mm": 0.5,
        "focus_range_mm": 6.0,
        "travel_mm": 6.0,
        "speed_mm_sec": 0.5,
        "acceleration_mm_sec_sec": 5.0,
        "restore_on_init": False,
        "resume_on_init": False,
        "hand": "keep",
        "resume_max_age_h": 24.0,
        "alpaca": None,
        "metrics": None,
    }
    assert isinstance(config.serial_timeout_s, float)
    assert isinstance(config.acceleration_mm_sec_sec, float)


def test_a_config_is_made_from_a_path_and_equals_another_of_the_same_file() -> None:
    assert Config(str(PROJECT / "test.json")) == Config.load(PROJECT / "test.json")


def test_a_config_never_changes() -> None:
    config = Config(PROJECT / "test.json")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.serial_port = "/dev/other"  # type: ignore[misc]


def test_the_daemon_and_the_machines_are_those_of_the_phone_book() -> None:
    config = Config(PROJECT / "ngts_m06.json")
    daemon = config.daemon
    assert (daemon.name, daemon.host, daemon.port) == ("ngts_m06_focuser_daemon", "10.2.5.115", 9002)
    assert config.control_ips == ("10.2.5.115",)


def test_the_names_that_other_rockit_programs_use(write: Write) -> None:
    config = Config(write(serial_timeout=0.5, move_timeout=99.5))
    assert (config.serial_timeout, config.move_timeout) == (0.5, 99.5)
    assert (config.serial_timeout_s, config.move_timeout_s) == (0.5, 99.5)


@pytest.mark.parametrize("number", ["38400.0", "384e2"])
def test_a_whole_number_may_be_written_with_a_point(write: Write, number: str) -> None:
    baud = Config(write({"serial_baud": number, "steps_per_mm": "5088.0"})).serial_baud
    assert baud == 38400
    assert isinstance(baud, int)


def test_what_may_be_configured_besides(write: Write) -> None:
    assert Config(write()).hand == "keep"
    for key, value in (
        *(("restore_on_init", True), ("restore_on_init", False), ("resume_on_init", True)),
        *(("resume_max_age_h", 12.0), ("hand", "home"), ("travel_mm", 6.5)),
    ):
        assert getattr(Config(write(**{key: value})), key) == value


def test_the_longest_move_runs_out_past_the_target_and_back(write: Write) -> None:
    real_speed, real_acceleration = 41 / 83.361792, 437 / 87.411174
    out, back = 6.5 / real_speed, 0.5 / real_speed
    config = Config(write(travel_mm=7))
    assert config.longest_move_s == pytest.approx(out + back + 2 * real_speed / real_acceleration, rel=1e-6)


@given(
    st.floats(0.1, 9),
    st.floats(0, 9),
    st.floats(0, 2),
    st.floats(0.012, 12),
    st.floats(0.012, 46),
    st.floats(0, 1),
)
def test_no_target_takes_longer_than_the_longest_move(
    range_mm: float, extra_mm: float, backlash_mm: float, speed: float, acceleration: float, part: float
) -> None:
    travel_mm = min(range_mm + extra_mm, 9)
    values = {
        "focus_range_mm": range_mm,
        "travel_mm": travel_mm,
        "anti_backlash_mm": min(backlash_mm, travel_mm),
        "speed_mm_sec": speed,
        "acceleration_mm_sec_sec": acceleration,
    }
    real_speed = registers.register_speed_mm_sec(registers.speed_register(speed))
    real_acceleration = registers.register_acceleration_mm_sec_sec(
        registers.acceleration_register(acceleration)
    )
    target_mm = part * range_mm
    turn_mm = min(target_mm + values["anti_backlash_mm"], travel_mm)
    ways = (turn_mm, turn_mm - target_mm)
    duration = sum(registers.move_duration_s(way, real_speed, real_acceleration) for way in ways)
    assert duration <= longest_move_s(values) * (1 + 1e-9)
