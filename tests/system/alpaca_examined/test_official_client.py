"""What the official Python client and the conformance checker ask of a real daemon, and every error that they get.

Each member by itself, and each request that is refused, is in tests/servers/alpaca.
"""

from __future__ import annotations

from typing import Any, Callable

import pytest
from alpaca import exceptions, management
from alpaca.focuser import Focuser
from alpaca.rotator import Rotator

from tests.support.waiting import wait_until

STEPS_PER_MM = 5088
MAX_STEP = 6 * STEPS_PER_MM
CONNECTS_IN_A_ROW = 12


def rest(focuser: Any) -> None:
    wait_until(lambda: focuser.IsMoving is False, "the end of the move")


# What it is


def test_what_it_is_can_be_read_before_connecting(served: Any, make_alpyca: Callable[[Any], Any]) -> None:
    focuser = make_alpyca(served)
    assert (focuser.Connected, focuser.Connecting) == (False, False)
    assert focuser.InterfaceVersion == 4
    assert {"moved_between", "hold"} <= set(focuser.SupportedActions)
    assert focuser.Action("holds", "") == "[]"
    assert (focuser.Absolute, focuser.TempCompAvailable, focuser.TempComp) == (True, False, False)
    assert "OK3Z" in focuser.Name
    assert 0 < len(focuser.Description) <= 64
    assert all(focuser.DriverInfo)
    major, minor = focuser.DriverVersion.split(".")
    assert (major + minor).isdigit()
    assert focuser.StepSize == pytest.approx(1000 / STEPS_PER_MM, abs=1e-12)
    assert (focuser.MaxStep, focuser.MaxIncrement) == (MAX_STEP, MAX_STEP)


def test_the_server(served: Any) -> None:
    address = f"127.0.0.1:{served.alpaca.port}"
    assert management.apiversions(address) == [1]
    described = management.description(address)
    assert set(described) == {"ServerName", "Manufacturer", "ManufacturerVersion", "Location"}
    (device,) = management.configureddevices(address)
    assert (device["DeviceType"], device["DeviceNumber"]) == ("Focuser", 0)


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


def test_connecting_and_disconnecting(served: Any, make_alpyca: Callable[[Any], Any]) -> None:
    focuser = make_alpyca(served)
    for method, is_connected in ((focuser.Connect, True), (focuser.Disconnect, False)) * 2:
        for _ in range(CONNECTS_IN_A_ROW):
            method()
        wait_until(lambda: focuser.Connecting is False, "its end")
        assert focuser.Connected is is_connected
    for value in (True, False, False, True, True, False):
        focuser.Connected = value
        assert focuser.Connected is value
    assert served.status()["state"] == "idle", "it is still the observatory's"


# Moving


def test_moves_end_where_the_checker_sends_them(alpyca: Any, served: Any) -> None:
    for target in (24000, 2500, 2500, 0, -10, MAX_STEP // 2, MAX_STEP + 10, -(2**31), 2**31 - 1, 2500):
        stands = alpyca.Position
        sent = served.sent()
        alpyca.Move(target)
        expected = min(max(target, 0), MAX_STEP)
        if abs(expected - stands) > MAX_STEP / 2:
            # Far enough that it still runs when it is asked.
            assert alpyca.IsMoving is True
        rest(alpyca)
        assert alpyca.Position == served.status()["current_steps"] == expected, target
        assert served.truth()["moving"] is False
        assert (served.sent() > sent) is (expected != stands)


def test_a_move_that_is_slow_to_begin_is_under_way_all_the_same(
    alpyca: Any, served: Any, spoil: Callable[[str], None]
) -> None:
    """The controller does not answer for a while, so that the answer to Move comes first."""
    sent = served.sent()
    spoil("fault lost count=4")
    alpyca.Move(4000)
    assert served.sent() == sent, "it has not begun"
    assert alpyca.IsMoving is True
    rest(alpyca)
    assert alpyca.Position == 4000


def test_a_halt_is_no_error_for_who_asked(alpyca: Any, served: Any) -> None:
    alpyca.Move(MAX_STEP)
    served.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    state = {item["Name"]: item["Value"] for item in alpyca.DeviceState}
    assert state["IsMoving"] is True
    alpyca.Halt()
    rest(alpyca)
    assert alpyca.Position < MAX_STEP
    assert served.truth()["moving"] is False
    alpyca.Halt()
    assert alpyca.IsMoving is False


# Every error


def test_0x400_not_implemented(alpyca: Any) -> None:
    alpyca.TempComp = False
    for call in (
        lambda: alpyca.Temperature,
        lambda: setattr(alpyca, "TempComp", True),
        lambda: alpyca.CommandBlind("x", False),
        lambda: alpyca.CommandBool("x", False),
        lambda: alpyca.CommandString("x", True),
    ):
        with pytest.raises(exceptions.NotImplementedException):
            call()
    with pytest.raises(exceptions.ActionNotImplementedException):
        alpyca.Action("Nothing", "")


def test_400_no_position(alpyca: Any) -> None:
    for position in ("x", "", 1.5, "1e3", 2147483648, None):
        with pytest.raises(exceptions.AlpacaRequestException) as caught:
            alpyca.Move(position)
        assert caught.value.number == 400, position
    assert alpyca.IsMoving is False


def test_404_another_device(served: Any) -> None:
    address = f"127.0.0.1:{served.alpaca.port}"
    for other in (Focuser(address, 1), Rotator(address, 0)):
        with pytest.raises(exceptions.AlpacaRequestException) as caught:
            _ = other.Name
        assert caught.value.number == 404
        other.rqs.close()


def test_0x407_not_connected(served: Any, make_alpyca: Callable[[Any], Any]) -> None:
    focuser = make_alpyca(served)
    for call in (
        lambda: focuser.Position,
        lambda: focuser.IsMoving,
        lambda: focuser.DeviceState,
        lambda: focuser.Move(1000),
        focuser.Halt,
    ):
        with pytest.raises(exceptions.NotConnectedException):
            call()
    assert served.status()["moving"] is False


def test_0x40b_a_move_during_a_move(alpyca: Any) -> None:
    alpyca.Move(MAX_STEP)
    with pytest.raises(exceptions.InvalidOperationException):
        alpyca.Move(1000)
    assert alpyca.IsMoving is True, "the first goes on"
    alpyca.Halt()
    rest(alpyca)


def test_0x40e_stopped_by_somebody_else_is_told_once_by_each(alpyca: Any, served: Any) -> None:
    alpyca.Move(MAX_STEP)
    assert served.call("stop") == 0
    with pytest.raises(exceptions.OperationCancelledException, match=r"127\.0\.0\.1"):
        wait_until(lambda: alpyca.IsMoving is False, "the error")
    for read in ("Position", "DeviceState"):
        with pytest.raises(exceptions.OperationCancelledException):
            getattr(alpyca, read)
    assert alpyca.IsMoving is False
    assert 0 < alpyca.Position < MAX_STEP
    assert len(alpyca.DeviceState) == 3


def test_0x500_a_failed_move_is_told_once_and_says_why(
    alpyca: Any, served: Any, spoil: Callable[[str], None]
) -> None:
    spoil("motor frozen")
    alpyca.Move(MAX_STEP)
    served.wait_for(lambda report: not report["moving"], "the end of the move")
    with pytest.raises(exceptions.DriverException) as caught:
        # Its end may be published a moment before the call has ended.
        wait_until(lambda: alpyca.Position is None, "the error")
    assert 0x500 <= caught.value.number <= 0xFFF
    assert served.status()["reason"] in caught.value.message
    assert alpyca.Position is not None, "it is told once"
    served.tell("clear")
    alpyca.Move(2500)
    rest(alpyca)
    assert alpyca.Position == 2500
