"""Which versions of a package stay in a repository."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from yumtree.packages import Package
from yumtree.versions import Evr


def newest(packages: Iterable[Package], name: str) -> Package | None:
    """The newest package of this name."""
    return max(
        (package for package in packages if package.name == name), key=lambda found: found.evr, default=None
    )


def retained(packages: Collection[Package], keep: int, wanted: Collection[Package]) -> list[Package]:
    """The last `keep` versions of each name, what the newest ones need, and what is wanted all the same."""
    stay = [package for package in packages if package in wanted or _rank(package, packages) < keep]
    asking = [package for package in stay if _rank(package, packages) == 0]
    while asking:
        needed = _needed(asking.pop(), stay, packages)
        stay += needed
        asking += needed
    return [package for package in packages if package in stay]


def _rank(package: Package, packages: Iterable[Package]) -> int:
    """How many versions of its name are newer."""
    newer: list[Evr] = []
    for other in packages:
        if other.name == package.name and other.evr > package.evr and other.evr not in newer:
            newer.append(other.evr)
    return len(newer)


def _needed(package: Package, stay: Collection[Package], packages: Iterable[Package]) -> list[Package]:
    """Those that would go, but alone meet a requirement of this package. Others' packages are not our concern."""
    needed: list[Package] = []
    for requirement in package.requires:
        meeting = [
            other for other in packages if any(requirement.is_met_by(provided) for provided in other.provides)
        ]
        if meeting and not any(other in stay or other in needed for other in meeting):
            needed.append(max(meeting, key=lambda other: other.evr))
    return needed
