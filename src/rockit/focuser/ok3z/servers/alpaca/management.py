"""What Alpaca clients ask of the server itself: which versions, who made it, which devices."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from ...version import VERSION

API_VERSION = 1
DEVICE_NUMBER = 0
# Never change it: every UniqueID that clients have kept follows from it.
_NAMESPACE = uuid.UUID("5b0a3d0e-6c0e-4d2b-9f53-0c1b7a0e9d4f")


# Of an installed system, for ever; see machine-id(5).
MACHINE_ID_PATH = Path("/etc/machine-id")


def machine_id(path: Path = MACHINE_ID_PATH) -> str:
    """The id of this machine, 32 hexadecimal digits; empty if it has none."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else ""


def unique_id(daemon_name: str, machine: str) -> str:
    """The id of a focuser, for ever.

    It follows from the daemon's registered name and the id of its machine, so that two observatories whose daemons
    have one name are told apart; without that id from the name alone. A hash: nobody learns the machine's id from it.
    """
    namespace = uuid.uuid5(_NAMESPACE, machine) if machine else _NAMESPACE
    return str(uuid.uuid5(namespace, daemon_name))


def management_values(daemon_name: str, device_name: str, machine: str) -> Mapping[str, object]:
    """What is answered, by the path behind `/management/`.

    Args:
        daemon_name: as registered.
        device_name: as clients show it.
        machine: its id, from `machine_id`.
    """
    return {
        "apiversions": [API_VERSION],
        "v1/description": {
            "ServerName": "focusd",
            "Manufacturer": "focusd project",
            "ManufacturerVersion": VERSION,
            "Location": daemon_name,
        },
        "v1/configureddevices": [
            {
                "DeviceName": device_name,
                "DeviceType": "Focuser",
                "DeviceNumber": DEVICE_NUMBER,
                "UniqueID": unique_id(daemon_name, machine),
            }
        ],
    }
