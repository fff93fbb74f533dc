"""One registered daemon: where it listens, how it is called and how it is served."""

from __future__ import annotations

from .errors import LaunchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import Pyro4

DEFAULT_TIMEOUT_S = 5.0


class RegisteredDaemon:
    """A Pyro object by the name `name` at `host` (IPv4 text) and `port`. Prometheus scrapes it at `metrics_port` of
    that host, unless that is None."""

    __slots__ = ("host", "metrics_port", "name", "port")

    def __init__(self, name: str, host: str, port: int, metrics_port: int | None = None) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.metrics_port = metrics_port

    def __repr__(self) -> str:
        return f"RegisteredDaemon({self.name!r}, {self.host!r}, {self.port!r})"

    @property
    def uri(self) -> str:
        """The Pyro address: `PYRO:name@host:port`."""
        return f"PYRO:{self.name}@{self.host}:{self.port}"

    def connect(self, timeout: float | None = None, retries: int | None = None) -> Pyro4.Proxy:
        """A proxy for calling the daemon. Use it in a `with` statement, which ends the connection.

        `timeout`: how many seconds each wait of a call may last; None for the default of 5 s, 0 for no
        limit. `retries`: how often a call is repeated after a lost connection or a timeout; None leaves
        Pyro's own setting, which is none. The daemon need not be running: the first call connects, and
        raises `Pyro4.errors.CommunicationError` if it cannot.
        """
        import Pyro4

        proxy = Pyro4.Proxy(self.uri)
        # Pyro reads 0 as "no limit" on a new connection, but as "do not wait" on an open one.
        proxy._pyroTimeout = DEFAULT_TIMEOUT_S if timeout is None else (timeout or None)
        if retries is not None:
            proxy._pyroMaxRetries = retries
        return proxy

    def launch(self, obj: object) -> None:
        """Serve `obj` until told to end, then close the port.

        Ctrl-C ends it, and it returns; so does `obj._pyroDaemon.shutdown()` from another thread. Anything
        else that a signal handler raises ends it too, and is passed on. Clients that are still
        connected then reach `obj` no more. Raises `LaunchError` if it cannot listen.
        """
        server = self._listen()
        try:
            server.register(obj, self.name)
            try:
                server.requestLoop()
            finally:
                # Pyro goes on serving the connections that are open when it closes.
                server.unregister(obj)
        except KeyboardInterrupt:
            # Pyro's loop swallows the Ctrl-C that finds it waiting; the one that does not means the same.
            pass
        finally:
            # Pyro's shutdown closes for itself, and two threads that close at once trip over each other.
            if not server._shutting_down:
                server.close()

    def _listen(self) -> Pyro4.Daemon:
        import Pyro4

        try:
            self._try_address()
            server = Pyro4.Daemon(host=self.host, port=self.port)
            self._require_listening(server)
        except OSError as error:
            raise LaunchError(error.errno, self._launch_failure(error)) from error
        return server

    def _try_address(self) -> None:
        """Bind and let go. Pyro leaves its socket unclosed if binding fails, so it must not fail there."""
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, self.port))

    def _require_listening(self, server: Pyro4.Daemon) -> None:
        """Pyro ignores a failed listen, which is how the loser of two simultaneous starts would notice."""
        import errno
        import socket

        if not server.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            server.close()
            raise OSError(errno.EADDRINUSE, "another program has begun to listen")

    def _launch_failure(self, error: OSError) -> str:
        import errno

        reasons = {
            errno.EADDRINUSE: (
                f"another program listens on port {self.port} of {self.host} already, most likely the same "
                "daemon. Stop that one first"
            ),
            errno.EADDRNOTAVAIL: (
                f"{self.host} is not an address of this machine. Start the daemon on the machine that it is "
                "registered for, or register it for this one"
            ),
            errno.EACCES: f"port {self.port} needs privileges. Register the daemon with a port above 1023",
        }
        reason = reasons.get(error.errno or 0, f"{self.host}:{self.port}: {error.strerror or error}")
        return f"cannot serve {self.name}: {reason}."
