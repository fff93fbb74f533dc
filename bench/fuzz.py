"""A million messages at the Pyro port of a real daemon.

    .venv/bin/python -m bench.fuzz [COUNT] [--seed N]

Prints a JSON result. Exits with 1 if the daemon ended, made a mistake, grew or no longer answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from Pyro4 import message

from bench.conditions import conditions
from bench.interruption import watch_for_signals
from bench.mutations import PyroMessages
from bench.rig import OBJECT_NAME, Rig, Usage, idle_rig
from rockit.focuser.ok3z.servers.pyro import LOOK_UP_THREADS

COUNT = 1_000_000
CONTROL_IP, STRANGER_IP = "127.0.0.1", "127.0.0.2"
# One that is bad enough ends a conversation, and what follows it is not read.
MOST_MESSAGES = 2
KNOCKERS = 4
PATIENCE_S = 20.0
WARM_UP = 20_000
# Moves that come to be by chance must not take the time of a real one.
PORT = "sim://?start_mm=0.3&time_scale=1000&baud_pacing=0"
# Main, focuser, pyro, logs, journal.
OTHER_THREADS = 8
OTHER_FILES = 30
MEMORY_GROWTH_MB = 20.0
ANSWERS = {
    message.MSG_CONNECTOK: "welcomed",
    message.MSG_CONNECTFAIL: "rejected",
    message.MSG_RESULT: "answered",
    message.MSG_PING: "pong",
}


class Knocker:
    """Says things at a port, each conversation over a connection of its own, and counts what is answered."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self._address = ("127.0.0.1", port)
        self._dice = dice
        self._messages = PyroMessages(dice, OBJECT_NAME)
        self.answers: Counter[str] = Counter()
        self.sent = self.conversations = 0

    def converse(self) -> None:
        """Say one to MOST_MESSAGES things, wait until the other side has taken them, and be gone."""
        count = self._dice.randint(1, MOST_MESSAGES)
        greeting = self._messages.greeting() if self._dice.random() < 0.8 else b""
        said = greeting + b"".join(self._messages.next() for _ in range(count))
        source = self._dice.choice((CONTROL_IP, STRANGER_IP))
        answered = b""
        with socket.create_connection(self._address, PATIENCE_S, source_address=(source, 0)) as client:
            # A close without the minutes that the system would keep the port for.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # It may be hung up on before it came to its end.
            with contextlib.suppress(OSError):
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while data := client.recv(65536):
                    answered += data
        self._count(answered)
        self.sent += count
        self.conversations += 1

    def _count(self, answered: bytes) -> None:
        while len(answered) >= message.Message.header_size:
            header = message.Message.from_header(answered[: message.Message.header_size])
            refused = header.flags & message.FLAGS_EXCEPTION
            self.answers["refused" if refused else ANSWERS[header.type]] += 1
            answered = answered[message.Message.header_size + header.annotations_size + header.data_size :]


def fuzz(count: int, dice: random.Random) -> dict[str, Any]:
    """`count` messages at a daemon: what came of it, with a list of what should not have."""
    with idle_rig(serial_port=PORT) as target:
        target.start()
        knockers = [Knocker(target.port, random.Random(dice.random())) for _ in range(KNOCKERS)]
        began_s = time.monotonic()
        _knock(target, knockers, min(count // 5, WARM_UP))
        before = target.usage() if target.exit_code is None else None
        _knock(target, knockers, count)
        seconds = time.monotonic() - began_s
        return {
            "messages": sum(each.sent for each in knockers),
            "conversations": sum(each.conversations for each in knockers),
            "seconds": round(seconds, 1),
            "answers": dict(sorted(sum((each.answers for each in knockers), Counter[str]()).items())),
            "usage when warm": str(before),
            "usage at the end": str(target.usage() if target.exit_code is None else None),
            "wrong": _wrong_with(target, before),
        }


def _knock(target: Rig, knockers: Sequence[Knocker], count: int) -> None:
    """Have them say `count` messages in all, counted from their beginning."""

    def until_done(knocker: Knocker) -> None:
        while knocker.sent < count / len(knockers) and target.exit_code is None:
            knocker.converse()

    with ThreadPoolExecutor(max_workers=len(knockers)) as pool:
        list(pool.map(until_done, knockers))


def _wrong_with(target: Rig, before: Usage | None) -> list[str]:
    if before is None or target.exit_code is not None:
        return [f"the daemon ended with {target.exit_code}", *target.log.last]
    wrong = [f"the log tells of {target.log.mistakes} mistakes"] if target.log.mistakes else []
    if target.call("stop") not in (0, 1) or "status" not in target.status():
        wrong.append("the daemon does not answer as it should")
    now = target.usage()
    for name, value, most in (
        ("memory, MB", now.rss_mb, before.rss_mb + MEMORY_GROWTH_MB),
        ("threads", now.threads, LOOK_UP_THREADS + OTHER_THREADS),
        ("files", now.files, OTHER_FILES),
    ):
        if value > most:
            wrong.append(f"{name}: {value}, at most {most} was expected")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="bench.fuzz", description="Says to focusd what nobody should say.")
    parser.add_argument("count", type=int, nargs="?", default=COUNT, help="messages [1000000]")
    parser.add_argument("--seed", type=int, default=1, help="repeats a run but for its timing [1]")
    options = parser.parse_args(arguments)
    watch_for_signals()
    found = {**conditions(), "controller": PORT, "seed": options.seed}
    result = fuzz(options.count, random.Random(options.seed))
    print(json.dumps({**found, **result}, indent=1))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
