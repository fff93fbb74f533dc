"""The releases of Enterprise Linux that packages are made for, and the Python of each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOUND_S = 20.0


@dataclass(frozen=True)
class Release:
    """A release of Enterprise Linux.

    Args:
        name: as in the names of packages.
        number: what dnf calls $releasever.
        python: the version of its Python.
        systemd: the version of its systemd.
        dependencies: what it and its usual repositories have, unless the file beside the spec says otherwise.
    """

    name: str
    number: str
    python: str
    systemd: str

    @property
    def site_packages(self) -> str:
        return f"usr/lib/python{self.python}/site-packages"

    @property
    def dependencies(self) -> Path:
        """The file that says which version of each dependency it has."""
        return Path(__file__).parents[2] / "rpm" / f"oldest-{self.name}.txt"


EL9 = Release("el9", "9", "3.9", "252")
EL10 = Release("el10", "10", "3.12", "257")
RELEASES = {release.name: release for release in (EL9, EL10)}


@dataclass(frozen=True)
class Interpreter:
    """A real Python of this machine, in a folder of its own, so that it can be mounted elsewhere."""

    path: Path
    prefix: Path


def interpreter(version: str) -> Interpreter:
    """The Python of a version, such as 3.9."""
    for candidate in _candidates(version):
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        found, _, prefix = asked.stdout.strip().partition("\n")
        path = Path(prefix, "bin", f"python{version}")
        if asked.returncode == 0 and found == version and prefix != "/usr" and path.exists():
            return Interpreter(path, Path(prefix))
    raise AssertionError(
        f"these tests need Python {version} in a folder of its own, as pyenv installs it; there is none on PATH or "
        f"under {_pyenv_versions()}. Install it: pyenv install {version}"
    )


def _candidates(version: str) -> Iterator[Path]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield from filter(Path.exists, [Path(folder or ".", f"python{version}")])
    yield from sorted(_pyenv_versions().glob(f"{version}.*/bin/python{version}"), reverse=True)


def _pyenv_versions() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
