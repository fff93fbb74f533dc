"""What somebody will have meant who typed something else. Pure: words in, words or a sentence out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

# What other programs call the same thing.
SYNONYMS = {
    **dict.fromkeys(("move", "goto", "go", "to"), "set"),
    **dict.fromkeys(("home", "homing", "initialise", "initialize", "connect", "reset"), "init"),
    **dict.fromkeys(("disconnect", "shutdown", "close", "exit", "quit"), "kill"),
    **dict.fromkeys(("pos", "position", "where", "state", "info"), "status"),
    **dict.fromkeys(("halt", "abort", "break"), "stop"),
    **dict.fromkeys(("live", "monitor"), "watch"),
    **dict.fromkeys(("by", "step", "relative"), "offset"),
    **dict.fromkeys(("history", "moves"), "log"),
}
# Of several that begin so, the harmless one first.
IN_ORDER = (
    *("status", "json", "watch", "set", "offset", "init", "stop", "audit", "kill", "record", "reference"),
    *("log", "moved", "hold", "release", "run", "term", "terms"),
)
# A comma for the point, a typographic minus, a unit behind it.
_TYPED = str.maketrans("\u2212\u2013\u2014,", "---.")
_WITH_UNIT = re.compile(
    r"([+-]?[\d.]+(?:e[+-]?\d+)?)\s*(?:mm|millimet(?:re|er)s?)?", re.ASCII | re.IGNORECASE
)
_UNITS_MM = {"um": 1e-3, "\u00b5m": 1e-3, "\u03bcm": 1e-3, "micron": 1e-3, "microns": 1e-3, "cm": 10.0}


def command_for(word: str) -> str:
    """The command that a word will have meant; empty if none is near."""
    lower = word.lower()
    if lower in SYNONYMS:
        return SYNONYMS[lower]
    if lower and (begun := [command for command in IN_ORDER if command.startswith(lower)]):
        return begun[0]
    # Fingers that were too fast.
    if swapped := [command for command in IN_ORDER if sorted(command) == sorted(lower)]:
        return swapped[0]
    near = get_close_matches(lower, [*IN_ORDER, *SYNONYMS], n=1, cutoff=0.7)
    return SYNONYMS.get(near[0], near[0]) if near else ""


def option_for(word: str, known: Sequence[str]) -> str:
    """The option that a word will have meant; empty if none is near."""
    name = f"--{word.partition('=')[0].lstrip('-')}"
    begun = [option for option in known if option.startswith(name)]
    return (begun or get_close_matches(name, known, n=1, cutoff=0.7) or [""])[0]


def number_for(words: Sequence[str]) -> str:
    """The number of mm that some words will have meant, as it is to be typed; empty if that cannot be told."""
    typed = [word.strip().translate(_TYPED).lower() for word in words]
    # Two numbers are not one with a blank in it; behind a sign there is one.
    if any(word[:1].isdigit() for word in typed[2 if typed[:1] in (["-"], ["+"]) else 1 :]):
        return ""
    text = "".join(typed)
    for unit, mm in _UNITS_MM.items():
        number = text[: -len(unit)]
        if text.endswith(unit) and _WITH_UNIT.fullmatch(number) and number.count(".") <= 1:
            return f"{float(number) * mm:g}"
    match = _WITH_UNIT.fullmatch(text)
    if match is None or match.group(1).count(".") > 1 or not any(map(str.isdigit, match.group(1))):
        return ""
    return match.group(1)
