"""Sockets that listen for connections."""

from __future__ import annotations

import contextlib
import socket
from typing import NamedTuple


class Manner(NamedTuple):
    """How connections come in, and what each that is accepted inherits.

    Args:
        backlog: how many may wait to be accepted. The system may allow fewer.
        buffer_bytes: of the system, for each connection and direction; None: as many as it likes.
        keep_alive: whether the system asks a peer that has been silent for long whether it is still there.
    """

    backlog: int
    buffer_bytes: int | None = None
    keep_alive: bool = False


def listen(host: str, port: int, manner: Manner) -> socket.socket:
    """A socket that listens and never waits. At `::` it listens on every IPv4 address too.

    Args:
        host: an address of this machine, or its name.
        port: 0: any that is free.
        manner: how connections come in.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Whatever the system is set to.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # An answer is short, and must not wait for the next one.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, manner.keep_alive)
        if manner.buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, manner.buffer_bytes)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, manner.buffer_bytes)
        listener.bind((host, port))
        listener.listen(manner.backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def stop_listening(listener: socket.socket) -> None:
    """Let nobody in any more: another process can listen there from now on. Who accepts gets EINVAL, once and for all.

    Any thread may call it, also if the one that accepts hangs; the socket stays open.
    """
    # One that was closed listens no more.
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
