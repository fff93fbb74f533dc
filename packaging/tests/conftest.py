"""Fixtures of the tests of the packaging.

What is slow to make is made once for a run, in one folder that its workers share, and that is removed at its end.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# For the modules in `support`: pytest's importlib mode adds no folder by itself.
sys.path.insert(0, str(Path(__file__).parent))

from support.building import Built
from support.machine import Machine
from support.publishing import Forge, Publishing, Reader, Signer
from support.releases import RELEASES, Release
from support.repository import Repository, know_ours, served
from support.running import SIMULATED, Daemon, Port, write_site
from support.stock import Stock
from support.workshop import Workshop

FOLDER_VARIABLE = "FOCUSD_PACKAGING_TESTS"
BOUND_S = 600


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of this run. Its workers are started later, and find it in their environment."""
    if not hasattr(config, "workerinput"):
        # A short path, for gpg's agent listens on a socket below it.
        os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="focusd-")
        Workshop(Path(os.environ[FOLDER_VARIABLE])).furnish()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first tests of a run make what all share, and others wait for them."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(BOUND_S))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        Workshop(Path(os.environ.pop(FOLDER_VARIABLE))).clear()


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    return Workshop(Path(os.environ[FOLDER_VARIABLE]))


@pytest.fixture
def place(workshop: Workshop) -> Iterator[Path]:
    """A folder for one test. Machines are large: it goes when the test has ended."""
    with tempfile.TemporaryDirectory(prefix="test-", dir=workshop.folder) as folder:
        yield Path(folder)


# Packages


@pytest.fixture(scope="session")
def stock(workshop: Workshop, request: pytest.FixtureRequest) -> Stock:
    """What all tests of a run share, and none changes."""
    return Stock(workshop, Path(request.config.cache.mkdir("packaging-downloads")))


@pytest.fixture(scope="session")
def built(stock: Stock) -> Built:
    """Our packages of the tree as it stands: `built.rpms("el9")`."""
    return stock.built


@pytest.fixture(scope="session")
def newer(stock: Stock) -> Built:
    """Our packages of a version that comes after it, with another configuration."""
    return stock.newer


@pytest.fixture(scope="session")
def prepared(stock: Stock, request: pytest.FixtureRequest) -> None:
    """All that the tests of this run need is made: by each worker for another release first, and not one after
    the other while the others wait."""
    asked = {
        item.callspec.params.get("release") for item in request.session.items if hasattr(item, "callspec")
    }
    releases = [release for name, release in RELEASES.items() if name in asked]
    first = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % len(releases)
    for release in (*releases[first:], *releases[:first]):
        stock.prepare(release)


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest, prepared: None) -> Release:
    """Each release of Enterprise Linux."""
    return RELEASES[request.param]


@pytest.fixture
def older(stock: Stock, release: Release) -> dict[str, Path]:
    """The packages that an observatory has before ours, by their names."""
    return stock.older(release)


# The repository


@pytest.fixture
def repository(stock: Stock, workshop: Workshop, release: Release, place: Path) -> Repository:
    """A repository of this test's own, in which the packages of the tree as it stands are published."""
    return Repository(workshop, shutil.copytree(stock.published(release).host, place / "host", symlinks=True))


@pytest.fixture
def repository_url(repository: Repository) -> Iterator[str]:
    """Where it is served."""
    with served(repository.tree) as url:
        yield url


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
    return Reader(signer, key)


@pytest.fixture(scope="session")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """Small packages: rpm("a", "1")."""
    return Forge(tmp_path_factory.mktemp("forge"))


@pytest.fixture
def at(tmp_path: Path, signer: Signer, key: str, reader: Reader) -> Iterator[Publishing]:
    """A host where nothing is published yet. The program leaves none of its work behind."""
    publishing = Publishing(tmp_path, signer, key, reader)
    yield publishing
    assert list(publishing.scratch.iterdir()) == []


# Machines


@pytest.fixture
def bare(stock: Stock, release: Release) -> Machine:
    """A machine with the distribution only. All tests share it: it is not to be changed."""
    return stock.bare(release)


@pytest.fixture
def fresh_machine(bare: Machine, repository_url: str, place: Path) -> Machine:
    """A machine that knows our repository, and has nothing of it."""
    machine = bare.copy(place / "machine")
    know_ours(machine, repository_url)
    return machine


@pytest.fixture
def machine(stock: Stock, release: Release, repository_url: str, place: Path) -> Machine:
    """A machine that knows our repository, and on which our packages are installed."""
    machine = stock.installed(release).copy(place / "machine")
    know_ours(machine, repository_url)
    return machine


# The installed focusd


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


@pytest.fixture
def rehearsing(machine: Machine, port: Port) -> Machine:
    """A machine whose configuration is edited: its focuser is the virtual one, its daemon is on loopback."""
    write_site(machine, port)
    machine.edit_config(**SIMULATED)
    return machine


@pytest.fixture
def daemon(rehearsing: Machine) -> Iterator[Daemon]:
    """The installed focusd, running in that machine."""
    daemon = Daemon(rehearsing)
    yield daemon.start()
    daemon.dispose()
