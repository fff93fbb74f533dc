"""Text as roff takes it: any character comes out on the page as it went in."""

from __future__ import annotations

import re

ESCAPES = {
    "\\": "\\(rs",
    "-": "\\-",
    "'": "\\(aq",
    '"': "\\(dq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
}
# What is typed: between two backticks, an option by its name, a manual page with its section.
TYPED = re.compile(r"`([^`]+)`|(?<![\w-])(--[a-z][\w-]*|[a-z][\w.-]*(?=\(\d\)))")
# What a usage line is made of: brackets and dots, and words between them.
PARTS_OF_USAGE = re.compile(r"[\[\]|]+|\.\.\.|[^\s\[\]|]+|\s+")


def escaped(text: str) -> str:
    """Text in the font that is on. It never begins a request, whatever it begins with."""
    body = "".join(_escaped(character) for character in text)
    return f"\\&{body}" if text.startswith(".") else body


def bold(text: str) -> str:
    return f"\\fB{escaped(text)}\\fR" if text else ""


def italic(text: str) -> str:
    return f"\\fI{escaped(text)}\\fR" if text else ""


def prose(text: str) -> str:
    """A sentence in which stands out what is typed."""
    # Of three parts each: what is between, and one of two kinds.
    parts = TYPED.split(text)
    return "".join(bold(part or "") if at % 3 else escaped(part) for at, part in enumerate(parts))


def usage(words: str, line: str) -> str:
    """A usage line: what is typed as it is in bold, what stands for something else in italics."""
    parts = PARTS_OF_USAGE.findall(line[len(words) :])
    return bold(words) + "".join(_part_of_usage(part) for part in parts)


def _part_of_usage(part: str) -> str:
    if part.startswith("-"):
        return bold(part)
    if part.isspace() or part == "..." or set(part) <= set("[]|"):
        return escaped(part)
    return italic(part)


def _escaped(character: str) -> str:
    if character.isascii():
        # A line break would let what follows begin a request.
        return ESCAPES.get(character, character) if character.isprintable() else " "
    return f"\\[u{ord(character):04X}]"
