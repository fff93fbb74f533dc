"""What Alpaca clients ask of the server itself: which versions, who made it, which devices."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from ..version import VERSION

API_VERSION = 1
DEVICE_NUMBER = 0
# Never change it: every UniqueID that clients have kept follows from it.
_NAMESPACE = uuid.UUID("5b0a3d0e-6c0e-4d2b-9f53-0c1b7a0e9d4f")


def unique_id(daemon_name: str) -> str:
    """The id of a focuser, for ever: it follows from the daemon's registered name."""
    return str(uuid.uuid5(_NAMESPACE, daemon_name))


def management_values(daemon_name: str, device_name: str) -> Mapping[str, object]:
    """What is answered, by the path behind `/management/`.

    Args:
        daemon_name: as registered.
        device_name: as clients show it.
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
                "UniqueID": unique_id(daemon_name),
            }
        ],
    }
