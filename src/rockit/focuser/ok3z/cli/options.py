"""What was asked for on the command line. It is read by `arguments`, but for the plain commands."""

from __future__ import annotations

from collections.abc import Sequence

PLAIN_COMMANDS = ("stop", "status", "json", "init", "audit", "kill", "record", "watch")

USAGE_STATUS = 255


class UsageError(Exception):
    """The command line cannot be read. The text is one line that says what to write instead."""


class Options:
    """A command, and what was given with it; None if it was not given."""

    def __init__(self, command: str = "") -> None:
        self.command = command
        self.config: str | None = None
        self.timeout_s: float | None = None
        self.number: Sequence[str] = ()
        self.resume = False
        self.restore = False
        self.new_controller = False
        self.why = ""
        self.wait_s = 0.0
        # Of the history and of holds.
        self.since = ""
        self.csv = False
        self.json = False
        self.t0 = self.t1 = ""
        self.seconds = 0.0
        self.name = ""
        self.token = ""
        self.program: Sequence[str] = ()
