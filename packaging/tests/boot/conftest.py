"""A machine with our packages and a focuser, booted anew for each test: that takes a second."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from boot.container import Container
from boot.site import Site
from support.building import Built
from support.releases import EL9, interpreter
from support.stock import Stock
from support.workshop import Workshop

# Not needed by anything that is installed, and most of its size.
LEFT_OUT = (
    "__pycache__",
    "config-3*",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
    "tkinter",
)
BOUND_S = 60


@pytest.fixture(scope="session")
def python_layer(stock: Stock, workshop: Workshop) -> Path:
    """What a machine of EL9 has below /usr and this one has not: its Python, and the modules that dnf installed
    because our packages require them."""

    def lay(new: Path) -> None:
        _copy_python(new)
        modules = new / EL9.site_packages
        ours = shutil.ignore_patterns("rockit*")
        shutil.copytree(stock.installed(EL9).root / EL9.site_packages, modules, ignore=ours)
        _compile(modules)

    return workshop.once(f"layer-{EL9.name}", lay) / "usr"


def _copy_python(folder: Path) -> None:
    prefix, name = interpreter(EL9.python).prefix, f"python{EL9.python}"
    binaries, libraries = folder / "usr/bin", folder / "usr/lib"
    binaries.mkdir(parents=True)
    shutil.copy(prefix / "bin" / name, binaries)
    (binaries / "python3").symlink_to(name)
    shutil.copytree(prefix / "lib" / name, libraries / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy(library, libraries, follow_symlinks=False)


def _compile(folder: Path) -> None:
    """As packages of modules come: the user of the daemon may not write there."""
    python = str(interpreter(EL9.python).path)
    subprocess.run([python, "-m", "compileall", "-q", str(folder)], check=True, timeout=BOUND_S)


@contextmanager
def booted(layer: Path, built: Built, folder: Path) -> Iterator[Site]:
    """A machine that runs, with our packages, a focuser that is plugged in, and its configuration."""
    container = Container(folder, [layer])
    container.furnish()
    try:
        container.boot()
        site = Site(container)
        site.install(built.rpms(EL9.name))
        site.plug_in_focuser()
        site.configure("boot", {})
        yield site
    finally:
        container.end()
        shutil.rmtree(folder)


@pytest.fixture
def site(python_layer: Path, built: Built, tmp_path: Path) -> Iterator[Site]:
    """Such a machine, which no other test sees."""
    with booted(python_layer, built, tmp_path / "container") as site:
        yield site


@pytest.fixture(scope="module")
def shared_site(python_layer: Path, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Such a machine for all tests of a module."""
    with booted(python_layer, built, tmp_path_factory.mktemp("boot") / "container") as site:
        yield site


@pytest.fixture
def serving(site: Site) -> Site:
    """The same, with the daemon enabled and started."""
    site.enable("boot")
    return site
