"""The control socket: a Unix socket on which people and tests make things go wrong while all runs.

One line of text a request, one line of JSON an answer. The words are those of `control_commands.COMMANDS`.
"""

from __future__ import annotations

import json
import os
import selectors
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
        self._begun: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._bell_out, self._bell_in = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._bell_out, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="ok3z-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and remove the socket if it is still this server's."""
        self._bell_in.send(b"x")
        self._thread.join()
        self._selector.close()
        for each in (self._listener, self._bell_out, self._bell_in, *self._begun):
            each.close()
        self._begun.clear()
        if _identity(self._path) == self._identity:
            os.unlink(self._path)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._bell_out:
                    return
                if key.fileobj is self._listener:
                    self._welcome()
                elif isinstance(key.fileobj, socket.socket):
                    self._listen_to(key.fileobj)

    def _welcome(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        if len(self._begun) >= MOST_CLIENTS:
            _answer(client, {"ok": False, "error": f"{MOST_CLIENTS} clients are connected already."})
            client.close()
            return
        self._begun[client] = b""
        self._selector.register(client, selectors.EVENT_READ)

    def _listen_to(self, client: socket.socket) -> None:
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        lines = (self._begun[client] + data).split(b"\n")
        self._begun[client] = lines.pop()
        alive = bool(data)
        for line in lines:
            alive = alive and _answer(client, self._obey(line))
        if len(self._begun[client]) > LONGEST_LINE:
            _answer(client, {"ok": False, "error": f"The line is longer than {LONGEST_LINE} bytes."})
            alive = False
        if not alive:
            self._dismiss(client)

    def _obey(self, line: bytes) -> dict[str, Any]:
        if len(line) > LONGEST_LINE:
            return {"ok": False, "error": f"The line is longer than {LONGEST_LINE} bytes."}
        return obey(self._model, line.decode("utf-8", "replace"))

    def _dismiss(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._begun[client]
        client.close()


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


def _answer(client: socket.socket, answer: dict[str, Any]) -> bool:
    """Send an answer at once; False if the client does not take it."""
    data = json.dumps(answer).encode() + b"\n"
    try:
        return client.send(data) == len(data)
    except OSError:
        return False
