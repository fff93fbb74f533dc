"""The thread that asks a thermometer every ASK_EVERY_S, and has a `Temperature` look at what it says."""

from __future__ import annotations

import logging
import threading
from typing import Callable

from ..errors import ThermometerError
from .temperature import Answer, Temperature
from .temperature_model import Reading

_log = logging.getLogger(__name__)

ASK_EVERY_S = 10.0


class Thermostat:
    """The thread that asks a thermometer and has a Temperature look.

    Args:
        temperature: what looks.
        ask: asks the thermometer: the value, and when it was measured; bounded in time. Raises ThermometerError.
    """

    def __init__(self, temperature: Temperature, ask: Callable[[], tuple[object, str]]) -> None:
        self._temperature = temperature
        self._ask = ask
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
            self._woken.wait(ASK_EVERY_S)
