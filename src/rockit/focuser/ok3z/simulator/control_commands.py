"""The words of the control socket: one line of text in, one dictionary out."""

from __future__ import annotations

import shlex
from collections.abc import Container
from typing import Any, Callable, NamedTuple, Optional

from .controller import VirtualOK3Z
from .device import TRACE_LENGTH
from .faults import KINDS
from .mechanism import MOTOR_FAULTS
from .options import OptionError
from .switch import SWITCH_STATES

Answer = dict[str, Any]
Run = Callable[[VirtualOK3Z, list[str], dict[str, str]], Optional[Answer]]


class Command(NamedTuple):
    """One word.

    Args:
        usage: how it is written.
        text: what it does.
        run: the doing. Gives what is answered beside `ok`, if that is something.
        plain: how many words may follow that are not of the form name=value.
        named: the names of those that are; None: any.
    """

    usage: str
    text: str
    run: Run
    plain: Container[int] = (0,)
    named: tuple[str, ...] | None = ()


def obey(model: VirtualOK3Z, line: str) -> Answer:
    """Do what a line says. Never raises for what a line can say: the answer then has `ok` false and `error`."""
    try:
        words = shlex.split(line)
        if not words:
            raise OptionError("The line is empty; try: help")
        name = words[0].replace("_", "-")
        if name not in COMMANDS:
            raise OptionError(f"There is no command {words[0]!r}; the commands are: {', '.join(COMMANDS)}.")
        command = COMMANDS[name]
        plain = [word for word in words[1:] if "=" not in word]
        named = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        allowed = command.named is None or set(named) <= set(command.named)
        if len(plain) not in command.plain or not allowed:
            raise _misspelt(command)
        return {"ok": True, **(command.run(model, plain, named) or {})}
    except ValueError as error:
        return {"ok": False, "error": str(error)}


def _misspelt(command: Command) -> OptionError:
    return OptionError(f"This is written: {command.usage}")


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


def _help(_model: VirtualOK3Z, _plain: list[str], _named: dict[str, str]) -> Answer:
    return {"commands": {command.usage: command.text for command in COMMANDS.values()}, "faults": KINDS}


def _trace(model: VirtualOK3Z, plain: list[str], _named: dict[str, str]) -> Answer:
    count = _whole(plain[0], 1, TRACE_LENGTH, "N") if plain else 20
    entries = [
        [round(entry.time_s, 4), entry.direction, entry.data.decode("latin-1"), entry.note]
        for entry in model.trace[-count:]
    ]
    return {"trace": entries}


def _fault(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    model.fault(plain[0], **named)
    return {"faults": model.state()["faults"]}


def _option(model: VirtualOK3Z, _plain: list[str], named: dict[str, str]) -> Answer:
    if not named:
        raise _misspelt(COMMANDS["option"])
    model.change(**named)
    return {name: getattr(model.options, name) for name in named}


def _lose_steps(model: VirtualOK3Z, plain: list[str], _named: dict[str, str]) -> Answer:
    model.lose_steps(_whole(plain[0], -100000, 100000, "N"))
    return {"carriage_mm": model.carriage_mm}


def _stand_short(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> None:
    count = _whole(named.get("count", "1"), 1, 1000, "count")
    model.stand_short(_whole(plain[0], 1, 100000, "N"), count)


def _hand(model: VirtualOK3Z, plain: list[str], named: dict[str, str]) -> Answer:
    model.hand(
        _number(plain[0], -100, 100, "MM"),
        register=bool(_whole(named.get("register", "0"), 0, 1, "register")),
        drive=bool(_whole(named.get("drive", "0"), 0, 1, "drive")),
    )
    return {"carriage_mm": model.carriage_mm}


def _power_cut(model: VirtualOK3Z, plain: list[str], _named: dict[str, str]) -> None:
    model.power_cut(_number(plain[0], 0, 3600, "SECONDS") if plain else 0.0)


def _simple(act: Callable[[VirtualOK3Z], Answer | None]) -> Run:
    return lambda model, _plain, _named: act(model)


COMMANDS: dict[str, Command] = {
    "help": Command("help", "this list, and the faults", _help, range(1000), None),
    "state": Command("state", "what is true of the device, whatever it says", _simple(VirtualOK3Z.state)),
    "trace": Command(
        "trace [N]", "the last N lines on the wire (20): time, direction, bytes, faults", _trace, (0, 1)
    ),
    "fault": Command(
        "fault KIND [to=CODE] [count=N] [after=N] [seconds=S] [order=in|out] [keep=N] [text=T] [clean=1] "
        "[when=before|after] [delay_s=S]",
        "spoil the next frames; count=0 until cleared; after=N lets N pass first",
        _fault,
        (1,),
        None,
    ),
    "rate": Command(
        "rate NAME X",
        "change the chance of a random fault, such as reply_loss, to X, 0 to 1",
        lambda model, plain, _: model.rate(plain[0], _number(plain[1], 0, 1, "X")),
        (2,),
    ),
    "option": Command(
        "option NAME=VALUE ...",
        "change options from now on, all but those of mechanics, line speed and chance; power_up ones count at the "
        "next power cut",
        _option,
        named=None,
    ),
    "clear": Command(
        "clear",
        "forget faults that wait; motor and limit switch work again",
        _simple(VirtualOK3Z.clear_faults),
    ),
    "motor": Command(
        f"motor {'|'.join(MOTOR_FAULTS)}",
        "frozen: nothing moves, the register neither; stalled: only the register counts; reversed: both the "
        "wrong way; miswired: the register counts right, the motor turns the wrong way",
        lambda model, plain, _: model.motor(plain[0]),
        (1,),
    ),
    "switch": Command(
        f"switch {'|'.join(SWITCH_STATES)}",
        "the inner limit switch never (dead) or always (stuck) closes",
        lambda model, plain, _: model.limit_switch(plain[0]),
        (1,),
    ),
    "lose-steps": Command(
        "lose-steps N", "the motor stands N steps further out than it should", _lose_steps, (1,)
    ),
    "stand-short": Command(
        "stand-short N [count=M]", "the next M go-to end N steps too early", _stand_short, (1,), ("count",)
    ),
    "hand": Command(
        "hand MM [register=1] [drive=1]",
        "somebody moves the focuser by MM (outward positive), with or without the register; drive=1: by motor",
        _hand,
        (1,),
        ("register", "drive"),
    ),
    "forget-extremes": Command(
        "forget-extremes",
        "count anew how far carriage and motor have been, the hard stops they hit and the way they ground there",
        _simple(VirtualOK3Z.forget_extremes),
    ),
    "power-cut": Command(
        "power-cut [SECONDS]",
        "the controller loses power, and gets it back after SECONDS (0)",
        _power_cut,
        (0, 1),
    ),
    "power-off": Command("power-off", "the controller loses power", _simple(VirtualOK3Z.power_off)),
    "power-on": Command("power-on", "and gets it back", _simple(VirtualOK3Z.power_on)),
    "hang-up": Command("hang-up", "the serial adapter drops off the bus", _simple(VirtualOK3Z.hang_up)),
    "return": Command("return", "and comes back", _simple(VirtualOK3Z.come_back)),
}
