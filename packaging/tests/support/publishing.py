"""publish.py as a person or the workflow runs it, with small packages, throw-away keys, and a reader who believes
nothing."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .sources import PROJECT

PUBLISH = PROJECT / "packaging/repository/publish.py"
BOUND_S = 60.0
SPEC = """\
Name: {name}
Epoch: {epoch}
Version: {version}
Release: 1.{dist}
Summary: A package of a test
License: MIT
BuildArch: noarch
%description
It holds one line.
%install
mkdir -p %{{buildroot}}/usr/share/{name}
echo '{contents}' > %{{buildroot}}/usr/share/{name}/line
%files
/usr/share/{name}/line
"""


class Signer:
    """gpg with a home of its own. Its socket lies in there, so the path is short."""

    def __init__(self) -> None:
        self.home = tempfile.mkdtemp(prefix="gpg-")
        self.env = {**os.environ, "GNUPGHOME": self.home, "HOME": self.home, "LC_ALL": "C"}

    def gpg(self, *arguments: str) -> str:
        command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(
            command, env=self.env, check=True, capture_output=True, text=True, timeout=BOUND_S
        ).stdout

    def make_key(self, name: str, *how: str) -> str:
        """A secret key for an address, by its fingerprint."""
        self.gpg("--quick-generate-key", f"Test <{name}>", *(how or ("rsa3072", "sign", "never")))
        listing = self.gpg("--with-colons", "--list-secret-keys", f"<{name}>")
        return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")][-1]

    def close(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self.env, check=False, timeout=BOUND_S)
        shutil.rmtree(self.home, ignore_errors=True)


class Forge:
    """Makes packages with rpmbuild, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[Any, ...], Path] = {}

    def __call__(
        self, name: str, version: str, dist: str = "el9", *, source: bool = False, **rest: Any
    ) -> Path:
        """The path of an RPM. Ask for `epoch` or `contents` too."""
        key = (name, version, dist, *sorted(rest.items()))
        if key not in self._made:
            self._made[key] = self._build(self._folder / str(len(self._made)), name, version, dist, **rest)
        (found,) = self._made[key].glob("SRPMS/*.rpm" if source else "RPMS/noarch/*.rpm")
        return found

    def _build(self, top: Path, name: str, version: str, dist: str, **rest: Any) -> Path:
        top.mkdir()
        values = {"epoch": 0, "contents": version, **rest}
        (top / "it.spec").write_text(SPEC.format(name=name, version=version, dist=dist, **values))
        defined = {"_topdir": top, "_tmppath": top / "tmp", "_dbpath": top / "db"}
        defines = [word for macro, value in defined.items() for word in ("--define", f"{macro} {value}")]
        subprocess.run(
            ["rpmbuild", "-ba", "--quiet", *defines, top / "it.spec"],
            env={**os.environ, "HOME": str(top)},
            check=True,
            capture_output=True,
            timeout=BOUND_S,
        )
        return top


class Reader:
    """Reads a repository as a machine does that distrusts it: each checksum, each signature."""

    def __init__(self, signer: Signer, key: str) -> None:
        self._keys = f"{signer.home}/readers.gpg"
        signer.gpg("--output", self._keys, "--export", key)

    def __call__(self, host: Path) -> dict[str, set[str]]:
        """The packages of each repository, by name and version, after proof that all of them are whole."""
        places = sorted(found.parent for found in (host / "current").resolve().rglob("repodata"))
        return {
            str(place.relative_to((host / "current").resolve())): {
                name.split("-1.el")[0] + (".src" if ".src." in name else "") for name in self.offered(place)
            }
            for place in places
        }

    @staticmethod
    def primary(place: Path) -> Path:
        """The list of packages that a reader is told to read."""
        repomd = ElementTree.parse(place / "repodata/repomd.xml").getroot()
        [part] = [part for part in _all(repomd, "data") if part.attrib["type"] == "primary"]
        return place / _all(part, "location")[0].attrib["href"]

    def under_way(self, place: Path) -> Callable[[], None]:
        """A reader who has read repomd.xml and the list, and fetches all the rest when it is called."""
        parts = _all(ElementTree.parse(place / "repodata/repomd.xml").getroot(), "data")
        names = [_all(part, "location")[0].attrib["href"] for part in parts]
        expected = {name: _sha256(place / name) for name in [*names, *self.offered(place)]}

        def fetch() -> None:
            assert {name: _sha256(place / name) for name in expected} == expected

        return fetch

    def offered(self, place: Path) -> set[str]:
        """The files that a repository offers."""
        repomd = place / "repodata/repomd.xml"
        command = ["gpgv", "--quiet", "--keyring", self._keys, f"{repomd}.asc", str(repomd)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)
        assert ended.returncode == 0, ended.stderr
        offered: set[str] = set()
        for part in _all(ElementTree.parse(repomd).getroot(), "data"):
            file = _checked(place, part)
            if part.attrib["type"] == "primary":
                packages = _all(ElementTree.fromstring(gzip.decompress(file.read_bytes())), "package")
                offered = {_checked(place, package).name for package in packages}
        return offered


class Publishing:
    """A host that is a folder, to which publish.py publishes."""

    def __init__(self, folder: Path, signer: Signer, key: str, reader: Reader) -> None:
        self.folder, self.host, self.scratch = folder, folder / "host", folder / "scratch"
        # What readers see of one repository.
        self.el9 = self.host / "current/el9"
        self._signer, self._key, self._reader = signer, key, reader
        self.host.mkdir()
        self.scratch.mkdir()

    def command(self, *arguments: object) -> list[str]:
        """The program with its options, if they are not given otherwise."""
        words = list(map(str, arguments))
        defaults = {"--key": self._key, "--target": self.host}
        return [
            *(sys.executable, str(PUBLISH), *words),
            *(
                f"{name}={value}"
                for name, value in defaults.items()
                if not any(name in word for word in words)
            ),
        ]

    def env(self, **more: str) -> dict[str, str]:
        return {**self._signer.env, "TMPDIR": str(self.scratch), **more}

    def run(
        self, *arguments: object, before: Sequence[object] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """How the program ends. The workflow gives all that it needs by the environment."""
        by_environment = any(name.startswith("FOCUSD_") for name in env)
        words = [sys.executable, PUBLISH, *arguments] if by_environment else self.command(*arguments)
        return subprocess.run(
            [str(word) for word in (*before, *words)],
            env=self.env(**env),
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    def ok(self, *arguments: object, **how: Any) -> str:
        """What it prints, for it must work."""
        ended = self.run(*arguments, **how)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    def refused(self, *arguments: object, **how: Any) -> str:
        """What it complains of, for it must end with 1, and change nothing."""
        before = self._contents()
        ended = self.run(*arguments, **how)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert "Traceback" not in ended.stderr
        assert ended.stderr.startswith("publish: ")
        assert self._contents() == before
        return ended.stderr

    def seen(self) -> dict[str, set[str]]:
        """What readers see."""
        return self._reader(self.host)

    def under_way(self) -> Callable[[], None]:
        return self._reader.under_way(self.el9)

    def imposters(self, **scripts: str) -> dict[str, str]:
        """Put programs of the test's own in front of the real ones. Returns the environment for it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/bash\n{script}\n".replace("REAL", str(shutil.which(name))))
            (folder / name).chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    def _contents(self) -> dict[str, Any]:
        """What readers see, byte for byte, and all else on the host that is no tree of ours."""
        paths = [path for path in self.host.rglob("*") if "trees" not in path.relative_to(self.host).parts]
        paths += (self.host / "current").resolve().rglob("*")
        return {
            str(path): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
            for path in paths
        }


def _checked(place: Path, node: ElementTree.Element) -> Path:
    file = place / _all(node, "location")[0].attrib["href"]
    assert _sha256(file) == _all(node, "checksum")[0].text, file
    assert file.stat().st_mode & 0o777 == 0o644
    return file


def _all(node: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [found for found in node.iter() if found.tag.endswith(f"}}{tag}")]


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
