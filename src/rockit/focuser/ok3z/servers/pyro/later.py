"""An answer that waits for news: given back by a call in the place of its answer, so that no thread waits with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable


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
