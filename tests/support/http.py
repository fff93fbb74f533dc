"""Clients of the HTTP port that say exactly what they are told to: of Alpaca, of the panel, and of plain bytes."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Union, cast
from urllib.parse import urlencode

from tests.support.waiting import BOUND_S, wait_until

LOOPBACK = "127.0.0.1"
# Of machines that may control, where a test says so, and of one that may not.
OTHER_CONTROL, STRANGER = "127.0.1.1", "127.0.0.2"
MEMBERS = "/api/v1/focuser/0/"
FORM = "application/x-www-form-urlencoded"
Body = Union[bytes, str, Mapping[str, Any]]


def request(method: str, path: str, body: Body = b"", **headers: str) -> bytes:
    """A request as bytes. A text is a form, a dict is JSON, and bytes have no type. Headers have _ for -."""
    fields = {"Host": "localhost"}
    if isinstance(body, Mapping):
        fields["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    elif isinstance(body, str):
        fields.update({"Content-Type": FORM} if body else {})
        data = body.encode()
    else:
        data = body
    if data:
        fields["Content-Length"] = str(len(data))
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


NAME = request("GET", f"{MEMBERS}name")
MOVE = request("PUT", f"{MEMBERS}move", b"Position=5&ClientID=7")
CONNECTED = request("PUT", f"{MEMBERS}connected", b"Connected=True")
HALT = request("PUT", f"{MEMBERS}halt", b"", Content_Length="0")
PRESS_STOP = request("POST", "/panel/stop", {})


@dataclass(frozen=True)
class Answer:
    """An answer as it came. The names of its headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body, which is no refusal."""
        assert self.status == 200, self.body
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        return cast("dict[str, Any]", json.loads(self.body))

    @property
    def error(self) -> int:
        """The Alpaca error number."""
        number = self.json["ErrorNumber"]
        assert bool(self.message) is bool(number)
        assert isinstance(number, int)
        return number

    @property
    def message(self) -> str:
        """Alpaca's ErrorMessage."""
        return str(self.json["ErrorMessage"])

    @property
    def value(self) -> Any:
        """What was read, which must be a success."""
        assert (self.error, self.message) == (0, "")
        return self.json["Value"]


class HttpClient:
    """One connection, from an address of its own."""

    def __init__(self, port: int, source: str = LOOPBACK, host: str = LOOPBACK) -> None:
        address = None if ":" in host else (source, 0)
        self.socket = socket.create_connection((host, port), BOUND_S, source_address=address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, method: str, path: str, body: Body = b"", **headers: str) -> Answer:
        """One request, and its answer."""
        self.send(request(method, path, body, **headers))
        return self.answer(has_body=method != "HEAD")

    def answer(self, has_body: bool = True) -> Answer:
        """The next answer."""
        status, headers = self.head()
        return Answer(status, headers, self.read(int(headers["content-length"])) if has_body else b"")

    def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of the next answer."""
        status_line, *lines = self.read_to(b"\r\n\r\n").decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return int(status_line.split()[1]), headers

    def read_to(self, end: bytes) -> bytes:
        """What comes before `end`."""
        while end not in self._unread:
            self._more()
        data, _, self._unread = self._unread.partition(end)
        return data

    def read(self, length: int) -> bytes:
        """The next so many bytes."""
        while len(self._unread) < length:
            self._more()
        data, self._unread = self._unread[:length], self._unread[length:]
        return data

    def hung_up(self) -> bool:
        """Wait for the server to end the connection. False: it has said something instead."""
        try:
            return not self._unread and not self.socket.recv(1)
        except ConnectionError:
            return True

    def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        rest, self._unread = self._unread, b""
        try:
            while data := self.socket.recv(65536):
                rest += data
        except ConnectionError:
            pass
        return rest

    def close(self) -> None:
        self.socket.close()

    def break_down(self) -> None:
        """Reset the connection, instead of merely saying that nothing more is sent."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionAbortedError(f"the server hung up, after {self._unread!r}")
        self._unread += data


class AlpacaClient(HttpClient):
    """A program with a ClientID, or None without one."""

    def __init__(
        self, port: int, source: str = LOOPBACK, host: str = LOOPBACK, client_id: int | None = None
    ) -> None:
        super().__init__(port, source, host)
        self.client_id = client_id

    def get(self, member: str) -> Answer:
        """Read a member."""
        return self.ask("GET", f"{MEMBERS}{member}?{urlencode(self._id())}")

    def put(self, member: str, **parameters: object) -> Answer:
        """Command a member."""
        return self.ask("PUT", MEMBERS + member, urlencode({**parameters, **self._id()}))

    def post(self, command: str, **values: object) -> Answer:
        """Ask for something on the panel."""
        return self.ask("POST", f"/panel/{command}", values)

    def errors(self, *members: str) -> list[int]:
        """The error numbers of reads, one after the other."""
        return [self.get(member).error for member in members]

    def connect(self) -> AlpacaClient:
        assert self.put("connected", Connected="True").error == 0
        return self

    def wait_for(self, member: str, value: object) -> None:
        wait_until(lambda: self.get(member).value == value, f"{member} is {value}")

    def wait_for_error(self, member: str) -> Answer:
        """The first answer that is an error."""

        def told() -> list[Answer]:
            answer = self.get(member)
            return [answer] if answer.error else []

        return wait_until(told, f"an error of {member}")[0]

    def move(self, position: int) -> None:
        """Move there, and wait until it stands there."""
        assert self.put("move", Position=position).error == 0
        self.wait_for("ismoving", False)
        assert self.get("position").value == position

    def _id(self) -> dict[str, int]:
        return {} if self.client_id is None else {"ClientID": self.client_id}


class EventStream:
    """The panel's stream of events, read as a browser reads it.

    Attributes:
        status: 200, or why there is no stream.
        message: what is said then.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._unread = b""
        client.send(request("GET", "/panel/events"))
        self.status, self.headers = client.head()
        self.message = ""
        if self.status != 200:
            self.message = json.loads(client.read(int(self.headers["content-length"])))["message"]

    def next(self) -> tuple[str, Any]:
        """The next event: its kind and what it says. ("", None): the stream has ended."""
        try:
            while True:
                lines = dict(line.split(": ", 1) for line in self._block().splitlines())
                if "event" in lines:
                    return lines["event"], json.loads(lines["data"])
        except ConnectionError:
            return "", None

    def until(self, kind: str, holds: Callable[[Any], Any] = lambda _: True) -> Any:
        """What the next event of a kind says of which something is true."""
        while True:
            got, values = self.next()
            assert got, "the stream has ended"
            if got == kind and holds(values):
                return values

    def has_ended(self) -> bool:
        """Read all that there is. The stream must end."""
        while self.next()[0]:
            pass
        return True

    def _block(self) -> str:
        while b"\n\n" not in self._unread:
            length = int(self._client.read_to(b"\r\n"), 16)
            self._unread += self._client.read(length)
            self._client.read_to(b"\r\n")
            if not length:
                raise ConnectionAbortedError
        block, _, self._unread = self._unread.partition(b"\n\n")
        return block.decode()
