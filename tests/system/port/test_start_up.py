"""A start-up script of the observatory: `initialize` without arguments, and little patience."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from tests.support.processes import run


def homing_runs(simulator: Any) -> int:
    return int(simulator.truth()["frames_seen"].get("P103", 0))


@pytest.fixture
def restarted(make_daemon: Callable[..., Any], make_simulator: Callable[..., Any]) -> Any:
    """A daemon that may resume, restarted beside a controller that it has moved to 2.0125 mm."""
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port, resume_on_init=True).start()
    daemon.simulator = simulator
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 2.0125) == 0
    daemon.end()
    daemon.homed_before = homing_runs(simulator)
    return daemon.start()


def test_after_a_restart_it_is_there_at_once_and_says_so(restarted: Any) -> None:
    assert restarted.call("initialize") == 0
    assert homing_runs(restarted.simulator) == restarted.homed_before
    report = restarted.status()
    assert (report["current_mm"], report["target_mm"]) == (2.013, 2.0125)
    assert report["position_trust"] == "resumed"
    assert report["reason"].startswith(
        "resumed at 2.013 mm without homing, as resume_on_init says; last homed at "
    )
    restarted.wait_for_log("initialize, asked by LocalHost (127.0.0.1): resumed, stands at 2.013 mm after ")


def test_focus_init_resumes_too(restarted: Any) -> None:
    ran = run("focus", "init", env=restarted.environment)
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "Focuser is IDLE (2.013 mm)")
    assert homing_runs(restarted.simulator) == restarted.homed_before


def test_after_a_power_cut_it_homes(restarted: Any) -> None:
    restarted.simulator.tell("power-cut 0.1")
    assert restarted.call("initialize") == 0
    assert homing_runs(restarted.simulator) > restarted.homed_before
    assert restarted.status()["position_trust"] == "homed"


def test_who_asks_for_homing_gets_it(restarted: Any) -> None:
    assert restarted.call("initialize", False) == 0
    assert homing_runs(restarted.simulator) > restarted.homed_before
