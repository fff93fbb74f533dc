"""Bringing a tree to a host, or from it, by rsync. Whoever reads the destination sees the old or the new state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yumtree.packages import PLACES
from yumtree.repository import LINK, number_of
from yumtree.ssh import Access
from yumtree.tools import TroubleError, attempt, last_words, need_tools
from yumtree.tree import KEY_FILE, Tree

# Silence on the line, and the whole of one of the five calls.
SILENCE_BOUND_S = 60
CALL_BOUND_S = 900.0

_FOLDERS = tuple(f"/{place}/" for place in PLACES)
# Only what is named here is sent, and only that is ever deleted.
_PACKAGES = (f"/{KEY_FILE}", *_FOLDERS, *(f"{folder}*.rpm" for folder in _FOLDERS))
_METADATA = tuple(f"{folder}{LINK}.*{rest}" for folder in _FOLDERS for rest in ("/", "/*"))
_LINKS = tuple(f"{folder}{LINK}" for folder in _FOLDERS)
# What an rsync that died leaves: it gives a file its name last.
_HALF_SENT = tuple(f"{folder}.{name}" for folder in _FOLDERS for name in ("*.rpm.??????", f"{LINK}.*"))

# Packages before what lists them, that before the link to it, and deletions when nothing leads there any more.
_STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("sending the packages", _PACKAGES, ()),
    ("sending the metadata", _PACKAGES + _METADATA, ()),
    ("sending the links to the metadata", _PACKAGES + _METADATA + _LINKS, ()),
    ("deleting what is old", _PACKAGES + _METADATA + _LINKS + _HALF_SENT, ("--delete",)),
)
_HINTS = {
    "Permission denied (": "The host refuses the ssh key",
    "Host key verification failed": "The host is not the one in the known hosts",
    "Could not resolve": "The host's name is not known",
    "No space left on device": "The disk there is full",
    "No such file or directory": "The folder is not there; make it by hand, once",
    "Read-only file system": "The folder there cannot be written",
}


@dataclass(frozen=True)
class End:
    """One end of a transfer: a folder, here or on a host."""

    # As rsync takes it: a path, or HOST:PATH.
    place: str

    @property
    def is_remote(self) -> bool:
        return re.match(r"[^/]+:", self.place) is not None

    @classmethod
    def parse(cls, text: str) -> End:
        """Read what a person gave."""
        remote = re.fullmatch(r"[A-Za-z0-9_][^\s/:]*:/(?!/)[^\s:]+", text)
        local = re.fullmatch(r"[^:]+", text)
        if not (remote or local) or text.startswith("-"):
            raise TroubleError(
                f'The target "{text}" should be a folder, as in /srv/focusd or repo@host:/srv/focusd.'
            )
        return cls(text.rstrip("/") if remote else str(Path(text).absolute()))

    def __str__(self) -> str:
        return self.place


def push(tree: Tree, target: End, access: Access, silence_bound_s: int = SILENCE_BOUND_S) -> None:
    """Have the target hold what the tree holds."""
    need_tools("rsync")
    if not tree.folder.is_dir():
        raise TroubleError(f"There is no tree at {tree.folder}. Publish into it first.")
    with tree.locked():
        tree.mend()
        here = {place: repository.current or "" for place, repository in tree.repositories.items()}
        if not any(here.values()):
            raise TroubleError(f"{tree.folder} holds no packages. Publish into it first.")
        line = _Line(access, silence_bound_s)
        _refuse_newer(
            line.generations(target), here, f"The tree at {target}", "Pull it, publish into that, and push"
        )
        line.send(End(str(tree.folder)), target)


def pull(tree: Tree, target: End, access: Access, silence_bound_s: int = SILENCE_BOUND_S) -> None:
    """Have the tree hold what the target holds, which may be nothing."""
    need_tools("rsync")
    with tree.locked():
        tree.mend()
        here = {place: repository.current or "" for place, repository in tree.repositories.items()}
        line = _Line(access, silence_bound_s)
        _refuse_newer(
            here, line.generations(target), f"The tree at {tree.folder}", "Push it, or pull into an empty one"
        )
        line.send(target, End(str(tree.folder)))
        # What is wrong with it now is wrong there.
        Tree(tree.folder, str(target)).mend()


class _Line:
    """rsync, with a way in and an end in sight."""

    def __init__(self, access: Access, silence_bound_s: int) -> None:
        self._silence_bound_s = silence_bound_s
        self._access = access

    def send(self, source: End, destination: End) -> None:
        """Make the destination like the source, in an order that never shows half of it."""
        for doing, names, options in _STEPS:
            # Contents are compared, so that what a power failure spoiled there is sent again.
            self._call(source, destination, names, ["--checksum", *options], doing)

    def generations(self, end: End) -> dict[str, str]:
        """Which metadata a reader sees there, by the place in the tree. Raises TroubleError for another's tree."""
        listing = self._call(end, None, _PACKAGES + _METADATA[::2] + _LINKS, ["--list-only"], "looking there")
        rows = [row.split(None, 4) for row in listing.splitlines()]
        links = dict(row[4].split(" -> ", 1) for row in rows if row[0].startswith("l") and " -> " in row[4])
        found = {place: links.get(f"{place}/{LINK}", "") for place in PLACES}
        for row in rows:
            place = str(Path(row[4]).parent)
            foreign = row[4].endswith(".rpm") or (Path(row[4]).name == LINK and not row[0].startswith("l"))
            if foreign and not number_of(found.get(place)) and not self._is_first(rows, place):
                raise TroubleError(
                    f"{end}/{place} holds packages that were not published by publish.py. "
                    "Use a folder of its own for this tree, so that nothing of another's is deleted."
                )
        return found

    @staticmethod
    def _is_first(rows: Sequence[Sequence[str]], place: str) -> bool:
        """Whether this is what a first push that was cut short leaves: our key, and no metadata of another's."""
        names = [row[4] for row in rows]
        return KEY_FILE in names and f"{place}/{LINK}" not in names

    def _call(
        self, source: End, destination: End | None, names: Sequence[str], options: Sequence[str], doing: str
    ) -> str:
        # Folders come first among the rules: what is in a folder that is left out is left out too.
        rules = [f"--include={name}" for name in names] + ["--exclude=*"]
        ends = [f"{source}/", *([f"{destination}/"] if destination else [])]
        bound = f"--timeout={self._silence_bound_s}"
        with self._access.options() as rsh:
            ended = attempt(
                [
                    "rsync",
                    "--recursive",
                    "--links",
                    "--perms",
                    "--times",
                    bound,
                    *options,
                    *rsh,
                    *rules,
                    "--",
                    *ends,
                ],
                bound_s=CALL_BOUND_S,
            )
        if ended.returncode == 0:
            return ended.stdout
        words = last_words(ended)
        hint = next((hint for sign, hint in _HINTS.items() if sign in words), "The transfer failed")
        raise TroubleError(
            f"{hint}: {source if destination is None or source.is_remote else destination}. rsync, {doing}, ended with "
            f"{ended.returncode} and said: {words}. What readers see is whole. Mend that, and run this again."
        )


def _refuse_newer(old: dict[str, str], new: dict[str, str], whose: str, remedy: str) -> None:
    """Refuse to replace a state by one that does not come after it: somebody's packages would go."""
    for place, before in old.items():
        after = new[place]
        if before != after and number_of(before) >= number_of(after):
            raise TroubleError(
                f"{whose} is newer in {place}, or went another way: {before} there would be replaced by "
                f"{after or 'nothing'}. {remedy}. Nothing was changed."
            )
