"""Signals while `focusd` and `focus` still start: loading their parts takes most of that, so it is made to last."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Program, run
from tests.support.waiting import wait_until

# Says that it is being loaded, waits until it may, and makes way for the real one.
STAND_IN = """
import pathlib, sys, time
here = pathlib.Path(__file__).parent
(here / "reached").touch()
give_up_s = time.monotonic() + 30
while not (here / "go").exists() and time.monotonic() < give_up_s:
    time.sleep(0.01)
sys.path.remove(str(here))
del sys.modules[__name__]
__import__(__name__)
"""


class Loading:
    """A module whose loading lasts until the test lets it go on."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / f"{module}.py").write_text(STAND_IN)

    def wait(self) -> None:
        """Wait until the loading has begun."""
        wait_until((self.folder / "reached").exists, "it is loaded")

    def go_on(self) -> None:
        (self.folder / "go").touch()


@pytest.fixture
def loading(make_daemon: Any, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Any, Loading]:
    """A daemon, not yet started, and the module at which its start will halt."""
    daemon = make_daemon()
    held = Loading(tmp_path / "held", request.param)
    daemon.environment["PYTHONPATH"] = str(held.folder)
    return daemon, held


@pytest.mark.parametrize(
    ("loading", "number"),
    [("json", signal.SIGINT), ("serial", signal.SIGTERM), ("Pyro4", signal.SIGHUP)],
    indirect=["loading"],
)
def test_a_signal_while_focusd_starts_ends_it_in_order(loading: Any, number: int) -> None:
    daemon, held = loading
    daemon.launch()
    held.wait()
    daemon.send_signal(number)
    held.go_on()
    daemon.assert_ended_well()


@pytest.mark.parametrize("loading", ["json"], indirect=True)
@pytest.mark.parametrize(
    ("option", "number", "code"),
    [("--check", signal.SIGINT, 130), ("--print-port", signal.SIGTERM, -signal.SIGTERM)],
)
def test_what_is_only_asked_for_is_ended_by_a_signal_at_once(
    loading: Any, option: str, number: int, code: int
) -> None:
    daemon, held = loading
    daemon.launch(option)
    held.wait()
    daemon.send_signal(number)
    assert daemon.wait() == code
    assert daemon.log == ""


@pytest.mark.parametrize("loading", ["Pyro4"], indirect=True)
def test_ctrl_c_while_focus_starts_shows_no_traceback(loading: Any) -> None:
    daemon, held = loading
    with Program("focus", "status", env=daemon.environment) as focus:
        held.wait()
        assert focus.end(signal.SIGINT) == (156, "", "error: terminated by user\n")


@pytest.mark.parametrize("room", ["daemon.main", "cli.main"])
def test_nothing_heavy_is_loaded_before_signals_are_taken_hold_of(room: str) -> None:
    program = (
        f"import sys, rockit.focuser.ok3z.{room}; "
        "heavy = {'dataclasses', 'json', 'jsonschema', 'pathlib', 'Pyro4', 'rich', 'serial'} & set(sys.modules); "
        "sys.exit(str(heavy or ''))"
    )
    assert run("python", "-c", program).stderr == "\n"
