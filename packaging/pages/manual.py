"""Writes the manual page of a program, in the man(7) macros."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rockit.focuser.ok3z.version import VERSION

from .description import Command, Example, Option, Positional
from .roff import bold, escaped, italic, prose, usage
from .words import Words

PROJECT = "focusd"
Lines = Iterator[str]


def page(program: Command, words: Words, date: str) -> str:
    """The page of a program; `date` as YYYY-MM-DD."""
    return "\n".join(_lines(program, words, date)) + "\n"


def _lines(program: Command, words: Words, date: str) -> Lines:
    title = program.name.upper().replace("-", "\\-")
    yield '.\\" Made by packaging/pages from the parser of the command: do not edit.'
    yield f'.TH {title} {words.section} {date} "{PROJECT} {VERSION}"'
    yield ".SH NAME"
    yield f"{escaped(program.name)} \\- {escaped(_name_line(program))}"
    yield ".SH SYNOPSIS"
    yield from _synopsis([program, *program.commands])
    yield ".SH DESCRIPTION"
    yield from _paragraphs([*words.description, *program.notes])
    yield ".SH OPTIONS"
    yield from _arguments(program.positionals, program.groups[0].options)
    for group in program.groups[1:]:
        yield f".SS {_title(group.title)}"
        yield from _arguments((), group.options)
    if program.commands:
        yield ".SH COMMANDS"
        for command in program.commands:
            yield from _command(command, program.options)
    yield ".SH EXIT STATUS"
    yield from _terms((str(code), meaning) for code, meaning in sorted(words.exit_status.items()))
    yield ".SH FILES"
    yield from _terms(words.files)
    if words.environment:
        yield ".SH ENVIRONMENT"
        yield from _terms(words.environment)
    yield ".SH EXAMPLES"
    yield from _examples([*program.examples, *words.examples])
    yield ".SH SEE ALSO"
    yield prose(", ".join(words.see_also))


def _name_line(program: Command) -> str:
    """The description as an index of pages has it: a clause."""
    first = " ".join(program.description[:1]).rstrip(".")
    return first[:1].lower() + first[1:]


def _title(text: str) -> str:
    return f'"{escaped(text[:1].upper() + text[1:])}"'


def _synopsis(commands: Sequence[Command]) -> Lines:
    yield ".nf"
    for command in commands:
        for line in command.usage:
            yield usage(command.words, line)
    yield ".fi"


def _paragraphs(texts: Iterable[str]) -> Lines:
    for at, text in enumerate(texts):
        if at:
            yield ".PP"
        yield prose(text)


def _command(command: Command, common: Sequence[Option]) -> Lines:
    """A sub-command. Options that mean the same for the whole program are told there."""
    yield f".SS {_title_of_command(command)}"
    yield from _paragraphs([*command.description, *command.notes])
    yield from _arguments(command.positionals, [each for each in command.options if each not in common])
    yield from _block(_example(each) for each in command.examples if each.line != command.words)


def _title_of_command(command: Command) -> str:
    what = f" \\- {escaped(command.summary)}" if command.summary else ""
    return f'"{escaped(command.words)}{what}"'


def _arguments(positionals: Iterable[Positional], options: Iterable[Option]) -> Lines:
    for positional in positionals:
        yield from _term(italic(positional.value.shown), positional.help, positional.value.choices)
    for option in options:
        named = ", ".join(bold(name) for name in option.names)
        values = " ".join(italic(value.shown) for value in option.values)
        choices = [choice for value in option.values[:1] for choice in value.choices]
        yield from _term(f"{named} {values}".rstrip(), _with_rivals(option), choices)


def _with_rivals(option: Option) -> str:
    if not option.rivals:
        return option.help
    return f"{option.help} (not with {' or '.join(option.rivals)})"


def _term(term: str, meaning: str, choices: Sequence[str] = ()) -> Lines:
    yield ".TP"
    yield term
    told = f"{meaning}; one of: {', '.join(choices)}" if choices else meaning
    # An item without a text would take the next paragraph for it.
    yield prose(told) or "\\&"


def _terms(entries: Iterable[tuple[str, str]]) -> Lines:
    for term, meaning in entries:
        yield from _term(bold(term), meaning)


def _examples(examples: Iterable[Example]) -> Lines:
    for example in examples:
        yield from _term(bold(example.line), example.meaning)


def _block(lines: Iterable[str]) -> Lines:
    """Lines that stay as they are, further in."""
    found = list(lines)
    if found:
        yield from (".PP", ".RS 4", ".EX", *found, ".EE", ".RE")


def _example(example: Example) -> str:
    return escaped(f"{example.line}  # {example.meaning}" if example.meaning else example.line)
