"""Messages that nobody should send: good ones, hostile ones, and both with something wrong in them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from Pyro4 import message, util

MOST_CHANGES = 4
LONGEST_RANDOM = 400
# Of a Pyro header: where its checksum is, and the fields before it.
FIELDS = struct.Struct("!4sHHHHiHHH")
CHECKSUM = struct.Struct("!H")

# As text, for most of them no client could write.
HOSTILE_ARGUMENTS: tuple[bytes, ...] = (
    b"(" * 150 + b")" * 150,
    b"[" * 3000,
    b"-" * 3800 + b"1",
    b"1+" * 1900 + b"1",
    b"9" * 3800,
    b"0x" + b"f" * 3800,
    b"1e999999,",
    b"(1e400,-1e400)",
    b"('" + b"x" * 3800 + b"',)",
    b"(b'\\x00\\xff',)",
    b"({1,2,3},)",
    b"(1,2,3,4,5,6,7,8,9)",
    b"({'__class__':'float','value':'nan'},)",
    b"({'__class__':'Pyro4.core.Proxy','state':('PYRO:x@127.0.0.1:1',(),(),(),1,None,'hello',0,None)},)",
    b"({'__class__':'Pyro4.core.Daemon','state':()},)",
    b"({'__class__':'Pyro4.util.PickleSerializer'},)",
    b"({'__class__':'builtins.SystemExit','__exception__':True,'args':(1,)},)",
    b"({'__class__':'x.__class__'},)",
    b"(__import__('os'),)",
    b"(lambda:1,)",
    b"(True,None,...)",
    b"({(1,2):{3:[4]}},)",
    b"('\xff\xfe',)",
    b"(\x00,)",
)
# Three megabytes in three kilobytes.
BOMB = zlib.compress(b"(" + b" " * 3_000_000 + b")", 9)
METHODS = ("initialize", "shutdown", "set_focus", "stop", "report_status", "audit")
STRANGE_METHODS = (
    "__getattr__",
    "__setattr__",
    "__class__",
    "__init__",
    "_command",
    "<batch>",
    "x.y",
    "exit",
)
DAEMON_METHODS = ("get_metadata", "registered", "info", "ping", "get_next_stream_item", "close_stream")


class PyroMessages:
    """An endless supply of messages for a Pyro port that serves the object `object_id`."""

    def __init__(self, dice: random.Random, object_id: str) -> None:
        self._dice = dice
        self._object_id = object_id
        self._serpent = util.get_serializer("serpent")
        self._kinds: Sequence[Callable[[], bytes]] = (
            self.greeting,
            self._ping,
            self._call,
            self._call,
            self._hostile_call,
            self._strange_call,
            self._other_serializer,
            self._compressed,
            self._random_fields,
            self._noise,
        )

    def greeting(self) -> bytes:
        """A good one."""
        data = self._serpent.dumps({"handshake": "hello", "object": self._object_id})
        return self._message(message.MSG_CONNECT, data, flags=message.FLAGS_META_ON_CONNECT)

    def next(self) -> bytes:
        """A message; most are spoiled."""
        data = self._dice.choice(self._kinds)()
        return data if self._dice.random() < 0.3 else self.spoiled(data)

    def spoiled(self, data: bytes) -> bytes:
        """The same with some bytes changed, half of the time with a checksum that fits."""
        spoiled = mutated(self._dice, data)
        return with_checksum(spoiled) if self._dice.random() < 0.5 else spoiled

    def _message(self, kind: int, data: bytes, serializer: int = 1, flags: int = 0) -> bytes:
        sequence = self._dice.randrange(65536)
        annotations = {"CORR": self._dice.randbytes(16)} if self._dice.random() < 0.5 else {}
        return bytes(message.Message(kind, data, serializer, flags, sequence, annotations).to_bytes())

    def _ping(self) -> bytes:
        return self._message(message.MSG_PING, b"ping", 42)

    def _call(self) -> bytes:
        method = self._dice.choice(METHODS)
        arguments: tuple[Any, ...] = ()
        if method == "set_focus":
            arguments = (self._dice.choice((0.5, 1, 2.5, -1, 1e9, float("nan"), "abc", None, True, [], {})),)
        flags = message.FLAGS_ONEWAY if self._dice.random() < 0.1 else 0
        data = self._serpent.dumpsCall(self._object_id, method, arguments, {})
        return self._message(message.MSG_INVOKE, data, flags=flags)

    def _hostile_call(self) -> bytes:
        method = self._dice.choice(METHODS).encode()
        arguments = self._dice.choice(HOSTILE_ARGUMENTS)
        head = b"# serpent utf-8 python3.2\n('" + self._object_id.encode() + b"','" + method + b"',"
        return self._message(message.MSG_INVOKE, head + arguments + b",{})")

    def _strange_call(self) -> bytes:
        objects = (self._object_id, "Pyro.Daemon", "x" * 300, "")
        method = self._dice.choice(STRANGE_METHODS + DAEMON_METHODS)
        data = self._serpent.dumpsCall(self._dice.choice(objects), method, (self._object_id, 1), {"a": 2})
        return self._message(message.MSG_INVOKE, data, flags=1 << self._dice.randrange(8))

    def _other_serializer(self) -> bytes:
        name = self._dice.choice(("pickle", "marshal", "json"))
        serializer = util.get_serializer(name)
        data = serializer.dumpsCall(self._object_id, "set_focus", (1.0,), {})
        return self._message(message.MSG_INVOKE, data, serializer.serializer_id)

    def _compressed(self) -> bytes:
        return self._message(message.MSG_INVOKE, BOMB, flags=message.FLAGS_COMPRESSED)

    def _random_fields(self) -> bytes:
        roll = self._dice.randrange
        size = roll(-(2**31), 2**31) if self._dice.random() < 0.5 else roll(100)
        fields = FIELDS.pack(b"PYRO", 48, roll(8), roll(128), roll(65536), size, roll(8), roll(100), 0)
        return with_checksum(fields + b"\0\0" + self._dice.randbytes(roll(200)))

    def _noise(self) -> bytes:
        return self._dice.randbytes(self._dice.randrange(LONGEST_RANDOM))


def with_checksum(data: bytes) -> bytes:
    """A Pyro message whose checksum fits its header, whatever is in it."""
    if len(data) < FIELDS.size + CHECKSUM.size:
        return data
    _, version, kind, flags, sequence, size, serializer, annotations, _ = FIELDS.unpack_from(data)
    total = kind + version + size + annotations + flags + serializer + sequence
    checksum = CHECKSUM.pack((total + message.Message.checksum_magic) & 0xFFFF)
    return data[: FIELDS.size] + checksum + data[FIELDS.size + CHECKSUM.size :]


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Bytes with one to MOST_CHANGES changes: flipped, replaced, cut out, put in, doubled, or cut off."""
    spoiled = bytearray(data)
    for _ in range(dice.randint(1, MOST_CHANGES)):
        _change(dice, spoiled)
    return bytes(spoiled)


def _change(dice: random.Random, data: bytearray) -> None:
    at = dice.randrange(len(data) + 1)
    until = min(len(data), at + dice.randint(1, 8))
    kind = dice.randrange(6)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << dice.randrange(8)
    elif kind == 1:
        data[at:until] = dice.randbytes(until - at)
    elif kind == 2:
        del data[at:until]
    elif kind == 3:
        data[at:at] = dice.randbytes(dice.randint(1, 8))
    elif kind == 4:
        data[at:at] = data[at:until] * dice.randint(1, 3)
    elif kind == 5:
        del data[at:]
