"""What the completions of all shells ask: per command, which options there are and what follows each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from .description import Command, Option, Value

PLACE = re.compile(r"@([A-Z_]+)@")


def identifier(program: Command) -> str:
    """The program's name as a part of names of shell functions."""
    return program.name.replace("-", "_")


def options(program: Command) -> Iterator[tuple[str, Option]]:
    """Every option, with the sub-command it belongs to; that is "" for the program itself."""
    for name, command in program.levels():
        for option in command.options:
            yield name, option


def excluded_by(option: Option) -> tuple[str, ...]:
    """The names that need not be offered any more once this option is on the line."""
    own = () if option.repeats else option.names
    return (*own, *option.rivals)


def completed_values(program: Command) -> Iterator[tuple[str, int, Value]]:
    """Sub-command, place and value of each positional argument."""
    for name, command in program.levels():
        for place, positional in enumerate(command.positionals):
            yield name, place, positional.value


def filled_in(template: Path, texts: Mapping[str, str]) -> str:
    """A template with a text at each @PLACE@. What is put in is not looked through for places."""
    return PLACE.sub(lambda place: texts[place.group(1)], template.read_text(encoding="utf-8"))
