"""Published numbers and labels. Clients compare against these: they never change."""

from __future__ import annotations

import re
from typing import ClassVar

# Of every moment that is published.
UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_UTC_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z", re.ASCII)

# At rest the daemon reads the position about once a second; older than this, something is in its way.
STALE_READING_S = 3.0


def utc_for_people(published: str) -> str:
    """`2026-11-22T20:00:00Z` as `2026-11-22 20:00:00 UTC`; anything else as it is."""
    return _UTC_TIME.sub(r"\1 \2 UTC", published)


class CommandStatus:
    """What a Pyro command returns, and what `focus` exits with (modulo 256)."""

    Succeeded = 0
    Failed = 1
    Blocked = 2
    InvalidControlIP = 3
    PositionOutsideLimits = 6
    NotConnected = 7
    NotDisconnected = 8

    # Made by the client, never by the daemon.
    TerminatedByUser = -100
    CommunicationFailed = -101

    _messages: ClassVar[dict[int, str]] = {
        Failed: "error: command failed",
        Blocked: "error: another command is already running",
        InvalidControlIP: "error: command not accepted from this IP",
        PositionOutsideLimits: "error: requested position outside range",
        NotConnected: "error: focuser is not connected",
        NotDisconnected: "error: focuser is already connected",
        TerminatedByUser: "error: terminated by user",
        CommunicationFailed: "error: unable to communicate with focus daemon",
    }

    @classmethod
    def message(cls, code: int) -> str:
        """The sentence for a code; empty for success, and never a raise for a code of tomorrow."""
        if code == cls.Succeeded:
            return ""
        return cls._messages.get(code, f"error: unknown error code {code}")


class FocuserStatus:
    """The `status` of a report: is there a focuser with a known position, and does it move?"""

    Disabled = 0
    # By the name that its label has.
    Offline = Disabled
    Idle = 1
    Moving = 2

    _labels: ClassVar[dict[int, str]] = {Disabled: "OFFLINE", Idle: "IDLE", Moving: "MOVING"}
    _colours: ClassVar[dict[int, str]] = {Disabled: "red", Idle: "default", Moving: "yellow"}

    @classmethod
    def label(cls, status: int, formatting: bool = False) -> str:
        """The label of a status; with `formatting`, wrapped in rich markup (bold, coloured)."""
        label = cls._labels.get(status, "UNKNOWN")
        if not formatting:
            return label
        return f"[b][{cls._colours.get(status, 'red')}]{label}[/][/b]"
