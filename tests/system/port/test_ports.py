"""Every kind of serial port that a configuration can name, and every kind that is none."""

from __future__ import annotations

import os
import pty
import random
import socket
import threading
import tty
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Callable

import pytest
import serial
import serial.rfc2217

from rockit.focuser.ok3z.simulator import VirtualOK3Z, register, unregister
from tests.support.ports import free_port

Background = Callable[..., "Future[Any]"]
HANDLERS = "rockit.focuser.ok3z.simulator"
TIME_SCALE = 40


def night(daemon: Any, background: Background, is_moving: Callable[[], bool]) -> None:
    """What every port must carry: homing, moves, a stop, a dead start and a second life."""
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 0.4) == 0
    assert daemon.call("initialize") == 8
    move = background(daemon.call, "set_focus", 5.0)
    daemon.wait_for_leg("overshoot")
    assert daemon.call("stop") == 0
    assert not is_moving()
    assert move.result() == 1
    assert daemon.call("shutdown") == 0
    assert daemon.call("initialize") == 0


def faults_of_refusal(daemon: Any, *words: str) -> list[str]:
    """What is wrong with how it refuses a port: it must say why in one sentence, and go on living."""
    with daemon.proxy() as proxy:
        answers = (proxy.initialize(), proxy.shutdown(), proxy.initialize())
        report = proxy.report_status()
    reason = report.get("reason", "")
    faults = [f"{word!r} is not in {reason!r}" for word in words if word not in reason]
    if answers != (1, 7, 1) or (report["status"], report["moving"]) != (0, False):
        faults.append(f"answered {answers} and reports {report}")
    if "Traceback" in daemon.log:
        faults.append(f"showed a traceback for {words}")
    return faults


def test_ports_that_are_no_focuser(make_daemon: Any, tmp_path: Path) -> None:
    """Every kind of wrong port, in one daemon each, all at once."""
    plain, folder, pipe = tmp_path / "file", tmp_path / "folder", tmp_path / "pipe"
    plain.write_text("#S052 F 1$\n")
    folder.mkdir()
    os.mkfifo(pipe)
    closed_port = free_port()
    expected = {
        str(tmp_path / "absent"): ("There is no such device",),
        str(plain): ("It is no serial port", "serial_port"),
        str(folder): ("serial_port",),
        str(pipe): ("It is no serial port", "serial_port"),
        os.devnull: ("It is no serial port", "serial_port"),
        "sim://?no_such_option=1": ("no_such_option",),
        "sim://?start_mm=far": ("far",),
        "sim://?time_scale=0": ("time_scale",),
        f"socket://127.0.0.1:{closed_port}": (),
        f"rfc2217://127.0.0.1:{closed_port}": (),
        "hwgrep://[": (),
        "hwgrep://no such adapter": (),
        "loop://?x=1": (),
        "spy://": (),
        "spy:///nowhere/focuser": (),
    }
    daemons = {port: make_daemon(serial_port=port) for port in expected}
    for daemon in daemons.values():
        daemon.launch()
    faults = [
        fault
        for port, daemon in daemons.items()
        for fault in faults_of_refusal(daemon.wait_until_up(), *expected[port])
    ]
    assert not faults, "\n".join(faults)


class Bridge:
    """A serial device server on loopback: a virtual controller behind a TCP port, plain or after RFC 2217."""

    def __init__(self, telnet: bool) -> None:
        self._telnet = telnet
        self.model = VirtualOK3Z(start_mm=0.3, time_scale=TIME_SCALE)
        self._url = register(f"bridge{id(self)}", self.model)
        self._name = self._url.partition("//")[2]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._server = threading.Thread(target=self._serve)
        self._server.start()

    def drop(self) -> None:
        """Cut the connection, as a device server does that restarts."""
        assert self._client is not None
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._client is not None:
            self.drop()
        self._server.join()
        unregister(self._name)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, serial.serial_for_url(self._url, baudrate=38400, timeout=0.005) as port:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._client = client
                self._relay(client, port)

    def _relay(self, client: socket.socket, port: Any) -> None:
        connection: Any = _Writer(client)
        manager = serial.rfc2217.PortManager(port, connection) if self._telnet else None
        over = threading.Event()

        def to_host() -> None:
            while not over.is_set():
                data = port.read(max(1, port.in_waiting))
                if data:
                    with suppress(OSError):
                        client.sendall(b"".join(manager.escape(data)) if manager else data)

        sender = threading.Thread(target=to_host)
        sender.start()
        with suppress(OSError):
            while data := client.recv(4096):
                port.write(b"".join(manager.filter(data)) if manager else data)
        over.set()
        sender.join()


class _Writer:
    """What a PortManager answers through."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def write(self, data: bytes) -> None:
        self._client.sendall(data)


@pytest.fixture
def make_bridge() -> Iterator[Callable[..., Bridge]]:
    serial.protocol_handler_packages.append(HANDLERS)
    bridges: list[Bridge] = []

    def make(telnet: bool) -> Bridge:
        bridges.append(Bridge(telnet))
        return bridges[-1]

    yield make
    for bridge in bridges:
        bridge.close()
    serial.protocol_handler_packages.remove(HANDLERS)


def test_every_kind_of_port(
    make_daemon: Any, make_simulator: Any, make_bridge: Any, background: Background, tmp_path: Path
) -> None:
    """A terminal, a spied one, and device servers: one daemon each, all at once."""
    local, spied = (make_simulator(time_scale=TIME_SCALE) for _ in range(2))
    spy_log = tmp_path / "spied.txt"
    plain, telnet = make_bridge(telnet=False), make_bridge(telnet=True)
    is_moving = {
        local.link: lambda: local.truth()["moving"],
        f"spy://{spied.link}?file={spy_log}": lambda: spied.truth()["moving"],
        f"socket://127.0.0.1:{plain.port}": lambda: plain.model.is_moving,
        f"rfc2217://127.0.0.1:{telnet.port}": lambda: telnet.model.is_moving,
    }
    daemons = [make_daemon(serial_port=port, time_scale=TIME_SCALE, speed_mm_sec=0.1) for port in is_moving]
    for daemon in daemons:
        daemon.launch()
    nights = {
        port: background(night, daemon.wait_until_up(), background, is_moving[port])
        for port, daemon in zip(is_moving, daemons)
    }
    failures = {port: each.exception() for port, each in nights.items() if each.exception()}
    assert not failures
    assert "P081" in spy_log.read_text()


def test_a_device_server_that_restarts(make_daemon: Any, make_bridge: Any) -> None:
    bridge = make_bridge(telnet=False)
    daemon = make_daemon(serial_port=f"socket://127.0.0.1:{bridge.port}", time_scale=TIME_SCALE).start()
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 0.2) == 0
    bridge.drop()
    daemon.wait_for(lambda report: report["status"] == 0, "OFFLINE")
    assert daemon.call("initialize") == 0


@contextmanager
def terminal(chatter: Callable[[], bytes]) -> Iterator[str]:
    """A pseudo-terminal with something else than a focuser at its other end."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def chat() -> None:
        os.set_blocking(master, False)
        while not over.wait(0.01):
            with suppress(OSError):
                os.read(master, 4096)
            with suppress(OSError):
                os.write(master, chatter())

    speaker = threading.Thread(target=chat)
    speaker.start()
    try:
        yield os.ttyname(slave)
    finally:
        over.set()
        speaker.join()
        os.close(slave)
        os.close(master)


def random_bytes() -> Callable[[], bytes]:
    dice = random.Random(1)
    return lambda: bytes(dice.randrange(256) for _ in range(dice.randrange(40)))


def test_other_devices_on_the_port(make_daemon: Any, background: Background) -> None:
    """One that talks rubbish, one that talks of something else, one that says nothing."""
    talks = {
        "noise": (random_bytes(), "not as an OK3Z does"),
        "gps": (lambda: b"$GPGGA,123519,4807.038,N*47\r\n", "not as an OK3Z does"),
        "silence": (lambda: b"", "nothing answered"),
    }
    with ExitStack() as stack:
        waiting = {}
        for name, (chatter, words) in talks.items():
            port = stack.enter_context(terminal(chatter))
            daemon = make_daemon(serial_port=port, serial_timeout=0.3).start()
            waiting[name] = background(faults_of_refusal, daemon, words)
        faults = {name: each.result() for name, each in waiting.items() if each.result()}
    assert not faults


def test_two_daemons_on_one_port(make_daemon: Any, make_simulator: Any) -> None:
    simulator = make_simulator()
    first, second = make_daemon(**simulator.port), make_daemon(**simulator.port)
    for daemon in (first, second):
        daemon.launch()
    for daemon in (first, second):
        daemon.wait_until_up()
    assert first.call("initialize") == 0
    assert not faults_of_refusal(second, "Another process holds it")
    assert first.call("set_focus", 0.2) == 0
    assert first.call("shutdown") == 0
    assert second.call("initialize") == 0, "once the first has let go"
    assert not faults_of_refusal(first, "Another process holds it")
