"""What the observatory's own programs do, as they do it: autofocus with numpy, a sweep, a monitor, a watchdog."""

from __future__ import annotations

import signal
import time
from typing import Any, Callable

import numpy
import pytest

from tests.support.processes import Program
from tests.support.waiting import wait_until

CONTROL = "LocalHost (127.0.0.1)"


def test_an_autofocus_run_under_numpy_2(shared_daemon: Any) -> None:
    daemon = shared_daemon.ready_at(2.0)
    with daemon.proxy() as focuser:
        positions = numpy.linspace(2.2, 1.8, 5)
        widths = (positions - 1.93) ** 2
        for position in positions:
            assert focuser.set_focus(round(position, 3)) == 0
        assert focuser.set_focus(numpy.min(positions)) == 0
        best = positions[numpy.argmin(widths)]
        assert focuser.set_focus(best + 0.1) == 0
        assert focuser.set_focus(best) == 0
        assert focuser.set_focus(numpy.float64(-0.05), True) == 0
        assert focuser.report_status()["target_mm"] == round(float(best) - 0.05, 6)
        with pytest.raises(TypeError, match=r"use float\(x\)"):
            focuser.set_focus(numpy.complex128(2))
        assert focuser.set_focus(2.0) == 0
    assert f"set_focus, asked by {CONTROL}: refused: the arguments of this call" in daemon.log


def test_the_log_tells_positions_and_raw_registers_only_if_asked_to(
    shared_daemon: Any, make_daemon: Any
) -> None:
    daemon = shared_daemon.ready_at(2.0)
    daemon.wait_for_log(f"set_focus 2.0 mm, asked by {CONTROL}: arrived at 2.000 mm after ")
    assert "go to" not in daemon.log
    assert "21341" not in daemon.log
    assert "#P081" not in daemon.log
    verbose = make_daemon().start("--verbose").ready_at(2.0)
    # Whole frames, one a line: with the bytes as they happen to come, nobody could search for a reply.
    for frame in ("#S051 F$", "#S052 F OK3Z virtual 1$", "#P103 F V 21341$", "#S004 F NS$", "#P092 F -"):
        verbose.wait_for_log(frame)


def test_a_sweep_compares_the_text_of_what_it_asked_for(focuser: Any) -> None:
    with focuser.proxy() as proxy:
        for number in range(8):
            asked_mm = 2.0 + number * 0.0125
            assert proxy.set_focus(asked_mm) == 0
            assert f"{proxy.report_status()['target_mm']:.3f}" == f"{asked_mm:.3f}"
            assert f"{proxy.last_measurement()['target_mm']:.3f}" == f"{asked_mm:.3f}"


def test_terms_add_up_end_by_themselves_and_outlive_a_kill(make_daemon: Any) -> None:
    daemon = make_daemon(serial_port={"time_scale": 20}).start().ready_at(2.0)
    with daemon.proxy() as focuser:
        assert focuser.set_term("filter", 0.12, "camera") == 0
        assert focuser.set_term("filter", 0.5, "me") == 1
        assert focuser.last_failure()["reason"].startswith("the term filter is camera's.")
        assert focuser.set_term("tilt", numpy.float64(0.05), "me", 0.1) == 0
        report = daemon.wait_for(lambda report: report["terms_mm"] == 0.12, "the end of a term")
        assert (report["base_mm"], report["target_mm"], report["status"]) == (2.0, 2.12, 1)
        # A sweep sees what it always saw. That it stands is told before others may move it.
        wait_until(lambda: focuser.set_focus(2.0) == 0)
        for asked_mm in (2.0125, 2.025, 2.025):
            assert focuser.set_focus(asked_mm) == 0
            assert f"{focuser.report_status()['target_mm']:.3f}" == f"{asked_mm:.3f}"
        assert focuser.report_status()["base_mm"] == 1.905
    daemon.kill()
    daemon.start()
    assert [term["name"] for term in daemon.call("terms")] == ["filter"]
    assert (daemon.status()["base_mm"], daemon.status()["terms_mm"]) == (None, 0.12)


def test_a_begun_move_and_who_waits_for_its_end(make_daemon: Any) -> None:
    daemon = make_daemon(serial_port={"time_scale": 10}).start().ready_at(3.0)
    with daemon.proxy() as focuser, daemon.proxy() as other:
        assert focuser.begin_move(1.0) == 0
        report = focuser.wait_for_change(None, 0)
        assert (report["state"], report["target_mm"]) == ("moving", 1.0)
        assert other.begin_move(2.0) == other.set_focus(2.0) == 2
        changes = [report["change"]]
        while report["moving"]:
            report = focuser.wait_for_change(report["change"], 20)
            changes.append(report["change"])
        assert report["current_mm"] == pytest.approx(1.0, abs=0.001)
        assert changes == sorted(set(changes))
        assert focuser.last_failure()["status"] == 2
    daemon.wait_for_log(f"begin_move 1.0 mm, asked by {CONTROL}: arrived at 1.000 mm after ")
    assert f"begin_move 1.0 mm, asked by {CONTROL}: under way" in daemon.log


def test_a_crowd_that_waits_keeps_no_stop_out(make_daemon: Any, background: Callable[..., Any]) -> None:
    daemon = make_daemon(serial_port={"time_scale": 10}, speed_mm_sec=0.05).start().ready()
    proxies = [daemon.proxy() for _ in range(40)]
    try:
        change = proxies[0].wait_for_change(None, 0)["change"]
        waiting = [background(lambda p=p: p.wait_for_change(change, 20)) for p in proxies[1:9]]
        assert daemon.call("begin_move", 5.0) == 0
        assert daemon.call("stop") == 0
        assert all(waiter.result(20)["change"] > change for waiter in waiting)
    finally:
        for proxy in proxies:
            proxy._pyroRelease()


def test_a_monitor_always_gets_every_key(make_daemon: Any) -> None:
    daemon = make_daemon().start()
    with daemon.proxy(1.0) as focuser:
        before = focuser.last_measurement()
        assert not before["current_mm_valid"]
        assert daemon.call("initialize") == daemon.call("set_focus", 2.0) == 0
        at_rest = focuser.last_measurement()
        assert list(at_rest) == list(before)
        assert (at_rest["current_mm"], at_rest["last_from_mm"], at_rest["last_to_mm"]) == (2.0, 0.0, 2.0)
        assert all(at_rest[key] for key in at_rest if key.endswith("_valid"))
        time.sleep(0.01)
        assert focuser.last_measurement()["settled_s"] > at_rest["settled_s"]


def program(daemon: Any, lines: str) -> Program:
    """A program in Python that finds the focuser as `focus` does."""
    return Program(
        "python", "-c", f"from rockit.focuser.ok3z import connect\n{lines}", env=daemon.environment
    )


def test_ctrl_c_in_a_program_stops_the_motor_first(patient_focuser: Any) -> None:
    with program(patient_focuser, "connect().move_to(5.0)") as mover:
        patient_focuser.wait_for_leg("overshoot")
        code, out, error = mover.end(signal.SIGINT)
    assert (code, out) == (-signal.SIGINT, "")
    assert error.splitlines()[-1] == "KeyboardInterrupt"
    assert "STOP FAILED" not in error
    assert patient_focuser.truth()["moving"] is False


def test_a_move_that_nobody_waits_for_runs_to_its_end(focuser: Any) -> None:
    with program(focuser, "connect().move_to(2.0, wait=False)") as mover:
        assert mover.end() == (0, "", "")
    with program(focuser, "print(connect().wait_until_idle().current_mm)") as waiter:
        assert waiter.end() == (0, "2.0\n", "")
