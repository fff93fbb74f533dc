"""Answers that come later: given back by a call in the place of its answer, so that no thread waits with it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Callable


@dataclass(frozen=True)
class AtEnd:
    """To be answered when something has ended, or when the patience does. None of this may wait.

    Args:
        end: comes on whatever thread: of a command, or of a look-up.
        patience_s: how long to wait for it, in seconds.
        answer: makes the answer, on the port's thread. It may be another one that comes later.
    """

    end: Future[Any]
    patience_s: float
    answer: Callable[[], object]


@dataclass(frozen=True)
class Later:
    """To be answered as soon as there is news, or when the patience ends. None of this may wait.

    Args:
        is_due: whether there is news.
        patience_s: how long to wait for it, in seconds.
        answer: makes the answer.
    """

    is_due: Callable[[], bool]
    patience_s: float
    answer: Callable[[], object]
