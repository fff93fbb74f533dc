"""`ok3z-simulator` as a process: a port with a stable name, told what to do through its socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.simulator.control import tell
from rockit.focuser.ok3z.simulator.program import main

PROGRAM = [sys.executable, "-m", "rockit.focuser.ok3z.simulator.program"]
VERSION = b"#S052 F OK3Z virtual 1$\n"


class Running:
    """One simulator process; its link is there once this is made."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.link = folder / "focuser"
        self.control = str(folder / "control")
        self.process = subprocess.Popen(
            [*PROGRAM, "--link", str(self.link), "--control", self.control, "--time-scale", "50", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"ok3z-simulator: ready at {self.link}\n"

    def open(self) -> Any:
        return serial.Serial(str(self.link), 38400, timeout=10, exclusive=True)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        assert errors == ""
        return self.process.returncode


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*arguments: str) -> Running:
        started.append(Running(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def ask(port: Any, frame: bytes = b"#S051 F$\n") -> bytes:
    port.write(frame)
    return bytes(port.readline())


def wait_for_link(program: Running, there: bool) -> None:
    """The main loop makes and removes the link after the socket has answered."""
    for _ in range(1000):
        tell(program.control, "clear")
        if program.link.exists() is there:
            return
    pytest.fail(f"the link never became {there}")


def test_life_of_the_program(running: Callable[..., Running]) -> None:
    program = running("--start-mm", "1.5")
    with program.open() as port:
        assert ask(port) == VERSION
        port.write(b"#P132 F 41$\n#P052 F 437$\n#P062 F 437$\n#P031 F $\n#E002 F 3$\n#P103 F V 21341$\n")
        for _ in range(10000):
            if ask(port, b"#S001 F$\n") == b"#S004 F NS$\n":
                break
        assert tell(program.control, "state")["carriage_mm"] == 0

    with program.open() as port:
        assert ask(port, b"#S001 F$\n") == b"#S004 F NS$\n"
        tell(program.control, "hang-up")
        with pytest.raises(serial.SerialException):
            port.read(1)
    wait_for_link(program, there=False)
    tell(program.control, "return")
    wait_for_link(program, there=True)
    with program.open() as port:
        assert ask(port) == VERSION
        assert tell(program.control, "state")["carriage_mm"] == 0

    assert program.end() == 0
    assert not os.path.lexists(program.link)
    assert not os.path.exists(program.control)


def test_port_at_another_baud_rate_is_heard_as_noise(running: Callable[..., Running]) -> None:
    program = running()
    with program.open() as port:
        port.baudrate = 9600
        port.timeout = 0.1
        assert ask(port) == b""
        trace = tell(program.control, "trace")["trace"]
        assert [entry for entry in trace if "S051" in entry[2]] == []

    assert program.end() == 0


def test_fault_that_hangs_up_leaves_the_program_running(running: Callable[..., Running]) -> None:
    program = running()
    tell(program.control, "fault hang-up to=P081")
    with program.open() as port:
        port.write(b"#P081 F$\n")
        with pytest.raises(serial.SerialException):
            port.read(1)
    tell(program.control, "return")
    wait_for_link(program, there=True)

    assert program.end(signal.SIGINT) == 0


def test_tell_prints_the_answer_and_ends_with_its_verdict(
    running: Callable[..., Running], capsys: pytest.CaptureFixture[str]
) -> None:
    program = running()

    assert main(["--tell", program.control, "motor frozen"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True}
    assert main(["--tell", program.control, "motor gone"]) == 1
    assert "none of" in json.loads(capsys.readouterr().out)["error"]
    assert program.end(signal.SIGHUP) == 0


def test_link_left_by_a_dead_simulator_is_replaced(running: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "focuser").symlink_to("/dev/pts/99999")

    program = running()

    with program.open() as port:
        assert ask(port) == VERSION
    assert program.end() == 0


def test_link_that_another_simulator_took_over_is_left_to_it(
    running: Callable[..., Running], tmp_path: Path
) -> None:
    program = running()
    (tmp_path / "focuser").unlink()
    (tmp_path / "focuser").symlink_to("/dev/pts/99999")

    assert program.end() == 0

    assert os.readlink(tmp_path / "focuser") == "/dev/pts/99999"


def test_file_in_the_place_of_the_link_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")

    assert main(["--link", str(precious)]) == 1

    assert "is no symbolic link" in capsys.readouterr().err
    assert precious.read_text() == "data"


def test_link_to_a_real_device_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "focuser"
    link.symlink_to("/dev/ttyUSB0")

    assert main(["--link", str(link)]) == 1

    assert "points at /dev/ttyUSB0, which is no pseudo-terminal" in capsys.readouterr().err
    assert os.readlink(link) == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--link", "/nowhere/at/all"], "The link /nowhere/at/all cannot be made"),
        (["--link", "unused", "--start-mm", "x"], "start_mm='x' is not a number from 0 to 20"),
        (["--tell", "/nowhere/at/all", "state"], "Is the simulator running?"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.startswith("ok3z-simulator: ")
    assert captured.err.count("\n") == 1


def test_link_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])

    assert caught.value.code == 2
    assert "--link PATH is needed" in capsys.readouterr().err


def test_a_signal_that_was_ignored_at_the_start_stays_ignored(tmp_path: Path) -> None:
    """`nohup`, or a script's `&`."""
    link = tmp_path / "focuser"
    words = [*PROGRAM, "--link", str(link), "--control", str(tmp_path / "control")]
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        for number in (signal.SIGHUP, signal.SIGINT):
            process.send_signal(number)
        assert tell(str(tmp_path / "control"), "state")["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not link.is_symlink()
