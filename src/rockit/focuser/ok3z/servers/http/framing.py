"""Where a request ends, and which requests are not read at all. Pure.

aiohttp reads the requests; it has no limit for how long or how large a half-sent one may be in all. So the guard looks
for their ends first, and passes on one at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 8192
# Of a machine that may control: its browser sends the cookies of every other server of this machine along.
MAX_CONTROL_HEAD_BYTES = 32768
MAX_BODY_BYTES = 8192
HEAD_END = b"\r\n\r\n"

# An address on this server: no proxy is asked, and nothing is asked of the server as a whole.
_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} /[!-~]* HTTP/1\.[01]")
_LENGTH = re.compile(rb"[0-9]{1,10}")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SLASHES = re.compile(rb"/{2,}")
# What says where a body ends, or how it is to be read.
_OF_BODY = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"expect"}
)
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
    """What the head of a request says, and of what follows.

    Args:
        passed_on: the head as its handler shall read it: with one slash for several and none at the end of its path,
            and, if its body is refused, without what it says of that.
        body_bytes: how long its body is.
        is_last: nothing may follow on this connection.
        refusal: why its body is not read; None: it is. What needs no body, a halt above all, is done all the same.
    """

    passed_on: bytes
    body_bytes: int = 0
    is_last: bool = False
    refusal: RefusedError | None = None


def head_length(data: bytes, most_bytes: int = MAX_HEAD_BYTES) -> int:
    """How long the head at the beginning of `data` is, its empty line included; 0: it has not ended yet.

    Raises RefusedError if it is longer than `most_bytes`.
    """
    end = data.find(HEAD_END)
    if end > most_bytes - len(HEAD_END) or (end < 0 and len(data) >= most_bytes):
        raise RefusedError(
            431,
            f"The head of the request is larger than {most_bytes} bytes. Of a browser these are cookies that other "
            "servers of this machine have set: delete the cookies of this address, or call this server by another "
            "name or address of its machine.",
        )
    return end + len(HEAD_END) if end >= 0 else 0


def read_head(head: bytes) -> Head:
    """What a whole head says. Raises RefusedError if it cannot be told what is asked for, and of whom."""
    request_line, *lines = head[: -len(HEAD_END)].split(b"\r\n")
    if b"\n" in head.replace(b"\r\n", b"") or b"\0" in head:
        raise RefusedError(400, "The head of the request is malformed: each line ends with CR LF.")
    if not _REQUEST_LINE.fullmatch(request_line):
        raise RefusedError(
            400, "The request is malformed: `GET /path HTTP/1.1` was expected in its first line."
        )
    fields = [_field(line) for line in lines]
    # Nothing is upgraded to; but readers of HTTP may take what follows such a request for something else.
    is_last = any(name == b"upgrade" for name, _ in fields)
    request_line = _with_plain_path(request_line)
    try:
        return Head(_joined(request_line, lines), _body_length(fields), is_last)
    except RefusedError as refusal:
        kept = [line for line, (name, _) in zip(lines, fields) if name not in _OF_BODY]
        return Head(_joined(request_line, kept), is_last=True, refusal=refusal)


def _joined(request_line: bytes, lines: list[bytes]) -> bytes:
    return b"\r\n".join([request_line, *lines]) + HEAD_END


def _with_plain_path(request_line: bytes) -> bytes:
    """The request line as a program meant it that joined an address and a path with a slash too many."""
    method, target, version = request_line.split(b" ")
    path, mark, query = target.partition(b"?")
    path = _SLASHES.sub(b"/", path).rstrip(b"/") or b"/"
    return b" ".join([method, path + mark + query, version])


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise RefusedError(
            400, "The head of the request is malformed: `Name: value` was expected in each line."
        )
    return name.lower(), value.strip(b" \t")


def _body_length(fields: list[tuple[bytes, bytes]]) -> int:
    """How long the body is. Raises RefusedError if that is not sure, or if it is not read."""
    for name, value in fields:
        if name in _REFUSED:
            raise RefusedError(*_REFUSED[name])
        if name == b"expect" and value.lower() != b"100-continue":
            raise RefusedError(417, "That is more than this server can do.")
    if sum(name == b"content-type" for name, _ in fields) > 1:
        raise RefusedError(400, "The request has more than one Content-Type.")
    lengths = {value for name, value in fields if name == b"content-length"}
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise RefusedError(400, "Content-Length is not one whole number.")
    if int(length) > MAX_BODY_BYTES:
        raise RefusedError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return int(length)
