"""The observatory's own copy of rockit.common in the place of ours: no more than the contract's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

Run = Callable[..., Any]

INIT = """\
class IP:
    LocalHost = "127.0.0.1"
    Elsewhere = "127.0.0.2"


class TryLock:
    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        self.taken = self.lock.acquire(False)
        return self.taken

    def __exit__(self, *_):
        if self.taken:
            self.lock.release()


def print(*args, **kwargs):
    import rich

    rich.print(*args, **kwargs)
"""
DAEMONS = """
import Pyro4


class Daemon:
    def __init__(self, name, host, port):
        self.name, self.host, self.port = name, host, port
        self.uri = f"PYRO:{name}@{host}:{port}"

    def connect(self, timeout=None, retries=None):
        proxy = Pyro4.Proxy(self.uri)
        proxy._pyroTimeout = 5 if timeout is None else timeout
        return proxy

    def launch(self, obj):
        daemon = Pyro4.Daemon(self.host, self.port)
        daemon.register(obj, self.name)
        daemon.requestLoop()


system_test = Daemon(%r, "127.0.0.1", %d)
"""
HELPERS = """
import Pyro4


def pyro_client_matches(ips):
    return Pyro4.current_context.client.sock.getpeername()[0] in ips
"""
LOG = """
import time


def _log(level, table, message):
    print("SITE LOG", level, table, message, flush=True)
    time.sleep(3600)


def info(table, message):
    _log("info", table, message)


def warning(table, message):
    _log("warning", table, message)


def error(table, message):
    _log("error", table, message)
"""
VALIDATION = """
def validate_config(json, schema, custom_validators):
    raise NotImplementedError


def daemon_name_validator(validator, value, instance, schema):
    raise NotImplementedError


def machine_name_validator(validator, value, instance, schema):
    raise NotImplementedError
"""


@pytest.fixture
def daemon(make_daemon: Any, tmp_path: Path) -> Any:
    """A daemon in whose environment the site's copy comes first."""
    daemon = make_daemon(serial_port={})
    common = tmp_path / "site" / "rockit" / "common"
    common.mkdir(parents=True)
    (common / "daemons.py").write_text(DAEMONS % (daemon.object_name, daemon.address.port))
    for name, text in (("__init__", INIT), ("helpers", HELPERS), ("log", LOG), ("validation", VALIDATION)):
        (common / f"{name}.py").write_text(text)
    daemon.environment["PYTHONPATH"] = str(tmp_path / "site")
    # Nothing of ours may be asked for the phone book.
    daemon.site_path.write_text("{")
    return daemon


def test_focusd_and_focus_run_on_the_sites_own_library(daemon: Any, run_focus: Run) -> None:
    daemon.start()
    assert run_focus(daemon, "init").returncode == 0
    moved = run_focus(daemon, "set", "0.4")
    assert (moved.returncode, moved.stdout) == (0, "Focuser is IDLE (0.400 mm)\n")
    assert run_focus(daemon, "stop").returncode == 0
    assert run_focus(daemon, "set", "7").returncode == 6
    assert "SITE LOG info focusd@system_test connected" in daemon.log
    daemon.end()


def test_who_may_control_is_the_sites_answer(daemon: Any, run_focus: Run) -> None:
    daemon.write_config(control_machines=["Elsewhere"], serial_port={})
    daemon.start()
    assert daemon.call("initialize") == 3
    assert run_focus(daemon, "init").returncode == 3
    assert daemon.status()["status"] == 0


def test_a_stop_gets_through_while_the_sites_name_server_does_not_answer(
    daemon: Any, tmp_path: Path, background: Callable[..., Any], proxy_from: Callable[[Any, str], Any]
) -> None:
    is_away = tmp_path / "away"
    helpers = tmp_path / "site" / "rockit" / "common" / "helpers.py"
    look_up = f"    while os.path.exists({str(is_away)!r}):\n        time.sleep(0.01)\n    return"
    helpers.write_text("import os\nimport time\n" + HELPERS.replace("    return", look_up))
    daemon.write_config(control_machines=["LocalHost", "Elsewhere"], serial_port={"time_scale": 4})
    daemon.start()
    assert daemon.call("initialize") == 0
    move = background(daemon.call, "set_focus", 5.0)
    daemon.wait_for_leg("overshoot")
    is_away.touch()
    other = proxy_from(daemon, "127.0.0.2")
    waiting = background(proxy_from(daemon, "127.0.0.2").audit)
    assert other.stop() == 0
    assert move.result() == 1
    assert daemon.truth()["moving"] is False
    # What it may do for others is remembered.
    assert daemon.call("set_focus", 0.1) == 0
    assert not waiting.done()
    is_away.unlink()
    assert waiting.result() == 0


def test_names_that_the_site_does_not_know_are_named(daemon: Any) -> None:
    daemon.write_config(control_machines=["NGTSDASNUC"], daemon="localhost_test", serial_port={})
    daemon.launch()
    assert daemon.wait() == 78
    assert "has 2 faults" in daemon.log
    assert "system_test" in daemon.log
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("modules", [["daemons"], ["daemons", "helpers", "log"]])
def test_a_library_that_cannot_be_used_is_one_message(
    daemon: Any, tmp_path: Path, run_focus: Run, modules: list[str]
) -> None:
    for module in modules:
        source = tmp_path / "site" / "rockit" / "common" / f"{module}.py"
        source.write_text("raise RuntimeError('the phone book is away')")
    daemon.launch()
    assert daemon.wait() not in (0, None)
    assert "the phone book is away" in daemon.log
    assert "Traceback" not in daemon.log
    status = run_focus(daemon, "status")
    assert status.returncode == 255
    assert "the phone book is away" in status.stderr
    assert "Traceback" not in status.stderr
