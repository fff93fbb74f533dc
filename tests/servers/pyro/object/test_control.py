"""Who may control: machines with a permitted address, and nobody else."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from rockit.common import helpers

from tests.support.pyro import proxy_from

CONTROL_IPS = ("10.2.5.115", "127.0.0.1", "127.0.1.1")


def test_nothing_but_the_documented_calls_is_exposed(uri: str) -> None:
    with proxy_from(uri) as proxy:
        assert set(proxy._pyroMethods) == {
            *("initialize", "shutdown", "set_focus", "begin_move", "stop", "audit"),
            *("report_status", "wait_for_change", "last_measurement", "last_failure", "record"),
            *("moved_between", "moves", "focus_header", "hold", "release", "holds"),
            *("set_term", "clear_term", "terms", "set_reference"),
        }
        assert set(proxy._pyroAttrs) == set()


def test_a_stranger_is_refused_whatever_is_asked(
    command: str, uncalled: Any, focuser: Any, called_from: Callable[[str], None], call: Any
) -> None:
    for address in ("10.2.5.116", "10.2.5.11", "1.2.3.4", "::1", "", "garbage"):
        called_from(address)
        assert call(uncalled, command) == 3, address
    assert uncalled.wait_for_change(0) == 3
    assert uncalled.report_status()["status"] == 1, "but it may look"
    assert focuser.calls == []


def test_outside_a_pyro_call_nothing_is_permitted(
    command: str, uncalled: Any, focuser: Any, call: Any
) -> None:
    assert call(uncalled, command) == 3
    assert focuser.calls == []


def test_every_control_machine_may_control_and_a_stop_says_which(
    service: Any, focuser: Any, called_from: Callable[[str], None]
) -> None:
    for address in CONTROL_IPS:
        called_from(address)
        assert service.stop() == 0
    assert focuser.calls == [("stop", address) for address in CONTROL_IPS]


def test_a_site_whose_helper_fails_permits_nothing(
    command: str, service: Any, focuser: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bool:
        raise RuntimeError("the site's own copy")

    monkeypatch.setattr(helpers, "pyro_client_matches", fail)
    assert call(service, command) == 1
    assert focuser.calls == []


def test_a_site_s_helper_gets_a_list_of_addresses_and_is_asked_for_commands_alone(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def matches(ips: object) -> bool:
        asked.append(ips)
        return True

    monkeypatch.setattr(helpers, "pyro_client_matches", matches)
    service.report_status()
    service.last_measurement()
    assert asked == []
    assert service.initialize() == 0
    assert asked == [list(CONTROL_IPS)]
