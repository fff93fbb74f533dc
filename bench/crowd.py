"""A crowd at a Pyro port: clients that ask for the status again and again, and connections that say nothing.

    .venv/bin/python -m bench.crowd URI SILENT POLLERS POLLS_PER_S

It prints what it is when all are there, and ends when its stdin does. It then prints how many polls were answered, of
how many.
"""

from __future__ import annotations

import random
import resource
import select
import socket
import sys
import threading
import time

import Pyro4

CALL_TIMEOUT_S = 5.0
# Files beside the connections.
SPARE_FILES = 64
LOOK_S = 0.5


class Poller(threading.Thread):
    """One client; a call that fails is counted, and its connection is made anew."""

    def __init__(self, uri: str, period_s: float, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._uri = uri
        self._period_s = period_s
        self._over = over
        self.connected = threading.Event()
        self.asked = self.answered = 0

    def run(self) -> None:
        """Ask until it is over."""
        self._over.wait(random.uniform(0, self._period_s))
        with Pyro4.Proxy(self._uri) as proxy:
            proxy._pyroTimeout = CALL_TIMEOUT_S
            next_s = time.monotonic()
            while not self._over.is_set():
                self._ask(proxy)
                self.connected.set()
                next_s = max(next_s + self._period_s, time.monotonic() - self._period_s)
                self._over.wait(max(0.0, next_s - time.monotonic()))

    def _ask(self, proxy: Pyro4.Proxy) -> None:
        self.asked += 1
        try:
            proxy.report_status()
            self.answered += 1
        except (Pyro4.errors.PyroError, OSError):
            proxy._pyroRelease()


class Silent:
    """Connections that say nothing. One that the server closes is made anew."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._address = address
        self._sockets = [self._connect() for _ in range(count)]

    def _connect(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=CALL_TIMEOUT_S)

    def tend(self) -> None:
        """Replace the connections that were closed."""
        poll = select.poll()
        places = {each.fileno(): place for place, each in enumerate(self._sockets)}
        for number in places:
            poll.register(number, select.POLLIN | select.POLLRDHUP)
        for number, _ in poll.poll(0):
            place = places[number]
            self._sockets[place].close()
            self._sockets[place] = self._connect()

    def close(self) -> None:
        """Hang up."""
        for each in self._sockets:
            each.close()


def main(uri: str, silent: int, pollers: int, polls_per_s: float) -> int:
    """Be a crowd until stdin ends."""
    _make_room_for(silent + pollers)
    location = Pyro4.URI(uri)
    address = (location.host, location.port)
    over = threading.Event()
    clients = [Poller(uri, 1 / polls_per_s, over) for _ in range(pollers)]
    for client in clients:
        client.start()
    for client in clients:
        client.connected.wait(CALL_TIMEOUT_S)
    try:
        quiet = Silent(address, silent)
    except OSError as error:
        print(f"the server does not take {silent} silent connections: {error}", file=sys.stderr)
        return 1
    print(f"{pollers} clients at {polls_per_s:g} Hz and {silent} silent connections", flush=True)
    while not select.select([sys.stdin], [], [], LOOK_S)[0]:
        quiet.tend()
    over.set()
    for client in clients:
        client.join()
    quiet.close()
    print(sum(client.answered for client in clients), sum(client.asked for client in clients))
    return 0


def _make_room_for(connections: int) -> None:
    """Have as many files as the connections need."""
    needed = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
