"""Each option of the virtual controller shows in the report: in what is refuted, or in what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from rockit.focuser.ok3z.simulator.options import Options

from .conftest import Night

AT_REST = ("answers", "pairs", "temperature")
PACED = {"baud_pacing": 1}

# The option, which trials tell of it, what is refuted, and what the report says.
TOLD: list[tuple[dict[str, Any], tuple[str, ...], str, str]] = [
    (
        {"latency_timer_ms": 16, **PACED},
        AT_REST,
        "latency",
        "bytes together, 16.0 ms after the line's time, counted from the last byte",
    ),
    (
        {"usb_latency_ms": 16, **PACED},
        AT_REST,
        "latency",
        "bytes together, .* ms after the line's time, counted from the first byte",
    ),
    ({"reply_delay_s": 0.3, **PACED}, AT_REST, "answer-time", r"takes 30\d\.\d ms"),
    ({"baud_pacing": 0}, AT_REST, "byte-time", "-6.5 ms after its bytes"),
    ({"reply_end": "crlf"}, AT_REST, "frame-end", r"comes b'\\r\\n'"),
    ({"reply_end": "cr", **PACED}, AT_REST, "frame-end", r"comes b'\\r'"),
    ({"reply_end": "none", **PACED}, AT_REST, "frame-end", "comes b''"),
    ({"reply_spaces": 2}, AT_REST, "spaces", "2 before and 0 behind"),
    ({"trailing_spaces": 1}, AT_REST, "spaces", "1 before and 1 behind"),
    ({"register_digits": 7}, AT_REST, "digits", "'-0040000'"),
    ({"register_width": 9}, AT_REST, "digits", "'   -40000'"),
    ({"register_plus": 1, "register": 50}, AT_REST, "digits", r"'\+50'"),
    ({"echo": 1}, AT_REST, "echo", "201 of 201 questions came back"),
    ({"version": "642,643"}, AT_REST, "temperature", "2 texts: '642', '643'"),
    ({"still_text": "\xffS"}, AT_REST, "ascii", "answers hold other bytes"),
    ({"register_flicker": 3}, AT_REST, "flicker", "goes over 6 steps"),
    ({"reply_loss": 0.1}, AT_REST, "quality", r"\(silence: \d+\)"),
    ({"reply_late": 0.1}, AT_REST, "quality", "two at once"),
    ({"reply_cut": 0.1}, AT_REST, "quality", "cut: "),
    ({"reply_garble": 0.1}, AT_REST, "quality", "garbled: "),
    ({"reply_merge": 0.1}, AT_REST, "quality", "without its end: "),
    ({"command_loss": 0.1}, AT_REST, "quality", "silence: "),
    ({"command_garble": 0.1}, AT_REST, "quality", "silence: "),
    ({"start_latency_s": 1.0}, ("start",), "start", r"after 10\d\d ms"),
    ({"leg_rate": 2}, ("homing", "speed"), "one-ratio", "moves run at 2.000 times, homing runs at 1.000"),
    ({"leg_rate": 0.5}, ("speed", "acceleration"), "acceleration", "0.50, 0.50 times"),
    ({"homing_rate": 0.5}, ("homing",), "homing-speed", "0.500 times as computed"),
    ({"time_scale": 2}, ("speed", "acceleration"), "acceleration", r"(3.9|4.0)\d?, (3.9|4.0)\d? times"),
    ({"moving_text": "NQ"}, ("speed",), "motor-states", r"\['NQ'\]"),
    ({"register_refresh_s": 0.4}, ("speed",), "refresh", "renewed every 0.40 s"),
    ({"stop_mode": "hard"}, ("halt-ramp",), "halt-ramp", "ran on for -?[0-9] steps; a ramp takes 6"),
    ({"two_questions": "first"}, AT_REST, "one-write", "0 were answered both"),
    ({"two_questions": "last"}, AT_REST, "one-write", "0 were answered both"),
    ({"two_questions": "swapped"}, AT_REST, "one-write-order", "0 of 3 in their order"),
    ({"register_grid": 8}, ("rounding",), "rounding", "multiples of 8 steps only"),
    ({"register_grid": 64}, ("rounding",), "rounding", "multiples of 64 steps only"),
    ({"arrival_off_steps": -100}, ("rounding",), "rounding", "-100 steps beside"),
    ({"arrival_off_steps": 3}, ("rounding",), "rounding", "3 steps beside"),
    ({"fall_back_steps": 40}, ("repeatability",), "fall-back", r"\[40, 40, 40, 40, 40\] .* uncounted"),
    (
        {"fall_back_steps": 40, "fall_back_counts": 1},
        ("repeatability",),
        "fall-back",
        r"register falls back by about (3\d|40) steps",
    ),
    ({"fall_back_steps": 40, "fall_back_random": 1}, ("repeatability",), "repeatability", "ended within"),
    ({"switch_scatter_steps": 60}, ("repeatability",), "repeatability", r"ended within [3-6]\d steps"),
    ({"switch_kind": "edge"}, ("switch",), "switch-level", r"made [12]\d\d steps"),
    ({"switch_lead_steps": 80}, ("switch",), "zero", "80 steps short"),
    ({"switch_stops": "homing"}, ("beyond",), "switch-stops", "ended 0 steps before that"),
    ({"backlash_mm": 0.72}, ("backlash",), "backlash", r"0.70 to 0.75 mm"),
    ({"travel_mm": 5}, ("range",), "range", "0.7999 mm"),
    ({"lost_steps": 0.05}, ("range",), "mm", "0.950 times as much"),
    ({"power_up_register": 500}, ("power-cut",), "power-up", "begins at 500"),
    ({"power_up_mode": 4}, ("power-cut",), "power-up-mode", "508 steps of it were 254 steps"),
    ({"power_up_mode": 1}, ("power-cut",), "power-up-mode", "508 steps of it were 2032 steps"),
]

# What a controller does as it is assumed, but another one than the virtual one is by itself.
MEASURED: list[tuple[dict[str, Any], tuple[str, ...], str, str]] = [
    ({}, ("homing",), "homing", r"after 3\.2001 mm, at register -23718; it began at -40000"),
    ({"start_mm": 2.0}, ("homing",), "homing", r"after 2\.2001 mm"),
    ({"register": 7}, ("homing",), "homing", "it began at 7"),
    ({"slow_until_set": 0}, ("power-cut",), "mode-first", "runs as with 1[5-7]"),
    ({}, ("power-cut",), "power-up-speed", r"speed register 4\.\d or more, and .* about 1[0-6];"),
    ({"power_up_speed": 3}, ("power-cut",), "power-up-speed", r"speed register 3\.\d"),
    ({"power_up_acceleration": 6}, ("power-cut",), "power-up-speed", "about [5-8];"),
    (
        {"power_up_mode": 4, "slow_until_set": 0},
        ("power-cut",),
        "power-up-speed",
        r"speed register (7|8)\.\d",
    ),
    (
        {"power_up_mode": 4, "slow_until_set": 0, "rate_follows_mode": 0},
        ("power-cut",),
        "power-up-speed",
        r"speed register (3|4)\.\d",
    ),
    ({"backlash_mm": 0.3}, ("backlash",), "backlash", "0.25 to 0.30|0.30 to 0.35"),
    ({"still_text": "NSO"}, AT_REST, "still-letters", r"\['NSO'\]"),
]

# Nothing on the wire shows these, or nothing that may be sent.
CANNOT_BE_TOLD = {
    "check_baud": "only another speed of the line shows it",
    "garble": "how wrong bytes are made",
    "late_s": "it goes with reply_late",
    "seed": "chance",
    "unknown": "no unknown command is sent",
}


def lived_through(
    make_night: Callable[..., Night], options: dict[str, Any], trials: tuple[str, ...]
) -> Night:
    """A night with such a controller, of which only these trials are left."""
    night = make_night(**options)
    night.leave_only(*trials)
    assert night.run() == 0, night.engineer.told
    return night


@pytest.mark.parametrize(("options", "trials", "assumption", "said"), TOLD, ids=lambda value: str(value)[:40])
def test_an_option_is_refuted_by_name(
    make_night: Callable[..., Night],
    options: dict[str, Any],
    trials: tuple[str, ...],
    assumption: str,
    said: str,
) -> None:
    night = lived_through(make_night, options, trials)
    assert night.verdicts[assumption] == "refuted", night.sentences(assumption)
    assert re.search(said, night.sentences(assumption)), night.sentences(assumption)
    assert night.model.ground_mm == (pytest.approx(0.8, abs=0.01) if "travel_mm" in options else 0)


@pytest.mark.parametrize(
    ("options", "trials", "assumption", "said"), MEASURED, ids=lambda value: str(value)[:40]
)
def test_an_option_is_measured(
    make_night: Callable[..., Night],
    options: dict[str, Any],
    trials: tuple[str, ...],
    assumption: str,
    said: str,
) -> None:
    night = lived_through(make_night, options, trials)
    assert re.search(said, night.sentences(assumption)), night.sentences(assumption)


def test_a_slow_start_after_a_power_cut_is_told(make_night: Callable[..., Night]) -> None:
    night = make_night(boot_s=8)
    night.leave_only("power-cut")
    assert night.run() == 0
    assert night.verdicts["deaf"] == "refuted"
    assert re.search(r"answered [89]\.\d s after", night.sentences("deaf"))


def test_another_speed_of_the_line_is_told(make_night: Callable[..., Night]) -> None:
    night = make_night(baud=9600, **PACED)
    assert night.run() == 1
    assert night.verdicts["line"] == "refuted"
    assert night.report["sister"] == "a focuser answers at 9600 baud, as ASA's AAF3 does."


def test_every_option_is_told_apart_or_it_is_said_why_not() -> None:
    told = {name for options, *_ in (*TOLD, *MEASURED) for name in options} | {"baud", "boot_s"}
    assert told | set(CANNOT_BE_TOLD) == {one.name for one in fields(Options)}
    assert not told & set(CANNOT_BE_TOLD)
