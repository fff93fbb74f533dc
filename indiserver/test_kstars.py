"""KStars without a screen finds our driver in its list, starts it as Ekos does, and drives the focuser.

Not in `.ci/run`: it wants Debian's kstars, xvfb and dbus, and port 7624, on which Ekos always has its server.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from indiserver.conftest import SETTINGS
from rockit.focuser.ok3z.indi.hold import HOLD_S
from rockit.focuser.ok3z.indi.properties import LABEL
from tests.support.processes import BIN, Focusd, running
from tests.support.waiting import BOUND_S, wait_until

PACKAGING = Path(__file__).parents[1] / "packaging"
# Its first start makes its database.
START_S = 60.0
PROFILE = "Ours"
DEVICES = (("Telescope Simulator", "Mount"), ("CCD Simulator", "CCD"), (LABEL, "Focuser"))
NEWS = ("ABS_FOCUS_POSITION", "FOCUS_ABSOLUTE_POSITION")

pytestmark = pytest.mark.timeout(240)


class KStars:
    """A KStars on a screen, a session bus and a home of its own, with a profile that has our focuser.

    Args:
        folder: its home.
        stack: ends what is started.
        environment: where our driver finds the daemon.
    """

    def __init__(self, folder: Path, stack: ExitStack, environment: dict[str, str]) -> None:
        self.home = folder
        self.held_until_s = 0.0
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        self._stack = stack
        self._environment = {
            **environment,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        screen = ("Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
        self._environment["DISPLAY"] = f":{self._first_line(*screen)}"
        bus = ("dbus-daemon", "--session", "--nofork", "--print-address=1")
        self._environment["DBUS_SESSION_BUS_ADDRESS"] = self._first_line(*bus)

    def _first_line(self, *words: str) -> str:
        process = subprocess.Popen(
            words, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._stack.callback(self._end, process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        process.terminate()
        try:
            process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(BOUND_S)
        if process.stdout is not None:
            process.stdout.close()

    def launch(self) -> subprocess.Popen[str]:
        log = self._stack.enter_context((self.home / "kstars.log").open("a"))
        process = subprocess.Popen(
            ["kstars", "--paused"], env=self._environment, stdout=log, stderr=log, text=True
        )
        self._stack.callback(self._end, process)
        return process

    def start(self) -> None:
        """Start it, and wait until Ekos is there."""
        self.launch()
        show = ("/KStars", "org.kde.KMainWindow.activateAction", "show_ekos")
        wait_until(lambda: "true" in self.call(*show), "Ekos", START_S)
        wait_until(lambda: PROFILE in self.profiles(), "its profiles", START_S)

    def learn(self) -> None:
        """Start it once, which makes its database, and give it our list of drivers and a profile."""
        settings, database = self.home / ".config/kstarsrc", self.home / ".local/share/kstars/userdb.sqlite"
        process = self.launch()
        wait_until(lambda: _drivers_in(database), "its database", START_S)
        self._end(process)
        folder = self.home / "drivers"
        folder.mkdir()
        for path in ("/usr/share/indi/drivers.xml", PACKAGING / "indi_ok3z_focus.xml"):
            shutil.copy(path, folder)
        with settings.open("a") as file:
            file.write(f"\n[indi]\nindiDriversDir={folder}\n")
        with closing(sqlite3.connect(database)) as opened, opened:
            columns = "(name, autoconnect, portselector) values (?, 1, 0)"
            number = opened.execute(f"insert into profile {columns}", (PROFILE,)).lastrowid
            for label, role in DEVICES:
                opened.execute(
                    "insert into driver (label, role, profile) values (?, ?, ?)", (label, role, number)
                )

    def call(self, path: str, method: str, *words: object) -> str:
        """A call on the bus, and its answer as text."""
        command = ["gdbus", "call", "--session", "-d", "org.kde.kstars", "-o", path, "-m", method]
        said = subprocess.run(
            [*command, *map(str, words)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        return said.stdout.strip()

    def profiles(self) -> str:
        return self.call("/KStars/Ekos", "org.kde.kstars.Ekos.getProfiles")

    def get(self, path: str, interface: str, name: str) -> str:
        return self.call(path, "org.freedesktop.DBus.Properties.Get", f"org.kde.kstars.{interface}", name)

    def indi(self, method: str, *words: object) -> str:
        return self.call("/KStars/INDI", f"org.kde.kstars.INDI.{method}", LABEL, *words)

    def focus(self, method: str, *words: object) -> str:
        return self.call("/KStars/Ekos/Focus", f"org.kde.kstars.Ekos.Focus.{method}", *words)

    @property
    def position(self) -> int:
        """In steps; -1 before it is known."""
        found = re.search(r"([\d.]+)", self.indi("getNumber", *NEWS))
        return int(float(found[1])) if found else -1

    @property
    def state(self) -> str:
        """Of the position: Idle, Ok, Busy or Alert."""
        return self.indi("getPropertyState", NEWS[0])

    def wait_for(self, state: str, position: int | None = None) -> None:
        wait_until(
            lambda: state in self.state and position in (None, self.position),
            f"{state} at {position} in KStars",
        )

    def abort(self) -> None:
        self.indi("setSwitch", "FOCUS_ABORT_MOTION", "ABORT", "On")
        self.indi("sendProperty", "FOCUS_ABORT_MOTION")

    def go_to(self, steps: int) -> None:
        self.indi("setNumber", *NEWS, float(steps))
        self.indi("sendProperty", NEWS[0])


def _drivers_in(path: Path) -> int:
    """Of the profile that is in each new database."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute("select count(*) from driver").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.fixture(scope="module")
def focusd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Focusd]:
    with running(Focusd(tmp_path_factory.mktemp("focusd"), **SETTINGS)) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def kstars(focusd: Focusd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KStars]:
    """A KStars whose profile has been started, and whose focuser is online."""
    with ExitStack() as stack:
        program = KStars(tmp_path_factory.mktemp("kstars"), stack, focusd.environment)
        program.learn()
        program.start()
        assert "true" in program.call("/KStars/Ekos", "org.kde.kstars.Ekos.setProfile", PROFILE)
        program.call("/KStars/Ekos", "org.kde.kstars.Ekos.start")
        wait_until(lambda: "2" in program.get("/KStars/Ekos", "Ekos", "ekosStatus"), "Ekos is ready", START_S)
        program.wait_for("Ok")
        yield program
        program.call("/KStars/Ekos", "org.kde.kstars.Ekos.stop")


@pytest.fixture
def at_rest(kstars: KStars, focusd: Focusd) -> KStars:
    """The focuser stands at 2 mm, KStars knows it, and may move it."""
    time.sleep(max(0.0, kstars.held_until_s - time.monotonic()))
    if focusd.status()["status"] != 1:
        focusd.call("initialize")
    assert focusd.call("set_focus", 2.0) == 0
    kstars.wait_for("Ok", 10176)
    return kstars


def stop_as_an_operator(kstars: KStars, focusd: Focusd) -> int:
    """Gives where it stands."""
    assert focusd.call("stop") == 0
    kstars.held_until_s = time.monotonic() + 1.1 * HOLD_S
    return int(focusd.status()["current_steps"])


def test_the_first_connection_has_homed_the_focuser(kstars: KStars, focusd: Focusd) -> None:
    assert focusd.status()["position_trust"] == "homed"
    assert "On" in kstars.indi("getSwitch", "CONNECTION", "CONNECT")


def test_focus_in_and_out_are_exact(at_rest: KStars, focusd: Focusd) -> None:
    expected = 10176
    for method, steps in (("focusIn", 501), ("focusOut", 1), ("focusOut", 1234), ("focusIn", 7)):
        assert "true" in at_rest.focus(method, steps)
        expected += steps if method == "focusOut" else -steps
        at_rest.wait_for("Ok", expected)
        assert focusd.status()["current_steps"] == expected


def test_an_abort_is_idle_at_standstill(at_rest: KStars, focusd: Focusd) -> None:
    at_rest.go_to(30000)
    focusd.wait_for(lambda report: report["moving"] and report.get("current_steps", 0) > 10500, "the move")
    at_rest.abort()
    focusd.wait_for(lambda report: not report["moving"], "the stop")
    at_rest.wait_for("Idle", focusd.status()["current_steps"])


def test_an_operators_stop_is_alert_and_no_move_follows(at_rest: KStars, focusd: Focusd) -> None:
    at_rest.focus("focusOut", 15000)
    focusd.wait_for(lambda report: report["moving"] and report.get("current_steps", 0) > 10500, "the move")
    stands = stop_as_an_operator(at_rest, focusd)
    at_rest.wait_for("Alert", stands)
    at_rest.focus("focusIn", 500)
    time.sleep(1.0)
    assert focusd.status()["current_steps"] == stands
    at_rest.wait_for("Alert", stands)


def test_an_operators_stop_is_not_undone_by_an_autofocus(at_rest: KStars, focusd: Focusd) -> None:
    """Ekos returns to where it began, and takes each refusal for one more failure."""
    at_rest.focus("start")
    focusd.wait_for(lambda report: report.get("current_steps", 0) > 11000, "the first move of the autofocus")
    stands = stop_as_an_operator(at_rest, focusd)
    time.sleep(2.5 * HOLD_S)
    assert focusd.status()["current_steps"] == stands
    assert at_rest.get("/KStars/Ekos/Focus", "Ekos.Focus", "logText").count("Focuser error") < 10
    at_rest.focus("abort")
    time.sleep(1.5 * HOLD_S)
    assert focusd.status()["current_steps"] == stands
    assert "true" in at_rest.focus("focusIn", 100)
    at_rest.wait_for("Ok", stands - 100)


def test_focusd_may_be_restarted_meanwhile(at_rest: KStars, focusd: Focusd) -> None:
    focusd.kill()
    at_rest.wait_for("Alert")
    focusd.start()
    assert focusd.call("initialize") == 0
    at_rest.wait_for("Ok", 0)
    assert "true" in at_rest.focus("focusOut", 3000)
    at_rest.wait_for("Ok", 3000)
