"""The controller's language: bytes in, values out, and no I/O. The facts are in docs/protocol.md.

A frame is `#`, a letter, three digits, ` F`, optional spaces with an argument, and `$`. What stands behind it, spaces,
CR and a line feed, is decoration. A *query* goes out without an argument and is answered by one frame. A *command* goes
out with one (it may be empty) and is never answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import MalformedReplyError

# Nothing that the controller says is longer than a version text. What goes on longer without a line
# feed is noise, and noise must not fill the memory.
MAX_LINE_BYTES = 256

# After so many frames in a row that ended at their `$` it is settled that a controller sends no line feed.
SETTLED_FRAMES = 3

# Where a frame begins, and the whole of it, with what may follow its `$`. An argument is printable ASCII.
_HEADER = re.compile(rb"#[A-Z][0-9]{3} F")
_FRAME = re.compile(rb"#([A-Z][0-9]{3}) F(?:( +)([ !\"%-~]*))?\$[ \r]*")
# Nobody knows what a state or a version text may hold, so it may hold anything: its frame ends at the last `$`.
_TEXT_FRAME = re.compile(rb"#(S004|S052) F(?:( +)(.*))?\$[ \r]*", re.DOTALL)
_DECORATION = b" \r\n"
_NUMBER = re.compile(r" *[+-]?[0-9]{1,15} *", re.ASCII)


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
    """One whole frame that came from the controller.

    Args:
        code: what it answers.
        argument: None if it had none. Each byte is one character; spaces before it are skipped.
        spaces: how many these were, if not one.
    """

    code: str
    argument: str | None
    spaces: int = field(default=1, compare=False)

    def __str__(self) -> str:
        if self.argument is None:
            return f"#{self.code} F$"
        plain = self.argument.isascii() and self.argument.isprintable()
        return f"#{self.code} F{' ' * self.spaces}{self.argument if plain else ascii(self.argument)[1:-1]}$"


IDENTIFY = Query("identify", "S051", "S052")
MOTION_STATE = Query("motion state", "S001", "S004")
POSITION_REGISTER = Query("position register", "P081", "P081")
QUERIES = (IDENTIFY, MOTION_STATE, POSITION_REGISTER)
_ANSWERS = frozenset(query.reply_code for query in QUERIES)

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
    """The position register in microsteps, growing inward. It may be padded with zeros or spaces, and carry a plus."""
    text = reply.argument or ""
    if not _NUMBER.fullmatch(text):
        raise MalformedReplyError(
            f"the position register came as {text[:40]!r}; a whole number was expected. Look at the cable."
        )
    return int(text)


class Manner:
    """How a controller writes around what it says: with which spaces, and a plus or none.

    A wrong byte can make a space of a digit, or of the first letter of a state. Spaces are skipped, so what is left
    would be another number, or another second letter. So an answer that is written in another manner than the one
    before is asked for once more, and believed if it comes so again.
    """

    def __init__(self) -> None:
        self._usual: dict[str, tuple[int, ...]] = {}
        self._unusual: dict[str, tuple[int, ...]] = {}

    def require_usual(self, reply: Reply) -> None:
        """Note how a reply is written. Raises MalformedReplyError where that is not as the last ones were."""
        code, text = reply.code, reply.argument or ""
        written: tuple[int, ...] = (reply.spaces,)
        usual = self._usual.get(code)
        if code == POSITION_REGISTER.reply_code:
            # A negative number shows no plus, whether others have one or not.
            has_plus = usual[2] if usual and text.startswith("-") else text.startswith("+")
            written = (reply.spaces, len(text) - len(text.rstrip(" ")), has_plus)
        if usual in (None, written) or self._unusual.get(code) == written:
            self._usual[code] = written
            self._unusual.pop(code, None)
            return
        self._unusual[code] = written
        raise MalformedReplyError(
            f"{str(reply)[:60]} is written in another manner than the answers before it. Look at the cable."
        )


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
    """Cuts the incoming stream into replies, whatever comes. Feed it bytes as they arrive, and tell it of silence.

    It works by line, for a frame whose line feed is missing was cut. If a line holds several headers (a reply that lost
    its end ran into the next one) only the last can be whole. A line without its `$` was cut or garbled and is noise.

    A controller of which no line feed was ever seen behind an answer may send none. Its frames are whole at their `$`,
    if silence follows; and at once, when that is settled. A wrong byte can be a `$` within a number: so one that is
    shorter than the last of its kind waits for the silence all the same.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._sends_line_feed = False
        # Answers in a row without a line feed, and whether the last one was taken so: the line feed may follow late.
        self._unterminated = 0
        self._was_unterminated = False
        # Of the last frame of each kind, in bytes.
        self._lengths: dict[bytes, int] = {}

    def feed(self, data: bytes) -> Received:
        """Take `data` and give what is complete now. Raises nothing, keeps at most MAX_LINE_BYTES."""
        received = Received([], [])
        self._pending += data
        *lines, rest = self._pending.split(b"\n")
        for line in lines:
            self._take_line(bytes(line), received)
        if len(rest) > MAX_LINE_BYTES:
            _note_noise(bytes(rest[:-MAX_LINE_BYTES]), received)
            rest = rest[-MAX_LINE_BYTES:]
        self._pending = bytearray(rest)
        if not self._sends_line_feed and self._unterminated >= SETTLED_FRAMES:
            self._take_unterminated(received, at_once=True)
        return received

    def silence(self) -> Received:
        """Nothing more came for a while: give what is complete without a line feed."""
        received = Received([], [])
        if not self._sends_line_feed:
            self._take_unterminated(received, at_once=False)
        return received

    def reset(self) -> bytes:
        """Forget an unfinished line and return it."""
        pending = bytes(self._pending)
        self._pending.clear()
        if self._sends_line_feed and (parts := _parts(pending)) and _whole(parts[-1]):
            # A line feed that was noise must not make a controller mute that sends none.
            self._unterminated += 1
            self._sends_line_feed = self._unterminated < SETTLED_FRAMES
        return pending

    def _take_line(self, line: bytes, received: Received) -> None:
        follows_a_frame, self._was_unterminated = (
            self._was_unterminated and not line.strip(_DECORATION),
            False,
        )
        if _read_line(line, received) or follows_a_frame:
            self._sends_line_feed = True
            self._unterminated = 0

    def _take_unterminated(self, received: Received, at_once: bool) -> None:
        """Take the frames that wait, if the last of them is whole at its `$`."""
        *earlier, last = _parts(bytes(self._pending)) or [b""]
        frame = _whole(last)
        if frame is None or (at_once and len(last) < self._lengths.get(frame[1], 0)):
            return
        for part in (*earlier, last):
            _read_part(part, received)
        self._lengths[frame[1]] = len(last)
        self._pending.clear()
        self._was_unterminated = _is_answer(frame)
        self._unterminated += self._was_unterminated


def _parts(line: bytes) -> list[bytes]:
    """A line in pieces: what is before its first header, if anything is, and then each header with what follows."""
    starts = [header.start() for header in _HEADER.finditer(line)]
    places = sorted({0, *starts, len(line)})
    return [line[start:end] for start, end in zip(places, places[1:])]


def _whole(part: bytes) -> re.Match[bytes] | None:
    """The frame that a piece is, with nothing but decoration behind it; None where it is none."""
    return _FRAME.fullmatch(part) or _TEXT_FRAME.fullmatch(part)


def _is_answer(frame: re.Match[bytes]) -> bool:
    """Whether a frame is an answer. Echoes of what was sent end as that did, and say nothing of the controller."""
    return frame[3] is not None and frame[1].decode("ascii") in _ANSWERS


def _read_line(line: bytes, received: Received) -> bool:
    """Read what stood before a line feed. Gives whether an answer stood right before it."""
    if len(line) > MAX_LINE_BYTES:
        _note_noise(line[:-MAX_LINE_BYTES], received)
        line = line[-MAX_LINE_BYTES:]
    *earlier, last = _parts(line) or [b""]
    # Of several headers only the last can be that of a whole frame.
    _note_noise(b"".join(earlier), received)
    _read_part(last, received)
    frame = _whole(last)
    return frame is not None and _is_answer(frame)


def _read_part(part: bytes, received: Received) -> None:
    frame = _whole(part)
    if frame is None:
        _note_noise(part, received)
        return
    code, spaces, argument = frame.groups()
    received.replies.append(
        Reply(
            code.decode("ascii"),
            None if argument is None else argument.decode("latin-1"),
            1 if spaces is None else len(spaces),
        )
    )


def _note_noise(data: bytes, received: Received) -> None:
    if data.strip(_DECORATION):
        received.noise.append(Noise(data))
