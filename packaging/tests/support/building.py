"""Building packages: small ones from specs of the tests, and ours with packaging/rpm/build.py."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .sources import Version
from .workshop import Workshop

SPECS = Path(__file__).parents[1]
BUSYBOX_PATHS = (Path("/bin/busybox"), Path("/usr/bin/busybox"))


def build_spec(workshop: Workshop, spec: Path, out: Path, defines: dict[str, str]) -> list[Path]:
    """The packages that rpmbuild makes of a spec; `out` is its folder, and holds nothing else afterwards."""
    macros = {
        "_topdir": str(out / "top"),
        "_tmppath": str(out / "top/tmp"),
        "_dbpath": str(out / "top/db"),
        "_rpmdir": str(out),
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        # The stand-ins are thrown away within minutes: they need no good compression, and no bytecode.
        "_binary_payload": "w0.ufdio",
        "__os_install_post": "%{nil}",
        "_buildshell": "/bin/bash",
        **defines,
    }
    words = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    workshop.run("rpmbuild", "--nodeps", "--noclean", "-bb", *words, spec).ok()
    shutil.rmtree(out / "top")
    return sorted(out.glob("*.rpm"))


class Built:
    """Our packages as packaging/rpm/build.py makes them of one version of the tree, for any release.

    Args:
        version: the name of that version, as `sources.version` knows it.
        cache: a folder in which pip keeps what it downloads.
    """

    def __init__(self, workshop: Workshop, version: Version, cache: Path) -> None:
        self.version = version
        self._workshop = workshop
        self._cache = cache

    def rpms(self, dist: str) -> dict[str, Path]:
        """The packages for a release, such as el9, by their names; without the source packages."""
        folder = self._folder(dist)
        return names(self._workshop, sorted(path for path in folder.glob("*.rpm") if not _is_source(path)))

    def sources(self, dist: str) -> list[Path]:
        """The source packages for a release."""
        return sorted(filter(_is_source, self._folder(dist).glob("*.rpm")))

    def _folder(self, dist: str) -> Path:
        return self._workshop.once(f"built/{self.version.name}-{dist}", lambda new: self._build(dist, new))

    def _build(self, dist: str, out: Path) -> None:
        source = self._workshop.once(f"source/{self.version.name}", self.version.commit)
        # All versions are built in one place, which keeps the Python that builds them.
        with self._workshop.alone(f"building-{dist}") as place:
            words = ("--source", source, "--dist", dist, "--out", place)
            script = source / "packaging/rpm/build.py"
            made = self._workshop.run(sys.executable, script, *words, PIP_CACHE_DIR=str(self._cache)).ok()
            for path in (line for line in made.splitlines() if line.endswith(".rpm")):
                shutil.copy2(path, out)


def _is_source(path: Path) -> bool:
    return path.name.endswith(".src.rpm")


def busybox() -> Path:
    """The shell of the stand-ins, which must need no library."""
    for path in BUSYBOX_PATHS:
        if path.exists():
            return path
    raise AssertionError(
        "these tests need busybox without libraries. Install it: apt-get install busybox-static"
    )


def names(workshop: Workshop, rpms: list[Path]) -> dict[str, Path]:
    """Packages by their names."""
    said = workshop.run("rpm", "-qp", "--nosignature", "--qf", "%{NAME}\n", *rpms).ok()
    return dict(zip(said.split(), rpms))
