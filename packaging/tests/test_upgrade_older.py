"""Ours take the place of the packages that an observatory has before them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.building import Built
from support.machine import Machine
from support.running import SIMULATED, Daemon, Port, focus, write_site

OLDER_DATA = "rockit-focuser-ok3z-data-ngts-m06"
OLDER = (
    "rockit-focuser-ok3z-server",
    "rockit-focuser-ok3z-client",
    "python3-rockit-focuser-ok3z",
    OLDER_DATA,
)
COMMON = "python3-rockit-common"
OURS = {*OLDER[:3], "rockit-atlas-data-ngts-m06"}


@pytest.fixture
def observatory(fresh_machine: Machine, older: dict[str, Path]) -> Machine:
    """A machine with the older packages and the observatory's own rockit.common, which knows our repository."""
    fresh_machine.dnf("install", "--nogpgcheck", *(older[name] for name in (*OLDER, COMMON))).ok()
    assert fresh_machine.run("/usr/bin/focusd").ok() == "not our focusd\n"
    return fresh_machine


def test_the_older_packages_are_replaced(observatory: Machine, built: Built) -> None:
    before = observatory.installed()
    edited = observatory.edit_config(focus_range_mm=5.5)

    observatory.dnf("update").ok()

    after = observatory.installed()
    assert set(after) == {*OURS, COMMON}
    assert after[COMMON] == before[COMMON]
    assert all(after[name].startswith(f"1:{built.version.number}-") for name in OURS)
    assert observatory.run("/usr/bin/focusd", "--version").ok() == f"focusd {built.version.number}\n"
    assert "usage: focus" in observatory.run("/usr/bin/focus", "--help").ok()
    assert observatory.config.read_text() == edited
    assert observatory.config.with_suffix(".json.rpmnew").read_text() == built.version.config
    assert (observatory.root / "usr/lib/udev/rules.d/70-focuser-ngts_m06.rules").exists()
    site_packages = observatory.root / observatory.release.site_packages
    assert not (site_packages / "rockit/focuser/ok3z/only_in_the_older.py").exists()
    # Nobody has stopped the daemon of before, or started ours.
    asked = [
        line for line in observatory.scriptlets() if line.startswith("systemctl") and "list-units" not in line
    ]
    assert asked == []


def test_what_nobody_edited_is_ours_afterwards(observatory: Machine, built: Built) -> None:
    observatory.dnf("update").ok()
    assert observatory.config.read_text() == built.version.config
    assert observatory.rpm("-Va", "*rockit*").ok() == ""


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
