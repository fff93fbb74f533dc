"""Whole nights with controllers that write, round, refresh and delay otherwise: each works and tells the truth."""

from __future__ import annotations

import re
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import StoppedError

STEP_MM = 1 / 5088

# What may be beside the truth, in steps, where the register itself is: rounding, flicker, an arrival beside the target.
COARSE = {
    "register_grid": lambda grid: grid / 2,
    # The origin and the position each carry one.
    "register_flicker": lambda flicker: 2 * flicker,
    "arrival_off_steps": abs,
}

ALONE: dict[str, dict[str, Any]] = {
    "as it is known": {},
    "CR LF": {"reply_end": "crlf"},
    "no line feed": {"reply_end": "none"},
    "two spaces behind the F": {"reply_spaces": 2},
    "nine spaces behind the F": {"reply_spaces": 9},
    "a trailing space": {"trailing_spaces": 1},
    "a number with zeros before it": {"register_digits": 7},
    "an echo": {"echo": 1},
    "a tab": {"still_text": "\tS", "moving_text": "\tC"},
    "a dollar first": {"still_text": "$S", "moving_text": "$C"},
    "a dollar second": {"moving_text": "N$"},
    "a dollar last": {"still_text": "NS$", "moving_text": "NC$"},
    "a hash first": {"still_text": "#S", "moving_text": "#C"},
    "a hash second": {"moving_text": "N#"},
    "hashes and dollars": {"still_text": "$S#$", "moving_text": "#$$#,$##$"},
    "bytes above ASCII": {"still_text": "\xffS\x80", "moving_text": "\xff\xd3\x80"},
    "three letters": {"still_text": "NSO", "moving_text": "NAO,NCO,NDO"},
    "four letters": {"still_text": "NSOU", "moving_text": "NAOU,NCOU,NDOU"},
    "texts of several lengths": {"still_text": "NS", "moving_text": "NAO,NCOUXY,ND"},
    "a grid of 4": {"register_grid": 4},
    "a grid of 8": {"register_grid": 8},
    "an arrival one step further": {"arrival_off_steps": 1},
    "an arrival one step short": {"arrival_off_steps": -1},
    "a flicker of 1": {"register_flicker": 1},
    "a flicker of 3": {"register_flicker": 3},
    "a flicker of 4": {"register_flicker": 4},
    "answers of 50 ms": {"reply_delay_s": 0.05},
    "answers of 300 ms": {"reply_delay_s": 0.3},
    "answers of 600 ms": {"reply_delay_s": 0.6},
    "answers of 1 s": {"reply_delay_s": 1.0},
    "answers of 2 s": {"reply_delay_s": 2.0},
    "answers of 4 s": {"reply_delay_s": 4.0},
    "a register every 0.05 s": {"register_refresh_s": 0.05},
    "a register every 0.1 s": {"register_refresh_s": 0.1},
    "a register every 0.2 s": {"register_refresh_s": 0.2},
    "a register every 0.25 s": {"register_refresh_s": 0.25},
    "a register every 0.4 s": {"register_refresh_s": 0.4},
    "a register every 0.6 s": {"register_refresh_s": 0.6},
    "an adapter of 16 ms": {"usb_latency_ms": 16},
    "an adapter of 16 ms after the last byte": {"latency_timer_ms": 16},
    "another baud and text of S051": {"version": "642,643,"},
    "unknown frames echoed": {"unknown": "echo"},
    "a plus": {"register": 40000, "register_plus": 1},
    "a number with spaces before it": {"register": 50, "register_width": 8},
    "CR": {"reply_end": "cr"},
    "a late start": {"start_latency_s": 0.15},
    "a hard stop": {"stop_mode": "hard"},
}
COMBINED: dict[str, dict[str, Any]] = {
    "CR LF, padded": {"reply_end": "crlf", "register_digits": 8, "reply_spaces": 3, "trailing_spaces": 2},
    "no line feed, an echo": {"reply_end": "none", "echo": 1},
    "no line feed, an echo, padded": {
        "reply_end": "none",
        "echo": 1,
        "reply_spaces": 2,
        "trailing_spaces": 1,
        "register_digits": 6,
    },
    "no line feed, hashes and dollars": {
        "reply_end": "none",
        "still_text": "$S#$",
        "moving_text": "#$$#,$##$",
    },
    "no line feed, a dollar second": {"reply_end": "none", "still_text": "NS", "moving_text": "N$,A$X"},
    "no line feed, slow": {"reply_end": "none", "reply_delay_s": 0.3},
    "no line feed, 16 ms": {"reply_end": "none", "latency_timer_ms": 16},
    "an echo, bytes above ASCII, CR LF": {
        "echo": 1,
        "still_text": "\xffS\x80",
        "moving_text": "\xff\xc5",
        "reply_end": "crlf",
    },
    "slow answers, seldom a register": {"reply_delay_s": 0.3, "register_refresh_s": 0.4},
    "seldom a register, a grid": {"register_refresh_s": 0.4, "register_grid": 8},
    "seldom a register, a flicker": {"register_refresh_s": 0.25, "register_flicker": 3},
    "answers of 100 ms, a register every 0.2 s": {"reply_delay_s": 0.1, "register_refresh_s": 0.2},
    "16 ms, a register every 0.08 s": {"latency_timer_ms": 16, "register_refresh_s": 0.08},
    "a grid, a flicker": {"register_grid": 4, "register_flicker": 1},
    "a grid, a step off": {"register_grid": 4, "arrival_off_steps": -1},
    "all of it": {
        "reply_end": "crlf",
        "echo": 1,
        "reply_spaces": 2,
        "trailing_spaces": 1,
        "register_digits": 6,
        "still_text": "\tS$O",
        "moving_text": "\tC#\xff",
        "register_refresh_s": 0.3,
        "register_grid": 4,
        "reply_delay_s": 0.1,
    },
    "all of it without a line feed": {
        "reply_end": "none",
        "echo": 1,
        "reply_spaces": 2,
        "trailing_spaces": 1,
        "register_digits": 6,
        "still_text": "\tS$O",
        "moving_text": "\tC#\xff",
        "register_refresh_s": 0.2,
        "register_flicker": 1,
        "reply_delay_s": 0.3,
        "usb_latency_ms": 16,
    },
}
CONTROLLERS = {**ALONE, **COMBINED}


class Night:
    """A rig with such a controller, and what its position may be beside the truth, in mm."""

    def __init__(self, rig: Any, options: dict[str, Any]) -> None:
        self.rig = rig
        self.beside_mm = STEP_MM * (
            1.5 + sum(beside(options.get(name, 0)) for name, beside in COARSE.items())
        )
        publish = rig.commands._publisher.publish

        def watched(snapshot: Any) -> None:
            publish(snapshot)
            if snapshot.status == FocuserStatus.Idle:
                self.require_truth()

        rig.commands._publisher.publish = watched

    def require_truth(self) -> None:
        assert not self.rig.model.is_moving
        assert self.rig.position_mm == pytest.approx(self.rig.model.motor_mm, abs=self.beside_mm)

    def require_idle_at(self, position_mm: float) -> None:
        assert self.rig.status == FocuserStatus.Idle, self.rig.commands.snapshot.reason
        assert self.rig.model.carriage_mm == pytest.approx(position_mm, abs=self.beside_mm + STEP_MM)
        self.require_truth()

    def move(self, position_mm: float) -> None:
        outcome = self.rig.move(position_mm)
        assert outcome is None, outcome
        self.require_idle_at(position_mm)

    def stop_in(self, target_mm: float, after: int) -> None:
        self.rig.interrupt_at(after)
        outcome = self.rig.move(target_mm)
        assert outcome is None or isinstance(outcome, StoppedError), outcome
        assert self.rig.status == FocuserStatus.Idle, self.rig.commands.snapshot.reason
        self.require_truth()
        self.rig.rest(3)
        assert self.rig.status == FocuserStatus.Idle, self.rig.commands.snapshot.reason
        self.require_truth()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_whole_night(make_rig: Callable[..., Any], name: str) -> None:
    options = CONTROLLERS[name]
    rig = make_rig(start_mm=1.3, baud_pacing=True, **options)
    night = Night(rig, options)
    rig.home()
    night.require_idle_at(0.0)
    rig.rest(5)
    for position_mm in (1.0, 1.5, 0.9, 0.905, 2.0):
        night.move(position_mm)
        rig.rest(2)
    for after in (20, 33, 50, 66, 90, 120):
        night.stop_in(3.0 if after % 2 else 0.5, after)
    night.move(2.0)
    assert rig.carry_out(rig.commands.audit) is None
    night.require_idle_at(2.0)
    for how in ("hang-up", "silence"):
        rig.lose(how)
        rig.rest(30)
        assert rig.status != FocuserStatus.Idle
        rig.give_back(how)
        rig.rest(30)
        night.require_idle_at(2.0)
        rig.lose_at(1.2, 1.6, how)
        rig.rest(5)
        rig.give_back(how)
        rig.rest(30)
        assert rig.status == FocuserStatus.Idle, rig.commands.snapshot.reason
        night.require_truth()
        night.move(2.0)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "one character": (
        {"still_text": "S", "moving_text": "N"},
        r"gave no valid motion state for 1\.7 s: the motion state came as 'S'; at least two characters were expected",
    ),
    "one character behind a space": ({"still_text": " S", "moving_text": " C"}, "at least two characters"),
    "a space before the letters": (
        {"still_text": " SA", "moving_text": " CA"},
        r"was not seen standing still within 5\.1 s\. It may be running",
    ),
    "answers of 6 s": ({"reply_delay_s": 6}, r"^nothing answered on the port within 5 s"),
    "another speed": ({"baud": 9600}, r"^nothing answered on the port within 5 s"),
    "a flicker of 8": (
        {"register_flicker": 8},
        "Its state says so, but its register goes on changing between -400.. and -39...",
    ),
    "a flicker of 30": ({"register_flicker": 30}, "its register goes on changing between"),
    "a register every 3 s": (
        {"register_refresh_s": 3},
        "says that the motor runs, but the register has stood at -40000 for 2 s",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(make_rig: Callable[..., Any], name: str) -> None:
    options, sentence = REFUSED[name]
    rig = make_rig(start_mm=1.3, baud_pacing=True, **options)
    outcome = rig.carry_out(rig.commands.initialize)
    assert outcome is not None
    assert re.search(sentence, str(outcome)), outcome
    assert rig.status != FocuserStatus.Idle


def test_what_a_controller_says_is_told_to_those_who_may_control_alone(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(still_text="S", moving_text="N", baud_pacing=True)
    outcome = rig.carry_out(rig.commands.initialize)
    assert str(outcome.reason) == (
        "the controller gave no valid motion state for 1.7 s. Look at its power, the cable and the adapter."
    )


@pytest.mark.parametrize("text", ["12.5", "0x10", "- 5", "1234567890123456", "", "+"])
def test_what_is_no_whole_number_is_refused(make_rig: Callable[..., Any], text: str) -> None:
    rig = make_rig(baud_pacing=True)
    rig.model.fault("replaced", to="P081", text=text, count=0)
    outcome = rig.carry_out(rig.commands.initialize)
    assert f"the position register came as {text!r}; a whole number was expected" in str(outcome)


@pytest.mark.parametrize("end", ["lf", "none"])
@pytest.mark.parametrize("garble", ["any", "clean"])
def test_a_noisy_line_never_makes_a_false_position(
    make_rig: Callable[..., Any], end: str, garble: str
) -> None:
    rig = make_rig(start_mm=0.4, reply_end=end, garble=garble, baud_pacing=True, register_digits=6)
    rig.home()
    night = Night(rig, {})
    for name in ("reply_garble", "reply_cut", "reply_loss"):
        rig.model.rate(name, 0.01)
    for position_mm in (0.6, 0.3, 0.9, 0.5, 0.7, 0.2):
        rig.move(position_mm)
        rig.rest(3)
        if rig.status != FocuserStatus.Idle:
            rig.home()
        night.require_truth()


@pytest.mark.parametrize("flicker", [5, 6, 7])
@pytest.mark.parametrize("seed", range(4))
def test_a_register_that_flickers_too_much_works_until_it_shows(
    make_rig: Callable[..., Any], flicker: int, seed: int
) -> None:
    rig = make_rig(register_flicker=flicker, seed=seed, baud_pacing=True)
    night = Night(rig, {"register_flicker": flicker})
    outcome = rig.carry_out(rig.commands.initialize)
    for _ in range(60):
        if rig.status != FocuserStatus.Idle:
            break
        night.require_truth()
        rig.rest(10)
    said = rig.commands.snapshot.reason
    assert rig.status != FocuserStatus.Idle or outcome is None
    assert rig.status == FocuserStatus.Idle or "register goes on changing between" in said, said
