"""Clients of the Pyro port that say exactly what they are told to, and proxies from any address of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import Pyro4
import pytest
from Pyro4 import message, util

from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.pyro import MANNER, Exposed, PyroServer
from tests.support.waiting import BOUND_S

SERPENT = util.get_serializer("serpent")
ONEWAY = message.FLAGS_ONEWAY
_connecting = threading.Lock()


class Messages:
    """What may be said to an object, in bytes: as a proxy says it, and as none would."""

    def __init__(self, object_id: str) -> None:
        self._object_id = object_id

    def pyro(
        self, kind: int, data: bytes, flags: int = 0, serializer: int = 1, annotations: Any = None
    ) -> bytes:
        """Any message."""
        return bytes(message.Message(kind, data, serializer, flags, 7, annotations).to_bytes())

    def greeting(self, object_id: str | None = None, serializer: int = 1) -> bytes:
        object_id = self._object_id if object_id is None else object_id
        data = SERPENT.dumps({"handshake": "hello", "object": object_id})
        return self.pyro(message.MSG_CONNECT, data, message.FLAGS_META_ON_CONNECT, serializer)

    def call(
        self, method: str, *arguments: Any, flags: int = 0, object_id: str | None = None, **named: Any
    ) -> bytes:
        object_id = self._object_id if object_id is None else object_id
        data = SERPENT.dumpsCall(object_id, method, arguments, named)
        return self.pyro(message.MSG_INVOKE, data, flags)

    def written(self, method: str, arguments: bytes, named: bytes = b"{}") -> bytes:
        """A call whose arguments no client could write."""
        begin = f"# serpent utf-8 python3.2\n('{self._object_id}','{method}',".encode()
        return self.pyro(message.MSG_INVOKE, begin + arguments + b"," + named + b")")


class PyroClient:
    """One connection, from an address of its own, which has said nothing yet."""

    def __init__(self, address: tuple[str, int], say: Messages, source: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection(address, BOUND_S, source_address=(source, 0))
        self._say = say

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def greet(self) -> PyroClient:
        self.send(self._say.greeting())
        assert self.answer().type == message.MSG_CONNECTOK
        return self

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


@contextmanager
def connecting_from(source: str) -> Iterator[None]:
    """What connects meanwhile does so from an address of this machine."""

    def from_there(*, connect: tuple[str, int] | None = None, **details: Any) -> socket.socket:
        if connect is None:
            return original(**details)
        return socket.create_connection(connect, details["timeout"], source_address=(source, 0))

    # Of two threads that do so at once, the second would put back what the first has put there.
    with _connecting, pytest.MonkeyPatch.context() as patch:
        original = Pyro4.socketutil.createSocket
        patch.setattr(Pyro4.socketutil, "createSocket", from_there)
        yield


@contextmanager
def proxy_from(uri: str, source: str = "127.0.0.1") -> Iterator[Any]:
    """A proxy that is connected, and whose connection comes from an address of this machine."""

    with Pyro4.Proxy(uri) as proxy:
        proxy._pyroTimeout = BOUND_S
        with connecting_from(source):
            proxy._pyroBind()
        yield proxy


@contextmanager
def serving(
    published: Exposed, host: str = "127.0.0.1", patience_s: float = BOUND_S
) -> Iterator[tuple[PyroServer, threading.Thread]]:
    """A server of an object on a thread of its own."""
    server = PyroServer(listen(host, 0, MANNER), published, patience_s)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server, thread
    finally:
        server.close()
        thread.join(BOUND_S)
        assert not thread.is_alive()
