"""A repository that is half written, or half sent, changes nothing on a machine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Callable

from support.building import Built
from support.machine import Machine
from support.repository import Repository, know_ours

Break = Callable[[Path], None]


def cut(path: Path) -> None:
    """Leave one half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def metadata(folder: Path, kind: str) -> Path:
    """A part of the metadata, such as primary."""
    (found,) = re.findall(
        rf'href="(repodata/[^"]*-{kind}\.xml[^"]*)"', (folder / "repodata/repomd.xml").read_text()
    )
    return folder / str(found)


def cut_primary(folder: Path) -> None:
    cut(metadata(folder, "primary"))


def cut_repomd(folder: Path) -> None:
    cut(folder / "repodata/repomd.xml")


def lose_primary(folder: Path) -> None:
    metadata(folder, "primary").unlink()


def cut_a_package(folder: Path) -> None:
    cut(max(folder.rglob("python3-rockit-focuser-ok3z-*.noarch.rpm"), key=lambda path: path.stat().st_mtime))


def test_a_half_written_repository_changes_nothing(
    machine: Machine, repository: Repository, repository_url: str, newer: Built
) -> None:
    before, files = machine.installed(), machine.files()
    repository.publish(newer.rpms(machine.release.name).values())
    whole = repository.host.rename(repository.host.with_name("whole"))
    # Without a signature of the metadata, too, it is seen.
    know_ours(machine, repository_url, repo_gpgcheck=0)

    for break_it in (cut_primary, cut_repomd, lose_primary, cut_a_package):
        shutil.copytree(whole, repository.host, symlinks=True)
        break_it(repository.tree / machine.release.name)
        machine.dnf("clean", "expire-cache").ok()
        machine.dnf("update").refused("focusd")
        assert machine.installed() == before, break_it
        shutil.rmtree(repository.host)
    assert machine.files() == files

    # Once it is whole, nothing is left of that.
    whole.rename(repository.host)
    machine.dnf("clean", "expire-cache").ok()
    machine.dnf("update").ok()
    assert machine.run("/usr/bin/focusd", "--version").ok() == f"focusd {newer.version.number}\n"


def test_metadata_whose_signature_has_not_come_yet_change_nothing(
    machine: Machine, repository: Repository, newer: Built
) -> None:
    repodata = repository.tree / machine.release.name / "repodata"
    before, signature = machine.installed(), (repodata / "repomd.xml.asc").read_bytes()
    repository.publish(newer.rpms(machine.release.name).values())
    (repodata / "repomd.xml.asc").write_bytes(signature)
    machine.dnf("clean", "expire-cache").ok()
    machine.dnf("update").refused("focusd", "signature")
    assert machine.installed() == before
