"""The command: which files there are, what makes each, and how they come into their folders."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from . import bash, fish, manual, zsh
from .description import Command
from .parsers import parsers
from .reader import UnreadableError, read
from .words import WORDS, Words

USAGE = """\
usage: python3 packaging/pages DIR

Writes DIR/man and DIR/completions: manual pages and shell completions of the commands. Files of other names stay.
SOURCE_DATE_EPOCH, in seconds, is the date of the manual pages; without it, it is today.
"""
EXIT_FAILURE, EXIT_USAGE = 1, 2
COMPLETED = ("focus", "focusd")
FILE_MODE = 0o644


def main(arguments: Sequence[str]) -> int:
    """Write all files below the folder that is named. Returns the exit code."""
    if arguments in (["--help"], ["-h"]):
        print(USAGE, end="")
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(f"One folder is needed, to write into.\n{USAGE}", end="", file=sys.stderr)
        return EXIT_USAGE
    try:
        for path, text in pages(today()).items():
            _replace(Path(arguments[0]) / path, text)
    except UnreadableError as error:
        print(f"packaging/pages: {error}", file=sys.stderr)
        return EXIT_FAILURE
    except OSError as error:
        print(
            f"packaging/pages: {error.filename or arguments[0]} cannot be written: {error.strerror}. "
            "Name a folder that this user may write to.",
            file=sys.stderr,
        )
        return EXIT_FAILURE
    return 0


def today() -> str:
    """The date of the pages, UTC: the same source makes the same pages where SOURCE_DATE_EPOCH is set."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given and not (given.isascii() and given.isdigit()):
        raise SystemExit(f"packaging/pages: SOURCE_DATE_EPOCH is {given!r}, and not a number of seconds.")
    return time.strftime("%Y-%m-%d", time.gmtime(int(given) if given else None))


def pages(date: str) -> dict[str, str]:
    """Every file, by its path below the folder."""
    made = {}
    for name, parser in parsers().items():
        words = WORDS[name]
        made.update(pages_of(read(parser, words.usage), words, date))
    return made


def pages_of(program: Command, words: Words, date: str) -> dict[str, str]:
    """The files of one program, by path."""
    name = program.name
    made = {f"man/{name}.{words.section}": manual.page(program, words, date)}
    if name in COMPLETED:
        made[f"completions/{name}.bash"] = bash.completion(program)
        made[f"completions/_{name}"] = zsh.completion(program)
        made[f"completions/{name}.fish"] = fish.completion(program)
    return made


def _replace(path: Path, text: str) -> None:
    """Write a file so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, FILE_MODE)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
