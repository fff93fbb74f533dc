"""Clients that behave badly. Each leaves nothing open."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import ExitStack, suppress

from bench.rig import CALL_ERRORS, Rig

CONNECT_S = 5.0
GARBAGE_BYTES = 2000


def keep_silent(port: int, count: int, seconds: float) -> None:
    """Hold connections open and say nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            with suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), CONNECT_S))
        time.sleep(seconds)


def send_garbage(port: int, dice: random.Random) -> None:
    """Say what is no message, or the beginning of one, and go."""
    beginnings = (b"", b"PYRO", b"PYRO\x00\x30\x00\x01", b"GET / HTTP/1.0\r\n\r\n", b"#P081 F$\n")
    data = dice.choice(beginnings) + bytes(dice.randrange(256) for _ in range(dice.randrange(GARBAGE_BYTES)))
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), CONNECT_S) as client:
        client.sendall(data)


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
