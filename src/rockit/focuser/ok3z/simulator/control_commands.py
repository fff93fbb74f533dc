"""The words of the control socket: one line of text in, one dictionary out."""

from __future__ import annotations

import shlex
from typing import Any, Callable, NamedTuple

from .controller import VirtualOK3Z
from .device import TRACE_LENGTH
from .faults import KINDS
from .mechanism import MOTOR_FAULTS
from .options import OptionError
from .switch import SWITCH_STATES

Answer = dict[str, Any]


class Command(NamedTuple):
    """One word: how it is written, what it does, and the doing."""

    usage: str
    text: str
    run: Callable[[VirtualOK3Z, list[str], dict[str, str]], Answer]


def obey(model: VirtualOK3Z, line: str) -> Answer:
    """Do what a line says. Never raises for what a line can say: the answer then has `ok` false and `error`."""
    try:
        words = shlex.split(line)
        if not words:
            raise OptionError("The line is empty; try: help")
        name = words[0].replace("_", "-")
        if name not in COMMANDS:
            raise OptionError(f"There is no command {words[0]!r}; the commands are: {', '.join(COMMANDS)}.")
        plain, named = _sorted(words[1:])
        return {"ok": True, **COMMANDS[name].run(model, plain, named)}
    except ValueError as error:
        return {"ok": False, "error": str(error)}


def _sorted(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Words as they are, and those of the form name=value."""
    plain = [word for word in words if "=" not in word]
    named = dict(word.split("=", 1) for word in words if "=" in word)
    return plain, named


def _number(text: str, low: float, high: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise OptionError(f"{what}={text!r} is not a number from {low:g} to {high:g}.")
    return number


def _whole(text: str, low: int, high: int, what: str) -> int:
    number = _number(text, low, high, what)
    if number != int(number):
        raise OptionError(f"{what}={text!r} is not a whole number.")
    return int(number)


def _expect(name: str, plain: list[str], count: int, named: dict[str, str], allowed: tuple[str, ...]) -> None:
    if len(plain) != count or not set(named) <= set(allowed):
        raise OptionError(f"This is written: {COMMANDS[name].usage}")


def _help(_model: VirtualOK3Z, _plain: list[str], _named: dict[str, str]) -> Answer:
    return {"commands": {command.usage: command.text for command in COMMANDS.values()}, "faults": KINDS}


def _state(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("state", plain, 0, named, ())
    return model.state()


def _trace(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("trace", plain, len(plain[:1]), named, ())
    count = _whole(plain[0], 1, TRACE_LENGTH, "N") if plain else 20
    entries = [
        [round(entry.time_s, 4), entry.direction, entry.data.decode("latin-1"), entry.note]
        for entry in model.trace[-count:]
    ]
    return {"trace": entries}


def _fault(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    if len(plain) != 1:
        _expect("fault", plain, 1, named, tuple(named))
    model.fault(plain[0], **named)
    return {"faults": model.state()["faults"]}


def _rate(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("rate", plain, 2, named, ())
    model.rate(plain[0], _number(plain[1], 0, 1, "X"))
    return {}


def _option(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("option", plain, 0 if named else -1, named, tuple(named))
    model.change(**named)
    return {name: getattr(model.options, name) for name in named}


def _clear(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("clear", plain, 0, named, ())
    model.clear_faults()
    return {}


def _motor(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("motor", plain, 1, named, ())
    model.motor(plain[0])
    return {}


def _switch(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("switch", plain, 1, named, ())
    model.limit_switch(plain[0])
    return {}


def _lose_steps(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("lose-steps", plain, 1, named, ())
    model.lose_steps(_whole(plain[0], -100000, 100000, "N"))
    return {"carriage_mm": model.carriage_mm}


def _stand_short(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("stand-short", plain, 1, named, ("count",))
    count = _whole(named.get("count", "1"), 1, 1000, "count")
    model.stand_short(_whole(plain[0], 1, 100000, "N"), count)
    return {}


def _hand(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("hand", plain, 1, named, ("register", "drive"))
    model.hand(
        _number(plain[0], -100, 100, "MM"),
        register=bool(_whole(named.get("register", "0"), 0, 1, "register")),
        drive=bool(_whole(named.get("drive", "0"), 0, 1, "drive")),
    )
    return {"carriage_mm": model.carriage_mm}


def _power_cut(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    _expect("power-cut", plain, len(plain[:1]), named, ())
    model.power_cut(_number(plain[0], 0, 3600, "SECONDS") if plain else 0.0)
    return {}


def _simple(name: str, act: Callable[[VirtualOK3Z], None]) -> Callable[..., Answer]:
    def run(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
        _expect(name, plain, 0, named, ())
        act(model)
        return {}

    return run


COMMANDS: dict[str, Command] = {
    "help": Command("help", "this list, and the faults", _help),
    "state": Command("state", "what is true of the device, whatever it says", _state),
    "trace": Command(
        "trace [N]", "the last N lines on the wire (20): time, direction, bytes, faults", _trace
    ),
    "fault": Command(
        "fault KIND [to=CODE] [count=N] [after=N] [seconds=S] [order=in|out] [keep=N] [text=T] [clean=1] "
        "[when=before|after] [delay_s=S]",
        "spoil the next frames; count=0 until cleared; after=N lets N pass first",
        _fault,
    ),
    "rate": Command(
        "rate NAME X", "change the chance of a random fault, such as reply_loss, to X, 0 to 1", _rate
    ),
    "option": Command(
        "option NAME=VALUE ...",
        "change options from now on, all but those of mechanics, line speed and chance; power_up ones count at the "
        "next power cut",
        _option,
    ),
    "clear": Command("clear", "forget faults that wait; motor and limit switch work again", _clear),
    "motor": Command(
        f"motor {'|'.join(MOTOR_FAULTS)}",
        "frozen: nothing moves, the register neither; stalled: only the register counts; reversed: both the "
        "wrong way; miswired: the register counts right, the motor turns the wrong way",
        _motor,
    ),
    "switch": Command(
        f"switch {'|'.join(SWITCH_STATES)}",
        "the inner limit switch never (dead) or always (stuck) closes",
        _switch,
    ),
    "lose-steps": Command("lose-steps N", "the motor stands N steps further out than it should", _lose_steps),
    "stand-short": Command("stand-short N [count=M]", "the next M go-to end N steps too early", _stand_short),
    "hand": Command(
        "hand MM [register=1] [drive=1]",
        "somebody moves the focuser by MM (outward positive), with or without the register; drive=1: by motor",
        _hand,
    ),
    "forget-extremes": Command(
        "forget-extremes",
        "count anew how far carriage and motor have been, the hard stops they hit and the way they ground there",
        _simple("forget-extremes", VirtualOK3Z.forget_extremes),
    ),
    "power-cut": Command(
        "power-cut [SECONDS]", "the controller loses power, and gets it back after SECONDS (0)", _power_cut
    ),
    "power-off": Command(
        "power-off", "the controller loses power", _simple("power-off", VirtualOK3Z.power_off)
    ),
    "power-on": Command("power-on", "and gets it back", _simple("power-on", VirtualOK3Z.power_on)),
    "hang-up": Command(
        "hang-up", "the serial adapter drops off the bus", _simple("hang-up", VirtualOK3Z.hang_up)
    ),
    "return": Command("return", "and comes back", _simple("return", VirtualOK3Z.come_back)),
}
