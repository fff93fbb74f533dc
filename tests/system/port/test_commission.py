"""`focusd --commission` as a process on a pseudo-terminal, with an engineer at a pipe."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest

from rockit.focuser.ok3z.commission.trials import TRIALS
from rockit.focuser.ok3z.driver.planning import Drive, Limits

BOUND_S = 20.0


@contextmanager
def commissioned(daemon: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [str(daemon.command), "--commission", str(daemon.config_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=daemon.environment,
        text=True,
        bufsize=1,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def answer(process: subprocess.Popen[str], question: str, text: str) -> str:
    """Wait for a question, and answer it. Gives what was said until then."""
    said = ""
    assert process.stdout is not None
    assert process.stdin is not None
    while question not in said:
        letter = process.stdout.read(1)
        assert letter, said
        said += letter
    process.stdin.write(f"{text}\n")
    process.stdin.flush()
    return said


def leave_only(daemon: Any, port: str, *trials: str) -> None:
    """As a session that was broken off has it."""
    done = {"state": "done", "why": "", "at": "", "findings": [], "frames": []}
    config = json.loads(daemon.config_path.read_text())
    range_mm = config["focus_range_mm"]
    limits = Limits.from_mm(range_mm, range_mm, config["anti_backlash_mm"])
    drive = Drive.from_mm(config["speed_mm_sec"], config["acceleration_mm_sec_sec"])
    session = {
        "format": 1,
        "daemon": "system_test",
        "port": port,
        "begun_at": "yesterday",
        "settings": {**asdict(limits), **asdict(drive)},
        "trials": {trial.name: done for trial in TRIALS if trial.name not in trials},
        "measured": {"still_letters": ["NS"]},
    }
    folder = daemon.folder / "state"
    folder.mkdir(exist_ok=True)
    (folder / "system_test.commission.json").write_text(json.dumps(session))


def test_it_is_refused_while_a_daemon_runs(make_daemon: Any, make_simulator: Any) -> None:
    simulator = make_simulator()
    daemon = make_daemon(**simulator.port).start()
    assert daemon.call("initialize") == 0
    with commissioned(daemon) as process:
        said, _ = process.communicate(timeout=BOUND_S)
    assert process.returncode == 1
    assert "cannot be listened on" in said
    assert f"End the daemon first: sudo systemctl stop focusd@{daemon.config_path.stem}" in said
    assert daemon.status()["status"] == 1
    daemon.end()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_halts_a_homing_run_and_a_full_pipe_goes_on_with_it(
    make_daemon: Any, make_simulator: Any, end: signal.Signals
) -> None:
    simulator = make_simulator(time_scale=1, start_mm=3)
    daemon = make_daemon(serial_port=simulator.link)
    leave_only(daemon, simulator.link, "homing")
    with commissioned(daemon) as process:
        answer(process, "Go on with it?", "yes")
        answer(process, "All settings", "yes")
        answer(process, "The homing run", "yes")
        while not simulator.truth()["moving"]:
            pass
        process.send_signal(end)
        said, _ = process.communicate(timeout=BOUND_S)
    assert process.returncode == 130
    assert "The motor stands." in said
    truth = simulator.truth()
    assert not truth["moving"]
    assert truth["frames_seen"]["P021"] >= 1
    assert "broken off" in (daemon.folder / "state/system_test.commission.txt").read_text()

    # Its answers may also all be there from the beginning.
    with commissioned(daemon) as process:
        said, _ = process.communicate("yes\nno\n", timeout=BOUND_S)
    assert process.returncode == 0
    assert "declined" in said


def test_nobody_is_asked_on_a_port_that_is_not_there(make_daemon: Any) -> None:
    daemon = make_daemon(serial_port="/dev/does-not-exist")
    with commissioned(daemon) as process:
        said, _ = process.communicate(timeout=BOUND_S)
    assert process.returncode == 1
    assert "There is no such device" in said
