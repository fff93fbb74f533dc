"""What follows the temperature, on paper: it takes references, or refuses them, and always says the same."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from rockit.focuser.ok3z.errors import FocuserError, Sentence, whole
from rockit.focuser.ok3z.service.history import Asker
from rockit.focuser.ok3z.service.temperature_model import Rules

SAYS = Sentence("the thermometer gives no answer.", "the thermometer at 10.2.5.9:9000 gives no answer.")


class PaperTemperature:
    """Stands for a `Temperature`.

    Args:
        failure: why no reference is set.
        hangs: it is never known whether one is.
    """

    def __init__(self, failure: FocuserError | None = None, hangs: bool = False) -> None:
        self.rules = Rules(-0.03)
        self.askers: list[Asker] = []
        self.begun: list[Future[None]] = []
        self._failure = failure
        self._hangs = hangs

    def begin_set_reference(self, asker: Asker) -> Future[None]:
        self.askers.append(asker)
        done: Future[None] = Future()
        self.begun.append(done)
        if self._failure is not None:
            done.set_exception(self._failure)
        elif not self._hangs:
            done.set_result(None)
        return done

    def published(self, may_control: bool) -> dict[str, Any]:
        says = whole(SAYS) if may_control else str(SAYS)
        return {"active": False, "state": "frozen", "says": says, "celsius": 7.5, "term_mm": None}
