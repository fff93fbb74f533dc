"""Terms: the corrections of several programs, which add up. The position asked for is the base and the terms.

The base is what a position leaves over that was asked for as a whole: `set_focus(x)` makes the sum x, and the base
takes up the difference, so that programs that know no terms see what they always saw. A term that changes moves the
focuser by as much and leaves the base as it is.

Pure: values in, values out. What moves is `term_commands`; where they are kept is the entry of the state file, with the
target that they belong to, so that the one is never on the disk without the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ..constants import UTC_FORMAT
from ..driver.planning import SUM_DECIMALS, as_float
from ..errors import InvalidArgumentError, OutsideLimitsError
from ..storage.history_file import Moment
from ..storage.term import LONGEST_TERM_MM, MOST_LETTERS, MOST_TERMS, is_word, terms_mm
from ..storage.term import Term as Term

LONGEST_TTL_S = 30 * 24 * 3600.0


@dataclass(frozen=True)
class Wanted:
    """A change of a term, as somebody asks for it; its arguments are sound.

    Args:
        name: of the term.
        owner: who asks.
        mm: what it shall add to the position; None: it shall be cleared.
        ttl_s: how long it shall last, in seconds; None: until it is cleared.
    """

    name: str
    owner: str
    mm: float | None = None
    ttl_s: float | None = None

    @property
    def words(self) -> str:
        """What is asked for, for the log and the history."""
        what = "cleared" if self.mm is None else f"{self.mm:+.3f} mm"
        return f"term {self.name} {what}, of {self.owner}"


@dataclass(frozen=True)
class Sum:
    """A base and its terms. A value: what changes is another one.

    Args:
        base_mm: what the terms add to, in mm; None: whatever a position leaves over, once it is reached.
        terms: in the order in which their names were first set.
    """

    base_mm: float | None = None
    terms: tuple[Term, ...] = ()

    @property
    def terms_mm(self) -> float:
        """What the terms add up to, in mm."""
        return terms_mm(self.terms)

    def at(self, position_mm: float) -> Sum:
        """The same with a base: the one there is, or what is left over of a position in mm."""
        return self if self.base_mm is not None else replace(self, base_mm=base_mm(position_mm, self.terms))

    def changed(self, wanted: Wanted, now_s: float) -> Sum:
        """With a term set or cleared at a moment, in Unix seconds. To clear what is not there changes nothing.

        Raises InvalidArgumentError: the term is another owner's, or there are MOST_TERMS.
        """
        there = next((term for term in self.terms if term.name == wanted.name), None)
        if there is not None and there.owner != wanted.owner:
            raise InvalidArgumentError(
                f"the term {wanted.name} is {there.owner}'s. Have it cleared by {there.owner}, or take another name."
            )
        if wanted.mm is None:
            return self.without({wanted.name})
        term = Term(
            wanted.name,
            wanted.mm,
            wanted.owner,
            now_s,
            None if wanted.ttl_s is None else now_s + wanted.ttl_s,
        )
        if there is not None:
            return replace(self, terms=tuple(term if one is there else one for one in self.terms))
        if len(self.terms) >= MOST_TERMS:
            raise InvalidArgumentError(f"there are {MOST_TERMS} terms already. Clear one.")
        return replace(self, terms=(*self.terms, term))

    def without(self, names: Iterable[str]) -> Sum:
        """Without the terms of these names."""
        gone = set(names)
        return replace(self, terms=tuple(term for term in self.terms if term.name not in gone))


class Deadlines:
    """When terms end, on the clock that nobody can set. A term is reckoned by the time of day once, when it is first
    seen: after a start of the daemon that is what is left of it."""

    def __init__(self) -> None:
        self._until_boot_s: Mapping[Term, float] = {}

    def overdue(self, terms: tuple[Term, ...], now: Moment) -> set[str]:
        """The names of those that have ended by now."""
        known = self._until_boot_s
        self._until_boot_s = {
            term: known[term] if term in known else now.boot_s + _left_s(term, now)
            for term in terms
            if term.expires_at is not None
        }
        return {term.name for term, until_s in self._until_boot_s.items() if until_s <= now.boot_s}


def _left_s(term: Term, now: Moment) -> float:
    """How long a term lasts yet, in seconds: no longer than it was set for, whatever the clock says."""
    assert term.expires_at is not None
    return min(max(0.0, term.expires_at - now.utc_s), term.expires_at - term.set_at)


def base_mm(position_mm: float, terms: Iterable[Term]) -> float:
    """What terms leave over of a position, in mm."""
    return round(position_mm - terms_mm(terms), SUM_DECIMALS) + 0.0


# What somebody asks for


def wanted(name: object, owner: object, mm: object, ttl_s: object = None) -> Wanted:
    """A term that somebody wants to set.

    Raises:
        InvalidArgumentError: an argument is none.
        OutsideLimitsError: mm is NaN, infinite, or further than any focuser goes.
    """
    if isinstance(mm, bool) or not isinstance(mm, (int, float)):
        raise InvalidArgumentError(
            f"mm is of type {type(mm).__name__}; a number of millimetres was expected."
        )
    number_mm = as_float(mm)
    if not abs(number_mm) <= LONGEST_TERM_MM:
        raise OutsideLimitsError(
            f"{number_mm:.6g} mm was asked for; a term has {LONGEST_TERM_MM:g} mm at most."
        )
    rounded_mm = round(number_mm, SUM_DECIMALS) + 0.0
    return Wanted(_word("name", name), _word("owner", owner), rounded_mm, _ttl_s(ttl_s))


def unwanted(name: object, owner: object) -> Wanted:
    """A term that somebody wants to clear. Raises InvalidArgumentError."""
    return Wanted(_word("name", name), _word("owner", owner))


def _word(what: str, value: object) -> str:
    if not isinstance(value, str) or not is_word(value):
        raise InvalidArgumentError(
            f"{what} must be a text of 1 to {MOST_LETTERS} letters, digits, and - _ or . such as filter."
        )
    return value


def _ttl_s(value: object) -> float | None:
    if value is None:
        return None
    is_number = (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(as_float(value))
    )
    if not is_number or not 0 < value <= LONGEST_TTL_S:  # type: ignore[operator]
        raise InvalidArgumentError(
            f"ttl must be a number of seconds of more than 0 and at most {LONGEST_TTL_S:g}, or nothing."
        )
    return float(value)  # type: ignore[arg-type]


# What is told


def published(terms: Iterable[Term]) -> list[dict[str, Any]]:
    """The terms, as everybody may read them."""
    return [
        {
            "name": term.name,
            "mm": term.mm,
            "owner": term.owner,
            "set_at": _utc(term.set_at),
            "expires_at": None if term.expires_at is None else _utc(term.expires_at),
        }
        for term in terms
    ]


def _utc(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, timezone.utc).strftime(UTC_FORMAT)
