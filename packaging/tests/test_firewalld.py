"""The firewalld service, and the lines of the README that open the port, by firewalld's own offline program.

It works on copies: the machine's own firewall is neither read nor changed.
"""

from __future__ import annotations

import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest
from rockit.common.built_in import DAEMONS
from support.documented import README, documented
from support.shell import Result, run
from support.sources import PROJECT

SERVICE = PROJECT / "packaging/focusd.xml"
CONFIGURATION = PROJECT / "ngts_m06.json"
SHIPPED = Path("/usr/lib/firewalld")
ALPACA = PROJECT / "docs/alpaca.md"
BROKEN = {'port="9002"': 'port="90021"', 'protocol="tcp"': 'protocol="tpc"', "<port ": "<prot "}
LINES = documented(README, "sudo firewall-cmd")
OPERATORS_FILE = "/etc/focusd/<config>.json"
# What is offline is permanent.
FIREWALL_CMD = """\
words=()
for word; do [[ $word = --permanent ]] || words+=("$word"); done
(( ${#words[@]} < $# )) || { echo "not --permanent: it would be gone after the reload" >&2; exit 1; }
exec firewall-offline-cmd --system-config="$FIREWALL/system" --default-config="$FIREWALL/shipped" "${words[@]}"\
"""


@dataclass(frozen=True)
class Firewall:
    """A firewall that is configured, but runs nowhere."""

    root: Path

    @property
    def services(self) -> Path:
        """Where packages put their services."""
        return self.root / "shipped" / "services"

    def run(self, *arguments: str) -> Result:
        folders = (f"--system-config={self.root / 'system'}", f"--default-config={self.root / 'shipped'}")
        return run("firewall-offline-cmd", *folders, *arguments, env=os.environ, errors=False)

    def ask(self, *arguments: str) -> str:
        return self.run(*arguments).ok().strip()

    def operate(self, line: str) -> None:
        """Do what an operator types, with stand-ins for sudo and for the program that asks a running firewall."""
        programs = self.root / "programs"
        programs.mkdir()
        (programs / "focusd").symlink_to(Path(sys.executable).with_name("focusd"))
        for name, script in (("sudo", 'exec "$@"'), ("firewall-cmd", FIREWALL_CMD)):
            (programs / name).write_text(f"#!/bin/bash\n{script}\n")
            (programs / name).chmod(0o755)
        # Only what is built in: the machine may have a site file.
        environment = {name: value for name, value in os.environ.items() if name != "ROCKIT_SITE_PATH"}
        path = f"{programs}:{os.environ['PATH']}"
        run("bash", "-c", line, env={**environment, "PATH": path, "FIREWALL": str(self.root)}).ok()


@pytest.fixture
def firewall(tmp_path: Path) -> Firewall:
    shutil.copytree(SHIPPED, tmp_path / "shipped")
    (tmp_path / "system").mkdir()
    firewall = Firewall(tmp_path)
    shutil.copy(SERVICE, firewall.services)
    return firewall


def test_firewalld_takes_the_service_and_sees_a_broken_one(firewall: Firewall) -> None:
    firewall.ask("--check-config")
    text = SERVICE.read_text()
    for sound, broken in BROKEN.items():
        assert sound in text
        (firewall.services / SERVICE.name).write_text(text.replace(sound, broken))
        assert firewall.run("--check-config").code != 0, broken


def test_the_service_opens_the_port_of_the_daemon_and_no_other(firewall: Firewall) -> None:
    assert firewall.ask("--service=focusd", "--get-ports") == f"{DAEMONS['ngts_m06_focuser'].port}/tcp"
    assert [element.tag for element in ElementTree.parse(SERVICE).getroot()] == [
        "short",
        "description",
        "port",
    ]


def test_the_documented_service_is_opened_by_its_name(firewall: Firewall) -> None:
    (line,) = [line for line in LINES if "--add-service" in line]

    firewall.operate(line)

    assert firewall.run("--zone=public", "--query-service=focusd").said.strip() == "yes"
    firewall.ask("--check-config")


def test_the_documented_line_opens_the_port_that_focusd_prints(firewall: Firewall) -> None:
    (line,) = [line for line in LINES if "--add-port" in line]
    assert OPERATORS_FILE in line

    firewall.operate(line.replace(OPERATORS_FILE, str(CONFIGURATION)))

    assert firewall.ask("--zone=public", "--list-ports") == f"{DAEMONS['ngts_m06_focuser'].port}/tcp"
    firewall.ask("--check-config")


def test_what_is_documented_to_be_opened_for_ever_is_documented_to_take_effect_now() -> None:
    openings, reloads = LINES[::2], LINES[1::2]

    assert [("--add-port" in line, "--add-service" in line) for line in openings] == [
        (True, False),
        (False, True),
    ]
    assert all("--permanent" in line for line in openings)
    assert reloads == ["sudo firewall-cmd --reload"] * len(openings)


def test_the_documented_ports_of_alpaca_are_opened(firewall: Firewall) -> None:
    opening, reload = documented(ALPACA, "firewall-cmd")

    firewall.operate(opening)

    assert reload == "firewall-cmd --reload"
    assert firewall.ask("--list-ports") == "11111/tcp 32227/udp"


def test_nothing_is_open_before(firewall: Firewall) -> None:
    assert firewall.ask("--zone=public", "--list-ports") == ""
    assert firewall.run("--zone=public", "--query-service=focusd").said.strip() == "no"
