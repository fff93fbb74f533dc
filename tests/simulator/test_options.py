"""Options are checked, and a wrong one is answered with the right ones."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.simulator import OptionError, Options, VirtualOK3Z

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"speling": 1}, "There is no option 'speling'; the options are: start_mm, register"),
    ({"start_mm": "far"}, "start_mm='far' is not a number from 0 to 20"),
    ({"start_mm": -1}, "start_mm=-1 is not a number"),
    ({"start_mm": "nan"}, "start_mm='nan'"),
    ({"start_mm": 9.5}, "beyond the outer hard stop"),
    ({"register": "1.5"}, "register='1.5' is not a whole number"),
    ({"register": 1.5}, "register=1.5 is not a whole number"),
    ({"time_scale": 0}, "time_scale=0"),
    ({"reply_loss": 1.1}, "reply_loss=1.1 is not a number from 0 to 1"),
    ({"baud_pacing": "perhaps"}, "baud_pacing='perhaps' is neither 1 nor 0"),
    ({"stop_mode": "gentle"}, "stop_mode='gentle' is none of: soft, hard"),
    ({"still_text": "SA"}, "must have S as its second character"),
    ({"still_text": ""}, "must have S as its second character"),
    ({"moving_text": "AM,AS"}, "'AS' must have no S as its second character"),
    ({"usb_latency_ms": 1, "latency_timer_ms": 1}, "are of two adapters: give one of them"),
    ({"version": "a#b"}, "printable ASCII"),
    ({"unknown": "shout"}, "none of: ignore, echo, question"),
]


def test_wrong_option_is_a_value_error_with_one_sentence() -> None:
    for given, said in WRONG:
        with pytest.raises(OptionError) as caught:
            VirtualOK3Z(**given)
        assert said in str(caught.value)
        assert isinstance(caught.value, ValueError)


def test_text_becomes_the_type_of_the_option() -> None:
    options = Options.from_mapping(
        {"start_mm": "1.5", "register": "-7", "baud_pacing": "off", "version": "x y"}
    )

    assert (options.start_mm, options.register, options.baud_pacing, options.version) == (
        1.5,
        -7,
        False,
        "x y",
    )


def test_every_option_is_described() -> None:
    assert all(Options.describe().values())
