"""Every member and every error, as the official Python client gets them from a real daemon."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from alpaca import exceptions, management

STEPS_PER_MM = 5088
MAX_STEP = 6 * STEPS_PER_MM


def rest(focuser: Any, wire: Any) -> None:
    wire.wait_until(lambda: focuser.IsMoving is False, "the end of the move")


# What it is


def test_what_it_is(alpyca: Any) -> None:
    assert alpyca.InterfaceVersion == 4
    assert "OK3Z" in alpyca.Name
    assert 0 < len(alpyca.Description) <= 64
    assert all(alpyca.DriverInfo)
    major, minor = alpyca.DriverVersion.split(".")
    assert (major + minor).isdigit()
    assert alpyca.SupportedActions == []
    assert alpyca.Absolute is True
    assert alpyca.TempCompAvailable is False
    assert alpyca.TempComp is False


def test_one_step_is_one_step_of_the_controller(alpyca: Any) -> None:
    assert alpyca.StepSize == pytest.approx(1000 / STEPS_PER_MM, abs=1e-12)
    assert alpyca.MaxStep == MAX_STEP
    assert 1 <= alpyca.MaxIncrement <= MAX_STEP


def test_what_it_is_can_be_read_before_connecting(served: Any, make_alpyca: Callable[[Any], Any]) -> None:
    focuser = make_alpyca(served)
    assert focuser.Connected is False
    assert focuser.Connecting is False
    assert focuser.Name
    assert focuser.Description
    assert focuser.DriverInfo
    assert focuser.DriverVersion
    assert focuser.InterfaceVersion == 4


def test_the_server(served: Any) -> None:
    address = f"127.0.0.1:{served.alpaca.port}"
    assert management.apiversions(address) == [1]
    described = management.description(address)
    assert set(described) == {"ServerName", "Manufacturer", "ManufacturerVersion", "Location"}
    (device,) = management.configureddevices(address)
    assert device["DeviceType"] == "Focuser"
    assert device["DeviceNumber"] == 0
    assert (device,) == tuple(management.configureddevices(address)), "it is constant"


def test_the_identity_is_that_of_the_daemon_s_name_for_ever(make_daemon: Any) -> None:
    """Not of the process, its port, or its configuration's file."""
    seen = []
    for _ in range(2):
        daemon = make_daemon(alpaca={}).start()
        (device,) = management.configureddevices(f"127.0.0.1:{daemon.alpaca.port}")
        seen.append(device["UniqueID"])
        daemon.end()
    assert seen[0] == seen[1]


# Connecting


def test_connecting_and_disconnecting(served: Any, make_alpyca: Callable[[Any], Any], wire: Any) -> None:
    focuser = make_alpyca(served)
    for _ in range(3):
        focuser.Connect()
    wire.wait_until(lambda: focuser.Connecting is False, "the end of connecting")
    assert focuser.Connected is True
    for _ in range(3):
        focuser.Disconnect()
    wire.wait_until(lambda: focuser.Connecting is False, "the end of disconnecting")
    assert focuser.Connected is False
    focuser.Connected = True
    assert focuser.Connected is True
    focuser.Connected = False
    assert focuser.Connected is False
    assert served.status()["state"] == "idle", "it is still the observatory's"


# Moving


def test_a_move_is_true_from_its_return_until_it_stands(alpyca: Any, served: Any, wire: Any) -> None:
    # Far enough that it still runs when it is asked.
    for target in (24000, 2500):
        sent = served.sent()
        alpyca.Move(target)
        assert alpyca.IsMoving is True
        rest(alpyca, wire)
        assert alpyca.Position == target
        assert served.truth()["moving"] is False
        assert served.sent() > sent
        assert served.status()["current_steps"] == target


def test_a_move_that_is_slow_to_begin_is_under_way_all_the_same(
    alpyca: Any, served: Any, wire: Any, spoil: Callable[[str], None]
) -> None:
    """The controller does not answer for a while, so that the answer to Move comes first."""
    sent = served.sent()
    spoil("fault lost count=4")
    alpyca.Move(4000)
    assert served.sent() == sent, "it has not begun"
    assert alpyca.IsMoving is True
    rest(alpyca, wire)
    assert alpyca.Position == 4000


def test_a_move_to_where_it_stands_ends_too(alpyca: Any, wire: Any) -> None:
    position = alpyca.Position
    for _ in range(5):
        alpyca.Move(position)
        rest(alpyca, wire)
    assert alpyca.Position == position


@pytest.mark.parametrize(("asked", "expected"), [(-10, 0), (-2147483648, 0), (2147483647, MAX_STEP)])
def test_moves_are_clamped_without_an_error(alpyca: Any, wire: Any, asked: int, expected: int) -> None:
    alpyca.Move(asked)
    rest(alpyca, wire)
    assert alpyca.Position == expected


def test_the_state_of_the_device(alpyca: Any, wire: Any) -> None:
    def state() -> dict[str, Any]:
        return {item["Name"]: item["Value"] for item in alpyca.DeviceState}

    assert set(state()) == {"IsMoving", "Position", "TimeStamp"}
    assert (state()["IsMoving"], state()["Position"]) == (False, alpyca.Position)
    alpyca.Move(MAX_STEP)
    assert state()["IsMoving"] is True
    alpyca.Halt()
    rest(alpyca, wire)


def test_a_halt_is_no_error_for_who_asked(alpyca: Any, served: Any, wire: Any) -> None:
    alpyca.Move(MAX_STEP)
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    alpyca.Halt()
    rest(alpyca, wire)
    assert alpyca.Position < MAX_STEP
    assert served.truth()["moving"] is False
    alpyca.Halt()
    assert alpyca.IsMoving is False


# Every error


def test_0x400_not_implemented(alpyca: Any) -> None:
    with pytest.raises(exceptions.NotImplementedException):
        _ = alpyca.Temperature
    with pytest.raises(exceptions.NotImplementedException):
        alpyca.TempComp = True
    alpyca.TempComp = False
    with pytest.raises(exceptions.NotImplementedException):
        alpyca.CommandBlind("x", False)
    with pytest.raises(exceptions.NotImplementedException):
        alpyca.CommandBool("x", False)
    with pytest.raises(exceptions.NotImplementedException):
        alpyca.CommandString("x", True)


def test_0x400_or_0x40c_an_action_that_is_not_there(alpyca: Any) -> None:
    expected = (exceptions.NotImplementedException, exceptions.ActionNotImplementedException)
    with pytest.raises(expected):
        alpyca.Action("Nothing", "")


@pytest.mark.parametrize("position", ["x", "", 1.5, "1e3", 2147483648, None])
def test_0x401_or_400_no_position(alpyca: Any, position: Any) -> None:
    with pytest.raises((exceptions.InvalidValueException, exceptions.AlpacaRequestException)) as caught:
        alpyca.Move(position)
    assert caught.value.number in (0x401, 400)
    assert alpyca.IsMoving is False


def test_0x407_not_connected(served: Any, make_alpyca: Callable[[Any], Any]) -> None:
    focuser = make_alpyca(served)
    for read in ("Position", "IsMoving", "DeviceState"):
        with pytest.raises(exceptions.NotConnectedException):
            getattr(focuser, read)
    for write in (lambda: focuser.Move(1000), focuser.Halt):
        with pytest.raises(exceptions.NotConnectedException):
            write()
    assert served.status()["moving"] is False


def test_0x40b_a_move_during_a_move(alpyca: Any, wire: Any) -> None:
    alpyca.Move(MAX_STEP)
    with pytest.raises(exceptions.InvalidOperationException):
        alpyca.Move(1000)
    assert alpyca.IsMoving is True, "the first goes on"
    alpyca.Halt()
    rest(alpyca, wire)


def test_0x40e_stopped_by_somebody_else_is_told_once_by_each(alpyca: Any, served: Any, wire: Any) -> None:
    alpyca.Move(MAX_STEP)
    assert served.call("stop") == 0
    with pytest.raises(exceptions.OperationCancelledException) as caught:
        wire.wait_until(lambda: alpyca.IsMoving is False, "the error")
    assert "127.0.0.1" in caught.value.message, "it says who"
    for read in ("Position", "DeviceState"):
        with pytest.raises(exceptions.OperationCancelledException):
            getattr(alpyca, read)
    assert alpyca.IsMoving is False
    assert 0 < alpyca.Position < MAX_STEP
    assert len(alpyca.DeviceState) == 3


@pytest.mark.parametrize("read", ["Position", "DeviceState", "IsMoving"])
def test_0x500_a_failed_move_is_told_once_and_says_why(
    alpyca: Any, served: Any, wire: Any, spoil: Callable[[str], None], read: str
) -> None:
    spoil("motor frozen")
    alpyca.Move(MAX_STEP)
    served.wait_for(lambda report: not report["moving"], "the end of the move")
    with pytest.raises(exceptions.DriverException) as caught:
        # Its end may be published a moment before the call has ended.
        wire.wait_until(lambda: getattr(alpyca, read) is None, "the error")
    assert 0x500 <= caught.value.number <= 0xFFF
    assert served.status()["reason"] in caught.value.message
    assert getattr(alpyca, read) is not None, "it is told once"
    served.tell("clear")
    alpyca.Move(2500)
    rest(alpyca, wire)
    assert alpyca.Position == 2500


def test_404_another_device(served: Any, wire: Any) -> None:
    from alpaca.focuser import Focuser
    from alpaca.rotator import Rotator

    address = f"127.0.0.1:{served.alpaca.port}"
    for other in (Focuser(address, 1), Rotator(address, 0)):
        with pytest.raises(exceptions.AlpacaRequestException) as caught:
            _ = other.Name
        assert caught.value.number in (400, 404)
        other.rqs.close()


def test_who_may_not_control_may_look(served: Any, make_wire: Any) -> None:
    """A machine that is not among control_machines: it reads all, and its every PUT is refused with an Alpaca error
    that says so."""
    stranger = make_wire(served, source="127.0.0.2")
    assert stranger.get("name").value
    position = served.status()["current_steps"]
    assert (stranger.get("position").value, stranger.get("ismoving").value) == (position, False)
    forms: dict[str, dict[str, Any]] = {
        "move": {"Position": 9000},
        "halt": {},
        "connect": {},
        "disconnect": {},
        "connected": {"Connected": True},
        "tempcomp": {"TempComp": False},
        "action": {"Action": "x", "Parameters": ""},
        "commandblind": {"Command": "x", "Raw": False},
    }
    for member, form in forms.items():
        reply = stranger.put(member, **form)
        assert reply.error != 0, member
        assert "127.0.0.2" in reply.json["ErrorMessage"], member
        assert "control_machines" in reply.json["ErrorMessage"], member
    assert served.status()["current_steps"] == position
    assert stranger.get("connected").value is False
