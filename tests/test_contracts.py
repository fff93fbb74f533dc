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
    "floors": [
        (f"{PACKAGE}/driver/protocol.py", "from ..service import status"),
        (f"{PACKAGE}/driver/link.py", "from ..config import site"),
        (f"{PACKAGE}/storage/state_file.py", "from ..service import memory"),
        (f"{PACKAGE}/service/focuser.py", "from ..servers import pyro"),
        (f"{PACKAGE}/servers/pyro/focuser.py", "from ...client import calls"),
        (f"{PACKAGE}/servers/pyro/focuser.py", "from ...daemon import main"),
        (f"{PACKAGE}/client/remote.py", "from ..cli import wording"),
        (f"{PACKAGE}/daemon/main.py", "from ..cli import output"),
        (f"{PACKAGE}/daemon/main.py", "from ..indi import device"),
        (f"{PACKAGE}/daemon/main.py", "import rockit.focuser.ok3z.simulator"),
        (f"{PACKAGE}/service/focuser.py", "from ..simulator import clock"),
        (f"{PACKAGE}/driver/link.py", "from ..commission import wiretap"),
        (f"{PACKAGE}/errors.py", "from . import constants"),
        (f"{PACKAGE}/a_new_folder.py", ""),
    ],
    "servers": [
        (f"{PACKAGE}/servers/pyro/focuser.py", "from ..alpaca import device"),
        (f"{PACKAGE}/servers/alpaca/device.py", "from ..pyro import report"),
        (f"{PACKAGE}/servers/alpaca/device.py", "from ..panel import view"),
        (f"{PACKAGE}/servers/http/framing.py", "from .. import web"),
        (f"{PACKAGE}/servers/net/listener.py", "from ..http import stops"),
        (f"{PACKAGE}/servers/a_new_room.py", ""),
    ],
    "service": [
        (f"{PACKAGE}/service/status.py", "from . import memory"),
        (f"{PACKAGE}/service/recovery.py", "from . import commands"),
        (f"{PACKAGE}/service/a_new_room.py", ""),
    ],
    "driver": [
        (f"{PACKAGE}/driver/protocol.py", "from . import link"),
        (f"{PACKAGE}/driver/protocol.py", "from . import planning"),
        (f"{PACKAGE}/driver/link.py", "from . import controller"),
        (f"{PACKAGE}/driver/a_new_room.py", ""),
    ],
    "simulator-knows-no-driver": [
        (f"{PACKAGE}/simulator/frames.py", "from ..driver import protocol"),
        (f"{PACKAGE}/simulator/clock.py", "from ..driver.clock import Clock as _Clock"),
        (f"{PACKAGE}/simulator/ramp.py", "from ..driver.registers import STEPS_PER_MM"),
        (f"{PACKAGE}/simulator/program.py", "from rockit.common import log"),
    ],
    "libraries": [
        (f"{PACKAGE}/driver/controller.py", "import serial"),
        (f"{PACKAGE}/driver/protocol.py", "from serial import SerialException"),
        (f"{PACKAGE}/simulator/device.py", "import serial"),
        (f"{PACKAGE}/service/focuser.py", "import Pyro4"),
        (f"{PACKAGE}/cli/motion.py", "from Pyro4.errors import CommunicationError"),
        (f"{PACKAGE}/daemon/servers.py", "import aiohttp"),
        (f"{PACKAGE}/daemon/main.py", "from aiohttp import web"),
        (f"{PACKAGE}/cli/output.py", "from aiohttp import ClientSession"),
        ("common/src/rockit/common/log.py", "import aiohttp"),
        (f"{PACKAGE}/service/moved.py", "import sqlite3"),
        (f"{PACKAGE}/servers/web.py", "import prometheus_client"),
    ],
    "servers-know-the-service-only": [
        (f"{PACKAGE}/servers/alpaca/device.py", "from ...driver.axis import Axis"),
        (f"{PACKAGE}/servers/http/access.py", "from rockit.common import IP"),
        (f"{PACKAGE}/servers/panel/view.py", "from ...driver.link import Link"),
        (f"{PACKAGE}/servers/alpaca/a_new_room.py", "from ...config.model import Config"),
        (f"{PACKAGE}/servers/pyro/exposed.py", "from ...config.site import machine_ip"),
    ],
    "commission": [
        (f"{PACKAGE}/commission/session.py", "from ..service.settings import Settings"),
        (f"{PACKAGE}/commission/session.py", "from ..config.model import Config"),
        (f"{PACKAGE}/commission/bench.py", "from rockit.common import log"),
    ],
    "service-knows-no-site": [
        (f"{PACKAGE}/service/focuser.py", "from ..config.model import Config"),
        (f"{PACKAGE}/driver/axis.py", "from rockit.common import log"),
    ],
    "command-knows-no-driver": [
        (f"{PACKAGE}/client/calls.py", "from ..driver.planning import mm_from_steps"),
        (f"{PACKAGE}/cli/wording.py", "from ..service.status import State"),
        (f"{PACKAGE}/client/remote.py", "from ..driver.controller import Controller"),
        (f"{PACKAGE}/indi/device.py", "from ..driver.planning import mm_from_steps"),
    ],
    "daemon-knows-no-command": [
        (f"{PACKAGE}/daemon/main.py", "from ..client.remote import connect"),
    ],
    "port-knows-no-focuser": [
        (f"{PACKAGE}/servers/pyro/server.py", "from ...service.focuser import Focuser"),
        (f"{PACKAGE}/servers/pyro/exposed.py", "from ...service import outcomes"),
        (f"{PACKAGE}/servers/net/listener.py", "from ...driver import registers"),
    ],
    "common-knows-no-focuser": [
        ("common/src/rockit/common/log.py", "from rockit.focuser.ok3z import CommandStatus"),
    ],
    "pure": [
        (f"{PACKAGE}/driver/protocol.py", "import logging"),
        (f"{PACKAGE}/driver/planning.py", "import time"),
        (f"{PACKAGE}/commission/measures.py", "import time"),
        (f"{PACKAGE}/driver/registers.py", "import os"),
        (f"{PACKAGE}/indi/device.py", "import time"),
        (f"{PACKAGE}/driver/planning.py", "from rockit.common import IP"),
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
    """A new folder must be on a side."""
    above_all = {"__init__", "simulator", "cli", "daemon", "indi"}
    rooms = {
        f"rockit.focuser.ok3z.{path.stem}"
        for path in (PROJECT / PACKAGE).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem not in above_all
    }
    assert modules_of("simulator-knows-no-driver", "forbidden_modules") == rooms | {"rockit.common"}
