"""Reads an argparse parser into a description. Nothing else here knows argparse."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence

from .description import Command, Example, Option, OptionGroup, Positional, Value

# Both commands call it so.
CONFIGURATION = "config"
# Manuals have a section for these.
EXIT_CODES = re.compile(r"^Exit codes?:.*", re.DOTALL | re.MULTILINE)
EXAMPLES = re.compile(r"^examples?:(.*)$", re.IGNORECASE)
GAP = re.compile(r"\s{2,}")
REPEATING = (
    argparse._AppendAction,
    argparse._AppendConstAction,
    argparse._CountAction,
    argparse._ExtendAction,
)
ENDING = (argparse._HelpAction, argparse._VersionAction)


class UnreadableError(Exception):
    """A parser has something that the pages could not show. The text says what, and what to do."""


def read(parser: argparse.ArgumentParser, usage: Sequence[str] = ()) -> Command:
    """The description of a program; `usage` takes the place of its usage lines where argparse's would be wrong."""
    return _read(parser, parser.prog, parser.prog, "", usage)


def _read(
    parser: argparse.ArgumentParser, name: str, words: str, summary: str, usage: Sequence[str] = ()
) -> Command:
    chooser = next((each for each in parser._actions if isinstance(each, argparse._SubParsersAction)), None)
    groups = tuple(_groups(parser))
    positionals = tuple(_positional(parser, each) for each in parser._actions if _is_positional(each))
    chosen_by = "" if chooser is None else str(chooser.metavar or chooser.dest)
    notes, examples = _epilog(_expanded(parser, parser.epilog))
    return Command(
        name=name,
        words=words,
        summary=summary,
        description=_paragraphs(_expanded(parser, parser.description)),
        notes=notes,
        usage=_usage(words, usage or _own_usage(parser), groups, positionals, chosen_by),
        groups=groups,
        positionals=positionals,
        examples=examples,
        chosen_by=chosen_by,
        commands=() if chooser is None else tuple(_commands(chooser, words)),
    )


def _commands(chooser: argparse._SubParsersAction[argparse.ArgumentParser], words: str) -> Iterable[Command]:
    summaries = {str(each.dest): each.help or "" for each in chooser._choices_actions}
    for name, parser in chooser.choices.items():
        if any(isinstance(each, argparse._SubParsersAction) for each in parser._actions):
            raise UnreadableError(
                f"`{words} {name}` has commands of its own: teach packaging/pages about them."
            )
        yield _read(parser, name, f"{words} {name}", summaries.get(name, ""))


# Options


def _groups(parser: argparse.ArgumentParser) -> Iterable[OptionGroup]:
    plain = (parser._positionals, parser._optionals)
    yield OptionGroup("", tuple(_options(parser, parser._optionals)))
    for group in parser._action_groups:
        if group not in plain:
            yield OptionGroup(group.title or "", tuple(_options(parser, group)))


def _options(parser: argparse.ArgumentParser, group: argparse._ArgumentGroup) -> Iterable[Option]:
    for action in group._group_actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            yield Option(
                names=tuple(action.option_strings),
                values=_values(action),
                help=_help(parser, action),
                rivals=_rivals(parser, action),
                repeats=isinstance(action, REPEATING),
                ends=isinstance(action, ENDING),
            )


def _rivals(parser: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, ...]:
    return tuple(
        name
        for group in parser._mutually_exclusive_groups
        if action in group._group_actions
        for other in group._group_actions
        if other is not action
        for name in other.option_strings
    )


def _values(action: argparse.Action) -> tuple[Value, ...]:
    count = 1 if action.nargs is None else action.nargs
    if not isinstance(count, int):
        raise UnreadableError(
            f"{action.option_strings[0]} takes a number of values that varies ({count!r}): "
            "teach packaging/pages about it, or give it a fixed number."
        )
    shown = action.metavar if isinstance(action.metavar, tuple) else (_shown(action),) * count
    return tuple(_value(action, each) for each in shown[:count])


def _value(action: argparse.Action, shown: str) -> Value:
    choices = tuple(str(choice) for choice in action.choices or ())
    return Value(shown, choices, action.dest == CONFIGURATION)


def _shown(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    return action.dest.upper() if action.option_strings else action.dest


# Positional arguments


def _is_positional(action: argparse.Action) -> bool:
    return not action.option_strings and not isinstance(action, argparse._SubParsersAction)


def _positional(parser: argparse.ArgumentParser, action: argparse.Action) -> Positional:
    return Positional(
        _value(action, _shown(action)), _help(parser, action), many=action.nargs in ("*", "+", "...")
    )


# Usage


def _own_usage(parser: argparse.ArgumentParser) -> list[str]:
    return _expanded(parser, parser.usage).splitlines()


def _usage(
    words: str,
    given: Sequence[str],
    groups: Sequence[OptionGroup],
    positionals: Sequence[Positional],
    chosen_by: str,
) -> tuple[str, ...]:
    """The usage that somebody wrote, with the options that it forgot; where nobody did, one that is made."""
    parts = []
    told: set[str] = set(re.findall(r"(?<![\w-])--?\w[\w-]*", " ".join(given)))
    for option in groups[0].options:
        if option.ends or told.intersection(option.names):
            continue
        rivals = [each for each in groups[0].options if set(each.names) & set(option.rivals)]
        parts.append("[" + " | ".join(_as_typed(each) for each in (option, *rivals)) + "]")
        told.update(*(each.names for each in (option, *rivals)))
    if given:
        return (" ".join([given[0].strip(), *parts]), *(line.strip() for line in given[1:]))
    if len(groups) > 1:
        parts.append("[option ...]")
    parts += [f"[{each.value.shown} ...]" if each.many else each.value.shown for each in positionals]
    if chosen_by:
        parts.append(f"{chosen_by} ...")
    ends = [each.names[-1] for each in groups[0].options if each.ends]
    return (" ".join([words, *parts]), *([f"{words} {' | '.join(ends)}"] if ends else []))


def _as_typed(option: Option) -> str:
    return " ".join([option.names[-1], *(value.shown for value in option.values)])


# Texts


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if not action.help:
        return ""
    known = {**vars(action), "prog": parser.prog}
    return " ".join((action.help % known).split())


def _expanded(parser: argparse.ArgumentParser, text: str | None) -> str:
    return (text or "").replace("%(prog)s", parser.prog)


def _paragraphs(text: str) -> tuple[str, ...]:
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", text))
    return tuple(block for block in blocks if block)


def _epilog(text: str) -> tuple[tuple[str, ...], tuple[Example, ...]]:
    """What stands below the options: paragraphs, and the lines under (or behind) the word `examples:`."""
    prose: list[str] = []
    examples: list[Example] = []
    among_examples = False
    for line in EXIT_CODES.sub("", text).splitlines():
        title = EXAMPLES.match(line)
        among_examples = bool(title) or (among_examples and line[:1] in ("", " "))
        if not among_examples:
            prose.append(line)
            continue
        typed, _, meaning = GAP.sub("\n", (title.group(1) if title else line).strip()).partition("\n")
        if typed:
            examples.append(Example(typed, meaning.replace("\n", " ")))
    return _paragraphs("\n".join(prose)), tuple(examples)
