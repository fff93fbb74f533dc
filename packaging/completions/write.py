"""Writes the completions of focus and focusd for bash, zsh and fish: what shtab makes of the parsers of the commands.

    .venv/bin/python packaging/completions/write.py [FOLDER]

FOLDER is this one by default. What is in it is packed as it stands, for the build of a package has no shtab.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import shtab

from rockit.focuser.ok3z.cli import arguments
from rockit.focuser.ok3z.daemon import main as daemon

# For zsh shtab 1.13 writes (*.json), which zsh takes for qualifiers of a pattern, and then finds nothing.
CONFIGURATIONS = {**shtab.glob("*.json"), "zsh": "_path_files -/ -g '*.json'"}
FILES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}


def prepare(parser: argparse.ArgumentParser) -> None:
    """Tell shtab which arguments are files, and to say of a command what `focus --help` says of it."""
    for action in parser._actions:
        if action.dest == "config":
            action.complete = CONFIGURATIONS  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                below = action.choices[listed.dest]
                below.description = listed.help
                prepare(below)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for parser in (arguments.new_parser(), daemon.new_parser()):
        prepare(parser)
        for shell, name in FILES.items():
            text = shtab.complete(parser, shell).rstrip("\n")
            (folder / name.format(parser.prog)).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
