"""A machine on which packaging/rpm/build.py is tried, with a stand-in for rpmbuild.

The stand-in keeps what it was given, and makes a file that is called a package.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from .shell import Result, run
from .sources import PROJECT

BUILD = PROJECT / "packaging/rpm/build.py"
COMMITTED = {"GIT_COMMITTER_DATE": "2026-01-02T03:04:05+01:00", "GIT_AUTHOR_DATE": "2025-12-31T00:00:00Z"}
STAMP = "20260102020405"
VERSION_FILE = "src/rockit/focuser/ok3z/version.py"
TREE = {
    VERSION_FILE: 'VERSION = "1.2.3"\n',
    "common/setup.cfg": "[metadata]\nversion = 4.5.6\n",
    "LICENSE": "A licence\n",
    "CHANGELOG.md": "## [1.2.3] - 2026-01-02\n",
    "packaging/rpm/rockit-focuser-ok3z.spec": "Name: one\n",
    "packaging/rpm/python3-rockit-common.spec": "Name: other\n",
}
RPM = """#!/bin/sh
echo {rhel}
"""
RPMBUILD = """#!{python}
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
if words == ["--version"]:
    sys.exit()
[top] = [pathlib.Path(word[8:]) for word in words if word.startswith("_topdir ")]
kept = pathlib.Path("{kept}") / pathlib.Path(words[-1]).stem
shutil.copytree(top, kept)
(kept / "called.json").write_text(json.dumps({{"words": words, "env": dict(os.environ)}}))
print("{says}")
package = top / "RPMS/noarch" / (kept.name + "-1.noarch.rpm")
package.parent.mkdir(parents=True)
package.touch()
sys.exit({code})
"""


@dataclass
class Call:
    """What the stand-in was given for one spec."""

    folder: Path

    @property
    def words(self) -> list[str]:
        words: list[str] = json.loads((self.folder / "called.json").read_text())["words"]
        return words

    @property
    def env(self) -> dict[str, str]:
        env: dict[str, str] = json.loads((self.folder / "called.json").read_text())["env"]
        return env

    @property
    def defined(self) -> set[str]:
        pairs = zip(self.words, self.words[1:])
        return {value.split()[0] for option, value in pairs if option == "--define"}

    def spec(self) -> str:
        [path] = (self.folder / "SPECS").iterdir()
        return path.read_text()

    def archive(self) -> dict[str, str]:
        [path] = (self.folder / "SOURCES").glob("*.tar.gz")
        with tarfile.open(path) as archive:
            members = [(member.name, archive.extractfile(member)) for member in archive.getmembers()]
            return {name: file.read().decode() for name, file in members if file}


@dataclass
class Bench:
    """A machine with the stand-ins, and a checkout of a tree of few files."""

    folder: Path
    rhel: str = "9"
    says: str = "building"
    code: int = 0
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin, self.source, self.out = self.folder / "bin", self.folder / "source", self.folder / "out"
        for path, text in TREE.items():
            self.write(path, text)
        self.git("init", "--quiet", "--template=")
        self.commit()

    def write(self, path: str, text: str) -> None:
        (self.source / path).parent.mkdir(parents=True, exist_ok=True)
        (self.source / path).write_text(text)

    def git(self, *words: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
            **COMMITTED,
        }
        return run("git", *words, env=env, cwd=self.source).ok()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def build(self, *words: str | Path) -> Result:
        self.bin.mkdir(exist_ok=True)
        shutil.rmtree(self.folder / "kept", ignore_errors=True)
        texts = {
            "rpm": RPM.format(rhel=self.rhel),
            "rpmbuild": RPMBUILD.format(
                python=sys.executable, kept=self.folder / "kept", says=self.says, code=self.code
            ),
        }
        for name, text in texts.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        env = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder), **self.env}
        places = ("--source", self.source, "--out", self.out)
        return run(sys.executable, BUILD, *places, *words, env=env, cwd=self.folder)

    @property
    def focuser(self) -> Call:
        return Call(self.folder / "kept/rockit-focuser-ok3z")

    @property
    def common(self) -> Call:
        return Call(self.folder / "kept/python3-rockit-common")

    def built_nothing(self) -> bool:
        return not (self.folder / "kept").exists()
