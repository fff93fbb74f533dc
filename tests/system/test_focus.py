"""`focus` and `focusd` together, as an astronomer types at night."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Background = Callable[..., "Future[Any]"]

FOCUS = str(Path(sys.executable).parent / "focus")


def outcome(run: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    assert "Traceback" not in run.stderr
    return run.returncode, run.stdout, run.stderr


def test_a_night(make_daemon: Any, run_focus: Run) -> None:
    daemon = make_daemon().start()

    def focus(*words: str) -> tuple[int, str, str]:
        return outcome(run_focus(daemon, *words))

    assert focus("status") == (0, "Focuser is OFFLINE\n", "")
    assert focus("set", "1")[0] == 7
    assert focus("init") == (0, "Focuser is IDLE (0.000 mm)\n", "")
    assert focus("init")[0] == 8
    assert focus("set", "2.5") == (0, "Focuser is IDLE (2.500 mm)\n", "")
    assert focus("offset", "-0.25") == (0, "Focuser is IDLE (2.250 mm)\n", "")
    code, line, _ = focus("json")
    assert code == 0
    assert line.count("\n") == 1
    assert json.loads(line)["current_mm"] == 2.25
    assert daemon.truth()["carriage_mm"] == pytest.approx(2.25, abs=0.0003)
    assert focus("kill")[:2] == (0, "Focuser is OFFLINE\n")


REFUSED = [
    (("set", "nan"), 6),
    (("set", "-inf"), 6),
    (("set", "1e400"), 6),
    (("set", "6.001"), 6),
    (("offset", "9"), 6),
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
        assert "control_machines" in err
    assert outcome(run_all(daemon, "focus", ("status",))[0])[0] == 0


def test_a_daemon_that_is_not_running(make_daemon: Any, run_all: Any) -> None:
    daemon = make_daemon()
    for run in run_all(daemon, "focus", ("init",), ("set", "1"), ("stop",), ("status",), ("json",)):
        code, out, err = outcome(run)
        assert (code, out) == (155, "")
        assert "unable to communicate with focus daemon" in err
        assert f"127.0.0.1:{daemon.address.port}" in err


def test_while_another_moves(patient_focuser: Any, run_focus: Run, background: Background) -> None:
    move = background(patient_focuser.call, "set_focus", 5.0)
    patient_focuser.wait_for_leg("overshoot")
    code, out, err = outcome(run_focus(patient_focuser, "set", "1"))
    assert (code, out) == (2, "")
    assert "focus stop" in err
    code, out, _ = outcome(run_focus(patient_focuser, "status"))
    assert re.fullmatch(r"Focuser is MOVING \(\d\.\d{3} / 5\.000 mm\)\n", out)
    code, out, _ = outcome(run_focus(patient_focuser, "stop"))
    assert code == 0
    assert re.fullmatch(r"Focuser is IDLE \(\d\.\d{3} mm\)\n", out)
    assert move.result() == 1


def test_ctrl_c_stops_the_focuser_and_says_where(patient_focuser: Any) -> None:
    command = subprocess.Popen(
        [FOCUS, "set", "5"],
        env=patient_focuser.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with command:
        patient_focuser.wait_for_leg("overshoot")
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=20)
    assert command.returncode == 156
    assert re.fullmatch(r"Stopped at \d\.\d{3} mm\n", out)
    assert "Traceback" not in err
    assert patient_focuser.truth()["moving"] is False
    assert patient_focuser.status()["current_mm"] == float(out.split()[2])


def test_a_fault_is_told_in_the_words_of_the_daemon(focuser: Any, run_focus: Run) -> None:
    focuser.tell("stand-short 500 count=9")
    code, out, err = outcome(run_focus(focuser, "set", "0.3"))
    assert (code, out) == (1, "")
    assert "motor does not advance" in err


def test_watch_shows_a_move_and_ends_with_ctrl_c(slow_focuser: Any, background: Background) -> None:
    command = subprocess.Popen(
        [FOCUS, "watch"],
        env=slow_focuser.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with command:
        assert command.stdout is not None
        assert command.stdout.readline().startswith("Focuser is IDLE")
        move = background(slow_focuser.call, "set_focus", 1.5)
        assert "overshoot" in command.stdout.readline()
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=20)
    assert (command.returncode, err) == (0, "")
    assert move.result() == 0
