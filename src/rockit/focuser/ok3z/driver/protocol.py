"""The controller's language: bytes in, values out, and no I/O. The facts are in docs/protocol.md.

A frame is `#`, a letter, three digits, ` F`, an optional space with an argument, `$` and a line feed.
A *query* goes out without an argument and is answered by one frame. A *command* goes out with one
(it may be empty) and is never answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import MalformedReplyError

# Nothing that the controller says is longer than a version text. What goes on longer without a line
# feed is noise, and noise must not fill the memory.
MAX_LINE_BYTES = 256

# Where a frame begins, and the whole of it up to its line feed. An argument is printable ASCII.
_HEADER = re.compile(rb"#[A-Z][0-9]{3} F")
_FRAME = re.compile(rb"#([A-Z][0-9]{3}) F(?: ([ !\"%-~]*))?\$")
# Nobody knows what a version text may hold, so it may hold anything.
_VERSION_FRAME = re.compile(rb"#(S052) F(?: (.*))?\$\r?", re.DOTALL)
_SIGNED_INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True)
class Query:
    """A question: the code that is sent, and the code under which the answer comes."""

    name: str
    code: str
    reply_code: str

    def encode(self) -> bytes:
        return f"#{self.code} F$\n".encode("ascii")


@dataclass(frozen=True)
class Command:
    """An order, with its argument (possibly empty)."""

    name: str
    code: str
    argument: str = ""

    def encode(self) -> bytes:
        return f"#{self.code} F {self.argument}$\n".encode("ascii")


@dataclass(frozen=True)
class Reply:
    """One whole frame that came from the controller. `argument` is None if it had none."""

    code: str
    argument: str | None

    def __str__(self) -> str:
        return f"#{self.code} F$" if self.argument is None else f"#{self.code} F {self.argument}$"


IDENTIFY = Query("identify", "S051", "S052")
MOTION_STATE = Query("motion state", "S001", "S004")
POSITION_REGISTER = Query("position register", "P081", "P081")
QUERIES = (IDENTIFY, MOTION_STATE, POSITION_REGISTER)

HALT = Command("halt", "P021")
RELEASE = Command("release the motor", "P031")
# The microstep mode in use; its meaning is not published (docs/protocol.md).
MICROSTEP_MODE = Command("microstep mode", "E002", "3")


def go_to(register_steps: int) -> Command:
    """Run to an absolute position of the register, in microsteps."""
    return Command("go to", "P092", str(register_steps))


def run_to_limit_switch(speed_register: int) -> Command:
    """Run inward until the inner limit switch stops the motor, at a speed in register units."""
    return Command("homing run", "P103", f"V {speed_register}")


def maximum_speed(register: int) -> Command:
    """Set the maximum speed register."""
    return Command("maximum speed", "P132", str(register))


def acceleration(register: int) -> Command:
    """Set the acceleration register."""
    return Command("acceleration", "P052", str(register))


def deceleration(register: int) -> Command:
    """Set the deceleration register."""
    return Command("deceleration", "P062", str(register))


def read_text(reply: Reply) -> str:
    """What a focuser answers when it is asked who it is; any text will do, and none."""
    return (reply.argument or "").strip()


def read_stands_still(reply: Reply) -> bool:
    """Whether the motor stands still: the second letter of the state is `S`. The others are not known."""
    text = reply.argument or ""
    if len(text) < 2:
        raise MalformedReplyError(
            f"the motion state came as {text!r}; at least two characters were expected. Look at the cable."
        )
    return text[1] == "S"


def read_register(reply: Reply) -> int:
    """The position register in microsteps, growing inward."""
    text = reply.argument or ""
    if not _SIGNED_INTEGER.fullmatch(text):
        raise MalformedReplyError(
            f"the position register came as {text[:40]!r}; a whole number was expected. Look at the cable."
        )
    return int(text)


@dataclass(frozen=True)
class Noise:
    """Bytes that are no frame."""

    data: bytes


@dataclass(frozen=True)
class Received:
    """What `ReplyParser.feed` found, in the order in which it came."""

    replies: list[Reply]
    noise: list[Noise]


class ReplyParser:
    """Cuts the incoming stream into replies, whatever comes. Feed it bytes as they arrive.

    It works by line. Where a line holds several headers (a reply that lost its end ran into the next one)
    only the last can be whole. A line without its `$` was cut or garbled and is noise.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Received:
        """Take `data` and give what is complete now. Raises nothing, keeps at most MAX_LINE_BYTES."""
        received = Received([], [])
        self._pending += data
        *lines, rest = self._pending.split(b"\n")
        for line in lines:
            _read_line(bytes(line), received)
        if len(rest) > MAX_LINE_BYTES:
            received.noise.append(Noise(bytes(rest[:-MAX_LINE_BYTES])))
            rest = rest[-MAX_LINE_BYTES:]
        self._pending = bytearray(rest)
        return received

    def reset(self) -> bytes:
        """Forget an unfinished line and return it."""
        pending = bytes(self._pending)
        self._pending.clear()
        return pending


def _read_line(line: bytes, received: Received) -> None:
    if len(line) > MAX_LINE_BYTES:
        received.noise.append(Noise(line[:-MAX_LINE_BYTES]))
        line = line[-MAX_LINE_BYTES:]
    headers = list(_HEADER.finditer(line))
    if not headers:
        if line:
            received.noise.append(Noise(line))
        return
    header = headers[-1]
    if header.start():
        received.noise.append(Noise(line[: header.start()]))
    frame = _FRAME.fullmatch(line, header.start()) or _VERSION_FRAME.fullmatch(line, header.start())
    if frame is None:
        received.noise.append(Noise(line[header.start() :]))
        return
    code, argument = frame.groups()
    received.replies.append(
        Reply(
            code.decode("ascii"), None if argument is None else argument.decode("ascii", "backslashreplace")
        )
    )
