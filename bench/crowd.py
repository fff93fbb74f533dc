"""A crowd at a port of the daemon: clients that ask again and again, connections that say nothing, and rude ones.

    .venv/bin/python -m bench.crowd pyro|alpaca PORT CLIENTS ASKS_PER_S SILENT HALVES

As a process of its own, it says when all are there, and ends when its stdin does. It then prints how many questions
were answered, of how many.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from Pyro4 import message, util

from bench.rig import OBJECT_NAME, PATIENCE_S, BenchError

PROJECT = Path(__file__).parents[1]
ANSWER_TIMEOUT_S = 5.0
PAUSE_S = 0.05
# Files beside the connections.
SPARE_FILES = 64
MEMBERS = ("position", "ismoving", "devicestate", "connected")
# What one program sends as its ClientID: all are one client, which the benchmark has connected.
CLIENT_ID = 1
SERPENT = util.get_serializer("serpent")
GREETING: bytes = message.Message(
    message.MSG_CONNECT,
    SERPENT.dumps({"handshake": "hello", "object": OBJECT_NAME}),
    1,
    message.FLAGS_META_ON_CONNECT,
    0,
).to_bytes()
QUESTION: bytes = message.Message(
    message.MSG_INVOKE, SERPENT.dumpsCall(OBJECT_NAME, "report_status", (), {}), 1, 0, 1
).to_bytes()


class Asker:
    """One client, over one connection. A question that fails is counted, and the connection is made anew."""

    def __init__(self, port: int, period_s: float) -> None:
        self._port = port
        self._period_s = period_s
        self.asked = self.answered = 0
        self.is_over = False

    async def run(self) -> None:
        """Ask until it is over."""
        await asyncio.sleep(random.uniform(0, self._period_s))
        while not self.is_over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(self._period_s)
                continue
            try:
                await self._ask_on(reader, writer)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError):
                continue
            finally:
                writer.close()

    async def _ask_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        await self.greet(reader, writer)
        next_s = clock()
        while not self.is_over:
            self.asked += 1
            writer.write(self.question())
            await asyncio.wait_for(self.answer(reader), ANSWER_TIMEOUT_S)
            self.answered += 1
            next_s = max(next_s + self._period_s, clock() - self._period_s)
            await asyncio.sleep(max(0.0, next_s - clock()))

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        await asyncio.wait_for(self.answer(reader), ANSWER_TIMEOUT_S)

    def question(self) -> bytes:
        return QUESTION

    async def answer(self, reader: asyncio.StreamReader) -> None:
        """Read an answer. Raises ValueError where it is no success."""
        header = message.Message.from_header(await reader.readexactly(message.Message.header_size))
        await reader.readexactly(header.annotations_size + header.data_size)
        if header.type == message.MSG_CONNECTFAIL or header.flags & message.FLAGS_EXCEPTION:
            raise ValueError("no success")


class AlpacaProgram(Asker):
    """A client of the Alpaca port."""

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing needs to be said first."""

    def question(self) -> bytes:
        path = f"/api/v1/focuser/0/{MEMBERS[self.asked % len(MEMBERS)]}?ClientID={CLIENT_ID}"
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode("ascii")

    async def answer(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
        if not head.startswith(b"HTTP/1.1 200 ") or b'"ErrorNumber": 0,' not in body:
            raise ValueError(f"no success: {head!r}{body!r}")


async def loiter(port: int, said: bytes, endless: bool, is_there: Callable[[], None]) -> None:
    """Say something, or nothing, and be there; endlessly, and without ever reading. Made anew when it is hung up on."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(PAUSE_S)
            continue
        writer.write(said)
        is_there()
        with contextlib.suppress(OSError):
            while endless:
                writer.write(QUESTION * 50)
                await writer.drain()
            await reader.read()
        writer.close()


async def be(askers: list[Asker], port: int, silent: int, halves: int) -> None:
    """Be a crowd until stdin ends."""
    said = [b""] * silent + [GREETING[: part % len(GREETING)] for part in range(1, halves + 1)]
    said += [GREETING + QUESTION[:-1]] * halves
    present: list[bool] = []
    others = [asyncio.ensure_future(loiter(port, each, False, lambda: present.append(True))) for each in said]
    if halves:
        others.append(asyncio.ensure_future(loiter(port, GREETING, True, lambda: present.append(True))))
    tasks = [asyncio.ensure_future(asker.run()) for asker in askers]
    patience_s = PATIENCE_S
    while len(present) < len(others) or not all(asker.answered for asker in askers):
        await asyncio.sleep(PAUSE_S)
        patience_s -= PAUSE_S
        if patience_s < 0:
            raise SystemExit("The crowd is not let in.")
    print("all are there", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # Told, and not cancelled: before Python 3.12 wait_for() may lose a cancellation.
    for asker in askers:
        asker.is_over = True
    await asyncio.gather(*tasks)
    for each in others:
        each.cancel()
    print(sum(asker.answered for asker in askers), sum(asker.asked for asker in askers))


def main(kind: str, port: int, clients: int, asks_per_s: float, silent: int, halves: int) -> None:
    needed = clients + silent + 2 * halves + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    made = {"pyro": Asker, "alpaca": AlpacaProgram}[kind]
    asyncio.run(be([made(port, 1 / asks_per_s) for _ in range(clients)], port, silent, halves))


@dataclass
class Crowd:
    """A crowd, as who has called it sees it; what part of its questions was answered is known once it is over."""

    answered_percent: float = 0.0


@contextmanager
def crowd(
    kind: str, port: int, clients: int, asks_per_s: float, silent: int = 0, halves: int = 0
) -> Iterator[Crowd]:
    """A crowd at a port of this machine, by main's words. Raises BenchError where it does not come."""
    words = [str(number) for number in (port, clients, asks_per_s, silent, halves)]
    with subprocess.Popen(
        [sys.executable, "-m", "bench.crowd", kind, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise BenchError("the crowd did not come: its message is above")
            present = Crowd()
            yield present
        finally:
            process.stdin.close()
        answered, asked = process.stdout.readline().split()
        present.answered_percent = 100 * int(answered) / int(asked)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), *map(int, sys.argv[5:]))
