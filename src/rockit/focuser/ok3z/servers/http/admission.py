"""Who may connect, and how much of this machine that may take.

aiohttp answers requests; what it leaves unbounded is bounded here: connections in all, half-sent requests, answers that
are not read, and how often strangers ask (docs/decisions/0013-alpaca-sessions.md).
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from ..net.addresses import network_of
from ..net.descriptors import files_for
from ..net.listener import Manner
from ..net.log_throttle import LogThrottle
from .connection import Connection
from .framing import MAX_CONTROL_HEAD_BYTES, MAX_HEAD_BYTES
from .handler import Handler
from .rate_limit import BURST, PER_S, Rates

# Half of them for the machines that may control, half for all others.
MAX_CONNECTIONS = 400
# Of one address that may not control.
MAX_OF_STRANGER = 32
# If the system allows too few files for that.
FEW_CONNECTIONS = 32
# Those of the Pyro port, and some for all else.
OTHER_FILES = 3100
PATIENCE_S = 5.0
# Longer than the programs that are known keep an idle connection for its next use: who closes it first decides
# whether a command gets lost on it.
IDLE_S = 180.0
ACCEPTS_PER_TURN = 32
ACCEPT_AGAIN_S = 0.2
MANNER = Manner(backlog=128)
LOOKS_PER_PATIENCE = 10


@dataclass(frozen=True)
class Bounds:
    """What clients may use up.

    Args:
        connections: at a time, half of them of machines that may control.
        of_stranger: of these, those of one address that may not control.
        patience_s: how long a request may take to come, and an answer to be taken, in seconds.
        idle_s: how long a connection may be silent between two requests, in seconds.
        burst, per_s: how many requests a stranger may send at once, and in each second after that.
    """

    connections: int = MAX_CONNECTIONS
    of_stranger: int = MAX_OF_STRANGER
    patience_s: float = PATIENCE_S
    idle_s: float = IDLE_S
    burst: float = BURST
    per_s: float = PER_S


class Admission:
    """Accepts connections, and ends those that go too far. Belongs to one loop.

    Args:
        listener: from `listener.listen`; it stays open when the admission is closed.
        new_handler: makes the handler of the requests of one connection, from the client's address.
        may_control: whether a client at an address may control.
        bounds: what clients may use up.
        tally: what strangers cause; it is said here.
        now_s: a monotonic clock for the tally, in seconds.
    """

    def __init__(
        self,
        listener: socket.socket,
        new_handler: Callable[[str], Handler],
        may_control: Callable[[str], bool],
        bounds: Bounds,
        tally: LogThrottle,
        now_s: Callable[[], float],
    ) -> None:
        self._listener = listener
        self._new_handler = new_handler
        self._may_control = may_control
        self._bounds = bounds
        self._tally = tally
        self._now_s = now_s
        self._loop = asyncio.get_running_loop()
        self._files = files_for(
            bounds.connections, OTHER_FILES, lambda _: min(bounds.connections, FEW_CONNECTIONS)
        )
        self._half = max(1, self._files.connections // 2)
        # With the address that each counts for.
        self._rooms: dict[bool, dict[Connection, str]] = {True: {}, False: {}}
        self._rates = Rates(bounds.burst, bounds.per_s)
        self._welcoming: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return sum(len(room) for room in self._rooms.values())

    def open(self) -> None:
        """Let clients in."""
        self._let_in()
        self._look_again()

    def close(self) -> None:
        """Let nobody in any more, and end all connections."""
        self._is_closed = True
        self._loop.remove_reader(self._listener)
        for task in self._welcoming:
            task.cancel()
        for room in self._rooms.values():
            for connection in list(room):
                connection.abort()

    # Coming in

    def _let_in(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._loop.remove_reader(self._listener)
                # Else it listens no more, for the daemon ends.
                if error.errno != errno.EINVAL:
                    # Of a process that can open no more files. Trying at once would take all of the processor.
                    self._tally.count(f"cannot take more connections: {error.strerror}")
                    self._loop.call_later(ACCEPT_AGAIN_S, self._let_in)
                return
            self._receive(sock, str(address[0]))

    def _receive(self, sock: socket.socket, host: str) -> None:
        controls = self._may_control(host)
        network = network_of(host)
        if not (controls or self._may_ask(host)) or not self._made_room(controls, network):
            sock.close()
            return
        try:
            sock = self._files.place(sock)
        except OSError:
            return
        handler = self._new_handler(host)
        connection = Connection(
            handler,
            self._bounds.patience_s,
            self._bounds.idle_s,
            self._loop.time,
            (lambda: True) if controls else partial(self._may_ask, host),
            lambda ended: self._leave(controls, ended),
            MAX_CONTROL_HEAD_BYTES if controls else MAX_HEAD_BYTES,
        )
        # Soon, and not within aiohttp's own words.
        handler.on_answer = lambda: _soon(self._loop, connection)
        self._rooms[controls][connection] = network
        task = self._loop.create_task(self._welcome(sock, connection, controls))
        self._welcoming.add(task)
        task.add_done_callback(self._welcoming.discard)

    async def _welcome(self, sock: socket.socket, connection: Connection, controls: bool) -> None:
        sock.setblocking(False)
        try:
            # Every loop has it, and not every description of their types.
            loop: Any = self._loop
            await loop.connect_accepted_socket(lambda: connection, sock)
        except BaseException as error:
            self._leave(controls, connection)
            sock.close()
            if not isinstance(error, OSError):
                raise

    def _may_ask(self, host: str) -> bool:
        return self._rates.allows(host, self._loop.time())

    def _leave(self, controls: bool, connection: Connection) -> None:
        self._rooms[controls].pop(connection, None)

    def _made_room(self, controls: bool, network: str) -> bool:
        room = self._rooms[controls]
        if not controls:
            own = [connection for connection, whose in room.items() if whose == network]
            if len(own) >= self._bounds.of_stranger and not self._ended_one(controls, own):
                return False
        return len(room) < self._half or self._ended_one(controls, room)

    def _ended_one(self, controls: bool, among: Collection[Connection]) -> bool:
        """End the connection that is missed least. False: none may be ended."""
        room = self._rooms[controls]
        # Who has only just come may bring a stop: a crowd of machines that control must not send it away again.
        idle = [one for one in among if one.is_idle and not (controls and one.is_new)]
        unfinished = [one for one in among if one.is_half_sent or one.is_new]
        if idle:
            # Its program connects anew when it has something to say.
            ended = min(idle, key=lambda one: one.heard_at_s)
        elif unfinished:
            # Of the machines that control the one with the most, which is the one that is broken.
            held = Counter(room.values() if controls else ())
            ended = min(unfinished, key=lambda one: (-held[room[one]], one.due_s))
        else:
            return False
        self._leave(controls, ended)
        ended.abort()
        return True

    # Going too far

    def _look_again(self) -> None:
        if self._is_closed:
            return
        now_s = self._loop.time()
        for room in self._rooms.values():
            for connection in [one for one in room if one.is_overdue(now_s)]:
                connection.end_overdue()
        self._tally.say(self._now_s())
        self._loop.call_later(self._bounds.patience_s / LOOKS_PER_PATIENCE, self._look_again)


def _soon(loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
    if not loop.is_closed():
        loop.call_soon(connection.answered)
