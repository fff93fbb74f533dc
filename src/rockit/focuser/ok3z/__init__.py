"""The ASA OK3Z focuser: its configuration, the numbers its daemon answers with, and a client (docs/python.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .constants import CommandStatus, FocuserStatus

if TYPE_CHECKING:
    from .client.calls import (
        AnswerLostError,
        CallError,
        DaemonFaultError,
        DaemonUnreachableError,
        TimedOutError,
        TooOldError,
    )
    from .client.remote import CommandFailedError, RemoteFocuser, connect
    from .client.report import Status
    from .config.model import Config
    from .errors import (
        BusyError,
        ConfigError,
        FocuserError,
        InvalidArgumentError,
        NotConnectedError,
        NotPermittedError,
        OutsideLimitsError,
    )

__all__ = [
    "AnswerLostError",
    "BusyError",
    "CallError",
    "CommandFailedError",
    "CommandStatus",
    "Config",
    "ConfigError",
    "DaemonFaultError",
    "DaemonUnreachableError",
    "FocuserError",
    "FocuserStatus",
    "InvalidArgumentError",
    "NotConnectedError",
    "NotPermittedError",
    "OutsideLimitsError",
    "RemoteFocuser",
    "Status",
    "TimedOutError",
    "TooOldError",
    "connect",
]

# Loaded when they are asked for: the programs, which all begin here, must take hold of signals first. Those that take
# long to load come last.
_ROOMS = ("errors", "config.model", "client.report", "client.calls", "client.remote")


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        for room in _ROOMS:
            with_it = import_module(f".{room}", __name__)
            if hasattr(with_it, name):
                return getattr(with_it, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
