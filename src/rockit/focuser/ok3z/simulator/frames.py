"""Frames of the wire as the controller reads and writes them (docs/protocol.md).

This is the simulator's own reading of the protocol. The driver has another one, and both must satisfy
the vectors in tests/vectors.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST_FRAME = 256
"""More bytes than this without an end mark are noise, so that a babbling host cannot fill the memory."""

_FRAME = re.compile(rb"#([A-Z][0-9]{3}) F(?: +((?:[!\"%-~][ !\"%-~]*)?))?\$[ \r]*\n")


class Frame(NamedTuple):
    """One frame. `argument` is None if there is none, and "" if it is there but empty."""

    code: str
    argument: str | None


_LINE_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r", "none": ""}


def format_frame(frame: Frame, spaces: int = 1, trailing: int = 0, end: str = "lf") -> bytes:
    """The bytes of one frame, with some spaces around the argument, and one of the line ends lf, crlf, cr, none."""
    tail = "" if frame.argument is None else " " * spaces + frame.argument
    return f"#{frame.code} F{tail}{' ' * trailing}${_LINE_ENDS[end]}".encode("latin-1")


def read_frame(line: bytes) -> Frame | None:
    """The frame at the end of a line that ends with a newline; None if there is none."""
    start = line.rfind(b"#")
    match = _FRAME.fullmatch(line[start:]) if start >= 0 else None
    if match is None:
        return None
    argument = match.group(2)
    return Frame(match.group(1).decode(), None if argument is None else argument.decode())


def ended(line: bytes) -> bytes:
    """A line from the host with its newline: a frame ends at its $, and what follows there is decoration."""
    return re.sub(rb"\$\r?\n?\Z", b"$\n", line)


class LineSplitter:
    """Cuts a stream of bytes after each newline, with bounded memory."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def push(self, byte: int) -> bytes | None:
        """Take one byte; give the line that it completes."""
        self._begun.append(byte)
        if byte == 0x0A:
            return self.end()
        if len(self._begun) > LONGEST_FRAME:
            del self._begun[0]
        return None

    def end(self) -> bytes:
        """Give the line that has begun as it is."""
        line = bytes(self._begun)
        self._begun.clear()
        return line

    def clear(self) -> None:
        """Forget the line that has begun."""
        self._begun.clear()


def frames_in(data: bytes) -> list[Frame]:
    """All frames in a stream of bytes; whatever is no frame is dropped."""
    splitter = LineSplitter()
    lines = [line for line in (splitter.push(byte) for byte in data) if line is not None]
    return [frame for frame in map(read_frame, lines) if frame is not None]
