"""The options of a virtual OK3Z: one table for the URL, the command line and the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Union

STEPS_PER_MM = 5088
"""Position steps in one mm of travel (docs/protocol.md)."""

Value = Union[bool, int, float, str]
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class OptionError(ValueError):
    """An option is unknown or its value is not allowed; the message says which are."""


def _option(
    default: Value,
    text: str,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] | None = None,
    fixed: bool = False,
) -> Any:
    metadata = {"text": text, "low": low, "high": high, "choices": choices, "fixed": fixed}
    return field(default=default, metadata=metadata)


@dataclass
class Options:
    """How one virtual controller and its mechanics are made. Rates are chances, 0 to 1, a frame.

    All parts of one controller share one of these, and look at it anew each time, but for what is `fixed`.
    """

    start_mm: float = _option(3.0, "where the carriage stands at first, mm from fully in", 0, 20, fixed=True)
    register: int = _option(-40000, "position register at first, steps", -(2**31), 2**31, fixed=True)
    power_up_register: int = _option(0, "position register after a power cut, steps", -(2**31), 2**31)
    backlash_mm: float = _option(0.2, "play between motor and carriage, mm", 0, 2, fixed=True)
    travel_mm: float = _option(
        9.0, "way from the limit switch to the outer hard stop, mm", 0.1, 20, fixed=True
    )
    switch_kind: str = _option(
        "level",
        "the limit switch ends a run while it is closed (level), or only as it closes (edge)",
        choices=("level", "edge"),
    )
    switch_stops: str = _option(
        "all", "the limit switch ends all inward runs, or homing runs only", choices=("all", "homing")
    )
    switch_lead_steps: int = _option(
        0, "the limit switch ends go-tos this many steps before the end of homing runs", 0, 400
    )
    switch_scatter_steps: int = _option(
        0, "the limit switch closes 0 to this many steps further out, at random in each run", 0, 1000
    )
    fall_back_steps: int = _option(
        0, "steps that the drive falls back outward where the limit switch ends a homing run", 0, 400
    )
    fall_back_counts: bool = _option(False, "the register counts the steps of falling back")
    fall_back_random: bool = _option(
        False, "the drive falls back by 1 to fall_back_steps, at random, and not by the same each time"
    )
    time_scale: float = _option(
        1.0, "the device runs this many times faster than the clock", 0.001, 1000, fixed=True
    )
    baud: int = _option(38400, "speed of the line, bits/s, 10 bits a byte", 50, 4000000, fixed=True)
    baud_pacing: bool = _option(True, "bytes take their time on the line (divided by time_scale)", fixed=True)
    check_baud: bool = _option(True, "a port with other line settings than 8N1 at `baud` is heard as noise")
    power_up_mode: int = _option(
        3, "microstep mode after power-up; a position step in mode m is 2^(3-m) of those in mode 3", 0, 7
    )
    power_up_speed: int = _option(4, "maximum speed register after power-up (4 is 0.048 mm/s)", 1, 1023)
    power_up_acceleration: int = _option(
        12, "acceleration and deceleration registers after power-up (12 is 0.14 mm/s^2)", 1, 4095
    )
    slow_until_set: bool = _option(
        True, "the motor keeps to power_up_speed until microstep mode 3 is set, and in any other mode"
    )
    rate_follows_mode: bool = _option(
        True,
        "speeds are in full steps (1), so that mm/s stay and position steps/s change with the mode, or in "
        "position steps (0), so that mm/s change",
    )
    homing_rate: float = _option(1.0, "homing runs are this many times as fast as computed", 0.1, 10)
    leg_rate: float = _option(1.0, "go-tos are this many times as fast as computed", 0.1, 10)
    latency_timer_ms: float = _option(
        0.0,
        "the adapter holds a short packet back for this long after its last byte, ms (divided by time_scale)",
        0,
        255,
        fixed=True,
    )
    usb_latency_ms: float = _option(
        0.0,
        "the adapter passes on together what has come this long after the first byte, ms (divided by time_scale)",
        0,
        255,
        fixed=True,
    )
    reply_delay_s: float = _option(0.0, "every answer is this much later, s (divided by time_scale)", 0, 60)
    reply_end: str = _option(
        "lf",
        "answers end with a line feed, with CR and LF, with CR, or at the $",
        choices=("lf", "crlf", "cr", "none"),
    )
    reply_spaces: int = _option(1, "spaces between the F of an answer and its argument", 1, 9)
    trailing_spaces: int = _option(0, "spaces between the argument of an answer and the $", 0, 9)
    register_digits: int = _option(1, "digits of the register in an answer, at least, with leading 0", 1, 12)
    register_width: int = _option(
        1, "characters of the register in an answer, at least, with spaces before it", 1, 12
    )
    register_plus: bool = _option(False, "the register has a plus in answers where it is not negative")
    echo: bool = _option(False, "a question comes back in front of its answer")
    two_questions: str = _option(
        "both",
        "of two questions in one write both are answered, only the first or the last, or both in the wrong order",
        choices=("both", "first", "last", "swapped"),
    )
    register_refresh_s: float = _option(0.0, "the register in answers is renewed only this often, s", 0, 60)
    register_grid: int = _option(
        1, "targets, and the register in answers, are rounded to multiples of this many steps", 1, 64
    )
    register_flicker: int = _option(
        0, "at rest the register in answers is up to this many steps wrong, at random", 0, 100
    )
    arrival_off_steps: int = _option(
        0, "go-tos end this many steps beside their target (inward positive)", -100, 100
    )
    start_latency_s: float = _option(
        0.0, "a motor at rest obeys, and says that it moves, this much later, s", 0, 60
    )
    boot_s: float = _option(0.0, "after a power cut the controller is deaf for this long, s", 0, 60)
    stop_mode: str = _option(
        "soft", "P021 decelerates (soft) or ends at once (hard)", choices=("soft", "hard")
    )
    version: str = _option(
        "OK3Z virtual 1", "texts of the answer to S051, used in turn, such as 642,643; may be empty"
    )
    still_text: str = _option("NS", "state text at rest; the second character, if there is one, must be S")
    moving_text: str = _option(
        "SN,SM,SR",
        "state texts in motion, used in turn; the second character, if there is one, must not be S",
    )
    unknown: str = _option(
        "ignore",
        "an unknown frame is ignored, echoed, or answered with ?",
        choices=("ignore", "echo", "question"),
    )
    lost_steps: float = _option(0.0, "part of the steps that the motor loses", 0, 1, fixed=True)
    seed: int = _option(1, "seed of everything random", fixed=True)
    reply_loss: float = _option(0.0, "rate of lost replies", 0, 1, fixed=True)
    reply_late: float = _option(0.0, "rate of late replies", 0, 1, fixed=True)
    late_s: float = _option(0.5, "how late a late reply is, s of the host's clock", 0, 3600, fixed=True)
    reply_cut: float = _option(0.0, "rate of replies that end too early", 0, 1, fixed=True)
    reply_garble: float = _option(0.0, "rate of replies with wrong bytes", 0, 1, fixed=True)
    garble: str = _option(
        "any",
        "wrong bytes are any, so that a digit may become another, or clean: always no ASCII",
        choices=("any", "clean"),
        fixed=True,
    )
    reply_merge: float = _option(
        0.0, "rate of replies that lose their end mark and run into the next", 0, 1, fixed=True
    )
    command_loss: float = _option(0.0, "rate of lost frames from the host", 0, 1, fixed=True)
    command_garble: float = _option(0.0, "rate of frames from the host with wrong bytes", 0, 1, fixed=True)

    def __post_init__(self) -> None:
        for one in fields(self):
            setattr(self, one.name, checked_value(one, getattr(self, one.name)))
        if self.start_mm > self.travel_mm:
            raise OptionError(
                f"start_mm={self.start_mm:g} is beyond the outer hard stop: "
                f"at most travel_mm={self.travel_mm:g} is possible."
            )
        if self.usb_latency_ms and self.latency_timer_ms:
            raise OptionError("usb_latency_ms and latency_timer_ms are of two adapters: give one of them.")
        _check_state_texts(self.still_text, self.moving_texts)
        if not is_argument(self.version):
            raise OptionError(f"version={self.version!r} must be printable ASCII without # and $.")

    @property
    def versions(self) -> list[str]:
        return self.version.split(",")

    @property
    def moving_texts(self) -> list[str]:
        return self.moving_text.split(",")

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Options:
        """Options from names and values (text or already typed). Raises OptionError."""
        known = cls.describe()
        for name in given:
            if name not in known:
                raise OptionError(f"There is no option {name!r}; the options are: {', '.join(known)}.")
        return cls(**given)

    def change(self, given: Mapping[str, Any]) -> None:
        """Change options while the controller runs: all of them, or none and OptionError."""
        for one in fields(self):
            if one.name in given and one.metadata["fixed"]:
                raise OptionError(
                    f"{one.name} cannot be changed any more: give it when the controller is made."
                )
        changed = self.from_mapping({**vars(self), **given})
        vars(self).update(vars(changed))

    @classmethod
    def describe(cls) -> dict[str, str]:
        """What every option means, by name, in the order of the documentation."""
        return {one.name: one.metadata["text"] for one in fields(cls)}


def is_argument(text: str) -> bool:
    """Whether a text can be the argument of a frame."""
    return text.isascii() and text.isprintable() and "#" not in text and "$" not in text


def _is_state_text(text: str) -> bool:
    """Whether a text can stand in the answer to S001: any bytes but a line feed."""
    return bool(text) and "\n" not in text and max(text) <= "\xff"


def checked_value(one: Any, value: Any) -> Value:
    """The value in the type of a dataclass field's default; OptionError if it cannot be."""
    low, high = one.metadata.get("low", -math.inf), one.metadata.get("high", math.inf)
    choices = one.metadata.get("choices")
    if choices and value not in choices:
        raise OptionError(f"{one.name}={value!r} is none of: {', '.join(choices)}.")
    if isinstance(one.default, bool):
        return _as_bool(one.name, value)
    if isinstance(one.default, str):
        return str(value)
    return _as_number(one.name, value, isinstance(one.default, int), low, high)


def _as_bool(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in (*_YES, *_NO):
        raise OptionError(f"{name}={value!r} is neither 1 nor 0.")
    return word in _YES


def _as_number(name: str, value: Any, whole: bool, low: float, high: float) -> int | float:
    kind = "a whole number" if whole else "a number"
    expected = kind if low == -math.inf else f"{kind} from {low:g} to {high:g}"
    try:
        number: int | float = int(value) if whole else float(value)
        fits = low <= number <= high and number == float(value)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise OptionError(f"{name}={value!r} is not {expected}.")
    return number


def _check_state_texts(still: str, moving: list[str]) -> None:
    if not (_is_state_text(still) and still[1:2] in ("S", "")):
        raise OptionError(
            f"still_text={still!r} must have S as its second character, if it has two; none above U+00FF, no line feed."
        )
    for text in moving:
        if not (_is_state_text(text) and text[1:2] != "S"):
            raise OptionError(
                f"moving_text={text!r} must have no S as its second character, none above U+00FF and no line feed."
            )
