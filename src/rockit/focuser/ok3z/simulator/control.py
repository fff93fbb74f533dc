"""The control socket: a Unix socket on which people and tests make things go wrong while all runs.

One line of text a request, one line of JSON an answer. The words are those of `control_commands.COMMANDS`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
from typing import Any

from .control_commands import obey
from .controller import VirtualOK3Z
from .options import OptionError

LONGEST_LINE = 1000
MOST_CLIENTS = 8
TELL_TIMEOUT_S = 5.0


class ControlServer:
    """Serves one control socket from one thread until `close`."""

    def __init__(self, model: VirtualOK3Z, path: str) -> None:
        self._model = model
        self._path = path
        self._listener = _listen(path)
        self._identity = _identity(path)
        self._clients = 0
        self._bell_out, self._bell_in = socket.socketpair()
        self._bell_out.setblocking(False)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="ok3z-control", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread, and remove the socket if it is still this server's."""
        self._bell_in.close()
        self._thread.join()
        self._bell_out.close()
        if _identity(self._path) == self._identity:
            os.unlink(self._path)

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(self._attend, sock=self._listener, limit=LONGEST_LINE)
        await asyncio.get_running_loop().sock_recv(self._bell_out, 1)
        server.close()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def answer(values: dict[str, Any]) -> None:
            writer.write(json.dumps(values).encode() + b"\n")

        self._clients += 1
        try:
            if self._clients > MOST_CLIENTS:
                answer({"ok": False, "error": f"{MOST_CLIENTS} clients are connected already."})
                return
            # What was begun before a client left is no line.
            while (line := await reader.readline()).endswith(b"\n"):
                answer(obey(self._model, line.decode("utf-8", "replace")))
                await writer.drain()
        except ValueError:
            answer({"ok": False, "error": f"The line is longer than {LONGEST_LINE} bytes."})
        except OSError:
            # It has gone.
            return
        finally:
            self._clients -= 1
            writer.close()


def tell(path: str, line: str) -> dict[str, Any]:
    """Say one line to the control socket at `path`; its answer. Raises OSError or ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(TELL_TIMEOUT_S)
        client.connect(path)
        client.sendall(line.replace("\n", " ").encode() + b"\n")
        with client.makefile("rb") as stream:
            return dict(json.loads(stream.readline()))


def _listen(path: str) -> socket.socket:
    """A listening socket at a path that is free, or where a dead simulator left its own."""
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(MOST_CLIENTS)
    except OSError as error:
        listener.close()
        raise OptionError(f"The control socket {path} cannot be made: {error}.") from None
    listener.setblocking(False)
    return listener


def _remove_stale(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise OptionError(
            f"The control socket {path} cannot be made: something else is there. Choose another."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(TELL_TIMEOUT_S)
        try:
            probe.connect(path)
        except OSError:
            os.unlink(path)
        else:
            raise OptionError(
                f"The control socket {path} is in use by another simulator. Choose another path."
            )


def _identity(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
