"""Writes the completion of a program for fish."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .description import Command, Option, Value
from .tables import completed_values, excluded_by, filled_in, identifier, options

TEMPLATE = Path(__file__).with_name("template.fish")


def completion(program: Command) -> str:
    """The text of the file."""
    filled = {
        "PROGRAM": quoted(program.name),
        "ID": identifier(program),
        "HAS_COMMANDS": "1" if program.commands else "",
        "TAKES": "\n".join(_takes(program)),
    }
    lines = [*_commands(program), *_options(program), *_positionals(program)]
    return filled_in(TEMPLATE, filled) + "".join(
        f"complete -c {quoted(program.name)} {line}\n" for line in lines
    )


def quoted(text: str) -> str:
    """Text as fish reads it back. Between its single quotes a backslash and a quote can be escaped."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _takes(program: Command) -> Iterator[str]:
    for command, option in options(program):
        if option.values:
            for name in option.names:
                yield f"        case {quoted(f'{command} {name}')}\n            echo {len(option.values)}"


def _commands(program: Command) -> Iterator[str]:
    for command in program.commands:
        condition = quoted(f"__{identifier(program)}_free ''")
        yield f"-n {condition} -a {_list([command.name])} -d {quoted(command.summary)}"


def _options(program: Command) -> Iterator[str]:
    for command, option in options(program):
        words = " ".join(quoted(each) for each in (command, *excluded_by(option)))
        condition = quoted(f"__{identifier(program)}_free {words}")
        yield f"-n {condition} {_names(option)}{_value(program, option)} -d {quoted(option.help)}"


def _names(option: Option) -> str:
    return " ".join(_name(name) for name in option.names)


def _name(name: str) -> str:
    if name.startswith("--"):
        return f"-l {quoted(name[2:])}"
    kind = "-s" if len(name) == 2 else "-o"
    return f"{kind} {quoted(name[1:])}"


def _value(program: Command, option: Option) -> str:
    return f" -x{_offered(program, option.values[0])}" if option.values else ""


def _positionals(program: Command) -> Iterator[str]:
    for command, place, value in completed_values(program):
        offered = _offered(program, value)
        if offered:
            condition = quoted(f"__{identifier(program)}_awaits {quoted(command)} {place}")
            yield f"-n {condition}{offered}"


def _offered(program: Command, value: Value) -> str:
    """Nothing where nobody can know the values."""
    if value.is_configuration:
        return f" -a '(__{identifier(program)}_configurations)'"
    return f" -a {_list(value.choices)}" if value.choices else ""


def _list(words: list[str] | tuple[str, ...]) -> str:
    """The words for -a, which fish reads as a piece of a command line once more."""
    return quoted(" ".join(quoted(word) for word in words))
