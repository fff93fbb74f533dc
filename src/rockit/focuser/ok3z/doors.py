"""The way in from the network: Pyro.

Part of the composition root, beside `daemon`: it knows the server, and what it must be told.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple

from .config import Config
from .constants import CommandStatus
from .focuser import Focuser
from .listening import listen
from .pyro_server import MANNER, Published, PyroServer
from .pyro_service import PyroFocuser

if TYPE_CHECKING:
    import socket

_log = logging.getLogger(__name__)

# For the answers of calls that the end interrupted.
LAST_ANSWERS_S = 0.1


class Ports(NamedTuple):
    """Sockets that listen already, so that a port that another program has is known before anything begins."""

    pyro: socket.socket


def take_ports(config: Config) -> Ports:
    """Listen on the TCP port of a configuration. Raises OSError, whose text says which port, and what to do."""
    host, port = config.daemon.host, config.daemon.port
    try:
        return Ports(listen(host, port, MANNER))
    except OSError as error:
        raise OSError(
            f"{host}:{port} cannot be listened on: {error}. "
            "Does another focusd run, or is this not the machine where this daemon belongs?"
        ) from error


class Doors:
    """The server, from `open` to `close`.

    Args:
        config: who may control, and under which names.
        ports: from `take_ports`, of the same configuration.
        focuser: the service.
    """

    def __init__(self, config: Config, ports: Ports, focuser: Focuser) -> None:
        self._config = config
        self.pyro = _pyro_server(config, ports.pyro, focuser)
        self.pyro_thread = threading.Thread(target=self.pyro.serve_forever, name="pyro", daemon=True)

    def open(self) -> None:
        """Begin to serve."""
        self.pyro_thread.start()
        daemon = self._config.daemon
        _log.info("serving %s on %s:%d", daemon.name, daemon.host, daemon.port)

    def close(self) -> None:
        """Give the last answers, and close what outlives no process. The focuser has ended before."""
        # The server is not closed: it hands out the last answers for as long as the process lives.
        self.pyro_thread.join(LAST_ANSWERS_S)


def _pyro_server(config: Config, listener: socket.socket, focuser: Focuser) -> PyroServer:
    published = Published(
        config.daemon.name,
        PyroFocuser(focuser, config.control_ips),
        open_methods=["report_status"],
        urgent_methods=["stop"],
        control_ips=config.control_ips,
        not_permitted=CommandStatus.InvalidControlIP,
        busy=CommandStatus.Blocked,
    )
    return PyroServer(listener, published)
