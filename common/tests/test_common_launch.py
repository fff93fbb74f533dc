"""Serving and calling a registered daemon, over real Pyro on loopback."""

from __future__ import annotations

import errno
import json
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import Pyro4
import pytest
from rockit.common.errors import LaunchError
from rockit.common.registered_daemon import RegisteredDaemon

from tests.support.processes import Program, clean_environment
from tests.support.waiting import wait_until


@Pyro4.expose
class Counter:
    """Counts the calls that reach it."""

    def __init__(self) -> None:
        self.calls = 0

    def count(self) -> int:
        self.calls += 1
        return self.calls


def test_a_served_object_can_be_called(serve: Callable[[object], RegisteredDaemon]) -> None:
    counter = Counter()
    daemon = serve(counter)
    with daemon.connect() as proxy:
        assert proxy.count() == 1
        assert str(proxy._pyroUri) == daemon.uri
    assert proxy._pyroConnection is None, "the with statement leaves the connection open"
    assert counter.calls == 1


def test_timeout_and_retries_reach_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pyro4.config, "MAX_RETRIES", 7)
    daemon = RegisteredDaemon("probe", "127.0.0.1", 9)
    for asked, timeout_s, retries in [
        ({}, 5, 7),
        ({"timeout": None}, 5, 7),
        ({"timeout": 0}, None, 7),
        ({"timeout": 0.5, "retries": 3}, 0.5, 3),
        ({"timeout": 300, "retries": 0}, 300, 0),
    ]:
        with daemon.connect(**asked) as proxy:  # type: ignore[arg-type]
            assert (proxy._pyroTimeout, proxy._pyroMaxRetries) == (timeout_s, retries), asked


def test_no_limit_still_means_no_limit_on_an_open_connection(
    serve: Callable[[object], RegisteredDaemon],
) -> None:
    with serve(Counter()).connect(timeout=0) as proxy:
        proxy.count()
        proxy._pyroTimeout = proxy._pyroTimeout
        assert proxy.count() == 2


def test_a_silent_daemon_runs_into_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daemon = RegisteredDaemon("probe", "127.0.0.1", silent.getsockname()[1])
        with daemon.connect(timeout=0.05) as proxy, pytest.raises(Pyro4.errors.CommunicationError):
            proxy.count()


def test_a_daemon_that_is_not_there_is_a_communication_error(free_port: int) -> None:
    daemon = RegisteredDaemon("probe", "127.0.0.1", free_port)
    with daemon.connect() as proxy, pytest.raises(Pyro4.errors.CommunicationError, match=str(free_port)):
        proxy.count()


def test_the_same_object_can_be_served_again_on_the_same_port(
    serve: Callable[[object], RegisteredDaemon], stop_serving: Callable[[object], None]
) -> None:
    counter = Counter()
    for expected in 1, 2:
        daemon = serve(counter)
        with daemon.connect() as proxy:
            assert proxy.count() == expected
        stop_serving(counter)


def test_an_open_connection_does_not_reach_the_object_after_the_end(
    serve: Callable[[object], RegisteredDaemon], stop_serving: Callable[[object], None]
) -> None:
    counter = Counter()
    with serve(counter).connect() as proxy:
        proxy.count()
        stop_serving(counter)
        with pytest.raises(Pyro4.errors.PyroError):
            proxy.count()
    assert counter.calls == 1


def test_a_port_in_use_is_a_launch_error(
    serve: Callable[[object], RegisteredDaemon],
) -> None:
    counter = Counter()
    daemon = serve(counter)
    with pytest.raises(LaunchError) as refusal:
        daemon.launch(Counter())
    assert isinstance(refusal.value, OSError)
    assert refusal.value.errno == errno.EADDRINUSE
    assert str(refusal.value) == (
        f"cannot serve probe_daemon: another program listens on port {daemon.port} of 127.0.0.1 already, "
        "most likely the same daemon. Stop that one first."
    )
    with daemon.connect() as proxy:
        assert proxy.count() == 1, "the daemon that was there first is disturbed"


def test_a_host_of_another_machine_is_a_launch_error() -> None:
    # 192.0.2.0/24 is kept for documentation: no machine has an address of it.
    with pytest.raises(LaunchError, match=r"192\.0\.2\.1 is not an address of this machine") as refusal:
        RegisteredDaemon("probe", "192.0.2.1", 9005).launch(Counter())
    assert refusal.value.errno == errno.EADDRNOTAVAIL


def test_other_reasons_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_daemon: RegisteredDaemon) -> None:
        raise OSError(errno.ENFILE, "Too many open files in system")

    monkeypatch.setattr(RegisteredDaemon, "_try_address", refuse)
    with pytest.raises(LaunchError, match=r"probe: 127\.0\.0\.1:9005: Too many open files in system"):
        RegisteredDaemon("probe", "127.0.0.1", 9005).launch(Counter())


def test_a_port_that_is_bound_but_deaf_is_a_launch_error(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    """Two daemons that start at the same moment can both bind; Pyro ignores that the second cannot listen."""

    def bind_only(bind: tuple[str, int], **_options: object) -> socket.socket:
        deaf = socket.socket()
        deaf.bind(bind)
        return deaf

    monkeypatch.setattr(Pyro4.socketutil, "createSocket", bind_only)
    with pytest.raises(LaunchError, match="another program listens"):
        RegisteredDaemon("probe", "127.0.0.1", free_port).launch(Counter())


def test_a_ctrl_c_that_does_not_find_the_loop_waiting_ends_it_too(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    def interrupted(_server: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pyro4.Daemon, "requestLoop", interrupted)
    RegisteredDaemon("probe", "127.0.0.1", free_port).launch(Counter())
    with socket.create_server(("127.0.0.1", free_port)):
        pass  # nobody else listens


SERVER = """
import signal, socket, sys
import Pyro4
from rockit.common import daemons

@Pyro4.expose
class Answer:
    def value(self):
        return 42

{on_signal}
try:
    daemons.answer.launch(Answer())
    print("returned", end=", ")
finally:
    with socket.socket() as client:
        print("closed" if client.connect_ex(("127.0.0.1", daemons.answer.port)) else "open", flush=True)
"""
EXIT_ON_TERM = "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))"


@pytest.mark.parametrize(
    ("sent", "on_signal", "output", "code"),
    [(signal.SIGINT, "", "returned, closed\n", 0), (signal.SIGTERM, EXIT_ON_TERM, "closed\n", 7)],
    ids=["ctrl-c", "exit-in-handler"],
)
def test_a_signal_ends_serving(
    tmp_path: Path, free_port: int, sent: signal.Signals, on_signal: str, output: str, code: int
) -> None:
    site = {"daemons": {"answer": {"name": "answer_daemon", "machine": "LocalHost", "port": free_port}}}
    (tmp_path / "site.json").write_text(json.dumps(site), "utf-8")
    daemon = RegisteredDaemon("answer_daemon", "127.0.0.1", free_port)
    environment = clean_environment(ROCKIT_SITE_PATH=str(tmp_path / "site.json"))
    with Program("python", "-c", SERVER.format(on_signal=on_signal), env=environment) as process:
        assert first_answer(daemon) == 42
        assert process.end(sent) == (code, output, "")


def first_answer(daemon: RegisteredDaemon) -> Any:
    """The answer of a daemon that is still starting."""

    def answer() -> Any:
        with suppress(Pyro4.errors.CommunicationError), daemon.connect(timeout=5) as proxy:
            return proxy.value()

    return wait_until(answer, "an answer")
