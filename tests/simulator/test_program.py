"""`ok3z-simulator` as a process: a port with a stable name, told what to do through its socket."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.simulator.program import main
from tests.support.processes import Simulator
from tests.support.waiting import wait_until

VERSION = b"#S052 F OK3Z virtual 1$\n"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Starts a simulator, whose options are keywords."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Simulator(tmp_path, **options))


def port_of(program: Simulator) -> Any:
    return serial.Serial(program.link, 38400, timeout=10, exclusive=True)


def ask(port: Any, frame: bytes = b"#S051 F$\n") -> bytes:
    port.write(frame)
    return bytes(port.readline())


def test_life_of_the_program(running: Callable[..., Simulator]) -> None:
    program = running(start_mm=1.5)
    with port_of(program) as port:
        assert ask(port) == VERSION
        port.write(b"#P132 F 41$\n#P052 F 437$\n#P062 F 437$\n#P031 F $\n#E002 F 3$\n#P103 F V 21341$\n")
        for _ in range(10000):
            if ask(port, b"#S001 F$\n") == b"#S004 F NS$\n":
                break
        assert program.tell("state")["carriage_mm"] == 0

    with port_of(program) as port:
        assert ask(port, b"#S001 F$\n") == b"#S004 F NS$\n"
        program.tell("hang-up")
        with pytest.raises(serial.SerialException):
            port.read(1)
    wait_until(lambda: not os.path.lexists(program.link), "the link goes")
    program.tell("return")
    wait_until(lambda: os.path.exists(program.link), "the link is there again")
    with port_of(program) as port:
        assert ask(port) == VERSION
        assert program.tell("state")["carriage_mm"] == 0

    program.end_well()


def test_port_at_another_baud_rate_is_heard_as_noise(running: Callable[..., Simulator]) -> None:
    program = running()
    with port_of(program) as port:
        port.baudrate = 9600
        port.timeout = 0.1
        assert ask(port) == b""
        trace = program.tell("trace")["trace"]
        assert [entry for entry in trace if "S051" in entry[2]] == []

    program.end_well()


def test_fault_that_hangs_up_leaves_the_program_running(running: Callable[..., Simulator]) -> None:
    program = running()
    program.tell("fault hang-up to=P081")
    with port_of(program) as port:
        port.write(b"#P081 F$\n")
        with pytest.raises(serial.SerialException):
            port.read(1)
    program.tell("return")
    wait_until(lambda: os.path.exists(program.link), "the link is there again")

    program.end_well(signal.SIGINT)


def test_tell_prints_the_answer_and_ends_with_its_verdict(
    running: Callable[..., Simulator], capsys: pytest.CaptureFixture[str]
) -> None:
    program = running()

    assert main(["--tell", program.control, "motor frozen"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True}
    assert main(["--tell", program.control, "motor gone"]) == 1
    assert "none of" in json.loads(capsys.readouterr().out)["error"]
    program.end_well(signal.SIGHUP)


def test_link_left_by_a_dead_simulator_is_replaced(running: Callable[..., Simulator], tmp_path: Path) -> None:
    (tmp_path / "focuser").symlink_to("/dev/pts/99999")

    program = running()

    with port_of(program) as port:
        assert ask(port) == VERSION
    program.end_well()


def test_link_that_another_simulator_took_over_is_left_to_it(
    running: Callable[..., Simulator], tmp_path: Path
) -> None:
    program = running()
    (tmp_path / "focuser").unlink()
    (tmp_path / "focuser").symlink_to("/dev/pts/99999")

    assert program.end(signal.SIGTERM)[0] == 0
    assert os.readlink(program.link) == "/dev/pts/99999"


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
    shell = ("/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh")
    with Simulator(tmp_path, before=shell) as program:
        for number in (signal.SIGHUP, signal.SIGINT):
            program.signal(number)
        assert program.tell("state")["ok"]
        program.end_well()
