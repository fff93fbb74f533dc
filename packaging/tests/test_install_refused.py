"""What dnf refuses to install, and that nothing is lost by it."""

from __future__ import annotations

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


def flip_a_byte(path: Path) -> None:
    """Flip one bit of what is packed."""
    content = bytearray(path.read_bytes())
    content[-100] ^= 0x10
    path.write_bytes(content)


def test_a_missing_dependency_is_refused(fresh_machine: Machine) -> None:
    before = fresh_machine.files()
    refused = fresh_machine.dnf("install", SERVER, "--exclude=python3-Pyro4")
    refused.refused(f"python{fresh_machine.release.python}dist(pyro4)")
    assert fresh_machine.files() == before


def test_unsigned_packages_are_refused(
    fresh_machine: Machine, repository: Repository, repository_url: str, workshop: Workshop
) -> None:
    before = fresh_machine.files()
    for path in repository.rpms(fresh_machine.release.name).values():
        workshop.run("rpmsign", "--delsign", path).ok()
    # As the repository is signed as a whole, this is refused already.
    fresh_machine.dnf("install", SERVER).refused("Cannot download")
    repository.describe_anew(fresh_machine.release.name)
    know_ours(fresh_machine, repository_url, repo_gpgcheck=0)
    fresh_machine.dnf("clean", "all").ok()
    fresh_machine.dnf("install", SERVER).refused("is not signed", "GPG check FAILED")
    assert fresh_machine.files() == before


def test_one_flipped_byte_is_refused(
    fresh_machine: Machine, repository: Repository, repository_url: str
) -> None:
    before = fresh_machine.files()
    flip_a_byte(repository.rpms(fresh_machine.release.name)[MODULE])
    fresh_machine.dnf("install", SERVER).refused("checksum")
    # Metadata that somebody made to match it are not signed by us, and the package is not what we signed.
    repository.describe_anew(fresh_machine.release.name)
    fresh_machine.dnf("clean", "all").ok()
    fresh_machine.dnf("install", SERVER).refused("repomd.xml.asc")
    know_ours(fresh_machine, repository_url, repo_gpgcheck=0)
    fresh_machine.dnf("install", SERVER).refused("GPG check FAILED")
    assert fresh_machine.files() == before


@pytest.mark.parametrize("repo_gpgcheck", [0, 1])
def test_somebody_elses_key_is_refused(
    fresh_machine: Machine,
    repository: Repository,
    repository_url: str,
    workshop: Workshop,
    repo_gpgcheck: int,
) -> None:
    before = fresh_machine.files()
    (repository.tree / PUBLIC_KEY).write_text(public_key(workshop, SOMEBODY_ELSES))
    know_ours(fresh_machine, repository_url, repo_gpgcheck=repo_gpgcheck)
    fresh_machine.dnf("install", SERVER).refused("signature" if repo_gpgcheck else "GPG")
    assert fresh_machine.files() == before


def test_the_focus_of_another_focuser_is_not_overwritten(
    fresh_machine: Machine, older: dict[str, Path]
) -> None:
    fresh_machine.dnf("install", "--nogpgcheck", older[OTHERS_CLIENT]).ok()
    before = fresh_machine.files()
    refused = fresh_machine.dnf("install", SERVER, CLIENT, DATA)
    refused.refused("file /usr/bin/focus", "conflicts", OTHERS_CLIENT)
    assert fresh_machine.files() == before
    # The daemon has nothing that the other package has.
    fresh_machine.dnf("install", SERVER, DATA).ok()
    assert fresh_machine.run("/usr/bin/focus").ok() == "not our focus\n"


def test_focus_is_not_overwritten_by_that_of_another_focuser(
    machine: Machine, older: dict[str, Path]
) -> None:
    before = machine.files()
    refused = machine.dnf("install", "--nogpgcheck", older[OTHERS_CLIENT])
    refused.refused("file /usr/bin/focus", "conflicts", CLIENT)
    assert machine.files() == before
