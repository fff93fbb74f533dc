"""`indi_ok3z_focus` on pipes, before the real daemon on the virtual controller."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.indi import ABORT, CONNECT, DISCONNECT, GET, NAME, Program, go_to, new_number, new_switch
from tests.support.processes import BIN, Focusd, clean_environment, run, running
from tests.support.waiting import wait_until

# 2 mm/s for the clock on the wall: time enough to step in.
SETTINGS: dict[str, Any] = {"serial_port": {"time_scale": 10}, "speed_mm_sec": 0.2, "anti_backlash_mm": 0.5}
HERE, FAR = 2000, 25000


@pytest.fixture(scope="module")
def focusd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Focusd]:
    with running(Focusd(tmp_path_factory.mktemp("indi"), **SETTINGS)) as daemon:
        yield daemon


@pytest.fixture
def at_rest(focusd: Focusd) -> Focusd:
    """A homed focuser at `HERE`."""
    if focusd.status()["status"] != 1:
        focusd.call("initialize")
    assert focusd.call("set_focus", HERE / 5088, exact=True) == 0
    return focusd


@pytest.fixture
def program(at_rest: Focusd) -> Iterator[Program]:
    """A driver that is connected."""
    with Program(at_rest.environment) as program:
        program.connect()
        yield program
        assert program.end() == 0
        assert b"Traceback" not in program.complaints


def begun(program: Program, steps: int = FAR) -> None:
    """A move that is really under way."""
    program.say(go_to(steps))
    program.wait_for("ABS_FOCUS_POSITION", "Busy", which=lambda each: abs(int(each.value) - HERE) > 300)


# Moves


def test_moves_arrive_at_the_step_that_was_asked_for(program: Program, at_rest: Focusd) -> None:
    for steps in (HERE - 1, HERE + 1, 3001, 0, HERE):
        program.say(go_to(steps))
        program.wait_for("ABS_FOCUS_POSITION", "Ok")
        assert program.abs[-1] == ("Ok", str(steps))
        assert {state for state, _ in program.abs[:-1]} == {"Busy"}
        assert at_rest.status()["current_steps"] == steps


def test_a_step_at_which_a_power_cut_would_not_show_is_exact_too(tmp_path: Path) -> None:
    """The daemon takes its neighbour for a target in mm."""
    focusd = Focusd(tmp_path, serial_port={"register": 0, "start_mm": 1.0})
    with running(focusd) as daemon, Program(daemon.environment) as program:
        program.connect()
        power_up = daemon.status()["current_steps"] + daemon.truth()["register"]
        assert 1000 < power_up < FAR
        program.say(go_to(power_up))
        program.wait_for("ABS_FOCUS_POSITION", "Ok")
        assert program.abs[-1] == ("Ok", str(power_up))
        assert daemon.status()["current_steps"] == power_up
        assert program.end() == 0


def test_an_overshoot_is_part_of_the_move(program: Program) -> None:
    program.say(go_to(6000))
    program.wait_for("ABS_FOCUS_POSITION", "Ok")
    positions = [int(value) for state, value in program.abs if state == "Busy"]
    assert max(positions) > 6500
    assert program.abs[-1] == ("Ok", "6000")


def test_a_relative_move(program: Program) -> None:
    program.say(new_switch("FOCUS_MOTION", "FOCUS_OUTWARD"))
    program.wait_for("FOCUS_MOTION", "Ok")
    program.say(new_number("REL_FOCUS_POSITION", "FOCUS_RELATIVE_POSITION", 321))
    assert program.wait_for("REL_FOCUS_POSITION", "Ok").value == "321"
    assert program.abs[-1] == ("Ok", str(HERE + 321))


def test_a_second_target_takes_the_place_of_the_first(program: Program) -> None:
    begun(program)
    program.write(go_to(1000).encode())
    program.wait_for("ABS_FOCUS_POSITION", "Ok")
    assert program.abs[-1] == ("Ok", "1000")
    assert {state for state, _ in program.abs[:-1]} == {"Busy"}


def test_many_targets_at_once_end_at_the_last(program: Program) -> None:
    program.say("".join(go_to(steps) for steps in (9000, 500, 7000, 100, 8000, 2500)))
    program.wait_for("ABS_FOCUS_POSITION", "Ok")
    assert program.abs[-1] == ("Ok", "2500")
    assert {state for state, _ in program.abs[:-1]} == {"Busy"}


def test_an_abort_at_any_moment_halts(program: Program, at_rest: Focusd) -> None:
    for waits in (False, False, True):
        if waits:
            begun(program)
            program.write(ABORT.encode())
        else:
            # The move may not have left the driver yet, or be on its way to the daemon.
            program.say(go_to(FAR) + ABORT)
        program.wait_for("FOCUS_ABORT_MOTION", "Ok")
        stands = program.wait_for("ABS_FOCUS_POSITION", "Idle")
        assert int(stands.value) == at_rest.status()["current_steps"]
        assert not at_rest.status()["moving"]
    program.say(go_to(HERE))
    program.wait_for("ABS_FOCUS_POSITION", "Ok")


def test_somebody_elses_stop_is_alert_and_no_move_follows(at_rest: Focusd) -> None:
    with Program(at_rest.environment) as program:
        program.connect()
        begun(program)
        assert at_rest.call("stop") == 0
        assert "stopped by 127.0.0.1" in program.wait_for("ABS_FOCUS_POSITION", "Alert").message
        stands = at_rest.status()["current_steps"]
        program.say(go_to(HERE))
        assert "somebody else" in program.wait_for("ABS_FOCUS_POSITION", "Alert").message
        assert at_rest.status()["current_steps"] == stands
        # While it rests as well.
        assert at_rest.call("set_focus", 0.1) == 0
        program.wait_for("ABS_FOCUS_POSITION", "Ok")
        program.forget()
        assert at_rest.call("stop") == 0
        assert "somebody else" in program.wait_for("ABS_FOCUS_POSITION", "Alert").message


def test_somebody_elses_move_shows(program: Program, at_rest: Focusd) -> None:
    program.forget()
    at_rest.call("begin_move", 1.0)
    program.wait_for("ABS_FOCUS_POSITION", "Ok")
    assert program.abs[0][0] == "Busy"
    assert program.abs[-1] == ("Ok", "5088")


def test_a_machine_that_may_not_control_is_told_so(tmp_path: Path) -> None:
    with (
        running(Focusd(tmp_path, control_machines=["Elsewhere"])) as daemon,
        Program(daemon.environment) as program,
    ):
        program.say(CONNECT)
        assert "not among control_machines" in program.wait_for("CONNECTION", "Alert").message
        assert program.end() == 0


# Connecting, and a daemon that comes and goes


def test_connect_homes_and_disconnect_takes_it_from_nobody(tmp_path: Path) -> None:
    with running(Focusd(tmp_path)) as daemon, Program(daemon.environment) as program:
        program.say(CONNECT)
        program.wait_for("CONNECTION", "Busy")
        program.wait_for("CONNECTION", "Ok")
        assert any("homed" in message for message in program.messages)
        assert program.wait_for("ABS_FOCUS_POSITION", "Ok").value == "0"
        homed_at = daemon.status()["homed_at"]
        program.say(DISCONNECT)
        program.wait_for("CONNECTION", "Idle")
        assert daemon.status()["status"] == 1
        program.connect()
        assert daemon.status()["homed_at"] == homed_at
        assert program.end() == 0


def test_the_range_is_that_of_the_daemon(at_rest: Focusd, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(at_rest.config_path.read_text().replace('"focus_range_mm": 6.0', '"focus_range_mm": 5.0'))
    with Program({**at_rest.environment, "FOCUSD_CONFIG_PATH": str(mine)}) as program:
        program.connect()
        assert program.of("FOCUS_MAX")[0].value == "30528"
        assert program.end() == 0


def test_an_abort_ends_the_homing_of_a_connect(tmp_path: Path) -> None:
    with (
        running(Focusd(tmp_path, serial_port={"time_scale": 4})) as daemon,
        Program(daemon.environment) as program,
    ):
        program.say(CONNECT)
        daemon.wait_for(lambda report: report.get("homing_travelled_mm", 0) > 0.02, "the homing")
        program.write(ABORT.encode())
        assert "stopped by 127.0.0.1" in program.wait_for("CONNECTION", "Alert").message
        assert daemon.status()["state"] == "unhomed"
        assert program.end() == 0


def test_the_driver_outlives_its_daemon(tmp_path: Path) -> None:
    daemon = Focusd(tmp_path)
    try:
        with Program(daemon.environment) as program:
            program.say(CONNECT)
            wait_until(lambda: any("focusd is waited for" in each for each in program.messages), "a sentence")
            assert program.told("CONNECTION") == [("Busy", "On")]
            daemon.start()
            program.wait_for("CONNECTION", "Ok")
            program.wait_for("FOCUS_ABORT_MOTION", "Idle")
            program.forget()
            daemon.kill()
            assert "does not answer" in program.wait_for("ABS_FOCUS_POSITION", "Alert").message
            program.say(go_to(3000))
            program.wait_for("ABS_FOCUS_POSITION", "Alert")
            program.forget()
            daemon.start()
            # It is not homed unasked, but as soon as somebody says so.
            wait_until(lambda: any("disconnected" in each for each in program.messages), "the reason")
            assert daemon.status()["state"] == "disconnected"
            program.say(CONNECT)
            program.wait_for("CONNECTION", "Ok")
            program.wait_for("ABS_FOCUS_POSITION", "Ok")
            assert "defNumberVector ABS_FOCUS_POSITION" not in program.tags
            program.forget()
            daemon.tell("hang-up")
            program.wait_for("ABS_FOCUS_POSITION", "Alert")
            program.forget()
            daemon.tell("return")
            program.wait_for("ABS_FOCUS_POSITION", "Ok")
            assert program.end() == 0
            assert b"Traceback" not in program.complaints
        daemon.end()
    finally:
        daemon.dispose()


def test_a_focuser_that_was_given_up_on_the_way_can_be_connected(tmp_path: Path) -> None:
    """It says that its motor may run, for ever, and nobody's command is to be waited for."""
    with running(Focusd(tmp_path, **SETTINGS)) as daemon, Program(daemon.environment) as program:
        program.connect()
        program.say(go_to(FAR))
        daemon.wait_for(lambda report: report.get("current_steps", 0) > 2000, "the move")
        daemon.tell("hang-up")
        program.wait_for("ABS_FOCUS_POSITION", "Alert")
        daemon.call("shutdown")
        assert daemon.status()["moving"]
        daemon.tell("return")
        program.say(CONNECT)
        program.wait_for("CONNECTION", "Ok")
        program.wait_for("ABS_FOCUS_POSITION", "Ok")
        assert program.end() == 0


def test_a_homing_that_fails_and_a_configuration_that_is_wrong_can_be_mended(tmp_path: Path) -> None:
    with running(Focusd(tmp_path)) as daemon, Program(daemon.environment) as program:
        good = daemon.config_path.read_text()
        daemon.config_path.write_text("{")
        program.say(CONNECT)
        assert "JSON" in program.wait_for("CONNECTION", "Alert").message
        daemon.config_path.write_text(good)
        program.say(CONNECT)
        wait_until(lambda: daemon.status().get("homing_travelled_mm", 0) > 0.02, "the homing")
        assert daemon.call("stop") == 0
        assert "stopped" in program.wait_for("CONNECTION", "Alert").message
        program.connect()
        assert program.end() == 0


def test_what_broke_on_the_way_is_told(tmp_path: Path) -> None:
    daemon = Focusd(tmp_path, **SETTINGS)
    try:
        daemon.start()
        with Program(daemon.environment) as program:
            program.connect()
            program.say(go_to(FAR))
            daemon.wait_for(lambda report: report.get("current_steps", 0) > 1000, "the move")
            daemon.kill()
            assert "broke before" in program.wait_for("ABS_FOCUS_POSITION", "Alert").message
            program.say(ABORT)
            assert "Nothing listens" in program.wait_for("FOCUS_ABORT_MOTION", "Alert").message
            assert program.end() == 0
    finally:
        daemon.dispose()


# Its ends


def test_it_ends_at_the_end_of_stdin_and_at_nothing_else(at_rest: Focusd) -> None:
    with Program(at_rest.environment) as program:
        program.connect()
        begun(program)
        assert program.end() == 0
    # Who goes away stops nothing.
    assert at_rest.status()["moving"]
    assert at_rest.call("stop") == 0


@pytest.mark.parametrize("nonblocking", [False, True])
def test_stdin_and_stdout_may_be_one_socket(at_rest: Focusd, nonblocking: bool) -> None:
    ours, its = socket.socketpair()
    with ours, its:
        its.setblocking(not nonblocking)
        with Program(at_rest.environment, (its, its), reads=False) as program:
            its.close()
            ours.settimeout(20.0)
            ours.sendall(GET.encode())
            said = b""
            while b"CONFIG_PROCESS" not in said:
                said += ours.recv(65536)
            ours.shutdown(socket.SHUT_WR)
            assert program.popen.wait(20) == 0


def test_a_stdout_that_nobody_reads_blocks_no_stop(at_rest: Focusd) -> None:
    with Program(at_rest.environment, reads=False) as program:
        program.write((GET * 2000).encode())
        move_unseen(program, at_rest)
        program.write((GET * 2000 + ABORT).encode())
        at_rest.wait_for(lambda report: not report["moving"], "the stop")
        assert "stopped by" in at_rest.status()["reason"]
        # What it missed is told anew.
        program.read()
        stands = program.wait_for("ABS_FOCUS_POSITION", "Idle")
        assert int(stands.value) == at_rest.status()["current_steps"]
        assert set(program.ask()) >= {"CONNECTION", "ABS_FOCUS_POSITION", "FOCUS_ABORT_MOTION"}
        assert program.end() == 0


def move_unseen(program: Program, daemon: Focusd) -> None:
    """Connect and move, though nobody sees when it is connected."""

    def moves() -> bool:
        program.write(go_to(FAR).encode())
        time.sleep(0.3)
        return bool(daemon.status()["moving"])

    program.write((GET + CONNECT).encode())
    wait_until(moves, "a move")


def test_a_closed_stdout_ends_nothing(at_rest: Focusd) -> None:
    reading, writing = os.pipe()
    with Program(at_rest.environment, (subprocess.PIPE, writing), reads=False) as program:
        os.close(writing)
        os.close(reading)
        move_unseen(program, at_rest)
        program.write(ABORT.encode())
        at_rest.wait_for(lambda report: not report["moving"], "the stop")
        assert program.end() == 0


def test_a_kill_leaves_a_focuser_that_the_next_one_can_use(at_rest: Focusd) -> None:
    with Program(at_rest.environment) as program:
        program.connect()
        begun(program)
        program.popen.kill()
    with Program(at_rest.environment) as program:
        assert program.connect()
        program.say(ABORT)
        program.wait_for("FOCUS_ABORT_MOTION", "Ok")
        program.say(go_to(HERE))
        program.wait_for("ABS_FOCUS_POSITION", "Ok")
        assert program.end() == 0


def test_ctrl_c_of_a_server_in_a_terminal_ends_it_in_silence(at_rest: Focusd) -> None:
    with Program(at_rest.environment) as program:
        program.ask()
        program.popen.send_signal(signal.SIGINT)
        assert program.popen.wait(20) == -signal.SIGINT
    assert program.complaints == b""


# Hostile clients


@pytest.fixture
def alone() -> Iterator[Program]:
    """A driver that no daemon stands behind."""
    with Program(clean_environment(FOCUSD_CONFIG_PATH="/nowhere.json")) as program:
        yield program
        assert program.end() == 0
        assert b"Traceback" not in program.complaints


def test_a_hundred_megabytes_are_dropped_in_little_room(alone: Program) -> None:
    alone.write(f"<newBLOBVector device='{NAME}' name='X'><oneBLOB name='Y'>".encode())
    megabyte = b"QUFB\n" * 200_000
    for _ in range(100):
        alone.write(megabyte)
    alone.write(b"</oneBLOB></newBLOBVector>")
    assert "CONNECTION" in alone.ask()
    with open(f"/proc/{alone.popen.pid}/status") as file:
        peak_kb = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    assert peak_kb < 100_000
    assert b"too long" in alone.complaints


def test_garbage_of_many_kinds_is_skipped_and_logged_once(alone: Program) -> None:
    garbage = [
        go_to("&boom;").encode(),
        go_to("5").encode().replace(b"5\n", b"\xff\n"),
        go_to("\x01").encode(),
        b"<newNumberVector device='x' device='y'></newNumberVector>",
        b"<pleaseMove/>",
        b"<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY l2 '&lol;&lol;'>]><getProperties x='&l2;'/>",
        b"<newNumberVector device='x'><oneNumber",
        b"</indi>]]>-->",
        os.urandom(5000).replace(b"<!", b""),
    ]
    for each in garbage * 20:
        alone.write(each)
    alone.write(b"'\">" + b" " * 5000)
    assert "CONNECTION" in alone.ask()
    lines = [line for line in alone.complaints.splitlines() if b"skipped" in line]
    assert len(lines) == 1


def test_many_clients_at_once_upset_nobody(alone: Program) -> None:
    """Their elements come one after the other, as a server hands them on."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(lambda: [alone.write(GET.encode()) for _ in range(100)])
    assert "CONNECTION" in alone.ask()


def test_a_connect_without_configuration_says_so(alone: Program) -> None:
    alone.say(CONNECT)
    assert "/nowhere.json" in alone.wait_for("CONNECTION", "Alert").message


# The command line


def test_help_version_and_wrong_words() -> None:
    assert run("indi_ok3z_focus", "--version").stdout.startswith("indi_ok3z_focus 1.")
    shown = run("indi_ok3z_focus", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "INDIDEV" in shown.stdout
    wrong = run("indi_ok3z_focus", "-v")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "unrecognized arguments: -v" in wrong.stderr


@pytest.mark.parametrize(
    ("asked_for", "name"),
    [("", "ASA OK3Z"), ("OK3Z <&'\"> é", "OK3Z <&'\"> é"), ("a\nb", "a?b"), (" ", "ASA OK3Z")],
)
def test_the_device_has_the_name_that_the_server_asks_for(asked_for: str, name: str) -> None:
    with Program(clean_environment(INDIDEV=asked_for)) as program:
        program.ask()
        assert program.all[0].attributes["device"] == name
        assert program.end() == 0


def test_a_stderr_that_is_closed_ends_nothing() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {BIN / 'indi_ok3z_focus'} 2>&-"],
        input=GET.encode(),
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0
    assert b"CONFIG_PROCESS" in done.stdout
