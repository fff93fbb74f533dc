"""What a real focusd tells systemd, here played by a socket, and what it leaves unsaid while one thread hangs."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.waiting import BOUND_S, wait_until

# So many rounds of the main thread without a sign of life are silence. While all threads live, each has one.
SILENT_ROUNDS = 20
# Python reads this at its start. The thread that comes to a method hangs there while a file of the method's name is
# there, and says who it is. All threads go round often, and each round of the main thread has another status to tell.
SITE_CUSTOMIZE = """\
import itertools, threading, time
from pathlib import Path

from rockit.focuser.ok3z.daemon import main
from rockit.focuser.ok3z.service import focuser
from rockit.focuser.ok3z.service.commands import Commands
from rockit.focuser.ok3z.servers.pyro import PyroServer
from rockit.focuser.ok3z.daemon.systemd import SystemdNotifier

FOLDER = Path(__file__).parent

def hang_in(owner, name):
    method = getattr(owner, name)

    def hanging(*arguments):
        if (FOLDER / name).exists():
            (FOLDER / "hanging").write_text(threading.current_thread().name)
        while (FOLDER / name).exists():
            time.sleep(0.01)
        return method(*arguments)

    setattr(owner, name, hanging)

hang_in(Commands, "watch_rest")
hang_in(PyroServer, "_serve_ready")
main.LOOK_AT_PYRO_S = focuser.REST_PERIOD_S = 0.02
tell_status, rounds = SystemdNotifier.status, itertools.count()
SystemdNotifier.status = lambda self, line: tell_status(self, f"{line}, round {next(rounds)}")
"""


class Systemd:
    """The socket, and what has come to it."""

    def __init__(self, address: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(address)
        self._sock.settimeout(BOUND_S)

    def wait_for(self, holds: Callable[[str], bool], what: str) -> str:
        """The next message of that kind; those before it are forgotten."""

        def next_one() -> str:
            message = self._sock.recv(4096).decode()
            return message if holds(message) else ""

        return wait_until(next_one, f"systemd was not told {what}")

    def wait_for_silence(self) -> None:
        """Until the main thread has gone round and round, and no sign of life has come in between."""
        rounds = 0

        def is_silent() -> bool:
            nonlocal rounds
            message = self._sock.recv(4096).decode()
            rounds = 0 if message == "WATCHDOG=1" else rounds + message.startswith("STATUS=")
            return rounds == SILENT_ROUNDS

        wait_until(is_silent, "silence of the main thread")

    def close(self) -> None:
        self._sock.close()


@pytest.fixture(name="systemd")
def fixture_systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(str(tmp_path / "notify"))
    yield systemd
    systemd.close()


@pytest.fixture(name="focuser")
def fixture_focuser(make_daemon: Any, systemd: Systemd, tmp_path: Path) -> Any:
    focuser = make_daemon()
    focuser.environment.update(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000")
    return focuser


def test_a_life_as_systemd_is_told_it(focuser: Any, systemd: Systemd) -> None:
    focuser.launch()
    systemd.wait_for(lambda message: message == "READY=1", "that it is ready")
    assert focuser.address.is_listening(), "ready means that calls are answered"
    assert focuser.status()["state"] == "disconnected"

    systemd.wait_for(lambda message: message == "WATCHDOG=1", "that it lives, at rest")
    assert focuser.call("initialize") == 0
    assert focuser.call("set_focus", 1.0) == 0
    systemd.wait_for(lambda message: message == "STATUS=idle at 1.000 mm (homed)", "where it stands")

    focuser.send_signal(signal.SIGTERM)
    systemd.wait_for(lambda message: message == "STOPPING=1", "that it ends")
    focuser.assert_ended_well()


def test_it_is_ready_though_alpacas_port_cannot_be_had(focuser: Any, systemd: Systemd) -> None:
    focuser.write_config(alpaca={})
    with socket.create_server(("127.0.0.1", focuser.alpaca.port)):
        focuser.launch()
        systemd.wait_for(lambda message: message == "READY=1", "that it is ready")
        systemd.wait_for(
            lambda message: message.startswith(
                "STATUS=disconnected: Alpaca programs and browsers are not served"
            ),
            "what there is to mend",
        )
    systemd.wait_for(lambda message: message == "STATUS=disconnected", "that it is mended")
    focuser.end()


def test_the_watchdogs_signal_shows_where_each_thread_was(focuser: Any, systemd: Systemd) -> None:
    focuser.launch()
    systemd.wait_for(lambda message: message == "READY=1", "that it is ready")
    focuser.send_signal(signal.SIGABRT)
    assert focuser.wait() == -signal.SIGABRT
    log = focuser.log
    assert "Fatal Python error: Aborted" in log
    assert "in _work" in log, "the thread that owns the port"
    assert "in _turn" in log, "the thread that answers calls"


@pytest.fixture(name="hooks")
def fixture_hooks(focuser: Any, tmp_path: Path) -> Path:
    """The folder where a file of a method's name has the thread hang that comes there."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(SITE_CUSTOMIZE)
    focuser.environment["PYTHONPATH"] = str(hooks)
    return hooks


@pytest.mark.parametrize(("method", "thread"), [("watch_rest", "focuser"), ("_serve_ready", "pyro")])
def test_no_sign_of_life_comes_while_one_thread_hangs(
    focuser: Any, systemd: Systemd, hooks: Path, method: str, thread: str
) -> None:
    focuser.launch()
    systemd.wait_for(lambda message: message == "READY=1", "that it is ready")
    systemd.wait_for(lambda message: message == "WATCHDOG=1", "that it lives")
    (hooks / method).touch()
    # Whoever knocks gives Pyro's thread a reason to turn, and so to hang.
    assert focuser.address.is_listening()
    systemd.wait_for(lambda _: (hooks / "hanging").exists(), "what the others do meanwhile")
    systemd.wait_for_silence()
    assert focuser.is_running
    assert (hooks / "hanging").read_text() == thread, "the one thread that hangs"

    (hooks / method).unlink()
    systemd.wait_for(lambda message: message == "WATCHDOG=1", "that it lives again")
    focuser.end()
