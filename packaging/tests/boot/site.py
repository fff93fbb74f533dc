"""An observatory in small: our packages on a booted machine, a focuser at its serial port, and an operator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boot.container import Container
from support.sources import PROJECT

ASKING_BOUND_S = 60.0
PORT = "/dev/focuser"
CONTROL = "/run/ok3z-control"
# As a real adapter looks after the udev rule: of the group dialout, and closed to the others.
SIMULATOR = f"""\
[Service]
ExecStart=/usr/bin/ok3z-simulator --link {PORT} --control {CONTROL} --start-mm 0.3 --time-scale 4
ExecStartPost=/bin/sh -c 'until [ -e {PORT} ]; do sleep 0.02; done; \\
    chgrp dialout "$(readlink -f {PORT})" && chmod 0660 "$(readlink -f {PORT})"'
TimeoutStartSec=30
"""
# Long enough for a machine that has much else to do, and short enough to wait for.
IMPATIENT = "[Service]\nWatchdogSec=4\nRestartSec=100ms\n"


class Site:
    """A machine of an observatory, and what its operator does there."""

    def __init__(self, container: Container) -> None:
        self.container = container

    # Packages

    def install(self, rpms: dict[str, Path]) -> str:
        """Install packages, or upgrade to them. Returns what rpm and the scripts of the packages say."""
        inside = [self.container.copy_in(rpm) for rpm in rpms.values()]
        return self._change_packages("-U", *inside)

    def erase(self, names: Iterable[str]) -> str:
        return self._change_packages("-e", *names)

    def _change_packages(self, *words: str) -> str:
        # Whether all is there that the packages require is asked elsewhere, of dnf.
        done = self.container.run("rpm", *words, "--nodeps")
        assert done.returncode == 0, done.stdout + done.stderr
        # On Enterprise Linux a trigger of systemd's own package does it.
        self.container.ok("systemctl", "daemon-reload")
        return done.stdout + done.stderr

    # What belongs to a focuser

    def plug_in_focuser(self) -> None:
        self.container.write("etc/systemd/system/simulator.service", SIMULATOR)
        self.container.ok("systemctl", "daemon-reload")
        self.container.ok("systemctl", "start", "simulator")

    def ask_simulator(self, question: str) -> dict[str, Any]:
        """What the virtual controller says that is true."""
        return dict(json.loads(self.container.ok("ok3z-simulator", "--tell", CONTROL, question)))

    def configure(self, instance: str, changes: dict[str, Any]) -> None:
        """Write the configuration of an instance; `changes` are those to the one for trials."""
        values = json.loads((PROJECT / "test.json").read_text())
        # Its library is not among those of the machine, for the packages only suggest it.
        del values["alpaca"]
        own = {"serial_port": PORT, "log_name": f"focusd@{instance}"}
        self.container.write(f"etc/focusd/{instance}.json", json.dumps({**values, **own, **changes}))

    # The service

    def enable(self, instance: str) -> None:
        started = self.container.run("systemctl", "enable", "--now", f"focusd@{instance}")
        assert started.returncode == 0, started.stderr + self.container.journal(f"focusd@{instance}")

    def change_unit(self, drop_in: str) -> None:
        """Lay a drop-in over the unit of all instances."""
        self.container.write("etc/systemd/system/focusd@.service.d/test.conf", drop_in)
        self.container.ok("systemctl", "daemon-reload")

    def show(self, name: str, instance: str = "boot") -> str:
        """A property of an instance."""
        return self.container.show(f"focusd@{instance}", name)

    def pid(self, instance: str = "boot") -> int:
        """The process of an instance; 0 where none runs."""
        return int(self.show("MainPID", instance))

    def journal(self, instance: str = "boot") -> str:
        return self.container.journal(f"focusd@{instance}")

    def status_of_process(self) -> dict[str, str]:
        """What the kernel says of the process of the daemon."""
        lines = self.container.ok("cat", f"/proc/{self.pid()}/status").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def daemons(self) -> list[str]:
        """The command line of each focusd that runs on the machine."""
        lines = self.container.ok("ps", "-e", "-o", "args=").splitlines()
        return [line for line in lines if "/usr/bin/focusd" in line]

    # The operator

    def focus_ok(self, *words: str, config: str = "boot") -> str:
        """What `focus` says, with the configuration of an instance. It has to succeed."""
        return self.container.ok("focus", "--config", f"/etc/focusd/{config}.json", *words)

    @contextmanager
    def moving(self, target_mm: float) -> Iterator[subprocess.Popen[str]]:
        """While the motor runs towards a target; gives the process that asked for it, which has ended afterwards."""
        asking = self.container.start("focus", "--config", "/etc/focusd/boot.json", "set", str(target_mm))
        try:
            self.container.until("the motor runs", lambda: self.ask_simulator("state")["moving"])
            yield asking
            asking.communicate(timeout=ASKING_BOUND_S)
        finally:
            asking.kill()
            asking.communicate()
