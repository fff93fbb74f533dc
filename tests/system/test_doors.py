"""The port for Alpaca programs and browsers, from the daemon's side: off by default, named where it cannot be had."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import aiohttp
import pytest

from rockit.focuser.ok3z import doors
from rockit.focuser.ok3z.alpaca import discovery, library
from rockit.focuser.ok3z.config import AlpacaAddress
from rockit.focuser.ok3z.errors import ConfigError

RunAll = Callable[..., "list[subprocess.CompletedProcess[str]]"]
BOUND_S = 20.0
ABSENT = "raise ModuleNotFoundError(\"No module named 'aiohttp'\", name='aiohttp')\n"
BROKEN = "import no_such_part_of_it\n"
OLD = "__version__ = '3.8.4'\n"


@pytest.fixture(name="reserve")
def fixture_reserve() -> Iterator[Callable[..., socket.socket]]:
    """Ports on loopback that nobody else is given; a daemon can still listen there, unless `listens`."""
    reserved: list[socket.socket] = []

    def reserve(listens: bool = False) -> socket.socket:
        sock = socket.socket()
        reserved.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        if listens:
            sock.listen()
        return sock

    yield reserve
    for sock in reserved:
        sock.close()


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def with_aiohttp_of(daemon: Any, source: str) -> Any:
    """A daemon that finds another aiohttp before the one that is installed."""
    (daemon.folder / "other").mkdir()
    (daemon.folder / "other/aiohttp.py").write_text(source)
    daemon.environment["PYTHONPATH"] = str(daemon.folder / "other")
    return daemon


def test_programs_and_browsers_are_served_as_soon_as_it_is_ready(make_daemon: Any, reserve: Any) -> None:
    port = port_of(reserve())
    daemon = make_daemon(alpaca={"port": port}).start()
    daemon.wait_for_log(f"http://127.0.0.1:{port}/")
    assert [status_of(port, path) for path in ("/", "/management/apiversions", "/nothing")] == [200, 200, 404]
    assert daemon.call("initialize") == 0, "and Pyro is served beside it"


def test_nothing_is_opened_where_nothing_is_configured_and_no_library_is_needed(make_daemon: Any) -> None:
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


@pytest.mark.parametrize(
    ("version", "is_enough"),
    [("3.9.5", True), ("3.10", True), ("4.0.0a1", True), ("3.9.4", False), ("3.9", False), ("2.99.9", False)],
)
def test_which_versions_are_new_enough(
    version: str, is_enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "__version__", version)
    if is_enough:
        library.require_aiohttp()
    else:
        with pytest.raises(ConfigError, match=f"; {version} is installed"):
            library.require_aiohttp()


def test_a_port_that_another_program_has_is_named_and_the_others_are_given_back(
    make_daemon: Any, run_all: RunAll, reserve: Any
) -> None:
    port = port_of(reserve(listens=True))
    daemon = make_daemon(alpaca={"port": port})
    (run,) = run_all(daemon, "focusd", (str(daemon.config_path),))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"focusd: port {port} of 127.0.0.1 cannot be listened on for alpaca: ")
    assert "alpaca.port" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not daemon.address.is_listening()


def test_of_two_ports_none_is_kept_where_one_cannot_be_had(reserve: Any) -> None:
    taken = reserve(listens=True)

    class Configured:
        """What is asked of a configuration."""

        daemon = SimpleNamespace(host="127.0.0.1", port=0)
        alpaca = AlpacaAddress("127.0.0.1", port_of(taken), discovery=False, name="Dome")

    before = len(os.listdir("/proc/self/fd"))
    # The error is kept, and with it all that the function still held.
    with pytest.raises(OSError, match="for alpaca") as _caught:
        doors.take_ports(Configured())  # type: ignore[arg-type]
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_address_that_is_another_machine_s_is_named(make_daemon: Any, run_all: RunAll) -> None:
    daemon = make_daemon(alpaca={"host": "203.0.113.7", "port": 11111})
    (run,) = run_all(daemon, "focusd", (str(daemon.config_path),))
    assert run.returncode == 1
    assert run.stderr.startswith("focusd: port 11111 of 203.0.113.7 cannot be listened on for alpaca: ")
    assert "alpaca.host must be an address of this machine" in run.stderr


def test_its_end_waits_for_no_client(make_daemon: Any, reserve: Any, background: Callable[..., Any]) -> None:
    """Idle, half a request, a viewer of the panel, one who waits to be connected: all are hung up on."""
    port = port_of(reserve())
    daemon = make_daemon(alpaca={"port": port}, speed_mm_sec=0.1, serial_port={"time_scale": 1}).start()
    requests = (
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"GET /panel/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"PUT /api/v1/focuser/0/connected HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 27\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nConnected=True&ClientID=1&a",
    )
    clients = [socket.create_connection(("127.0.0.1", port), BOUND_S) for _ in requests]
    try:
        for client, request in zip(clients, requests):
            client.sendall(request)
        daemon.wait_for_homing()
        daemon.end()
        for client in clients:
            while client.recv(65536):
                pass
    finally:
        for client in clients:
            client.close()


def test_the_port_for_discovery_that_another_program_keeps_is_no_reason_not_to_serve(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = AlpacaAddress("127.0.0.1", 4567, discovery=True, name="Dome")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 0))
        port = holder.getsockname()[1]
        monkeypatch.setattr(discovery, "DISCOVERY_PORT", port)
        with caplog.at_level(logging.WARNING):
            assert doors._open_discovery(address) is None
    assert f"UDP port {port} cannot be listened on" in caplog.text
    assert "http://127.0.0.1:4567/" in caplog.text
    served = doors._open_discovery(address)
    assert served is not None
    served.close()
