"""Writes the completion of a program for bash."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from .description import Command, Value
from .tables import completed_values, excluded_by, filled_in, identifier, options

TEMPLATE = Path(__file__).with_name("template.bash")
INDENT = " " * 8


def completion(program: Command) -> str:
    """The text of the file."""
    filled = {
        "PROGRAM": shlex.quote(program.name),
        "ID": identifier(program),
        "HAS_COMMANDS": "1" if program.commands else "",
        "COMMANDS": _list(command.name for command in program.commands),
        "LOOK_UP": _cases(_look_up(program)),
        "OPTIONS": _cases(_options(program)),
        "VALUES": _cases(_values(program)),
        "POSITIONALS": _cases(_positionals(program)),
    }
    return filled_in(TEMPLATE, filled)


def _list(words: Iterable[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)


def _cases(cases: Iterable[tuple[str, str]]) -> str:
    """Branches of a `case`: a fixed text each, and what is done for it."""
    return "\n".join(f"{INDENT}{shlex.quote(text)}) {action} ;;" for text, action in cases)


def _look_up(program: Command) -> Iterator[tuple[str, str]]:
    for command, option in options(program):
        for name in option.names:
            excluded = _list(excluded_by(option))
            yield f"{command} {name}", f"takes={len(option.values)} excluded+=({excluded})"


def _options(program: Command) -> Iterator[tuple[str, str]]:
    for name, command in program.levels():
        names = [each for option in command.options for each in option.names]
        yield name, f"options=({_list(names)})"


def _values(program: Command) -> Iterator[tuple[str, str]]:
    for command, option in options(program):
        for name in option.names if option.values else ():
            yield from _offered(f"{command} {name}", option.values[0], identifier(program))


def _positionals(program: Command) -> Iterator[tuple[str, str]]:
    for command, place, value in completed_values(program):
        yield from _offered(f"{command} {place}", value, identifier(program))


def _offered(text: str, value: Value, name: str) -> Iterator[tuple[str, str]]:
    """Nothing where nobody can know the values."""
    if value.is_configuration:
        yield text, f"_{name}_configurations"
    elif value.choices:
        yield text, f"_{name}_offer {_list(value.choices)}"
