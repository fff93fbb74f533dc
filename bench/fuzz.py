"""A million messages at the Pyro port of a real daemon, and a million frames at the reader of the wire.

    .venv/bin/python -m bench.fuzz [COUNT] [--seed N] [--json FILE]

Prints a JSON result. Ends with 1 where the daemon ended, made a mistake, grew or no
longer answers, or where the reader raised anything or kept more than its bound.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import Pyro4
from Pyro4 import message

from bench.conditions import conditions
from bench.idle import memory_mb
from bench.mutations import PyroMessages, WireFrames
from bench.rig import BIN, CONFIG, OBJECT_NAME, Workspace, end, wait_until, workspace
from rockit.focuser.ok3z.driver import protocol
from rockit.focuser.ok3z.errors import MalformedReplyError
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
MISTAKES = ("Traceback", "a mistake in this program")
GOOD_FRAME = b"\n#P081 F 12345$\n"
LINES_OF_LOG = 30


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
        begun = self._messages.greeting() if self._dice.random() < 0.8 else b""
        said = begun + b"".join(self._messages.next() for _ in range(count))
        source = self._dice.choice((CONTROL_IP, STRANGER_IP))
        with socket.create_connection(self._address, PATIENCE_S, source_address=(source, 0)) as client:
            # A close without the minutes that the system would keep the port for.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # It may be hung up on before it came to its end.
            with contextlib.suppress(OSError):
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)
            self._count(_all_of(client))
        self.sent += count
        self.conversations += 1

    def _count(self, answered: bytes) -> None:
        kinds = {
            message.MSG_CONNECTOK: "welcomed",
            message.MSG_CONNECTFAIL: "rejected",
            message.MSG_RESULT: "answered",
            message.MSG_PING: "pong",
        }
        while len(answered) >= message.Message.header_size:
            header = message.Message.from_header(answered[: message.Message.header_size])
            refused = header.flags & message.FLAGS_EXCEPTION
            self.answers["refused" if refused else kinds[header.type]] += 1
            answered = answered[message.Message.header_size + header.annotations_size + header.data_size :]


def _all_of(client: socket.socket) -> bytes:
    answered = b""
    with contextlib.suppress(ConnectionError):
        while data := client.recv(65536):
            answered += data
    return answered


class Target:
    """A daemon on a virtual controller in its own process."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._log_path = space.folder / "focusd.log"
        config = {**CONFIG, "serial_port": PORT}
        space.config_path.write_text(json.dumps(config), encoding="utf-8")
        with self._log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                [str(BIN / "focusd"), str(space.config_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=space.environment,
                start_new_session=True,
            )
        wait_until(lambda: "serving" in self.log, "focusd serves")

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def usage(self) -> dict[str, float]:
        """Memory in MB, threads and open files."""
        process = Path(f"/proc/{self.popen.pid}")
        return {
            "memory_mb": round(memory_mb(self.popen.pid)["VmRSS"], 1),
            "threads": len(list((process / "task").iterdir())),
            "files": len(list((process / "fd").iterdir())),
        }

    def call(self, method: str) -> Any:
        with Pyro4.Proxy(self._space.uri) as proxy:
            proxy._pyroTimeout = PATIENCE_S
            return getattr(proxy, method)()


def fuzz_pyro(count: int, dice: random.Random) -> dict[str, Any]:
    """`count` messages at a daemon: what came of it, with a list of what should not have."""
    with workspace() as space:
        target = Target(space)
        try:
            knockers = [Knocker(space.port, random.Random(dice.random())) for _ in range(KNOCKERS)]
            return _fuzz(target, knockers, count)
        finally:
            end(target.popen)


def _fuzz(target: Target, knockers: Sequence[Knocker], count: int) -> dict[str, Any]:
    began_s = time.monotonic()
    _knock(target, knockers, min(count // 5, WARM_UP))
    before = target.usage() if target.popen.poll() is None else {}
    _knock(target, knockers, count)
    seconds = time.monotonic() - began_s
    wrong = _wrong_with(target, before)
    answers = sum((knocker.answers for knocker in knockers), Counter[str]())
    return {
        "messages": sum(knocker.sent for knocker in knockers),
        "conversations": sum(knocker.conversations for knocker in knockers),
        "seconds": round(seconds, 1),
        "answers": dict(sorted(answers.items())),
        "usage_warmed_up": before,
        "usage_at_the_end": target.usage() if target.popen.poll() is None else None,
        "wrong": wrong,
    }


def _knock(target: Target, knockers: Sequence[Knocker], count: int) -> None:
    """Have them say `count` messages in all, counted from their beginning."""

    def until_done(knocker: Knocker) -> None:
        while knocker.sent < count / len(knockers) and target.popen.poll() is None:
            knocker.converse()

    with ThreadPoolExecutor(max_workers=len(knockers)) as pool:
        list(pool.map(until_done, knockers))


def _wrong_with(target: Target, before: dict[str, float]) -> list[str]:
    if target.popen.poll() is not None:
        return [f"the daemon ended with {target.popen.returncode}", *target.log.splitlines()[-LINES_OF_LOG:]]
    wrong = [f"the log has {text!r}" for text in MISTAKES if text in target.log]
    if target.call("stop") not in (0, 1) or "status" not in target.call("report_status"):
        wrong.append("the daemon does not answer as it should")
    usage = target.usage()
    bounds = {
        "memory_mb": before["memory_mb"] + MEMORY_GROWTH_MB,
        "threads": LOOK_UP_THREADS + OTHER_THREADS,
        "files": OTHER_FILES,
    }
    wrong += [
        f"{key}: {usage[key]}, at most {bounds[key]} was expected"
        for key in bounds
        if usage[key] > bounds[key]
    ]
    return wrong


def fuzz_wire(count: int, dice: random.Random) -> dict[str, Any]:
    """`count` frames at the reader of the wire, and a good one after each hundred, which must be found."""
    frames, parser, seen, wrong = WireFrames(dice), protocol.ReplyParser(), Counter[str](), list[str]()
    began_s = time.monotonic()
    for number in range(1, count + 1):
        data = frames.next()
        try:
            received = parser.feed(data)
            seen.update(_read(reply) for reply in received.replies)
            seen["noise"] += len(received.noise)
            if number % 100 == 0:
                replies = parser.feed(GOOD_FRAME).replies
                if not replies or protocol.read_register(replies[-1]) != 12345:
                    wrong.append(f"a good frame was not found after frame {number}: {data!r}")
        except Exception as error:
            wrong.append(f"frame {number} raised {error!r}: {data!r}")
    if len(parser.reset()) > protocol.MAX_LINE_BYTES:
        wrong.append("the reader kept more than its bound")
    return {
        "frames": count,
        "seconds": round(time.monotonic() - began_s, 1),
        "seen": dict(sorted(seen.items())),
        "wrong": wrong,
    }


def _read(reply: protocol.Reply) -> str:
    readers = {"P081": protocol.read_register, "S004": protocol.read_stands_still, "S052": protocol.read_text}
    if reply.code not in readers:
        return "an answer to no question"
    try:
        readers[reply.code](reply)
    except MalformedReplyError:
        return "malformed"
    return "read"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _parser().parse_args(arguments)
    result = {
        "seed": options.seed,
        "conditions": {**conditions(), "controller": PORT},
        "wire": fuzz_wire(options.count, random.Random(options.seed)),
        "pyro": fuzz_pyro(options.count, random.Random(options.seed)),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if result["wire"]["wrong"] or result["pyro"]["wrong"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.fuzz", description="Says to focusd what nobody should say.")
    parser.add_argument("count", type=int, nargs="?", default=COUNT, help="messages, and frames [1000000]")
    parser.add_argument("--seed", type=int, default=1, help="repeats a run but for its timing [1]")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
