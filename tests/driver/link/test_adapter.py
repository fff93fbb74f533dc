"""The adapter's latency: what is set at opening, what the log says of it, and what is wrong; on made-up adapters."""

from __future__ import annotations

import array
import errno
import fcntl
import logging
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.driver import adapter
from rockit.focuser.ok3z.driver.adapter import latency_ms, latency_problem, make_prompt, set_low_latency
from rockit.focuser.ok3z.driver.clock import SystemClock
from rockit.focuser.ok3z.driver.link import open_link

OTHER_FLAGS = 0x10000040


class Chip:
    """What stands behind the ioctls of a terminal: its settings, and the timer in a sysfs of its own.

    Args:
        ttys: the folder of that sysfs.
        timer_ms: what the timer says; None for an adapter that has none.
        failing: which ioctl fails, and with which error.
    """

    def __init__(self, ttys: Path, timer_ms: int | None = 16, failing: dict[int, int] | None = None) -> None:
        self.flags = OTHER_FLAGS
        self.calls: list[int] = []
        self._failing = failing or {}
        self._timer = ttys / "ttyUSB0" / "device" / "latency_timer"
        if timer_ms is not None:
            self._timer.parent.mkdir(parents=True)
            self._timer.write_text(f"{timer_ms}\n")

    def ioctl(self, descriptor: int, request: int, settings: Any) -> int:
        self.calls.append(request)
        if request in self._failing:
            raise OSError(self._failing[request], os.strerror(self._failing[request]))
        # As the kernel does: no more than the 72 bytes of the struct, in place.
        assert isinstance(settings, array.array)
        assert settings.itemsize * len(settings) >= 72
        if request == termios.TIOCGSERIAL:
            settings[adapter.FLAGS_INT] = self.flags
        elif request == termios.TIOCSSERIAL:
            self.flags = settings[adapter.FLAGS_INT]
            self._timer.write_text("1\n")
        return 0


MakeChip = Callable[..., Chip]


@pytest.fixture(name="make_chip")
def fixture_make_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeChip:
    """Makes the chip behind every terminal of this test."""

    def make(**details: Any) -> Chip:
        chip = Chip(tmp_path, **details)
        monkeypatch.setattr(fcntl, "ioctl", chip.ioctl)
        return chip

    return make


@pytest.fixture(name="terminal")
def fixture_terminal() -> Iterator[int]:
    """The descriptor of a pseudo-terminal."""
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@pytest.fixture(name="focuser")
def fixture_focuser(tmp_path: Path) -> str:
    """A link to the adapter, as /dev/focuser is one."""
    device, link = tmp_path / "dev" / "ttyUSB0", tmp_path / "focuser"
    device.parent.mkdir()
    device.touch()
    link.symlink_to(device)
    return str(link)


def test_low_latency_is_set_and_all_else_stays(make_chip: MakeChip, terminal: int) -> None:
    chip = make_chip()
    assert set_low_latency(terminal) == ""
    assert chip.flags == OTHER_FLAGS | 0x2000
    assert chip.calls == [termios.TIOCGSERIAL, termios.TIOCSSERIAL]


def test_what_is_set_already_is_not_set_again(make_chip: MakeChip, terminal: int) -> None:
    chip = make_chip()
    chip.flags |= adapter.ASYNC_LOW_LATENCY
    assert set_low_latency(terminal) == ""
    assert chip.calls == [termios.TIOCGSERIAL]


@pytest.mark.parametrize("request_", [termios.TIOCGSERIAL, termios.TIOCSSERIAL])
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTTY, errno.EINVAL])
def test_a_refusal_is_said_and_does_no_harm(
    make_chip: MakeChip, terminal: int, request_: int, number: int
) -> None:
    chip = make_chip(failing={request_: number})
    assert set_low_latency(terminal) == os.strerror(number)
    assert chip.flags == OTHER_FLAGS


def test_a_pseudo_terminal_has_no_such_setting(terminal: int) -> None:
    assert set_low_latency(terminal) == os.strerror(errno.ENOTTY)


def test_what_is_no_terminal_is_left_alone(make_chip: MakeChip) -> None:
    chip, (reading, writing) = make_chip(), os.pipe()
    assert set_low_latency(reading) == "it is no terminal"
    assert chip.calls == []
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(("text", "milliseconds"), [("16\n", 16), ("1\n", 1), ("", None), ("soon\n", None)])
def test_sysfs_tells_what_is_in_force(
    tmp_path: Path, focuser: str, make_chip: MakeChip, text: str, milliseconds: int | None
) -> None:
    make_chip()
    (tmp_path / "ttyUSB0/device/latency_timer").write_text(text)
    assert latency_ms(focuser, tmp_path) == milliseconds


def test_an_adapter_that_has_no_timer_has_no_problem(tmp_path: Path, focuser: str) -> None:
    assert latency_ms(focuser, tmp_path) is None
    assert latency_problem(focuser, tmp_path) == ""


@pytest.mark.parametrize("port", ["sim://?start_mm=1", "socket://host:4001", "/dev/none", ""])
def test_what_is_no_adapter_of_this_machine_has_no_problem(port: str) -> None:
    assert latency_problem(port) == ""


def test_sixteen_ms_are_a_problem_that_says_what_to_do(
    tmp_path: Path, focuser: str, make_chip: MakeChip
) -> None:
    make_chip()
    timer = tmp_path / "ttyUSB0/device/latency_timer"
    assert latency_problem(focuser, tmp_path) == (
        f"the adapter holds each answer back for up to 16 ms ({timer}), so moves and stops take longer. "
        "Install the udev rule (docs/deployment.md), or write 1 to it."
    )


@pytest.mark.parametrize(
    ("details", "level", "said"),
    [
        ({}, logging.INFO, "low latency is set; the adapter's latency timer: 1 ms"),
        (
            {"failing": {termios.TIOCSSERIAL: errno.EPERM}},
            logging.WARNING,
            "low latency could not be set (Operation not permitted): the adapter holds each answer back for up",
        ),
        (
            {"failing": {termios.TIOCSSERIAL: errno.EPERM}, "timer_ms": 1},
            logging.INFO,
            "low latency could not be set (Operation not permitted); the adapter's latency timer: 1 ms",
        ),
        (
            {"failing": {termios.TIOCGSERIAL: errno.ENOTTY}, "timer_ms": None},
            logging.INFO,
            "low latency could not be set (Inappropriate ioctl for device); the adapter's latency timer: unknown",
        ),
    ],
)
def test_the_log_says_what_is_in_force(
    tmp_path: Path,
    focuser: str,
    make_chip: MakeChip,
    terminal: int,
    caplog: pytest.LogCaptureFixture,
    details: dict[str, Any],
    level: int,
    said: str,
) -> None:
    make_chip(**details)
    caplog.set_level(logging.INFO)
    make_prompt(focuser, terminal, tmp_path)
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage().startswith(said)


def test_it_is_set_as_a_port_is_opened(make_chip: MakeChip, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    ioctl, asked = fcntl.ioctl, []

    def noted(descriptor: int, request: int, *rest: Any) -> Any:
        asked.append(request)
        return ioctl(descriptor, request, *rest)

    monkeypatch.setattr(fcntl, "ioctl", noted)
    open_link(os.ttyname(slave), 38400, SystemClock()).close()
    assert termios.TIOCGSERIAL in asked
    os.close(master)
    os.close(slave)


def test_a_handler_of_a_url_is_not_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    open_link("loop://", 38400, SystemClock()).close()
    assert not [record for record in caplog.records if "latency" in record.getMessage()]
