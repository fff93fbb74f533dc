"""The port for Alpaca programs and browsers, from the daemon's side: off by default, named if it cannot be had."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import aiohttp
import pytest

from rockit.focuser.ok3z.config.model import AlpacaAddress
from rockit.focuser.ok3z.daemon import library
from rockit.focuser.ok3z.daemon.servers import AlpacaPort
from rockit.focuser.ok3z.errors import ConfigError, whole
from rockit.focuser.ok3z.servers.alpaca import discovery
from tests.support.http import CONNECTED, HttpClient, request
from tests.support.ports import ReservedPort

RunAll = Callable[..., "list[subprocess.CompletedProcess[str]]"]
ABSENT = "raise ModuleNotFoundError(\"No module named 'aiohttp'\", name='aiohttp')\n"
BROKEN = "import no_such_part_of_it\n"
OLD = "__version__ = '3.8.4'\n"


@pytest.fixture
def port() -> Iterator[int]:
    """A port on loopback that nobody else is given; a daemon can still listen there."""
    with ReservedPort() as reserved:
        yield reserved.port


def status_of(port: int, path: str) -> int:
    client = HttpClient(port)
    try:
        return client.ask("GET", path).status
    finally:
        client.close()


def with_aiohttp_of(daemon: Any, source: str, library: str = "aiohttp") -> Any:
    """A daemon that finds another aiohttp, or another of its libraries, before the one that is installed."""
    (daemon.folder / "other").mkdir()
    (daemon.folder / f"other/{library}.py").write_text(source)
    daemon.environment["PYTHONPATH"] = str(daemon.folder / "other")
    return daemon


def test_programs_and_browsers_are_served_as_soon_as_it_is_ready(make_daemon: Any) -> None:
    daemon = make_daemon(alpaca={}).start()
    port = daemon.alpaca.port
    daemon.wait_for_log(f"http://127.0.0.1:{port}/")
    assert [status_of(port, path) for path in ("/", "/management/apiversions", "/nothing")] == [200, 200, 404]
    assert daemon.call("initialize") == 0, "and Pyro is served beside it"


def test_nothing_is_opened_if_nothing_is_configured_and_no_library_is_needed(make_daemon: Any) -> None:
    daemon = with_aiohttp_of(make_daemon(), ABSENT).start()
    assert daemon.call("initialize") == 0
    listening = [
        line.split()[1]
        for line in Path(f"/proc/{daemon.popen.pid}/net/tcp").read_text().splitlines()
        if line.split()[9] in inodes_of(daemon.popen.pid)
    ]
    assert listening == [f"0100007F:{daemon.address.port:04X}"]


def inodes_of(pid: int) -> set[str]:
    """The sockets of a process that may listen: those of TCP, by their inodes."""
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (ABSENT, "it is not installed"),
        (BROKEN, "it cannot be imported: No module named 'no_such_part_of_it'"),
        (OLD, "3.8.4 is installed"),
    ],
    ids=["absent", "broken", "old"],
)
def test_a_library_that_cannot_be_used_is_named_with_what_to_install(
    make_daemon: Any, run_all: RunAll, source: str, why: str
) -> None:
    daemon = with_aiohttp_of(make_daemon(alpaca={}), source)
    path = str(daemon.config_path)
    for run in run_all(daemon, "focusd", (path,), ("--check", path)):
        assert (run.returncode, run.stdout) == (78, "")
        assert run.stderr == (
            f"focusd: alpaca is configured, which needs aiohttp 3.9.5 or newer; {why}. On Enterprise Linux: "
            "dnf install python3-aiohttp (from EPEL). In a clone: make venv. Else: pip install 'aiohttp>=3.9.5'. "
            "Or remove alpaca.\n"
        )
    (port,) = run_all(daemon, "focusd", ("--print-port", path))
    assert (port.returncode, port.stdout) == (0, f"{daemon.address.port}\n"), "that needs no library"


def test_prometheus_client_is_needed_for_metrics_alone(make_daemon: Any, run_all: RunAll) -> None:
    absent = ABSENT.replace("aiohttp", "prometheus_client")
    served = with_aiohttp_of(make_daemon(alpaca={}), absent, "prometheus_client").start()
    assert status_of(served.alpaca.port, "/metrics") == 404
    served.write_config(alpaca={}, metrics={})
    path = str(served.config_path)
    for run in run_all(served, "focusd", (path,), ("--check", path)):
        assert (run.returncode, run.stdout) == (78, "")
        assert run.stderr == (
            "focusd: metrics is configured, which needs prometheus_client; it is not installed. On Enterprise Linux: "
            "dnf install python3-prometheus_client (from EPEL). In a clone: make venv. Else: pip install "
            "prometheus_client. Or remove metrics.\n"
        )


def test_prometheus_is_told_of_a_focuser_that_moves(make_daemon: Any) -> None:
    daemon = make_daemon(alpaca={}, metrics={}).start()
    assert daemon.call("initialize") == 0
    assert daemon.call("set_focus", 0.25) == 0
    assert daemon.call("set_focus", 99.0) != 0
    client = HttpClient(daemon.alpaca.port)
    try:
        lines = client.ask("GET", "/metrics").body.decode().splitlines()
    finally:
        client.close()
    assert {
        "focuser_position_meters 0.00025",
        'focuser_state{state="idle"} 1.0',
        'focuser_moves_total{result="arrived"} 1.0',
        'focuser_refused_calls_total{reason="outside_limits"} 1.0',
    } <= set(lines)


def test_which_versions_are_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("3.9.5", "3.10", "4.0.0a1"):
        monkeypatch.setattr(aiohttp, "__version__", version)
        library.require_aiohttp()
    for version in ("3.9.4", "3.9", "2.99.9"):
        monkeypatch.setattr(aiohttp, "__version__", version)
        with pytest.raises(ConfigError, match=f"; {version} is installed"):
            library.require_aiohttp()


def test_a_port_that_another_program_has_is_tried_again_and_pyro_is_served_meanwhile(
    make_daemon: Any, run_all: RunAll
) -> None:
    daemon = make_daemon(control_machines=["Elsewhere", "LocalHost"], alpaca={})
    holder = socket.create_server(("127.0.0.1", daemon.alpaca.port))
    with holder:
        daemon.start()
        daemon.wait_for_log(f"port {daemon.alpaca.port} of 127.0.0.1 cannot be listened on for alpaca: ")
        assert daemon.call("initialize") == 0
        told = daemon.status()["alpaca_problem"]
        assert "alpaca.port" in told
        assert "It is tried again." in told
        (checked,) = run_all(daemon, "focusd", ("--check", str(daemon.config_path)))
        assert checked.returncode == 0
    daemon.wait_for_log(f"http://127.0.0.1:{daemon.alpaca.port}/")
    assert status_of(daemon.alpaca.port, "/management/apiversions") == 200
    assert "alpaca_problem" not in daemon.status()
    assert daemon.log.count("cannot be listened on") == 1


def test_an_address_that_is_not_up_yet_is_tried_again(make_daemon: Any) -> None:
    """Of a machine that boots before its network, or of another machine."""
    daemon = make_daemon(alpaca={"host": "203.0.113.7", "port": 11111}).start()
    assert daemon.call("initialize") == 0
    assert "alpaca.host must be an address of this machine" in daemon.status()["alpaca_problem"]


class Server:
    """Stands in for the server of the Alpaca port."""

    def __init__(self, listener: socket.socket, starts: bool = True) -> None:
        self.listener = listener
        self.lives_on = True
        self._starts = starts

    def start(self) -> None:
        if not self._starts:
            raise RuntimeError("can't start new thread")

    def lives(self) -> bool:
        return self.lives_on

    def close(self) -> None:
        self.listener.close()


def new_alpaca_port(port: int, new_server: Any = Server, discovery: bool = False) -> AlpacaPort:
    return AlpacaPort(AlpacaAddress("127.0.0.1", port, discovery, name="Dome"), new_server)


def test_what_everybody_may_read_of_a_port_names_no_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        alpaca = new_alpaca_port(holder.getsockname()[1])
        alpaca.try_to_open()
    assert "127.0.0.1" in whole(alpaca.problem)
    assert alpaca.problem == (
        "Alpaca programs and browsers are not served: their port cannot be had now. It is tried again."
    )


def test_a_machine_that_can_make_no_more_threads_keeps_nothing_open(port: int) -> None:
    starts: list[bool] = []
    alpaca = new_alpaca_port(port, lambda listener: Server(listener, bool(starts)))
    before = len(os.listdir("/proc/self/fd"))
    alpaca.try_to_open()
    assert "can't start new thread" in whole(alpaca.problem)
    assert len(os.listdir("/proc/self/fd")) == before
    starts.append(True)
    alpaca.try_to_open()
    assert alpaca.problem == ""
    alpaca.close()


def test_a_server_that_died_is_told(port: int) -> None:
    made: list[Server] = []

    def make(listener: socket.socket) -> Server:
        made.append(Server(listener))
        return made[-1]

    alpaca = new_alpaca_port(port, make)
    alpaca.try_to_open()
    made[0].lives_on = False
    assert "not served any more" in alpaca.problem
    alpaca.try_to_open()
    assert len(made) == 1
    alpaca.close()


def test_its_end_waits_for_no_client(make_daemon: Any) -> None:
    """Idle, half a request, a viewer of the panel, one who waits to be connected: all are hung up on."""
    daemon = make_daemon(alpaca={}, speed_mm_sec=0.1, serial_port={"time_scale": 1}).start()
    requests = (b"", request("GET", "/")[:-2], request("GET", "/panel/events"), CONNECTED)
    clients = [HttpClient(daemon.alpaca.port) for _ in requests]
    try:
        for client, data in zip(clients, requests):
            client.send(data)
        daemon.wait_for_homing()
        daemon.end()
        for client in clients:
            client.rest()
    finally:
        for client in clients:
            client.close()


def test_the_port_for_discovery_that_another_program_keeps_is_tried_again(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    alpaca = new_alpaca_port(port, discovery=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 0))
        udp_port = holder.getsockname()[1]
        monkeypatch.setattr(discovery, "DISCOVERY_PORT", udp_port)
        for _ in range(3):
            alpaca.try_to_open()
    assert caplog.text.count(f"UDP port {udp_port} cannot be listened on") == 1
    assert alpaca.problem == "", "what is configured is served"
    alpaca.try_to_open()
    assert f"answering programs that look for Alpaca devices on UDP port {udp_port}" in caplog.text
    alpaca.close()
