"""The import contracts of .importlinter: each holds, and each can fail."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = "src/rockit/focuser/ok3z"

# For each contract, an import that it must not let pass: the file, and the line.
VIOLATIONS = {
    "layers": [
        (f"{PACKAGE}/wire.py", "from . import link"),
        (f"{PACKAGE}/wire.py", "from . import mechanics"),
        (f"{PACKAGE}/link.py", "from . import controller"),
        (f"{PACKAGE}/snapshot.py", "from . import motion"),
        (f"{PACKAGE}/pyro_service/service.py", "from .. import client"),
        (f"{PACKAGE}/remote.py", "from .command import wording"),
        (f"{PACKAGE}/focuser.py", "from . import pyro_service"),
        (f"{PACKAGE}/focuser.py", "from .alpaca import answers"),
        (f"{PACKAGE}/pyro_service/service.py", "from .. import alpaca"),
        (f"{PACKAGE}/alpaca/device.py", "from ..pyro_service import report"),
        (f"{PACKAGE}/alpaca/device.py", "from .. import doors"),
        (f"{PACKAGE}/forecast.py", "from .alpaca.discovery import DISCOVERY_PORT"),
        (f"{PACKAGE}/pyro_service/service.py", "from .. import daemon"),
        (f"{PACKAGE}/errors.py", "from . import constants"),
        (f"{PACKAGE}/lane.py", "from . import errors"),
        (f"{PACKAGE}/tally.py", "from . import lane"),
        (f"{PACKAGE}/listening.py", "from . import registry"),
        (f"{PACKAGE}/a_new_room.py", ""),
    ],
    "driver-knows-no-simulator": [
        (f"{PACKAGE}/focuser.py", "from .simulator import clock"),
        (f"{PACKAGE}/daemon.py", "import rockit.focuser.ok3z.simulator"),
        (f"{PACKAGE}/command/output.py", "from ..simulator import options"),
    ],
    "simulator-knows-no-driver": [
        (f"{PACKAGE}/simulator/frames.py", "from .. import wire"),
        (f"{PACKAGE}/simulator/clock.py", "from ..clock import Clock as _Clock"),
        (f"{PACKAGE}/simulator/ramp.py", "from ..registers import STEPS_PER_MM"),
        (f"{PACKAGE}/simulator/program.py", "from rockit.common import log"),
    ],
    "serial": [
        (f"{PACKAGE}/controller.py", "import serial"),
        (f"{PACKAGE}/wire.py", "from serial import SerialException"),
        (f"{PACKAGE}/simulator/device.py", "import serial"),
    ],
    "pyro": [
        (f"{PACKAGE}/focuser.py", "import Pyro4"),
        (f"{PACKAGE}/command/motion.py", "from Pyro4.errors import CommunicationError"),
    ],
    "aiohttp": [
        (f"{PACKAGE}/doors.py", "import aiohttp"),
        (f"{PACKAGE}/daemon.py", "from aiohttp import web"),
        (f"{PACKAGE}/command/output.py", "from aiohttp import ClientSession"),
        ("common/src/rockit/common/log.py", "import aiohttp"),
    ],
    "alpaca-knows-the-service-only": [
        (f"{PACKAGE}/alpaca/device.py", "from ..motion import Motion"),
        (f"{PACKAGE}/alpaca/access.py", "from rockit.common import IP"),
        (f"{PACKAGE}/alpaca/panel/view.py", "from ...link import Link"),
        (f"{PACKAGE}/alpaca/a_new_room.py", "from ..config import Config"),
    ],
    "driver-knows-no-site": [
        (f"{PACKAGE}/focuser.py", "from .config import Config"),
        (f"{PACKAGE}/motion.py", "from rockit.common import log"),
    ],
    "command-knows-no-driver": [
        (f"{PACKAGE}/client.py", "from .mechanics import mm_from_steps"),
        (f"{PACKAGE}/command/wording.py", "from ..snapshot import State"),
        (f"{PACKAGE}/cli.py", "from .focuser import Focuser"),
        (f"{PACKAGE}/remote.py", "from .focuser import Focuser"),
        (f"{PACKAGE}/remote.py", "from .controller import Controller"),
    ],
    "daemon-knows-no-command": [
        (f"{PACKAGE}/daemon.py", "from . import client"),
        (f"{PACKAGE}/daemon.py", "from .remote import connect"),
        (f"{PACKAGE}/daemon.py", "from .command import output"),
    ],
    "server-knows-no-focuser": [
        (f"{PACKAGE}/pyro_server/server.py", "from ..focuser import Focuser"),
        (f"{PACKAGE}/pyro_server/published.py", "from ..registry import machine_ip"),
        (f"{PACKAGE}/pyro_server/published.py", "from ..alpaca import access"),
    ],
    "common-knows-no-focuser": [
        ("common/src/rockit/common/log.py", "from rockit.focuser.ok3z import CommandStatus"),
    ],
    "pure": [
        (f"{PACKAGE}/wire.py", "import logging"),
        (f"{PACKAGE}/mechanics.py", "import time"),
        (f"{PACKAGE}/registers.py", "import os"),
        (f"{PACKAGE}/mechanics.py", "from rockit.common import IP"),
    ],
}


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(PROJECT / ".importlinter")
    return parser


def modules_of(contract: str, key: str) -> set[str]:
    return set(contracts()[f"importlinter:contract:{contract}"][key].split())


def lint(tree: Path, contract: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--contract", contract],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(tree / "common/src")])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Path:
    """A copy of everything that the contracts speak of."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in ("src", "common/src"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignored)
    shutil.copy(PROJECT / ".importlinter", tmp_path)
    return tmp_path


def test_every_contract_has_a_violation_here() -> None:
    prefix = "importlinter:contract:"
    assert {name[len(prefix) :] for name in contracts().sections() if name.startswith(prefix)} == set(
        VIOLATIONS
    )


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_contract_can_fail(contract: str, tree: Path) -> None:
    """All violations of one contract in one copy: each of them must be named."""
    expected = {(name, line): _add(tree / name, line) for name, line in VIOLATIONS[contract]}

    outcome = lint(tree, contract)

    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    report = "".join(outcome.stdout.split())
    for name, line in VIOLATIONS[contract]:
        module = name.partition("src/")[2][: -len(".py")].replace("/", ".")
        pattern = (
            rf"{re.escape(module)}->[A-Za-z0-9_.]+\(l\.{expected[name, line]}\)"
            if line
            else re.escape(module)
        )
        assert re.search(pattern, report), f"{line!r} in {name} was not seen"


def _add(path: Path, line: str) -> int:
    """Append a line to a module, which may be new; returns the line's number."""
    text = path.read_text() if path.exists() else '"""A room that nobody placed."""\n'
    path.write_text(f"{text}{line}\n")
    return text.count("\n") + 1


def test_the_two_sides_of_the_wire_are_named_in_full() -> None:
    """A new module must be on a side: neither list may be forgotten."""
    rooms = {
        f"rockit.focuser.ok3z.{path.stem}"
        for path in (PROJECT / PACKAGE).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
    }
    driver = rooms - {"rockit.focuser.ok3z.simulator"}
    assert modules_of("driver-knows-no-simulator", "source_modules") == driver
    assert modules_of("simulator-knows-no-driver", "forbidden_modules") == driver | {"rockit.common"}
