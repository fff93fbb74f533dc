"""The firewalld service, and the lines of the README that open the port, by firewalld's own offline program.

It works on copies: the machine's own firewall is neither read nor changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest
from rockit.common.built_in import DAEMONS

PACKAGING = Path(__file__).parents[1]
SERVICE = PACKAGING / "focusd.xml"
CONFIGURATION = PACKAGING.parent / "ngts_m06.json"
SHIPPED = Path("/usr/lib/firewalld")
BOUND_S = 60


@dataclass(frozen=True)
class Firewall:
    """A firewall that is configured, but runs nowhere."""

    root: Path

    @property
    def services(self) -> Path:
        """Where packages put their services."""
        return self.root / "shipped" / "services"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "firewall-offline-cmd",
                f"--system-config={self.root / 'system'}",
                f"--default-config={self.root / 'shipped'}",
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=BOUND_S,
        )

    def ask(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture
def firewall(tmp_path: Path) -> Firewall:
    shutil.copytree(SHIPPED, tmp_path / "shipped")
    (tmp_path / "system").mkdir()
    firewall = Firewall(tmp_path)
    shutil.copy(SERVICE, firewall.services)
    return firewall


def test_firewalld_takes_the_service(firewall: Firewall) -> None:
    firewall.ask("--check-config")


@pytest.mark.parametrize(
    ("sound", "broken"),
    [('port="9002"', 'port="90021"'), ('protocol="tcp"', 'protocol="tpc"'), ("<port ", "<prot ")],
)
def test_a_broken_service_is_seen(firewall: Firewall, sound: str, broken: str) -> None:
    text = SERVICE.read_text()
    assert sound in text
    (firewall.services / SERVICE.name).write_text(text.replace(sound, broken))

    assert firewall.run("--check-config").returncode != 0


def test_the_service_opens_the_port_of_the_daemon_and_no_other(firewall: Firewall) -> None:
    assert firewall.ask("--service=focusd", "--get-ports") == f"{DAEMONS['ngts_m06_focuser'].port}/tcp"
    assert [element.tag for element in ElementTree.parse(SERVICE).getroot()] == [
        "short",
        "description",
        "port",
    ]


def test_the_service_is_opened_by_its_name(firewall: Firewall) -> None:
    firewall.ask("--zone=public", "--add-service=focusd")

    assert firewall.run("--zone=public", "--query-service=focusd").stdout.strip() == "yes"
    firewall.ask("--check-config")


def test_the_port_that_focusd_prints_is_opened(firewall: Firewall) -> None:
    port = _printed_port(CONFIGURATION)
    firewall.ask("--zone=public", f"--add-port={port}/tcp")

    assert firewall.ask("--zone=public", "--list-ports") == f"{DAEMONS['ngts_m06_focuser'].port}/tcp"
    firewall.ask("--check-config")


def test_nothing_is_open_before(firewall: Firewall) -> None:
    assert firewall.ask("--zone=public", "--list-ports") == ""
    assert firewall.run("--zone=public", "--query-service=focusd").stdout.strip() == "no"


def _printed_port(configuration: Path) -> str:
    """As the shell sees it in `--add-port=$(focusd --print-port FILE)/tcp`."""
    focusd = Path(sys.executable).with_name("focusd")
    # Only what is built in: the machine may have a site file.
    environment = {name: value for name, value in os.environ.items() if name != "ROCKIT_SITE_PATH"}
    done = subprocess.run(
        [focusd, "--print-port", configuration],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")
