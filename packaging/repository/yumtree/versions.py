"""Which of two versions is newer, as rpm sees it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from itertools import zip_longest

# Everything between these only separates them.
_PARTS = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class Evr:
    """Epoch, version and release."""

    epoch: int
    version: str
    # None where a requirement names none: any release will do.
    release: str | None

    @classmethod
    def parse(cls, text: str) -> Evr:
        """Take `[epoch:]version[-release]` apart."""
        epoch, colon, rest = text.partition(":")
        if not colon:
            epoch, rest = "0", text
        version, dash, release = rest.rpartition("-")
        return cls(int(epoch or 0), version, release) if dash else cls(int(epoch or 0), rest, None)

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}" + (f"-{self.release}" if self.release is not None else "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evr) and self.compare(other) == 0

    def __lt__(self, other: Evr) -> bool:
        return self.compare(other) < 0

    # Equal versions may be spelt differently ("1.0" and "1.00").
    __hash__ = None  # type: ignore[assignment]

    def compare(self, other: Evr) -> int:
        """Below 0 where this one is older, above 0 where it is newer."""
        if self.epoch != other.epoch:
            return -1 if self.epoch < other.epoch else 1
        found = compare_versions(self.version, other.version)
        if found or self.release is None or other.release is None:
            return found
        return compare_versions(self.release, other.release)


def compare_versions(one: str, other: str) -> int:
    """Below 0 where the first is older, above 0 where it is newer: a version or a release, without the rest."""
    for mine, theirs in zip_longest(_PARTS.findall(one), _PARTS.findall(other)):
        if mine != theirs:
            found = _compare_parts(mine, theirs)
            if found:
                return found
    return 0


def _compare_parts(mine: str | None, theirs: str | None) -> int:
    # In this order: "~" is older than the end, the end is older than "^", and that is older than all else.
    for mark in ("~", None, "^"):
        if mark in (mine, theirs):
            return -1 if mine == mark else 1
    assert mine is not None
    assert theirs is not None
    if mine.isdigit() and theirs.isdigit():
        return (int(mine) > int(theirs)) - (int(mine) < int(theirs))
    if mine.isdigit() != theirs.isdigit():
        return 1 if mine.isdigit() else -1
    return (mine > theirs) - (mine < theirs)
