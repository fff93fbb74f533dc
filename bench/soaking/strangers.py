"""Clients that behave badly. Each leaves nothing open."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress

from bench.mutations import PyroMessages
from bench.rig import CALL_ERRORS, Rig

CONNECT_S = 5.0
# What a call by chance may take: a homing run.
TAKEN_S = 60.0
CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"
# One that is bad enough ends a conversation, and what follows it is not read.
MOST_MESSAGES = 2


def keep_silent(port: int, count: int, seconds: float) -> None:
    """Hold connections open and say nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            with suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), CONNECT_S))
        time.sleep(seconds)


def converse(port: int, dice: random.Random, messages: PyroMessages) -> None:
    """Say a few things that nobody should, from a machine that may control or from another, wait until they were taken,
    and be gone."""
    greeting = messages.greeting() if dice.random() < 0.8 else b""
    said = greeting + b"".join(messages.next() for _ in range(dice.randint(1, MOST_MESSAGES)))
    source = dice.choice((CONTROL_IP, STRANGER_IP))
    with socket.create_connection(("127.0.0.1", port), CONNECT_S, source_address=(source, 0)) as client:
        # A close without the minutes that the system would keep the port for.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.settimeout(TAKEN_S)
        # It may be hung up on before it came to its end.
        with suppress(OSError):
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while client.recv(65536):
                pass


def ask_and_leave(rig: Rig, target_mm: float, patience_s: float) -> None:
    """Ask for a move, and be gone before it ends."""
    with suppress(*CALL_ERRORS):
        rig.call("set_focus", target_mm, timeout_s=patience_s)


def crowd(rig: Rig, count: int, seconds: float) -> int:
    """Many clients that ask for the status as fast as they are answered; how many answers they got."""
    answers = [0] * count
    until_s = time.monotonic() + seconds

    def ask(number: int) -> None:
        with suppress(*CALL_ERRORS), rig.proxy(CONNECT_S) as proxy:
            while time.monotonic() < until_s:
                proxy.report_status()
                answers[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answers)
