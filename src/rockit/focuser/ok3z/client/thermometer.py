"""Asks another daemon of the site for a temperature, and believes nothing that it says: `temperature_model` judges.

One Pyro connection a question, bounded in time; `unpacking.bounded_answers` must hold, which bounds the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ThermometerError
from .calls import CallError, bound_proxy
from .report import printable, text_in

if TYPE_CHECKING:
    from ..config.site import RegisteredDaemon

# How long each piece of a question may take, in seconds: to connect, and to answer.
PATIENCE_S = 5.0
# What says that a value is none, in a daemon whose keys are always there.
VALID = "_valid"
DATE = "date"


class Thermometer:
    """A daemon that knows a temperature.

    Args:
        daemon: where it is.
        method: which of its methods tells it; called without arguments.
        key: the path to it in the answer, such as ("tube", "temperature"); a number is a place in a list.
    """

    def __init__(self, daemon: RegisteredDaemon, method: str, key: Sequence[str]) -> None:
        self._daemon = daemon
        self._method = method
        self._key = key

    def read(self) -> tuple[object, str]:
        """What it says now, whatever that is, and when that was measured; empty if it does not say.

        Raises ThermometerError.
        """
        return found(self._ask(), self._key)

    def _ask(self) -> object:
        where = f"{self._daemon.host}:{self._daemon.port}"
        try:
            with bound_proxy(self._daemon, PATIENCE_S) as proxy:
                return getattr(proxy, self._method)()
        except CallError as error:
            raise _no_answer(str(error)) from error
        except Exception as error:  # whatever the far side raised arrives here under its own class
            what = printable(f"{type(error).__name__}: {error}")
            raise _no_answer(f"{self._method} at {where}: {what}") from error


def found(answer: object, key: Sequence[str]) -> tuple[object, str]:
    """The value at a path in an answer, and the `date` beside it, or further out. Raises ThermometerError."""
    place, stamp = answer, ""
    for part in key:
        if isinstance(place, dict):
            stamp = text_in(place, DATE) or stamp
            if place.get(f"{part}{VALID}") is False:
                raise _useless(f"says that its {part} is not valid", "says that its temperature is not valid")
        place = _within(place, part)
    return place, stamp


def _within(place: Any, part: str) -> object:
    if isinstance(place, dict) and part in place:
        return place[part]
    if isinstance(place, (list, tuple)) and part.isdecimal() and len(part) < 10 and int(part) < len(place):
        return place[int(part)]
    raise _useless(f"gives an answer that has no {part}", "gives an answer without a temperature")


def _no_answer(why: str) -> ThermometerError:
    return _useless(f"gives no answer: {why.rstrip('.')}", "gives no answer")


def _useless(what: str, public: str) -> ThermometerError:
    return ThermometerError(f"the thermometer {what}.", public=f"the thermometer {public}.")
