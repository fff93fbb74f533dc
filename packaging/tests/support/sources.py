"""Versions of this project, as commits: the tree as it stands here, and a newer one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .shell import Word
from .workshop import Workshop

PROJECT = Path(__file__).resolve().parents[3]
VERSION_FILE = "src/rockit/focuser/ok3z/version.py"
CONFIG_FILE = "ngts_m06.json"
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
}


@dataclass(frozen=True)
class Version:
    """A version of the tree.

    Args:
        name: of the folder that it is committed in.
        number: what `focusd --version` says.
        config: what the configuration says that it ships.
        committed_at: decides which of two packages of the same number is newer.
    """

    workshop: Workshop
    name: str
    number: str
    config: str
    committed_at: str

    def commit(self, folder: Path) -> None:
        """Make a checkout of it. What is not committed in this clone is in it, as far as git does not ignore it."""
        listed = self.workshop.run(
            "git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard", cwd=PROJECT
        ).ok()
        for name in filter(None, listed.split("\0")):
            if (PROJECT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, folder / name)
        (folder / VERSION_FILE).write_text(_with_number((folder / VERSION_FILE).read_text(), self.number))
        (folder / CONFIG_FILE).write_text(self.config)
        self._git(folder, "init", "--quiet", "--template=")
        self._git(folder, "add", "--all")
        self._git(folder, "commit", "--quiet", "--message", self.name)

    def _git(self, folder: Path, *words: Word) -> None:
        dates = {"GIT_AUTHOR_DATE": self.committed_at, "GIT_COMMITTER_DATE": self.committed_at}
        self.workshop.run("git", *words, cwd=folder, **AUTHOR, **dates).ok()


def this_version(workshop: Workshop) -> Version:
    """The tree as it stands."""
    config = (PROJECT / CONFIG_FILE).read_text()
    return Version(workshop, "this", _number(), config, "2026-11-01T12:00:00Z")


def newer_version(workshop: Workshop) -> Version:
    """One that comes after it: of a higher number, and with another configuration."""
    major, minor, patch = _number().split(".")
    values = json.loads((PROJECT / CONFIG_FILE).read_text())
    config = json.dumps({**values, "move_timeout": values["move_timeout"] + 20}, indent=2) + "\n"
    return Version(workshop, "newer", f"{major}.{minor}.{int(patch) + 1}", config, "2026-11-02T12:00:00Z")


def _number() -> str:
    found = re.search(r'^VERSION = "(.*)"$', (PROJECT / VERSION_FILE).read_text(), re.MULTILINE)
    assert found, f"{VERSION_FILE} has no VERSION"
    return found[1]


def _with_number(text: str, number: str) -> str:
    return re.sub(r'^VERSION = ".*"$', f'VERSION = "{number}"', text, flags=re.MULTILINE)
