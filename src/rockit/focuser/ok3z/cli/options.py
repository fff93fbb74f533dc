"""What was asked for on the command line. It is read by `arguments`, but for the plain commands."""

from __future__ import annotations

from collections.abc import Sequence

from ..constants import CommandStatus

PLAIN_COMMANDS = ("stop", "status", "json", "init", "audit", "kill", "record", "watch")

# Those that can be given to several focusers at once.
COMMANDS_FOR_SEVERAL = ("status", "json", "stop")

USAGE_STATUS = 255
EXIT_CODES = 256


class UsageError(Exception):
    """The command line cannot be read. The text is one line that says what to write instead."""


class Options:
    """A command, and what was given with it; None if it was not given."""

    def __init__(self, command: str = "") -> None:
        self.command = command
        self.config: str | None = None
        self.timeout_s: float | None = None
        self.all = False
        self.daemon: str | None = None
        # What of the command line was not understood, and did not keep the command from its work.
        self.ignored: list[str] = []
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
        # Of terms.
        self.words: Sequence[str] = ()
        self.owner = ""
        self.ttl_s: float | None = None
        self.clear = ""

    @property
    def means_several(self) -> bool:
        """Whether focusers of the phone book are meant, and not that of a configuration."""
        return self.all or self.daemon is not None


def exit_code(status: int) -> int:
    """The exit code of a status, 0 to 255. Of an odd daemon's no failure looks like a success."""
    return status % EXIT_CODES or (CommandStatus.Failed if status else CommandStatus.Succeeded)
