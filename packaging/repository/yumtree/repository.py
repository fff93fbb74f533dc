"""One repository on the disk, and how it goes from one state to the next without a moment in between.

`repodata` is a link to the generation that readers see, such as `repodata.7-1a2b3c4d`. The next generation is put
beside it, then the packages that it lists, and then the link is replaced, which is one step. What a generation lists
and its neighbours do not is thereby known to be a leftover, whenever a publisher died. The generation before the
present one stays, with its packages, for readers who are under way.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from yumtree import metadata
from yumtree.metadata import UnreadableError
from yumtree.packages import Package
from yumtree.tools import TroubleError, flush, flush_all

LINK = "repodata"
_NEW_LINK = "repodata.new"
_GENERATION = re.compile(r"repodata\.([0-9]+)-[0-9a-f]{8}")


class SpoiltError(TroubleError):
    """What readers see of a repository is no metadata: a power failure may leave files cut or empty."""

    def __init__(self, called: str, seen: str) -> None:
        super().__init__(
            f"The metadata in {called} cannot be read: {seen}. A power failure may have spoilt them. Nothing was "
            f"published. Delete {called}/{LINK}* there. Then push or pull the tree from where it is whole, or publish "
            f"all packages again that are wanted, of which {called}/*.rpm are some."
        )


class Repository:
    """A folder of packages with its metadata. `called` is what it is for a person: it may be a copy."""

    def __init__(self, tree: Path, place: str, called: str) -> None:
        self.place = place
        self.folder = tree / place
        self.called = f"{called}/{place}"

    @property
    def current(self) -> str | None:
        """The generation that readers see. None where nothing was ever published."""
        link = self.folder / LINK
        if not os.path.lexists(link):
            return None
        if not link.is_symlink():
            raise TroubleError(
                f"{link} should be a link and is not: another tool made it. Publish into a folder of its own, "
                "or move this repository away first."
            )
        name = os.readlink(link)
        if not _GENERATION.fullmatch(name) or not (self.folder / name).is_dir():
            raise SpoiltError(self.called, f"{LINK} leads to {name}, which is no metadata")
        return name

    def packages(self) -> tuple[list[Path], list[str]]:
        """The files of the packages that readers see, and the names of those that are listed but not there."""
        current = self.current
        names = sorted(self._listed_now(current)) if current else []
        there = [self.folder / name for name in names if (self.folder / name).is_file()]
        return there, [name for name in names if not (self.folder / name).is_file()]

    def mend(self) -> None:
        """Take away what a publisher that died has left, and what no reader can be under way to any more."""
        if not self.folder.is_dir():
            return
        (self.folder / _NEW_LINK).unlink(missing_ok=True)
        keep = self._kept_generations()
        needed = set().union(*keep.values())
        for generation in self._generations():
            if generation not in keep:
                self._remove(generation, needed)

    def strangers(self) -> list[str]:
        """Packages that lie here and are in no metadata. Nobody published them, so nobody takes them away."""
        needed = set().union(*self._kept_generations().values())
        return sorted(path.name for path in self.folder.glob("*.rpm") if path.name not in needed)

    def add_generation(self, made: Path) -> str:
        """Put new metadata beside the present ones. No reader sees them yet."""
        current = self.current
        self.folder.mkdir(parents=True, exist_ok=True)
        if current:
            metadata.carry_over(self.folder / current, made)
        mark = hashlib.sha256((made / "repomd.xml").read_bytes()).hexdigest()[:8]
        name = f"{LINK}.{number_of(current) + 1}-{mark}"
        flush_all(made)
        os.rename(made, self.folder / name)
        flush(self.folder)
        flush(self.folder.parent)
        return name

    def add_packages(self, packages: Sequence[Package]) -> None:
        """Put packages in, each whole from the first moment on."""
        for package in packages:
            package.path.chmod(0o644)
            flush(package.path)
            os.rename(package.path, self.folder / package.file_name)
        flush(self.folder)

    def switch(self, generation: str) -> None:
        """Have readers see this generation from now on."""
        new = self.folder / _NEW_LINK
        new.symlink_to(generation)
        os.rename(new, self.folder / LINK)
        flush(self.folder)

    def _generations(self) -> list[str]:
        """All that are here, oldest first."""
        names = [entry.name for entry in self.folder.iterdir() if _GENERATION.fullmatch(entry.name)]
        return sorted(names, key=number_of)

    def _kept_generations(self) -> dict[str, set[str]]:
        """The present one and the one before it, and what they list. One that cannot be read serves nobody."""
        current = self.current
        if current is None or not self.folder.is_dir():
            return {}
        kept = {current: self._listed_now(current)}
        for name in reversed(self._generations()):
            if number_of(name) < number_of(current):
                with contextlib.suppress(UnreadableError):
                    return {name: metadata.listed(self.folder / name), **kept}
        return kept

    def _listed_now(self, current: str) -> set[str]:
        """What readers see."""
        try:
            return metadata.listed(self.folder / current)
        except UnreadableError as error:
            raise SpoiltError(self.called, f"{current}: {error.reason}") from error

    def _remove(self, generation: str, needed: set[str]) -> None:
        folder = self.folder / generation
        # repomd.xml is gone where a removal was itself interrupted; then the packages went before it.
        if (folder / "repomd.xml").exists():
            # A power failure may have spoilt it. What it listed is not known then, so no package goes.
            with contextlib.suppress(UnreadableError):
                for name in metadata.listed(folder) - needed:
                    (self.folder / name).unlink(missing_ok=True)
            (folder / "repomd.xml").unlink()
        shutil.rmtree(folder)


def number_of(generation: str | None) -> int:
    """Generations are counted from 1."""
    found = _GENERATION.fullmatch(generation or "")
    return int(found[1]) if found else 0
