"""What is said of the history to those who ask, as plain values: rows, verdicts, and the cards of a header."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from ..driver.planning import mm_from_steps
from ..errors import InvalidArgumentError
from ..storage.history_file import MOVING_KINDS as MOVING_KINDS
from ..storage.history_file import Moment
from ..storage.history_file import Motion as Motion
from ..storage.term import Term
from .history import Now
from .moved import UNKNOWN, Verdict
from .status import Snapshot

MOST_ROWS = 1000
MOST_ROWS_OF_STRANGERS = 100
MOST_WHY_LETTERS = 200
# Of a text in a FITS header.
MOST_CARD_LETTERS = 68
LONGEST_WAIT_S = 3600.0
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,12})?))?)?\s?(?:Z|[+-]00:?00|UTC)?", re.ASCII
)


def moment_of(name: str, value: object) -> float:
    """A moment that somebody names, in Unix seconds: ISO text in UTC, or these seconds.

    Raises InvalidArgumentError.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # An integer may be too large to be a float.
        with suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    found = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        day, minute, second = found.groups()
        try:
            moment = datetime.fromisoformat(f"{day}T{minute or '00:00'}").replace(tzinfo=timezone.utc)
        except ValueError:
            found = None
        else:
            return moment.timestamp() + float(second or 0.0)
    raise InvalidArgumentError(
        f"{name} is no moment: give ISO text in UTC, such as 2026-11-22T20:00:00Z, or Unix seconds."
    )


def why_of(value: object) -> str:
    """What somebody asks for something for: a text of one line. Raises InvalidArgumentError."""
    if not isinstance(value, str) or len(value) > MOST_WHY_LETTERS or not (value.isprintable() or not value):
        raise InvalidArgumentError(f"why must be a text of one line, of at most {MOST_WHY_LETTERS} letters.")
    return value


def wait_of(value: object) -> float:
    """How long somebody wants to wait, in seconds. Raises InvalidArgumentError."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= LONGEST_WAIT_S:  # type: ignore[operator]
        raise InvalidArgumentError(f"wait_s must be a number of seconds from 0 to {LONGEST_WAIT_S:g}.")
    return float(value)  # type: ignore[arg-type]


def limit_of(value: object, may_control: bool) -> int:
    """How many rows somebody wants, and gets. Raises InvalidArgumentError."""
    if type(value) is not int or not 0 < value <= MOST_ROWS:
        raise InvalidArgumentError(f"limit must be a whole number from 1 to {MOST_ROWS}.")
    return value if may_control else min(value, MOST_ROWS_OF_STRANGERS)


def answer(verdict: Verdict, may_control: bool) -> dict[str, Any]:
    """A verdict, as it is published."""
    return {
        "moved": verdict.moved,
        "reason": verdict.reason,
        "motions": [row(motion, may_control) for motion in verdict.motions],
        "holds": list(verdict.holds),
    }


def unknown(reason: str) -> dict[str, Any]:
    """What is answered if the history cannot be asked."""
    return answer(Verdict(UNKNOWN, reason), False)


def row(motion: Motion, may_control: bool) -> dict[str, Any]:
    """A row, as it is published; who asked only `may_control` to know."""
    values: dict[str, Any] = {
        "kind": motion.kind,
        "begin": utc(motion.begin),
        "end": None if motion.end is None else utc(motion.end),
        "from_mm": _mm(motion.from_steps),
        "target_mm": _mm(motion.target_steps),
        "to_mm": _mm(motion.to_steps),
        "legs": motion.legs,
        "result": motion.result,
        "sentence": motion.whole if may_control else motion.sentence,
        "why": motion.why,
        "trust": motion.trust,
        "holds": motion.holds,
    }
    return {**values, "address": motion.address, "door": motion.door} if may_control else values


def header(snapshot: Snapshot, now: Now, moment: Moment, holds: str) -> dict[str, Any]:
    """What belongs into the header of an exposure: FITS keywords and plain values. What is not known is left out."""
    cards: dict[str, Any] = {
        "FOCDATE": utc(moment),
        "FOCSTATE": snapshot.state.value,
        "FOCTRUST": snapshot.confidence.trust.value,
        "FOCHOLDS": holds,
    }
    if snapshot.current_steps is not None:
        cards["FOCPOS"] = _mm(snapshot.current_steps)
        cards["FOCSTEPS"] = snapshot.current_steps
        target = snapshot.target
        if target is not None:
            cards["FOCTARG"] = _mm(target.steps) if target.asked_mm is None else target.asked_mm
        if snapshot.base_mm is not None:
            cards["FOCBASE"] = snapshot.base_mm
        cards["FOCTERMS"] = snapshot.terms_mm
        cards["FOCTLIST"] = _list(snapshot.terms)
    if now.last_end is not None and not snapshot.motor_may_run:
        cards["FOCMOVED"] = utc(now.last_end)
        cards["FOCSETTL"] = round(moment.boot_s - now.last_end.boot_s, 3)
    return cards


def _list(terms: Sequence[Term]) -> str:
    """The terms, as many as a card holds."""
    told = [f"{term.name} {term.mm:+.4f}" for term in terms]
    while len(text := ", ".join(told)) > MOST_CARD_LETTERS:
        told = [*told[:-2], "..."]
    return text


def utc(moment: Moment) -> str:
    """ISO text in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment.utc_s, timezone.utc).isoformat(timespec="milliseconds")
    return f"{text[:-6]}Z"


def _mm(steps: int | None) -> float | None:
    return None if steps is None else round(mm_from_steps(steps), 4) + 0.0
