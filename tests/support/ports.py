"""TCP ports on loopback that nobody else is given."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now. Somebody else may be given it later: `ReservedPort` is safe from that."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class ReservedPort:
    """A port that is kept from everybody else, for a server with SO_REUSEADDR to listen on."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        # Bound and not listening: who sets SO_REUSEADDR too can listen there, and nobody is given the port by chance.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((host, 0))
        self.host: str
        self.port: int
        self.host, self.port = self._reserved.getsockname()

    def is_listening(self) -> bool:
        """Whether somebody listens there now."""
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def close(self) -> None:
        self._reserved.close()

    def __enter__(self) -> ReservedPort:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


@contextmanager
def port_of_a_machine_that_is_away() -> Iterator[int]:
    """One to which no connection is ever completed, as with a machine that is off."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
