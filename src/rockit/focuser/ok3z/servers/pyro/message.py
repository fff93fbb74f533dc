"""Pyro4's messages: what one asks for, read as plain text; its arguments, read as plain values; and the answers.

A message is a header of 24 bytes, annotations, and data. The data of a call is one Python literal: `('object',
'method', (arguments), {named arguments})`. Where it goes is read with a pattern, and no more of it unless the
caller is trusted with arguments.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from Pyro4 import constants, errors, message, util

# A call carries a few numbers. What is larger is no call, and takes long to read on the one thread; one without
# arguments is smaller still.
MAX_MESSAGE_BYTES = 4_000
MAX_OPEN_MESSAGE_BYTES = 1_000
HEADER_BYTES: int = message.Message.header_size
MAGIC = b"PYRO"
PYRO_DAEMON: str = constants.DAEMON_NAME
# The only call that proxies make to the daemon itself.
ASK_METADATA = "get_metadata"

# How numpy 2 writes its numbers, and serpent those that are of a class of Python's own too.
_NUMPY = b"np"
_NUMPY_NUMBERS = frozenset({"float64", "float32", "int64", "int32"})

_SERPENT = util.get_serializer("serpent")
_NAN = {"__class__": "float", "value": "nan"}
_NAME = rb"""u?(?:'([^'"\\]{1,200})'|"([^'"\\]{1,200})")"""
_CALL = re.compile(
    rb"# serpent utf-8 python\d\.\d\r?\n\s{0,9}\(\s{0,9}" + _NAME + rb"\s{0,9},\s{0,9}" + _NAME + rb"\s{0,9},"
)
_NO_ARGUMENTS = re.compile(rb"\s{0,9}(?:\(\s{0,9}\)|\[\s{0,9}\])\s{0,9},\s{0,9}\{\s{0,9}\}\s{0,9}\)\s{0,9}")
# The arguments of a stranger: a few numbers and short texts, one after the other.
_VALUE = (
    rb"""(?:None|[+-]?\d{1,20}(?:\.\d{0,20})?(?:e[+-]?\d{1,3})?|u?'[^'\\\r\n]{0,60}'|u?"[^"\\\r\n]{0,60}")"""
    rb"""\s{0,9},?\s{0,9}"""
)
_FLAT_ARGUMENTS = re.compile(
    rb"\s{0,9}[(\[]\s{0,9}(?:" + _VALUE + rb"){0,3}[)\]]\s{0,9},\s{0,9}"
    rb"\{\s{0,9}(?:u?'\w{1,20}'\s{0,9}:\s{0,9}" + _VALUE + rb"){0,3}\}\s{0,9}\)\s{0,9}"
)
_GREETED_OBJECT = re.compile(rb"""u?['"]object['"]\s{0,9}:\s{0,9}""" + _NAME)


class NotPyroError(Exception):
    """Whoever this is, it does not speak Pyro4."""


class RefusedError(Exception):
    """A message that is not taken. The text says what was seen and what is expected."""


@dataclass(frozen=True)
class Header:
    """What the first 24 bytes announce."""

    kind: int
    flags: int
    sequence: int
    serializer: int
    annotation_bytes: int
    data_bytes: int

    @property
    def body_bytes(self) -> int:
        """How many bytes follow the header."""
        return self.annotation_bytes + self.data_bytes

    @property
    def is_greeting(self) -> bool:
        return bool(self.kind == message.MSG_CONNECT)

    @property
    def is_ping(self) -> bool:
        return bool(self.kind == message.MSG_PING)

    @property
    def is_call(self) -> bool:
        return bool(self.kind == message.MSG_INVOKE)

    @property
    def wants_metadata(self) -> bool:
        return bool(self.flags & message.FLAGS_META_ON_CONNECT)

    @property
    def wants_no_answer(self) -> bool:
        return bool(self.is_call and self.flags & message.FLAGS_ONEWAY)

    def require_plain(self) -> None:
        """Raises RefusedError for another serializer than serpent, and for what no client needs."""
        if self.serializer != _SERPENT.serializer_id:
            raise RefusedError(f"serializer {self.serializer} is not taken. Use serpent.")
        allowed = message.FLAGS_ONEWAY if self.is_call else message.FLAGS_META_ON_CONNECT
        if self.flags & ~allowed:
            raise RefusedError(
                f"message flags {self.flags:#x} are not taken: no batches, streams, blobs or compressed data. "
                "Make one plain call at a time."
            )


@dataclass(frozen=True)
class Call:
    """Where a call goes; its arguments are not read yet."""

    object_id: str
    method: str
    has_arguments: bool


def read_header(data: bytes) -> Header:
    """Raises NotPyroError for what is no header."""
    try:
        found = message.Message.from_header(data)
    except errors.ProtocolError as error:
        raise NotPyroError(str(error)) from None
    if found.data_size < 0:
        raise NotPyroError("a negative size")
    return Header(
        found.type, found.flags, found.seq, found.serializer_id, found.annotations_size, found.data_size
    )


def greeted_object(data: bytes) -> str | None:
    """Which object a client greets, if it says."""
    found = _GREETED_OBJECT.search(data)
    return _text(found[1] or found[2]) if found else None


def read_call(data: bytes) -> Call:
    """Where a call goes. Raises RefusedError if that is not written as Pyro4 writes it."""
    found = _CALL.match(data)
    if not found:
        raise RefusedError("this is no call as Pyro4 writes it with serpent.")
    empty = _NO_ARGUMENTS.fullmatch(data, found.end())
    return Call(_text(found[1] or found[2]), _text(found[3] or found[4]), not empty)


# Python's parser complains of some wrong literals on stderr; the caller is told, and nobody else needs to know.
warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")


def read_flat_arguments(data: bytes) -> tuple[Sequence[Any], dict[str, Any]]:
    """The same of somebody who is not trusted with more than a few numbers and short texts: what is not written so is
    not parsed."""
    found = _CALL.match(data)
    if found is None or _FLAT_ARGUMENTS.fullmatch(data, found.end()) is None:
        raise RefusedError(
            "these arguments are not read. Up to three plain numbers or short texts were expected."
        )
    return read_arguments(data)


def read_arguments(data: bytes) -> tuple[Sequence[Any], dict[str, Any]]:
    """The arguments of a call: literals, and never an object of a class. A number of numpy's is that number.

    Raises RefusedError for what is no call.
    """
    try:
        written = ast.parse(data.decode(), mode="eval")
        if _NUMPY in data:
            written = _NumpyNumbers().visit(written)
        _, _, positional, named = ast.literal_eval(written)
        if not isinstance(positional, (list, tuple)) or not isinstance(named, dict):
            raise TypeError("no arguments")
    # Too deep, too long a number, no literal, no UTF-8: each Python's parser has its own errors for that.
    except Exception:
        raise RefusedError(
            "the arguments of this call cannot be read. Plain numbers were expected: use float(x)."
        ) from None
    return [_plain(value) for value in positional], {name: _plain(value) for name, value in named.items()}


class _NumpyNumbers(ast.NodeTransformer):
    """Puts `2.13` in the place of `np.float64(2.13)`, in what was parsed and is never run."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        kind = node.func
        is_number = (
            isinstance(kind, ast.Attribute)
            and isinstance(kind.value, ast.Name)
            and kind.value.id == "np"
            and kind.attr in _NUMPY_NUMBERS
            and len(node.args) == 1
            and not node.keywords
            and _is_number(node.args[0])
        )
        return node.args[0] if is_number else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        # Nobody writes a minus in front of such a number.
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        return node


def _is_number(node: ast.expr) -> bool:
    """Whether it is a number as Python writes it, with a minus or without."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def connected(greeting: Header, methods: Sequence[str]) -> bytes:
    """The answer to a greeting, with what can be called, if the client wants to know."""
    if not greeting.wants_metadata:
        return _message(message.MSG_CONNECTOK, "hello", greeting.sequence)
    welcome = {"handshake": "hello", "meta": metadata(methods)}
    return _message(message.MSG_CONNECTOK, welcome, greeting.sequence, message.FLAGS_META_ON_CONNECT)


def metadata(methods: Sequence[str]) -> dict[str, list[str]]:
    """What a proxy is told of an object."""
    return {"methods": list(methods), "oneway": [], "attrs": []}


def rejected(greeting: Header, why: str) -> bytes:
    return _message(message.MSG_CONNECTFAIL, why, greeting.sequence)


def pong(ping: Header) -> bytes:
    answer: bytes = message.Message(message.MSG_PING, b"pong", ping.serializer, 0, ping.sequence).to_bytes()
    return answer


class Prepared(bytes):
    """An answer as serpent writes it: long ones are written on another thread than the port's."""


def prepared(value: Any) -> Prepared:
    """Write an answer."""
    return Prepared(_SERPENT.dumps(value))


def result(call: Header, value: Any) -> bytes:
    return _message(message.MSG_RESULT, value, call.sequence)


def failure(call: Header, error: Exception) -> bytes:
    """What the caller's proxy raises: the error's class and text, and no traceback."""
    return _message(message.MSG_RESULT, error, call.sequence, message.FLAGS_EXCEPTION)


def _message(kind: int, content: Any, sequence: int, flags: int = 0) -> bytes:
    data = content if isinstance(content, Prepared) else _SERPENT.dumps(content)
    answer: bytes = message.Message(kind, data, _SERPENT.serializer_id, flags, sequence).to_bytes()
    return answer


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    # How serpent writes NaN. Pyro would make objects of other classes that are named so; here a dict stays one.
    return float("nan") if value == _NAN else value
