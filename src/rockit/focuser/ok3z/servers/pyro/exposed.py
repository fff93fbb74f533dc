"""What is served: one object, which of its methods wait, and who may call them."""

from __future__ import annotations

import inspect
import ipaddress
import logging
from collections.abc import Collection, Sequence
from typing import Any, Callable

import Pyro4
from Pyro4 import util
from Pyro4.errors import DaemonError, PyroError

from ..net.lane import Lane
from .connection import Connection
from .later import Later
from .message import (
    ASK_METADATA,
    PYRO_DAEMON,
    Call,
    Header,
    RefusedError,
    failure,
    metadata,
    read_arguments,
    result,
)

_log = logging.getLogger(__name__)

# Of the calls that wait one does the work and the others are refused at once, so this is more than enough.
CONTROL_THREADS = 16
URGENT_THREADS = 8
# Each connection may wait with one urgent call.
URGENT_WAITING = 4000


Refused = Callable[[str, str, object, str], None]


def _nobody_is_told(address: str, method: str, answer: object, why: str) -> None:
    pass


class Exposed:
    """One object, under one name. Its exposed methods can be called, and nothing else of it.

    Args:
        object_id: the name.
        target: the object.
        open_methods: may be called by everybody, take no arguments, and never wait.
        urgent_methods: have threads of their own, so that they never wait for the others.
        control_ips: the addresses from which all but the open methods may be called.
        not_permitted: the answer to such a call from elsewhere.
        busy: the answer to a call for which no thread is free.
        refused: told of each call that does not reach the object: the caller's address, the method (empty where that
            cannot be read), the answer, and why in a sentence. On several threads; must not wait.
    """

    def __init__(
        self,
        object_id: str,
        target: object,
        *,
        open_methods: Collection[str],
        urgent_methods: Collection[str],
        control_ips: Collection[str],
        not_permitted: object,
        busy: object,
        refused: Refused = _nobody_is_told,
    ) -> None:
        self.object_id = object_id
        self.methods: Sequence[str] = sorted(util.get_exposed_members(target)["methods"])
        self.not_permitted = not_permitted
        self.busy = busy
        self.refused = refused
        self._target = target
        self._open_methods = frozenset(open_methods)
        self._urgent_methods = frozenset(urgent_methods)
        self._control_addresses = frozenset(_address(text) for text in control_ips)
        self._control = Lane("pyro-control", CONTROL_THREADS, waiting=0)
        self._urgent = Lane("pyro-urgent", URGENT_THREADS, waiting=URGENT_WAITING)

    def may_control(self, host: str) -> bool:
        """Whether a client at an address may call more than the open methods."""
        address = _address(host)
        return address is not None and address in self._control_addresses

    def why_unknown(self, call: Call) -> Exception | None:
        """What to answer to a call that goes nowhere; None: it goes somewhere."""
        if _asks_metadata(call):
            return None
        if call.object_id != self.object_id:
            error: Exception = DaemonError("unknown object")
            return error
        if call.method not in self.methods:
            return AttributeError(f"there is no such method; there are: {', '.join(self.methods)}.")
        return None

    def is_open(self, call: Call) -> bool:
        """Whether a call is answered to everybody, and at once."""
        return _asks_metadata(call) or call.method in self._open_methods

    def answer_at_once(self, connection: Connection, header: Header, call: Call) -> bytes:
        """The answer to an open call."""
        if _asks_metadata(call):
            return result(header, metadata(self.methods))
        if call.has_arguments:
            return self._wrong(connection, header, call, "it takes no arguments.")
        answer = self._answer(connection, header, call, (), {})
        assert isinstance(answer, bytes), "an open method never waits"
        return answer

    def answer(self, connection: Connection, header: Header, call: Call, data: bytes) -> bytes | Later:
        """The answer to a call that may wait, of a client that may control."""
        try:
            positional, named = read_arguments(data)
        except RefusedError as error:
            return self._wrong(connection, header, call, str(error))
        return self._answer(connection, header, call, positional, named)

    def answer_later(self, header: Header, later: Later) -> bytes:
        """The answer to a call that has waited for news."""
        try:
            return result(header, later.answer())
        except Exception:
            return _mistake(header, "a call that waited for news")

    def _wrong(self, connection: Connection, header: Header, call: Call, why: str) -> bytes:
        error = TypeError(f"{call.method}: {why}")
        self.refused(connection.address[0], call.method, error, why)
        return failure(header, error)

    def is_urgent(self, call: Call) -> bool:
        """Whether a call has threads of its own."""
        return call.method in self._urgent_methods

    def lane_of(self, call: Call) -> Lane:
        """The threads for a call that may wait."""
        return self._urgent if self.is_urgent(call) else self._control

    def close(self) -> None:
        """End the threads. Those whose call still runs end after it."""
        self._control.close()
        self._urgent.close()

    def _answer(
        self,
        connection: Connection,
        header: Header,
        call: Call,
        positional: Sequence[Any],
        named: dict[str, Any],
    ) -> bytes | Later:
        method = getattr(self._target, call.method)
        try:
            inspect.signature(method).bind(*positional, **named)
        except TypeError as error:
            return self._wrong(connection, header, call, f"{error}.")
        context = Pyro4.current_context
        context.client, context.client_sock_addr = connection, connection.address
        try:
            value = method(*positional, **named)
            return value if isinstance(value, Later) else result(header, value)
        except Exception:
            return _mistake(header, call.method)
        finally:
            context.client = context.client_sock_addr = None


def _mistake(header: Header, where: str) -> bytes:
    _log.exception("a mistake in this program, in %s", where)
    return failure(header, PyroError(f"{where}: the daemon made a mistake; its log has the details."))


def _asks_metadata(call: Call) -> bool:
    # Proxies need nothing else of Pyro's own object, and only where the greeting did not tell them.
    return call.object_id == PYRO_DAEMON and call.method == ASK_METADATA


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
