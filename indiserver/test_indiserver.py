"""What Debian's indiserver and its clients make of our driver."""

from __future__ import annotations

import os
import signal
import socket
from functools import partial
from typing import Callable

from indiserver.conftest import Server
from tests.support.indi import NAME, go_to
from tests.support.processes import Focusd
from tests.support.waiting import wait_until

Makes = Callable[..., Server]
ABS = "ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION"


def test_clients_see_the_properties(server: Server) -> None:
    seen = server.get()
    assert seen[ABS] == "5088"
    assert seen["FOCUS_MAX.FOCUS_MAX_VALUE"] == "30528"
    assert seen["DRIVER_INFO.DRIVER_INTERFACE"] == "8"
    assert seen["CONNECTION.CONNECT"] == "On"
    assert server.get("ABS_FOCUS_POSITION._PERM", "FOCUS_MAX._PERM") == {
        "ABS_FOCUS_POSITION._PERM": "rw",
        "FOCUS_MAX._PERM": "ro",
    }


def test_moves_are_exact(server: Server, focusd: Focusd) -> None:
    for steps in (5087, 6001, 0, 5088):
        assert server.set(ABS, steps) == 0
        server.wait(f"[ABS_FOCUS_POSITION._STATE]==1 && [{ABS}]=={steps}")
        assert focusd.status()["current_steps"] == steps
    assert server.set("FOCUS_MOTION.FOCUS_OUTWARD", "On") == 0
    assert server.set("REL_FOCUS_POSITION.FOCUS_RELATIVE_POSITION", 100) == 0
    server.wait(f"[REL_FOCUS_POSITION._STATE]==1 && [{ABS}]==5188")


def test_several_clients_see_the_same_and_one_aborts(server: Server, focusd: Focusd) -> None:
    assert server.set(ABS, 30000) == 0
    server.wait("[ABS_FOCUS_POSITION._STATE]==2")
    assert {server.get("ABS_FOCUS_POSITION._STATE")["ABS_FOCUS_POSITION._STATE"] for _ in range(3)} == {
        "Busy"
    }
    assert server.set("FOCUS_ABORT_MOTION.ABORT", "On") == 0
    server.wait("[ABS_FOCUS_POSITION._STATE]==0 && [FOCUS_ABORT_MOTION._STATE]==1")
    assert not focusd.status()["moving"]
    assert server.get(ABS)[ABS] == str(focusd.status()["current_steps"])


def test_an_operators_stop_is_alert_to_all(server: Server, focusd: Focusd) -> None:
    assert server.set(ABS, 30000) == 0
    server.wait("[ABS_FOCUS_POSITION._STATE]==2")
    wait_until(lambda: focusd.status()["moving"], "the move")
    assert focusd.call("stop") == 0
    server.wait("[ABS_FOCUS_POSITION._STATE]==3")
    assert server.set(ABS, 100) == 0
    server.wait("[ABS_FOCUS_POSITION._STATE]==3")
    assert not focusd.status()["moving"]


def test_what_the_server_hands_on_harms_nothing(server: Server) -> None:
    (before,) = server.driver_ids
    hostile = [
        go_to("&boom;").encode(),
        go_to("7000\x01").encode(),
        go_to("7000").encode().replace(b"7000", b"7\xff\xfe0"),
        go_to("7000").encode().replace(b"name=", b"name='x' name=", 1),
        go_to("50000,5").encode(),
        go_to("--5").encode(),
        go_to("nan").encode(),
        b"<pleaseMove device='" + NAME.encode() + b"'/>",
        f"<newBLOBVector device='{NAME}' name='X'><oneBLOB name='Y'>".encode()
        + b"QUFB" * 1_000_000
        + b"</oneBLOB></newBLOBVector>",
        f"<getProperties version='99' device='{NAME}'/>".encode(),
        b"<newNumberVector device='" + NAME.encode(),
    ]
    for each in hostile:
        with socket.create_connection(("127.0.0.1", server.port), 5) as client:
            client.sendall(each)
            client.shutdown(socket.SHUT_WR)
            # Until the server has read it, and hangs up.
            client.settimeout(5)
            while client.recv(65536):
                pass
    assert server.get(ABS, timeout_s=3)[ABS] == "5088"
    assert server.driver_ids == [before]
    assert server.set(ABS, 5000) == 0
    server.wait(f"[ABS_FOCUS_POSITION._STATE]==1 && [{ABS}]==5000")


def test_a_driver_is_stopped_and_started_by_the_fifo(server: Server) -> None:
    server.tell(f'stop indi_ok3z_focus -n "{NAME}"')
    wait_until(lambda: not server.driver_ids, "its end")
    server.tell(f'start indi_ok3z_focus -n "{NAME}"')
    wait_until(lambda: server.get("CONNECTION.CONNECT").get("CONNECTION.CONNECT") == "Off", "a new one")
    server.connect()
    assert server.get(ABS)[ABS] == "5088"


def test_a_driver_that_was_killed_is_started_again(make_server: Makes) -> None:
    server = make_server("indi_ok3z_focus")
    wait_until(lambda: server.driver_ids, "the driver")
    (before,) = server.driver_ids
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.driver_ids and server.driver_ids != [before], "another one")
    wait_until(lambda: server.get("CONNECTION.CONNECT"), "its properties")
    server.connect()


def test_a_server_may_be_chained_to_a_far_one(make_server: Makes) -> None:
    far = make_server("indi_ok3z_focus")
    wait_until(lambda: far.get("CONNECTION.CONNECT"), "the driver")

    def is_known(near: Server) -> bool:
        return bool(near.get("CONNECTION.CONNECT"))

    for address in (f"{NAME}@127.0.0.1:{far.port}", f"@127.0.0.1:{far.port}"):
        near = make_server(address)
        wait_until(partial(is_known, near), "the far driver")
        near.connect()
        assert near.set(ABS, 3000) == 0
        near.wait(f"[ABS_FOCUS_POSITION._STATE]==1 && [{ABS}]==3000")


def test_no_driver_outlives_its_server(make_server: Makes) -> None:
    server = make_server("indi_ok3z_focus")
    wait_until(lambda: server.driver_ids, "the driver")
    (driver,) = server.driver_ids
    server.end()
    assert not os.path.exists(f"/proc/{driver}")


def test_the_driver_outlives_a_daemon_that_restarts(server: Server, focusd: Focusd) -> None:
    (before,) = server.driver_ids
    focusd.kill()
    server.wait("[ABS_FOCUS_POSITION._STATE]==3")
    focusd.start()
    assert focusd.call("initialize") == 0
    server.wait(f"[ABS_FOCUS_POSITION._STATE]==1 && [{ABS}]==0")
    assert server.driver_ids == [before]
    assert server.get("CONNECTION._STATE")["CONNECTION._STATE"] == "Ok"
