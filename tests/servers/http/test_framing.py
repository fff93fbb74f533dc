"""Where a request ends, and which are not read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.servers.http.framing import (
    MAX_BODY_BYTES,
    MAX_CONTROL_HEAD_BYTES,
    MAX_HEAD_BYTES,
    RefusedError,
    head_length,
    read_head,
)

LINE = b"PUT / HTTP/1.1\r\n"


def test_a_head_ends_with_its_empty_line() -> None:
    head = LINE + b"Host: a\r\n\r\n"
    assert all(head_length(head[:end]) == 0 for end in range(len(head)))
    assert head_length(head) == head_length(head + b"Position=1") == len(head)


@pytest.mark.parametrize("most_bytes", [MAX_HEAD_BYTES, MAX_CONTROL_HEAD_BYTES])
def test_a_head_may_be_so_large_and_no_larger(most_bytes: int) -> None:
    largest = LINE + b"A: " + b"x" * (most_bytes - len(LINE) - 7) + b"\r\n\r\n"
    assert head_length(largest, most_bytes) == most_bytes
    for too_large in (largest.replace(b"A:", b"AA:"), b"x" * most_bytes):
        with pytest.raises(RefusedError, match=f"larger than {most_bytes} bytes.*cookies") as refused:
            head_length(too_large, most_bytes)
        assert refused.value.status == 431


def test_a_head_says_how_long_the_body_is() -> None:
    for lines, length, is_last in (
        (b"", 0, False),
        (b"Content-Length: 12\r\n", 12, False),
        (b"content-length:12\r\nCONTENT-LENGTH: 12 \r\n", 12, False),
        (b"Upgrade: h2c\r\n", 0, True),
        (b"Expect: 100-Continue\r\n", 0, False),
    ):
        head = read_head(LINE + lines + b"\r\n")
        assert head.passed_on == LINE + lines + b"\r\n"
        assert (head.body_bytes, head.is_last, head.refusal) == (length, is_last, None), lines


def test_a_body_that_might_end_elsewhere_is_refused_and_the_head_goes_on_without_it() -> None:
    for lines, status in (
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: +1\r\n", 400),
        (b"Content-Length: 1, 1\r\n", 400),
        (b"Content-Length:\r\n", 400),
        (b"Content-Type: a/b\r\nContent-Type: a/b\r\n", 400),
        (b"Content-Length: %d\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 411),
        (b"Content-Encoding: gzip\r\n", 415),
        (b"Expect: wonders\r\n", 417),
    ):
        head = read_head(LINE + b"Host: a\r\n" + lines + b"Accept: b\r\n\r\n")
        assert head.refusal is not None, lines
        assert head.refusal.status == status, lines
        assert (head.passed_on, head.body_bytes) == (LINE + b"Host: a\r\nAccept: b\r\n\r\n", 0), lines
        assert head.is_last, "what comes next may be the body"


def test_a_slash_too_many_is_overlooked() -> None:
    rest = b" HTTP/1.1\r\nReferer: http://a//b/\r\n\r\n"
    for path, meant in (
        (b"/", b"/"),
        (b"//", b"/"),
        (b"//api/v1//x/", b"/api/v1/x"),
        (b"/setup///?a=//b/", b"/setup?a=//b/"),
        (b"//?/", b"/?/"),
        (b"/a/%2F/b", b"/a/%2F/b"),
    ):
        assert read_head(b"GET " + path + rest).passed_on == b"GET " + meant + rest


def test_a_head_that_cannot_be_read_is_refused() -> None:
    # Only addresses on this server are asked for.
    lines = (
        *(b"CONNECT a:1 HTTP/1.1", b"GET http://a/ HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET / HTTP/2.0"),
        *(b"GET /", b"GET  / HTTP/1.1", b"get / HTTP/1.1", b"GET /\xff HTTP/1.1", b""),
    )
    fields = (
        *(b"Content-Length : 1", b" Content-Length: 1", b"Content-Length 1"),
        *(b"Host: a\nContent-Length: 1", b"Host: a\0"),
    )
    for head in (*lines, *(LINE + field for field in fields)):
        with pytest.raises(RefusedError, match="malformed") as refused:
            read_head(head + b"\r\n\r\n")
        assert refused.value.status == 400, head


@given(st.binary(max_size=200))
def test_anything_is_a_head_or_refused(data: bytes) -> None:
    head = data + b"\r\n\r\n"
    status = 200
    try:
        read = read_head(head[: head_length(head)])
        assert 0 <= read.body_bytes <= MAX_BODY_BYTES
        status = read.refusal.status if read.refusal else 200
    except RefusedError as refused:
        status = refused.status
    assert status in (200, 400, 411, 413, 415, 417)
