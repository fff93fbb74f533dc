"""Programs of this project as processes of their own. None outlives its test, and each is ended by its process id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, TypeVar

import Pyro4

from rockit.focuser.ok3z.simulator.control import tell
from tests.support.ports import ReservedPort
from tests.support.waiting import BOUND_S, wait_until

BIN = Path(sys.executable).parent
Report = dict[str, Any]

CONFIG: dict[str, Any] = {
    "control_machines": ["LocalHost"],
    "serial_baud": 38400,
    "serial_timeout": 5,
    "move_timeout": 180,
    "steps_per_mm": 5088,
    "anti_backlash_mm": 0.2,
    "focus_range_mm": 6.0,
    "speed_mm_sec": 0.2,
    "acceleration_mm_sec_sec": 5,
}
# In a shell whose output nobody will read, as in `{ ... } | sleep 0`: goes on once nobody does.
UNTIL_NOBODY_READS = 'trap "" PIPE; while printf x 2>&-; do :; done;'
FAST_SIMULATOR = {"start_mm": 0.3, "time_scale": 40}


def clean_environment(**more: str) -> dict[str, str]:
    """That of the tests (`conftest.py` has cleaned it), for a program whose output is read while it runs."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **more}


def run(
    *words: object,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = BOUND_S,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; what it writes is captured. A first word without a slash is one of this project's."""
    command, *others = map(str, words)
    if "/" not in command:
        command = str(BIN / command)
    return subprocess.run(
        [command, *others],
        env=env,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


_Program = TypeVar("_Program", bound="Program")
_Focusd = TypeVar("_Focusd", bound="Focusd")


class Program:
    """A program on pipes, which a test watches and ends: `with Program(...) as program`."""

    def __init__(self, *words: object, env: Mapping[str, str] | None = None, together: bool = False) -> None:
        """Start it. `together`: what it complains of comes among its output."""
        command, *others = map(str, words)
        if "/" not in command:
            command = str(BIN / command)
        self.popen = subprocess.Popen(
            [command, *others],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if together else subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def read_line(self, containing: str = "") -> str:
        """The next line of its output that has this text."""
        assert self.popen.stdout is not None
        said = []
        for line in self.popen.stdout:
            said.append(line)
            if containing in line:
                return line
        raise AssertionError(f"ended without {containing!r}: {said}")

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def end(self, number: int | None = None) -> tuple[int, str, str]:
        """Send it a signal, or wait for its own end; gives exit code, stdout and stderr, but what was read before."""
        if number is not None:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=BOUND_S)
        return self.popen.returncode, out, err or ""

    def __enter__(self: _Program) -> _Program:
        return self

    def __exit__(self, *failure: object) -> None:
        self.popen.kill()
        self.popen.wait(BOUND_S)
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()


class HasController:
    """A process with a virtual controller, which listens at its control socket."""

    control: str

    def tell(self, line: str) -> Report:
        """Do something to the device."""
        answer = tell(self.control, line)
        assert answer["ok"], answer
        return answer

    def truth(self) -> Report:
        """What is true of the device, whatever it says."""
        return self.tell("state")


class Simulator(Program, HasController):
    """An `ok3z-simulator` on a pseudo-terminal, which is there once this is made; it outlives a daemon that drives it.

    Args:
        folder: for its link and its socket.
        env: of the process.
        before: words before its command, as of a shell that changes what it inherits.
        options: those of the virtual controller.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.link = str(folder / "focuser")
        self.control = str(folder / "sim_control")
        options = {**FAST_SIMULATOR, **options}
        # What the configuration of a test's daemon is told of it.
        self.port = {"serial_port": self.link, "time_scale": options["time_scale"]}
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        command = (*before, str(BIN / "ok3z-simulator"), "--link", self.link, "--control", self.control)
        super().__init__(*command, *words, env=env)
        assert self.read_line() == f"ok3z-simulator: ready at {self.link}\n"

    def end_well(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal; nothing may be left of it."""
        assert self.end(number) == (0, "", "")
        assert not os.path.lexists(self.link)
        assert not os.path.lexists(self.control)


# Those whose logs are shown if a test fails.
alive: list[Focusd] = []


class Focusd(HasController):
    """A `focusd` process with a port, a site file and a virtual controller of its own, and calls to it by Pyro.

    That of `sim://` exists from the first `initialize` on.

    Args:
        folder: for its files.
        name: that of its daemon in the phone book; its Pyro object is called `NAME_focuser`.
        environment: of the process; `clean_environment` if it is None.
        site: more machines and daemons for its site file.
        time_scale: of a virtual controller that is not behind `sim://`, which does not tell it.
        changes: of the configuration. A dict for `serial_port` is options of `sim://`, and an `alpaca` gets a port.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "system_test",
        environment: dict[str, str] | None = None,
        site: Report | None = None,
        time_scale: float | None = None,
        **changes: Any,
    ) -> None:
        self.folder = folder
        self.name = name
        self._words = [] if time_scale is None else [f"--time-scale={time_scale}"]
        self.address = ReservedPort()
        # That of Alpaca programs and browsers, if it is configured.
        self.alpaca = ReservedPort()
        self.object_name = f"{name}_focuser"
        self.uri = f"PYRO:{self.object_name}@{self.address.host}:{self.address.port}"
        self.command = BIN / "focusd"
        self.control = str(folder / "control")
        self.config_path = folder / "focuser.json"
        self.write_config(**changes)
        self.site_path = folder / "site.json"
        self.write_site(site or {})
        self.environment = dict(environment or clean_environment())
        self.environment["ROCKIT_SITE_PATH"] = str(self.site_path)
        self.environment["FOCUSD_CONFIG_PATH"] = str(self.config_path)
        self.environment["STATE_DIRECTORY"] = str(folder / "state")
        self.log_path = folder / "focusd.log"
        self.popen: subprocess.Popen[bytes] | None = None

    def write_config(self, **changes: Any) -> None:
        own = {"daemon": self.name, "log_name": f"focusd@{self.name}", "serial_port": {}}
        values = {**CONFIG, **own, **changes}
        if "alpaca" in values:
            values["alpaca"] = {"port": self.alpaca.port, **values["alpaca"]}
        if isinstance(values["serial_port"], dict):
            options = {**FAST_SIMULATOR, **values["serial_port"], "control": self.control}
            values["serial_port"] = "sim://?" + "&".join(f"{key}={value}" for key, value in options.items())
        self.config_path.write_text(json.dumps(values))

    def write_site(self, additions: Report) -> None:
        own = {"name": self.object_name, "machine": "LocalHost", "port": self.address.port}
        daemons = {self.name: own, **additions.get("daemons", {})}
        machines = {"Elsewhere": "127.0.0.2", **additions.get("machines", {})}
        self.site_path.write_text(json.dumps({"machines": machines, "daemons": daemons}))

    # The process

    def start(self: _Focusd, *words: str, command: Path | None = None) -> _Focusd:
        """Start, and wait until it listens."""
        self.launch(*words, command=command)
        return self.wait_until_up()

    def wait_until_up(self: _Focusd) -> _Focusd:
        wait_until(self._is_up, "focusd listens")
        return self

    def launch(self, *words: str, command: Path | None = None, log: int | None = None) -> None:
        """Start, and wait for nothing. `log` is a file descriptor that takes the place of the log file."""
        with self.log_path.open("wb") as file:
            self.popen = subprocess.Popen(
                [str(command or self.command), str(self.config_path), *self._words, *words],
                stdin=subprocess.DEVNULL,
                stdout=file if log is None else log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        if self not in alive:
            alive.append(self)

    def launcher(self, before: str = "", redirection: str = "") -> Path:
        """A program to start it with: a shell that does something before, or redirects its files."""
        path = self.folder / "launcher"
        path.write_text(f'#!/bin/sh\n{before}\nexec "{self.command}" "$@" {redirection}\n')
        path.chmod(0o755)
        return path

    def _is_up(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, f"focusd ended with {self.popen.returncode}:\n{self.log}"
        return f"serving {self.object_name}" in self.log

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, text: str) -> None:
        wait_until(lambda: text in self.log, f"{text!r} in the log")

    def send_signal(self, number: int) -> None:
        assert self.popen is not None
        self.popen.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        assert self.popen is not None
        return self.popen.wait(BOUND_S)

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal; it must end well and leave nothing behind."""
        self.send_signal(number)
        self.assert_ended_well()

    def assert_ended_well(self) -> None:
        assert self.wait() == 0, self.log
        self.assert_gone()

    def assert_gone(self) -> None:
        """Nothing is left of it, and it never showed anybody a traceback."""
        assert self.popen is not None
        assert _group_is_gone(self.popen.pid)
        assert not self.address.is_listening()
        assert not self.alpaca.is_listening()
        assert not os.path.lexists(self.control)
        assert "Traceback" not in self.log

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait(BOUND_S)
        Path(self.control).unlink(missing_ok=True)

    def dispose(self) -> None:
        """Whatever became of it, it does not outlive its test."""
        self.address.close()
        self.alpaca.close()
        if self.is_running:
            self.kill()
        if self in alive:
            alive.remove(self)

    # The calls

    def call(self, method: str, *arguments: Any, timeout: float = BOUND_S, **named: Any) -> Any:
        """One call over a connection of its own."""
        with self.proxy(timeout) as proxy:
            return getattr(proxy, method)(*arguments, **named)

    def proxy(self, timeout: float = BOUND_S) -> Any:
        proxy = Pyro4.Proxy(self.uri)
        proxy._pyroTimeout = timeout
        return proxy

    def status(self) -> Report:
        report: Report = self.call("report_status")
        return report

    def wait_for(self, holds: Callable[[Report], Any], what: str) -> Report:
        """Poll the status over one connection until it is as wanted."""
        with self.proxy() as proxy:

            def look() -> Report:
                report: Report = proxy.report_status()
                return report if holds(report) else {}

            return wait_until(look, what)


def _group_is_gone(group: int) -> bool:
    """Whether no process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@contextmanager
def running(focusd: _Focusd) -> Iterator[_Focusd]:
    """Start it, and end it well."""
    try:
        yield focusd.start()
        focusd.end()
    finally:
        focusd.dispose()
