"""The history of a real daemon, over real Pyro4: what a kill leaves of it, and holds that outlive the daemon."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Simulator, clean_environment
from tests.support.waiting import wait_until

# Debian's; or one that is named.
# The daemon's time of day is ahead by what stands in a file.
SET_CLOCK = """
import datetime, os, pathlib
from rockit.focuser.ok3z.driver import clock

true_now = clock.SystemClock.utc_now


def utc_now(self):
    ahead_s = float(pathlib.Path(os.environ["AHEAD"]).read_text())
    return true_now(self) + datetime.timedelta(seconds=ahead_s)


clock.SystemClock.utc_now = utc_now
"""


@pytest.fixture(name="simulator")
def fixture_simulator(make_simulator: Any) -> Simulator:
    simulator: Simulator = make_simulator(time_scale=20)
    return simulator


@pytest.fixture(name="daemon")
def fixture_daemon(make_daemon: Any, simulator: Simulator) -> Any:
    """Homed, on a controller that outlives it."""
    daemon = make_daemon(**simulator.port).start()
    assert daemon.call("initialize") == 0
    return daemon


def at_rest(daemon: Any, seconds: float = 3.0) -> tuple[float, float]:
    """A time in which it rests, and of which all is read."""
    time.sleep(1.2)
    begin_s = time.time()
    time.sleep(seconds - 2.4)
    end_s = time.time()
    time.sleep(1.2)
    return begin_s, end_s


def kinds(daemon: Any) -> list[str]:
    return [row["kind"] for row in daemon.call("moves", 0, time.time() + 60, 1000)]


def test_a_night_is_told_by_the_next_daemon_too(daemon: Any) -> None:
    quiet = at_rest(daemon)
    assert daemon.call("moved_between", *quiet)["moved"] == "no"
    began_s = time.time()
    assert daemon.call("set_focus", 1.0, why="filter R") == 0
    answer = daemon.call("moved_between", began_s, time.time())
    assert answer["moved"] == "yes"
    assert answer["motions"][0]["why"] == "filter R"
    assert answer["motions"][0]["door"] == "pyro"
    daemon.end()
    daemon.start()
    assert daemon.call("moved_between", *quiet)["moved"] == "no"
    assert daemon.call("moved_between", quiet[0], time.time())["moved"] == "yes"
    assert kinds(daemon) == ["start", "homing", "move", "gap", "end", "start"]


def test_a_kill_in_a_move_never_makes_no(daemon: Any, simulator: Simulator) -> None:
    for number in range(4):
        target_mm = 2.0 if number % 2 else 1.0
        began_s = time.time()
        assert daemon.call("begin_move", target_mm) == 0
        time.sleep(0.02 * number)
        daemon.kill()
        wait_until(lambda: not simulator.truth()["moving"])
        daemon.start()
        assert daemon.call("initialize", True) in (0, 8)
        quiet = at_rest(daemon)
        assert daemon.call("moved_between", began_s, began_s + 0.3)["moved"] != "no"
        assert daemon.call("moved_between", began_s - 5.0, time.time())["moved"] != "no"
        assert daemon.call("moved_between", *quiet)["moved"] == "no"
    starts = [row["sentence"] for row in daemon.call("moves", 0, time.time(), 1000) if row["kind"] == "start"]
    assert ["had no end" in sentence for sentence in starts] == [False, True, True, True, True]


def test_a_hold_outlives_a_kill_and_a_restart(daemon: Any) -> None:
    token = daemon.call("hold", "cam1", 120)
    daemon.kill()
    daemon.start()
    # Whoever holds it, an observatory starts.
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 1.0) == 2
    assert daemon.call("last_failure")["reason"].startswith("cam1 holds the focuser until 20")
    daemon.end()
    daemon.start()
    assert [hold["name"] for hold in daemon.call("holds")] == ["cam1"]
    assert daemon.call("release", token) == 0
    assert daemon.call("initialize", True) == 0
    assert daemon.call("set_focus", 1.0) == 0


def test_one_waits_for_a_hold_and_who_knows_no_holds_sees_a_2(daemon: Any) -> None:
    token = daemon.call("hold", "cam1", 60)
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(daemon.call, "set_focus", 1.0, False, 30)
        daemon.wait_for_log("a move waits for the end of the holds, up to 30 s")
        assert daemon.call("set_focus", 0.5) == 2
        assert daemon.call("audit") == 2
        assert daemon.call("initialize") == 8
        assert daemon.call("stop") == 0
        assert waits.result() == 1
        again = threads.submit(daemon.call, "set_focus", 1.0, False, 20)
        daemon.wait_for_log("a move waits for the end of the holds, up to 20 s")
        assert daemon.call("release", token) == 0
        assert again.result() == 0
    assert daemon.call("shutdown") == 0


def test_a_damaged_history_keeps_nobody_from_moving(daemon: Any) -> None:
    daemon.end()
    (path,) = Path(daemon.environment["STATE_DIRECTORY"]).glob("*.history.sqlite")
    path.write_bytes(b"no database" * 1000)
    daemon.start()
    assert daemon.call("initialize", True) == 0
    assert daemon.call("set_focus", 1.0) == 0
    assert daemon.call("moved_between", *at_rest(daemon))["moved"] == "no"
    daemon.wait_for_log("the history could not be used (file is not a database); a new one is begun.")
    assert Path(f"{path}.unusable").exists()


@pytest.mark.parametrize("step", ["+3600", "-3600", "+20", "-20"])
def test_a_clock_that_is_set_makes_unknown_and_moves_nothing(
    make_daemon: Any, simulator: Simulator, tmp_path: Path, step: str
) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("+0\n")
    # Python carries this out at its start.
    (tmp_path / "sitecustomize.py").write_text(SET_CLOCK)
    environment = clean_environment(PYTHONPATH=str(tmp_path), AHEAD=str(ahead))
    daemon = make_daemon(environment=environment, **simulator.port).start()
    assert daemon.call("initialize") == 0
    assert daemon.call("hold", "cam1", 60)
    begin_s, _ = at_rest(daemon)
    ahead.write_text(f"{step}\n")
    time.sleep(2.5)
    end_s = time.time() + float(step)
    assert "clock" in kinds(daemon)
    first_s, last_s = sorted((begin_s, end_s))
    answer = daemon.call("moved_between", first_s, last_s)
    assert (answer["moved"], answer["reason"][:22]) == ("unknown", "somebody set the clock")
    assert daemon.call("set_focus", 1.0) == 2
    daemon.kill()
