"""The configuration: which file it is in, and what it says, as one frozen Config.

What only the full check needs (jsonschema, rockit.common) is imported when it is used: `focus` needs no more
than the daemon's name, and must start fast.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from . import reader

if TYPE_CHECKING:
    from .site import RegisteredDaemon

PATH_VARIABLE = "FOCUSD_CONFIG_PATH"
DIRECTORY = Path("/etc/focusd")

_CHOOSE = f"Say which file to use: give its path (--config FILE), or set {PATH_VARIABLE}=FILE."


@dataclass(frozen=True)
class AlpacaAddress:
    """Where astronomy programs and browsers reach the focuser.

    Args:
        host: an IPv4 or IPv6 address of this machine; 0.0.0.0 and :: are all of them.
        port: the TCP port, 1 to 65535.
        discovery: whether to answer programs that look for Alpaca devices.
        name: what they and the panel call the focuser.
    """

    host: str
    port: int
    discovery: bool
    name: str

    @property
    def url(self) -> str:
        """The panel, as a browser of this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"


@dataclass(frozen=True)
class MetricsWanted:
    """What Prometheus is told, at the port of `alpaca`.

    Args:
        process: of the process too: processor time, memory, open files.
    """

    process: bool


@dataclass(frozen=True, init=False)
class Config:
    """A configuration that passed every check; it never changes. Millimetres, seconds, mm/s and mm/s^2.

    `Config(path)` reads the file, as the Config of every rockit program does; `Config.load(path)` says the
    same. Raises ConfigError, whose message lists every violation, one a line: key, value, what was expected.
    """

    path: Path
    daemon_name: str
    log_name: str
    control_machines: tuple[str, ...]
    serial_port: str
    serial_baud: int
    serial_timeout_s: float
    move_timeout_s: float
    steps_per_mm: int
    anti_backlash_mm: float
    focus_range_mm: float
    travel_mm: float
    speed_mm_sec: float
    acceleration_mm_sec_sec: float
    restore_on_init: bool
    resume_on_init: bool
    resume_max_age_h: float
    hand: str
    alpaca: AlpacaAddress | None
    metrics: MetricsWanted | None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        values = _checked_values(Path(path))
        vars(self).update(
            path=Path(path),
            daemon_name=values["daemon"],
            log_name=values["log_name"],
            control_machines=tuple(values["control_machines"]),
            serial_port=values["serial_port"],
            # JSON has one kind of number: 38400.0 is the integer 38400, and 6 is the length 6.0.
            serial_baud=int(values["serial_baud"]),
            serial_timeout_s=float(values["serial_timeout"]),
            move_timeout_s=float(values["move_timeout"]),
            steps_per_mm=int(values["steps_per_mm"]),
            anti_backlash_mm=float(values["anti_backlash_mm"]),
            focus_range_mm=float(values["focus_range_mm"]),
            travel_mm=float(values.get("travel_mm", values["focus_range_mm"])),
            speed_mm_sec=float(values["speed_mm_sec"]),
            acceleration_mm_sec_sec=float(values["acceleration_mm_sec_sec"]),
            restore_on_init=values["restore_on_init"],
            resume_on_init=values["resume_on_init"],
            resume_max_age_h=float(values["resume_max_age_h"]),
            hand=values["hand"],
            alpaca=_alpaca_address(values.get("alpaca"), values["daemon"]),
            metrics=_metrics_wanted(values.get("metrics")),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """The configuration in a file. Raises ConfigError with every violation."""
        return cls(path)

    @property
    def daemon(self) -> RegisteredDaemon:
        """The registered daemon itself, of rockit.common.daemons: its name, host, port, connect, launch."""
        from .site import registered_daemon

        return registered_daemon(self.daemon_name)

    @property
    def control_ips(self) -> tuple[str, ...]:
        """The IPv4 addresses of `control_machines`, in their order."""
        from .site import machine_ip

        return tuple(machine_ip(machine) for machine in self.control_machines)

    @property
    def serial_timeout(self) -> float:
        """`serial_timeout_s`, by the name that it has in the file and in other rockit programs."""
        return self.serial_timeout_s

    @property
    def move_timeout(self) -> float:
        """`move_timeout_s`, by the name that it has in the file and in other rockit programs."""
        return self.move_timeout_s

    @property
    def longest_move_s(self) -> float:
        """How many seconds the longest possible move takes at the real speed, with overshoot and way back."""
        from .validation import longest_move_s

        return longest_move_s(vars(self))


def find(environ: Mapping[str, str], directory: Path = DIRECTORY) -> Path:
    """The file that `focus` reads: $FOCUSD_CONFIG_PATH if it is set, else the directory's only *.json.

    The file is not opened. Raises ConfigError if there is no such file, or several; it names them.
    """
    if environ.get(PATH_VARIABLE):
        return Path(environ[PATH_VARIABLE])
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".json") and name[0] != ".")
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise ConfigError(f"{directory} cannot be searched: {error.strerror}. {_CHOOSE}") from error
    if not names:
        raise ConfigError(f"there is no configuration {directory}/*.json. {_CHOOSE}")
    if len(names) > 1:
        raise ConfigError(f"{directory} holds {len(names)} configurations: {', '.join(names)}. {_CHOOSE}")
    return directory / names[0]


def load_daemon_name(path: str | os.PathLike[str]) -> str:
    """The name of the daemon in a configuration: all that a client needs, without the slow full check.

    Other keys may be wrong. Only if the file is no JSON object, or `daemon` no text, or some key there
    twice, it is checked in full: raises ConfigError with every violation. Nobody has looked yet whether such
    a daemon is registered: that is `site.registered_daemon`.
    """
    document = reader.parse(Path(path))
    name = document.values.get("daemon") if isinstance(document.values, dict) else None
    is_written_twice = any(len(place) == 1 for place in document.repeated_keys)
    if isinstance(name, str) and name and not is_written_twice:
        return name
    return Config.load(path).daemon_name


def _alpaca_address(values: dict[str, Any] | None, daemon: str) -> AlpacaAddress | None:
    from . import validation

    if values is None:
        return None
    complete = validation.with_defaults(values, "alpaca")
    # Of the ways to write an address, the one that the system gives back.
    host = str(validation.address_of(complete["host"]))
    name = complete["name"].replace("{daemon}", daemon)
    return AlpacaAddress(host, int(complete["port"]), complete["discovery"], name)


def _metrics_wanted(values: dict[str, Any] | None) -> MetricsWanted | None:
    from . import validation

    return None if values is None else MetricsWanted(**validation.with_defaults(values, "metrics"))


def _checked_values(path: Path) -> dict[str, Any]:
    from . import validation

    document = reader.parse(path)
    if not isinstance(document.values, dict):
        raise ConfigError(f"{path} holds {reader.shown(document.values)}; {reader.EXPECTED_FILE}")
    try:
        violations = validation.violations(document)
    except RecursionError:
        raise reader.too_deep(path) from None
    if violations:
        raise ConfigError(validation.message(path, violations))
    return validation.with_defaults(document.values)
