"""`focus` and `focusd` together, as an astronomer types at night."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from concurrent.futures import Future
from typing import Any, Callable

import pytest

from tests.support.processes import Program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Background = Callable[..., "Future[Any]"]


def outcome(run: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    assert "Traceback" not in run.stderr
    return run.returncode, run.stdout, run.stderr


def test_a_night(make_daemon: Any, run_focus: Run) -> None:
    daemon = make_daemon().start()

    def focus(*words: str) -> tuple[int, str, str]:
        return outcome(run_focus(daemon, *words))

    assert focus("status") == (0, "Focuser is OFFLINE\n", "")
    assert focus("set", "1")[0] == 7
    told = "error: focuser is not connected. Connect and home it with `focus init`.\n"
    assert focus("audit") == (7, "", told)
    assert focus("init") == (0, "Focuser is IDLE (0.000 mm)\n", "")
    assert focus("init")[0] == 8
    assert focus("set", "2.5") == (0, "Focuser is IDLE (2.500 mm)\n", "")
    assert focus("offset", "-.25") == (0, "Focuser is IDLE (2.250 mm)\n", "")
    code, line, _ = focus("json")
    assert code == 0
    assert line.count("\n") == 1
    assert json.loads(line)["current_mm"] == 2.25
    assert daemon.truth()["carriage_mm"] == pytest.approx(2.25, abs=0.0003)

    code, out, _ = focus("audit")
    assert code == 0
    assert re.fullmatch(r"Focuser is IDLE \(2\.250 mm\)\nAudit: .*\n", out)
    before = daemon.status()
    assert abs(before["audit"]["lost_steps"]) <= 4

    assert focus("kill") == (0, "Focuser is OFFLINE\n", "")
    assert focus("kill")[0] == 7
    code, out, _ = focus("init", "--resume")
    assert code == 0
    assert re.fullmatch(r"Focuser is IDLE \(2\.250 mm\)\nResumed, last homed at .*\n", out)
    after = daemon.status()
    assert (after["position_trust"], after["homed_at"]) == ("resumed", before["homed_at"])


def test_after_a_restart_it_is_homed_and_returns_to_where_it_was(make_daemon: Any, run_focus: Run) -> None:
    daemon = make_daemon().start().ready_at(1.0)
    daemon.end()
    # With a virtual controller that was just switched on.
    daemon.start()
    code, out, error = outcome(run_focus(daemon, "init", "--resume", "--restore"))
    assert (code, error) == (0, "")
    status, came_of_it = out.splitlines()
    assert status == "Focuser is IDLE (1.000 mm)"
    assert came_of_it.startswith("Homed at ")
    assert "it could not be resumed: the register was left at " in came_of_it
    assert came_of_it.endswith(" It stands at 1.000 mm.")


REFUSED = [
    (("set", "nan"), 6),
    (("set", "-inf"), 6),
    (("set", "1e400"), 6),
    (("set", "6.001"), 6),
    (("set", "-0.001"), 6),
    (("offset", "9"), 6),
    (("offset", "-1e1"), 6),
    (("set", "abc"), 255),
    (("set",), 255),
    (("set", "1", "2"), 255),
]


def test_bad_input_moves_nothing(focuser: Any, run_all: Any) -> None:
    before = focuser.sent()
    for run, (words, expected) in zip(run_all(focuser, "focus", *(words for words, _ in REFUSED)), REFUSED):
        code, out, err = outcome(run)
        # Those that the daemon refuses may come while it is busy refusing another.
        assert (code, out) in ((expected, ""), (2, "")), words
        assert err.startswith("error: "), words
    assert focuser.sent() == before


def test_a_machine_that_may_not_control(make_daemon: Any, run_all: Any) -> None:
    daemon = make_daemon(control_machines=["Elsewhere"]).start()
    for run in run_all(daemon, "focus", ("init",), ("set", "1"), ("stop",), ("kill",)):
        code, out, err = outcome(run)
        assert (code, out) == (3, "")
        assert f"Run it on the control machine, which is Elsewhere by {daemon.config_path}." in err
    assert outcome(run_all(daemon, "focus", ("status",))[0])[0] == 0


def test_a_daemon_that_is_not_running(make_daemon: Any, run_all: Any) -> None:
    daemon = make_daemon()
    for run in run_all(daemon, "focus", ("init",), ("set", "1"), ("stop",), ("status",), ("json",)):
        code, out, err = outcome(run)
        assert (code, out) == (155, "")
        assert "unable to communicate with focus daemon" in err
        assert f"127.0.0.1:{daemon.address.port}" in err


def test_a_stop_from_another_shell_ends_a_move_as_failed(patient_focuser: Any, run_focus: Run) -> None:
    with Program("focus", "set", "5", env=patient_focuser.environment) as mover:
        patient_focuser.wait_for_leg("overshoot")
        code, out, err = outcome(run_focus(patient_focuser, "set", "1"))
        assert (code, out) == (2, "")
        assert "focus stop" in err
        code, out, _ = outcome(run_focus(patient_focuser, "status"))
        assert re.fullmatch(r"Focuser is MOVING \(\d\.\d{3} / 5\.000 mm\)\n", out)
        code, out, _ = outcome(run_focus(patient_focuser, "stop"))
        assert (code, out) == (0, f"Focuser is IDLE ({patient_focuser.status()['current_mm']:.3f} mm)\n")
        code, out, err = mover.end()
    assert (code, out) == (1, "")
    assert err.startswith("error: command failed. ")


def test_ctrl_c_stops_the_focuser_and_says_where(patient_focuser: Any) -> None:
    with Program("focus", "set", "5", env=patient_focuser.environment) as mover:
        patient_focuser.wait_for_leg("overshoot")
        code, out, err = mover.end(signal.SIGINT)
    assert (code, err) == (156, "error: terminated by user\n")
    assert patient_focuser.truth()["moving"] is False
    assert out == f"Stopped at {patient_focuser.status()['current_mm']:.3f} mm\n"


def test_a_fault_is_told_in_the_words_of_the_daemon(focuser: Any, run_focus: Run) -> None:
    focuser.tell("stand-short 500 count=9")
    code, out, err = outcome(run_focus(focuser, "set", "0.3"))
    assert (code, out) == (1, "")
    assert "motor does not advance" in err


def test_watch_shows_a_move_and_ends_with_ctrl_c(slow_focuser: Any, background: Background) -> None:
    with Program("focus", "watch", env=slow_focuser.environment) as watch:
        assert "Z Focuser is IDLE" in watch.read_line()
        move = background(slow_focuser.call, "set_focus", 1.5)
        assert "Z Focuser is MOVING" in watch.read_line("overshoot")
        code, _, err = watch.end(signal.SIGINT)
    assert (code, err) == (0, "")
    assert move.result() == 0
