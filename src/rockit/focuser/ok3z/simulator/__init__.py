"""A virtual OK3Z at the level of bytes: for tests, for demonstrations, and for trying what goes wrong.

It knows the controller from docs/protocol.md and shares no code with the driver. Three ways in:

- `VirtualOK3Z(clock, **options)` in a test, opened through `registered(name, model)`;
- the pyserial URL `sim://?option=value&...`, once this package's name is in
  `serial.protocol_handler_packages`;
- the program `ok3z-simulator`, which puts it on a pseudo-terminal.
"""

from __future__ import annotations

from .clock import Clock, SystemClock, VirtualClock
from .controller import HungUpError, VirtualOK3Z
from .models import forget_all, register, registered, unregister
from .options import STEPS_PER_MM, OptionError, Options

__all__ = [
    "STEPS_PER_MM",
    "Clock",
    "HungUpError",
    "OptionError",
    "Options",
    "SystemClock",
    "VirtualClock",
    "VirtualOK3Z",
    "forget_all",
    "register",
    "registered",
    "unregister",
]
