"""What may be unpacked of that which a daemon sends. Whoever listens at its address may send anything.

Pyro4 unpacks a greeting by whichever serializer the greeting names: by pickle too, which runs what it unpacks. And what
was raised there is raised here, also what ends a program.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable

import Pyro4
import Pyro4.errors
from Pyro4 import socketutil, util

# A status is 2 kB. Of so many bytes lists become some 30 MB.
MOST_ANSWER_BYTES = 100_000
# Those that make nothing but plain values and exceptions.
PLAIN = ("serpent", "json")

_greeting = threading.local()
_lock = threading.Lock()
_greetings = 0
_any_serializer = util.get_serializer_by_id


@contextmanager
def plain_handshake() -> Iterator[None]:
    """Meanwhile a greeting that this thread receives is unpacked as plain values, or not at all."""
    global _greetings
    with _lock:
        if _greetings == 0:
            util.get_serializer_by_id = _serializer_by_id
        _greetings += 1
    _greeting.is_expected = True
    try:
        yield
    finally:
        _greeting.is_expected = False
        with _lock:
            _greetings -= 1
            if _greetings == 0:
                util.get_serializer_by_id = _any_serializer


def _serializer_by_id(number: int) -> Any:
    # By their numbers: to Pyro all serializers are equal.
    plain = [util.get_serializer(name).serializer_id for name in PLAIN]
    if getattr(_greeting, "is_expected", False) and number not in plain:
        raise Pyro4.errors.SerializeError("its greeting is no plain value")
    return _any_serializer(number)


@contextmanager
def bounded_answers() -> Iterator[None]:
    """Meanwhile nothing is received that is larger than MOST_ANSWER_BYTES, also unpacked, or that comes too slowly; and
    nothing that a daemon raises ends this program.

    It holds for all of Pyro4 in this process, so a program may say it, and no library.
    """
    size_before = Pyro4.config.MAX_MESSAGE_SIZE
    serializers = [util.get_serializer(name) for name in PLAIN]
    Pyro4.config.MAX_MESSAGE_SIZE = MOST_ANSWER_BYTES
    receive = socketutil.receiveData
    socketutil.receiveData = partial(_received, receive)
    for serializer in serializers:
        # Of this one object, in front of what its class has.
        serializer.deserializeData = partial(_unpacked, serializer.loads)
    try:
        yield
    finally:
        Pyro4.config.MAX_MESSAGE_SIZE = size_before
        socketutil.receiveData = receive
        for serializer in serializers:
            del serializer.deserializeData


def _received(receive: Callable[[socket.socket, int], bytes], sock: socket.socket, size: int) -> bytes:
    """So many bytes within the time limit of the socket, which for Pyro is one of each piece."""
    timeout_s = sock.gettimeout()
    if not timeout_s:
        return receive(sock, size)
    deadline_s = time.monotonic() + timeout_s
    data = bytearray()
    try:
        while len(data) < size:
            # What is there already is taken also after a time in which this process was suspended.
            sock.settimeout(max(deadline_s - time.monotonic(), 0.001))
            piece = sock.recv(size - len(data))
            if not piece:
                raise Pyro4.errors.ConnectionClosedError("receiving: not enough data")
            data += piece
    except socket.timeout:
        raise Pyro4.errors.TimeoutError("receiving: timeout") from None
    except OSError as error:
        raise Pyro4.errors.ConnectionClosedError(f"receiving: connection lost: {error}") from error
    finally:
        with suppress(OSError):
            sock.settimeout(timeout_s)
    return bytes(data)


def _unpacked(loads: Callable[[bytes], Any], data: bytes, compressed: int = 0) -> Any:
    if compressed:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(data, MOST_ANSWER_BYTES)
        if unpacking.unconsumed_tail:
            raise Pyro4.errors.ProtocolError(f"more than {MOST_ANSWER_BYTES} bytes came")
    answer = loads(data)
    if isinstance(answer, BaseException) and not isinstance(answer, Exception):
        # SystemExit(0) would be a success, and KeyboardInterrupt a Ctrl-C that nobody typed.
        return Pyro4.errors.PyroError(f"{type(answer).__name__}: {answer}")
    return answer
