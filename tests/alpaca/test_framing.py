"""Where a request ends, and which are not read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.alpaca.framing import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    Head,
    RefusedError,
    head_length,
    read_head,
)

LINE = b"PUT / HTTP/1.1\r\n"


def test_a_head_ends_with_its_empty_line() -> None:
    head = LINE + b"Host: a\r\n\r\n"
    assert all(head_length(head[:end]) == 0 for end in range(len(head)))
    assert head_length(head) == head_length(head + b"Position=1") == len(head)


def test_a_head_may_be_so_large_and_no_larger() -> None:
    largest = LINE + b"A: " + b"x" * (MAX_HEAD_BYTES - len(LINE) - 7) + b"\r\n\r\n"
    assert head_length(largest) == MAX_HEAD_BYTES
    for too_large in (largest.replace(b"A:", b"AA:"), b"x" * MAX_HEAD_BYTES):
        with pytest.raises(RefusedError) as refused:
            head_length(too_large)
        assert refused.value.status == 431


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        (b"", Head(0, False)),
        (b"Content-Length: 12\r\n", Head(12, False)),
        (b"content-length:12\r\nCONTENT-LENGTH: 12 \r\n", Head(12, False)),
        (b"Upgrade: h2c\r\n", Head(0, True)),
        (b"Expect: 100-Continue\r\n", Head(0, False)),
    ],
)
def test_a_head_says_how_long_the_body_is(lines: bytes, head: Head) -> None:
    assert read_head(LINE + lines + b"\r\n") == head


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: +1\r\n", 400),
        (b"Content-Length: 1, 1\r\n", 400),
        (b"Content-Length:\r\n", 400),
        (b"Content-Length : 1\r\n", 400),
        (b" Content-Length: 1\r\n", 400),
        (b"Content-Length 1\r\n", 400),
        (b"Host: a\nContent-Length: 1\r\n", 400),
        (b"Host: a\0\r\n", 400),
        (b"Content-Length: %d\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Content-Encoding: gzip\r\n", 415),
        (b"Expect: wonders\r\n", 417),
    ],
)
def test_what_might_end_elsewhere_is_refused(lines: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        read_head(LINE + lines + b"\r\n")
    assert refused.value.status == status


@pytest.mark.parametrize(
    "line",
    [
        b"CONNECT a:1 HTTP/1.1",
        b"GET http://a/ HTTP/1.1",
        b"GET http://[ HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"",
    ],
)
def test_only_addresses_on_this_server_are_asked_for(line: bytes) -> None:
    with pytest.raises(RefusedError, match="malformed") as refused:
        read_head(line + b"\r\n\r\n")
    assert refused.value.status == 400


@given(st.binary(max_size=200))
def test_anything_is_a_head_or_refused(data: bytes) -> None:
    head = data + b"\r\n\r\n"
    status = 200
    try:
        assert 0 <= read_head(head[: head_length(head)]).body_bytes <= MAX_BODY_BYTES
    except RefusedError as refused:
        status = refused.status
    assert status in (200, 400, 411, 413, 415, 417)
