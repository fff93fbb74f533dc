"""Who may control: machines with a permitted address, and nobody else."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from rockit.common import helpers

from rockit.focuser.ok3z.servers.pyro import PyroFocuser

CONTROL_IPS = ("10.2.5.115", "127.0.0.1", "127.0.1.1")


def test_a_stranger_is_refused_whatever_is_asked(
    command: str,
    service: PyroFocuser,
    stand_in: Any,
    called_from: Callable[[str], None],
    call: Any,
) -> None:
    for address in ("10.2.5.116", "10.2.5.11", "1.2.3.4", "::1", "", "garbage"):
        called_from(address)
        assert call(service, command) == 3, address
        assert stand_in.calls == [], address


def test_outside_a_pyro_call_nothing_is_permitted(
    command: str, uncalled: PyroFocuser, stand_in: Any, call: Any
) -> None:
    assert call(uncalled, command) == 3
    assert stand_in.calls == []


@pytest.mark.parametrize("address", CONTROL_IPS)
def test_every_control_machine_may_control(
    address: str, service: PyroFocuser, called_from: Callable[[str], None]
) -> None:
    called_from(address)
    assert service.set_focus(1.0) == 0


def test_a_stranger_may_ask_for_the_status(service: PyroFocuser, called_from: Callable[[str], None]) -> None:
    called_from("1.2.3.4")
    assert service.report_status()["status"] == 1


def test_a_site_whose_helper_fails_permits_nothing(
    command: str, service: PyroFocuser, stand_in: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bool:
        raise RuntimeError("the site's own copy")

    monkeypatch.setattr(helpers, "pyro_client_matches", fail)
    assert call(service, command) == 1
    assert stand_in.calls == []


def test_a_site_s_helper_gets_a_list_of_addresses(
    service: PyroFocuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def matches(ips: object) -> bool:
        asked.append(ips)
        return True

    monkeypatch.setattr(helpers, "pyro_client_matches", matches)
    assert service.initialize() == 0
    assert asked == [list(CONTROL_IPS)]
