"""The observatory log: printed always, passed on where there is a log daemon, and never in the way."""

from __future__ import annotations

import io
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import Pyro4
import pytest
from rockit.common import daemons, log
from rockit.common.registered_daemon import RegisteredDaemon

Capture = pytest.CaptureFixture[str]
LEVELS: dict[str, Callable[[str, str], None]] = {"info": log.info, "warning": log.warning, "error": log.error}


@Pyro4.expose
class LogDaemon:
    """Keeps what it is told; a call lasts until `may_answer`."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def _keep(self, level: str, table: str, message: str) -> None:
        self.entries.append((level, table, message))
        assert self.may_answer.wait(20)

    def log_info(self, table: str, message: str) -> None:
        self._keep("info", table, message)

    def log_warning(self, table: str, message: str) -> None:
        self._keep("warning", table, message)

    def log_error(self, table: str, message: str) -> None:
        self._keep("error", table, message)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_is_away", False)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[RegisteredDaemon], None]:
    """Makes a daemon the log daemon of the site."""
    return lambda daemon: monkeypatch.setattr(daemons, log.LOG_DAEMON, daemon, raising=False)


def test_without_a_log_daemon_messages_are_printed(capsys: Capture) -> None:
    assert not hasattr(daemons, log.LOG_DAEMON)
    for level, tell in LEVELS.items():
        tell("focusd@test", "homed")
        assert tuple(capsys.readouterr()) == (f"[{level}] focusd@test: homed\n", "")


def test_messages_are_printed_and_passed_on(
    serve: Callable[[object], RegisteredDaemon], register: Any, capsys: Capture
) -> None:
    log_daemon = LogDaemon()
    register(serve(log_daemon))
    for level, tell in LEVELS.items():
        tell("focusd@test", "homed")
        assert log_daemon.entries[-1] == (level, "focusd@test", "homed")
        assert tuple(capsys.readouterr()) == (f"[{level}] focusd@test: homed\n", "")
    assert len(log_daemon.entries) == 3


def test_a_dead_log_daemon_is_complained_of_once_until_it_is_back(
    free_port: int,
    serve: Callable[[object], RegisteredDaemon],
    stop_serving: Callable[[object], None],
    register: Any,
    capsys: Capture,
) -> None:
    register(RegisteredDaemon("probe_daemon", "127.0.0.1", free_port))
    log.info("t", "first")
    log.info("t", "second")
    output = capsys.readouterr()
    assert output.out == "[info] t: first\n[info] t: second\n"
    assert output.err.count("the observatory log does not take messages") == 1

    log_daemon = LogDaemon()
    serve(log_daemon)
    log.info("t", "third")
    assert log_daemon.entries == [("info", "t", "third")]
    assert capsys.readouterr().err == ""

    stop_serving(log_daemon)
    log.info("t", "fourth")
    assert capsys.readouterr().err.count("does not take messages") == 1


def test_a_log_daemon_that_does_not_greet_is_given_up(
    register: Any, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(log, "_CONNECTING_WAIT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        register(RegisteredDaemon("probe_daemon", "127.0.0.1", silent.getsockname()[1]))
        log.error("t", "message")
    assert "does not take messages" in capsys.readouterr().err


def test_a_log_daemon_that_does_not_answer_is_given_up(
    serve: Callable[[object], RegisteredDaemon],
    register: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.setattr(log, "PATIENCE_S", 0.3)
    log_daemon = LogDaemon()
    log_daemon.may_answer.clear()
    register(serve(log_daemon))
    try:
        log.error("t", "message")
        assert not log_daemon.may_answer.is_set()
        assert log_daemon.entries == [("error", "t", "message")], "it was called once, without retries"
    finally:
        log_daemon.may_answer.set()
    assert "does not take messages" in capsys.readouterr().err


def test_connecting_and_the_answer_share_the_patience(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pyro waits twice while connecting, once for the answer, and each wait has a timeout of its own."""
    clock = iter([100.0, 103.5])
    monkeypatch.setattr("time.monotonic", lambda: next(clock, 999.0))
    timeouts: list[float] = []

    class Proxy:
        def __init__(self, timeout: float, retries: int) -> None:
            timeouts.extend([timeout, timeout])
            assert retries == 0

        def __enter__(self) -> Proxy:
            return self

        def __exit__(self, *_exc: object) -> None: ...

        def _pyroBind(self) -> None: ...  # noqa: N802 - Pyro's name

        def log_info(self, _table: str, _message: str) -> None:
            timeouts.append(self._pyroTimeout)

        _pyroTimeout = 0.0  # noqa: N815 - Pyro's name

    class Registered:
        connect = Proxy

    register(Registered())
    log.info("t", "message")
    assert timeouts == [2.0, 2.0, 1.5]
    assert 2 * log._CONNECTING_WAIT_S < log.PATIENCE_S == 5.0


@pytest.mark.parametrize("method", ["missing", "raising"])
def test_whatever_the_log_daemon_raises_stays_here(
    method: str, serve: Callable[[object], RegisteredDaemon], register: Any, capsys: Capture
) -> None:
    @Pyro4.expose
    class Broken:
        def other(self) -> None: ...

    @Pyro4.expose
    class Raising:
        def log_info(self, _table: str, _message: str) -> None:
            raise KeyError("disk full")

    register(serve(Broken() if method == "missing" else Raising()))
    log.info("t", "message")
    assert "does not take messages" in capsys.readouterr().err


def test_a_site_file_that_cannot_be_used_does_not_stop_logging(run_python: Callable[..., Any]) -> None:
    code = "from rockit.common import log; log.info('t', 'message')"
    result = run_python("-c", code, env={"ROCKIT_SITE_PATH": "/nowhere/site.json"})
    assert (result.returncode, result.stdout) == (0, "[info] t: message\n")
    assert "the site file /nowhere/site.json cannot be used" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_log_daemon_pyro_is_not_imported(run_python: Callable[..., Any]) -> None:
    code = "from rockit.common import log; log.info('t', 'm'); import sys; print('Pyro4' in sys.modules)"
    assert run_python("-c", code).stdout == "[info] t: m\nFalse\n"


def test_an_output_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        writes = 0

        def write(self, _text: str) -> int:
            Gone.writes += 1
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    log.info("t", "message")
    assert Gone.writes == 1
    monkeypatch.setattr(sys, "stdout", None)
    log.info("t", "message")


def test_an_output_without_accents_shows_their_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        log.info("t", "5 µm")
        assert raw.getvalue() == b"[info] t: 5 \\xb5m\n"
