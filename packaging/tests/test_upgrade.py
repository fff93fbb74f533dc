"""A newer version is published, and a machine is updated to it, back again, and rid of it."""

from __future__ import annotations

import json

from support.building import Built
from support.machine import Machine
from support.repository import Repository, deployment_packages
from support.running import CONFIG, Daemon, focus, status

INSTANCE = "focusd@ngts_m06"
RUNNING = f"{INSTANCE}.service loaded active running Focuser daemon for the ASA OK3Z (ngts_m06)\n"
# What would reach a daemon that runs.
REACHING = ("restart", "stop", "kill", "reload-or-restart", "mark-restart", "try-restart")


def publish_newer(repository: Repository, newer: Built, machine: Machine) -> None:
    repository.publish(newer.rpms(machine.release.name).values())


def version_of(machine: Machine) -> str:
    return machine.run("/usr/bin/focusd", "--version").ok().split()[1]


def reached(machine: Machine) -> list[str]:
    """What the scriptlets have asked systemd that would reach a daemon that runs."""
    return [asked for asked in machine.scriptlets() if any(word in asked for word in REACHING)]


def test_an_update_brings_the_new_code_and_keeps_what_was_edited(
    machine: Machine, repository: Repository, built: Built, newer: Built
) -> None:
    edited = machine.edit_config(focus_range_mm=5.25)
    assert "Nothing to do" in machine.dnf("update").ok()
    publish_newer(repository, newer, machine)

    # It believes what it has fetched, until it is told not to: the reason for the first of the two documented lines.
    assert "Nothing to do" in machine.dnf("update").ok()
    machine.dnf("clean", "expire-cache").ok()
    said = machine.dnf("update").ok()

    assert version_of(machine) == newer.version.number != built.version.number
    assert all(
        newer.rpms(machine.release.name)[name].name.startswith(f"{name}-") for name in machine.installed()
    )
    assert {release.rpartition(".g")[0][-14:] for release in machine.installed().values()} == {
        "20261102120000"
    }
    assert machine.config.read_text() == edited
    # What would have come in its place lies beside it, and dnf said so.
    assert machine.config.with_suffix(".json.rpmnew").read_text() == newer.version.config
    assert "ngts_m06.json.rpmnew" in said
    assert machine.run("/usr/bin/focusd", "--check", CONFIG).ok()
    assert machine.rpm("-Va", "*rockit*").said.split() == ["S.5....T.", "c", CONFIG]


def test_an_update_renews_what_was_not_edited(machine: Machine, repository: Repository, newer: Built) -> None:
    publish_newer(repository, newer, machine)
    machine.dnf("--refresh", "update").ok()
    assert machine.config.read_text() == newer.version.config
    assert sorted(path.name for path in machine.config.parent.iterdir()) == ["ngts_m06.json"]
    assert machine.rpm("-Va", "*rockit*").ok() == ""


def test_an_update_leaves_a_running_daemon_to_its_operator(
    daemon: Daemon, rehearsing: Machine, repository: Repository, newer: Built
) -> None:
    focus(rehearsing, "init").ok()
    rehearsing.answer_systemctl("list-units", RUNNING)
    publish_newer(repository, newer, rehearsing)
    said = rehearsing.dnf("--refresh", "update").ok()

    assert f"sudo systemctl restart {INSTANCE}" in said
    assert reached(rehearsing) == []
    assert daemon.is_running
    # Also with what it had not loaded yet, and called by the new command.
    focus(rehearsing, "set", "1.25").ok()
    assert round(status(rehearsing)["current_mm"], 3) == 1.25

    daemon.end()
    daemon.start()
    focus(rehearsing, "init").ok()


def test_an_update_warns_of_a_configuration_that_the_new_version_refuses(
    machine: Machine, repository: Repository, newer: Built
) -> None:
    # The old daemon was started before somebody wrote this.
    machine.edit_config(focus_range_mm=-1)
    machine.answer_systemctl("list-units", RUNNING)
    publish_newer(repository, newer, machine)
    said = machine.dnf("--refresh", "update").ok()
    assert "DO NOT RESTART IT YET" in said
    assert "focus_range_mm" in said
    assert reached(machine) == []


def test_a_machine_without_running_daemons_is_told_nothing(
    machine: Machine, repository: Repository, newer: Built
) -> None:
    publish_newer(repository, newer, machine)
    assert "systemctl restart" not in machine.dnf("--refresh", "update").ok()


def test_a_downgrade_brings_the_old_code_back(
    machine: Machine, repository: Repository, built: Built, newer: Built
) -> None:
    before = machine.installed()
    edited = machine.edit_config(focus_range_mm=5.25)
    publish_newer(repository, newer, machine)
    machine.dnf("--refresh", "update").ok()
    updated = machine.installed()
    machine.scriptlets()
    named = deployment_packages("downgrade")

    machine.dnf("downgrade", *named).ok()

    # What the others hold goes with each version: they stay.
    assert machine.installed() == {**updated, **{name: before[name] for name in named}}
    assert version_of(machine) == built.version.number
    assert machine.config.read_text() == edited
    assert machine.rpm("-Va", "*rockit*").said.split() == ["S.5....T.", "c", CONFIG]
    assert reached(machine) == []


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
    assert asked.index("systemctl stop focusd@*.service") < asked.index(
        "systemctl --no-reload disable focusd@.service"
    )
    saved = "etc/focusd/ngts_m06.json.rpmsave"
    new = set(rehearsing.files()) - set(bare.files())
    # The stand-ins for what we depend on come without bytecode, which stays where a run has made it.
    left = {path for path in new if "site-packages" not in path or "rockit" in path}
    assert left == {"etc/focusd", saved, "etc/rockit", "etc/rockit/site.json"}
    assert (rehearsing.root / saved).read_text() == edited


def test_a_downgraded_daemon_homes_where_the_newer_one_kept_its_state_in_another_format(
    daemon: Daemon, rehearsing: Machine, repository: Repository, newer: Built
) -> None:
    publish_newer(repository, newer, rehearsing)
    rehearsing.dnf("--refresh", "update").ok()
    daemon.end()
    daemon.start()
    focus(rehearsing, "init").ok()
    daemon.end()
    (kept,) = rehearsing.root.rglob("focusd/rehearsal.json")
    written = json.loads(kept.read_text())
    kept.write_text(json.dumps({**written, "format": written["format"] + 1, "of_then": 1}))
    rehearsing.dnf("downgrade", *deployment_packages("downgrade")).ok()

    daemon.start()
    focus(rehearsing, "init", "--resume").ok()

    assert status(rehearsing)["position_trust"] == "homed"
    assert "another version of focusd wrote it" in daemon.log
    daemon.end()
    assert json.loads(kept.read_text())["format"] == written["format"]


def test_an_erasure_of_what_nobody_touched_leaves_nothing(machine: Machine, bare: Machine) -> None:
    machine.dnf("remove", *deployment_packages("remove")).ok()
    assert machine.files() == bare.files()
