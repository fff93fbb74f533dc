"""Real packages, a throw-away key, the programs as a person runs them, and a reader that believes nothing."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
BOUND_S = 60.0
SPEC = """\
Name: {name}
Epoch: {epoch}
Version: {version}
Release: 1.{dist}
Summary: A package of a test
License: MIT
BuildArch: noarch
{requires}
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
        """The path of an RPM. Ask for `epoch`, `contents` or `requires` too."""
        key = (name, version, dist, *sorted(rest.items()))
        if key not in self._made:
            self._made[key] = self._build(self._folder / str(len(self._made)), name, version, dist, **rest)
        top = self._made[key]
        (found,) = top.glob("SRPMS/*.rpm" if source else "RPMS/noarch/*.rpm")
        return found

    def _build(self, top: Path, name: str, version: str, dist: str, **rest: Any) -> Path:
        top.mkdir()
        values = {"epoch": 0, "contents": version, "requires": "", **rest}
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

    def __init__(self, keys: str) -> None:
        self._keys = keys

    def __call__(self, folder: Path) -> set[str]:
        """The files that it offers, after proof that all of it is whole."""
        repodata = folder / "repodata"
        self._signed(repodata / "repomd.xml")
        offered: set[str] = set()
        for part in _all(ElementTree.parse(repodata / "repomd.xml").getroot(), "data"):
            file = folder / _all(part, "location")[0].attrib["href"]
            assert _sha256(file) == _all(part, "checksum")[0].text, file
            if part.attrib["type"] == "primary":
                offered = self._packages(folder, gzip.decompress(file.read_bytes()))
        return offered

    def under_way(self, folder: Path) -> Callable[[], None]:
        """A reader who has read repomd.xml and the list, and fetches all the rest when it is called."""
        names = [
            _all(part, "location")[0].attrib["href"]
            for part in _all(ElementTree.parse(folder / "repodata" / "repomd.xml").getroot(), "data")
        ]
        expected = {name: _sha256(folder / name) for name in [*names, *self(folder)]}

        def fetch() -> None:
            assert {name: _sha256(folder / name) for name in expected} == expected

        return fetch

    def _packages(self, folder: Path, primary: bytes) -> set[str]:
        offered = set()
        for package in _all(ElementTree.fromstring(primary), "package"):
            name = _all(package, "location")[0].attrib["href"]
            assert _sha256(folder / name) == _all(package, "checksum")[0].text, name
            assert (folder / name).stat().st_mode & 0o777 == 0o644
            offered.add(name)
        return offered

    def _signed(self, file: Path) -> None:
        command = ["gpgv", "--quiet", "--keyring", self._keys, f"{file}.asc", str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)
        assert ended.returncode == 0, ended.stderr


def _all(node: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [found for found in node.iter() if found.tag.endswith(f"}}{tag}")]


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    signer = Signer()
    yield signer
    signer.close()


@pytest.fixture(scope="session")
def key(signer: Signer) -> str:
    """The fingerprint of the key that signs."""
    return signer.make_key("release@example.org")


@pytest.fixture(scope="session")
def reader(signer: Signer, key: str) -> Reader:
    keys = Path(signer.home) / "readers.gpg"
    signer.gpg("--output", str(keys), "--export", key)
    return Reader(str(keys))


@pytest.fixture(scope="session")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    return Forge(tmp_path_factory.mktemp("forge"))


@pytest.fixture
def program(signer: Signer) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs one of the programs of packaging/repository, and returns how it ended."""

    def run(name: str, *arguments: object, before: Any = (), **env: str) -> subprocess.CompletedProcess[str]:
        command = [*before, sys.executable, REPOSITORY / name, *arguments]
        return subprocess.run(
            [str(word) for word in command],
            env={**signer.env, **env},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    return run


@pytest.fixture
def do(program: Any) -> Callable[..., str]:
    """Runs one of the programs, which must work, and returns what was printed."""

    def run(name: str, *arguments: object, **how: Any) -> str:
        ended = program(name, *arguments, **how)
        assert (ended.returncode, ended.stderr) == (0, "")
        return str(ended.stdout)

    return run


@pytest.fixture
def publish(do: Any, key: str) -> Callable[..., str]:
    """Publishes into a tree, which must work, and returns what was printed."""
    return lambda tree, *arguments: str(do("publish.py", tree, *arguments, "--key", key))


@pytest.fixture
def refusal(program: Any, key: str) -> Callable[..., str]:
    """Publishes into a tree, which must be refused, and returns the complaint."""

    def run(tree: Path, *arguments: object, **how: Any) -> str:
        named = () if "--key" in arguments else ("--key", key)
        ended = program("publish.py", tree, *arguments, *named, **how)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert "Traceback" not in ended.stderr
        return str(ended.stderr)

    return run


@pytest.fixture
def imposters(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Puts programs of the test's own in front of the real ones. Returns the environment for it."""

    def put(**scripts: str) -> dict[str, str]:
        folder = tmp_path / "imposters"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            (folder / name).write_text(script.replace("REAL", str(shutil.which(name))))
            (folder / name).chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return put


@pytest.fixture
def contents() -> Callable[[Path], dict[str, Any]]:
    """Everything in a tree but what is private."""

    def read(tree: Path) -> dict[str, Any]:
        return {
            str(path.relative_to(tree)): os.readlink(path)
            if path.is_symlink()
            else path.is_file() and path.read_bytes()
            for path in tree.rglob("*")
            if ".publish" not in str(path)
        }

    return read


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir()
    return tmp_path / "host"


@pytest.fixture
def complaint(program: Any) -> Any:
    """What push or pull says when it refuses."""

    def run(name: str, *arguments: object, **how: Any) -> str:
        ended = program(name, *arguments, **how)
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert "Traceback" not in ended.stderr
        return str(ended.stderr)

    return run
