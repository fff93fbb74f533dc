"""A server of the Pyro port over a target that is no focuser, and clients that say exactly what they are told to."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Callable

import Pyro4
import pytest
from Pyro4 import message, util

from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.pyro import MANNER, Exposed, PyroServer
from rockit.focuser.ok3z.servers.pyro.later import AtEnd, Later

OBJECT = "the_object"
LOOPBACK, CONTROL_IP = "127.0.0.1", "127.0.0.1"
# How long a test waits for what must come. Nothing needs a hundredth of it.
BOUND_S = 20.0
NOT_PERMITTED, BUSY = 3, 2
SERPENT = util.get_serializer("serpent")


class GoOn:
    """Ends all that wait for it, and from then on whatever comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._ends: list[Future[None]] = []

    def end(self) -> Future[None]:
        """What ends when it is set."""
        end: Future[None] = Future()
        with self._lock:
            self._ends.append(end)
        if self._is_set:
            self.set()
        return end

    def set(self) -> None:
        self._is_set = True
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            end.set_result(None)


class Target:
    """Notes what is called, and lets `wait` calls wait."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.callers: list[Any] = []
        self.waiting = threading.Semaphore(0)
        self.go_on = GoOn()
        self.patience_s = BOUND_S
        self.news = 0
        self.asked_for_news = 0

    @Pyro4.expose
    def report(self) -> dict[str, int]:
        return {"calls": len(self.calls)}

    @Pyro4.expose
    def move(self, pos: Any, offset: Any = False) -> int:
        self.calls.append(("move", pos, offset))
        self.callers.append(Pyro4.current_context.client_sock_addr[0])
        assert Pyro4.current_context.client.sock.getpeername() == Pyro4.current_context.client_sock_addr
        return 0

    @Pyro4.expose
    def wait(self) -> Any:
        self.calls.append(("wait",))
        self.waiting.release()
        end = self.go_on.end()
        return AtEnd(end, self.patience_s, lambda: 0 if end.done() else 1)

    @Pyro4.expose
    def wait_for_news(self, since: Any, patience_s: Any) -> Any:
        self.calls.append(("wait_for_news", since, patience_s))

        def is_due() -> bool:
            self.asked_for_news += 1
            return self.news != since

        return Later(is_due, patience_s, lambda: {"news": self.news})

    @Pyro4.expose
    def stop(self) -> int:
        self.calls.append(("stop",))
        return 0

    @Pyro4.expose
    def fail(self) -> int:
        raise ValueError("/a/path and a secret")

    @Pyro4.expose
    def give_unspeakable(self) -> object:
        return threading.Lock()

    @Pyro4.expose
    @property
    def attribute(self) -> int:
        raise AssertionError("nobody may read this")

    def hidden(self) -> int:
        raise AssertionError("nobody may call this")


class Messages:
    """What may be said, in bytes: as a proxy says it, and as none would."""

    def pyro(
        self, kind: int, data: bytes, flags: int = 0, serializer: int = 1, annotations: Any = None
    ) -> bytes:
        """Any message."""
        return bytes(message.Message(kind, data, serializer, flags, 7, annotations).to_bytes())

    def greeting(
        self, object_id: str = OBJECT, flags: int = message.FLAGS_META_ON_CONNECT, serializer: int = 1
    ) -> bytes:
        data = SERPENT.dumps({"handshake": "hello", "object": object_id})
        return self.pyro(message.MSG_CONNECT, data, flags, serializer)

    def call(
        self, method: str, *arguments: Any, flags: int = 0, object_id: str = OBJECT, **named: Any
    ) -> bytes:
        data = SERPENT.dumpsCall(object_id, method, arguments, named)
        return self.pyro(message.MSG_INVOKE, data, flags)

    def written(self, method: str, arguments: bytes) -> bytes:
        """A call whose arguments no client could write."""
        data = f"# serpent utf-8 python3.2\n('{OBJECT}','{method}',".encode() + arguments + b",{})"
        return self.pyro(message.MSG_INVOKE, data)


class Client:
    """A client that says exactly what it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._say = Messages()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def greet(self) -> None:
        self.send(self._say.greeting())
        assert self.answer().type == message.MSG_CONNECTOK

    def call(self, method: str, *arguments: Any) -> Any:
        self.send(self._say.call(method, *arguments))
        return self.value()

    def answer(self) -> Any:
        return message.Message.recv(Pyro4.socketutil.SocketConnection(self.sock, keep_open=True))

    def value(self) -> Any:
        """What is answered; an exception is given and not raised."""
        answer = self.answer()
        assert answer.type == message.MSG_RESULT
        return SERPENT.deserializeData(answer.data)

    def is_hung_up_on(self) -> bool:
        """Wait for the other side to close, whatever it says before."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def is_open(self) -> bool:
        """Whether the other side has not closed."""
        self.sock.setblocking(False)
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        finally:
            self.sock.settimeout(BOUND_S)


class Served:
    """A target behind a port, and ways to reach it."""

    def __init__(self, patience_s: float, host: str) -> None:
        self.target = Target()
        self.refused: list[tuple[str, str, Any, str]] = []
        published = Exposed(
            OBJECT,
            self.target,
            open_methods=["report"],
            urgent_methods=["stop"],
            control_ips=[CONTROL_IP, "::1", "no address"],
            not_permitted=NOT_PERMITTED,
            busy=BUSY,
            refused=lambda *refusal: self.refused.append(refusal),
        )
        self.server = PyroServer(listen(host, 0, MANNER), published, patience_s)
        self.address = self.server.address
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self._stack = ExitStack()

    def close(self) -> None:
        self.target.go_on.set()
        self._stack.close()
        self.server.close()
        self.thread.join(BOUND_S)

    def proxy(self, object_id: str = OBJECT) -> Any:
        proxy = self._stack.enter_context(
            Pyro4.Proxy(f"PYRO:{object_id}@{self.address[0]}:{self.address[1]}")
        )
        proxy._pyroTimeout = BOUND_S
        return proxy

    def connect(self, source: str = CONTROL_IP) -> Client:
        """A client at an address, which has said nothing yet."""
        host = source if ":" in source else LOOPBACK
        sock = socket.create_connection((host, self.address[1]), BOUND_S, source_address=(source, 0))
        return Client(self._stack.enter_context(sock))

    def greeted(self, source: str = CONTROL_IP) -> Client:
        client = self.connect(source)
        client.greet()
        return client

    def ask(self, source: str = CONTROL_IP) -> dict[str, int]:
        """One status call of somebody else."""
        client = self.connect(source)
        try:
            client.greet()
            report: dict[str, int] = client.call("report")
            return report
        finally:
            client.sock.close()


@pytest.fixture
def say() -> Messages:
    """What a client may send."""
    return Messages()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves a target; `patience_s` as of a PyroServer, and where it listens."""
    made: list[Served] = []

    def make(patience_s: float = BOUND_S, host: str = LOOPBACK) -> Served:
        made.append(Served(patience_s, host))
        return made[-1]

    yield make
    for served in made:
        served.close()
        assert not served.thread.is_alive()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A served target, with all the patience that a test may need."""
    return serve()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for clients that wait."""
    with ThreadPoolExecutor(max_workers=40) as pool:
        yield pool


@pytest.fixture
def until() -> Callable[[Callable[[], Any], str], None]:
    """Wait until something holds."""

    def wait(holds: Callable[[], Any], what: str) -> None:
        deadline_s = time.monotonic() + BOUND_S
        while not holds():
            assert time.monotonic() < deadline_s, f"this never came: {what}"
            time.sleep(0.002)

    return wait


@pytest.fixture(autouse=True)
def _no_mistake_is_logged(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    mistakes = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert bool(mistakes) == ("a_mistake" in request.node.name)
