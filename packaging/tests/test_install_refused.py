"""What dnf refuses to install, and that nothing is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import Machine
from support.repository import PUBLIC_KEY, SOMEBODY_ELSES, Repository, know_ours, public_key
from support.workshop import Workshop

SERVER = "rockit-focuser-ok3z-server"
CLIENT = "rockit-focuser-ok3z-client"
MODULE = "python3-rockit-focuser-ok3z"
DATA = "rockit-atlas-data-ngts-m06"
OTHERS_CLIENT = "rockit-focuser-other-client"


@pytest.fixture
def untouched(fresh_machine: Machine) -> Iterator[Machine]:
    """A machine that knows our repository, and on which nothing is installed, or left, by the test."""
    before = fresh_machine.files()
    yield fresh_machine
    assert fresh_machine.files() == before


def test_a_missing_dependency_is_refused(untouched: Machine) -> None:
    refused = untouched.dnf("install", SERVER, "--exclude=python3-Pyro4")
    refused.refused(f"python{untouched.release.python}dist(pyro4)")


def test_unsigned_packages_are_refused(
    untouched: Machine, repository: Repository, repository_url: str, workshop: Workshop
) -> None:
    for path in repository.rpms(untouched.release.name).values():
        workshop.run("rpmsign", "--delsign", path).ok()
    # As the repository is signed as a whole, this is refused already.
    untouched.dnf("install", SERVER).refused("Cannot download")
    repository.describe_anew(untouched.release.name)
    know_ours(untouched, repository_url, repo_gpgcheck=0)
    untouched.dnf("clean", "all").ok()
    untouched.dnf("install", SERVER).refused("is not signed", "GPG check FAILED")


def test_one_flipped_byte_is_refused(untouched: Machine, repository: Repository, repository_url: str) -> None:
    package = repository.rpms(untouched.release.name)[MODULE]
    content = bytearray(package.read_bytes())
    content[-100] ^= 0x10
    package.write_bytes(content)
    untouched.dnf("install", SERVER).refused("checksum")
    # Metadata that somebody made to match it are not signed by us, and the package is not what we signed.
    repository.describe_anew(untouched.release.name)
    untouched.dnf("clean", "all").ok()
    untouched.dnf("install", SERVER).refused("repomd.xml.asc")
    know_ours(untouched, repository_url, repo_gpgcheck=0)
    untouched.dnf("install", SERVER).refused("GPG check FAILED")


def test_somebody_elses_key_is_refused(
    untouched: Machine, repository: Repository, repository_url: str, workshop: Workshop
) -> None:
    (repository.tree / PUBLIC_KEY).write_text(public_key(workshop, SOMEBODY_ELSES))
    for repo_gpgcheck, word in ((0, "GPG"), (1, "signature")):
        know_ours(untouched, repository_url, repo_gpgcheck=repo_gpgcheck)
        untouched.dnf("clean", "all").ok()
        untouched.dnf("install", SERVER).refused(word)


def test_only_one_package_can_have_a_focus(fresh_machine: Machine, older: dict[str, Path]) -> None:
    """Neither ours nor that of another focuser takes the place of the other."""
    fresh_machine.dnf("install", "--nogpgcheck", older[OTHERS_CLIENT]).ok()
    before = fresh_machine.files()
    refused = fresh_machine.dnf("install", SERVER, CLIENT, DATA)
    refused.refused("file /usr/bin/focus", "conflicts", OTHERS_CLIENT)
    assert fresh_machine.files() == before
    # The daemon has nothing that the other package has.
    fresh_machine.dnf("install", SERVER, DATA).ok()
    assert fresh_machine.run("/usr/bin/focus").ok() == "not our focus\n"

    fresh_machine.dnf("remove", OTHERS_CLIENT).ok()
    fresh_machine.dnf("install", CLIENT).ok()
    before = fresh_machine.files()
    refused = fresh_machine.dnf("install", "--nogpgcheck", older[OTHERS_CLIENT])
    refused.refused("file /usr/bin/focus", "conflicts", CLIENT)
    assert fresh_machine.files() == before
