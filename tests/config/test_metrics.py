"""The key `metrics`: off if it is left out, on if it is there, and nothing without the port of `alpaca`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z import Config
from rockit.focuser.ok3z.daemon.summary import forecast

Write = Callable[..., Path]
Faults = Callable[[Path], list[str]]


def test_it_is_off_if_it_is_left_out(write: Write) -> None:
    assert Config(write(alpaca={})).metrics is None


@pytest.mark.parametrize(
    ("given", "process", "told"),
    [
        ({}, True, "of focuser and process, at http://127.0.0.1:11111/metrics"),
        ({"process": False}, False, "of the focuser, at http://127.0.0.1:11111/metrics"),
    ],
)
def test_it_is_on_if_it_is_there(write: Write, given: dict[str, Any], process: bool, told: str) -> None:
    config = Config(write(alpaca={}, metrics=given))
    assert config.metrics is not None
    assert config.metrics.process is process
    (line,) = [line for line in forecast(config).splitlines() if line.startswith("metrics:")]
    assert line.split(maxsplit=1)[1] == told


def test_it_needs_the_port_of_alpaca(faults: Faults, write: Write) -> None:
    expected = "metrics: is served at the port of alpaca, which is left out; expected alpaca too"
    assert faults(write(metrics={})) == [expected]
