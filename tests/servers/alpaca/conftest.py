"""A server of the Alpaca port over a focuser that does what the test says, and a client that sends plain bytes."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Callable, cast
from urllib.parse import urlencode

import pytest

from rockit.focuser.ok3z.driver.planning import steps_from_mm
from rockit.focuser.ok3z.errors import BusyError, FocuserError, NotConnectedError, StoppedError
from rockit.focuser.ok3z.servers.http.admission import MANNER, Bounds
from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.web import WebServer
from rockit.focuser.ok3z.service.focuser import BegunMove, Ending, Focuser
from rockit.focuser.ok3z.service.status import Snapshot, State

LOOPBACK = "127.0.0.1"
STRANGER = "127.0.0.2"
# Another machine that may control.
OTHER_CONTROL = "127.0.1.1"
PATIENCE_S = 10.0
MEMBERS = "/api/v1/focuser/0/"


class PuppetFocuser:
    """Stands in for the service: each command waits for its gate, then ends as the test has set."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.motions = ()
        self.calls: list[tuple[Any, ...]] = []
        self.initialise_gate, self.move_gate, self.stop_gate = (threading.Event() for _ in range(3))
        for gate in (self.initialise_gate, self.move_gate, self.stop_gate):
            gate.set()
        self.initialise_error: FocuserError | None = None
        self.move_refusal: FocuserError | None = None
        self.move_error: FocuserError | None = None
        self.stop_error: FocuserError | None = None
        self.stopped_by = ""
        # As many as a test lets wait at a time.
        self._workers = ThreadPoolExecutor(24)
        self._stop = Ending(PATIENCE_S)
        self._stop.resolve(None)

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        return 0.25 if snapshot.current_steps is not None else None

    def stand(self, steps: int = 0) -> None:
        self.snapshot = Snapshot(state=State.IDLE, current_steps=steps, target_steps=steps)

    def lose_link(self, reason: str = "the serial port failed (unplugged).") -> None:
        self.snapshot = Snapshot(state=State.RECONNECTING, reason=reason)

    def begin_initialize(self, resume: bool = False, restore: bool | None = None) -> Ending:
        self.calls.append(("initialize", resume, restore))
        if isinstance(self.initialise_error, BusyError):
            raise self.initialise_error
        if self.initialise_error is None:
            self.snapshot = Snapshot(state=State.HOMING)
        return self._ending(self._initialize)

    def _initialize(self) -> None:
        assert self.initialise_gate.wait(PATIENCE_S)
        if self.initialise_error:
            raise self.initialise_error
        self.stand()

    def begin_move(self, position: float, offset: bool = False, exact: bool = False) -> BegunMove:
        self.calls.append(("move", position, offset, exact))
        if self.move_refusal:
            raise self.move_refusal
        self.stopped_by = ""
        target_steps = steps_from_mm(position)
        self.snapshot = replace(self.snapshot, state=State.MOVING, target_steps=target_steps)
        is_short = self.move_gate.is_set()
        ended = self._ending(lambda: self._move(target_steps))
        if is_short:
            return BegunMove(ended, ended)
        under_way = Ending(PATIENCE_S)
        under_way.resolve(None)
        return BegunMove(under_way, ended)

    def _move(self, target_steps: int) -> None:
        assert self.move_gate.wait(PATIENCE_S)
        self.stand(target_steps)
        if self.stopped_by:
            raise StoppedError(f"stopped by {self.stopped_by}.")
        if self.move_error:
            raise self.move_error

    def begin_stop(self, by: str) -> Ending:
        # As the service: who asks while one is under way is given the same one.
        if self._stop.done():
            self.calls.append(("stop", by))
            self._stop = self._ending(lambda: self._end_stop(by))
        return self._stop

    def _end_stop(self, by: str) -> None:
        assert self.stop_gate.wait(PATIENCE_S)
        if self.stop_error:
            raise self.stop_error
        if self.snapshot.state is State.DISCONNECTED:
            raise NotConnectedError("the focuser is not connected.")
        self.stopped_by = by
        self.move_gate.set()

    def _ending(self, run: Callable[[], None]) -> Ending:
        """Of what runs on a thread of its own."""
        ending = Ending(PATIENCE_S)

        def end() -> None:
            outcome = None
            try:
                run()
            except FocuserError as error:
                outcome = error
            ending.resolve(outcome)

        self._workers.submit(end)
        return ending

    def close(self) -> None:
        """Let everything end."""
        for gate in (self.initialise_gate, self.move_gate, self.stop_gate):
            gate.set()
        self._workers.shutdown()

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """The calls of one method."""
        return [call for call in self.calls if call[0] == name]


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        assert self.status == 200, self.body
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        return cast("dict[str, Any]", json.loads(self.body))

    @property
    def value(self) -> Any:
        assert (self.json["ErrorNumber"], self.json["ErrorMessage"]) == (0, "")
        return self.json["Value"]

    @property
    def error(self) -> int:
        number = self.json["ErrorNumber"]
        assert bool(self.json["ErrorMessage"]) is bool(number)
        assert isinstance(number, int)
        return number


@dataclass
class Wire:
    """A client that sends bytes, from an address of its own."""

    port: int
    source: str = LOOPBACK
    client_id: int | None = None
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(
            (LOOPBACK, self.port), timeout=PATIENCE_S, source_address=(self.source, 0)
        )
        self._left = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        """The next answer."""
        while b"\r\n\r\n" not in self._left:
            self._left += self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        while len(self._left) < length:
            self._left += self._more()
        body, self._left = self._left[:length], self._left[length:]
        return Answer(int(status_line.split()[1]), headers, body)

    def hung_up(self) -> bool:
        """Wait for the server to end the connection. False: it has said something instead."""
        try:
            return not self._left and not self.socket.recv(1)
        except ConnectionError:
            return True

    def ask(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        """One request, and its answer. Headers with _ for -."""
        data = body.encode() if isinstance(body, str) else body
        fields = {"Host": f"{LOOPBACK}:{self.port}"}
        if data:
            fields |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Content-Length": str(len(data)),
            }
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data)
        return self.answer()

    def get(self, member: str) -> Answer:
        """Read a member as this client."""
        return self.ask("GET", f"{MEMBERS}{member}{self._query()}")

    def put(self, member: str, **parameters: object) -> Answer:
        """Command a member as this client."""
        ids = {} if self.client_id is None else {"ClientID": self.client_id}
        return self.ask("PUT", MEMBERS + member, urlencode({**parameters, **ids}))

    def _query(self) -> str:
        return "" if self.client_id is None else f"?ClientID={self.client_id}"

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        assert data, f"the server hung up, after {self._left!r}"
        return data


@pytest.fixture
def focuser() -> Iterator[PuppetFocuser]:
    """A focuser that stands at 0 mm."""
    puppet = PuppetFocuser()
    puppet.stand()
    yield puppet
    puppet.close()


@pytest.fixture
def serve(focuser: PuppetFocuser) -> Iterator[Callable[..., WebServer]]:
    """A maker of servers, with Bounds to say, and perhaps a clock for the log."""
    servers: list[WebServer] = []

    def make(now_s: Callable[[], float] = time.monotonic, **bounds: float) -> WebServer:
        server = WebServer(
            listen(LOOPBACK, 0, MANNER),
            cast("Focuser", focuser),
            [LOOPBACK, OTHER_CONTROL],
            "dome_focuser",
            6.0,
            device_name="Dome",
            machine_id="0123456789abcdef0123456789abcde0",
            host_names=["DomeNUC"],
            bounds=Bounds(**bounds),  # type: ignore[arg-type]
            find_own_names=lambda: ["nuc.example.org"],
            now_s=now_s,
        )
        server.start()
        servers.append(server)
        return server

    yield make
    for gate in (focuser.initialise_gate, focuser.move_gate, focuser.stop_gate):
        gate.set()
    for server in servers:
        server.close()
        assert not server.lives()


@pytest.fixture
def server(serve: Callable[..., WebServer]) -> WebServer:
    """A server with its usual bounds."""
    return serve()


@pytest.fixture
def dial() -> Iterator[Callable[..., Wire]]:
    """A maker of connections: dial(server, source=..., client_id=...)."""
    wires: list[Wire] = []

    def make(server: WebServer, **options: Any) -> Wire:
        wires.append(Wire(server.port, **options))
        return wires[-1]

    yield make
    for wire in wires:
        wire.socket.close()


@pytest.fixture
def wire(server: WebServer, dial: Callable[..., Wire]) -> Wire:
    """A client that may control, on a connection of its own, and is not connected to the device."""
    return dial(server)


@pytest.fixture
def program(server: WebServer, dial: Callable[..., Wire]) -> Wire:
    """A program with a ClientID that is connected to the device."""
    wire = dial(server, client_id=7)
    assert wire.put("connected", Connected="True").error == 0
    return wire


@pytest.fixture
def stranger(server: WebServer, dial: Callable[..., Wire]) -> Wire:
    """A client that may look only."""
    return dial(server, source=STRANGER)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until something has come about."""
    pause = threading.Event()

    def wait(has_come: Callable[[], bool]) -> None:
        for _ in range(1000):
            if has_come():
                return
            pause.wait(0.01)
        pytest.fail("it has not come about")

    return wait
