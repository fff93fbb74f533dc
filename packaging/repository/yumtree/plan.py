"""What becomes of one repository of the tree, decided before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yumtree import packages, retention
from yumtree.packages import Package
from yumtree.repository import Repository
from yumtree.tools import ToolError, TroubleError

NOTHING = "Nothing was published."
DAMAGED = "These are damaged, or not signed by this key. Bring them back from a copy, or delete them; run this again:"


@dataclass(frozen=True)
class Rules:
    """What may be published, and how many versions of a package stay."""

    keep: int
    allow_older: bool = False
    allow_uncommitted: bool = True


class Plan:
    """The packages that a repository has, those that it gets, and those that stay listed."""

    def __init__(self, repository: Repository, given: Sequence[Package], rules: Rules, work: Path) -> None:
        self.repository = repository
        self._work = work
        files, self.lost = repository.packages()
        self.present = self._read(files)
        here = {package.file_name for package in self.present}
        coming = [package for package in given if package.file_name not in here]
        self.stay = retention.retained(
            [*self.present, *coming], rules.keep, coming if rules.allow_older else ()
        )
        self.new = [package for package in coming if package in self.stay]
        self._given = given
        self._backwards = [] if rules.allow_older else self._older_than_present(coming)
        # The new metadata, where there are to be some.
        self.made = Path()

    @property
    def changes(self) -> bool:
        """Whether readers shall see anything else than they do."""
        return bool(self.new or self.lost) or len(self.stay) != len(self.present)

    def refusals(self) -> list[str]:
        """Why this must not be published, in a sentence for each fault."""
        return [*self._other_contents(), *self._backwards, *self._all_versions_gone()]

    def report(self) -> str:
        """What was done, in a sentence or two."""
        if not self.changes:
            return f"{self.repository.place}: nothing to do, all of it is there already."
        words = [f"{self.repository.place}: added {', '.join(map(str, self.new)) or 'nothing'}."]
        listed = {package.file_name for package in self.stay}
        gone = {
            str(package): None for package in [*self.present, *self._given] if package.file_name not in listed
        }
        if gone:
            words.append(f"No longer listed: {', '.join(gone)}.")
        return " ".join(words)

    def warnings(self) -> list[str]:
        """What a person should know and look into, though it stops nothing."""
        called = self.repository.called
        lost = [
            f"{called}/{name} was listed and is not there. It is not listed any more." for name in self.lost
        ]
        strange = [
            f"{called}/{name} is listed nowhere: somebody else put it there, or what listed it was spoilt. It is left "
            "alone. Publish it where it is wanted, else delete it."
            for name in self._strangers()
        ]
        return lost + strange

    def unsigned_or_damaged(self, keys: Path) -> list[str]:
        """Which of the packages that stay must not be listed, and what rpm says of them."""
        found = {
            package.file_name: packages.damage_or_no_signature(package.path, keys) for package in self.stay
        }
        return self._called(found)

    def _read(self, files: Sequence[Path]) -> list[Package]:
        """What files of the repository say of themselves. A power failure may have cut them."""
        try:
            return packages.read(files, self._work)
        except TroubleError:
            damaged = self._called({file.name: packages.damage(file, self._work) for file in files})
            if damaged:
                raise ToolError("\n".join([DAMAGED, *damaged, NOTHING])) from None
            raise

    def _called(self, found: dict[str, str]) -> list[str]:
        return [f"{self.repository.called}/{name}: {words}" for name, words in found.items() if words]

    def _strangers(self) -> list[str]:
        return self.repository.strangers() if self.repository.current else []

    def _other_contents(self) -> list[str]:
        """A name and version that is there already, with something else inside."""
        complaints = []
        for package in self._given:
            there = self.repository.folder / package.file_name
            if there.is_file() and self._read([there])[0].digest != package.digest:
                complaints.append(
                    f"{package} is in {self.repository.called} already, with other contents. A version never changes: "
                    "machines that have it would keep the old one. Commit, so that the release becomes a later one, "
                    "and build again."
                )
        return complaints

    def _older_than_present(self, coming: Sequence[Package]) -> list[str]:
        """A version that is older than what is there: no machine would ever take it."""
        complaints = []
        for package in coming:
            newest = retention.newest(self.present, package.name)
            if newest is not None and package.evr < newest.evr:
                complaints.append(
                    f"{package} goes backwards: {self.repository.called} has {newest}. Build a newer version. "
                    "For a deliberate roll-back, add --allow-older; machines take it by dnf downgrade only."
                )
        return complaints

    def _all_versions_gone(self) -> list[str]:
        """A package of which no version would stay. No rule asks for that: it is a mistake, here or in the rules."""
        stay = {package.name for package in self.stay}
        gone = sorted({package.name for package in [*self.present, *self._given]} - stay)
        return [
            f"No version of {name} would be listed in {self.repository.called}: machines would find none. "
            "At least one has to stay. Keep more versions."
            for name in gone
        ]


def uncommitted(given: Sequence[Package]) -> list[str]:
    """Packages of which nobody could tell later what they were built of."""
    return [
        f"{package} was built of a tree with changes that were not committed. Commit them, and build again."
        for package in given
        if package.is_dirty
    ]


def twice(given: Sequence[Package]) -> list[str]:
    """Packages of one name and version that are not the same."""
    seen: dict[tuple[str, str], Package] = {}
    complaints = []
    for package in given:
        other = seen.setdefault((package.place, package.file_name), package)
        if other.digest != package.digest:
            complaints.append(
                f"{package} was given twice, with different contents. Give the one that is meant."
            )
    return complaints
