"""What clients may do to the connections: halves, sizes, floods, and answers that nobody takes."""

from __future__ import annotations

import random
import socket
import time
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.http.framing import MAX_BODY_BYTES, MAX_CONTROL_HEAD_BYTES
from tests.support.http import CONNECTED, MEMBERS, MOVE, NAME, request
from tests.support.waiting import wait_until

# Of each of which nobody waits for the body, and the status of the answer.
UNWANTED = {
    ("PUT", f"{MEMBERS}name"): 405,
    ("PUT", f"{MEMBERS}nothing"): 404,
    ("PUT", "/management/apiversions"): 405,
    ("POST", "/nothing"): 404,
    ("GET", f"{MEMBERS}name"): 200,
    ("POST", "/panel/stop"): 200,
}


def test_a_connection_is_kept_for_the_next_request(wire: Any) -> None:
    own = wire.socket.getsockname()
    assert wire.errors(*["name"] * 300) == [0] * 300
    assert wire.socket.getsockname() == own


def test_requests_that_come_at_once_are_answered_in_their_order(wire: Any) -> None:
    numbers = range(1, 41)
    wire.send(b"".join(NAME.replace(b"name", b"name?ClientTransactionID=%d" % n) for n in numbers))
    assert [wire.answer().json["ClientTransactionID"] for _ in numbers] == list(numbers)


def test_a_request_may_come_in_pieces(program: Any, focuser: Any) -> None:
    head = MOVE.index(b"\r\n\r\n")
    for cut in (1, 10, head + 2, head + 4, len(MOVE) - 1):
        program.send(MOVE[:cut])
        program.send(MOVE[cut:])
        assert program.answer().error == 0
    for n in range(len(MOVE)):
        program.send(MOVE[n : n + 1])
    assert program.answer().error == 0
    assert len(focuser.named("move")) == 6


def test_a_client_may_wait_to_be_asked_for_the_body(wire: Any) -> None:
    head, body = MOVE.split(b"\r\n\r\n")
    wire.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(body)
    assert wire.answer().error == 0x407


# A body that nobody waits for


def test_a_connection_outlives_a_body_that_nobody_waited_for(wire: Any) -> None:
    for (verb, path), status in UNWANTED.items():
        for size in (1, 10, MAX_BODY_BYTES):
            wire.send(request(verb, path, Content_Length=str(size)))
            assert wire.answer().status == status, path
            wire.send(b"G" * (size // 2))
            wire.send(b"G" * (size - size // 2) + NAME)
            assert wire.answer().error == 0, path


def test_who_waits_to_be_asked_for_a_body_that_nobody_wants_is_not_left_waiting(wire: Any) -> None:
    for (verb, path), status in UNWANTED.items():
        wire.send(request(verb, path, Content_Length="10", Expect="100-continue"))
        assert wire.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.answer().status == status, path
        wire.send(b"ClientID=1" + NAME)
        assert wire.answer().error == 0, path


def test_a_body_that_nobody_waited_for_and_that_never_comes_is_given_up(serve: Any, dial: Any) -> None:
    server = serve(patience_s=0.1)
    waiting = []
    for (verb, path), status in UNWANTED.items():
        for connection in ("keep-alive", "close"):
            waiting.append((dial(server), path, status))
            half = request(verb, path, Content_Length="10", Connection=connection) + b"ClientID="
            waiting[-1][0].send(half)
    for wire, path, status in waiting:
        assert wire.answer().status == status, path
        assert wire.hung_up(), path


def test_who_wants_no_more_is_hung_up_on_after_the_answer(server: Any, dial: Any) -> None:
    for (verb, path), status in UNWANTED.items():
        wire = dial(server)
        wire.send(request(verb, path, b"ClientID=1", Connection="close"))
        assert wire.answer().status == status, path
        assert wire.hung_up(), path
    wire = dial(server)
    wire.send(NAME)
    wire.socket.shutdown(socket.SHUT_WR)
    assert wire.answer().error == 0
    assert wire.hung_up()


def test_nothing_is_upgraded_to_and_nothing_may_follow(wire: Any) -> None:
    wire.send(request("GET", f"{MEMBERS}name", Connection="Upgrade", Upgrade="h2c") + NAME)
    assert wire.answer().error == 0
    assert wire.hung_up()


# Halves


def test_half_a_request_is_waited_for_for_so_long(serve: Any, dial: Any) -> None:
    server = serve(patience_s=0.1)
    head_of_move = MOVE[: MOVE.index(b"\r\n\r\n") + 4]
    halves = (NAME[:5], NAME[:-2], MOVE[:-1], head_of_move, b"\r\n\r\nG")
    wires = [dial(server) for _ in range(4) for half in halves]
    for number, wire in enumerate(wires):
        wire.send(halves[number % len(halves)])
    assert dial(server).get("name").error == 0
    for wire in wires:
        assert wire.answer().status == 408
        assert wire.hung_up()


def test_a_byte_now_and_then_wins_no_time(serve: Any, dial: Any) -> None:
    wire = dial(serve(patience_s=0.3))
    wire.socket.setblocking(False)
    drip = iter(b"GET /" + b"a" * 5000)

    def said() -> bytes:
        try:
            wire.socket.send(bytes([next(drip)]))
            return bytes(wire.socket.recv(1000))
        except BlockingIOError:
            return b""

    assert wait_until(said).startswith(b"HTTP/1.1 408 ")


def test_silence_is_listened_to_for_so_long(serve: Any, dial: Any) -> None:
    silent, idle = dial(serve(patience_s=0.1)), dial(serve(idle_s=0.1))
    assert silent.hung_up()
    assert idle.get("name").error == 0
    assert idle.hung_up()
    # Who has asked may be silent for longer than a request may take.
    patient = dial(serve(patience_s=0.05))
    for _ in range(2):
        assert patient.get("name").error == 0
        time.sleep(0.2)
    assert patient.get("name").error == 0


def test_a_command_that_takes_longer_is_no_half_request(serve: Any, dial: Any, focuser: Any) -> None:
    server = serve(patience_s=0.05, idle_s=0.05)
    focuser.lose_link()
    focuser.initialize_gate.close()
    wire, half = dial(server), dial(server)
    wire.send(CONNECTED)
    wait_until(lambda: focuser.named("initialize"))
    half.send(b"G")
    assert half.answer().status == 408
    focuser.initialize_gate.open()
    assert wire.answer().error == 0


def test_half_a_request_behind_a_whole_one_is_no_way_round(serve: Any, dial: Any) -> None:
    wire = dial(serve(patience_s=0.1))
    wire.send(NAME + NAME[:20])
    assert wire.answer().error == 0
    assert wire.answer().status == 408


# Sizes


def test_a_head_that_is_too_large_is_refused(server: Any, dial: Any) -> None:
    for too_large in (
        request("GET", "/" + "a" * MAX_CONTROL_HEAD_BYTES),
        NAME[:-2] + b"A: a\r\n" * 6000 + b"\r\n",
        b"a" * 100_000,
    ):
        wire = dial(server)
        wire.send(too_large)
        answer = wire.answer()
        assert answer.status == 431
        assert b"delete the cookies of this address" in answer.body


@pytest.mark.parametrize("cookies", [[9000], [32000], [4000] * 8, [1] * 2500])
def test_the_cookies_of_other_servers_are_no_trouble_to_who_may_control(
    server: Any, dial: Any, cookies: list[int]
) -> None:
    lines = b"".join(b"Cookie: a=" + b"b" * size + b"\r\n" for size in cookies)
    for verb, member in (("GET", "name"), ("PUT", "halt")):
        for source, status in (("127.0.0.1", 200), ("127.0.0.2", 431)):
            wire = dial(server, source=source)
            wire.send(request(verb, MEMBERS + member)[:-2] + lines + b"\r\n")
            assert wire.answer().status == status, member


def test_a_body_that_is_too_large_is_refused_before_it_comes_and_the_largest_is_read(program: Any) -> None:
    largest = "Position=5&ClientID=7&x=".ljust(MAX_BODY_BYTES, "x")
    assert program.ask("PUT", f"{MEMBERS}move", largest).error == 0
    program.send(request("PUT", f"{MEMBERS}move", Content_Length=str(MAX_BODY_BYTES + 1)))
    assert program.answer().status == 413


def test_who_sends_far_ahead_is_hung_up_on(serve: Any, dial: Any, focuser: Any) -> None:
    server = serve()
    focuser.lose_link()
    focuser.initialize_gate.close()
    wire = dial(server)
    wire.send(CONNECTED + NAME * 1000)
    assert wire.hung_up()
    assert dial(server).get("name").error == 0


def test_answers_that_nobody_takes_hold_up_nobody(serve: Any, dial: Any) -> None:
    server = serve(patience_s=0.3)
    greedy = dial(server)
    greedy.socket.setblocking(False)

    def is_hung_up() -> bool:
        try:
            greedy.send(request("GET", "/") * 20)
        except BlockingIOError:
            return bool(dial(server).get("name").error)
        except ConnectionError:
            return True
        return False

    wait_until(is_hung_up)
    assert dial(server).get("name").error == 0


# Bytes that are no request


def test_no_answer_names_a_library_or_a_version_of_it(server: Any, dial: Any) -> None:
    for garbage in (
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        request("GET", "/", Host="a"),
        request("GET", "/", A="\1"),
        request("GET", "/", Expect="wonders"),
        request("GET", "/nothing"),
        request("POST", "/"),
        request("GET", "http://["),
        request("GET", "//["),
        request("GET", "//a:b/"),
        NAME,
    ):
        wire = dial(server)
        wire.send(garbage)
        answer = wire.answer()
        said = (str(answer.headers) + answer.body.decode()).lower()
        assert answer.status < 500, garbage
        assert answer.headers["server"] == "focusd", garbage
        assert answer.headers["x-content-type-options"] == "nosniff", garbage
        assert not [word for word in ("python", "aiohttp", "traceback", ".py") if word in said], garbage


def test_no_bytes_get_a_500_or_a_traceback(server: Any, dial: Any, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(5)
    good = b"PUT /api/v1/focuser/0/move?a=%20#b HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 5\r\n\r\na=b&c"
    statuses = set()
    for _ in range(600):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(b"%/[]@:?#\\ \0\n\xff.;=0A")
        wire = dial(server)
        wire.send(bytes(data))
        wire.socket.shutdown(socket.SHUT_WR)
        statuses.add(wire.rest()[9:12])
        wire.close()
    assert statuses <= {b"", b"200", b"400", b"403", b"404", b"405", b"411", b"413", b"415", b"417", b"431"}
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
