"""The control socket: every word works, bad lines and bad clients do no harm."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.simulator import OptionError, VirtualClock, VirtualOK3Z
from rockit.focuser.ok3z.simulator.control import LONGEST_LINE, MOST_CLIENTS, ControlServer, tell
from rockit.focuser.ok3z.simulator.control_commands import COMMANDS, obey
from tests.support.waiting import wait_until


@pytest.fixture
def model(clock: VirtualClock) -> VirtualOK3Z:
    return VirtualOK3Z(clock)


@pytest.fixture
def path(model: VirtualOK3Z, tmp_path: Path) -> Iterator[str]:
    where = str(tmp_path / "control")
    server = ControlServer(model, where)
    yield where
    server.close()


def connect(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(path)
    return client


def line_from(client: socket.socket) -> dict[str, Any]:
    with client.makefile("rb") as stream:
        return dict(json.loads(stream.readline()))


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("motor stalled", "motor", "stalled"),
        ("switch dead", "switch", "dead"),
        ("hand 1", "carriage_mm", 4.0),
        ("hand -0.5 register=1", "register", -40000 + 2544),
        ("hand 1 drive=1", "moving", True),
        ("lose-steps 5088", "motor_mm", 4.200079),
        ("lose_steps 5088", "motor_mm", 4.200079),
        ("power-cut", "register", 0),
        ("power-cut 3", "powered", True),
        ("power-off", "powered", False),
        ("power-on", "powered", True),
        ("hang-up", "hung_up", True),
        ("return", "hung_up", False),
        ("fault lost to=P081 count=3", "faults", ["lost to=P081 count=3"]),
        ("fault replaced text='a b'", "faults", ["replaced text=a b"]),
        ("fault reset to=P103 when=after delay_s=0.1", "faults", ["reset to=P103 when=after delay_s=0.1"]),
        ("clear", "faults", []),
        ("option power_up_register=7 boot_s=1", "register", -40000),
    ],
)
def test_word_does_what_it_says(path: str, line: str, key: str, value: Any) -> None:
    assert tell(path, line)["ok"]

    assert tell(path, "state")[key] == value


def test_extremes_of_motor_and_carriage_are_told_and_forgotten(path: str) -> None:
    tell(path, "hand 2")
    tell(path, "hand -1")
    seen = tell(path, "state")
    tell(path, "forget-extremes")
    afterwards = tell(path, "state")

    assert (seen["highest_mm"], seen["highest_motor_mm"]) == (5.0, pytest.approx(5.2, abs=1e-3))
    assert (afterwards["lowest_mm"], afterwards["highest_mm"]) == (4.0, 4.0)
    assert afterwards["lowest_motor_mm"] == afterwards["highest_motor_mm"] == pytest.approx(4.2, abs=1e-3)


def test_stand_short_is_taken(path: str, model: VirtualOK3Z, clock: VirtualClock) -> None:
    assert tell(path, "stand-short 7 count=2") == {"ok": True}
    model.write(b"#P092 F -30000$\n")
    clock.sleep(1000)

    assert model.register == -30007


def test_rate_is_taken(path: str, model: VirtualOK3Z, clock: VirtualClock) -> None:
    assert tell(path, "rate reply_loss 1") == {"ok": True}
    model.write(b"#S051 F$\n")
    clock.sleep(1)

    assert model.in_waiting == 0


def test_clear_mends_everything(path: str) -> None:
    for line in ("motor frozen", "switch stuck", "fault lost", "stand-short 5", "clear"):
        assert tell(path, line)["ok"]

    state = tell(path, "state")
    assert (state["motor"], state["switch"], state["faults"]) == ("works", "works", [])


def test_trace_shows_both_directions(path: str, model: VirtualOK3Z, clock: VirtualClock) -> None:
    model.fault("lost")
    model.write(b"#S051 F$\n")
    clock.sleep(1)

    trace = tell(path, "trace 2")["trace"]

    assert [entry[1:] for entry in trace] == [
        [">", "#S051 F$\n", ""],
        ["<", "#S052 F OK3Z virtual 1$\n", "lost"],
    ]


def test_help_names_every_command_and_fault(path: str) -> None:
    answer = tell(path, "help")

    assert {usage.split()[0] for usage in answer["commands"]} == set(COMMANDS)
    assert "late" in answer["faults"]


WRONG_LINES = [
    ("", "The line is empty"),
    ("explode", "There is no command 'explode'; the commands are: help, state"),
    ("state now", "This is written: state"),
    ("state now=1", "This is written: state"),
    ("hand", "This is written: hand MM"),
    ("hand far", "MM='far' is not a number"),
    ("hand nan", "MM='nan' is not a number"),
    ("hand 1 register=maybe", "register='maybe' is not a number"),
    ("power-cut soon", "SECONDS='soon'"),
    ("motor gone", "motor 'gone' is none of: works, frozen"),
    ("switch gone", "switch 'gone' is none of: works, dead, stuck"),
    ("lose-steps 1.5", "N='1.5' is not a whole number"),
    ("trace 100000", "N='100000' is not a number from 1 to 5000"),
    ("fault", "This is written: fault KIND"),
    ("fault lots", "There is no fault 'lots'"),
    ("fault lost colour=red", "A fault has no 'colour'"),
    ("rate reply_loss 2", "X='2' is not a number from 0 to 1"),
    ("rate gain 1", "There is no rate 'gain'"),
    ("fault 'lost", "No closing quotation"),
]


def test_wrong_line_is_answered_with_what_is_right(model: VirtualOK3Z) -> None:
    for line, said in WRONG_LINES:
        answer = obey(model, line)
        assert not answer["ok"], line
        assert said in answer["error"]


def test_one_client_may_say_several_lines_in_pieces(path: str) -> None:
    with connect(path) as client, client.makefile("rb") as stream:
        client.sendall(b"motor fro")
        client.sendall(b"zen\nstate\n")

        assert json.loads(stream.readline()) == {"ok": True}
        assert json.loads(stream.readline())["motor"] == "frozen"


def test_too_long_a_line_is_refused_and_ends_the_client(path: str) -> None:
    with connect(path) as client:
        client.sendall(b"x" * (LONGEST_LINE + 1))

        assert "longer than" in line_from(client)["error"]
        assert client.recv(1) == b""
    assert tell(path, "state")["ok"]


def test_clients_are_bounded_and_those_that_leave_make_room(path: str) -> None:
    clients = [connect(path) for _ in range(MOST_CLIENTS)]
    for client in clients:
        client.sendall(b"clear\n")
        assert line_from(client)["ok"]
    with connect(path) as one_more:
        assert "clients are connected" in line_from(one_more)["error"]

    for client in clients:
        client.close()

    wait_until(lambda: tell(path, "state")["ok"], "room")


def test_bytes_that_are_no_text_do_no_harm(path: str) -> None:
    with connect(path) as client:
        client.sendall(b"\xff\xfe\x00\n")
        assert not line_from(client)["ok"]
    assert tell(path, "state")["ok"]


def test_socket_is_private_and_removed_at_the_end(model: VirtualOK3Z, tmp_path: Path) -> None:
    where = tmp_path / "control"
    server = ControlServer(model, str(where))
    assert os.stat(where).st_mode & 0o777 == 0o600

    server.close()

    assert not where.exists()


def test_socket_that_a_dead_simulator_left_is_replaced(model: VirtualOK3Z, tmp_path: Path) -> None:
    where = str(tmp_path / "control")
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(where)
    left.close()

    server = ControlServer(model, where)

    assert tell(where, "state")["ok"]
    server.close()


def test_socket_of_a_living_simulator_is_left_alone(path: str, model: VirtualOK3Z) -> None:
    with pytest.raises(OptionError, match="in use by another simulator"):
        ControlServer(model, path)

    assert tell(path, "state")["ok"]


def test_file_in_the_way_is_left_alone(model: VirtualOK3Z, tmp_path: Path) -> None:
    where = tmp_path / "precious"
    where.write_text("data")

    with pytest.raises(OptionError, match="something else is there"):
        ControlServer(model, str(where))

    assert where.read_text() == "data"


def test_options_can_be_changed_while_it_runs(path: str, model: VirtualOK3Z) -> None:
    assert tell(path, "option power_up_register=7 switch_kind=edge") == {
        "ok": True,
        "power_up_register": 7,
        "switch_kind": "edge",
    }

    tell(path, "power-cut")

    assert model.register == 7


def test_wrong_changes_of_options_change_nothing(model: VirtualOK3Z) -> None:
    for line, said in (
        ("option", "This is written: option NAME=VALUE ..."),
        ("option stop_mode=hard backlash_mm=1", "backlash_mm cannot be changed any more"),
        ("option stop_mode=hard power_up_mode=9", "power_up_mode='9' is not a whole number from 0 to 7"),
        ("option stop_mode=hard speling=1", "There is no option 'speling'"),
    ):
        answer = obey(model, line)
        assert not answer["ok"], line
        assert said in answer["error"]
        assert model.options.stop_mode == "soft"
