"""Clients of the Alpaca port of a real `focusd`: the official Python client, and plain HTTP by hand."""

from __future__ import annotations

import http.client
import itertools
import json
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple, Union

import pytest
from alpaca.focuser import Focuser

BOUND_S = 20.0
POLL_S = 0.005
DEVICE = "/api/v1/focuser/0/"
FORM = "application/x-www-form-urlencoded"
Pairs = Union[Mapping[str, object], "list[tuple[str, object]]"]


class Reply(NamedTuple):
    """An answer as it came."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body."""
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def error(self) -> int:
        """The Alpaca error number; the answer must have been processed."""
        assert self.status == 200, self
        number: int = self.json["ErrorNumber"]
        return number

    @property
    def value(self) -> Any:
        """What was read; the answer must be a success."""
        assert (self.error, self.json["ErrorMessage"]) == (0, ""), self
        return self.json["Value"]

    def changed(self, **values: Any) -> Reply:
        """The same with other values in its object."""
        return self._replace(body=json.dumps({**self.json, **values}).encode())

    def without(self, key: str) -> Reply:
        """The same without a key of its object."""
        return self._replace(body=json.dumps({k: v for k, v in self.json.items() if k != key}).encode())


class Wire:
    """One client over plain HTTP: one connection, kept alive, and one ClientID.

    `hear` may look at each answer, or put another in its place, before anybody sees it.
    """

    def __init__(
        self,
        port: int,
        client_id: int,
        source: str = "127.0.0.1",
        hear: Callable[[str, Reply], Reply] = lambda path, reply: reply,
    ) -> None:
        self.client_id = client_id
        self.given_up = 0
        self._hear = hear
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=BOUND_S, source_address=(source, 0)
        )

    def get(self, member: str, pairs: Pairs | None = None) -> Reply:
        """Read a member; without `pairs` with nothing but the client's own ID."""
        return self.ask("GET", DEVICE + member, self._own() if pairs is None else pairs)

    def put(self, member: str, pairs: Pairs | None = None, **form: object) -> Reply:
        """Write a member: `form` with the client's own ID, or `pairs` as they are."""
        return self.ask("PUT", DEVICE + member, {**form, **self._own()} if pairs is None else pairs)

    def ask(self, verb: str, path: str, pairs: Pairs = ()) -> Reply:  # type: ignore[assignment]
        """Anything at all."""
        coded = urllib.parse.urlencode(list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs))
        if verb == "GET":
            return self.send(verb, f"{path}?{coded}" if coded else path)
        return self.send(verb, path, coded.encode(), {"Content-Type": FORM})

    def send(
        self, verb: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The bytes themselves. A connection that the server gave up is made anew, once, and counted."""
        try:
            reply = self._send(verb, path, body, headers)
        except http.client.RemoteDisconnected:
            self.given_up += 1
            self._connection.close()
            reply = self._send(verb, path, body, headers)
        return self._hear(path, reply)

    def _send(self, verb: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Reply:
        self._connection.request(verb, path, body, dict(headers or {}))
        answer = self._connection.getresponse()
        return Reply(answer.status, answer.headers.get("Content-Type", ""), answer.read())

    def close(self) -> None:
        self._connection.close()

    def _own(self) -> dict[str, object]:
        return {"ClientID": self.client_id}

    # What is done often

    def connect(self) -> Wire:
        assert self.put("connected", Connected=True).error == 0
        assert self.get("connected").value is True
        return self

    def wait_until(self, holds: Callable[[], Any], what: str) -> Any:
        deadline_s = time.monotonic() + BOUND_S
        while True:
            found = holds()
            if found:
                return found
            assert time.monotonic() < deadline_s, f"this never came: {what}"
            time.sleep(POLL_S)

    def wait_for_rest(self) -> None:
        self.wait_until(lambda: self.get("ismoving").value is False, "the end of the move")

    def wait_for_connecting(self) -> None:
        self.wait_until(lambda: self.get("connecting").value is False, "the end of connecting")

    def move(self, position: int) -> None:
        """Move there, and wait until it stands there."""
        assert self.put("move", Position=position).error == 0
        self.wait_for_rest()
        assert self.get("position").value == position


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the official client uses would ask a proxy even for this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def client_ids() -> Iterator[int]:
    return itertools.count(1001)


@pytest.fixture
def served(alpaca_daemon: Any) -> Any:
    """A healthy daemon that is homed, and stands where a move outward has room."""
    alpaca_daemon.ready()
    if not 0.2 < alpaca_daemon.status()["current_mm"] < 1.0:
        alpaca_daemon.ready_at(0.5)
    return alpaca_daemon


@pytest.fixture
def make_wire(client_ids: Iterator[int]) -> Iterator[Callable[..., Wire]]:
    """Clients of the Alpaca port of a daemon, each with a ClientID of its own. All that connect disconnect."""
    made: list[Wire] = []

    def make(daemon: Any, **options: Any) -> Wire:
        made.append(Wire(daemon.alpaca.port, next(client_ids), **options))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


@pytest.fixture
def wire(served: Any, make_wire: Callable[..., Wire]) -> Wire:
    """A client that has not connected the device."""
    return make_wire(served)


@pytest.fixture
def connected(wire: Wire) -> Iterator[Wire]:
    """A client that has."""
    yield wire.connect()
    wire.put("connected", Connected=False)


@pytest.fixture
def make_alpyca() -> Iterator[Callable[[Any], Focuser]]:
    """The official client for a daemon. All of one process have one ClientID."""
    made: list[Focuser] = []

    def make(daemon: Any) -> Focuser:
        made.append(Focuser(f"127.0.0.1:{daemon.alpaca.port}", 0))
        return made[-1]

    yield make
    for focuser in made:
        focuser.rqs.close()


@pytest.fixture
def alpyca(served: Any, make_alpyca: Callable[[Any], Focuser]) -> Iterator[Focuser]:
    """The official client, connected."""
    focuser = make_alpyca(served)
    focuser.Connected = True
    yield focuser
    focuser.Connected = False


@pytest.fixture
def spoil(served: Any) -> Iterator[Callable[[str], None]]:
    """Does something to the virtual controller that the test need not mend."""
    yield served.tell
    for line in ("clear", "return", "power-on"):
        served.tell(line)
