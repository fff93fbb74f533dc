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

# Loaded when they are asked for: the programs, which all begin here, must take hold of signals first.
_LATER = {
    "client.calls": (
        "AnswerLostError",
        "CallError",
        "DaemonFaultError",
        "DaemonUnreachableError",
        "TimedOutError",
        "TooOldError",
    ),
    "config.model": ("Config",),
    "errors": (
        "BusyError",
        "ConfigError",
        "FocuserError",
        "InvalidArgumentError",
        "NotConnectedError",
        "NotPermittedError",
        "OutsideLimitsError",
    ),
    "client.remote": ("CommandFailedError", "RemoteFocuser", "connect"),
    "client.report": ("Status",),
}


def __getattr__(name: str) -> object:
    for room, names in _LATER.items():
        if name in names:
            import importlib

            return getattr(importlib.import_module(f".{room}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
