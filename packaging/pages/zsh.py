"""Writes the completion of a program for zsh, in the language of its function _arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .description import Command, Option, Positional, Value
from .tables import excluded_by, filled_in, identifier

TEMPLATE = Path(__file__).with_name("template.zsh")


def completion(program: Command) -> str:
    """The text of the file."""
    values = _Values(identifier(program))
    body = list(_with_commands(program, values) if program.commands else _call(_arguments(program, values)))
    filled = {
        "PROGRAM": program.name,
        "ID": identifier(program),
        "BODY": "\n".join(body),
        "VALUES": "\n".join(values.functions()),
    }
    return filled_in(TEMPLATE, filled)


def quoted(text: str) -> str:
    """Text in single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


class _Values:
    """Functions that offer the values of options and positional arguments.

    _arguments evaluates what it is told to do: a name of a function is safe there, whatever the values are.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._bodies: list[str] = []

    def function(self, value: Value, message: str) -> str:
        """The name of the function for a value; where nothing can be offered, it says the message."""
        if value.is_configuration:
            return f"_{self._prefix}_configurations"
        if value.choices:
            body = f'compadd "$@" -- {" ".join(quoted(each) for each in value.choices)}'
        else:
            # It is shown as a prompt is, in which percent signs mean something.
            body = f"_message -r {quoted(message.replace('%', '%%'))}"
        if body not in self._bodies:
            self._bodies.append(body)
        return self._name(self._bodies.index(body))

    def functions(self) -> Iterator[str]:
        """Their definitions."""
        for number, body in enumerate(self._bodies):
            yield f"{self._name(number)}() {{ {body} }}"

    def _name(self, number: int) -> str:
        return f"_{self._prefix}_value_{number}"


def _with_commands(program: Command, values: _Values) -> Iterator[str]:
    described = (quoted(f"{_plain(each.name)}:{each.summary}") for each in program.commands)
    yield "  local -a commands=("
    yield from (f"    {each}" for each in described)
    yield "  )"
    yield from _call(
        [*_options(program, values), "1: :->command", "*:: :->words"], begin="_arguments -C -S :"
    )
    yield "  local -i answer=$?"
    yield "  case $state in"
    yield f"    command) _describe -t commands {quoted(f'{program.name} command')} commands && answer=0 ;;"
    yield "    words)"
    yield "      case ${(Q)line[1]} in"
    for command in program.commands:
        yield f"        {quoted(command.name)})"
        yield from _call(_arguments(command, values), indent=" " * 10)
        yield "          answer=$?"
        yield "          ;;"
    yield "      esac"
    yield "      ;;"
    yield "  esac"
    yield "  return answer"


def _call(specifications: Sequence[str], indent: str = "  ", begin: str = "_arguments -S :") -> Iterator[str]:
    """A call of _arguments. -S: nothing is an option behind `--`."""
    yield indent + " \\\n".join([begin, *(f"{indent}  {quoted(each)}" for each in specifications)])


def _arguments(command: Command, values: _Values) -> list[str]:
    positionals = [_positional(at, each, values) for at, each in enumerate(command.positionals)]
    return [*_options(command, values), *positionals]


def _options(command: Command, values: _Values) -> Iterator[str]:
    for option in command.options:
        for name in option.names:
            yield _option(option, name, values)


def _option(option: Option, name: str, values: _Values) -> str:
    excluded = " ".join(excluded_by(option)) if not option.ends else "- : *"
    before = f"({excluded})" if excluded else ""
    repeated = "*" if option.repeats else ""
    # A name of one letter has its value behind a space.
    sign = "=" if option.values and name.startswith("--") else ""
    offered = "".join(f": :{values.function(each, f'{each.shown}: {option.help}')}" for each in option.values)
    return f"{before}{repeated}{name}{sign}[{_bracketed(option.help)}]{offered}"


def _positional(at: int, positional: Positional, values: _Values) -> str:
    place = "*" if positional.many else str(at + 1)
    message = positional.help or positional.value.shown
    return f"{place}: :{values.function(positional.value, message)}"


def _bracketed(text: str) -> str:
    return re.sub(r"([\\\[\]])", r"\\\1", text)


def _plain(text: str) -> str:
    """Text that may hold colons, which part a specification."""
    return re.sub(r"([\\:])", r"\\\1", text)
