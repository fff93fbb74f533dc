"""What an RPM says of itself, and whether it is whole and signed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yumtree.tools import TroubleError, attempt, last_words, run
from yumtree.versions import Evr

# The releases that a tree has a place for.
DISTRIBUTIONS = ("el9", "el10")
PLACES = tuple(place for dist in DISTRIBUTIONS for place in (dist, f"{dist}/source"))

_MAGIC = b"\xed\xab\xee\xdb"
_DISTRIBUTION = re.compile(rf"\.({'|'.join(DISTRIBUTIONS)})$")
# What build.py puts at the end of a release, before the distribution.
_DIRTY = ".dirty"
# What becomes the name of a file is no path and no option.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~^-]*")
_QUERY = (
    r"P\t%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{SOURCEPACKAGE}\t%{SHA256HEADER}\n"
    r"[R\t%{REQUIRENAME}\t%{REQUIREFLAGS}\t%{REQUIREVERSION}\n]"
    r"[V\t%{PROVIDENAME}\t%{PROVIDEFLAGS}\t%{PROVIDEVERSION}\n]"
)


@dataclass(frozen=True)
class Dependency:
    """Something required or provided, with bits for <, > and = as rpm has them."""

    LESS = 2
    GREATER = 4
    EQUAL = 8

    name: str
    flags: int
    version: str

    def is_met_by(self, provided: Dependency) -> bool:
        """Whether what is provided does for this requirement."""
        if self.name != provided.name:
            return False
        if not (self.version and provided.version):
            return True
        order = Evr.parse(provided.version).compare(Evr.parse(self.version))
        allowed = self.LESS if order < 0 else self.GREATER if order > 0 else self.EQUAL
        return bool(self.flags & allowed)


@dataclass(frozen=True)
class Package:
    """One RPM file."""

    path: Path
    name: str
    evr: Evr
    arch: str
    is_source: bool
    # Of everything but the signature, so that it is the same before and after signing.
    digest: str
    requires: tuple[Dependency, ...] = ()
    provides: tuple[Dependency, ...] = ()

    @property
    def file_name(self) -> str:
        """Its name in a tree, whatever the file was called that was given."""
        arch = "src" if self.is_source else self.arch
        return f"{self.name}-{self.evr.version}-{self.evr.release}.{arch}.rpm"

    @property
    def place(self) -> str:
        """The repository of the tree where it belongs. "" for a release that no tree has a place for."""
        found = _DISTRIBUTION.search(self.evr.release or "")
        if found is None:
            return ""
        return f"{found[1]}/source" if self.is_source else found[1]

    @property
    def is_dirty(self) -> bool:
        """Whether it was built of a tree with changes that were not committed."""
        return _DISTRIBUTION.sub("", self.evr.release or "").endswith(_DIRTY)

    def __str__(self) -> str:
        return f"{self.name} {self.evr}" + (" (source)" if self.is_source else "")


def take_in(given: Path, copy: Path) -> Package:
    """Copy an RPM that somebody gave and read the copy, so that it is the one that was checked."""
    try:
        with given.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise TroubleError(f"{given} is no RPM. Give the files that the build made.")
        shutil.copyfile(given, copy)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise TroubleError(f"{given} cannot be read: {error.strerror}. Give the path of an RPM.") from error
    words = damage(copy, copy.parent)
    if words:
        raise TroubleError(f"{given} is damaged. rpm says: {words}. Build or copy it again.")
    (package,) = read([copy], copy.parent)
    if not all(
        map(_PLAIN.fullmatch, (package.name, package.evr.version, package.evr.release or "", package.arch))
    ):
        raise TroubleError(
            f"{given} has a name or a version that is no plain file name: {package.file_name!r}."
        )
    if not package.place:
        raise TroubleError(
            f"{given} is for no release of Enterprise Linux that is known here: its release, {package.evr.release}, "
            f"should end in {' or '.join('.' + dist for dist in DISTRIBUTIONS)}. Build it for one of these."
        )
    return package


def read(paths: Sequence[Path], work: Path) -> list[Package]:
    """What each of these says of itself. They are RPMs; that they are whole is asked elsewhere."""
    if not paths:
        return []
    text = run(
        ["rpm", "--dbpath", work / "no-keys", "--nosignature", "-qp", "--qf", _QUERY, *paths],
        "reading the packages",
    )
    # Nothing but a tab and a line end keeps the values apart, and rpm allows neither in them.
    blocks = [block.split("\n") for block in ("\n" + text).split("\nP\t")[1:]]
    if len(blocks) != len(paths):
        raise TroubleError(f"rpm read {len(blocks)} packages where {len(paths)} were given: {paths}.")
    return [_package(path, block) for path, block in zip(paths, blocks)]


def damage(path: Path, work: Path) -> str:
    """What rpm says of a file that is no whole RPM; nothing where it is one, whoever signed it."""
    return _verdict(path, ["--dbpath", work / "no-keys", "--nosignature"], "OK")


def damage_or_no_signature(path: Path, keys: Path) -> str:
    """What rpm says of an RPM that is not wholly covered by a signature of a key in this key database."""
    # Without the level, a package without any signature would pass.
    return _verdict(path, ["--dbpath", keys, "--define", "_pkgverify_level all"], "signatures OK")


def _verdict(path: Path, options: Sequence[str | Path], expected: str) -> str:
    ended = attempt(["rpmkeys", *options, "-K", path])
    if ended.returncode == 0 and expected in ended.stdout:
        return ""
    return last_words(ended).replace(f"{path}: ", "")


def _package(path: Path, block: Sequence[str]) -> Package:
    name, epoch, version, release, arch, source, digest = block[0].split("\t")
    if digest == "(none)":
        raise TroubleError(
            f"{path.name} has no SHA-256 of its header: it is of an old rpm. Build it with rpm 4.14."
        )
    return Package(
        path=path,
        name=name,
        evr=Evr(int(epoch), version, release),
        arch=arch,
        is_source=source == "1",
        digest=digest,
        requires=_dependencies(block, "R"),
        provides=_dependencies(block, "V"),
    )


def _dependencies(block: Sequence[str], kind: str) -> tuple[Dependency, ...]:
    rows = (line.split("\t") for line in block[1:] if line.startswith(f"{kind}\t"))
    return tuple(
        Dependency(name, int(flags), version) for _, name, flags, version in rows if name != "(none)"
    )
