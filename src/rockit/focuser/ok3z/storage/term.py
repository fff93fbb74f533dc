"""A term of the focus as it is kept: one program's correction, which adds to the base and to the other terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..driver.planning import SUM_DECIMALS

MOST_TERMS = 16
# No focuser travels further.
LONGEST_TERM_MM = 9.0
MOST_LETTERS = 40


@dataclass(frozen=True)
class Term:
    """One program's correction.

    Args:
        name: what it corrects, such as filter. There is one term of a name.
        mm: what it adds to the position, positive outward.
        owner: who has set it, in its own word; no other may change or clear it.
        set_at: when it was set, in Unix seconds.
        expires_at: when it ends, in Unix seconds; None: when it is cleared.
    """

    name: str
    mm: float
    owner: str
    set_at: float
    expires_at: float | None = None


def terms_mm(terms: Iterable[Term]) -> float:
    """What terms add up to, in mm."""
    # Not -0.0: it would be published so.
    return round(sum(term.mm for term in terms), SUM_DECIMALS) + 0.0


def is_word(value: object) -> bool:
    """Whether this can be a name or an owner: 1 to MOST_LETTERS letters, digits, and `-`, `_` or `.`."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MOST_LETTERS
        and value.isascii()
        and all(letter.isalnum() or letter in "-_." for letter in value)
    )


def written(terms: Sequence[Term]) -> list[dict[str, Any]]:
    """Terms as plain values."""
    return [asdict(term) for term in terms]


def read(value: object) -> tuple[Term, ...]:
    """What was written. Raises ValueError if these are no terms."""
    if not isinstance(value, list) or len(value) > MOST_TERMS:
        raise ValueError("a list of some terms was expected")
    terms = tuple(map(_term, value))
    if len({term.name for term in terms}) < len(terms):
        raise ValueError("terms of different names were expected")
    return terms


def _term(value: object) -> Term:
    if not isinstance(value, dict) or set(value) != {"name", "mm", "owner", "set_at", "expires_at"}:
        raise ValueError("a term was expected")
    if not is_word(value["name"]) or not is_word(value["owner"]):
        raise ValueError("the name and the owner of a term were expected")
    expires_at = None if value["expires_at"] is None else _number(value, "expires_at", 0.0, 1e11)
    return Term(
        value["name"],
        _number(value, "mm", -LONGEST_TERM_MM, LONGEST_TERM_MM),
        value["owner"],
        _number(value, "set_at", 0.0, 1e11),
        expires_at,
    )


def _number(values: Mapping[str, Any], key: str, lowest: float, highest: float) -> float:
    value = values[key]
    # True and False are numbers, too.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise ValueError(f"the {key} of a term was expected")
    return float(value)
