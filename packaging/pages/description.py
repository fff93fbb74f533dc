"""What a parser says, as plain data: all that the writers of manuals and completions know of a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """One value of an option, or a positional argument.

    Args:
        shown: how it is named for people, such as FILE.
        choices: the values that there are; empty where that is not known.
        is_configuration: whether it is the path of a configuration, a *.json file.
    """

    shown: str
    choices: tuple[str, ...] = ()
    is_configuration: bool = False


@dataclass(frozen=True)
class Option:
    """An option with all its names, and those of the options that it excludes.

    Args:
        names: the names, as they are written.
        values: the values that follow it; none of a switch.
        help: what it does.
        rivals: the names of all options that may not be given with it, its own not among them.
        repeats: whether it may be given more than once.
        ends: whether it only prints something, and ends: --help and --version.
    """

    names: tuple[str, ...]
    values: tuple[Value, ...]
    help: str
    rivals: tuple[str, ...] = ()
    repeats: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Positional:
    """A positional argument; `many`: any number of words."""

    value: Value
    help: str
    many: bool = False


@dataclass(frozen=True)
class OptionGroup:
    """Options under a title of their own; the first group of a command has none."""

    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Example:
    """A command line, and what it does; empty where nobody said."""

    line: str
    meaning: str


@dataclass(frozen=True)
class Command:
    """A program, or one of its sub-commands.

    Args:
        name: the program, or the sub-command alone.
        words: what is typed for it: `focus`, or `focus set`.
        summary: the few words that a list of commands has for it; empty of a program.
        description: paragraphs.
        notes: the paragraphs below the options, without the examples.
        usage: lines, each beginning with `words`.
        chosen_by: what stands for the sub-command in the usage; empty where there are none.
    """

    name: str
    words: str
    summary: str
    description: tuple[str, ...]
    notes: tuple[str, ...]
    usage: tuple[str, ...]
    groups: tuple[OptionGroup, ...]
    positionals: tuple[Positional, ...]
    examples: tuple[Example, ...]
    chosen_by: str
    commands: tuple[Command, ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of all groups."""
        return tuple(option for group in self.groups for option in group.options)

    def levels(self) -> Iterator[tuple[str, Command]]:
        """This program under the name "", and its sub-commands under theirs."""
        yield "", self
        for command in self.commands:
            yield command.name, command
