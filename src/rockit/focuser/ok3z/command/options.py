"""What was asked for on the command line. The plain commands are read here, all else in `arguments`."""

from __future__ import annotations

from collections.abc import Sequence

PLAIN_COMMANDS = ("stop", "status", "json", "init", "kill", "watch")

USAGE_STATUS = 255


class UsageError(Exception):
    """The command line cannot be read. The text is one line that says what to write instead."""


class Options:
    """A command, and what was given with it; None where it was not given."""

    def __init__(self, command: str = "") -> None:
        self.command = command
        self.config: str | None = None
        self.timeout_s: float | None = None
        self.number: Sequence[str] = ()


def read(words: Sequence[str]) -> Options:
    """The options of a command line. Raises UsageError; --help and --version print and raise SystemExit."""
    if len(words) == 1 and words[0] in PLAIN_COMMANDS:
        # Building argparse's parsers takes longer than a stop may be delayed for nothing.
        return Options(words[0])
    from .arguments import parse

    return parse(words)
