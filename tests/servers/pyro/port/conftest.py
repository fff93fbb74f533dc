"""A server of the Pyro port over a target that is no focuser, and clients that say exactly what they are told to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Callable

import Pyro4
import pytest

from rockit.focuser.ok3z.servers.pyro import Exposed
from rockit.focuser.ok3z.servers.pyro.later import AtEnd, Later
from tests.support.focusers import Gate
from tests.support.pyro import Messages, PyroClient, serving
from tests.support.waiting import BOUND_S

OBJECT = "the_object"
LOOPBACK, CONTROL_IP = "127.0.0.1", "127.0.0.1"
NOT_PERMITTED, BUSY = 3, 2


class Target:
    """Notes what is called, and lets `wait` calls wait."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.callers: list[Any] = []
        self.waiting = threading.Semaphore(0)
        self.go_on = Gate()
        self.go_on.close()
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
        end: Future[None] = Future()
        self.go_on.when_open(lambda: end.set_result(None))
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

    @Pyro4.expose  # type: ignore[prop-decorator]
    @property
    def attribute(self) -> int:
        raise AssertionError("nobody may read this")

    def hidden(self) -> int:
        raise AssertionError("nobody may call this")


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
        self._stack = ExitStack()
        self.server, self.thread = self._stack.enter_context(serving(published, host, patience_s))
        self.address = self.server.address

    def close(self) -> None:
        self.target.go_on.open()
        self._stack.close()

    def proxy(self, object_id: str = OBJECT) -> Any:
        proxy = self._stack.enter_context(
            Pyro4.Proxy(f"PYRO:{object_id}@{self.address[0]}:{self.address[1]}")
        )
        proxy._pyroTimeout = BOUND_S
        return proxy

    def connect(self, source: str = CONTROL_IP) -> PyroClient:
        """A client at an address, which has said nothing yet."""
        address = (source if ":" in source else LOOPBACK, self.address[1])
        client = PyroClient(address, Messages(OBJECT), source)
        self._stack.callback(client.sock.close)
        return client

    def greeted(self, source: str = CONTROL_IP) -> PyroClient:
        return self.connect(source).greet()

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
    return Messages(OBJECT)


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


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A served target, with all the patience that a test may need."""
    return serve()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for clients that wait."""
    with ThreadPoolExecutor(max_workers=40) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _no_mistake_is_logged(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    mistakes = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert bool(mistakes) == ("a_mistake" in request.node.name)
