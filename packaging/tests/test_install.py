"""The packages are installed by dnf, and what is installed runs.

`support` has the machinery: real rpm and dnf, an installroot for each machine, and in it a real Python of the
release's version, with its dependencies in the release's versions, and nothing of this clone.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.building import Built
from support.machine import Machine
from support.repository import know_ours, readme_packages
from support.running import CONFIG, Daemon, Port, focus, status, write_site

FOUR_PACKAGES = {
    "rockit-focuser-ok3z-server",
    "rockit-focuser-ok3z-client",
    "python3-rockit-focuser-ok3z",
    "rockit-atlas-data-ngts-m06",
}
# What a program is made of that lists the modules it has of ours.
WHERE_FROM = """
import sys, rockit.focuser.ok3z.daemon.main, rockit.focuser.ok3z.servers.pyro, rockit.common, serial, Pyro4, jsonschema
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("rockit.") and module.__file__))
print(*sys.path)
"""


def test_dnf_installs_from_the_signed_repository(fresh_machine: Machine) -> None:
    fresh_machine.dnf("install", *readme_packages()).ok()

    # Also what nobody named: the module, and the site's library where the site has none.
    assert set(fresh_machine.installed()) == {*FOUR_PACKAGES, "python3-rockit-common"}
    assert fresh_machine.rpm("-Va", "*rockit*").ok() == ""
    asked = fresh_machine.scriptlets()
    assert "systemd-update-helper install-system-units focusd@.service" in asked
    # Nothing is started or enabled by an installation.
    assert not [words for words in asked if words.startswith("systemctl") and "list-units" not in words]
    signed = fresh_machine.rpm("-qa", "--qf", "%{RSAHEADER:pgpsig}\n", "*rockit*").ok().splitlines()
    assert len(signed) == len(FOUR_PACKAGES) + 1
    assert all("RSA/SHA" in line for line in signed), signed


def test_the_client_alone_brings_no_daemon(fresh_machine: Machine) -> None:
    fresh_machine.dnf("install", "rockit-focuser-ok3z-client").ok()
    assert not (fresh_machine.root / "usr/bin/focusd").exists()
    assert not (fresh_machine.root / "etc/focusd/ngts_m06.json").exists()
    assert "usage" in fresh_machine.run("/usr/bin/focus", "--help").ok()


def test_the_indi_driver_is_where_servers_and_kstars_look_for_it(fresh_machine: Machine) -> None:
    fresh_machine.dnf("install", "rockit-focuser-ok3z-indi").ok()
    assert not (fresh_machine.root / "usr/bin/focusd").exists()
    assert (fresh_machine.root / "usr/share/indi/indi_ok3z_focus.xml").is_file()
    # Without arguments, and to the end of its input.
    assert fresh_machine.run("/usr/bin/indi_ok3z_focus").ok() == ""
    assert fresh_machine.run("/usr/bin/indi_ok3z_focus", "--version").ok().startswith("indi_ok3z_focus ")


def test_commands_of_an_installed_machine(machine: Machine, built: Built) -> None:
    number = built.version.number
    assert machine.run("/usr/bin/focusd", "--version").ok() == f"focusd {number}\n"
    assert machine.run("/usr/bin/focusd", "--print-port", CONFIG).ok() == "9002\n"
    assert "ngts_m06_focuser" in machine.run("/usr/bin/focusd", "--check", CONFIG).ok()
    assert "usage: ok3z-simulator" in machine.run("/usr/bin/ok3z-simulator", "--help").ok()
    assert "NGTSDASNUC" in machine.run("python3", "-m", "rockit.common").ok()


def test_nothing_but_what_is_installed_is_run(machine: Machine) -> None:
    modules, path = machine.run("python3", "-c", WHERE_FROM).ok().splitlines()
    site_packages = f"/{machine.release.site_packages}/rockit/"
    assert f"{site_packages}common/__init__.py" in modules.split()
    assert all(file.startswith(site_packages) for file in modules.split()), modules
    # Of the interpreter that is mounted there, its standard library only.
    assert [folder for folder in path.split() if "site-packages" in folder] == [
        f"/{machine.release.site_packages}"
    ]
    assert not (machine.root / str(Path(__file__).parent).lstrip("/")).exists()


def test_the_installed_focusd_drives_the_focuser(daemon: Daemon, rehearsing: Machine, port: Port) -> None:
    # The port of the firewall is the one that is listened at.
    assert rehearsing.run("/usr/bin/focusd", "--print-port", CONFIG).ok() == f"{port.number}\n"
    assert f"serving rehearsal_daemon on 127.0.0.1:{port.number}" in daemon.log
    assert "Focuser is OFFLINE" in focus(rehearsing, "status").ok()
    focus(rehearsing, "init").ok()
    focus(rehearsing, "set", "2.5").ok()
    assert status(rehearsing)["current_mm"] == pytest.approx(2.5, abs=0.001)
    assert "Focuser is IDLE (2.500 mm)" in focus(rehearsing, "status").ok()
    focus(rehearsing, "stop").ok()
    focus(rehearsing, "set", "7").refused("outside range")
    focus(rehearsing, "kill").ok()
    assert "Focuser is OFFLINE" in focus(rehearsing, "status").ok()
    daemon.end()
    focus(rehearsing, "status").refused("Nothing listens at")


def test_a_desk_with_the_client_only_commands_the_daemon(
    daemon: Daemon,
    rehearsing: Machine,
    repository_url: str,
    port: Port,
    bare: Machine,
    place: Path,
) -> None:
    desk = bare.copy(place / "desk")
    know_ours(desk, repository_url)
    desk.dnf("install", "rockit-focuser-ok3z-client", "rockit-atlas-data-ngts-m06").ok()
    write_site(desk, port)
    desk.edit_config(daemon="rehearsal", control_machines=["LocalHost"])
    focus(desk, "init").ok()
    assert status(rehearsing)["state"] == status(desk)["state"] == "idle"
