"""Upgrading and erasing the packages on a machine where the daemon runs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from boot.site import Site
from support.building import Built
from support.releases import EL9

SERVER = "rockit-focuser-ok3z-server"
STATE = "var/lib/private/focusd/boot/localhost_test.json"


def test_an_upgrade_leaves_the_daemon_running_and_says_how_to_restart_it(serving: Site, newer: Built) -> None:
    serving.focus_ok("init")
    serving.focus_ok("set", "2.0")
    before = serving.pid()
    said = serving.install(newer.rpms(EL9.name))

    assert "sudo systemctl restart focusd@boot" in said
    assert "The restart halts the motor." in said
    # systemd keeps what a daemon has told it while it reads its units anew.
    assert "The restart halts the motor." in serving.container.ok("/usr/libexec/focusd/after-upgrade")
    assert serving.pid() == before
    assert serving.focus_ok("status") == "Focuser is IDLE (2.000 mm)\n"
    # And so it is done: the newer one comes up where the older one was.
    serving.container.ok("systemctl", "restart", "focusd@boot")
    assert serving.pid() != before
    assert serving.container.ok("focusd", "--version") == f"focusd {newer.version.number}\n"
    assert "Focuser is IDLE (2.000 mm)" in serving.focus_ok("init", "--resume")


def test_an_upgrade_says_that_the_newer_version_refuses_the_configuration(
    serving: Site, newer: Built
) -> None:
    before = serving.pid()
    # As after a change of the rules: the daemon that runs was content with its configuration.
    serving.configure("boot", {"filter_wheel": 5})
    serving.configure("spare", {})
    said = serving.install(newer.rpms(EL9.name))

    assert "DO NOT RESTART" in said
    assert "filter_wheel" in said
    assert "/etc/focusd/boot.json" in said
    assert serving.pid() == before
    assert serving.focus_ok("status", config="spare") == "Focuser is OFFLINE\n"


def test_an_upgrade_has_the_motor_of_an_older_daemon_stopped_first(site: Site, newer: Built) -> None:
    """As observatories have it: it says nothing to systemd, neither that it is ready nor what it does."""
    site.change_unit("[Service]\nType=simple\nWatchdogSec=0\nExecStart=\nExecStart=/bin/sleep 600\n")
    site.enable("boot")
    said = site.install(newer.rpms(EL9.name))

    assert "sudo systemctl restart focusd@boot" in said
    assert "halts the motor" not in said
    assert "Before the restart: focus stop" in said


def test_an_upgrade_has_nothing_to_say_where_no_daemon_runs(site: Site, newer: Built) -> None:
    assert "focusd@" not in site.install(newer.rpms(EL9.name))


def test_erasing_stops_all_instances_and_leaves_no_link(serving: Site) -> None:
    serving.configure("other", {"daemon": "localhost_test2", "serial_port": "sim://"})
    serving.enable("other")
    serving.focus_ok("init")
    with serving.moving(5.5):
        serving.erase([*_ours(serving)])

    assert serving.daemons() == []
    links = (serving.container.root / "etc/systemd/system").rglob("focusd@*")
    assert [str(link) for link in links] == []
    assert serving.container.run("systemctl", "start", "focusd@boot").returncode != 0
    assert (
        serving.container.ok("systemctl", "list-units", "--all", "--plain", "--no-legend", "focusd@*") == ""
    )


def test_erasing_keeps_what_the_operator_wrote_and_what_is_known_of_the_position(serving: Site) -> None:
    serving.focus_ok("init")
    written = (serving.container.root / "etc/focusd/boot.json").read_text()
    serving.erase([*_ours(serving)])

    assert (serving.container.root / "etc/focusd/boot.json").read_text() == written
    assert json.loads((serving.container.root / STATE).read_text())


def test_erasing_the_server_where_an_instance_had_failed(site: Site) -> None:
    assert site.container.run("systemctl", "enable", "--now", "focusd@nonsense").returncode != 0
    site.erase([SERVER])

    links = (site.container.root / "etc/systemd/system").rglob("focusd@*")
    assert [str(link) for link in links] == []


def _ours(site: Site) -> Iterable[str]:
    return site.container.ok("rpm", "-qa", "--qf", "%{NAME}\n", "*rockit*").split()
