"""The programs push and pull, which differ in the direction only."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from yumtree.program import run_program
from yumtree.ssh import KNOWN_HOSTS, SSH_KEY, TARGET, Access
from yumtree.tools import TroubleError
from yumtree.transfer import SILENCE_BOUND_S, End
from yumtree.tree import Tree


def main(name: str, what: str, move: Callable[[Tree, End, Access, int], None]) -> int:
    """Read the arguments, and move a tree."""
    arguments = _parser(name, what).parse_args()
    os.umask(0o022)
    tree = Tree(arguments.tree.absolute())

    def work() -> None:
        target = arguments.target or os.environ.get(TARGET, "")
        if not target:
            raise TroubleError(f"There is no target. Give one, or set {TARGET}.")
        move(tree, End.parse(target), Access.from_environment(), arguments.timeout)

    return run_program(name, tree.folder, work)


def _parser(name: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name,
        description=what,
        epilog=f"{SSH_KEY} and {KNOWN_HOSTS}, if set, hold a private key and the hosts that it is for.",
    )
    parser.add_argument("tree", metavar="TREE", type=Path, help="the tree on this machine")
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help=f"a folder, or user@host:/folder (default: ${TARGET})"
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=int,
        default=SILENCE_BOUND_S,
        help="how long the line may be silent, in seconds (default: %(default)s)",
    )
    return parser
