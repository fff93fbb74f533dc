"""What a configuration stands for: the text of `focusd --check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z import Config
from rockit.focuser.ok3z.daemon.summary import forecast
from rockit.focuser.ok3z.driver import adapter
from rockit.focuser.ok3z.driver.axis import run_lengths
from rockit.focuser.ok3z.driver.planning import Drive, Limits, move_deadline_s, plan_move

PROJECT = Path(__file__).parents[2]
SITE = json.loads((PROJECT / "ngts_m06.json").read_text(encoding="utf-8"))


def facts(path: Path) -> dict[str, str]:
    """The forecast by its names; every fact is one line."""
    lines = [line.split(":", 1) for line in forecast(Config.load(path)).splitlines()]
    return {name: value.strip() for name, value in lines}


def written(path: Path, **values: Any) -> Path:
    path.write_text(json.dumps({**SITE, **values}), encoding="utf-8")
    return path


def test_the_site_in_full() -> None:
    assert facts(PROJECT / "ngts_m06.json") == {
        "configuration": f"{PROJECT / 'ngts_m06.json'}, valid",
        "Pyro object": "ngts_m06_focuser_daemon",
        "host": "10.2.5.115",
        "port": "9002",
        "may control": "NGTSDASNUC (10.2.5.115)",
        "Alpaca": "off",
        "metrics": "off",
        "serial port": "/dev/focuser at 38400 baud",
        "range": "0 to 6.000 mm",
        "overshoot goes to": "6.000 mm at most",
        "speed": "0.4918 mm/s (register 41)",
        "acceleration": "4.9994 mm/s^2 (register 437)",
        # 9 mm at 0.25 mm/s, out by 0.75 mm (0.75 / 0.491832 + 0.491832 / 4.999361), and in again; twice the first
        # and 10 s.
        "homing at worst": "40.6 s (a run is given up after 82.0 s)",
        "initialize": "homes",
        "after homing": "stays at 0 mm",
        # Out to 6 mm and back by 0.5 mm: 6.5 / 0.491832 + 2 * 0.491832 / 4.999361; twice that and 10 s.
        "full-range move at worst": "13.4 s (given up after 36.8 s)",
    }


@pytest.mark.parametrize(("milliseconds", "is_wrong"), [(16, True), (3, True), (2, False), (1, False)])
def test_an_adapter_that_holds_answers_back_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, milliseconds: int, is_wrong: bool
) -> None:
    device, timer = tmp_path / "dev/ttyUSB7", tmp_path / "ttys/ttyUSB7/device/latency_timer"
    for file in (device, timer):
        file.parent.mkdir(parents=True)
        file.write_text(f"{milliseconds}\n")
    link = tmp_path / "focuser"
    link.symlink_to(device)
    monkeypatch.setattr(adapter, "TTYS", tmp_path / "ttys")
    said = facts(written(tmp_path / "config.json", serial_port=str(link))).get("warning", "")
    assert said.startswith(
        f"the adapter holds each answer back for up to {milliseconds} ms (" if is_wrong else ""
    )
    assert bool(said) == is_wrong


def test_the_values_stand_below_each_other() -> None:
    lines = forecast(Config.load(PROJECT / "ngts_m06.json")).splitlines()
    assert len({len(line) - len(line.split(":", 1)[1].lstrip()) for line in lines}) == 1


QUIET, LOUD = "(does not answer programs that look for devices)", "(answers programs that look for devices)"


@pytest.mark.parametrize(
    ("alpaca", "told"),
    [
        ({"name": "Dome"}, f"Dome, at http://127.0.0.1:11111/ on 127.0.0.1 {QUIET}"),
        ({"host": "0.0.0.0", "port": 80, "discovery": True}, f"at http://127.0.0.1:80/ on 0.0.0.0 {LOUD}"),
        ({"host": "0::0"}, f"at http://127.0.0.1:11111/ on :: {QUIET}"),
        ({"host": "10.2.5.115"}, f"at http://10.2.5.115:11111/ on 10.2.5.115 {QUIET}"),
    ],
)
def test_where_astronomy_programs_and_browsers_find_it(
    alpaca: dict[str, Any], told: str, tmp_path: Path
) -> None:
    called = "" if "name" in alpaca else "ASA OK3Z focuser (ngts_m06_focuser), "
    assert facts(written(tmp_path / "site.json", alpaca=alpaca))["Alpaca"] == called + told


def test_every_machine_that_may_control_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "site.json", control_machines=["NGTSDASNUC", "LocalHost"])
    assert facts(path)["may control"] == "NGTSDASNUC (10.2.5.115), LocalHost (127.0.0.1)"


def test_a_focuser_that_returns_after_homing_is_said_to(tmp_path: Path) -> None:
    path = written(tmp_path / "site.json", restore_on_init=True)
    assert facts(path)["after homing"] == "returns to the last position"


def test_a_focuser_that_resumes_is_said_to(tmp_path: Path) -> None:
    assert facts(written(tmp_path / "home.json"))["initialize"] == "homes"
    path = written(tmp_path / "site.json", resume_on_init=True, resume_max_age_h=12)
    resumes = "resumes if the last homing is 12 h old at most, and homes otherwise"
    assert facts(path)["initialize"] == resumes


def test_a_slow_drive_may_hold_homing_back(tmp_path: Path) -> None:
    path = written(tmp_path / "site.json", speed_mm_sec=0.05, move_timeout=600)
    assert facts(path)["speed"] == "0.0480 mm/s (register 4)"
    # 9 mm at 0.047984 mm/s, and 0.75 mm out and in at the same; twice the first and 10 s.
    assert facts(path)["homing at worst"] == "218.8 s (a run is given up after 385.1 s)"


def test_a_larger_travel_is_room_for_overshoots_only(tmp_path: Path) -> None:
    forecast_facts = facts(written(tmp_path / "site.json", travel_mm=9.0))
    assert forecast_facts["range"] == "0 to 6.000 mm"
    assert forecast_facts["overshoot goes to"] == "9.000 mm at most"
    # Out to 6.5 mm and back.
    assert forecast_facts["full-range move at worst"] == "14.4 s (given up after 38.9 s)"


def test_a_move_is_given_up_after_move_timeout_at_the_latest(tmp_path: Path) -> None:
    forecast_facts = facts(written(tmp_path / "site.json", move_timeout=20))
    assert forecast_facts["full-range move at worst"] == "13.4 s (given up after 20.0 s)"


@pytest.mark.parametrize(
    ("focus_range_mm", "travel_mm", "backlash_mm"),
    [(6.0, 6.0, 0.5), (6.0, 6.2, 0.5), (6.0, 9.0, 0.5), (1.0, 1.0, 0.9)],
)
def test_no_move_takes_longer_than_the_forecast_says(
    focus_range_mm: float, travel_mm: float, backlash_mm: float, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "site.json",
        focus_range_mm=focus_range_mm,
        travel_mm=travel_mm,
        anti_backlash_mm=backlash_mm,
    )
    told_s = float(facts(path)["full-range move at worst"].split()[0])
    limits, drive = Limits.from_mm(focus_range_mm, travel_mm, backlash_mm), Drive.from_mm(0.5, 5)
    slowest_s = max(
        sum(drive.duration_s(run) for run in run_lengths(start, plan_move(start, 0, target, limits)))
        for start in (0, limits.range_steps)
        for target in range(0, limits.range_steps + 1, 16)
    )
    assert slowest_s == pytest.approx(told_s, abs=0.06)


def test_the_deadlines_follow_from_the_plan() -> None:
    assert move_deadline_s(10.0, 180.0) == 30.0
    assert move_deadline_s(10.0, 15.0) == 15.0
    assert move_deadline_s(0.0, 180.0) == 10.0
    for speed_mm_sec in (0.5, 0.27, 12.28):
        drive = Drive.from_mm(speed_mm_sec, 5.0)
        assert drive.homing_duration_s() == pytest.approx(36.0, abs=0.01)
        assert drive.homing_duration_s(1.0) == pytest.approx(4.0, abs=0.01)
        assert drive.homing_deadline_s == pytest.approx(82.0, abs=0.02)
