"""Looks up names in the site's phone book, rockit.common: machines and daemons.

A site may have its own copy of rockit.common: only what every copy has is used here. Whatever a client that
knows its daemon does not need is imported where it is used, because `focus` must start fast.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol

from ..errors import ConfigError
from .reader import shown

_MAX_LISTED = 12


class RegisteredDaemon(Protocol):
    """What every copy of rockit.common says of a daemon: its Pyro object id, and where it listens."""

    name: str
    host: str
    port: int

    @property
    def uri(self) -> str:
        """Its Pyro address."""

    def connect(self, timeout: float | None = None, retries: int | None = None) -> Any:
        """A Pyro4 proxy; `timeout` in seconds (None: the daemon's default; 0: no limit)."""

    def launch(self, obj: object) -> None:
        """Serve `obj` until told to end."""


def registered_daemon(name: str) -> RegisteredDaemon:
    """The daemon of that name. Raises ConfigError if there is none, or if rockit.common cannot be used."""
    _, daemons = _rockit_common()
    daemon: RegisteredDaemon = _entry(
        daemons, name, _is_daemon, "a daemon registered in rockit.common.daemons"
    )
    return daemon


def machine_ip(name: str) -> str:
    """The IPv4 address of a machine. Raises ConfigError as `registered_daemon` does."""
    machines, _ = _rockit_common()
    ip: str = _entry(machines, name, _is_ipv4, "a machine registered in rockit.common.IP")
    return ip


def machine_name(ip: str) -> str:
    """The name of the machine with that address; empty if it is not known. Raises ConfigError as `machine_ip` does."""
    machines, _ = _rockit_common()
    return next((name for name in _known(machines, _is_ipv4) if getattr(machines, name) == ip), "")


def known_names() -> list[str]:
    """The names of all machines, and of all daemons. Raises ConfigError as `registered_daemon` does."""
    machines, _ = _rockit_common()
    return [*_known(machines, _is_ipv4), *daemon_names()]


def daemon_names() -> list[str]:
    """The names of all daemons. Raises ConfigError as `registered_daemon` does."""
    _, daemons = _rockit_common()
    return _known(daemons, _is_daemon)


def require_rockit_common() -> None:
    """Raises ConfigError if rockit.common cannot be imported, or refuses the site's own file."""
    _rockit_common()


def suggestion(name: str, known: list[str]) -> str:
    """The known name that `name` may be a slip of the pen for; empty if none is near."""
    import difflib

    # The cut bounds the work: nothing known is that long.
    close = difflib.get_close_matches(name[:100], known, n=1)
    return close[0] if close else ""


def _entry(registry: object, name: str, is_entry: Callable[[object], bool], expected: str) -> Any:
    known = _known(registry, is_entry)
    if name in known:
        return getattr(registry, name)
    near = suggestion(name, known)
    listed = ", ".join(known[:_MAX_LISTED]) + (", ..." if len(known) > _MAX_LISTED else "")
    hint = f"did you mean {near}?" if near else f"there are: {listed or 'none'}"
    raise ConfigError(f"{shown(name)} was given; expected {expected} ({hint})")


def _known(registry: object, is_entry: Callable[[object], bool]) -> list[str]:
    return [
        key
        for key in sorted(dir(registry))
        if not key.startswith("_") and is_entry(getattr(registry, key, None))
    ]


def _is_daemon(entry: object) -> bool:
    # rockit.common.daemons also holds whatever it imports: modules, classes, functions.
    texts = all(isinstance(getattr(entry, key, None), str) for key in ("name", "host"))
    return (
        texts and isinstance(getattr(entry, "port", None), int) and callable(getattr(entry, "launch", None))
    )


def _is_ipv4(entry: object) -> bool:
    import ipaddress

    if not isinstance(entry, str):
        return False
    try:
        ipaddress.IPv4Address(entry)
    except ValueError:
        return False
    return True


def _rockit_common() -> tuple[object, object]:
    try:
        from rockit.common import IP, daemons
    except Exception as error:
        # A site's copy may raise whatever it likes about the site's files. All of it is one fault of the
        # installation, and belongs beside the faults of the configuration.
        reason = f"{' '.join(str(error).split())} ({type(error).__name__})"
        raise ConfigError(f"rockit.common cannot be used: {reason}") from error
    return IP, daemons
