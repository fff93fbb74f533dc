"""A daemon that hangs, dies or is restarted: systemd starts it again, and the focuser is not forgotten."""

from __future__ import annotations

import re

import pytest
from boot.site import IMPATIENT, Site

TARGET_MM = 5.5


def test_a_daemon_that_hangs_is_ended_and_started_again(site: Site) -> None:
    site.change_unit(IMPATIENT)
    site.enable("boot")
    hanging = site.pid()
    site.container.ok("kill", "-STOP", str(hanging))

    _await_restart(site)
    assert site.pid() != hanging
    said = site.journal()
    assert "Watchdog timeout" in said
    assert re.search(r"status=6/ABRT", said), said
    assert "Failed with result 'watchdog'" in said
    # Where each of its threads was, for whoever looks for the reason.
    assert "Fatal Python error: Aborted" in said
    assert site.focus_ok("status") == "Focuser is OFFLINE\n"


def test_somebody_watches_over_the_daemon_as_it_is_shipped(serving: Site) -> None:
    assert serving.show("WatchdogUSec") not in ("0", "infinity")
    assert serving.show("Restart") == "on-failure"


def test_a_daemon_that_lives_is_left_alone(site: Site) -> None:
    site.change_unit("[Service]\nWatchdogSec=3\n")
    site.enable("boot")
    # All of this takes a multiple of the watchdog's time.
    site.focus_ok("init")
    site.focus_ok("set", "5.5")
    site.focus_ok("set", "0.5")
    site.focus_ok("set", "5.5")

    assert site.show("NRestarts") == "0"
    assert _us(site.show("WatchdogUSec")) == 3_000_000


def test_a_daemon_that_is_killed_is_started_again_and_knows_its_position(site: Site) -> None:
    site.change_unit(IMPATIENT)
    site.enable("boot")
    site.focus_ok("init")
    site.focus_ok("set", "2.0")
    killed = site.pid()
    site.container.ok("kill", "-KILL", str(killed))

    _await_restart(site)
    assert site.pid() != killed
    assert "status=9/KILL" in site.journal()
    homings = site.ask_simulator("state")["frames_seen"]["P103"]
    assert "Focuser is IDLE (2.000 mm)" in site.focus_ok("init", "--resume")
    assert site.ask_simulator("state")["frames_seen"]["P103"] == homings


def test_a_restart_halts_the_motor_and_keeps_the_position(serving: Site) -> None:
    serving.focus_ok("init")
    with serving.moving(TARGET_MM) as asking:
        serving.container.ok("systemctl", "restart", "focusd@boot")
        halted = serving.ask_simulator("state")

    assert not halted["moving"]
    assert halted["carriage_mm"] < TARGET_MM - 0.1
    assert asking.returncode == 1
    assert serving.show("NRestarts") == "0"
    # Nothing is guessed: what was counted while it ran is what it comes back to.
    said = serving.focus_ok("init", "--resume")
    resumed = serving.ask_simulator("state")
    assert resumed["frames_seen"].get("P103") == halted["frames_seen"].get("P103"), said
    assert resumed["carriage_mm"] == pytest.approx(halted["carriage_mm"], abs=0.001)
    shown = re.match(r"Focuser is IDLE \((\d\.\d+) mm\)", said)
    assert shown, said
    assert float(shown[1]) == pytest.approx(resumed["motor_mm"], abs=0.3)


def test_stopping_halts_the_motor_and_ends_the_process(serving: Site) -> None:
    serving.focus_ok("init")
    with serving.moving(TARGET_MM) as asking:
        serving.container.ok("systemctl", "stop", "focusd@boot")
        assert not serving.ask_simulator("state")["moving"]

    assert asking.returncode == 1
    assert serving.daemons() == []
    assert (serving.show("Result"), serving.show("ExecMainStatus")) == ("success", "0")


def test_an_instance_comes_back_after_the_machine_has_been_restarted(serving: Site) -> None:
    wanted = serving.container.ok("systemctl", "list-dependencies", "--plain", "multi-user.target")

    assert "focusd@boot.service" in wanted.split()


def test_a_daemon_that_dies_again_and_again_is_started_each_time(serving: Site) -> None:
    """As it is shipped: of its own systemd gives up after five times."""
    for restarts in range(1, 8):
        serving.container.ok("kill", "-KILL", str(serving.pid()))
        _await_restart(serving, restarts)
    assert serving.focus_ok("status") == "Focuser is OFFLINE\n"


def _await_restart(site: Site, restarts: int = 1) -> None:
    # In this order: until systemd has noticed the end, the old process counts as active.
    site.container.until(
        "it is started again",
        lambda: site.show("NRestarts") == str(restarts) and site.show("ActiveState") == "active",
    )


def _us(text: str) -> int:
    """A time as systemd shows it, in microseconds: one unit only, as the tests set it."""
    done = re.fullmatch(r"(\d+)(us|ms|s|min)", text)
    assert done, text
    return int(done[1]) * {"us": 1, "ms": 1000, "s": 1_000_000, "min": 60_000_000}[done[2]]
