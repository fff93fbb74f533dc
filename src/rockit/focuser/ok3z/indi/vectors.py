"""The property vectors of INDI: what they hold, and how they are written for clients. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from xml.sax.saxutils import escape, quoteattr

ON, OFF = "On", "Off"


class State(str, Enum):
    """What clients show of a vector, and wait for."""

    IDLE = "Idle"
    OK = "Ok"
    BUSY = "Busy"
    ALERT = "Alert"


@dataclass
class Vector:
    """One property.

    Args:
        kind: `Number`, `Switch` or `Text`.
        labels: of its elements, by name.
        values: of its elements, by name, as clients get them.
        perm: `rw`, or `ro` for what clients cannot set.
        rule: of switches: `OneOfMany` or `AtMostOne`.
        limits: of numbers: `format`, `min`, `max` and `step`.
    """

    kind: str
    name: str
    label: str
    group: str
    labels: dict[str, str]
    values: dict[str, str]
    perm: str = "rw"
    rule: str = ""
    limits: dict[str, str] = field(default_factory=dict)
    state: State = State.IDLE

    def defined(self, device: str, timestamp: str) -> str:
        """The element that tells a client of it."""
        head = {
            "device": device,
            "name": self.name,
            "label": self.label,
            "group": self.group,
            "state": self.state.value,
            "perm": self.perm,
            **({"rule": self.rule} if self.rule else {}),
            "timeout": "60",
            "timestamp": timestamp,
        }
        elements = (
            _element(f"def{self.kind}", {"name": name, "label": label, **self.limits}, self.values[name])
            for name, label in self.labels.items()
        )
        return _element(f"def{self.kind}Vector", head, elements="".join(elements))

    def told(self, device: str, timestamp: str, message: str = "") -> str:
        """The element that tells a client its state and its values."""
        head = {
            "device": device,
            "name": self.name,
            "state": self.state.value,
            "timeout": "60",
            "timestamp": timestamp,
            **({"message": message} if message else {}),
        }
        elements = (_element(f"one{self.kind}", {"name": name}, text) for name, text in self.values.items())
        return _element(f"set{self.kind}Vector", head, elements="".join(elements))

    def switch(self, on: str = "") -> None:
        """Put one switch on, or none, and all others off."""
        self.values = {name: ON if name == on else OFF for name in self.values}

    @property
    def on(self) -> str:
        """The switch that is on; empty if there is none."""
        return next((name for name, value in self.values.items() if value == ON), "")


def deleted(device: str, name: str, timestamp: str) -> str:
    """The element that takes a property away."""
    return _element("delProperty", {"device": device, "name": name, "timestamp": timestamp})


def said(device: str, timestamp: str, message: str) -> str:
    """The element with a sentence for people."""
    return _element("message", {"device": device, "timestamp": timestamp, "message": message})


def _element(tag: str, attributes: dict[str, str], text: str = "", elements: str = "") -> str:
    head = " ".join([tag, *(f"{name}={quoteattr(value)}" for name, value in attributes.items())])
    content = elements or escape(text)
    return f"<{head}>{content}</{tag}>\n" if content else f"<{head}/>\n"
