"""A machine goes from one version to another: from older packages to ours, to newer ones, back, and away."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.building import Built
from support.machine import Machine
from support.repository import Repository, deployment_packages, know_ours
from support.running import CONFIG, SIMULATED, Daemon, Port, focus, status, write_site

INSTANCE = "focusd@ngts_m06"
RUNNING = f"{INSTANCE}.service loaded active running Focuser daemon for the ASA OK3Z (ngts_m06)\n"
# What would reach a daemon that runs.
REACHING = ("start", "stop", "kill", "reload-or-restart", "mark-restart", "enable")
MODULE, COMMON = "python3-rockit-focuser-ok3z", "python3-rockit-common"
PROGRAMS = ("rockit-focuser-ok3z-server", "rockit-focuser-ok3z-client", MODULE)
DATA, OLDER_DATA = "rockit-atlas-data-ngts-m06", "rockit-focuser-ok3z-data-ngts-m06"
UPDATE, DOWNGRADE = ("--refresh", "update"), ("downgrade", *deployment_packages("downgrade"))


@dataclass(frozen=True)
class Change:
    """What an operator does to a machine, and of which of our versions its programs and its configuration are then."""

    machine: str
    steps: tuple[tuple[str, ...], ...]
    programs: str
    config: str


CHANGES = {
    "update": Change("machine", (UPDATE,), "newer", "newer"),
    # What the data package holds goes with each version: it stays.
    "update and downgrade": Change("machine", (UPDATE, DOWNGRADE), "built", "newer"),
    "update from the older packages": Change("observatory", (UPDATE,), "newer", "newer"),
}


@pytest.fixture
def observatory(fresh_machine: Machine, older: dict[str, Path]) -> Machine:
    """A machine with the older packages and the observatory's own rockit.common, which knows our repository."""
    names = (*PROGRAMS, OLDER_DATA, COMMON)
    fresh_machine.dnf("install", "--nogpgcheck", *(older[name] for name in names)).ok()
    assert fresh_machine.run("/usr/bin/focusd").ok() == "not our focusd\n"
    return fresh_machine


@pytest.fixture
def published(repository: Repository, newer: Built, machine: Machine) -> None:
    """The newer version is in the repository."""
    repository.publish(newer.rpms(machine.release.name).values())


def reached(machine: Machine) -> list[str]:
    """What the scriptlets have asked systemd that would reach a daemon that runs."""
    return [asked for asked in machine.scriptlets() if any(word in asked for word in REACHING)]


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "not edited"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_brings_its_code_keeps_what_was_edited_and_reaches_no_daemon(
    request: pytest.FixtureRequest, repository: Repository, newer: Built, change: Change, edited: bool
) -> None:
    machine: Machine = request.getfixturevalue(change.machine)
    programs: Built = request.getfixturevalue(change.programs)
    before = machine.installed()
    text = machine.edit_config(focus_range_mm=5.25) if edited else newer.version.config
    repository.publish(newer.rpms(machine.release.name).values())
    machine.scriptlets()

    said = [machine.dnf(*step).ok() for step in change.steps]

    after = machine.installed()
    assert set(after) == {*PROGRAMS, DATA, COMMON}
    assert all(after[name].startswith(f"1:{programs.version.number}-") for name in PROGRAMS)
    assert machine.run("/usr/bin/focusd", "--version").ok() == f"focusd {programs.version.number}\n"
    assert "usage: focus" in machine.run("/usr/bin/focus", "--help").ok()
    assert (machine.root / "usr/lib/udev/rules.d/70-focuser-ngts_m06.rules").exists()
    modules = machine.root / machine.release.site_packages / "rockit"
    assert not (modules / "focuser/ok3z/only_in_the_older.py").exists()
    if change.machine == "observatory":
        # An observatory's own stays.
        assert after[COMMON] == before[COMMON]
    assert machine.config.read_text() == text
    # What would have come in its place lies beside it, and dnf said so.
    beside = machine.config.with_suffix(".json.rpmnew")
    assert beside.exists() == edited
    assert any(beside.name in words for words in said) == edited
    assert not edited or beside.read_text() == newer.version.config
    assert machine.run("/usr/bin/focusd", "--check", CONFIG).ok()
    assert machine.rpm("-Va", "*rockit*").said.split() == (["S.5....T.", "c", CONFIG] if edited else [])
    assert reached(machine) == []


def test_a_machine_believes_what_it_has_fetched_until_it_is_told_not_to(
    machine: Machine, repository: Repository, newer: Built
) -> None:
    """The reason for the first of the two documented lines."""
    assert "Nothing to do" in machine.dnf("update").ok()
    repository.publish(newer.rpms(machine.release.name).values())
    assert "Nothing to do" in machine.dnf("update").ok()
    machine.dnf("clean", "expire-cache").ok()
    assert "systemctl restart" not in machine.dnf("update").ok(), "no daemon runs"
    stamps = {release.rpartition(".g")[0][-14:] for release in machine.installed().values()}
    assert stamps == {"20261102120000"}


def test_an_update_leaves_a_running_daemon_to_its_operator(
    daemon: Daemon, rehearsing: Machine, published: None
) -> None:
    focus(rehearsing, "init").ok()
    rehearsing.answer_systemctl("list-units", RUNNING)

    assert f"sudo systemctl restart {INSTANCE}" in rehearsing.dnf(*UPDATE).ok()

    assert reached(rehearsing) == []
    assert daemon.is_running
    # Also with what it had not loaded yet, and called by the new command.
    focus(rehearsing, "set", "1.25").ok()
    assert round(status(rehearsing)["current_mm"], 3) == 1.25
    daemon.end()
    daemon.start()
    focus(rehearsing, "init").ok()


def test_an_update_warns_of_a_configuration_that_the_new_version_refuses(
    machine: Machine, published: None
) -> None:
    # The old daemon was started before somebody wrote this.
    machine.edit_config(focus_range_mm=-1)
    machine.answer_systemctl("list-units", RUNNING)
    said = machine.dnf(*UPDATE).ok()
    assert "DO NOT RESTART IT YET" in said
    assert "focus_range_mm" in said
    assert reached(machine) == []


def test_a_downgraded_daemon_homes_if_the_newer_one_kept_its_state_in_another_format(
    daemon: Daemon, rehearsing: Machine, published: None
) -> None:
    rehearsing.dnf(*UPDATE).ok()
    daemon.end()
    daemon.start()
    focus(rehearsing, "init").ok()
    daemon.end()
    (kept,) = rehearsing.root.rglob("focusd/rehearsal.json")
    written = json.loads(kept.read_text())
    kept.write_text(json.dumps({**written, "format": written["format"] + 1, "of_then": 1}))
    rehearsing.dnf(*DOWNGRADE).ok()

    daemon.start()
    focus(rehearsing, "init", "--resume").ok()

    assert status(rehearsing)["position_trust"] == "homed"
    assert "another version of focusd wrote it" in daemon.log
    daemon.end()
    assert json.loads(kept.read_text())["format"] == written["format"]


# Away again


def test_an_erasure_leaves_nothing_but_what_was_written_by_others(
    rehearsing: Machine, daemon: Daemon, bare: Machine
) -> None:
    # What a run leaves behind is there, too.
    focus(rehearsing, "init").ok()
    daemon.end()
    edited = rehearsing.config.read_text()

    rehearsing.dnf("remove", *deployment_packages("remove")).ok()

    assert rehearsing.installed() == {}
    asked = rehearsing.scriptlets()
    stop, disable = "systemctl stop focusd@*.service", "systemctl --no-reload disable focusd@.service"
    assert asked.index(stop) < asked.index(disable)
    saved = "etc/focusd/ngts_m06.json.rpmsave"
    new = set(rehearsing.files()) - set(bare.files())
    # The stand-ins for what we depend on come without bytecode, which stays where a run has made it.
    left = {path for path in new if "site-packages" not in path or "rockit" in path}
    assert left == {"etc/focusd", saved, "etc/rockit", "etc/rockit/site.json"}
    assert (rehearsing.root / saved).read_text() == edited


def test_an_erasure_of_what_nobody_touched_leaves_nothing(machine: Machine, bare: Machine) -> None:
    machine.dnf("remove", *deployment_packages("remove")).ok()
    assert machine.files() == bare.files()


# A repository that is half written, or half sent


def test_a_half_written_repository_changes_nothing(
    machine: Machine, repository: Repository, repository_url: str, newer: Built
) -> None:
    before, files = machine.installed(), machine.files()
    name = machine.release.name
    signature = (repository.tree / name / "repodata/repomd.xml.asc").read_bytes()
    repository.publish(newer.rpms(name).values())
    whole = repository.host.rename(repository.host.with_name("whole"))
    primary = metadata(whole / "current" / name, "primary")
    damage = {
        "the list is cut": (primary, cut),
        "the list is gone": (primary, Path.unlink),
        "repomd.xml is cut": ("repodata/repomd.xml", cut),
        "a package is cut": (newer.rpms(name)[MODULE].name, cut),
        "the signature has not come yet": (
            "repodata/repomd.xml.asc",
            lambda file: file.write_bytes(signature),
        ),
    }
    for how, (file, spoil) in damage.items():
        shutil.copytree(whole, repository.host, symlinks=True)
        spoil(repository.tree / name / file)
        # Without a signature of the metadata, too, it is seen, but for the signature itself.
        know_ours(machine, repository_url, repo_gpgcheck=int("signature" in how))
        machine.dnf("clean", "expire-cache").ok()
        machine.dnf("update").refused("focusd", *(["signature"] if "signature" in how else []))
        assert machine.installed() == before, how
        shutil.rmtree(repository.host)
    assert machine.files() == files

    # Once it is whole, nothing is left of that.
    whole.rename(repository.host)
    machine.dnf("clean", "expire-cache").ok()
    machine.dnf("update").ok()
    assert machine.run("/usr/bin/focusd", "--version").ok() == f"focusd {newer.version.number}\n"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def metadata(folder: Path, kind: str) -> str:
    """A part of the metadata, such as primary."""
    text = (folder / "repodata/repomd.xml").read_text()
    (found,) = re.findall(rf'href="(repodata/[^"]*-{kind}\.xml[^"]*)"', text)
    return str(found)


# What an observatory has before ours


def test_the_new_daemon_uses_the_observatorys_own_common(observatory: Machine, port: Port) -> None:
    observatory.dnf("update").ok()
    write_site(observatory, port)
    observatory.edit_config(**SIMULATED)
    daemon = Daemon(observatory)
    try:
        daemon.start()
        focus(observatory, "init").ok()
        daemon.end()
    finally:
        daemon.dispose()
    assert observatory.run("python3", "-c", "import rockit.common.the_observatorys_own").ok() == ""


def test_ours_does_not_replace_the_observatorys_own_common(
    fresh_machine: Machine, older: dict[str, Path]
) -> None:
    fresh_machine.dnf("install", "--nogpgcheck", older[COMMON]).ok()
    before = fresh_machine.installed()
    assert "Nothing to do" in fresh_machine.dnf("update").ok()
    # Nor does it come along with what needs a rockit.common.
    fresh_machine.dnf("install", "rockit-focuser-ok3z-server").ok()
    assert fresh_machine.installed()[COMMON] == before[COMMON]
    site_packages = fresh_machine.root / fresh_machine.release.site_packages
    assert (site_packages / "rockit/common/the_observatorys_own.py").exists()


def test_an_older_machine_with_the_focus_of_another_focuser_loses_nothing(
    observatory: Machine, older: dict[str, Path]
) -> None:
    # rpm lets two packages share a file, as long as it is the same.
    observatory.dnf("install", "--nogpgcheck", older["rockit-focuser-other-client"]).ok()
    before, files = observatory.installed(), observatory.files()
    observatory.dnf("update").refused("file /usr/bin/focus", "conflicts", "rockit-focuser-other-client")
    assert (observatory.installed(), observatory.files()) == (before, files)
