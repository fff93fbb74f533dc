#!/usr/bin/env python3
"""Adds packages to a tree of yum repositories, one for each release of Enterprise Linux, and signs them.

    python3 packaging/repository/publish.py TREE RPM... --key NAME [--keep N] [--allow-older]

At every instant a reader sees the tree as it was before or as it is afterwards, also after a power failure.
packaging/repository/README.md has the rules.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from yumtree import metadata, packages
from yumtree.packages import Package
from yumtree.plan import DAMAGED, NOTHING, Plan, Rules, twice, uncommitted
from yumtree.program import run_program
from yumtree.signing import Key, make_key_database
from yumtree.tools import ToolError, TroubleError, need_tools
from yumtree.tree import Tree

KEEP = 5

_FULL = (
    "The disk of {} is full. Nothing was published, and what was published is whole. Make room, then run this again. "
    "What failed was: {}"
)


def main() -> int:
    arguments = _parser().parse_args()
    # Web servers read the tree as another user.
    os.umask(0o022)
    # rpm takes no relative path for its key database.
    tree = Tree(arguments.tree.absolute())
    return run_program(
        "publish",
        tree.folder,
        lambda: publish(
            tree, arguments.rpms, arguments.key, Rules(arguments.keep, allow_older=arguments.allow_older)
        ),
    )


def publish(tree: Tree, rpms: Sequence[Path], key_name: str, rules: Rules) -> None:
    """Add these packages. Raises TroubleError, with everything left as readers saw it, where that cannot be done."""
    need_tools("createrepo_c", "gpg", "rpm", "rpmkeys", "rpmsign")
    with tree.locked():
        tree.mend()
        try:
            with tree.workshop() as work:
                try:
                    plans = _add(tree, rpms, Key.find(key_name), rules, work)
                except ToolError as trouble:
                    raise (
                        trouble if tree.has_room else TroubleError(_FULL.format(tree.folder, trouble))
                    ) from None
        finally:
            tree.mend()
    for plan in plans:
        for warning in plan.warnings():
            print(f"publish: {warning}", file=sys.stderr)
        print(plan.report())


def _add(tree: Tree, rpms: Sequence[Path], key: Key, rules: Rules, work: Path) -> list[Plan]:
    given = _take_in(rpms, work)
    plans = _plans(tree, given, rules, work)
    faults = [] if rules.allow_uncommitted else uncommitted(given)
    _refuse([*faults, *twice(given), *(fault for plan in plans for fault in plan.refusals())])
    public = tree.export_key(key, work)
    _sign(plans, key, make_key_database(work / "keys", public), work)
    for plan in plans:
        if plan.changes:
            plan.made = metadata.make(work / plan.repository.place.replace("/", "-"), plan.stay, key)
    tree.put_key(public)
    _put_in([plan for plan in plans if plan.changes])
    return plans


def _take_in(rpms: Sequence[Path], work: Path) -> list[Package]:
    """Read what was given. All that is wrong with any of them is said at once."""
    copies = work / "given"
    copies.mkdir()
    taken: list[Package] = []
    faults: list[str] = []
    for number, rpm in enumerate(rpms):
        try:
            taken.append(packages.take_in(rpm, copies / f"{number}.rpm"))
        except TroubleError as fault:
            faults.append(str(fault))
    _refuse(faults)
    return taken


def _plans(tree: Tree, given: Sequence[Package], rules: Rules, work: Path) -> list[Plan]:
    """One for each repository that is there or gets something."""
    plans = []
    for place, repository in tree.repositories.items():
        # The same file may be given twice.
        belonging = list({package.file_name: package for package in given if package.place == place}.values())
        if belonging or repository.current:
            plans.append(Plan(repository, belonging, rules, work))
    return plans


def _sign(plans: Sequence[Plan], key: Key, keys: Path, work: Path) -> None:
    """Sign what is new, and see that all that will be listed is whole and signed by this key."""
    for plan in plans:
        for package in plan.new:
            key.sign_package(package.path, work)
    bad = [words for plan in plans for words in plan.unsigned_or_damaged(keys)]
    if bad:
        raise ToolError("\n".join([DAMAGED, *bad, NOTHING]))


def _put_in(plans: Sequence[Plan]) -> None:
    generations = [plan.repository.add_generation(plan.made) for plan in plans]
    for plan in plans:
        plan.repository.add_packages(plan.new)
    for plan, generation in zip(plans, generations):
        plan.repository.switch(generation)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise TroubleError("\n".join([*faults, NOTHING]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="publish.py",
        description="Adds RPMs to a tree of yum repositories, signs them, and refreshes the metadata.",
    )
    parser.add_argument(
        "tree", metavar="TREE", type=Path, help="the folder with the repositories; made if need be"
    )
    parser.add_argument("rpms", metavar="RPM", type=Path, nargs="+", help="a package, for .el9 or .el10")
    parser.add_argument(
        "--key", metavar="NAME", type=_name, required=True, help="the secret key that signs, as gpg has it"
    )
    parser.add_argument(
        "--keep",
        metavar="N",
        type=count,
        default=KEEP,
        help="how many versions of a package stay (default: %(default)s)",
    )
    parser.add_argument("--allow-older", action="store_true", help="take versions that go backwards")
    return parser


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; it should name a key")
    return text


def count(text: str) -> int:
    """How many versions stay, as a person gave it."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
