"""A crowd at an Alpaca port: programs that each keep one connection, and read again and again.

    .venv/bin/python -m bench.alpaca_crowd PORT CLIENTS READS_PER_S

It prints what it is when all have been answered once, and ends when its stdin does. It then prints how many reads were
answered, of how many.
"""

from __future__ import annotations

import asyncio
import random
import sys

MEMBERS = ("position", "ismoving", "devicestate", "connected")
ANSWER_TIMEOUT_S = 5.0
# What one program sends as its ClientID: all are one client, which the bench has connected.
CLIENT_ID = 1


class Program:
    """One connection; a read that fails is counted, and the connection is made anew."""

    def __init__(self, port: int, period_s: float) -> None:
        self._port = port
        self._period_s = period_s
        self.asked = self.answered = 0
        self.is_over = False

    async def run(self) -> None:
        """Read until it is over."""
        await asyncio.sleep(random.uniform(0, self._period_s))
        while not self.is_over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(self._period_s)
                continue
            try:
                await self._read_on(reader, writer)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError):
                continue
            finally:
                writer.close()

    async def _read_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        next_s = clock()
        while not self.is_over:
            member = MEMBERS[self.asked % len(MEMBERS)]
            self.asked += 1
            writer.write(request(self._port, member))
            await asyncio.wait_for(answer(reader), ANSWER_TIMEOUT_S)
            self.answered += 1
            next_s = max(next_s + self._period_s, clock() - self._period_s)
            await asyncio.sleep(max(0.0, next_s - clock()))


def request(port: int, member: str) -> bytes:
    """A read of a member."""
    path = f"/api/v1/focuser/0/{member}?ClientID={CLIENT_ID}"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode("ascii")


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of an answer. Raises ValueError where it is no success."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length))
    if not head.startswith(b"HTTP/1.1 200 ") or b'"ErrorNumber": 0,' not in body:
        raise ValueError(f"no success: {head!r}{body!r}")
    return body


async def crowd(port: int, clients: int, reads_per_s: float) -> int:
    """Be a crowd until stdin ends."""
    programs = [Program(port, 1 / reads_per_s) for _ in range(clients)]
    tasks = [asyncio.ensure_future(program.run()) for program in programs]
    while not all(program.answered for program in programs):
        await asyncio.sleep(0.05)
    print(f"{clients} programs that read at {reads_per_s:g} Hz", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # Told, and not cancelled: before Python 3.12 wait_for() may lose a cancellation.
    for program in programs:
        program.is_over = True
    await asyncio.gather(*tasks)
    print(sum(program.answered for program in programs), sum(program.asked for program in programs))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(crowd(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
