"""What the temperature tells the history: what it is, now and then; what it would have done; and each reference."""

from __future__ import annotations

from typing import Callable

from ..storage.history_file import Moment, Motion
from .history import NOBODY, Asker

# A row of the history tells the temperature so often, or as soon as it has changed by so much, but not more often.
RECORD_S, RECORD_K, LEAST_RECORD_S = 3600.0, 0.25, 300.0


class Rows:
    """Has rows written. Belongs to one thread.

    Args:
        moment: the moment, by both clocks.
        tell: has a row written into the history.
    """

    def __init__(self, moment: Callable[[], Moment], tell: Callable[[Motion], None]) -> None:
        self._moment = moment
        self._tell = tell
        self._recorded: tuple[float, float] | None = None

    def temperature(self, celsius: float, now_s: float) -> None:
        """The temperature at a moment of the monotonic clock: told if that was long ago, or if it has changed."""
        if self._recorded is not None:
            passed_s, changed_k = now_s - self._recorded[0], abs(celsius - self._recorded[1])
            if passed_s < RECORD_S and (passed_s < LEAST_RECORD_S or changed_k < RECORD_K):
                return
        self._recorded = now_s, celsius
        self.add("temperature", celsius, f"{celsius:.2f} °C.")

    def add(
        self,
        kind: str,
        celsius: float,
        sentence: str,
        asker: Asker = NOBODY,
        from_steps: int | None = None,
        target_steps: int | None = None,
        to_steps: int | None = None,
    ) -> None:
        """A row of now."""
        now = self._moment()
        self._tell(
            Motion(
                0,
                kind,
                now,
                now,
                from_steps,
                target_steps,
                to_steps,
                result=f"{celsius:.3f}",
                sentence=sentence,
                whole=sentence,
                address=asker.address,
                door=asker.door,
                why=asker.why,
            )
        )
