"""The ASA OK3Z focuser: its configuration, and the numbers its daemon answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .constants import CommandStatus, FocuserStatus

if TYPE_CHECKING:
    from .config import Config

__all__ = ["CommandStatus", "Config", "FocuserStatus"]


def __getattr__(name: str) -> object:
    # Loaded when it is asked for: the programs, which all begin here, must take hold of signals first.
    if name == "Config":
        from .config import Config

        return Config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
