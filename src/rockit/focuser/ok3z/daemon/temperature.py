"""Puts together what follows the temperature, if that is configured: who is asked, who decides, and where it is kept.

Part of the composition root, beside `main`. What another daemon answers is bounded for the whole process: nothing else
in it takes more.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Callable

from ..client.thermometer import Thermometer
from ..client.unpacking import bounded_answers
from ..config.model import Config
from ..driver.clock import SystemClock
from ..service.focuser import Focuser
from ..service.temperature import Temperature
from ..service.temperature_model import Rules
from ..service.thermostat import FollowedFocuser, Thermostat
from ..storage.reference_file import ReferenceFile, path_beside


class Following:
    """Follows the temperature from `start` to `close`; nothing does if it is not configured. `focuser` is told.

    Args:
        config: whom to ask, and how to follow.
        focuser: the service.
        state_file: beside which the reference is kept; None: nowhere.
        announce: passes a message on to the observatory's log.
    """

    def __init__(
        self,
        config: Config,
        focuser: Focuser,
        state_file: Path | None,
        announce: Callable[[int, str], None],
    ) -> None:
        self._open = ExitStack()
        self._thermostat: Thermostat | None = None
        source = config.temperature
        if source is None:
            return
        rules = Rules(**{field.name: getattr(source, field.name) for field in fields(Rules)})
        temperature = Temperature(
            rules,
            FollowedFocuser(focuser),
            ReferenceFile(path_beside(state_file)),
            SystemClock(),
            focuser.history.moment,
            focuser.history.add,
            announce,
            config.focus_range_mm,
        )
        focuser.temperature = temperature
        thermometer = Thermometer(source.daemon, source.method, source.key)
        self._thermostat = Thermostat(temperature, thermometer.read)

    def start(self) -> None:
        """Begin."""
        if self._thermostat is not None:
            self._open.enter_context(bounded_answers())
            self._thermostat.start()

    def close(self) -> None:
        """Move nothing any more."""
        if self._thermostat is not None:
            self._thermostat.close()
            self._open.close()
