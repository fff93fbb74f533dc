"""What the server says of itself, and the focuser's identity, which programs keep."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from rockit.focuser.ok3z.servers.alpaca.management import machine_id, unique_id

MACHINE = "0123456789abcdef0123456789abcde0"


def test_the_server_describes_itself(wire: Any) -> None:
    assert wire.ask("GET", "/management/apiversions").value == [1]
    value = wire.ask("GET", "/management/v1/description").value
    assert list(value) == ["ServerName", "Manufacturer", "ManufacturerVersion", "Location"]
    assert all(isinstance(text, str) and text.strip() for text in value.values())
    for path in ("apiversions", "v1/description", "v1/configureddevices"):
        assert wire.ask("PUT", f"/management/{path}").status == 405


def test_there_is_one_focuser_whose_id_never_changes(wire: Any) -> None:
    (device,) = wire.ask("GET", "/management/v1/configureddevices").value
    # Programs have kept this: that it is what it was is the point.
    assert device["UniqueID"] == unique_id("dome_focuser", MACHINE) == "de0546c9-ac00-5ce0-bc50-f926ae654a47"
    assert uuid.UUID(device["UniqueID"]).version == 5
    assert (device["DeviceType"], device["DeviceNumber"]) == ("Focuser", 0)
    assert device["DeviceName"] == wire.get("name").value == "Dome"


def test_the_id_of_a_focuser_is_that_of_its_daemon_on_its_machine() -> None:
    machines = ("", MACHINE, MACHINE[::-1])
    ids = {unique_id(name, machine) for name in ("dome_focuser", "other") for machine in machines}
    assert len(ids) == 6
    # Without a machine-id.
    assert unique_id("dome_focuser", "") == "1eecf772-f25f-52b1-9a80-e61e3b206504"
    # Which nobody learns.
    assert not any(MACHINE[:8] in one for one in ids)


def test_the_id_of_a_machine_is_read(tmp_path: Path) -> None:
    path = tmp_path / "machine-id"
    assert machine_id(path) == ""
    path.write_text(f"{MACHINE}\n")
    assert machine_id(path) == MACHINE
    for none in (b"uninitialized\n", b"", f"{MACHINE}0\n".encode(), b"\xff" * 32):
        path.write_bytes(none)
        assert machine_id(path) == "", none
