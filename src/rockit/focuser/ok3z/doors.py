"""The ways in from the network: Pyro, and Alpaca where that is configured. Both lead to the same service.

Part of the composition root, beside `daemon`: it knows the servers, and what each must be told.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple

from .config import AlpacaAddress, Config
from .constants import CommandStatus
from .focuser import Focuser
from .listening import listen
from .pyro_server import MANNER, Published, PyroServer
from .pyro_service import PyroFocuser
from .registry import machine_names

if TYPE_CHECKING:
    import socket

    from .alpaca.discovery import Discovery
    from .alpaca.server import AlpacaServer

_log = logging.getLogger(__name__)

# For the answers of calls that the end interrupted.
LAST_ANSWERS_S = 0.1


class Ports(NamedTuple):
    """Sockets that listen already, so that a port that another program has is known before anything begins."""

    pyro: socket.socket
    alpaca: socket.socket | None


def take_ports(config: Config) -> Ports:
    """Listen on the TCP ports of a configuration. Raises OSError, whose text says which port, and what to do."""
    pyro = _listen_for_pyro(config)
    try:
        return Ports(pyro, None if config.alpaca is None else _listen_for_alpaca(config.alpaca))
    except BaseException:
        pyro.close()
        raise


def _listen_for_pyro(config: Config) -> socket.socket:
    host, port = config.daemon.host, config.daemon.port
    try:
        return listen(host, port, MANNER)
    except OSError as error:
        raise OSError(
            f"{host}:{port} cannot be listened on: {error}. "
            "Does another focusd run, or is this not the machine where this daemon belongs?"
        ) from error


def _listen_for_alpaca(address: AlpacaAddress) -> socket.socket:
    from .alpaca.guard import MANNER

    try:
        return listen(address.host, address.port, MANNER)
    except OSError as error:
        raise OSError(
            f"port {address.port} of {address.host} cannot be listened on for alpaca: {error}. End the program that "
            "has it, or choose another alpaca.port. alpaca.host must be an address of this machine."
        ) from error


class Doors:
    """The servers, from `open` to `close`.

    Args:
        config: who may control, and under which names.
        ports: from `take_ports`, of the same configuration.
        focuser: the service.
    """

    def __init__(self, config: Config, ports: Ports, focuser: Focuser) -> None:
        self._config = config
        self.pyro = _pyro_server(config, ports.pyro, focuser)
        self.pyro_thread = threading.Thread(target=self.pyro.serve_forever, name="pyro", daemon=True)
        self._alpaca = None if ports.alpaca is None else _alpaca_server(config, ports.alpaca, focuser)
        self._discovery: Discovery | None = None

    def open(self) -> None:
        """Begin to serve."""
        self.pyro_thread.start()
        daemon = self._config.daemon
        _log.info("serving %s on %s:%d", daemon.name, daemon.host, daemon.port)
        address = self._config.alpaca
        if self._alpaca is None or address is None:
            return
        self._alpaca.start()
        _log.info("serving Alpaca programs and browsers at %s on %s", address.url, address.host)
        if address.discovery:
            self._discovery = _open_discovery(address)

    def close(self) -> None:
        """Give the last answers, and close what outlives no process. The focuser has ended before."""
        if self._discovery is not None:
            self._discovery.close()
        if self._alpaca is not None:
            # Its end is not waited for any longer than that of Pyro: both end with the process.
            threading.Thread(target=self._alpaca.close, name="alpaca-end", daemon=True).start()
        # The server is not closed: it hands out the last answers for as long as the process lives.
        self.pyro_thread.join(LAST_ANSWERS_S)


def _pyro_server(config: Config, listener: socket.socket, focuser: Focuser) -> PyroServer:
    machine_names = dict(zip(config.control_ips, config.control_machines))
    service = PyroFocuser(focuser, config.control_ips, machine_names)
    published = Published(
        config.daemon.name,
        service,
        open_methods=["report_status", "last_measurement", "last_failure"],
        urgent_methods=["stop"],
        control_ips=config.control_ips,
        not_permitted=CommandStatus.InvalidControlIP,
        busy=CommandStatus.Blocked,
        refused=service.refused,
    )
    server = PyroServer(listener, published)
    focuser.on_change(server.news)
    return server


def _alpaca_server(config: Config, listener: socket.socket, focuser: Focuser) -> AlpacaServer:
    from .alpaca.server import AlpacaServer

    return AlpacaServer(
        listener,
        focuser,
        config.control_ips,
        config.daemon.name,
        config.focus_range_mm,
        host_names=machine_names(),
    )


def _open_discovery(address: AlpacaAddress) -> Discovery | None:
    from .alpaca.discovery import DISCOVERY_PORT, Discovery

    try:
        discovery = Discovery(address.host, address.port, DISCOVERY_PORT)
    except OSError as error:
        # Others that look for devices may keep this port for themselves: no reason to do without a focuser.
        _log.warning(
            "programs that look for Alpaca devices get no answer: UDP port %d cannot be listened on: %s. "
            "End the program that has it and restart the daemon, or give them the address %s.",
            DISCOVERY_PORT,
            error,
            address.url,
        )
        return None
    discovery.start()
    _log.info("answering programs that look for Alpaca devices on UDP port %d", DISCOVERY_PORT)
    return discovery
