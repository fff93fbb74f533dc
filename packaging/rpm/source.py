"""What is built: one commit of a checkout, its version, its release and its files."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tools import RefusedError, run


class Checkout:
    """A git checkout as one commit. What is changed and not committed becomes a commit that nobody else sees."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        top = Path(self._git("rev-parse", "--show-toplevel").strip())
        if top.resolve() != folder.resolve():
            raise RefusedError(f"{folder} is not the top of a git checkout, {top} is. Use --source {top}")
        dates = ("--date=format-local:%Y%m%d%H%M%S", "--format=%H %ct %cd")
        self.commit, self.epoch_s, stamp = self._git("log", "-1", *dates, env={"TZ": "UTC"}).split()
        self.release = f"{stamp}.g{self.commit[:7]}"
        self._take_changes(scratch)

    def _git(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        why = f"{self._folder} cannot be used as a git checkout"
        return run(["git", "-C", self._folder, *words], why, {**self._env, **(env or {})})

    def _take_changes(self, scratch: Path) -> None:
        changes = self._git("status", "--porcelain", "--untracked-files=normal").splitlines()
        untracked = [line[3:] for line in changes if line.startswith("?? ")]
        if untracked:
            print(
                f"Not in the packages, since git does not track them: {', '.join(untracked)}", file=sys.stderr
            )
        if len(untracked) < len(changes):
            self._commit_aside(scratch)
            self.release += ".dirty"
            print(
                f"The tree has changes that are not committed: the release is {self.release}", file=sys.stderr
            )

    def _commit_aside(self, scratch: Path) -> None:
        # The checkout's own index and objects stay as they are: somebody may be working there.
        where = ("rev-parse", "--path-format=absolute", "--git-path")
        index, objects = self._git(*where, "index").strip(), self._git(*where, "objects").strip()
        # With its time, by which git sees which files have to be read again.
        shutil.copy2(index, scratch / "index")
        (scratch / "objects").mkdir()
        self._env.update(
            GIT_INDEX_FILE=str(scratch / "index"),
            GIT_OBJECT_DIRECTORY=str(scratch / "objects"),
            GIT_ALTERNATE_OBJECT_DIRECTORIES=objects,
        )
        # Always the same, so that the same tree gives the same packages.
        for role in ("AUTHOR", "COMMITTER"):
            self._env[f"GIT_{role}_NAME"] = self._env[f"GIT_{role}_EMAIL"] = "build"
            self._env[f"GIT_{role}_DATE"] = f"{self.epoch_s} +0000"
        self._git("add", "--update")
        tree = self._git("write-tree").strip()
        self.commit = self._git("commit-tree", "-p", self.commit, "-m", "Not committed", tree).strip()

    def read(self, path: str) -> str:
        return self._git("show", f"{self.commit}:{path}")

    def version(self, path: str, pattern: str) -> str:
        """What the pattern's group finds in the file."""
        found = re.search(pattern, self.read(path), re.MULTILINE)
        version = found[1] if found else ""
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
            raise RefusedError(
                f"{path} has the version {version!r}. It has to be digits and dots, such as 1.2.3. (rpm takes 1.2.3rc1 "
                "for newer than 1.2.3. The release tells apart the commits of one version.)"
            )
        return version

    def archive(self, folder: str, prefix: str, target: Path) -> None:
        # Called in the folder, which becomes the top, and for a commit, whose date the files get.
        words = (
            "-c",
            "tar.umask=0022",
            "archive",
            "--format=tar.gz",
            f"--prefix={prefix}/",
            f"--output={target}",
        )
        self._git("-C", folder, *words, self.commit)
