"""The temperature in the configuration: its defaults, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z import Config

NEEDED = {
    "daemon": "localhost_test",
    "method": "last_measurement",
    "key": "tube.0.temperature",
    "slope_mm_per_k": -0.02,
}

Write = Callable[..., Path]
Faults = Callable[[Path], list[str]]


def test_what_it_leaves_out_has_defaults_and_it_moves_nothing_unless_it_says_so(write: Write) -> None:
    source = Config(write(temperature=NEEDED)).temperature
    assert source is not None
    assert source.daemon.name == "localhost_test_daemon"
    assert (source.method, source.key) == ("last_measurement", ("tube", "0", "temperature"))
    assert not source.active
    numbers = (source.slope_mm_per_k, source.smoothing_s, source.smallest_step_mm, source.lowest_c)
    assert numbers == (-0.02, 600.0, 0.01, -40.0)
    assert (source.highest_c, source.oldest_s, source.quiet_s) == (50.0, 300.0, 600.0)
    assert Config(write()).temperature is None


def test_what_it_says_is_kept(write: Write) -> None:
    given = {**NEEDED, "smoothing_s": 0, "quiet_s": 5, "lowest_c": -3, "highest_c": 3, "active": True}
    source = Config(write(temperature=given)).temperature
    assert source is not None
    assert (source.smoothing_s, source.quiet_s, source.lowest_c, source.highest_c) == (0.0, 5.0, -3.0, 3.0)
    assert isinstance(source.quiet_s, float)
    assert source.active


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({"daemon": "localhost_tset"}, 'temperature.daemon: "localhost_tset" was given; expected a daemon'),
        ({"method": "_secret"}, 'temperature.method: "_secret" was given; expected text of 1 to 100'),
        ({"method": "a.b"}, 'temperature.method: "a.b" was given; expected text of 1 to 100'),
        ({"key": "tube..t"}, 'temperature.key: "tube..t" was given; expected text of 1 to 200'),
        ({"key": "a b"}, 'temperature.key: "a b" was given; expected text of 1 to 200'),
        (
            {"slope_mm_per_k": "2"},
            'temperature.slope_mm_per_k: "2" was given; expected a number from -1 to 1',
        ),
        ({"smothing_s": 1}, "temperature.smothing_s: is no known key; did you mean smoothing_s?"),
        ({"lowest_c": 50}, "temperature.highest_c: 50 was given; expected more than lowest_c, which is 50 "),
        ({"smallest_step_mm": 0}, "temperature.smallest_step_mm: 0 was given; expected a number from 0.001"),
        ({"active": "yes"}, 'temperature.active: "yes" was given; expected true or false'),
    ],
)
def test_every_fault_of_it_is_named_with_its_place(
    write: Write, faults: Faults, given: dict[str, Any], begins: str
) -> None:
    (line,) = faults(write(temperature={**NEEDED, **given}))
    assert line.startswith(begins)


def test_what_it_must_have_is_named(write: Write, faults: Faults) -> None:
    lines = faults(write(temperature={}))
    assert [line.partition(" is missing")[0] for line in lines] == [
        "temperature.daemon:",
        "temperature.key:",
        "temperature.method:",
        "temperature.slope_mm_per_k:",
    ]
