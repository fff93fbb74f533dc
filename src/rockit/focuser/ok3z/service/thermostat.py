"""The thread that asks a thermometer every ASK_EVERY_S, and has a `Temperature` look at what it says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Callable

from ..errors import BusyError, ThermometerError
from .focuser import Focuser
from .history import Asker
from .status import Snapshot
from .temperature import DOOR, TERM, Answer, Temperature
from .temperature_model import Reading
from .terms import wanted

_log = logging.getLogger(__name__)

ASK_EVERY_S = 10.0
# And so often within the time for which a reading counts: one answer that is lost is no trouble.
ASKED_WITHIN_OLDEST = 10


class FollowedFocuser:
    """A focuser, as its temperature sees it (`temperature.Focus`).

    Args:
        focuser: the service.
    """

    def __init__(self, focuser: Focuser) -> None:
        self._focuser = focuser

    @property
    def snapshot(self) -> Snapshot:
        return self._focuser.snapshot

    def why_held(self) -> str:
        held = self._focuser.holds.why_held()
        return held.reason if held else ""

    def left_alone_s(self) -> float:
        return self._focuser.history.left_alone_s()

    def terms_mm(self) -> Mapping[str, float]:
        return {term.name: term.mm for term in self._focuser.terms()}

    def correct(self, mm: float, least_quiet_s: float) -> Future[None]:
        def require() -> None:
            # On the thread that moves it: between the decision and this somebody may have come and gone.
            if self._focuser.history.left_alone_s() < least_quiet_s:
                raise BusyError("somebody has moved the focuser meanwhile.")

        asker = Asker(door=DOOR)
        return self._focuser.change_term(wanted(TERM, TERM, mm), asker, require).ended


class Thermostat:
    """The thread that asks a thermometer and has a Temperature look.

    Args:
        temperature: what looks.
        ask: asks the thermometer: the value, and when it was measured; bounded in time. Raises ThermometerError.
    """

    def __init__(self, temperature: Temperature, ask: Callable[[], tuple[object, str]]) -> None:
        self._temperature = temperature
        self._ask = ask
        self._every_s = min(ASK_EVERY_S, temperature.rules.oldest_s / ASKED_WITHIN_OLDEST)
        self._woken = threading.Event()
        self._ends = False
        temperature.wake = self._woken.set
        self._thread = threading.Thread(target=self._work, name="temperature", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more. Does not wait: it may be asking."""
        self._ends = True
        self._woken.set()

    def _work(self) -> None:
        while not self._ends:
            self._woken.clear()
            try:
                answer: Answer = Reading(*self._ask())
            except ThermometerError as error:
                answer = error
            except Exception as error:
                _log.exception("a mistake in this program, while the thermometer was asked")
                answer = ThermometerError(f"the daemon made a mistake ({type(error).__name__}).")
            if self._ends:
                return
            try:
                self._temperature.look(answer)
            except Exception:
                # What is published grows old, which says so.
                _log.exception("a mistake in this program, with the temperature")
            self._woken.wait(self._every_s)
