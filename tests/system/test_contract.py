"""Every method and every number of the published contract, called as the observatory's old programs call it."""

from __future__ import annotations

import json
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.version import VERSION
from tests.support.processes import run

Background = Callable[..., "Future[Any]"]

STATES = {
    "disconnected",
    "connecting",
    "reconnecting",
    "homing",
    "idle",
    "moving",
    "stopping",
    "unhomed",
    "fault",
}
ALWAYS = {
    "date": str,
    "status": int,
    "status_label": str,
    "state": str,
    "moving": bool,
    "position_trust": str,
    "focus_range_mm": float,
    "base_mm": object,
    "terms_mm": float,
    "version": str,
}
WITH_POSITION = {"current_mm": float, "target_mm": float, "current_steps": int}
ADDED = {
    "reason": str,
    "speed_mm_sec": float,
    "leg": str,
    "time_left_s": float,
    "homing_travelled_mm": float,
    "backlash_shortfall_mm": float,
    "reading_age_s": float,
    "homed_at": str,
    "trust_reason": str,
    "audit": dict,
    "state_file_problem": str,
    "alpaca_problem": str,
    "temperature": dict,
}


def assert_as_published(report: dict[str, Any]) -> None:
    """Keys and types of a status report; three decimals of where it is; no position without a focuser."""
    expected = {**ALWAYS, **(WITH_POSITION if report["status"] else {})}
    assert expected.keys() <= report.keys() <= {**expected, **ADDED}.keys()
    assert type(report["base_mm"]) is (float if report["status"] else type(None))
    for key, value in report.items():
        assert key == "base_mm" or type(value) is {**expected, **ADDED}[key], f"{key}={value!r}"
    date = datetime.strptime(report["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert abs(datetime.now(timezone.utc) - date) < timedelta(minutes=1)
    assert report["status_label"] == ["OFFLINE", "IDLE", "MOVING"][report["status"]]
    assert report["state"] in STATES
    assert report["position_trust"] in ({"homed", "resumed"} if report["status"] else {"unknown"})
    assert ("homed_at" in report) == bool(report["status"])
    assert report.get("current_mm", 0.0) == round(report.get("current_mm", 0.0), 3)
    assert report.get("target_mm", 0.0) == round(report.get("target_mm", 0.0), 6)
    assert report.get("leg") in (None, "overshoot", "approach")
    assert report["version"] == VERSION
    json.dumps(report, allow_nan=False)


def test_every_number_of_a_night(make_daemon: Any) -> None:
    daemon = make_daemon().start()
    assert_as_published(daemon.status())
    assert daemon.status()["status"] == 0
    assert daemon.call("shutdown") == 7
    assert daemon.call("set_focus", 1.0) == 7
    assert daemon.call("set_focus", 1.0, True) == 7

    assert daemon.call("initialize") == 0
    assert daemon.truth()["carriage_mm"] == pytest.approx(0, abs=0.001)
    assert_as_published(daemon.status())
    assert daemon.call("initialize") == 8
    assert daemon.call("stop") == 0
    assert daemon.call("set_focus", 0.4) == 0
    assert daemon.call("set_focus", 6.1) == 6
    assert daemon.call("set_focus", -0.001) == 6
    assert daemon.call("set_focus", "abc") == 1
    assert daemon.call("initialize") == 8

    assert daemon.call("shutdown") == 0
    assert not daemon.truth()["port_open"]
    assert daemon.call("shutdown") == 7
    assert daemon.call("set_focus", 0.4) == 7
    assert_as_published(daemon.status())
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 0.3) == 0


def test_0_means_that_the_carriage_stands_there(focuser: Any) -> None:
    for target_mm in (1.5, 1.45, 1.4, 1.4, 2.0, 0.0):
        assert focuser.call("set_focus", target_mm) == 0
        truth = focuser.truth()
        assert not truth["moving"]
        assert truth["carriage_mm"] == pytest.approx(target_mm, abs=0.0003)
        report = focuser.status()
        assert_as_published(report)
        assert (report["status"], report["current_mm"], report["target_mm"]) == (1, target_mm, target_mm)


def test_a_move_to_where_it_stands_moves_nothing(focuser: Any) -> None:
    before = focuser.sent()
    for arguments in ((0.5,), (0.5, False), (0.0, True), (0, True), (-0.0, True)):
        assert focuser.call("set_focus", *arguments) == 0
    assert focuser.sent() == before


def test_offset_counts_from_the_target(focuser: Any) -> None:
    assert focuser.call("set_focus", 0.25, 1) == 0
    assert focuser.status()["target_mm"] == 0.75
    assert focuser.call("set_focus", pos=-0.1, offset=True) == 0
    assert focuser.status()["target_mm"] == 0.65
    assert focuser.truth()["carriage_mm"] == pytest.approx(0.65, abs=0.0005)
    assert focuser.call("set_focus", 5.36, offset=True) == 6
    assert focuser.call("set_focus", -0.66, offset=1) == 6
    assert focuser.status()["target_mm"] == 0.65
    # As on paper, where floating point would miss 0.
    assert focuser.call("set_focus", 0.3) == 0
    assert [focuser.call("set_focus", -0.1, True) for _ in range(4)] == [0, 0, 0, 6]
    assert focuser.status()["target_mm"] == 0.0


OUTSIDE: list[Any] = [
    float("nan"),
    float("inf"),
    float("-inf"),
    1e300,
    -1e300,
    10**400,
    -(10**18),
    6.001,
    9,
    -1,
]
NO_NUMBERS: list[Any] = [None, "1.0", "nan", "", [], [1.0], (1.0,), {}, {"pos": 1.0}, True, False, 1j, b"1"]


def test_what_is_no_position_or_no_offset_never_reaches_the_motor(focuser: Any) -> None:
    before, stood_mm = focuser.sent(), focuser.truth()["carriage_mm"]
    neither_yes_nor_no: list[Any] = ["True", "", 1.0, float("nan"), [], {"offset": True}]
    with focuser.proxy() as proxy:
        for offset in (False, True):
            for pos in OUTSIDE:
                assert proxy.set_focus(pos, offset) == proxy.set_focus(pos=pos, offset=offset) == 6, pos
            for pos in NO_NUMBERS:
                assert proxy.set_focus(pos, offset) == proxy.set_focus(pos=pos, offset=offset) == 1, pos
        for offset in neither_yes_nor_no:
            assert proxy.set_focus(0.1, offset) == 1, offset
    assert focuser.sent() == before
    assert focuser.truth()["carriage_mm"] == stood_mm
    assert focuser.status()["status"] == 1


def test_whole_numbers_and_keywords_are_positions(focuser: Any) -> None:
    assert focuser.call("set_focus", 1) == 0
    assert focuser.status()["current_mm"] == 1.0
    assert focuser.call("set_focus", pos=0.5) == 0
    assert focuser.status()["current_mm"] == 0.5


def test_the_target_is_the_one_asked_for_in_every_leg(slow_focuser: Any, background: Background) -> None:
    move = background(slow_focuser.call, "set_focus", 1.2)
    for leg, sign in (("overshoot", 1), ("approach", -1)):
        report = slow_focuser.wait_for(
            lambda report, leg=leg, sign=sign: report.get("leg") == leg and report["speed_mm_sec"] * sign > 0,
            leg,
        )
        assert_as_published(report)
        assert (report["status"], report["target_mm"], report["moving"]) == (2, 1.2, True)
        assert report["time_left_s"] >= 0
    assert move.result() == 0
    assert slow_focuser.truth()["moving"] is False


def test_8_is_never_said_of_a_link_that_is_dead(focuser: Any) -> None:
    focuser.tell("hang-up")
    assert focuser.call("initialize") == 1
    assert focuser.status()["status"] == 0
    assert focuser.call("set_focus", 0.2) == 7
    focuser.tell("return")
    focuser.wait_for(lambda report: report["position_trust"] == "resumed", "back by itself")
    assert focuser.call("initialize") == 8
    assert focuser.call("set_focus", 0.2) == 0


def test_8_is_never_said_after_a_power_cut(focuser: Any) -> None:
    # From another place than before, or the register would read 0 where other tests begin, as after a power cut.
    focuser.tell("hand 0.1")
    focuser.tell("power-cut")
    assert focuser.call("initialize") == 0, "homed anew, because the position was lost"
    assert focuser.truth()["carriage_mm"] == pytest.approx(0, abs=0.001)


def test_a_dead_link_shows_unasked(focuser: Any) -> None:
    focuser.tell("hang-up")
    report = focuser.wait_for(lambda report: report["status"] == 0, "OFFLINE")
    assert report["reason"]
    assert_as_published(report)
    # The port is being opened again and again; that ends here.
    assert focuser.call("shutdown") == 0
    assert focuser.call("shutdown") == 7
    assert focuser.call("set_focus", 0.1) == 7
    assert focuser.call("stop") == 1


def test_a_move_that_does_not_arrive_answers_1(focuser: Any) -> None:
    focuser.tell("stand-short 500 count=9")
    assert focuser.call("set_focus", 0.3) == 1
    assert focuser.status()["reason"]


def printed_by(daemon: Any, text: str) -> str:
    """What a client's program prints in the environment of a daemon."""
    ran = run("python", "-c", text, env=daemon.environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_the_sites_library_calls_it(focuser: Any) -> None:
    printed = printed_by(
        focuser,
        "from rockit.common import daemons\n"
        "for timeout in (None, 0, 5, 300):\n"
        "    with daemons.system_test.connect(timeout=timeout) as daemon:\n"
        "        status = daemon.report_status()['status']\n"
        "        print(daemon.set_focus(0.4), daemon.stop(), daemon.initialize(), status)\n",
    )
    assert printed.splitlines() == ["0 0 8 1"] * 4


def test_the_old_names_can_be_imported(focuser: Any) -> None:
    printed = printed_by(
        focuser,
        "import os\n"
        "from rockit.focuser.ok3z import Config, CommandStatus, FocuserStatus\n"
        "with Config(os.environ['FOCUSD_CONFIG_PATH']).daemon.connect() as daemon:\n"
        "    status = daemon.set_focus(7)\n"
        "    print(CommandStatus.message(status), FocuserStatus.label(daemon.report_status()['status']))\n",
    )
    assert printed == "error: requested position outside range IDLE\n"
