"""Who has a place at the HTTP port if there is none left, and who gives way."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from rockit.focuser.ok3z.servers.http.admission import MAX_CONNECTIONS, PATIENCE_S
from tests.support.http import CONNECTED, HALT, MOVE, NAME, OTHER_CONTROL, PRESS_STOP, STRANGER
from tests.support.waiting import wait_until


def test_who_was_silent_for_longest_gives_way_and_nobody_whose_call_runs(
    serve: Any, dial: Any, focuser: Any
) -> None:
    server = serve(connections=6)
    focuser.lose_link()
    focuser.initialize_gate.close()
    busy, silent, asking = (dial(server) for _ in range(3))
    busy.send(CONNECTED)
    wait_until(lambda: focuser.named("initialize"))
    for wire in (silent, asking, silent, asking):
        wire.get("name")
    assert dial(server).get("name").error == 0
    assert silent.hung_up()
    assert asking.get("name").error == 0
    focuser.initialize_gate.open()
    assert busy.answer().error == 0


def test_half_sent_requests_of_strangers_keep_nobody_out_and_the_oldest_gives_way(
    serve: Any, dial: Any
) -> None:
    server = serve(connections=8, burst=1000, of_stranger=2)
    halves = []
    for number in range(4):
        halves.append(dial(server, source=f"127.0.0.{10 + number}"))
        halves[-1].send((NAME if number % 2 else MOVE)[:-1])
        # The server has it once it has answered somebody else who came later.
        assert dial(server).get("name").error == 0
    assert dial(server, source=STRANGER).get("name").error == 0
    assert halves[0].hung_up()
    halves[1].send(NAME[-1:])
    assert halves[1].answer().error == 0


def test_half_sent_requests_of_machines_that_control_are_waited_for_while_there_is_room(
    serve: Any, dial: Any
) -> None:
    server = serve(connections=6)
    half, idle, other = (dial(server, source=source) for source in ("127.0.0.1", "127.0.0.1", OTHER_CONTROL))
    half.send(MOVE[:-1])
    for wire in (idle, other):
        assert wire.get("name").error == 0
    assert dial(server).get("name").error == 0
    assert idle.hung_up()
    half.send(MOVE[-1:])
    assert half.answer().error == 0x407


def test_the_control_machine_with_the_most_connections_gives_up_the_oldest_of_its_halves(
    serve: Any, dial: Any
) -> None:
    server = serve(connections=6)
    other = dial(server, source=OTHER_CONTROL)
    halves = [dial(server) for _ in range(2)]
    for half in (other, *halves):
        half.send(MOVE[:-1])
        # The server has it once it has answered somebody else who came later.
        assert dial(server, source=STRANGER).get("name").error == 0
    assert dial(server, source=OTHER_CONTROL).get("name").error == 0
    assert halves[0].hung_up()
    for half in (other, halves[1]):
        half.send(MOVE[-1:])
        assert half.answer().error == 0x407


def test_who_has_only_just_come_is_not_sent_away_for_who_comes_next(serve: Any, dial: Any) -> None:
    """All places are taken by half-sent requests of one machine, which comes again and again."""
    server = serve(connections=8)
    halves = [dial(server) for _ in range(4)]
    for half in halves:
        half.send(MOVE[:-1])
        assert dial(server, source=STRANGER).get("name").error == 0
    pressing = dial(server, source=OTHER_CONTROL)
    for _ in range(8):
        halves.append(dial(server))
        assert dial(server, source=STRANGER).get("name").error == 0
    pressing.send(PRESS_STOP)
    assert pressing.answer().json["done"] is True


@pytest.mark.parametrize(
    "half", [PRESS_STOP[:5], MOVE[:-1], NAME[:-2], b""], ids=["head", "body", "end", "nothing"]
)
def test_a_stop_gets_through_at_once_beside_a_crowd_of_halves_of_a_control_machine(
    server: Any, dial: Any, focuser: Any, half: bytes
) -> None:
    for _ in range(MAX_CONNECTIONS // 2 + 10):
        dial(server).send(half)
    for stop in (PRESS_STOP, HALT):
        began_s = time.monotonic()
        pressing = dial(server, source=OTHER_CONTROL)
        pressing.send(stop)
        assert pressing.answer().status == 200
        # Not only when their time is up.
        assert time.monotonic() - began_s < PATIENCE_S / 2
    assert focuser.named("stop") == [("stop", OTHER_CONTROL)] * 2


def test_strangers_take_no_place_of_the_others_and_one_of_them_takes_few(serve: Any, dial: Any) -> None:
    server = serve(connections=20, of_stranger=3, burst=1000)
    control = [dial(server) for _ in range(10)]
    others = [dial(server, source=f"127.0.0.{number}") for number in range(3, 10)]
    for wire in (*control, *others):
        assert wire.get("name").error == 0
    own = [dial(server, source=STRANGER) for _ in range(5)]
    assert [wire.hung_up() for wire in own[:2]] == [True] * 2
    assert [wire.get("name").error for wire in (*own[2:], *others, *control)] == [0] * 20
    # One stranger more, and who was silent for longest gives way.
    assert dial(server, source="127.0.0.10").get("name").error == 0
    assert own[2].hung_up()
    assert [wire.get("name").error for wire in control] == [0] * 10


def test_if_every_call_runs_a_newcomer_is_not_let_in(serve: Any, dial: Any, focuser: Any) -> None:
    server = serve(connections=4)
    focuser.lose_link()
    focuser.initialize_gate.close()
    busy = [dial(server, client_id=n) for n in range(2)]
    for wire in busy:
        wire.send(CONNECTED)
    wait_until(lambda: focuser.named("initialize"))
    assert dial(server).hung_up()
    focuser.initialize_gate.open()
    assert [wire.answer().error for wire in busy] == [0, 0]
    assert dial(server).get("name").error == 0


def test_a_stranger_that_asks_too_often_is_refused_and_nobody_else(serve: Any, dial: Any) -> None:
    server = serve(burst=10, per_s=0.001)
    wire = dial(server, source=STRANGER)
    statuses = [wire.get("name").status for _ in range(10)]
    assert statuses == [200] * 9 + [429]
    assert dial(server, source=STRANGER).hung_up()
    assert dial(server, source="127.0.0.3").get("name").status == 200
    control = dial(server)
    assert [control.get("name").status for _ in range(100)] == [200] * 100


def test_connections_have_numbers_that_the_serial_port_does_not_need(
    server: Any, dial: Any, wire: Any
) -> None:
    wire.get("name")
    with open("/proc/net/tcp") as table:
        ours = [line.split() for line in table if f":{server.port:04X} 0100007F:" in line]
    assert ours
    accepted = {f"socket:[{fields[9]}]" for fields in ours}
    numbers = []
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}") in accepted:
                numbers.append(int(number))
        except OSError:
            continue
    assert numbers
    assert all(number >= 1024 for number in numbers)
