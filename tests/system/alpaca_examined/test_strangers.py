"""What machines that may only look can read, over each door: no address, no path, nothing of the configuration.

In most tests a machine elsewhere controls, and this one is the stranger.
"""

from __future__ import annotations

import json
from concurrent.futures import Future
from typing import Any, Callable

import pytest

from tests.support.http import EventStream

Background = Callable[..., "Future[Any]"]
FAR = 30528
CONTROL_IP = "127.0.0.2"


@pytest.fixture
def make_private(make_daemon: Any) -> Callable[..., Any]:
    """Makes a daemon that another machine controls; this one is a stranger to it."""

    def make(**changes: Any) -> Any:
        return make_daemon(alpaca={}, control_machines=["Elsewhere"], **changes)

    return make


@pytest.fixture
def controls(make_wire: Callable[..., Any]) -> Callable[[Any], Any]:
    """A client that may control a daemon."""
    return lambda daemon: make_wire(daemon, source=CONTROL_IP)


@pytest.fixture
def learnt(make_wire: Callable[..., Any]) -> Callable[[Any], str]:
    """All that this machine is told of the focuser, by the daemon's Pyro object, its panel, and Alpaca."""

    def learn(daemon: Any) -> str:
        wire = make_wire(daemon)
        members = ("connected", "ismoving", "position", "devicestate", "description", "driverinfo", "name")
        stream = EventStream(make_wire(daemon))
        # What a page is sent at once: what it shows, its history, its moves, and the status.
        told = [json.dumps(daemon.status()), *(json.dumps(stream.next()) for _ in range(4))]
        told += [wire.get(member).body.decode() for member in members]
        told += [wire.put(member).body.decode() for member in ("halt", "connect")]
        told += [
            wire.ask("GET", path).body.decode() for path in ("/", "/setup", "/management/v1/description")
        ]
        return "\n".join(told)

    return learn


def assert_private(told: str, daemon: Any) -> None:
    for secret in (
        CONTROL_IP,
        "Elsewhere",
        str(daemon.folder),
        daemon.control,
        "sim:",
        "Traceback",
        "focusd@system_test",
    ):
        assert secret not in told, secret


def test_who_stopped_a_move(make_private: Any, controls: Any, learnt: Any) -> None:
    daemon = make_private(serial_port={"time_scale": 10}, speed_mm_sec=0.4).start()
    mover, stopper = controls(daemon).connect(), controls(daemon).connect()
    assert mover.put("move", Position=FAR).error == 0
    daemon.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    assert stopper.put("halt").error == 0
    told = learnt(daemon)
    assert_private(told, daemon)
    # Over Pyro; on the panel, and there in its list of moves.
    assert daemon.status()["reason"] == "stopped."
    assert told.count('"reason": "Stopped."') == 2
    # Who may control reads it all, and so do those who keep the log.
    assert mover.wait_for_error("ismoving").message == f"stopped by {CONTROL_IP}."
    daemon.wait_for_log(f"[info] focusd@system_test: stopped by {CONTROL_IP} at ")


def test_who_stopped_a_homing_run(
    make_private: Any, controls: Any, learnt: Any, background: Background
) -> None:
    daemon = make_private(serial_port={"time_scale": 1}).start()
    connecting = background(controls(daemon).put, "connected", Connected=True)
    daemon.wait_for_homing()
    # As a person does, on the panel.
    assert controls(daemon).post("stop").json["done"]
    assert connecting.result().message.startswith(f"stopped by {CONTROL_IP}.")
    report = daemon.status()
    why = "stopped. The position is not known: home the focuser (focus init)."
    assert (report["reason"], report["trust_reason"]) == (why, why)
    assert_private(learnt(daemon), daemon)


def test_a_machine_that_may_control_reads_over_pyro_who_it_was(
    served: Any, connected: Any, make_wire: Callable[..., Any]
) -> None:
    assert connected.put("move", Position=FAR).error == 0
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    assert served.call("stop") == 0
    assert served.status()["reason"] == "stopped by 127.0.0.1."
    # A second stop leaves it as it is.
    assert served.call("stop") == 0
    assert served.status()["reason"] == "stopped by 127.0.0.1."


def test_a_lost_link(make_private: Any, controls: Any, learnt: Any) -> None:
    daemon = make_private().start()
    controls(daemon).connect()
    daemon.tell("hang-up")
    daemon.wait_for(lambda report: report["state"] == "reconnecting", "the loss of the link")
    told = learnt(daemon)
    assert_private(told, daemon)
    assert "the serial port" in daemon.status()["reason"]
    daemon.wait_for_log(f"{daemon.control} is opened again until it is back")


def test_a_port_that_is_not_there(make_private: Any, controls: Any, learnt: Any) -> None:
    daemon = make_private()
    port = str(daemon.folder / "no-such-port")
    daemon.write_config(alpaca={}, control_machines=["Elsewhere"], serial_port=port)
    daemon.start()
    assert controls(daemon).put("connected", Connected=True).error == 0x511
    assert_private(learnt(daemon), daemon)
    assert daemon.status()["reason"].startswith(
        "the serial port cannot be opened: No such file or directory."
    )


@pytest.mark.parametrize("state", ["a file where its folder should be", "a file that is none of focusd"])
def test_a_state_file_that_cannot_be_used(make_private: Any, learnt: Any, state: str) -> None:
    daemon = make_private()
    path = daemon.folder / "state/system_test.json"
    if state.endswith("folder should be"):
        path.parent.write_text("")
    else:
        path.parent.mkdir()
        path.write_text(json.dumps({"format": 1, "port": "/dev/focuser", "secret": str(daemon.folder)}))
    daemon.start()
    daemon.wait_for_log(f"The file is {path}")
    told = learnt(daemon)
    assert_private(told, daemon)
    assert "/dev/focuser" not in told
    assert "the state file" in daemon.status()["state_file_problem"]
