"""What is to be done about a daemon that does not answer or refuses, and on which machine.

`focus` runs at a desk as well as beside the daemon: what is started is started on the daemon's machine, and a network
without a way to it is no matter of any daemon.
"""

from __future__ import annotations

import errno
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..client.calls import DaemonSilentError, DaemonUnreachableError, NetworkError, WrongServiceError
from ..client.report import number_in, printable
from ..config.model import DIRECTORY
from ..config.reader import parse
from ..config.site import RegisteredDaemon, machine_ip, machine_name
from ..constants import CommandStatus
from ..errors import ConfigError
from .wording import ADVICE

# Any port will do: connecting such a socket asks for the way there, and sends nothing.
_ANY_PORT = 9


@dataclass(frozen=True)
class Place:
    """Where a daemon is, seen from this machine.

    Args:
        daemon: as the site's phone book has it.
        config_path: the configuration that named it.
    """

    daemon: RegisteredDaemon
    config_path: Path

    def how_to_reach(self, error: DaemonUnreachableError) -> str:
        """What to do about a daemon that cannot be called."""
        if isinstance(error, WrongServiceError):
            return f"End the program that has this port, or mend `daemon` in {self._file}."
        if isinstance(error, NetworkError):
            return self._how_to_get_through(error)
        if isinstance(error, DaemonSilentError):
            return f"The daemon may hang: if it runs {self._restarted}; if not, look at the network."
        return self._how_to_start

    def where_to_look(self) -> str:
        """Where the daemon says more."""
        if not self._unit:
            return "See the daemon's log."
        return f"See `journalctl -u {self._unit}`{'' if self._is_here else f' on {self._machine}'}."

    def who_may_control(self) -> str:
        """What to do on a machine that may not control the focuser."""
        names = self._control_machines()
        if not names:
            return ADVICE[CommandStatus.InvalidControlIP]
        own = self._own_name(names)
        if own:
            return (
                f"By {self._file} this machine, {own}, may control: the daemon has another configuration, or was "
                "not restarted after a change."
            )
        if len(names) == 1:
            return f"Run it on the control machine, which is {names[0]} by {self._file}."
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        return f"Run it on one of the control_machines, which are {listed} by {self._file}."

    def range_mm(self) -> float | None:
        """`focus_range_mm` of this configuration, which may be another one than that of the daemon."""
        return number_in(self._values(), "focus_range_mm")

    @property
    def _how_to_start(self) -> str:
        if not self._unit:
            return (
                f"Start it with `focusd {self._file}`."
                if self._is_here
                else f"Start `focusd` on {self._machine}."
            )
        start, why = f"`sudo systemctl start {self._unit}`", f"`systemctl status {self._unit}` says"
        if self._is_here:
            return f"Start it with {start}; {why} why it ended."
        return f"Start it on {self._machine}: {start}; {why} there why it ended."

    def _how_to_get_through(self, error: NetworkError) -> str:
        if error.errno == errno.EHOSTUNREACH:
            # A machine that is off, and a firewall that refuses, are both told so.
            return (
                f"Look at the network, whether {self._machine} is on, and whether its firewall lets port "
                f"{self.daemon.port} in."
            )
        return f"Look at the network between this machine and {self._machine}."

    @property
    def _restarted(self) -> str:
        place = "there" if self._is_here else f"on {self._machine}"
        if self._unit:
            there = "" if self._is_here else " there"
            return f"{place}, restart it{there} with `sudo systemctl restart {self._unit}`"
        if self._is_here:
            return f"{place}, end it and run `focusd {self._file}`"
        return f"{place}, end it there and start it again"

    @property
    def _file(self) -> str:
        return shlex.quote(printable(str(self.config_path)))

    @property
    def _unit(self) -> str:
        """Its systemd unit; empty if it is not installed."""
        if self.config_path.parent != DIRECTORY:
            return ""
        return shlex.quote(f"focusd@{printable(self.config_path.stem)}")

    @property
    def _machine(self) -> str:
        return machine_name(self.daemon.host) or self.daemon.host

    @property
    def _is_here(self) -> bool:
        """Whether the daemon's address is one of this machine."""
        return _own_address_towards(self.daemon.host) == self.daemon.host

    def _values(self) -> dict[str, Any]:
        try:
            values = parse(self.config_path).values
        except ConfigError:
            # It has been read once, and was changed since.
            return {}
        return values if isinstance(values, dict) else {}

    def _control_machines(self) -> list[str]:
        names = self._values().get("control_machines")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return []
        return [printable(name) for name in names]

    def _own_name(self, names: list[str]) -> str:
        """Which of the machines this one is, as the daemon sees it; empty if it is none of them."""
        own_ip = _own_address_towards(self.daemon.host)
        for name in names:
            try:
                if own_ip and machine_ip(name) == own_ip:
                    return name
            except ConfigError:
                continue
        return ""


def _own_address_towards(host: str) -> str:
    """The address by which this machine calls another one, or itself; empty if there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect((host, _ANY_PORT))
            address: str = way.getsockname()[0]
        except OSError:
            return ""
    return address
