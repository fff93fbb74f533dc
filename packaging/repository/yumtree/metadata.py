"""Metadata of a repository: making it with createrepo_c, and reading which packages it lists."""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from yumtree.packages import Package
from yumtree.signing import Key
from yumtree.tools import ToolError, run

_REPO = "{http://linux.duke.edu/metadata/repo}"
_COMMON = "{http://linux.duke.edu/metadata/common}"
# What comes of files that are cut, empty or gone. Files that may not be read are another matter.
_SPOILT = (
    FileNotFoundError,
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    ElementTree.ParseError,
    KeyError,
)


class UnreadableError(ToolError):
    """Metadata that do not say which packages they list."""

    def __init__(self, made: Path, error: Exception) -> None:
        super().__init__(f"The metadata in {made} cannot be read: {error!r}.")
        self.reason = repr(error)


def make(folder: Path, packages: Sequence[Package], key: Key) -> Path:
    """Make signed metadata of these packages in `folder`. Returns the folder that holds them."""
    folder.mkdir(parents=True)
    for package in packages:
        (folder / package.file_name).symlink_to(package.path)
    # gzip, because createrepo_c's own choice differs by its version and Python can read this one.
    options = ["--quiet", "--no-database", "--general-compress-type", "gz", "--error-exit-val"]
    run(["createrepo_c", *options, folder], "making the metadata", extra_env={"TMPDIR": str(folder)})
    made = folder / "repodata"
    left_out = {package.file_name for package in packages} ^ listed(made)
    if left_out:
        raise ToolError(
            f"createrepo_c made metadata that is not of the packages given. They differ in {left_out}."
        )
    key.sign_beside(made / "repomd.xml")
    for entry in made.iterdir():
        entry.chmod(0o644)
    made.chmod(0o755)
    return made


def listed(made: Path) -> set[str]:
    """The names of the files of packages that this metadata lists."""
    try:
        primary = made / _hrefs(made)["primary"]
        root = ElementTree.fromstring(gzip.decompress(primary.read_bytes()))
        return {location.attrib["href"] for location in root.iter(f"{_COMMON}location")}
    except _SPOILT as error:
        raise UnreadableError(made, error) from error


def carry_over(before: Path, made: Path) -> None:
    """Give new metadata the files of the ones before it, for readers who have read the old repomd.xml already."""
    for name in _hrefs(before).values():
        if (before / name).exists() and not (made / name).exists():
            _link(before / name, made / name)


def _link(present: Path, new: Path) -> None:
    try:
        os.link(present, new)
    except OSError:
        # Not every file system has hard links.
        shutil.copyfile(present, new)


def _hrefs(made: Path) -> dict[str, str]:
    """The file of each part of the metadata, by the part's name."""
    root = ElementTree.parse(made / "repomd.xml").getroot()
    return {
        part.attrib["type"]: Path(location.attrib["href"]).name
        for part in root.iter(f"{_REPO}data")
        for location in part.iter(f"{_REPO}location")
    }
