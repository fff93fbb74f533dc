"""What systemd is told, and when."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from rockit.focuser.ok3z.daemon.systemd import MAX_STATUS_CHARS, SystemdNotifier, status_line
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust

TIMEOUT_USEC = 60_000_000
SIGN_EVERY_S = 15.0


class Systemd:
    """The other end of the socket, and the clock."""

    def __init__(self, address: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sock.bind(address)
        self.now_s = 1000.0

    def told(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._sock.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._sock.close()


@pytest.fixture(name="address")
def fixture_address(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture(name="systemd")
def fixture_systemd(address: str) -> Iterator[Systemd]:
    systemd = Systemd(address)
    yield systemd
    systemd.close()


@pytest.fixture(name="start")
def fixture_start(systemd: Systemd, address: str) -> Callable[..., SystemdNotifier]:
    def start(**environ: str) -> SystemdNotifier:
        return SystemdNotifier({"NOTIFY_SOCKET": address, **environ}, lambda: systemd.now_s)

    return start


@pytest.fixture(name="watched")
def fixture_watched(start: Callable[..., SystemdNotifier]) -> SystemdNotifier:
    return start(WATCHDOG_USEC=str(TIMEOUT_USEC), WATCHDOG_PID=str(os.getpid()))


def yes() -> bool:
    return True


def test_it_is_told_that_the_daemon_is_ready_and_that_it_ends(
    systemd: Systemd, start: Callable[..., SystemdNotifier]
) -> None:
    manager = start()
    manager.ready()
    manager.ending()
    assert systemd.told() == ["READY=1", "STOPPING=1"]


def test_an_abstract_socket_is_found(start: Callable[..., SystemdNotifier]) -> None:
    name = f"focusd-test-{os.getpid()}-{id(start)}"
    abstract = Systemd(f"\0{name}")
    try:
        start(NOTIFY_SOCKET=f"@{name}").ready()
        assert abstract.told() == ["READY=1"]
    finally:
        abstract.close()


def test_signs_of_life_go_out_four_times_within_the_timeout(
    systemd: Systemd, watched: SystemdNotifier
) -> None:
    for _ in range(600):
        watched.alive(yes)
        systemd.now_s += 0.1
    assert systemd.told() == ["WATCHDOG=1"] * 4


def test_a_thread_that_lives_among_the_dead_is_no_sign(systemd: Systemd, watched: SystemdNotifier) -> None:
    asked: list[float] = []

    def dead() -> bool:
        asked.append(systemd.now_s)
        return False

    for _ in range(600):
        watched.alive(dead)
        systemd.now_s += 0.1
    assert systemd.told() == []
    assert len(asked) == 4, "asked only when a sign is due"
    systemd.now_s += SIGN_EVERY_S
    watched.alive(yes)
    assert systemd.told() == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "-5"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "²"},
        {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_watchdog_no_sign_goes_out(
    systemd: Systemd, start: Callable[..., SystemdNotifier], environ: dict[str, str]
) -> None:
    manager = start(**environ)
    for _ in range(3):
        manager.alive(yes)
        systemd.now_s += 1000.0
    assert systemd.told() == []


def test_the_status_is_told_when_it_changes(systemd: Systemd, start: Callable[..., SystemdNotifier]) -> None:
    manager = start()
    for line in ("idle at 1.000 mm", "idle at 1.000 mm", "moving", "READY=1\nidle", "x" * 100_000):
        manager.status(line)
    told = systemd.told()
    assert told == [
        "STATUS=idle at 1.000 mm",
        "STATUS=moving",
        "STATUS=READY=1 idle",
        "STATUS=" + "x" * MAX_STATUS_CHARS,
    ]


@pytest.mark.parametrize("elsewhere", ["", "nowhere", "/nowhere/at/all", "/dev/null"])
def test_nobody_who_listens_is_no_harm(
    start: Callable[..., SystemdNotifier], systemd: Systemd, caplog: pytest.LogCaptureFixture, elsewhere: str
) -> None:
    manager = start(NOTIFY_SOCKET=elsewhere, WATCHDOG_USEC="1")
    manager.ready()
    manager.alive(yes)
    manager.status("idle")
    manager.ending()
    assert systemd.told() == []
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    assert len(caplog.records) == (4 if elsewhere.startswith("/") else 0)


def test_a_manager_that_does_not_read_delays_nothing(
    systemd: Systemd, start: Callable[..., SystemdNotifier]
) -> None:
    manager = start()
    for number in range(2000):
        manager.status(f"moving at {number} mm")
    assert 0 < len(systemd.told()) < 2000, "what found no room was dropped"


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (Snapshot(), "disconnected"),
        (Snapshot(reason="the port is gone."), "disconnected: the port is gone."),
        (
            Snapshot(state=State.IDLE, current_steps=12720, confidence=Confidence(Trust.RESUMED)),
            "idle at 2.500 mm (resumed)",
        ),
        (
            Snapshot(
                state=State.MOVING, current_steps=5088, confidence=Confidence(Trust.HOMED), reason="so."
            ),
            "moving at 1.000 mm (homed): so.",
        ),
    ],
)
def test_the_status_line(snapshot: Snapshot, line: str) -> None:
    assert status_line(snapshot) == line


def test_the_status_line_says_what_else_there_is_to_mend() -> None:
    assert status_line(Snapshot(), "a port is taken.") == "disconnected: a port is taken."
    assert status_line(Snapshot(reason="so."), "a port is taken.") == "disconnected: so. a port is taken."
