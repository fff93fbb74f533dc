"""One connection: the message that comes in, and the answer that goes out, neither ever waited for."""

from __future__ import annotations

import socket

from .message import (
    HEADER_BYTES,
    MAGIC,
    MAX_MESSAGE_BYTES,
    MAX_OPEN_MESSAGE_BYTES,
    Header,
    NotPyroError,
    read_header,
)

DISCARDED_BYTES = 65536


class TooLargeError(Exception):
    """A message that announces more than is taken. Nothing of it was read but its header."""

    def __init__(self, header: Header, most_bytes: int) -> None:
        super().__init__(
            f"the message has {header.body_bytes} bytes; at most {most_bytes} are taken, and a call needs some hundred."
        )
        self.header = header


class Connection:
    """A client's socket. It holds one message at most, and one answer.

    Pyro's context of a call names it as the `client`, of which `rockit.common` looks at `sock`.
    """

    def __init__(self, sock: socket.socket, address: tuple[str, int], may_control: bool) -> None:
        self.sock = sock
        self.address = address
        self.may_control = may_control
        self.is_greeted = False
        # A call runs whose answer is waited for.
        self.is_busy = False
        # It was told why, and will be closed.
        self.is_leaving = False
        self.heard_s = 0.0
        # What of it the selector looks for: one of its EVENT_ numbers, or 0.
        self.watched_for = 0
        self._most_bytes = MAX_MESSAGE_BYTES if may_control else MAX_OPEN_MESSAGE_BYTES
        self._header: Header | None = None
        self._begun = bytearray()
        self._unsent = b""

    @property
    def owes(self) -> bool:
        """Whether it is the client's turn to end what was begun: a greeting, a message, an answer, a farewell."""
        has_begun = self._header is not None or bool(self._begun)
        return not self.is_greeted or self.is_leaving or has_begun or self.has_unsent

    @property
    def is_closed(self) -> bool:
        return self.sock.fileno() < 0

    @property
    def has_sent_more(self) -> bool:
        """Whether the client has sent something that was not read yet. Raises OSError if it is gone."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def receive(self) -> tuple[Header, bytes] | None:
        """The next message, header and data, once all of it is there; never reads beyond it.

        Raises NotPyroError, TooLargeError, and OSError if the client is gone.
        """
        while True:
            wanted = (self._header.body_bytes if self._header else HEADER_BYTES) - len(self._begun)
            if wanted and not self._read(wanted):
                return None
            if self._header:
                return self._take(self._header)
            self._header = read_header(bytes(self._begun))
            if self._header.body_bytes > self._most_bytes:
                raise TooLargeError(self._header, self._most_bytes)
            self._begun.clear()

    def discard(self) -> None:
        """Read what a leaving client still sends. Raises OSError when it has hung up."""
        if not self.sock.recv(DISCARDED_BYTES):
            raise ConnectionResetError

    def send(self, answer: bytes) -> None:
        """Send an answer, now or as soon as the client takes it. Raises OSError if the client is gone."""
        self._unsent += answer
        self.flush()

    def flush(self) -> None:
        """Send of what is unsent what the client takes now. Raises OSError if it is gone."""
        try:
            sent = self.sock.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]

    def _read(self, wanted: int) -> bool:
        """Read up to so many bytes; whether they all came."""
        try:
            data = self.sock.recv(wanted)
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionResetError
        self._begun += data
        if self._header is None and not self._begun.startswith(MAGIC[: len(self._begun)]):
            raise NotPyroError("no Pyro message")
        return len(data) == wanted

    def _take(self, header: Header) -> tuple[Header, bytes]:
        data = bytes(self._begun[header.annotation_bytes :])
        self._header = None
        self._begun = bytearray()
        return header, data
