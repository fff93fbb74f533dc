"""Faults of the line, on demand and at random: what happens to a frame on its way.

A fault waits for frames that it is meant for and spoils the next ones. Faults of replies are chosen by
the code of the *query* (`to="S001"` spoils the answer `S004`). Random faults have a seed of their own,
so that a run can be repeated.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .frames import Frame
from .options import OptionError, Options, checked_value, is_argument

REPLY_FAULTS: dict[str, str] = {
    "lost": "the reply never comes",
    "late": "the reply comes `seconds` late; order=in holds back all that follows, order=out is overtaken",
    "cut": "only the first `keep` bytes come (keep=0: a random part)",
    "garbled": "`keep` bytes are wrong (0: one to three); clean=1 spoils them so that it always shows",
    "merged": "the end mark is lost, so that the next reply runs into this one",
    "doubled": "the reply comes twice",
    "noise": "random bytes come before the reply",
    "replaced": "the reply's argument is `text`",
}
COMMAND_FAULTS: dict[str, str] = {
    "command_lost": "the frame from the host never arrives",
    "command_garbled": "the frame from the host arrives with wrong bytes",
    "hang_up": "the adapter drops off the bus as the frame arrives, until `return`",
    "power_cut": "the controller loses power for `seconds` as the frame arrives",
    "reset": "the power dips: register and settings are lost, before or after (`when`) the frame is obeyed, "
    "or `delay_s` later",
}
RATES = (
    "reply_loss",
    "reply_late",
    "reply_cut",
    "reply_garble",
    "reply_merge",
    "command_loss",
    "command_garble",
)
"""The options that are chances, 0 to 1 a frame; they can also be changed while the device runs."""

KINDS = {**REPLY_FAULTS, **COMMAND_FAULTS}


@dataclass(frozen=True)
class Fault:
    """One fault: what it does, to which frames, and how often. `count` 0 means until it is cleared."""

    kind: str
    to: str = ""
    count: int = 1
    after: int = 0
    seconds: float = 0.5
    order: str = "in"
    keep: int = 0
    text: str = ""
    clean: bool = False
    when: str = "before"
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionError(f"There is no fault {self.kind!r}; the faults are: {', '.join(KINDS)}.")
        if self.order not in ("in", "out"):
            raise OptionError(f"order={self.order!r} is neither in nor out.")
        if self.when not in ("before", "after"):
            raise OptionError(f"when={self.when!r} is neither before nor after.")
        if not 0 <= self.delay_s <= 3600:
            raise OptionError(f"delay_s={self.delay_s!r} is not a number from 0 to 3600.")
        if min(self.count, self.after, self.keep) < 0 or not 0 <= self.seconds <= 3600:
            raise OptionError("count, after and keep are 0 or more; seconds is 0 to 3600.")
        if not is_argument(self.text):
            raise OptionError(f"text={self.text!r} must be printable ASCII without # and $.")

    @classmethod
    def from_mapping(cls, kind: str, details: Mapping[str, Any]) -> Fault:
        """A fault from values that may be text. Raises OptionError."""
        known = {one.name: one for one in fields(cls) if one.name != "kind"}
        for name in details:
            if name not in known:
                raise OptionError(f"A fault has no {name!r}; it has: {', '.join(known)}.")
        values: dict[str, Any] = {name: checked_value(known[name], value) for name, value in details.items()}
        return cls(kind.replace("-", "_"), **values)

    def describe(self) -> str:
        """The fault as one would order it."""
        changed = [one for one in fields(self) if getattr(self, one.name) != one.default]
        return " ".join([self.kind, *(f"{one.name}={getattr(self, one.name)}" for one in changed[1:])])

    def fits(self, code: str) -> bool:
        return self.to in ("", code)


class Faults:
    """The faults that are waiting, and the dice for the random ones. Not thread-safe: the model locks."""

    def __init__(self, options: Options) -> None:
        self.random = random.Random(options.seed)
        self._waiting: list[Fault] = []
        self._rates = {name: float(getattr(options, name)) for name in RATES}
        self._by_rate = {
            "reply_loss": Fault("lost"),
            "reply_late": Fault("late", seconds=options.late_s),
            "reply_cut": Fault("cut"),
            "reply_garble": Fault("garbled", clean=options.garble == "clean"),
            "reply_merge": Fault("merged"),
            "command_loss": Fault("command_lost"),
            "command_garble": Fault("command_garbled"),
        }

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its frames. Several wait side by side, and all that fit do their work."""
        if len(self._waiting) >= 100:
            raise OptionError("100 faults are waiting already; clear them first.")
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget the faults that wait. Random rates stay."""
        self._waiting.clear()

    def set_rate(self, name: str, rate: float) -> None:
        """Change one of RATES. Raises OptionError."""
        if name not in self._rates:
            raise OptionError(f"There is no rate {name!r}; the rates are: {', '.join(RATES)}.")
        if not 0 <= rate <= 1:
            raise OptionError(f"{name}={rate!r} is not a number from 0 to 1.")
        self._rates[name] = rate

    @property
    def waiting(self) -> list[Fault]:
        return list(self._waiting)

    def for_command(self, code: str) -> list[Fault]:
        """What happens to a frame from the host that carries this code."""
        return self._due(code, COMMAND_FAULTS) + self._by_chance(COMMAND_FAULTS)

    def for_reply(self, query_code: str) -> list[Fault]:
        """What happens to the reply to a query with this code."""
        return self._due(query_code, REPLY_FAULTS) + self._by_chance(REPLY_FAULTS)

    def _due(self, code: str, kinds: dict[str, str]) -> list[Fault]:
        due: list[Fault] = []
        kept: list[Fault] = []
        for fault in self._waiting:
            if fault.kind not in kinds or not fault.fits(code):
                kept.append(fault)
            elif fault.after > 0:
                kept.append(replace(fault, after=fault.after - 1))
            else:
                due.append(fault)
                if fault.count != 1:
                    kept.append(replace(fault, count=max(0, fault.count - 1)))
        self._waiting = kept
        return due

    def _by_chance(self, kinds: dict[str, str]) -> list[Fault]:
        return [
            fault
            for name, fault in self._by_rate.items()
            if fault.kind in kinds and self._rates[name] > 0 and self.random.random() < self._rates[name]
        ]


def spoil(line: bytes, faults: list[Fault], dice: random.Random) -> bytes:
    """The bytes of a line after those of the faults that change bytes."""
    for fault in sorted(faults, key=lambda fault: list(KINDS).index(fault.kind)):
        line = _spoil_once(line, fault, dice)
    return line


def replaced(reply: Frame, faults: list[Fault]) -> Frame:
    """The reply with the argument that a fault puts there; what changes its bytes comes after."""
    for fault in faults:
        if fault.kind == "replaced":
            reply = Frame(reply.code, fault.text)
    return reply


def _spoil_once(line: bytes, fault: Fault, dice: random.Random) -> bytes:
    if fault.kind == "cut":
        return line[: fault.keep or dice.randrange(1, max(2, len(line)))]
    if fault.kind in ("garbled", "command_garbled"):
        return _garble(line, fault, dice)
    if fault.kind == "merged":
        return re.sub(rb"\$[\r\n]*\Z", b"", line)
    if fault.kind == "doubled":
        return line + line
    if fault.kind == "noise":
        return bytes(dice.randrange(256) for _ in range(dice.randint(1, 20))) + line
    return line


def _garble(line: bytes, fault: Fault, dice: random.Random) -> bytes:
    """Wrong bytes at random places: bits flipped. There is no checksum, so a digit may become another."""
    spoilt = bytearray(line)
    if not spoilt:
        return line
    for place in dice.sample(range(len(line)), min(len(line), fault.keep or dice.randint(1, 3))):
        spoilt[place] ^= 0x80 if fault.clean else 1 << dice.randrange(8)
    return bytes(spoilt)
