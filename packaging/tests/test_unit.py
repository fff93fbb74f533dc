"""The unit, read by systemd itself, and how far it locks the daemon in, by systemd's own score.

`systemd-analyze` leaves a file in /run/systemd. It runs in a mount namespace of its own, with an empty /run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.shell import Result, run
from support.sources import PROJECT

UNIT = PROJECT / "packaging/focusd@.service"
SYSTEM_UNITS = "/usr/lib/systemd/system"
HIGHEST_SCORE = 2.0

# What is not shut, by the names that `systemd-analyze security` has for it, and why.
OPEN_ON_PURPOSE = {
    "RestrictAddressFamilies_AF_INET_INET6": "calls come over the network",
    "PrivateNetwork": "calls come over the network",
    "IPAddressDeny": "which machines may call is the site's: control_machines, and a drop-in of its own",
    "RestrictAddressFamilies_AF_UNIX": "systemd and the journal are told over Unix sockets",
    "PrivateDevices": "it would hide the serial ports",
    "DeviceAllow": "the serial ports",
    "SupplementaryGroups": "dialout, for the serial ports",
    "RootDirectoryOrRootImage": "Python and its modules are those of the system",
}

# Each is shut by one line of the unit, or by two of which one is enough. DynamicUser= stands for several more.
SHUT_BY = [
    "DynamicUser",
    "CapabilityBoundingSet",
    "ProtectHome",
    "PrivateUsers",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectProc",
    "ProcSubset",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "UMask",
    "DevicePolicy",
    "DeviceAllow",
]

NAMES = ("focusd@.service", "focusd@ngts_m06.service", "focusd@east-dome.2.service")
FAULTS = {
    "NoNewPrivileges=": "NoNewPrivilegs=",
    "ProtectHome=yes": "ProtectHome=perhaps",
    "Type=notify": "Type=notifies",
    "~@privileged": "~@priviliged",
    "WatchdogSec=": "WatchdogSec=soon ",
    "[Service]": "[Servce]",
    "char-ttyUSB": "ttyUSB",
    "AF_INET6": "AF_INET7",
    "RestartPreventExitStatus=78": "RestartPreventExitStatus=999",
    "Restart=on-failure": "Restart=on-falure",
    "StateDirectory=focusd": "StateDirectory=../focusd",
    # A program that is not there.
    "/usr/bin/focusd": "/usr/bin/focusd-that-is-not-there",
}

Write = Callable[[str], Path]


@dataclass(frozen=True)
class Report:
    """What `systemd-analyze security` says of a unit."""

    score: float
    open_doors: dict[str, str]
    """What is not shut, and how systemd describes it."""


@pytest.fixture(scope="module")
def unit() -> str:
    return UNIT.read_text()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a unit to a file. A stub stands in for focusd, which need not be installed."""
    stub = tmp_path / "focusd"
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)

    def write(text: str) -> Path:
        path = tmp_path / UNIT.name
        path.write_text(text.replace("/usr/bin/focusd", str(stub)))
        return path

    return write


def _analyze(path: Path, *arguments: str, errors: bool = True) -> Result:
    """A run of systemd-analyze beside the unit of this path, with the units of the distribution and no others."""
    command = 'mount -t tmpfs tmpfs /run && exec systemd-analyze --man=no "$@"'
    words = ("unshare", "--mount", "--propagation", "private", "sh", "-c", command, "sh", *arguments)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_UNIT_PATH": f"{path.parent}:{SYSTEM_UNITS}"}
    return run(*words, env=env, cwd=path.parent, errors=errors)


def _complaints(path: Path, name: str = UNIT.name) -> str:
    """What systemd has against a unit. It ends with 0 for an unknown key, so what it says counts."""
    done = _analyze(path, "verify", name)
    return done.said or (f"ended with {done.code}" if done.code else "")


def _report(path: Path) -> Report:
    said = _analyze(path, "security", "--offline=true", str(path)).said
    score = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert score, said
    doors = json.loads(
        _analyze(path, "security", "--offline=true", "--json=short", str(path), errors=False).said
    )
    return Report(
        score=float(score[1]),
        open_doors={door["json_field"]: door["description"] for door in doors if door["exposure"]},
    )


def test_systemd_has_nothing_against_the_unit_and_sees_a_fault_in_it(unit: str, write: Write) -> None:
    for name in NAMES:
        assert _complaints(write(unit), name) == ""
    for sound, broken in FAULTS.items():
        assert sound in unit
        assert _complaints(write(unit.replace(sound, broken))), broken


def test_a_daemon_that_fails_is_started_at_once_and_given_up_only_late(unit: str) -> None:
    number_of = {key: int(value) for key, value in re.findall(r"^(\w+)=(\d+)$", unit, re.MULTILINE)}
    pause_s, starts = number_of["RestartSec"], number_of["StartLimitBurst"]
    assert pause_s == 1
    assert starts * pause_s >= 1800, "it is tried for half an hour at least"
    assert starts * (pause_s + 0.5) < number_of["StartLimitIntervalSec"], "a start takes half a second"


def test_the_score_is_low_enough_and_a_bad_one_is_seen(unit: str, write: Write) -> None:
    unlocked = re.sub(r"^(?!Type|ExecStart)\w+=.*\n", "", unit, flags=re.MULTILINE)
    for text, is_good in ((unit, True), (unlocked, False)):
        path = write(text)
        assert (_report(path).score <= HIGHEST_SCORE) == is_good
        threshold = f"--threshold={HIGHEST_SCORE * 10:.0f}"
        assert (_analyze(path, "security", "--offline=true", threshold, str(path)).code == 0) == is_good


def test_no_door_is_open_but_those_that_must_be(unit: str, write: Write) -> None:
    report = _report(write(unit))

    found = {door: text for door, text in report.open_doors.items() if door not in OPEN_ON_PURPOSE}
    assert found == {}
    assert set(OPEN_ON_PURPOSE) - set(report.open_doors) == set()


def test_each_lock_shuts_something(unit: str, write: Write) -> None:
    whole = _report(write(unit))
    for key in SHUT_BY:
        without, count = re.subn(rf"^{key}=.*\n", "", unit, flags=re.MULTILINE)
        assert count, key
        assert _report(write(without)).open_doors != whole.open_doors, key


def test_the_devices_are_the_serial_ports_and_no_others(unit: str, write: Write) -> None:
    described = _report(write(unit)).open_doors["DeviceAllow"]

    # The clock comes with ProtectClock=.
    assert set(re.findall(r"\S+:\w+", described)) == {
        "char-ttyUSB:rw",
        "char-ttyACM:rw",
        "char-ttyS:rw",
        "char-rtc:r",
    }
