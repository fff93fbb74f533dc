"""The properties that INDI's interface of a focuser has, as this one has them. Pure.

Left out is what would not be true: a temperature, a speed, a timer, a synchronisation (the position rests on homing).
There is no backlash either: focusd takes it up, and Ekos greys its own field where a driver has none.
"""

from __future__ import annotations

from ..version import VERSION
from .vectors import OFF, ON, Vector

LABEL = "ASA OK3Z"
EXECUTABLE = "indi_ok3z_focus"
FOCUSER_INTERFACE = "8"

INWARD, OUTWARD = "FOCUS_INWARD", "FOCUS_OUTWARD"
MAIN = "Main Control"


def connection() -> Vector:
    """Whether clients have the focuser."""
    labels = {"CONNECT": "Connect", "DISCONNECT": "Disconnect"}
    return _switches("CONNECTION", "Connection", labels, "DISCONNECT")


def driver_info() -> Vector:
    """What the driver is."""
    labels = {
        "DRIVER_NAME": "Name",
        "DRIVER_EXEC": "Executable",
        "DRIVER_VERSION": "Version",
        "DRIVER_INTERFACE": "Interface",
    }
    values = dict(zip(labels, (LABEL, EXECUTABLE, VERSION, FOCUSER_INTERFACE)))
    return Vector("Text", "DRIVER_INFO", "Driver", "General Info", labels, values, "ro")


def config_process() -> Vector:
    """Settings to load and save, of which there are none. Clients press it all the same."""
    labels = {
        "CONFIG_LOAD": "Load",
        "CONFIG_SAVE": "Save",
        "CONFIG_DEFAULT": "Default",
        "CONFIG_PURGE": "Purge",
    }
    return _switches("CONFIG_PROCESS", "Configuration", labels)


def direction() -> Vector:
    """Where relative moves go."""
    return _switches("FOCUS_MOTION", "Direction", {INWARD: "Inward", OUTWARD: "Outward"}, INWARD)


def absolute_position() -> Vector:
    """Where the focuser is, in steps outward from fully in."""
    return _number("ABS_FOCUS_POSITION", "Absolute position", "FOCUS_ABSOLUTE_POSITION", 0)


def relative_position() -> Vector:
    """How far to go, in steps. It keeps what was asked."""
    return _number("REL_FOCUS_POSITION", "Relative move", "FOCUS_RELATIVE_POSITION", 1)


def largest_position() -> Vector:
    """How far out the focuser goes."""
    return _number("FOCUS_MAX", "Largest position", "FOCUS_MAX_VALUE", 0, "ro")


def abort() -> Vector:
    """The stop. Its switch never stays on."""
    return _switches("FOCUS_ABORT_MOTION", "Stop", {"ABORT": "Stop"})


def _number(name: str, label: str, element: str, lowest: int, perm: str = "rw") -> Vector:
    limits = {"format": "%.f", "min": f"{lowest}", "max": f"{lowest}", "step": "1"}
    return Vector("Number", name, label, MAIN, {element: "Steps"}, {element: f"{lowest}"}, perm, "", limits)


def _switches(name: str, label: str, labels: dict[str, str], on: str = "") -> Vector:
    values = {each: ON if each == on else OFF for each in labels}
    rule = "OneOfMany" if on else "AtMostOne"
    return Vector("Switch", name, label, MAIN, labels, values, "rw", rule)
