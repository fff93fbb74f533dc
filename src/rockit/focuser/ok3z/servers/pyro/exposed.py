"""What is served: one object, which of its methods may be called by whom, and what is answered."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection, Sequence
from typing import Any, Callable, Union

import Pyro4
from Pyro4 import util
from Pyro4.errors import DaemonError, PyroError

from ..net.addresses import Addresses
from .connection import Connection
from .later import AtEnd, Later
from .message import (
    ASK_METADATA,
    PYRO_DAEMON,
    Call,
    Header,
    RefusedError,
    failure,
    metadata,
    read_arguments,
    read_flat_arguments,
    result,
)

_log = logging.getLogger(__name__)

Refused = Callable[[str, str, object, str], None]
Answer = Union[bytes, AtEnd, Later]


class Exposed:
    """One object, under one name. Its exposed methods can be called, and nothing else of it. None may wait: what is not
    known yet is answered with an `AtEnd` or a `Later`. Belongs to the port's thread.

    Args:
        object_id: the name.
        target: the object.
        open_methods: may be called by everybody, take no arguments, and are answered at once.
        questions: may be called by everybody, with a few plain arguments, and may be answered later.
        urgent_methods: are called however many others run.
        control_ips: the addresses from which all others may be called.
        not_permitted: the answer to such a call from elsewhere.
        busy: the answer to a call if too many run.
        refused: told of each call that does not reach the object: the caller's address, the method (empty if that
            cannot be read), the answer, and why in a sentence. Must not wait.
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
        questions: Collection[str] = (),
        refused: Refused = lambda *_: None,
    ) -> None:
        self.object_id = object_id
        self.methods: Sequence[str] = sorted(util.get_exposed_members(target)["methods"])
        self.not_permitted = not_permitted
        self.busy = busy
        self.refused = refused
        self._target = target
        self._shapes = {name: _Shape(getattr(target, name)) for name in self.methods}
        self._open_methods = frozenset(open_methods)
        self._questions = frozenset(questions)
        self._urgent_methods = frozenset(urgent_methods)
        self._control_addresses = Addresses(control_ips)

    def may_control(self, host: str) -> bool:
        """Whether a client at an address may call more than the open methods."""
        return host in self._control_addresses

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

    def is_question(self, call: Call) -> bool:
        """Whether a call is answered to everybody, if perhaps later."""
        return call.method in self._questions

    def answer_at_once(self, connection: Connection, header: Header, call: Call) -> bytes:
        """The answer to an open call."""
        if _asks_metadata(call):
            return result(header, metadata(self.methods))
        if call.has_arguments:
            return self._wrong(connection, header, call, "it takes no arguments.")
        answer = self._answer(connection, header, call, (), {})
        assert isinstance(answer, bytes), "an open method is answered at once"
        return answer

    def answer(self, connection: Connection, header: Header, call: Call, data: bytes) -> Answer:
        """The answer to a call of a client that may make it, or what it waits for."""
        if not call.has_arguments:
            return self._answer(connection, header, call, (), {})
        try:
            read = read_arguments if connection.may_control else read_flat_arguments
            positional, named = read(data)
        except RefusedError as error:
            return self._wrong(connection, header, call, str(error))
        return self._answer(connection, header, call, positional, named)

    def answer_after(self, header: Header, waited_for: AtEnd | Later) -> Answer:
        """The answer to a call that has waited, or what it goes on waiting for."""
        try:
            return _spoken(header, waited_for.answer())
        # SystemExit too means nothing here: the port's thread must live.
        except BaseException:
            return _mistake(header, "a call that has waited")

    def _wrong(self, connection: Connection, header: Header, call: Call, why: str) -> bytes:
        error = TypeError(f"{call.method}: {why}")
        self.refused(connection.address[0], call.method, error, why)
        return failure(header, error)

    def is_urgent(self, call: Call) -> bool:
        """Whether a call is never refused for want of room."""
        return call.method in self._urgent_methods

    def _answer(
        self,
        connection: Connection,
        header: Header,
        call: Call,
        positional: Sequence[Any],
        named: dict[str, Any],
    ) -> Answer:
        why_not = self._shapes[call.method].why_not(positional, named)
        if why_not:
            return self._wrong(connection, header, call, why_not)
        method = getattr(self._target, call.method)
        context = Pyro4.current_context
        context.client, context.client_sock_addr = connection, connection.address
        try:
            return _spoken(header, method(*positional, **named))
        # SystemExit too means nothing here: the port's thread must live.
        except BaseException:
            return _mistake(header, call.method)
        finally:
            context.client = context.client_sock_addr = None


class _Shape:
    """Which arguments a method takes. What a method is does not change, and to look at it takes long."""

    def __init__(self, method: Callable[..., object]) -> None:
        self._signature = inspect.signature(method)
        parameters = self._signature.parameters.values()
        self._most = len(parameters)
        self._least = sum(parameter.default is parameter.empty for parameter in parameters)

    def why_not(self, positional: Sequence[Any], named: dict[str, Any]) -> str:
        """Why it does not take these arguments, in a sentence; empty if it does."""
        if not named and self._least <= len(positional) <= self._most:
            return ""
        try:
            self._signature.bind(*positional, **named)
        except TypeError as error:
            return f"{error}."
        return ""


def _spoken(header: Header, value: object) -> Answer:
    return value if isinstance(value, (AtEnd, Later)) else result(header, value)


def _mistake(header: Header, where: str) -> bytes:
    _log.exception("a mistake in this program, in %s", where)
    return failure(header, PyroError(f"{where}: the daemon made a mistake; its log has the details."))


def _asks_metadata(call: Call) -> bool:
    # Proxies need nothing else of Pyro's own object, and only if the greeting did not tell them.
    return call.object_id == PYRO_DAEMON and call.method == ASK_METADATA
