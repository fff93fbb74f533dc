"""The temperature over Pyro: who may set its reference, with which number that is answered, and what is published."""

from __future__ import annotations

from typing import Any

import pytest

from rockit.focuser.ok3z.errors import BusyError, FocuserError, NotConnectedError, ThermometerError
from rockit.focuser.ok3z.servers.pyro import focuser as room
from rockit.focuser.ok3z.service.history import Asker
from tests.support.reference import PaperTemperature

STRANGER = "10.2.5.116"


def test_a_reference_is_set_for_a_machine_that_may_control(focuser: Any, service: Any) -> None:
    focuser.temperature = PaperTemperature()
    assert service.set_reference() == 0
    assert service.set_reference("autofocus, filter R") == 0
    assert focuser.temperature.askers[1] == Asker("10.2.5.115", "pyro", "autofocus, filter R")


@pytest.mark.parametrize(
    ("failure", "number"),
    [
        (ThermometerError("the temperature is not known."), 1),
        (FocuserError("its disk refuses it."), 1),
        (BusyError("the focuser moves."), 2),
        (NotConnectedError("the focuser does not stand at a known position."), 7),
    ],
)
def test_why_it_is_not_set(focuser: Any, service: Any, failure: FocuserError, number: int) -> None:
    focuser.temperature = PaperTemperature(failure)
    assert service.set_reference() == number
    assert service.last_failure()["reason"] == str(failure)


def test_what_hangs_is_a_failure(focuser: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REFERENCE_PATIENCE_S", 0.05)
    focuser.temperature = PaperTemperature(hangs=True)
    assert service.set_reference() == 1
    assert "does not answer" in service.last_failure()["reason"]
    # It does not come true later.
    assert focuser.temperature.begun[0].cancelled()


def test_a_wrong_reason_a_stranger_and_a_focuser_that_follows_nothing(
    focuser: Any, service: Any, called_from: Any
) -> None:
    assert service.set_reference() == 1
    assert "`temperature` is not configured" in service.last_failure()["reason"]
    focuser.temperature = PaperTemperature()
    assert service.set_reference("two\nlines") == 1
    called_from(STRANGER)
    assert service.set_reference() == 3
    assert focuser.temperature.askers == []


def test_what_it_says_is_published_and_addresses_are_not_for_strangers(
    focuser: Any, service: Any, called_from: Any
) -> None:
    assert "temperature" not in service.report_status()
    focuser.temperature = PaperTemperature()
    assert service.report_status()["temperature"]["celsius"] == 7.5
    assert "10.2.5.9" in service.report_status()["temperature"]["says"]
    called_from(STRANGER)
    assert service.report_status()["temperature"]["says"] == "the thermometer gives no answer."
