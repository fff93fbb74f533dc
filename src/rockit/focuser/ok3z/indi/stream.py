"""Reads what INDI clients send: a stream of elements without a root, which anybody may have written. Pure.

The stream is cut where an element ends, and each is parsed alone: what is wrong in one harms no other. A cut needs no
well-formed XML, and never waits for an end that may not come. The elements of INDI hold none of each other, so where
one of them begins, whatever was open is given up. What is longer than it may be is dropped as it comes, so little is
ever held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

# In bytes. The longest that a client of a focuser has to say is a tenth of it.
LONGEST_ELEMENT = 16_384
# In bytes, of one tag, comment or declaration.
LONGEST_TAG = 4096

# Of XML, which has less of it than Python.
WHITE_SPACE = " \t\r\n"

# Where one of these begins, the element before has ended, whether it says so or not.
_TOP_LEVEL = re.compile(
    rb"getProperties|enableBLOB|delProperty|message|pingRe(quest|ply)"
    rb"|(new|set|def)(Text|Number|Switch|Light|BLOB)Vector"
)
# Where a piece may begin. What follows the last `<` may still come.
_BEGIN = re.compile(rb"<(?=[A-Za-z_/!?]|\Z)")
# A `<` belongs to no attribute, so that one whose quote does not end swallows no more than its own tag.
_TAG = re.compile(rb"<(/?)([A-Za-z_][\w.:-]*)(?:[^<>\"']|\"[^<\"]*\"|'[^<']*')*>")
# How what is no tag begins and ends. The more special ones come first.
_OTHERS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
_DECLARATION = re.compile(rb"<![A-Za-z][^<>\[]*(?:>|\[(?:[^\]\"']|\"[^\"]*\"|'[^']*')*\]\s*>)")


@dataclass(frozen=True)
class Message:
    """One element from a client.

    Args:
        tag: such as `newNumberVector`.
        attributes: its own.
        elements: the `name` of each element in it, and its text without the white space around it.
    """

    tag: str
    attributes: dict[str, str]
    elements: tuple[tuple[str, str], ...] = ()

    @property
    def device(self) -> str:
        """Whom it is for; empty for everybody."""
        return self.attributes.get("device", "")

    @property
    def name(self) -> str:
        """Which property it is about; empty for all."""
        return self.attributes.get("name", "")


class Cutter:
    """Cuts a stream into its top-level elements, as bytes, and counts what it drops."""

    def __init__(self) -> None:
        self._unread = b""
        self._element = bytearray()
        self._name = b""
        self._is_dropped = False
        self.dropped = 0
        """How many elements were too long, or did not end."""

    @property
    def held(self) -> int:
        """How many bytes are kept for what is still to come."""
        return len(self._unread) + len(self._element)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The elements that end in the next bytes of the stream."""
        text = self._unread + data
        at = 0
        while True:
            begin = _BEGIN.search(text, at)
            if begin is None:
                self._keep(text, at, len(text))
                self._unread = b""
                return
            begins = begin.start()
            self._keep(text, at, begins)
            ends, tag = _piece(text, begins)
            if ends < 0:
                self._unread = text[begins:]
                return
            at = ends
            if tag is None:
                self._keep(text, begins, ends)
            else:
                yield from self._tag(tag)

    def _tag(self, tag: re.Match[bytes]) -> Iterator[bytes]:
        name, closes = tag[2], tag[1] == b"/"
        if not closes and (not self._name or _TOP_LEVEL.fullmatch(name)):
            self._give_up()
            self._name = name
            self._keep(tag[0], 0, len(tag[0]))
            if tag[0].endswith(b"/>"):
                yield from self._whole()
            return
        self._keep(tag[0], 0, len(tag[0]))
        if closes and name == self._name:
            yield from self._whole()

    def _keep(self, text: bytes, begins: int, ends: int) -> None:
        """What lies between elements is nothing."""
        if not self._name or self._is_dropped:
            return
        if len(self._element) + ends - begins > LONGEST_ELEMENT:
            self._is_dropped = True
            self._element.clear()
            return
        self._element += text[begins:ends]

    def _whole(self) -> Iterator[bytes]:
        if self._is_dropped:
            self._give_up()
            return
        element = bytes(self._element)
        self._forget()
        yield element

    def _give_up(self) -> None:
        self.dropped += bool(self._name)
        self._forget()

    def _forget(self) -> None:
        self._element.clear()
        self._name = b""
        self._is_dropped = False


def _piece(text: bytes, at: int) -> tuple[int, re.Match[bytes] | None]:
    """Where the piece ends that begins with the `<` there, and the tag that it is; -1: the end may still come.

    A `<` that begins no tag is a piece of its own. A comment or declaration that does not end is given up with all that
    it has swallowed: what was said in it long ago must not be done now.
    """
    window = min(len(text), at + LONGEST_TAG)
    may_come = window == len(text) and window - at < LONGEST_TAG
    for begin, end in _OTHERS:
        if text.startswith(begin, at):
            ends = text.find(end, at + len(begin), window)
            return (ends + len(end) if ends >= 0 else -1 if may_come else window), None
    tag = _TAG.match(text, at, window)
    if tag is not None:
        return tag.end(), tag
    declaration = _DECLARATION.match(text, at, window)
    if declaration is not None:
        return declaration.end(), None
    if text.startswith(b"<!", at):
        return (-1 if may_come else window), None
    # The next `<` says of a tag that it does not end.
    is_cut = text.find(b"<", at + 1, window) >= 0
    return (-1 if may_come and not is_cut else at + 1), None


def parse(element: bytes) -> Message:
    """One element. Raises ValueError with the reason if it is not well-formed, or no element of INDI."""
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(element, True)
    except expat.ExpatError as error:
        raise ValueError(expat.ErrorString(error.code)) from None
    return Message(reader.tag, reader.attributes, tuple(reader.elements))


class _Reader:
    """Takes what expat finds."""

    def __init__(self) -> None:
        self.tag = ""
        self.attributes: dict[str, str] = {}
        self.elements: list[tuple[str, str]] = []
        self._depth = 0
        self._name = ""
        self._text: list[str] = []

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self.tag, self.attributes = tag, attributes
        elif self._depth == 2 and tag == self.tag.replace("new", "one").replace("Vector", ""):
            self._name, self._text = attributes.get("name", ""), []
        else:
            raise ValueError("an element where none belongs")

    def text(self, data: str) -> None:
        if self._depth == 2:
            self._text.append(data)

    def end(self, _tag: str) -> None:
        if self._depth == 2:
            self.elements.append((self._name, "".join(self._text).strip(WHITE_SPACE)))
        self._depth -= 1
