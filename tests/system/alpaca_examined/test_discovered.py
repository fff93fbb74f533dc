"""The official client looks for devices, and finds a real daemon. What is answered is in tests/servers/alpaca."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable

import ifaddr
import pytest
from alpaca import discovery, management
from alpaca.focuser import Focuser


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent into the network in which these tests happen to run."""
    only = [
        SimpleNamespace(name="lo", ips=[ip for ip in adapter.ips if ip.ip == "127.0.0.1"])
        for adapter in ifaddr.get_adapters()
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: only)


def test_it_is_found_and_is_what_was_looked_for(make_daemon: Callable[..., Any]) -> None:
    daemon = make_daemon(alpaca={"discovery": True}).start()
    daemon.wait_for_log("answering programs that look for Alpaca devices")
    # Others of this machine, in other tests or of a developer, may answer too.
    found = discovery.search_ipv4(numquery=1, timeout=1)
    address = f"127.0.0.1:{daemon.alpaca.port}"
    assert address in found
    (device,) = management.configureddevices(address)
    focuser = Focuser(address, device["DeviceNumber"])
    assert focuser.Name == device["DeviceName"]
    focuser.rqs.close()


def test_it_is_not_found_unless_configured(make_daemon: Callable[..., Any]) -> None:
    daemon = make_daemon(alpaca={}).start()
    daemon.wait_for_log("serving Alpaca")
    assert f"127.0.0.1:{daemon.alpaca.port}" not in discovery.search_ipv4(numquery=1, timeout=0.2)
