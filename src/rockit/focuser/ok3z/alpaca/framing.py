"""Where a request ends, and which requests are not read at all. Pure.

aiohttp reads the requests; it has no limit for how long or how large a half-sent one may be in all. So the guard looks
for their ends first, and passes on one at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 8192
MAX_BODY_BYTES = 8192
HEAD_END = b"\r\n\r\n"

# An address on this server: no proxy is asked, and nothing is asked of the server as a whole.
_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} /[!-~]* HTTP/1\.[01]")
_LENGTH = re.compile(rb"[0-9]{1,10}")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# None of these is used by clients of this server, and each is a way to mean another end than was seen.
_REFUSED = {
    b"transfer-encoding": (411, "Send the length of the body (Content-Length); chunks are not read."),
    b"content-encoding": (415, "Send the body as it is; compressed ones are not read."),
}


class RefusedError(Exception):
    """A request that is not read.

    Args:
        status: of HTTP.
        sentence: for whoever wrote the client.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Head:
    """What the head of a request says of what follows.

    Args:
        body_bytes: how long its body is.
        is_last: nothing may follow on this connection.
    """

    body_bytes: int
    is_last: bool


def head_length(data: bytes) -> int:
    """How long the head at the beginning of `data` is, its empty line included; 0: it has not ended yet.

    Raises RefusedError where it is too long.
    """
    end = data.find(HEAD_END)
    if end > MAX_HEAD_BYTES - len(HEAD_END) or (end < 0 and len(data) >= MAX_HEAD_BYTES):
        raise RefusedError(431, f"The head of the request is larger than {MAX_HEAD_BYTES} bytes.")
    return end + len(HEAD_END) if end >= 0 else 0


def read_head(head: bytes) -> Head:
    """What a whole head says. Raises RefusedError."""
    request_line, *lines = head[: -len(HEAD_END)].split(b"\r\n")
    if b"\n" in head.replace(b"\r\n", b"") or b"\0" in head:
        raise RefusedError(400, "The head of the request is malformed: each line ends with CR LF.")
    if not _REQUEST_LINE.fullmatch(request_line):
        raise RefusedError(
            400, "The request is malformed: `GET /path HTTP/1.1` was expected in its first line."
        )
    lengths: set[bytes] = set()
    is_last = False
    for line in lines:
        name, value = _field(line)
        if name in _REFUSED:
            raise RefusedError(*_REFUSED[name])
        if name == b"expect" and value.lower() != b"100-continue":
            raise RefusedError(417, "That is more than this server can do.")
        if name == b"content-length":
            lengths.add(value)
        # Nothing is upgraded to; but readers of HTTP may take what follows such a request for something else.
        is_last = is_last or name == b"upgrade"
    return Head(_body_length(lengths), is_last)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise RefusedError(
            400, "The head of the request is malformed: `Name: value` was expected in each line."
        )
    return name.lower(), value.strip(b" \t")


def _body_length(lengths: set[bytes]) -> int:
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise RefusedError(400, "Content-Length is not one whole number.")
    if int(length) > MAX_BODY_BYTES:
        raise RefusedError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return int(length)
