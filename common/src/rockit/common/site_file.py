"""The site file: the machines and daemons that an observatory adds to the built-in phone book.

docs/site.md describes the format. The rules are few and flat, so they are checked here by hand: a JSON
Schema would need jsonschema in every command that calls a daemon, and could not say half of them.
"""

from __future__ import annotations

import os

from . import built_in
from .errors import SiteError
from .registered_daemon import RegisteredDaemon

DEFAULT_PATH = "/etc/rockit/site.json"
PATH_VARIABLE = "ROCKIT_SITE_PATH"

_PORTS = range(1, 65536)


class Site:
    """What one site file adds: `machines` by name (IPv4 text) and `daemons` by name."""

    def __init__(self) -> None:
        self.machines: dict[str, str] = {}
        self.daemons: dict[str, RegisteredDaemon] = {}


def read() -> Site:
    """The site of this process: `$ROCKIT_SITE_PATH`, else `/etc/rockit/site.json`.

    An absent default file adds nothing. Everything else that keeps the file from being used, an absent
    `$ROCKIT_SITE_PATH` included, raises `SiteError`.
    """
    path = os.environ.get(PATH_VARIABLE) or DEFAULT_PATH
    # A link to nowhere is somebody's mistake, an absent file is not.
    if path == DEFAULT_PATH and not os.path.lexists(path):
        return Site()
    return parse(_read_bytes(path), path)


def parse(content: bytes, path: str) -> Site:
    """The site that `content` describes. Raises `SiteError` with everything that is wrong; names `path`."""
    try:
        check = _Check(_load_json(content, path))
    except RecursionError as error:
        raise SiteError(path, ("its objects and lists are nested too deeply",)) from error
    if check.violations:
        raise SiteError(path, tuple(check.violations))
    return check.site


def _read_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        named = f" ({PATH_VARIABLE} names it)" if os.environ.get(PATH_VARIABLE) else ""
        raise SiteError(path, (f"it cannot be read{named}: {error.strerror or error}",)) from error


class _Object(dict[str, object]):
    """A JSON object that remembers which of its keys were written more than once."""

    repeated: list[str]


def _load_json(content: bytes, path: str) -> object:
    import json

    def remember_repeated(pairs: list[tuple[str, object]]) -> _Object:
        found = _Object(pairs)
        keys = [key for key, _ in pairs]
        found.repeated = [key for key in found if keys.count(key) > 1]
        return found

    try:
        # utf-8-sig also takes the mark that some editors put before UTF-8.
        loaded: object = json.loads(content.decode("utf-8-sig"), object_pairs_hook=remember_repeated)
    except json.JSONDecodeError as error:
        raise SiteError(path, (f"line {error.lineno}, column {error.colno}: {error.msg}",)) from error
    except UnicodeDecodeError as error:
        raise SiteError(path, (f"byte {error.start + 1} is not UTF-8 text",)) from error
    except ValueError as error:
        raise SiteError(path, (f"it cannot be read as JSON: {error}",)) from error
    return loaded


class _Check:
    """Goes once through a site document: collects what it adds, and every violation."""

    def __init__(self, document: object) -> None:
        self.site = Site()
        self.violations: list[str] = []
        self._taken = {(d.host, d.port): name for name, d in built_in.DAEMONS.items()}

        sections = self._object(document, "the file", optional=("machines", "daemons"))
        machines = self._object(sections.get("machines", _empty()), "machines")
        daemons = self._object(sections.get("daemons", _empty()), "daemons")
        # A machine with a bad address is still a machine that the daemons may name.
        self._machine_names = {*built_in.MACHINES, *machines}
        for name, address in machines.items():
            self._machine(name, address)
        for name, entry in daemons.items():
            self._daemon(name, entry)

    def _refuse(self, where: str, what: str) -> None:
        self.violations.append(f"{where}: {what}")

    def _machine(self, name: str, address: object) -> None:
        where = f"machines.{name}"
        self._name(where, name)
        if not isinstance(address, str) or not _is_machine_address(address):
            expected = 'expected one like "10.1.2.3"'
            self._refuse(where, f"{_shown(address)} is not the IPv4 address of a machine ({expected})")
        elif built_in.MACHINES.get(name, address) != address:
            self._refuse(
                where, f"the built-in phone book has it as {built_in.MACHINES[name]}. Choose another name"
            )
        else:
            self.site.machines[name] = address

    def _daemon(self, name: str, value: object) -> None:
        where = f"daemons.{name}"
        self._name(where, name)
        entry = self._object(value, where, required=("name", "machine", "port"), optional=("metrics",))
        pyro_name = self._pyro_name(f"{where}.name", entry)
        host = self._host(f"{where}.machine", entry)
        port = self._port(where, entry, "port")
        metrics_port = self._port(where, entry, "metrics")
        if pyro_name is not None and host is not None and port is not None:
            self._register(where, name, RegisteredDaemon(pyro_name, host, port, metrics_port))

    def _register(self, where: str, name: str, daemon: RegisteredDaemon) -> None:
        known = built_in.DAEMONS.get(name)
        if known is not None and known.uri != daemon.uri:
            self._refuse(where, f"the built-in phone book has it as {known.uri}. Choose another name")
            return
        self._take(where, (daemon.host, daemon.port), name)
        if daemon.metrics_port is not None:
            self._take(where, (daemon.host, daemon.metrics_port), f"{name} (metrics)")
        self.site.daemons[name] = daemon

    def _take(self, where: str, address: tuple[str, int], owner: str) -> None:
        host, port = address
        other = self._taken.setdefault(address, owner)
        if other != owner:
            self._refuse(where, f"port {port} of {host} belongs to the daemon {other} already")

    def _name(self, where: str, name: str) -> None:
        if not _is_public_name(name):
            self._refuse(
                where,
                "is no usable name (expected ASCII letters, digits and any of _ - . , with a letter first; "
                "no word that Python reserves)",
            )

    def _pyro_name(self, where: str, entry: _Object) -> str | None:
        value = entry.get("name")
        if isinstance(value, str) and _is_pyro_name(value):
            return value
        if "name" in entry:
            expected = 'expected ASCII letters, digits and any of _ - . , not starting with "Pyro."'
            self._refuse(where, f"{_shown(value)} is no name for a Pyro object ({expected})")
        return None

    def _host(self, where: str, entry: _Object) -> str | None:
        value = entry.get("machine")
        if isinstance(value, str) and value in self._machine_names:
            return built_in.MACHINES.get(value) or self.site.machines.get(value)
        if "machine" in entry:
            known = ", ".join(sorted(self._machine_names))
            self._refuse(where, f"{_shown(value)} is no machine of the phone book (expected one of {known})")
        return None

    def _port(self, where: str, entry: _Object, key: str) -> int | None:
        value = entry.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value in _PORTS:
            return value
        if key in entry:
            self._refuse(
                f"{where}.{key}", f"{_shown(value)} is no port (expected a whole number from 1 to 65535)"
            )
        return None

    def _object(
        self,
        value: object,
        where: str,
        required: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
    ) -> _Object:
        """`value` if it is an object, else an empty one. If keys are given, it may have no others."""
        if not isinstance(value, _Object):
            self._refuse(where, f"{_shown(value)} stands where an object is expected, {{…}}")
            return _empty()
        for key in value.repeated:
            self._refuse(where, f'the key "{key}" is there more than once')
        for key in required:
            if key not in value:
                self._refuse(where, f'the key "{key}" is missing')
        allowed = required + optional
        for key in value:
            if allowed and key not in allowed:
                self._refuse(where, f'the key "{key}" is unknown (expected {", ".join(allowed)})')
        return value


def _empty() -> _Object:
    nothing = _Object()
    nothing.repeated = []
    return nothing


def _shown(value: object) -> str:
    import json

    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_public_name(name: str) -> bool:
    """Whether `getattr(IP, name)` finds it, and it hides nothing that is there already.

    Machines may be called as the network calls them: `dome-nuc.example.org`. Without a hyphen or dot
    `IP.<name>` can be written too.
    """
    import keyword
    import re

    is_written_well = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", name)
    return bool(is_written_well) and not keyword.iskeyword(name) and not hasattr(type, name)


def _is_pyro_name(name: str) -> bool:
    """Pyro itself would take more, but not a space or an @, and keeps "Pyro." for its own objects."""
    letters = name.replace("_", "").replace("-", "").replace(".", "")
    return letters.isascii() and letters.isalnum() and not name.startswith("Pyro.")


def _is_machine_address(text: str) -> bool:
    import ipaddress

    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    everybody = address == ipaddress.IPv4Address("255.255.255.255")
    return not (address.is_unspecified or address.is_multicast or everybody)
