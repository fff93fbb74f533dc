"""The ways in from the network: Pyro, and Alpaca if that is configured. Both lead to the same service.

Part of the composition root, beside `main`: it knows the servers, and what each must be told. Without Pyro's port
there is no daemon. That of Alpaca is optional: if it cannot be had, Pyro is served, and it is tried again.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Callable

from ..config.model import AlpacaAddress, Config
from ..config.site import known_names
from ..constants import CommandStatus
from ..errors import ConfigError, Sentence, whole
from ..servers.net.listener import listen, stop_listening
from ..servers.pyro import MANNER, Exposed, PyroFocuser, PyroServer, why_too_few_files
from ..service.focuser import Focuser

if TYPE_CHECKING:
    import socket

    from ..servers.alpaca.discovery import Discovery
    from ..servers.web import WebServer

_log = logging.getLogger(__name__)

# For the answers of calls that the end interrupted.
LAST_ANSWERS_S = 0.1
# A port that is taken, an address that is not up yet, a machine that can make no more files or threads.
CANNOT_BE_HAD = (OSError, RuntimeError)


def take_port(config: Config) -> socket.socket:
    """Listen for Pyro, so that a port that another program has is known before anything begins.

    Raises:
        OSError: the port cannot be had; its text says why, and what to do.
        ConfigError: this process may open too few files to serve.
    """
    if why := why_too_few_files():
        raise ConfigError(why)
    host, port = config.daemon.host, config.daemon.port
    try:
        return listen(host, port, MANNER)
    except OSError as error:
        raise OSError(
            f"{host}:{port} cannot be listened on: {error}. "
            "Does another focusd run, or is this not the machine where this daemon belongs?"
        ) from error


class Servers:
    """The servers, from `open` to `close`.

    Args:
        config: who may control, and under which names.
        listener: from `take_port`, of the same configuration.
        focuser: the service.
    """

    def __init__(self, config: Config, listener: socket.socket, focuser: Focuser) -> None:
        self._config = config
        self._listener = listener
        self._alpaca = None
        if config.alpaca is not None:
            self._alpaca = AlpacaPort(
                config.alpaca, partial(_alpaca_server, config, focuser, lambda: self.pyro.connections)
            )
        self.pyro: PyroServer = _pyro_server(config, listener, focuser, lambda: self.problem)
        self.pyro_thread = threading.Thread(target=self.pyro.serve_forever, name="pyro", daemon=True)

    @property
    def problem(self) -> str:
        """Why Alpaca programs are not served though they should be; empty if they are."""
        return "" if self._alpaca is None else self._alpaca.problem

    def open(self) -> None:
        """Begin to serve."""
        self.pyro_thread.start()
        self.look_after()
        # Last: who waits for this line finds all that can be had open.
        daemon = self._config.daemon
        _log.info("serving %s on %s:%d", daemon.name, daemon.host, daemon.port)

    def look_after(self) -> None:
        """Try again what could not be opened. Does not wait."""
        if self._alpaca is not None:
            self._alpaca.try_to_open()

    def stop_listening(self) -> None:
        """Let nobody in any more: the ports are free for a successor, whatever keeps this process from ending. Who is
        connected is still answered."""
        stop_listening(self._listener)
        if self._alpaca is not None:
            self._alpaca.stop_listening()

    def close(self) -> None:
        """Give the last answers, and hang up on everybody. The focuser has ended before."""
        alpaca = None if self._alpaca is None else threading.Thread(target=self._alpaca.close, daemon=True)
        if alpaca is not None:
            alpaca.start()
        self.pyro.finish()
        self.pyro_thread.join(LAST_ANSWERS_S)
        self.pyro.close()
        for thread in (self.pyro_thread, alpaca):
            if thread is not None:
                thread.join(LAST_ANSWERS_S)


class AlpacaPort:
    """The port for Alpaca programs and browsers, and the one by which they find it. Belongs to one thread, but for
    `problem`.

    Args:
        address: where it listens.
        new_server: makes the server, from a socket that listens.
    """

    def __init__(self, address: AlpacaAddress, new_server: Callable[[socket.socket], WebServer]) -> None:
        self._address = address
        self._new_server = new_server
        self._listener: socket.socket | None = None
        self._server: WebServer | None = None
        self._discovery: Discovery | None = None
        self._problem = ""
        self._told: set[str] = set()

    @property
    def problem(self) -> str:
        """Why it is not served, in a sentence for everybody (an `errors.Sentence`); empty if it is."""
        if self._server is None or self._server.lives():
            return self._problem
        return "Alpaca programs and browsers are not served any more. Restart the daemon; its log has the details."

    def try_to_open(self) -> None:
        """Open what is not open yet."""
        if self._server is None:
            self._open_server()
        if self._server is not None and self._discovery is None and self._address.discovery:
            self._open_discovery()

    def stop_listening(self) -> None:
        """Let nobody in any more."""
        if self._listener is not None:
            stop_listening(self._listener)

    def close(self) -> None:
        """End all that is open."""
        if self._discovery is not None:
            self._discovery.close()
        if self._server is not None:
            self._server.close()

    def _open_server(self) -> None:
        from ..servers.http.admission import MANNER

        address = self._address
        listener = None
        try:
            listener = listen(address.host, address.port, MANNER)
            server = self._new_server(listener)
            server.start()
        except CANNOT_BE_HAD as error:
            if listener is not None:
                listener.close()
            self._problem = Sentence(
                "Alpaca programs and browsers are not served: their port cannot be had now. It is tried again.",
                f"port {address.port} of {address.host} cannot be listened on for alpaca: {error}. It is tried again. "
                "End the program that has it, or choose another alpaca.port. alpaca.host must be an address of this "
                "machine.",
            )
            self._warn_once(whole(self._problem))
            return
        self._listener, self._server, self._problem = listener, server, ""
        _log.info("serving Alpaca programs and browsers at %s on %s", address.url, address.host)

    def _open_discovery(self) -> None:
        from ..servers.alpaca.discovery import DISCOVERY_PORT, Discovery

        address = self._address
        discovery = None
        try:
            discovery = Discovery(address.host, address.port, DISCOVERY_PORT)
            discovery.start()
        except CANNOT_BE_HAD as error:
            if discovery is not None:
                discovery.close()
            # Others that look for devices may keep this port for themselves.
            self._warn_once(
                f"programs that look for Alpaca devices get no answer: UDP port {DISCOVERY_PORT} cannot be listened "
                f"on: {error}. It is tried again. End the program that has it, or give them the address {address.url}."
            )
            return
        self._discovery = discovery
        _log.info("answering programs that look for Alpaca devices on UDP port %d", DISCOVERY_PORT)

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            _log.warning("%s", sentence)


def _pyro_server(
    config: Config, listener: socket.socket, focuser: Focuser, alpaca_problem: Callable[[], str]
) -> PyroServer:
    machine_names = dict(zip(config.control_ips, config.control_machines))
    service = PyroFocuser(focuser, config.control_ips, machine_names, alpaca_problem, config.focus_range_mm)
    published = Exposed(
        config.daemon.name,
        service,
        open_methods=["report_status", "last_measurement", "last_failure", "focus_header", "holds", "terms"],
        questions=["moved_between", "moves"],
        urgent_methods=["stop"],
        control_ips=config.control_ips,
        not_permitted=CommandStatus.InvalidControlIP,
        busy=CommandStatus.Blocked,
        refused=service.refused,
    )
    server = PyroServer(listener, published)
    focuser.on_change(server.news)
    return server


def _alpaca_server(
    config: Config, focuser: Focuser, pyro_connections: Callable[[], int], listener: socket.socket
) -> WebServer:
    from ..servers.alpaca.management import machine_id
    from ..servers.web import WebServer

    assert config.alpaca is not None
    metrics = None
    if config.metrics is not None:
        from ..servers.metrics import Metrics

        metrics = Metrics(focuser, config.daemon.name, config.metrics.process)
        metrics.connections["pyro"] = pyro_connections
    return WebServer(
        listener,
        focuser,
        config.control_ips,
        config.daemon.name,
        config.focus_range_mm,
        device_name=config.alpaca.name,
        machine_id=machine_id(),
        host_names=known_names(),
        metrics=metrics,
    )
