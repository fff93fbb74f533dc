"""A focuser daemon that does what the test says, over real Pyro4 on a free loopback port."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import Pyro4
import pytest
import rockit.common.daemons as registry

from rockit.focuser.ok3z import RemoteFocuser
from rockit.focuser.ok3z.client.calls import FocuserClient
from tests.support.processes import BIN, Program, clean_environment
from tests.support.waiting import BOUND_S

IDLE = {
    "date": "2026-11-22T20:00:00Z",
    "status": 1,
    "status_label": "IDLE",
    "state": "idle",
    "moving": False,
    "current_mm": 2.0,
    "target_mm": 2.0,
    "current_steps": 10176,
    "reading_age_s": 0.2,
}


class Script:
    """What the stand-in answers, and what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {
            "initialize": 0,
            "audit": 0,
            "shutdown": 0,
            "set_focus": 0,
            "begin_move": 0,
            "stop": 0,
            "last_failure": {},
            "record": "recording.txt",
            # As on a machine that may not control.
            "wait_for_change": 3,
        }
        self.report: Any = dict(IDLE)
        self.reads = 0
        self.held: dict[str, threading.Event] = {}
        self._begun = threading.Condition()

    def hold(self, method: str) -> threading.Event:
        """Let calls of a method block until the returned event is set."""
        self.held[method] = threading.Event()
        return self.held[method]

    def wait_for_call(self, method: str, count: int = 1) -> None:
        """Wait until a method was called so often."""
        with self._begun:
            assert self._begun.wait_for(lambda: self.count(method) >= count, BOUND_S), f"{method} never came"

    def wait_for_reads(self, more: int) -> None:
        """Wait until the status was read so many times more."""
        with self._begun:
            wanted = self.reads + more
            assert self._begun.wait_for(lambda: self.reads >= wanted, BOUND_S), "the status is not read"

    def count(self, method: str) -> int:
        return sum(call[0] == method for call in self.calls)

    def answer(self, method: str, *arguments: Any) -> Any:
        with self._begun:
            if method == "report_status":
                self.reads += 1
            else:
                self.calls.append((method, *arguments))
            self._begun.notify_all()
        if method in self.held:
            assert self.held[method].wait(BOUND_S)
        answer = self.report if method == "report_status" else self.answers[method]
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self) -> None:
        for event in self.held.values():
            event.set()


class OldStandIn:
    """What the first daemons had."""

    def __init__(self, server: Server) -> None:
        self._answer = lambda *call: server.script.answer(*call)

    def initialize(self) -> Any:
        return self._answer("initialize")

    def shutdown(self) -> Any:
        return self._answer("shutdown")

    def set_focus(self, pos: Any, offset: Any = False) -> Any:
        return self._answer("set_focus", pos, offset)

    def stop(self) -> Any:
        return self._answer("stop")

    def report_status(self) -> Any:
        return self._answer("report_status")


class StandIn(OldStandIn):
    def initialize(self, **asked_for: Any) -> Any:
        return self._answer("initialize", *([asked_for] if asked_for else []))

    def audit(self) -> Any:
        return self._answer("audit")

    def begin_move(self, pos: Any, offset: Any = False) -> Any:
        return self._answer("begin_move", pos, offset)

    def set_focus(self, pos: Any, offset: Any = False, **asked_for: Any) -> Any:
        return self._answer("set_focus", pos, offset, *([asked_for] if asked_for else []))

    def hold(self, name: Any, seconds: Any, token: Any = "") -> Any:
        return self._answer("hold", name, seconds, token)

    def set_term(self, name: Any, mm: Any, owner: Any, **asked_for: Any) -> Any:
        return self._answer("set_term", name, mm, owner, *([asked_for] if asked_for else []))

    def clear_term(self, name: Any, owner: Any) -> Any:
        return self._answer("clear_term", name, owner)

    def terms(self) -> Any:
        return self._answer("terms")

    def release(self, token: Any) -> Any:
        return self._answer("release", token)

    def moved_between(self, t0: Any, t1: Any) -> Any:
        return self._answer("moved_between", t0, t1)

    def moves(self, since: Any, until: Any, limit: Any) -> Any:
        return self._answer("moves", since, limit)

    def last_failure(self) -> Any:
        return self._answer("last_failure")

    def record(self) -> Any:
        return self._answer("record")

    def wait_for_change(self, since: Any, timeout: Any) -> Any:
        return self._answer("wait_for_change", since, timeout)


Pyro4.expose(OldStandIn)
Pyro4.expose(StandIn)


class Registered:
    """An entry of rockit.common.daemons, with no more than every copy of that library has."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self.host, self.port = name, host, port
        self.uri = f"PYRO:{name}@{host}:{port}"
        self.timeouts: list[float | None] = []
        self.proxies: list[Any] = []

    def connect(self, timeout: float | None = None, retries: int | None = None) -> Any:
        del retries
        self.timeouts.append(timeout)
        proxy = Pyro4.Proxy(self.uri)
        proxy._pyroTimeout = 5 if timeout is None else timeout or None
        self.proxies.append(proxy)
        return proxy

    def launch(self, obj: object) -> None:
        raise NotImplementedError


class PyroServer(Pyro4.Daemon):  # type: ignore[misc]  # Pyro4 has no types
    """Remembers its connections: Pyro goes on serving them when it has shut down, unlike one that died."""

    def __init__(self, port: int) -> None:
        super().__init__(host="127.0.0.1", port=port)
        self.connections: list[Any] = []

    def validateHandshake(self, conn: Any, data: Any) -> Any:  # noqa: N802  (Pyro's name)
        self.connections.append(conn)
        return super().validateHandshake(conn, data)

    def cut_connections(self) -> None:
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self.connections.clear()


class Server:
    """Serves a script; can be taken away and brought back on the same port."""

    def __init__(self) -> None:
        self.script = Script()
        self.port = 0
        self._server: PyroServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        # All that it may have, from the beginning: one that came later would be left behind by the test it came in.
        previous, most = Pyro4.config.THREADPOOL_SIZE_MIN, Pyro4.config.THREADPOOL_SIZE
        Pyro4.config.THREADPOOL_SIZE_MIN = most
        try:
            self._server = PyroServer(self.port)
        finally:
            Pyro4.config.THREADPOOL_SIZE_MIN = previous
        self._server.register(StandIn(self), "stand_in_daemon")
        self._server.register(OldStandIn(self), "old_daemon")
        self.port = self._server.sock.getsockname()[1]
        self._thread = threading.Thread(target=self._server.requestLoop, name="stand-in")
        self._thread.start()

    def begin(self, script: Script) -> None:
        """Serve another script, to nobody who was there before."""
        self.script = script
        if self._server is None:
            self.start()
        else:
            self._server.cut_connections()

    def cut_connections(self) -> None:
        """Hang up on everybody, with calls that run unanswered."""
        assert self._server is not None
        self._server.cut_connections()

    def end(self) -> None:
        """Go away, as a daemon that died."""
        if self._server is None or self._thread is None:
            return
        self.script.release()
        self._server.cut_connections()
        self._server.shutdown()
        self._thread.join(BOUND_S)
        assert not self._thread.is_alive()
        self._server = None


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One server for all tests that leave it alive: Pyro takes 0.2 s to end one."""
    server = Server()
    server.start()
    yield server
    server.end()


@pytest.fixture
def server(request: pytest.FixtureRequest, shared_server: Server, script: Script) -> Iterator[Server]:
    """The shared server, or one of the test's own where it is to die: parametrised (indirectly) with "mortal"."""
    if getattr(request, "param", "") == "mortal":
        server = Server()
        server.begin(script)
        yield server
        server.end()
        return
    shared_server.begin(script)
    yield shared_server
    script.release()


@pytest.fixture
def registered(server: Server) -> Registered:
    return Registered("stand_in_daemon", "127.0.0.1", server.port)


@pytest.fixture
def registered_old(server: Server) -> Registered:
    """A daemon of the first version, with the same script."""
    return Registered("old_daemon", "127.0.0.1", server.port)


@pytest.fixture
def focuser(registered: Any) -> RemoteFocuser:
    return RemoteFocuser(FocuserClient(registered))


@pytest.fixture
def old_focuser(registered_old: Any) -> RemoteFocuser:
    return RemoteFocuser(FocuserClient(registered_old))


@pytest.fixture(params=["of today", "of the first version"])
def either_focuser(request: pytest.FixtureRequest, registered: Any, registered_old: Any) -> RemoteFocuser:
    return RemoteFocuser(FocuserClient(registered if request.param == "of today" else registered_old))


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "night.json"
    path.write_text(json.dumps({"daemon": "stand_in", "focus_range_mm": 6.0}))
    return path


@pytest.fixture
def phone_book(registered: Registered, config_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Makes `main()` in this process call the stand-in."""
    monkeypatch.setattr(registry, "stand_in", registered, raising=False)
    monkeypatch.setenv("FOCUSD_CONFIG_PATH", str(config_path))
    return registered


@pytest.fixture
def environment(tmp_path: Path, server: Server, config_path: Path) -> dict[str, str]:
    """The environment of a `focus` process that finds the stand-in."""
    entry = {"name": "stand_in_daemon", "machine": "LocalHost", "port": server.port}
    site = tmp_path / "site.json"
    site.write_text(json.dumps({"daemons": {"stand_in": entry}}))
    environment = clean_environment(ROCKIT_SITE_PATH=str(site), FOCUSD_CONFIG_PATH=str(config_path))
    # It would hide what is never flushed. The size of a terminal is its own.
    for name in ("PYTHONUNBUFFERED", "COLUMNS", "LINES"):
        environment.pop(name, None)
    return environment


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Program]]:
    """Starts `focus WORDS` on pipes."""
    with contextlib.ExitStack() as stack:
        yield lambda *words: stack.enter_context(Program("focus", *words, env=environment))


class Terminal:
    """A running `focus` on a pseudo-terminal of its own."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], columns: int) -> None:
        self.text = ""
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.popen = subprocess.Popen(
            [BIN / "focus", *words], env=environment, stdin=slave, stdout=slave, stderr=slave, close_fds=True
        )
        os.close(slave)

    def read_until(self, text: str) -> str:
        """Read on until `text` has been written; gives everything so far."""
        while text not in self.text:
            assert self._read(), f"ended without {text!r}: {self.text!r}"
        return self.text

    def end(self) -> tuple[int, str]:
        """Read to the end; gives the exit code and everything that was written."""
        while self._read():
            pass
        return self.popen.wait(BOUND_S), self.text

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait(BOUND_S)
        os.close(self._master)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], BOUND_S)
        assert ready, f"nothing comes after {self.text!r}"
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # The last process on the other side is gone.
            return False
        self.text += data.decode()
        return bool(data)


@pytest.fixture
def on_terminal(environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """Starts `focus WORDS` on a terminal, 80 columns wide unless told otherwise."""
    started: list[Terminal] = []

    def start_one(*words: str, columns: int = 80, **extra: str) -> Terminal:
        started.append(Terminal(words, {**environment, **extra}, columns))
        return started[-1]

    yield start_one
    for terminal in started:
        terminal.close()
