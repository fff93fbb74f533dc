"""What lines of the unit come to that no other test waits for, as systemd shows it on a machine that runs."""

from __future__ import annotations

import re

import pytest
from boot.site import Site

IN_EFFECT = {
    # It is tried again soon, and given up only after most of an hour of nothing but failures.
    "StartLimitIntervalUSec": "1h",
    "StartLimitBurst": "1800",
    "RestartUSec": "1s",
    # Of both it needs about 2 s at most.
    "TimeoutStartUSec": "1min",
    "TimeoutStopUSec": "10s",
    # The watchdog's signal would leave one each time. The log has where each thread was.
    "LimitCORE": "0",
    "RemoveIPC": "yes",
}


def test_limits_are_in_effect(shared_site: Site) -> None:
    assert {name: shared_site.show(name) for name in IN_EFFECT} == IN_EFFECT


def test_it_starts_when_the_network_is_there(shared_site: Site) -> None:
    for relation in ("Wants", "After"):
        assert "network-online.target" in shared_site.show(relation).split()


@pytest.mark.parametrize(("device", "module"), [("char-ttyUSB", "usbserial"), ("char-ttyACM", "cdc_acm")])
def test_a_driver_is_loaded_first_which_has_to_be_known_for_its_devices(
    shared_site: Site, device: str, module: str
) -> None:
    unit = f"modprobe@{module}.service"
    assert f"{device} rw" in shared_site.show("DeviceAllow").splitlines()
    for relation in ("Wants", "After"):
        assert unit in shared_site.show(relation).split()

    assert shared_site.container.show(unit, "LoadState") == "loaded"
    # By the name that the kernel has for it: systemd reads others in its own way.
    command = shared_site.container.show(unit, "ExecStart")
    assert re.search(rf"argv\[\]=\S*/modprobe( -\S+)* {module} ;", command), command
